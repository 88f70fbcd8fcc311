/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/nodes.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_nodes[] =
    "CREATE TABLE IF NOT EXISTS activations ("
    " id TEXT PRIMARY KEY, secret TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,"
    " description TEXT NOT NULL, tags TEXT NOT NULL, most INTEGER NOT NULL, used INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS nodes ("
    " id TEXT PRIMARY KEY, activation TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,"
    " key TEXT NOT NULL, host TEXT NOT NULL, address TEXT NOT NULL, platform TEXT NOT NULL,"
    " platform_version TEXT NOT NULL, arch TEXT NOT NULL, agent_version TEXT NOT NULL,"
    " machine TEXT NOT NULL, session TEXT NOT NULL, trouble TEXT NOT NULL,"
    " registered_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, workers INTEGER NOT NULL,"
    " busy INTEGER NOT NULL, cores INTEGER NOT NULL, load_milli INTEGER NOT NULL,"
    " free_disk INTEGER NOT NULL, skew_ms INTEGER NOT NULL, trouble_ms INTEGER NOT NULL,"
    " refused INTEGER NOT NULL, open_network INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS nodes_key ON nodes (activation, key);"
    "CREATE TABLE IF NOT EXISTS node_tags ("
    " node TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (node, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS handed_commands ("
    " node TEXT NOT NULL, command TEXT NOT NULL, session TEXT NOT NULL, machine TEXT NOT NULL,"
    " handed_ms INTEGER NOT NULL, listed INTEGER NOT NULL, PRIMARY KEY (node, command)) WITHOUT ROWID;";

/* ---- activations ---- */

#define ACTIVATION "id, secret, role, name, description, tags, most, used, created_ms, expires_ms"

static sh_activation read_activation(sh_take *take, const sh_row *row)
{
    return (sh_activation){.id = sh_take_text(take, row, 0),
                           .secret = sh_take_text(take, row, 1),
                           .role = sh_take_text(take, row, 2),
                           .name = sh_take_text(take, row, 3),
                           .description = sh_take_text(take, row, 4),
                           .tags = sh_take_text(take, row, 5),
                           .limit = sh_row_int(row, 6),
                           .count = sh_row_int(row, 7),
                           .created_ms = sh_row_int(row, 8),
                           .expires_ms = sh_row_int(row, 9)};
}

typedef struct getting_activation {
    sh_take take;
    sh_activation *out;
} getting_activation;

static int take_activation(void *opaque, const sh_row *row)
{
    getting_activation *g = opaque;
    sh_activation a = read_activation(&g->take, row);
    if (!g->take.failed)
        *g->out = a;
    g->take.found = true;
    return 1;
}

int sh_activation_insert(sh_db *db, const sh_activation *row, sh_err *err)
{
    return sh_db_run(
        db, err, "INSERT INTO activations (" ACTIVATION ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        "ssssssiiii", row->id, row->secret, row->role, row->name, row->description, row->tags, row->limit,
        row->count, row->created_ms, row->expires_ms);
}

int sh_activation_get(sh_db *db, sh_arena *arena, const char *id, sh_activation *out, sh_err *err)
{
    getting_activation g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err, "SELECT " ACTIVATION " FROM activations WHERE id = ?1", take_activation,
                            &g, "s", id);
    return sh_take_end(&g.take, status, "an activation", err, "there is no activation %s", id);
}

typedef struct listing_activations {
    sh_activation_fn fn;
    void *opaque;
} listing_activations;

static int hand_activation(void *opaque, const sh_row *row)
{
    listing_activations *l = opaque;
    sh_take borrowed = {0};
    sh_activation a = read_activation(&borrowed, row);
    return l->fn(l->opaque, &a);
}

int sh_activation_each(sh_db *db, sh_activation_fn fn, void *opaque, sh_err *err)
{
    listing_activations l = {fn, opaque};
    return sh_db_each(db, err, "SELECT " ACTIVATION " FROM activations ORDER BY created_ms DESC, id",
                      hand_activation, &l, "");
}

int sh_activation_use(sh_db *db, const char *id, sh_err *err)
{
    int status =
        sh_db_run(db, err, "UPDATE activations SET used = used + 1 WHERE id = ?1 AND used < most", "s", id);
    if (status == 0 && sh_db_changes(db) == 0)
        return sh_fail(err, SH_E_LIMIT, "the activation %s is used up", id);
    return status;
}

static int changed(const sh_db *db, int status, const char *what, const char *id, sh_err *err)
{
    if (status == 0 && sh_db_changes(db) == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no %s %s", what, id);
    return status;
}

int sh_activation_delete(sh_db *db, const char *id, sh_err *err)
{
    return changed(db, sh_db_run(db, err, "DELETE FROM activations WHERE id = ?1", "s", id), "activation", id,
                   err);
}

/* ---- nodes ---- */

#define NODE                                                                                                 \
    "id, activation, role, name, key, host, address, platform, platform_version, arch, agent_version,"       \
    " machine, session, trouble, registered_ms, seen_ms, workers, busy, cores, load_milli, free_disk,"       \
    " skew_ms, trouble_ms, refused, open_network"

bool sh_node_online(const sh_node_row *row, int64_t now_ms)
{
    return row->seen_ms > 0 && now_ms - row->seen_ms < SH_NODE_SILENT_MS;
}

static sh_node_row read_node(sh_take *take, const sh_row *row)
{
    return (sh_node_row){.id = sh_take_text(take, row, 0),
                         .activation = sh_take_text(take, row, 1),
                         .role = sh_take_text(take, row, 2),
                         .name = sh_take_text(take, row, 3),
                         .key = sh_take_text(take, row, 4),
                         .host = sh_take_text(take, row, 5),
                         .address = sh_take_text(take, row, 6),
                         .platform = sh_take_text(take, row, 7),
                         .platform_version = sh_take_text(take, row, 8),
                         .arch = sh_take_text(take, row, 9),
                         .agent_version = sh_take_text(take, row, 10),
                         .machine = sh_take_text(take, row, 11),
                         .session = sh_take_text(take, row, 12),
                         .trouble = sh_take_text(take, row, 13),
                         .registered_ms = sh_row_int(row, 14),
                         .seen_ms = sh_row_int(row, 15),
                         .workers = sh_row_int(row, 16),
                         .busy = sh_row_int(row, 17),
                         .cores = sh_row_int(row, 18),
                         .load_milli = sh_row_int(row, 19),
                         .free_disk = sh_row_int(row, 20),
                         .skew_ms = sh_row_int(row, 21),
                         .trouble_ms = sh_row_int(row, 22),
                         .refused = sh_row_int(row, 23),
                         .open_network = sh_row_int(row, 24) != 0};
}

typedef struct getting_node {
    sh_take take;
    sh_node_row *out;
} getting_node;

static int take_node(void *opaque, const sh_row *row)
{
    getting_node *g = opaque;
    sh_node_row n = read_node(&g->take, row);
    if (!g->take.failed)
        *g->out = n;
    g->take.found = true;
    return 1;
}

int sh_node_put(sh_db *db, const sh_node_row *row, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT OR REPLACE INTO nodes (" NODE
                     ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
                     " ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
                     "ssssssssssssssiiiiiiiiiii", row->id, row->activation, row->role, row->name, row->key,
                     row->host, row->address, row->platform, row->platform_version, row->arch,
                     row->agent_version, row->machine, row->session, row->trouble, row->registered_ms,
                     row->seen_ms, row->workers, row->busy, row->cores, row->load_milli, row->free_disk,
                     row->skew_ms, row->trouble_ms, row->refused, (int64_t)row->open_network);
}

int sh_node_get(sh_db *db, sh_arena *arena, const char *id, sh_node_row *out, sh_err *err)
{
    getting_node g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err, "SELECT " NODE " FROM nodes WHERE id = ?1", take_node, &g, "s", id);
    return sh_take_end(&g.take, status, "a node", err, "there is no node %s", id);
}

int sh_node_find_key(sh_db *db, sh_arena *arena, const char *activation, const char *key, sh_node_row *out,
                     sh_err *err)
{
    getting_node g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err, "SELECT " NODE " FROM nodes WHERE activation = ?1 AND key = ?2",
                            take_node, &g, "ss", activation, key);
    return sh_take_end(&g.take, status, "a node", err, "no node of activation %s has this key", activation);
}

typedef struct listing_nodes {
    sh_node_fn fn;
    void *opaque;
} listing_nodes;

static int hand_node(void *opaque, const sh_row *row)
{
    listing_nodes *l = opaque;
    sh_take borrowed = {0};
    sh_node_row n = read_node(&borrowed, row);
    return l->fn(l->opaque, &n);
}

int sh_node_each(sh_db *db, sh_node_fn fn, void *opaque, sh_err *err)
{
    listing_nodes l = {fn, opaque};
    return sh_db_each(db, err, "SELECT " NODE " FROM nodes ORDER BY id", hand_node, &l, "");
}

int sh_node_seen(sh_db *db, const sh_node_row *row, sh_err *err)
{
    int status = sh_db_run(
        db, err,
        "UPDATE nodes SET host = ?2, address = ?3, platform = ?4, platform_version = ?5, arch = ?6,"
        " agent_version = ?7, machine = ?8, session = ?9, seen_ms = ?10, workers = ?11, busy = ?12,"
        " cores = ?13, load_milli = ?14, free_disk = ?15, skew_ms = ?16, open_network = ?17 WHERE id = ?1",
        "sssssssssiiiiiiii", row->id, row->host, row->address, row->platform, row->platform_version,
        row->arch, row->agent_version, row->machine, row->session, row->seen_ms, row->workers, row->busy,
        row->cores, row->load_milli, row->free_disk, row->skew_ms, (int64_t)row->open_network);
    return changed(db, status, "node", row->id, err);
}

int sh_node_trouble(sh_db *db, const char *id, int64_t now_ms, const char *words, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE nodes SET trouble = ?2, trouble_ms = ?3, refused = refused + 1 WHERE id = ?1",
                     "ssi", id, words, now_ms);
}

int sh_node_set_role(sh_db *db, const char *id, const char *role, sh_err *err)
{
    return changed(db, sh_db_run(db, err, "UPDATE nodes SET role = ?2 WHERE id = ?1", "ss", id, role), "node",
                   id, err);
}

int sh_node_delete(sh_db *db, const char *id, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_db_run(db, err, "DELETE FROM node_tags WHERE node = ?1", "s", id);
    if (status == 0)
        status = changed(db, sh_db_run(db, err, "DELETE FROM nodes WHERE id = ?1", "s", id), "node", id, err);
    return sh_db_end(db, status, err);
}

/* ---- tags ---- */

int sh_node_tag_set(sh_db *db, const char *node, const char *key, const char *value, sh_err *err)
{
    return sh_db_run(db, err, "INSERT OR REPLACE INTO node_tags (node, key, value) VALUES (?1, ?2, ?3)",
                     "sss", node, key, value);
}

int sh_node_tag_remove(sh_db *db, const char *node, const char *key, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM node_tags WHERE node = ?1 AND key = ?2", "ss", node, key);
}

int sh_node_tag_count(sh_db *db, const char *node, int64_t *count, sh_err *err)
{
    return sh_db_each(db, err, "SELECT count(*) FROM node_tags WHERE node = ?1", sh_take_number, count, "s",
                      node);
}

typedef struct listing_tags {
    sh_node_tag_fn fn;
    void *opaque;
} listing_tags;

static int hand_tag(void *opaque, const sh_row *row)
{
    listing_tags *l = opaque;
    return l->fn(l->opaque, sh_row_text(row, 0), sh_row_text(row, 1), sh_row_text(row, 2));
}

int sh_node_tag_each(sh_db *db, const char *node, const char *key, sh_node_tag_fn fn, void *opaque,
                     sh_err *err)
{
    listing_tags l = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT node, key, value FROM node_tags WHERE (?1 IS NULL OR node = ?1)"
                      " AND (?2 IS NULL OR key = ?2) ORDER BY node, key",
                      hand_tag, &l, "ss", node, key);
}

/* ---- deliveries ---- */

#define DELIVERY "command, node, session, machine, handed_ms, listed"

static sh_handout read_delivery(sh_take *take, const sh_row *row)
{
    return (sh_handout){.command = sh_take_text(take, row, 0),
                        .node = sh_take_text(take, row, 1),
                        .session = sh_take_text(take, row, 2),
                        .machine = sh_take_text(take, row, 3),
                        .handed_ms = sh_row_int(row, 4),
                        .listed = sh_row_int(row, 5) != 0};
}

typedef struct getting_delivery {
    sh_take take;
    sh_handout *out;
} getting_delivery;

static int take_delivery(void *opaque, const sh_row *row)
{
    getting_delivery *g = opaque;
    sh_handout d = read_delivery(&g->take, row);
    if (!g->take.failed)
        *g->out = d;
    g->take.found = true;
    return 1;
}

int sh_handout_put(sh_db *db, const sh_handout *row, sh_err *err)
{
    return sh_db_run(
        db, err, "INSERT OR REPLACE INTO handed_commands (" DELIVERY ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        "ssssii", row->command, row->node, row->session, row->machine, row->handed_ms, (int64_t)row->listed);
}

int sh_handout_get(sh_db *db, sh_arena *arena, const char *command, const char *node, sh_handout *out,
                   sh_err *err)
{
    getting_delivery g = {.take = {.arena = arena}, .out = out};
    int status =
        sh_db_each(db, err, "SELECT " DELIVERY " FROM handed_commands WHERE node = ?1 AND command = ?2",
                   take_delivery, &g, "ss", node, command);
    return sh_take_end(&g.take, status, "a delivery", err, "command %s was not handed to %s", command, node);
}

int sh_handout_listed(sh_db *db, const char *command, const char *node, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE handed_commands SET listed = 1 WHERE node = ?1 AND command = ?2", "ss",
                     node, command);
}

int sh_handout_delete(sh_db *db, const char *command, const char *node, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM handed_commands WHERE node = ?1 AND command = ?2", "ss", node,
                     command);
}

typedef struct listing_deliveries {
    sh_handout_fn fn;
    void *opaque;
} listing_deliveries;

static int hand_delivery(void *opaque, const sh_row *row)
{
    listing_deliveries *l = opaque;
    sh_take borrowed = {0};
    sh_handout d = read_delivery(&borrowed, row);
    return l->fn(l->opaque, &d);
}

int sh_handout_each(sh_db *db, const char *node, sh_handout_fn fn, void *opaque, sh_err *err)
{
    listing_deliveries l = {fn, opaque};
    return sh_db_each(
        db, err, "SELECT " DELIVERY " FROM handed_commands WHERE ?1 IS NULL OR node = ?1 ORDER BY handed_ms",
        hand_delivery, &l, "s", node);
}
