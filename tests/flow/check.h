/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FLOW_CHECK_H
#define TESTS_FLOW_CHECK_H
/* Shared by the tests of the interpreter. */
#include "drive.h"

/* Text of a JSON literal written with ' for " (so that tests are readable); `"` stays. Owned by the caller.
 */
char *check_json(const char *text);
/* Parses and runs; a refused definition gives d->error "REFUSED" and the message as d->cause. */
void check_run(drive *d, const char *definition, const char *input, const char *script);
/* "STATUS output" or "STATUS error | cause" (free()) */
char *check_outcome(const drive *d);
/* Fails the test with both texts when `got` does not contain (or equal) `wanted`. */
void check_contains(const char *name, const char *got, const char *wanted);
void check_equal(const char *name, const char *got, const char *wanted);
/* Fails the test when check_outcome() is not `wanted`: "STATUS output" with ' for ", "STATUS error | cause"
 * as it stands, or '~' and a part of either. */
void check_ends(const char *name, const drive *d, const char *wanted);
/* Runs it, without a script: the outcome has to contain `wanted`. */
void check_run_tells(const char *name, const char *definition, const char *input, const char *wanted);

/* Fails the test when the ids in the history have a gap or an event follows a later one. */
void check_gapless(const char *name, const drive *d);

/* A whole execution and what is to come of it. */
typedef struct check_row {
    const char *name, *definition, *input, *script;
    const char *outcome; /* as for check_ends() */
    const char *types;   /* NULL: whatever */
    const char *tasks;   /* parameters of the tasks started, NULL: whatever */
    int64_t end_ms;
} check_row;

/* Runs each, with check_gapless(), too. */
void check_rows(const check_row *rows, size_t count);

/* For json_set_alloc_funcs(): the allocation after check_allocations others fails; below 0 none does. */
extern long check_allocations;
void *check_malloc(size_t size);

#endif
