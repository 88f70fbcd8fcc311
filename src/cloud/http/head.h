/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_HEAD_H
#define SH_HTTP_HEAD_H
/* The head of a request: method, target and fields, exactly as they came. Signatures are made over the raw
 * target, so nothing here is decoded except the query values, which stand beside their raw text. */
#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* S3 takes 8 KB of header with a PUT; each field of user metadata stands in it and in SignedHeaders, at least
 * 30 bytes in all, so that no client of S3 has more fields than these. */
enum { SH_HTTP_FIELDS_MAX = 320, SH_HTTP_PARAMS_MAX = 128, SH_HTTP_TARGET_MAX = 16384 };

typedef struct sh_http_field {
    const char *name;
    const char *value;
} sh_http_field;

typedef struct sh_http_param {
    const char *raw_name; /* percent-encoded, as sent */
    const char *raw_value;
    const char *name; /* decoded; a '+' is a space */
    const char *value;
    bool has_value; /* "?uploads" has none, "?uploads=" an empty one */
} sh_http_param;

typedef struct sh_http_head {
    const char *method;
    const char *path;  /* raw, begins with '/' */
    const char *query; /* raw, without the '?', "" when there is none */
    sh_http_field *fields;
    size_t field_count;
    sh_http_param *params;
    size_t param_count;
} sh_http_head;

/* Splits the raw target (a path, or a whole URL as proxies get it) into path, query and params, all in the
 * arena. SH_E_FORMAT: not a path, or broken percent-encoding in a query; SH_E_LIMIT: too long or too many. */
int sh_http_head_target(sh_http_head *head, sh_arena *arena, const char *target, sh_err *err);
/* What is wrong with the fields themselves, as a sentence, or NULL: a name that is no token, a body whose
 * length is said twice or in two ways (where another server in between might see another end), a second Host,
 * or none though the version demands it. *status: 400 or 501. */
const char *sh_http_head_fault(const sh_http_head *head, const char *version, int *status);
/* The first field of that name, whatever its case, or NULL. */
const char *sh_http_field_get(const sh_http_head *head, const char *name);
size_t sh_http_field_total(const sh_http_head *head, const char *name);
/* The first query parameter of that name (case matters), or NULL; "" for one without a value. */
const char *sh_http_param_get(const sh_http_head *head, const char *name);
bool sh_http_param_has(const sh_http_head *head, const char *name);

/* Percent-decodes. NULL: a '%' without two hex digits, a NUL byte, or no memory. */
char *sh_http_decode(sh_arena *arena, const char *text, size_t length, bool plus_is_space);
/* RFC 3986 unreserved bytes stay, '/' stays if `keep_slash`, the rest becomes %XX in capitals. NULL: no
 * memory.
 */
char *sh_http_encode(sh_arena *arena, const char *text, size_t length, bool keep_slash);
bool sh_utf8_valid(const char *text, size_t length);

#endif
