/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_LOG_FILTERS_H
#define SH_STORE_LOG_FILTERS_H
/* Subscription filters of log groups: who is told of which events. */
#include "cloud/store/db.h"

typedef struct sh_log_filter {
    const char *group, *name;
    const char *pattern;     /* "": everything */
    const char *destination; /* ARN */
    int64_t created_ms;
} sh_log_filter;

int sh_log_filter_put(sh_db *db, const sh_log_filter *filter, sh_err *err);            /* makes or replaces */
int sh_log_filter_delete(sh_db *db, const char *group, const char *name, sh_err *err); /* NOT_FOUND */
int sh_log_filters_clear(sh_db *db, const char *group, sh_err *err); /* the group is deleted */
/* By name; the filter lives until fn returns. */
typedef int (*sh_log_filter_fn)(void *opaque, const sh_log_filter *filter);
int sh_log_filters_list(sh_db *db, const char *group, sh_log_filter_fn fn, void *opaque, sh_err *err);

#endif
