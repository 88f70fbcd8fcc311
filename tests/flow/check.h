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

#endif
