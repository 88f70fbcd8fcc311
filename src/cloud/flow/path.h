/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_PATH_H
#define SH_CLOUD_FLOW_PATH_H
/* JSONPath: "$" (the state's data), "$$" (the context object) or "$name" (a variable), then fields, quoted
 * names, indexes, wildcards, slices, unions, filters and recursive descent. A path is definite while it can
 * name one value only; an indefinite one yields an array. A reference path is one of fields and indexes only:
 * it can be written to (ResultPath). */
#include "cloud/flow/value.h"
#include <stdbool.h>

typedef struct sh_path sh_path;

/* The whole of text must be one path. SH_E_FORMAT, SH_E_LIMIT or SH_E_MEMORY, message in err. */
int sh_path_parse(sh_build *build, const char *text, size_t length, const sh_path **out, sh_err *err);
bool sh_path_is_context(const sh_path *path);      /* starts with "$$" */
const char *sh_path_variable(const sh_path *path); /* its name, NULL when it does not start with one */
/* How many bytes at the start of text can be the name of a variable. */
size_t sh_variable_length(const char *text, size_t length);
bool sh_path_is_reference(const sh_path *path); /* fields and non-negative indexes only */
bool sh_path_is_root(const sh_path *path);      /* "$" or "$$" alone */
const char *sh_path_text(const sh_path *path);
/* Why it found nothing in root, in the words that AWS has for it: "No results for path: $['a'][0]". */
void sh_path_why(const sh_path *path, json_t *root, sh_buf *buf);
/* *out: new reference. SH_E_NOT_FOUND, SH_E_MEMORY, SH_E_LIMIT (too much work). */
int sh_path_get(const sh_path *path, json_t *root, json_t **out);
/* A copy of root with value at the path, which is a reference path; missing objects on the way are made.
 * *out: new reference. SH_E_CONFLICT when something on the way is not an object (or has no such index). */
int sh_path_put(const sh_path *path, json_t *root, json_t *value, json_t **out);

#endif
