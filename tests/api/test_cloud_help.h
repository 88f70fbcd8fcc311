/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_CLOUD_HELP_H
#define TEST_CLOUD_HELP_H
/* A server on a new data folder whose clock stands until a test moves it, without threads: a test calls
 * actions and the runners' pumps itself. */
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TEST_ROLE "arn:aws:iam::123456789012:role/machine"
#define TEST_ARN "arn:aws:states:us-east-1:123456789012:"

typedef struct bed {
    sh_cloud *cloud;
    char folder[64];
    int64_t now_ms;
    sh_clock clock;
    char code[128]; /* AWS error of the last call, "" when it went well */
    char message[4096];
} bed;

extern const sh_caller test_root; /* who calls */

int bed_setup(void **state);
int bed_teardown(void **state);
/* Ends the server as a crash would (nothing is tidied up in the rows) and opens the folder again. */
void bed_restart(bed *b);

/* Calls an action; in is printf-style JSON with ' for ". New reference to the answer, NULL when it failed. */
json_t *bed_call(bed *b, const char *service, const char *action, const char *in, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with an object, whose reference is taken. */
json_t *bed_call_json(bed *b, const char *service, const char *action, json_t *in);
/* Lets the runners of executions and events do all they can now; gives the time of the next timer, -1: none.
 */
int64_t bed_pump(bed *b);
/* A text of the answer, in a buffer that the next 16 calls leave alone; the answer is released. */
const char *bed_text(json_t *answer, const char *name);
/* Makes a machine, starts it; gives the execution's ARN. */
const char *bed_start(bed *b, const char *name, const char *definition, const char *input);
/* Status of an execution. */
const char *bed_status(bed *b, const char *arn);
/* "ExecutionStarted PassStateEntered ..." in a static buffer; ids and previous ids are checked on the way. */
const char *bed_history(bed *b, const char *arn);
/* ' becomes ", in a static buffer. */
const char *quoted(const char *text);

#endif
