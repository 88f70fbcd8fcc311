/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small table of parsed definitions, least recently used out first. An entry in use is never dropped: with
 * all in use (nesting deeper than the table, which transactions do not allow) the next one is refused. */
#include "cloud/api/states.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 64

typedef struct entry {
    int64_t revision_row; /* 0: free */
    sh_definition definition;
    sh_flow *flow;
    sh_arena *strings;
    uint64_t used; /* when, by count */
    int users;
} entry;

struct sh_flow_cache {
    entry entries[ENTRIES];
    uint64_t count;
    struct sh_run *active;
};

int sh_flow_cache_new(struct sh_flow_cache **out, sh_err *err)
{
    struct sh_flow_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return sh_fail(err, SH_E_MEMORY, "no memory for the table of definitions");
    *out = cache;
    return 0;
}

static void clear(entry *e)
{
    sh_flow_free(e->flow);
    sh_arena_free(e->strings);
    *e = (entry){0};
}

void sh_flow_cache_free(struct sh_flow_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < ENTRIES; i++)
        clear(&cache->entries[i]);
    free(cache);
}

struct sh_run **sh_flow_cache_active(sh_cloud *cloud)
{
    return &cloud->flows->active;
}

static entry *find(struct sh_flow_cache *cache, int64_t revision_row)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (cache->entries[i].revision_row == revision_row)
            return &cache->entries[i];
    }
    return NULL;
}

static entry *oldest(struct sh_flow_cache *cache)
{
    entry *found = NULL;
    for (size_t i = 0; i < ENTRIES; i++) {
        entry *e = &cache->entries[i];
        if (e->users == 0 && (!found || e->used < found->used))
            found = e;
    }
    return found;
}

/* Fills an empty entry. */
static int fill(entry *e, const sh_machine *machine, sh_err *err)
{
    int status = sh_flow_parse(&e->flow, machine->definition, strlen(machine->definition), NULL, err);
    if (status < 0)
        return status;
    e->strings = sh_arena_new(65536);
    if (e->strings) {
        e->definition = (sh_definition){
            .flow = e->flow,
            .role_arn = sh_arena_strdup(e->strings, machine->role_arn),
            .machine_arn = sh_arena_strdup(e->strings, machine->arn),
            .machine_name = sh_arena_strdup(e->strings, machine->name),
        };
    }
    if (!e->definition.role_arn || !e->definition.machine_arn || !e->definition.machine_name)
        return sh_fail(err, SH_E_MEMORY, "no memory for a definition");
    return sh_logging_read(&e->definition.logging, machine->logging, e->strings, err);
}

static int load(sh_cloud *cloud, int64_t revision_row, entry *e, sh_err *err)
{
    sh_machine machine;
    sh_arena *arena = sh_arena_new(4 * SH_FLOW_DEFINITION_MAX);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a definition");
    int status = sh_revision_get(cloud->db, arena, revision_row, &machine, err);
    if (status == 0)
        status = fill(e, &machine, err);
    sh_arena_free(arena);
    return status;
}

int sh_flow_cache_get(sh_cloud *cloud, int64_t revision_row, const sh_definition **out, sh_err *err)
{
    struct sh_flow_cache *cache = cloud->flows;
    entry *e = find(cache, revision_row);
    if (!e) {
        entry made = {.revision_row = revision_row};
        e = oldest(cache);
        if (!e)
            return sh_fail(err, SH_E_LIMIT, "more than %d definitions are in use at once", ENTRIES);
        int status = load(cloud, revision_row, &made, err);
        if (status < 0) {
            clear(&made);
            return status;
        }
        clear(e);
        *e = made;
    }
    e->used = ++cache->count;
    e->users++;
    *out = &e->definition;
    return 0;
}

void sh_flow_cache_put(sh_cloud *cloud, const sh_definition *definition)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (&cloud->flows->entries[i].definition == definition)
            cloud->flows->entries[i].users--;
    }
}
