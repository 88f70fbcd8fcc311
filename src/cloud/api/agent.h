/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_AGENT_H
#define SH_API_AGENT_H
/* The server's side of its nodes (docs/agent.md), and what the other services need of it.
 *
 *   agent.c           the verbs below /_spyhop/agent/: who asks, what is answered
 *   agent_sign.c      signatures, clocks, nonces
 *   agent_register.c  activations are used up here
 *   agent_poll.c      one transaction: what the node has is compared with the rows, what it may begin is
 * handed out agent_report.c    results agent_token.c     tokens of commands, keys for them
 *   agent_live.c      whose polls come, and nonces: what only a running server knows
 *   agent_output.c, agent_deliver.c  whole outputs, on their way to buckets and log groups
 *   agent_metrics.c   nodes for Prometheus
 *   agent_own.c       the built-in node: its row, its files, its process
 *   ssm_watch.c       what nobody asks for: time-outs, nodes that are gone, forgetting */
#include "base/buf.h"
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"
#include "cloud/store/nodes.h"

struct sh_http_request;

#define SH_AGENT_ROOT "/_spyhop/agent/"
#define SH_AGENT_BODY_MAX (4 << 20)
#define SH_AGENT_POLL_MS 25000

/* ---- for SSM ---- */

/* The code of a new activation in `code`, and what the row keeps of it in `secret`. */
#define SH_ACTIVATION_CODE 80
#define SH_ACTIVATION_SECRET 65
int sh_activation_code(const sh_cloud *cloud, char code[SH_ACTIVATION_CODE],
                       char secret[SH_ACTIVATION_SECRET], sh_err *err);

/* There may be something new for a node: rows were inserted, a row became Cancelling. Call it with the rows
 * committed or from inside the transaction, as sh_cloud_wake. node NULL: all of them. */
void sh_agent_wake(sh_cloud *cloud, const char *node);

/* The session of the node's role (strings in the arena): of the built-in node that of its instance profile,
 * which trusts ec2.amazonaws.com; of others that of the activation, which trusts ssm.amazonaws.com.
 * SH_E_DENIED: there is none that it may take on, err says why. SH_E_NOT_FOUND: no such node. */
int sh_agent_session(sh_cloud *cloud, const char *node, sh_arena *arena, sh_caller *out, sh_err *err);

/* ---- for the server ---- */

struct sh_agents *sh_agents_new(const sh_clock *clock); /* NULL: no memory */
void sh_agents_free(struct sh_agents *agents);

void sh_agent_begin(sh_cloud *cloud, struct sh_http_request *http);
void sh_agent_finish(sh_cloud *cloud, struct sh_http_request *http);
void sh_agent_end(sh_cloud *cloud, struct sh_http_request *http);
void sh_agent_credentials(sh_cloud *cloud, struct sh_http_request *http);

int sh_agent_metrics(sh_cloud *cloud, sh_buf *out, sh_err *err);
/* The row and the key of the built-in node. */
int sh_agent_own_prepare(sh_cloud *cloud, sh_err *err);
/* A runner: the process of the built-in node, started again when it ends. */
int sh_agent_own_run(sh_cloud *cloud);

#endif
