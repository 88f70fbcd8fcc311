/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_JOBS_JSONWORK_H
#define TESTS_JOBS_JSONWORK_H
/* JSON in tests of job settings. */
#include <jansson.h>

/* Of a text with apostrophes for quotation marks. Owned by the caller. */
json_t *json_of(const char *text);
/* The place that a path of keys and indices names ("/outputs/0/width"): its last step is set to a text as
 * json_of takes it (appended, in an array), or removed for NULL. */
void json_change(json_t *root, const char *path, const char *value);

#endif
