/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_AUTHORIZE_TABLE_H
#define SH_API_AUTHORIZE_TABLE_H
/* What each action of a service is asked for, as the Service Authorization Reference has it: a row for each.
 *
 * resource is a template: "rule/{Name}" is arn:aws:events:REGION:ACCOUNT:rule/ and the member Name of the
 * input; "{queue|Default}" has a value for when the member is not there; a member that is an ARN already
 * stands for all of it. "*": the action has no resources. NULL: anybody who has a key may do it. An action
 * without a row is asked for on "*": nothing is free because it was forgotten. */
#include "cloud/api/authorize_context.h"
#include "cloud/api/cloud.h"

/* For actions with more than one resource, or keys of their own. As sh_authorize_action. */
typedef int (*sh_ask_fn)(sh_call *call, const char *action, const char *resource);

typedef struct sh_ask {
    const char *service, *action;
    const char *resource;
    sh_ask_fn fn;     /* NULL: action and resource are all there is to ask */
    const char *role; /* member of the input with a role that is passed on; NULL: none */
    const char *to;   /* the service that it is passed to */
} sh_ask;

const sh_ask *sh_ask_find(const char *service, const char *action); /* NULL: it has no row */
extern const sh_ask sh_asks[]; /* sorted by nothing; ends with a row whose service is NULL */

/* authorize_fn.c: the functions of the table. */
int sh_ask_with(sh_call *call, const char *action, const char *resource, sh_context *keys); /* and tags */
int sh_ask_machine(sh_call *call, const char *action, const char *resource);
int sh_ask_token(sh_call *call, const char *action, const char *resource);
int sh_ask_command(sh_call *call, const char *action, const char *resource);
int sh_ask_document(sh_call *call, const char *action, const char *resource);  /* Name */
int sh_ask_managed(sh_call *call, const char *action, const char *resource);   /* InstanceId */
int sh_ask_tagged(sh_call *call, const char *action, const char *resource);    /* ResourceType, ResourceId */
int sh_ask_resources(sh_call *call, const char *action, const char *resource); /* of EC2: Resources, Tags */
int sh_ask_events(sh_call *call, const char *action, const char *resource);
int sh_ask_rule(sh_call *call, const char *action, const char *resource);
int sh_ask_targets(sh_call *call, const char *action, const char *resource);
int sh_ask_parameter(sh_call *call, const char *action, const char *resource); /* authorize_parameter.c */
int sh_ask_job(sh_call *call, const char *action, const char *resource);
int sh_ask_identity(sh_call *call, const char *action, const char *resource);
int sh_ask_function(sh_call *call, const char *action, const char *resource); /* lambda_permission.c */
int sh_ask_tags(sh_call *call, const char *action, const char *resource);

#endif
