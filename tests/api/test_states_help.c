/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test_states_help.h"

#include <stdio.h>
#include <stdlib.h>

json_t *create(bed *b, const char *name, const char *definition, const char *more)
{
    char text[4096];
    snprintf(text, sizeof(text), "{%s}", more);
    json_t *in = json_loads(quoted(text), 0, NULL);
    assert_non_null(in);
    json_object_update_new(in, json_pack("{s:s, s:s, s:s}", "name", name, "definition", quoted(definition),
                                         "roleArn", TEST_ROLE));
    return bed_call_json(b, "states", "CreateStateMachine", in);
}

void make(bed *b, const char *name, const char *definition, const char *more)
{
    json_t *out = create(b, name, definition, more);
    if (!out)
        fail_msg("%s: %s", b->code, b->message);
    json_decref(out);
}

const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* ---- calls that wait ---- */

static void count_release(void *opaque)
{
    ++((waiting *)opaque)->released;
}

int call_waiting(bed *b, waiting *w, const char *action_name, json_t *in)
{
    const sh_action *action = sh_action_find(&sh_service_states, action_name);
    *w = (waiting){.arena = sh_arena_new(1 << 20), .in = in};
    w->hold = (sh_hold){.release = count_release, .opaque = w};
    w->call = (sh_call){.cloud = b->cloud,
                        .arena = w->arena,
                        .principal = test_root.arn,
                        .caller = &test_root,
                        .now_ms = b->now_ms,
                        .in = in,
                        .hold = &w->hold};
    int status = action->fn(&w->call);
    if (status == SH_CALL_LATER)
        sh_hold_park(b->cloud, &w->hold);
    return status;
}

void end_waiting(bed *b, waiting *w)
{
    sh_hold_drop(b->cloud, &w->hold);
    if (w->call.kept)
        w->call.forget(b->cloud, w->call.kept);
    json_decref(w->call.out);
    json_decref(w->in);
    sh_arena_free(w->arena);
}
