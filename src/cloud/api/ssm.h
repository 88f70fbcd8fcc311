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

/* The "Command" of SendCommand and ListCommands. */
json_t *sh_ssm_command_json(const sh_invocation *row);
/* Where the whole output of a command goes in its bucket; NULL when it goes nowhere (or memory is short).
 * stream: "stdout", "stderr". free() */
char *sh_ssm_output_key(const sh_invocation *row, const json_t *request, const char *stream);

/* The node: the folders, files and variables that commands find. */
typedef struct sh_node {
    sh_cloud *cloud;
    sh_arena *arena;      /* of the paths */
    const char *root;     /* DATA, absolute */
    const char *bin;      /* DATA/node/bin, first on PATH: spyhop, aws */
    const char *work;     /* DATA/node/work, where a command begins unless it says otherwise */
    const char *commands; /* DATA/commands */
} sh_node;

int sh_node_prepare(sh_node *out, sh_cloud *cloud, sh_err *err); /* ssm_node.c */
void sh_node_free(sh_node *node);
/* The environment of command `id`, in the arena: with keys of a session of the node's role, good for as long
 * as a command may run. NULL: err says why. */
const char *const *sh_node_environment(const sh_node *node, const char *id, sh_arena *arena, sh_err *err);
/* ---- ssm_role.c ---- */
/* The session of the role in the node's instance profile, strings in the arena. SH_E_DENIED: there is none
 * that the node may take on, err says why. */
int sh_node_session(sh_cloud *cloud, sh_arena *arena, sh_caller *out, sh_err *err);
/* May the node write this object? SH_E_DENIED: err says why. */
int sh_node_may_write(sh_cloud *cloud, const char *bucket, const char *key, sh_err *err);
int sh_node_folder(const sh_node *node, const char *id, char *path, size_t size, sh_err *err);
/* Copies what a command wrote to the bucket that its sender named; `with` is called in the transaction that
 * makes the objects (sh_objects_publish_with). 1: done. 0: there is nothing to copy or no bucket, and `with`
 * was not called. On failure nothing has changed. */
int sh_node_deliver_output(const sh_node *node, const sh_invocation *row, sh_object_with_fn with,
                           void *opaque, sh_err *err);

#endif
