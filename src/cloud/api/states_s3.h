/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_S3_H
#define SH_API_STATES_S3_H
/* What the files states_s3*.c share: calls of S3 by tasks. */
#include "cloud/api/states_effect.h"

/* A parameter that is a text, or NULL. */
static inline const char *sh_s3_text(const sh_effect *e, const char *name)
{
    return json_string_value(json_object_get(e->in, name));
}

/* Whether all parameters are among the names (a list that ends with NULL), and the obligatory ones (before
 * the first "") are texts. 0, or the call failed. */
int sh_s3_check(sh_effect *e, const char *const *names);
/* The answer to a failure of the store. Where nothing but the bucket can be missing (key: false), another
 * SH_E_NOT_FOUND says that nobody waits for the task any more: it is passed on. */
int sh_s3_refuse_task(sh_effect *e, int status, const char *bucket, bool key);
int sh_s3_no_memory(sh_err *err);
json_t *sh_s3_time(int64_t ms);
json_t *sh_s3_etag(const char *etag);

/* ---- states_s3_list.c ---- */
int sh_s3_task_list_objects(sh_effect *e, sh_err *err);
int sh_s3_task_head_bucket(sh_effect *e, sh_err *err);
int sh_s3_task_list_buckets(sh_effect *e, sh_err *err);

#endif
