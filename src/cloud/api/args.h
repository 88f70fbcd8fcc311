/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_ARGS_H
#define SH_API_ARGS_H
/* Reading the input of an action, with AWS's words when it is wrong (ValidationException), and building the
 * output. All return 0 or what sh_call_fail gave. */
#include "cloud/api/cloud.h"

/* An optional text: *out is NULL when it is not there (or null). Longer than max characters: refused. */
int sh_arg_text(sh_call *call, const char *name, size_t max, const char **out);
/* The same, obligatory and not empty. */
int sh_arg_need(sh_call *call, const char *name, size_t max, const char **out);
int sh_arg_bool(sh_call *call, const char *name, bool fallback, bool *out);
int sh_arg_int(sh_call *call, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *out);
/* An optional object or array: *out NULL when it is not there. */
int sh_arg_object(sh_call *call, const char *name, const json_t **out);
int sh_arg_array(sh_call *call, const char *name, size_t max, const json_t **out);
/* Is this text in an array? NULL: no. */
bool sh_arg_lists(const json_t *array, const char *text);

/* Sets a member of an object; a NULL value is left out. They remember failure in *status (SH_E_MEMORY). */
void sh_put(int *status, json_t *object, const char *name, json_t *value); /* takes the value */
void sh_put_text(int *status, json_t *object, const char *name, const char *value);
void sh_put_date(int *status, json_t *object, const char *name,
                 int64_t ms); /* seconds, as AWS JSON has them */
/* Makes call->out an empty object. */
int sh_out_new(sh_call *call);
/* After the puts: 0, or the call failed for want of memory. */
int sh_out_done(sh_call *call, int status);

/* [{"key":k,"value":v}] (names as given) to {"k":"v"} and back. Limits of AWS: 50 tags. */
int sh_tags_read(sh_call *call, const json_t *list, const char *key, const char *value, json_t *tags);
json_t *sh_tags_list(const char *text, const char *key, const char *value);

#endif
