/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FLOW_DRIVE_H
#define TESTS_FLOW_DRIVE_H
/* Runs one execution to its end, as a service would: a clock that jumps to each wake-up, task answers from a
 * script, and the state written to text and read back between any two steps. */
#include "cloud/flow/flow.h"

typedef struct drive {
    sh_flow_status status;
    json_t *history; /* array of all events */
    json_t *tasks;   /* array of {"id","state","service","action","parameters","at"[,"token"]} */
    json_t *wakes;   /* array of the times of all timers, in ms since the start */
    json_t *cancelled;
    json_t *output;
    char *error, *cause;
    int64_t end_ms; /* since the start */
    int steps;
} drive;

/* script: array, one element for each task in the order they start: an object with
 *   "output" (succeeds), or "error" and "cause" (fails), or "silent" (never answers),
 *   "submitted" (a TASK_SUBMITTED before it), "after" (ms that it takes, 0), "beats" (array of ms at which it
 * sends a heartbeat). NULL: every task succeeds with {}. False (message on stderr) when a step fails or
 * nothing can happen any more while the execution is still running. */
bool drive_run(drive *d, const sh_flow *flow, const json_t *input, const json_t *script);
void drive_free(drive *d);
/* "ExecutionStarted PassStateEntered …" (free()) */
char *drive_types(const drive *d);
/* In an sh_flow_env: randomness that repeats. */
void drive_random(void *opaque, void *bytes, size_t length);

#define DRIVE_START_MS 1700000000000LL

#endif
