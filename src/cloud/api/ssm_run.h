/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_SSM_RUN_H
#define SH_API_SSM_RUN_H
/* Between ssm*.c, which know what a command is, and agent*.c with ssm_watch.c, which have it run.
 *
 * An invocation's row goes Pending -> InProgress (handed to its node) -> an end; Delayed stands for a node
 * that was handed it, has not yet said so and is silent. Pending rows wait for their node, for a free worker
 * on it, and for the command's MaxConcurrency and MaxErrors; those that MaxErrors keeps back become Failed,
 * Terminated. Rows are made Pending for all nodes by SendCommand, which then calls sh_agent_wake.
 *
 * A cancelled row: Pending becomes Cancelled at once; InProgress and Delayed become Cancelling, and the node
 * is told (sh_agent_wake). */
#include "cloud/api/cloud.h"
#include "cloud/store/commands.h"

/* ---- ssm*.c gives ---- */

/* "spec" of the message "run" (docs/agent.md) without its environment: {"document", "steps": [...]}. The
 * values of parameters stand in it already. */
int sh_ssm_spec(sh_cloud *cloud, const sh_invocation *row, json_t **out, sh_err *err);
/* In the transaction that changed a row's status, called by whoever changed it (sh_ssm_save does): recounts
 * the command and queues its events. */
int sh_ssm_changed(sh_cloud *cloud, const char *command, const char *instance, sh_err *err);

/* ---- ssm_state.c gives ---- */

/* sh_invocation_save and sh_ssm_changed in one transaction. SH_E_CONFLICT: its status is not `expected`. */
int sh_ssm_save(sh_cloud *cloud, const sh_invocation *row, const char *expected, sh_err *err);
bool sh_ssm_is_open(const char *status); /* Pending, InProgress, Delayed, Cancelling */
/* May another invocation of this command begin, by its MaxConcurrency and MaxErrors? Those that MaxErrors
 * keeps back for good end here. In a transaction. */
int sh_ssm_may_begin(sh_cloud *cloud, const char *command, sh_arena *arena, bool *go, sh_err *err);
/* MaxConcurrency or MaxErrors of a request: "5", or "10%" of `total`, which is at least `least`. */
int64_t sh_ssm_share(const json_t *request, const char *name, int64_t fallback, int64_t total, int64_t least);
/* An end that no report brings: lost, not delivered, cancelled before it began. `message` is its standard
 * error. In a transaction or one of its own. Nothing happens to a row that has ended. */
int sh_ssm_end(sh_cloud *cloud, const char *command, const char *instance, const char *status,
               const char *details, int code, const char *message, sh_err *err);

/* ---- ssm_watch.c gives ---- */

/* One round over the open rows; the wall clock at which another one is due, INT64_MAX: none is. */
int64_t sh_nodes_look(sh_cloud *cloud);

#endif
