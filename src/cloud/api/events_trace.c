/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loops. A rule whose target makes an event that the rule matches again would go on for ever. So an event
 * carries a trace of what it came from (outbox.h), in the form in which AWS traces invocations:
 *
 *   Root=1-67891233-abcdef012345678912345678;Sampled=0;Lineage=1a2b3c4d:3|5e6f7a8b:1
 *
 * Lineage counts the rounds through each rule, by eight hex digits of the digest of its ARN. Members and
 * counts of others are carried on as they are. */
#include "cloud/api/events.h"
#include "cloud/api/keys.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_MAX 256

static void short_digest(const char *what, char out[9])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_Digest(what, strlen(what), digest, NULL, EVP_sha256(), NULL);
    snprintf(out, 9, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
}

/* The count behind "DIGEST:" in the Lineage, and its place; 0: it is not there. */
static int count_of(const char *trace, const char *digest, const char **at, const char **end)
{
    const char *lineage = strstr(trace, "Lineage=");
    size_t length = lineage ? strcspn(lineage, ";") : 0;
    const char *found = lineage ? strstr(lineage, digest) : NULL;
    *at = *end = NULL;
    if (!found || found >= lineage + length || found[8] != ':')
        return 0;
    *at = found + 9;
    *end = *at + strspn(*at, "0123456789");
    long count = strtol(*at, NULL, 10);
    return count > 0 && count < 1000000 ? (int)count : 0;
}

static const char *new_root(sh_arena *arena, const char *digest)
{
    char id[SH_UUID_TEXT];
    sh_uuid(id);
    return sh_arena_printf(arena, "Root=1-%.8s-%.4s%.4s%.4s%.12s;Sampled=0;Lineage=%s:1", id, id + 9, id + 14,
                           id + 19, id + 24, digest);
}

static const char *add_round(sh_arena *arena, const char *trace, const char *digest)
{
    const char *at, *end, *lineage = strstr(trace, "Lineage=");
    int count = count_of(trace, digest, &at, &end);
    if (at)
        return sh_arena_printf(arena, "%.*s%d%s", (int)(at - trace), trace, count + 1, end);
    if (!lineage)
        return sh_arena_printf(arena, "%s;Lineage=%s:1", trace, digest);
    size_t head = (size_t)(lineage - trace) + strcspn(lineage, ";");
    return sh_arena_printf(arena, "%.*s|%s:1%s", (int)head, trace, digest, trace + head);
}

const char *sh_trace_round(sh_arena *arena, const char *trace, const char *what)
{
    char digest[9];
    const char *at, *end, *made;
    short_digest(what, digest);
    if (!trace || !*trace)
        return new_root(arena, digest);
    int count = count_of(trace, digest, &at, &end);
    if (count >= SH_EVENTS_ROUNDS)
        return NULL;
    made = add_round(arena, trace, digest);
    if (made && strlen(made) > TRACE_MAX) /* of so many rules, this one counts on */
        made = sh_arena_printf(arena, "Root=1-00000000-000000000000000000000000;Lineage=%s:%d", digest,
                               count + 1);
    return made ? made : "";
}

/* ---- who wants events of executions ---- */

typedef struct wanting {
    const json_t *event; /* has a source and nothing else */
    bool wanted;
} wanting;

static int take_rule(void *opaque, const sh_rule *rule)
{
    wanting *w = opaque;
    json_t *pattern = NULL, *source, *only;
    if (!rule->enabled || !*rule->pattern || sh_pattern_load(&pattern, rule->pattern, NULL) < 0)
        return 0;
    source = json_object_get(pattern, "source");
    only = source ? json_pack("{s:O}", "source", source) : NULL;
    w->wanted |= !only || sh_pattern_match(only, w->event);
    json_decref(only);
    json_decref(pattern);
    return w->wanted;
}

bool sh_events_states_wanted(sh_cloud *cloud)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    uint64_t generation = sh_rules_generation();
    pthread_mutex_lock(&mutex);
    bool known = cloud->rules_looked == generation, wanted = cloud->states_wanted;
    pthread_mutex_unlock(&mutex);
    if (known)
        return wanted;
    json_t *event = json_pack("{s:s}", "source", "aws.states");
    wanting w = {event, false};
    bool sure = event && sh_rule_list(cloud->db, "", true, "", INT64_MAX, take_rule, &w, NULL) == 0;
    json_decref(event);
    if (!sure)
        return true;
    pthread_mutex_lock(&mutex);
    cloud->rules_looked = generation;
    cloud->states_wanted = w.wanted;
    pthread_mutex_unlock(&mutex);
    return w.wanted;
}
