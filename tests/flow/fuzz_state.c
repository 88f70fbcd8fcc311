/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for stored states of executions: any text in their place is refused or goes on somehow. */
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

static const char machine[] =
    "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Parallel\",\"Branches\":[{\"StartAt\":\"M\",\"States\":"
    "{\"M\":{"
    "\"Type\":\"Map\",\"Iterator\":{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\",\"Resource\":"
    "\"arn:aws:states:::ssm:x\",\"Retry\":[{\"ErrorEquals\":[\"E\"]}],\"End\":true}}},\"End\":true}}}],"
    "\"End\":true}}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const sh_flow_event_kind kinds[] = {SH_FLOW_TIMER, SH_FLOW_TASK_SUCCEEDED, SH_FLOW_TASK_FAILED,
                                               SH_FLOW_ABORT};
    sh_flow_env env = fuzz_env();
    json_t *state = NULL;
    sh_flow *flow = NULL;

    if (!sh_flow_load(&state, (const char *)data, size, NULL) &&
        !sh_flow_parse(&flow, machine, sizeof(machine) - 1, NULL, NULL))
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
            sh_flow_event event = {.kind = kinds[i], .task = 1, .error = "E"};
            sh_flow_result result = {0};

            if (!sh_flow_step(flow, &env, state, &event, &result, NULL))
                sh_flow_result_free(&result);
        }
    json_decref(state);
    sh_flow_free(flow);
    return 0;
}
