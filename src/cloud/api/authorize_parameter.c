/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parameters are named with and without a slash at the start, one or many in a call: each is asked for by its
 * ARN, parameter/a/b for /a/b. */
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_table.h"

#include <string.h>

static int ask_one(sh_call *call, const char *action, const char *given)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    const char *arn = given, *name = given + (*given == '/');
    if (strncmp(given, "arn:", 4) != 0) /* a version or label behind the name is not part of it */
        arn = sh_arena_printf(call->arena, "arn:aws:ssm:%s:%s:parameter/%.*s", s->region, s->account,
                              (int)strcspn(name, ":"), name);
    if (!arn)
        return sh_call_fail(call, 500, "InternalServerError", "no memory for an ARN");
    return sh_ask_tags(call, action, arn);
}

int sh_ask_parameter(sh_call *call, const char *action, const char *resource)
{
    static const char *const members[] = {"Name", "Path", "ResourceId"};
    size_t index;
    const json_t *name, *names = json_object_get(call->in, "Names");
    int status = 0;
    bool asked = false;
    json_array_foreach(names, index, name)
    {
        if (status == 0 && json_is_string(name)) {
            status = ask_one(call, action, json_string_value(name));
            asked = true;
        }
    }
    for (size_t i = 0; status == 0 && i < sizeof(members) / sizeof(*members); i++) {
        const char *given = json_string_value(json_object_get(call->in, members[i]));
        if (given) {
            status = ask_one(call, action, given);
            asked = true;
        }
    }
    return asked ? status : sh_ask_tags(call, action, resource);
}
