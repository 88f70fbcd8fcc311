/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_QUERY_H
#define SH_CLOUD_FLOW_QUERY_H
/* One expression of JSONata in a field of a state. */
#include "cloud/flow/expr.h"
#include "cloud/flow/jsonata.h"

typedef struct sh_query sh_query;

bool sh_query_is(const json_t *value); /* a string "{%…" or "…%}" */
/* `text` with its {% and %}; `field` as in sh_template_form, kept. Each finding is told; then SH_E_FORMAT. */
typedef void (*sh_query_report)(void *opaque, const char *code, const char *message);
int sh_query_parse(sh_build *build, const char *text, const char *field, bool error, const sh_query **out,
                   sh_query_report report, void *opaque);
int sh_query_eval(const sh_query *query, const sh_eval *eval, json_t **out);
/* The fault that the expression did what the words say: "returned …". */
int sh_query_refuse(const sh_query *query, const sh_eval *eval, const char *what);
/* query_names.c: every bare name that has nothing to be looked up in, in the order of the text. */
typedef void (*sh_query_name)(void *opaque, const char *name);
void sh_query_names(const sh_jsonata *jsonata, sh_query_name tell, void *opaque);

#endif
