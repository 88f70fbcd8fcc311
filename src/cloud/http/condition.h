/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_CONDITION_H
#define SH_HTTP_CONDITION_H
/* Ranges and preconditions of RFC 9110 for one representation. */
#include "cloud/http/head.h"

typedef enum sh_range_kind {
    SH_RANGE_WHOLE,       /* no range, or one to ignore: not bytes, malformed, several */
    SH_RANGE_PART,        /* bytes first..first+length */
    SH_RANGE_UNSATISFIED, /* 416 */
} sh_range_kind;

/* text: value of Range, or NULL. On SH_RANGE_PART sets *first and *length. */
sh_range_kind sh_range_parse(const char *text, int64_t size, int64_t *first, int64_t *length);

/* 0: go on; 304 or 412, and *failed names the field ("If-Match"). etag is without quotes; modified in
 * milliseconds, compared by the second. */
int sh_precondition(const sh_http_head *head, const char *prefix, const char *etag, int64_t modified_ms,
                    const char **failed);
/* The three HTTP date forms. False: not a date. */
bool sh_http_date_parse(const char *text, int64_t *ms);

#endif
