/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_NODES_H
#define SH_STORE_NODES_H
/* Nodes (managed instances), the activations they register with, their tags, and what was handed to them.
 *
 * A command is handed to a node in three steps, so that it begins at most once: a row in `deliveries` is on
 * disk before the node is told; the node's next list that names it makes it `listed`; from then on a list
 * without it means that it is lost. Not yet listed and not in the list: the node never got it, and it may be
 * handed again, but only to the machine it was handed to.
 *
 * Strings that functions give live in the arena, or until the row function returns. */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

/* ---- activations ---- */

typedef struct sh_activation {
    const char *id;          /* UUID */
    const char *secret;      /* of the code: hex SHA-256; the code itself is nowhere */
    const char *role;        /* name of the IAM role of the nodes */
    const char *name;        /* DefaultInstanceName, "" */
    const char *description; /* "" */
    const char *tags;        /* JSON object {"key": "value"}, "{}" */
    int64_t limit, count;    /* RegistrationLimit, RegistrationsCount */
    int64_t created_ms, expires_ms;
} sh_activation;

typedef int (*sh_activation_fn)(void *opaque, const sh_activation *row);
int sh_activation_insert(sh_db *db, const sh_activation *row, sh_err *err);
int sh_activation_get(sh_db *db, sh_arena *arena, const char *id, sh_activation *out, sh_err *err);
/* Latest first; fn may not write. */
int sh_activation_each(sh_db *db, sh_activation_fn fn, void *opaque, sh_err *err);
/* One more node registered with it. SH_E_LIMIT: it is used up. */
int sh_activation_use(sh_db *db, const char *id, sh_err *err);
/* SH_E_NOT_FOUND. Nodes that it made stay. */
int sh_activation_delete(sh_db *db, const char *id, sh_err *err);

/* ---- nodes ---- */

typedef struct sh_node_row {
    const char *id;         /* "i-…" of the built-in node, "mi-…" of others */
    const char *activation; /* "" of the built-in node */
    const char *role;       /* name of the IAM role; "" of the built-in node: that of its instance profile */
    const char *name;       /* "" */
    const char *key;        /* Ed25519 public key, base64 */
    const char *host, *address;
    const char *platform, *platform_version, *arch; /* "Debian GNU/Linux", "12", "x86_64" */
    const char *agent_version;
    const char *machine, *session; /* of the agent that polled last; "" before it did */
    const char *trouble;           /* the last refusal, in words; "" */
    int64_t registered_ms;
    int64_t seen_ms; /* last sign of life; 0: none. Written every some seconds */
    int64_t workers; /* commands at once */
    int64_t busy, cores, load_milli, free_disk, skew_ms; /* as the agent said last; load * 1000 */
    int64_t trouble_ms, refused; /* refusals of requests signed by (or claiming to be) this node */
    bool open_network;           /* its commands may reach more than the server */
} sh_node_row;

#define SH_NODE_SILENT_MS 60000 /* Online until it was not heard of for so long; then ConnectionLost */
bool sh_node_online(const sh_node_row *row, int64_t now_ms);

typedef int (*sh_node_fn)(void *opaque, const sh_node_row *row);
/* Inserts, or replaces all but its tags. */
int sh_node_put(sh_db *db, const sh_node_row *row, sh_err *err);
int sh_node_get(sh_db *db, sh_arena *arena, const char *id, sh_node_row *out, sh_err *err);
/* By the activation and key it registered with. */
int sh_node_find_key(sh_db *db, sh_arena *arena, const char *activation, const char *key, sh_node_row *out,
                     sh_err *err);
int sh_node_each(sh_db *db, sh_node_fn fn, void *opaque, sh_err *err); /* by id; fn may not write */
/* What a poll says: session, machine, host, platform, versions, gauges, seen_ms. */
int sh_node_seen(sh_db *db, const sh_node_row *row, sh_err *err);
int sh_node_trouble(sh_db *db, const char *id, int64_t now_ms, const char *words, sh_err *err);
int sh_node_set_role(sh_db *db, const char *id, const char *role, sh_err *err); /* SH_E_NOT_FOUND */
/* Deregisters: its row and tags go. SH_E_NOT_FOUND. What it had to do is settled by the scheduler. */
int sh_node_delete(sh_db *db, const char *id, sh_err *err);

/* ---- tags of nodes ---- */

typedef int (*sh_node_tag_fn)(void *opaque, const char *node, const char *key, const char *value);
int sh_node_tag_set(sh_db *db, const char *node, const char *key, const char *value, sh_err *err);
int sh_node_tag_remove(sh_db *db, const char *node, const char *key, sh_err *err); /* none: fine */
int sh_node_tag_count(sh_db *db, const char *node, int64_t *count, sh_err *err);
/* node NULL: of all; key NULL: all. By node, then key. */
int sh_node_tag_each(sh_db *db, const char *node, const char *key, sh_node_tag_fn fn, void *opaque,
                     sh_err *err);

/* ---- deliveries ---- */

typedef struct sh_handout {
    const char *command, *node;
    const char *session, *machine; /* that it was handed to */
    int64_t handed_ms;
    bool listed;
} sh_handout;

typedef int (*sh_handout_fn)(void *opaque, const sh_handout *row);
int sh_handout_put(sh_db *db, const sh_handout *row, sh_err *err); /* inserts or replaces */
int sh_handout_get(sh_db *db, sh_arena *arena, const char *command, const char *node, sh_handout *out,
                   sh_err *err);
int sh_handout_listed(sh_db *db, const char *command, const char *node, sh_err *err);
/* Once the row of the command is terminal. */
int sh_handout_delete(sh_db *db, const char *command, const char *node, sh_err *err);
int sh_handout_each(sh_db *db, const char *node, sh_handout_fn fn, void *opaque, sh_err *err);

#endif
