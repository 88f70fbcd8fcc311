/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_RELAY_H
#define SH_JOBS_RELAY_H
/* A way for the connections of a command to the server, and to nothing else: what is accepted from a listener
 * is passed on, byte by byte, to the address "server" of the node's identity.json. That file is read anew for
 * each connection, since the address may have changed, and a server that does not answer is tried again for
 * half a minute. A command speaks plain HTTP; to an address with https: the relay speaks TLS to it, and only
 * to the holder of the key whose SHA-256 is "pin" (base64url; "": whom the machine's authorities certify).
 *
 * The relay is a process of its own, made before its owner goes into a network of its own (netns.h). */
#include "base/err.h"
#include "cloud/jobs/child.h"

/* Starts the relay, which dies with the calling thread. */
int sh_relay_start(sh_child *out, const char *identity, int *channel, sh_err *err);
/* Gives it the socket to accept from; closes both. */
int sh_relay_listen(int channel, int listener, sh_err *err);

/* Splits "http://127.0.0.1:9000" or "https://[::1]:9443/"; the port may be left out. */
typedef struct sh_server_address {
    int tls;
    char host[256], port[8];
} sh_server_address;
int sh_server_address_read(sh_server_address *out, const char *url, sh_err *err);

#endif
