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

int sh_ssm_spec(sh_cloud *cloud, const sh_invocation *row, json_t **out, sh_err *err)
{
    json_t *request = json_loads(row->request, 0, NULL);
    const json_t *parameters = json_object_get(request, "Parameters");
    const char *where = json_string_value(json_array_get(json_object_get(parameters, "workingDirectory"), 0));
    char *script = join_script(request);
    (void)cloud;
    json_t *spec = json_pack("{s:s, s:[{s:s, s:s, s:s*, s:s, s:I, s:s, s:s, s:s}]}", "document",
                             row->document, "steps", "name", "0.awsrunShellScript", "plugin", SH_SSM_PLUGIN,
                             "script", script, "folder", where ? where : "", "timeout_s",
                             json_integer_value(json_object_get(request, "ExecutionTimeout")), "on_failure",
                             "continue", "on_success", "continue", "skip", "");
    bool whole = spec && script;
    free(script);
    json_decref(request);
    if (!whole) {
        json_decref(spec);
        return sh_fail(err, SH_E_MEMORY, "no memory for a command");
    }
    *out = spec;
    return 0;
}
