/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_SSM_H
#define SH_API_SSM_H
/* Systems Manager inside: what ssm*.c share. */
#include "base/arena.h"
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"
#include "cloud/store/commands.h"
#include "cloud/store/objects.h"

#define SH_SSM_DOCUMENT "AWS-RunShellScript"
#define SH_SSM_PLUGIN "aws:runShellScript"
#define SH_SSM_OUT_CHARACTERS 24000
#define SH_SSM_ERR_CHARACTERS 8000
#define SH_SSM_WORKERS 5    /* commands that run at once on the node; the others are Pending */
#define SH_SSM_KEEP_DAYS 30 /* a command that has ended is forgotten, and its folder removed */

/* Actions. */
int sh_ssm_send_command(sh_call *call);             /* ssm_send.c */
int sh_ssm_get_command_invocation(sh_call *call);   /* ssm_list.c */
int sh_ssm_list_commands(sh_call *call);            /* ssm_list.c */
int sh_ssm_list_command_invocations(sh_call *call); /* ssm_list.c */
int sh_ssm_create_activation(sh_call *call);        /* ssm_activation.c */
int sh_ssm_describe_activations(sh_call *call);
int sh_ssm_delete_activation(sh_call *call);
int sh_ssm_describe_instances(sh_call *call); /* ssm_instance.c */
int sh_ssm_deregister(sh_call *call);
int sh_ssm_update_role(sh_call *call);
int sh_ssm_connection_status(sh_call *call);
int sh_ssm_add_any_tags(sh_call *call); /* of nodes; others are handed on to ssm_parameter_label.c */
int sh_ssm_remove_any_tags(sh_call *call);
int sh_ssm_list_any_tags(sh_call *call);

/* ---- ssm_activation.c ---- */
/* A role that nodes may act under, and that the caller may pass. *name: without its path. */
int sh_ssm_check_role(sh_call *call, const char *given, const char **name);
/* ---- ssm_instance.c ---- */
/* NextToken as the number of rows to skip. */
int sh_ssm_page(sh_call *call, int64_t *skip);
/* Has the node a tag with this key and one of these values? key NULL: a tag whose key is one of them. */
bool sh_ssm_node_tagged(sh_cloud *cloud, const char *node, const char *key, const json_t *values);

/* The "Command" of SendCommand and ListCommands. */
json_t *sh_ssm_command_json(sh_call *call, const sh_invocation *row);
/* The status of a command: that of its invocation, or, of several, what they add up to. */
void sh_ssm_add_up(const sh_invocation_summary *n, const json_t *request, const sh_invocation *row,
                   const char **status, const char **details);

#endif
