/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_TEST_H
#define SH_API_STATES_TEST_H
/* TestState inside: states_test_read.c checks what is asked for, states_test.c does it. */
#include "cloud/api/states_api.h"

typedef struct sh_state_test {
    sh_cloud *cloud;
    sh_flow *flow;
    sh_flow_test test;   /* its values are those below */
    const char *role;    /* strings are borrowed from the call's input; may be NULL */
    const char *written; /* the input's text */
    json_t *input, *variables, *mock, *context;
    json_t *count, *percentage; /* of failures that a Map tolerates; NULL: not given */
    json_t *state;              /* of the run; NULL before it begins */
    int64_t deadline_ms, wake_ms;
    bool inspect; /* DEBUG or TRACE */
    bool ended;
    sh_flow_status status;
    json_t *output;
    char *error, *cause;
} sh_state_test;

/* Fills *t, or fails the call. sh_state_test_clear in both cases. */
int sh_state_test_read(sh_call *call, sh_state_test *t);
void sh_state_test_clear(sh_state_test *t);

#endif
