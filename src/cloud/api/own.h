/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_OWN_H
#define SH_API_OWN_H
/* The server's own addresses, under /_spyhop/, which no bucket can be called:
 *
 *     GET /_spyhop/healthz            anybody: what is wrong, 503 if anything is
 *     GET /_spyhop/metrics            from this machine, or with the token in DATA/metrics-token
 *     GET /_spyhop/share/TOKEN/NAME   whoever has the address (share.h)
 *     GET /_spyhop/credentials        a command of a node, with its token: keys of the node's role
 *     POST /_spyhop/agent/VERB        agents of nodes (agent.h), signed with their key
 *     GET, POST /_spyhop/shares, DELETE /_spyhop/shares/ID    signed, service "spyhop"
 *
 * Everything else goes on to the handler behind it. In virtual-host style the path is a key, so a host that
 * names a bucket is left alone. */
#include "cloud/api/cloud.h"
#include "cloud/api/watch.h"
#include "cloud/http/server.h"

typedef struct sh_own sh_own;

/* behind: of front.h. watch is borrowed. Reads or makes DATA/metrics-token. */
int sh_own_new(sh_own **out, sh_cloud *cloud, const sh_http_handler *behind, sh_watch *watch, sh_err *err);
void sh_own_free(sh_own *own); /* NULL is fine; after the servers have stopped */
sh_http_handler sh_own_handler(sh_own *own);
/* From now on every request that begins is refused with 503, and its connection closed. */
void sh_own_stop(sh_own *own);

#endif
