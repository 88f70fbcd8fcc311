/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a node is told to run for an invocation. */
#include "base/buf.h"
#include "cloud/api/args.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_run.h"

#include <stdlib.h>

#define SCRIPT_MAX (4 << 20)

static char *join_script(const json_t *request)
{
    const json_t *commands = json_object_get(json_object_get(request, "Parameters"), "commands");
    size_t index;
    const json_t *line;
    sh_buf text;
    sh_buf_init(&text, SCRIPT_MAX);
    json_array_foreach(commands, index, line)
    {
        sh_buf_append(&text, json_string_value(line), json_string_length(line));
        sh_buf_putc(&text, '\n');
    }
    return sh_buf_take(&text, NULL);
}

/* Steps stand in the request of a document of one's own. */
static json_t *steps_of(const json_t *request)
{
    json_t *steps = json_object_get(request, "Steps");
    const json_t *parameters = json_object_get(request, "Parameters");
    const char *where = json_string_value(json_array_get(json_object_get(parameters, "workingDirectory"), 0));
    if (steps)
        return json_incref(steps);
    char *script = join_script(request);
    if (script)
        steps = json_pack("[{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s}]", "name", "0.awsrunShellScript",
                          "plugin", SH_SSM_PLUGIN, "script", script, "folder", where ? where : "",
                          "timeout_s", json_integer_value(json_object_get(request, "ExecutionTimeout")),
                          "on_failure", "continue", "on_success", "continue", "skip", "");
    free(script);
    return steps;
}

int sh_ssm_spec(sh_cloud *cloud, const sh_invocation *row, json_t **out, sh_err *err)
{
    json_t *request = json_loads(row->request, 0, NULL), *steps = steps_of(request);
    (void)cloud;
    json_decref(request);
    json_t *spec = steps ? json_pack("{s:s, s:o}", "document", row->document, "steps", steps) : NULL;
    if (!spec)
        return sh_fail(err, SH_E_MEMORY, "no memory for a command");
    *out = spec;
    return 0;
}
