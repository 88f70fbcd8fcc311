/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_STATES_HELP_H
#define TEST_STATES_HELP_H
/* What tests of the API of Step Functions share. */
#include "cloud/api/hold.h"
#include "cloud/api/states_api.h"
#include "test_cloud_help.h"

#include <string.h>

#define PASS "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true}}}"
#define OTHER "{'StartAt':'B','States':{'B':{'Type':'Pass','End':true}}}"
#define WAIT5                                                                                                \
    "{'StartAt':'W','States':{'W':{'Type':'Wait','Seconds':5,'Next':'A'},'A':{'Type':'Pass','End':true}}}"
#define MACHINE TEST_ARN "stateMachine:"

/* Creates a machine; more: further members, as JSON with ' for ". The answer, NULL when it failed. */
json_t *create(bed *b, const char *name, const char *definition, const char *more);
/* The same, which must go well. */
void make(bed *b, const char *name, const char *definition, const char *more);
/* A member, "" when there is none. */
const char *text_of(const json_t *object, const char *name);

/* The call fails with that code and a message that begins so. */
#define REFUSED(CODE, MESSAGE, ...)                                                                          \
    do {                                                                                                     \
        json_decref(bed_call(b, "states", __VA_ARGS__));                                                     \
        assert_string_equal(b->code, CODE);                                                                  \
        if (strncmp(b->message, MESSAGE, strlen(MESSAGE)) != 0)                                              \
            fail_msg("%s", b->message);                                                                      \
    } while (0)

/* A call that can wait, as the front end makes it. */
typedef struct waiting {
    sh_call call;
    sh_hold hold;
    sh_arena *arena;
    json_t *in;
    int released;
} waiting;
/* Takes the input. */
int call_waiting(bed *b, waiting *w, const char *action, json_t *in);
void end_waiting(bed *b, waiting *w);

#define BED(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

#endif
