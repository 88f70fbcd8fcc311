/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parsed configurations of buckets: a table of slots by a hash of the name, the last one read in each. An
 * entry is counted: the table holds it once, every request that uses it once more. It was read after its
 * number was taken, so while sh_buckets_generation is still that number it is what the database says. */
#include "cloud/api/s3_rules.h"
#include "cloud/api/s3.h"
#include "cloud/api/s3_config.h"
#include "cloud/api/s3_cors.h"
#include "cloud/api/s3_lifecycle.h"
#include "cloud/store/buckets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, TEXT_MAX = 64 << 20 };

typedef struct entry {
    sh_bucket_rules rules; /* first */
    sh_arena *arena;
    uint64_t generation;
    _Atomic int uses;
} entry;

struct sh_rules_cache {
    pthread_mutex_t mutex;
    entry *slots[SLOTS];
};

int sh_rules_open(sh_cloud *cloud, sh_err *err)
{
    struct sh_rules_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return sh_fail(err, SH_E_MEMORY, "no memory for the rules of buckets");
    pthread_mutex_init(&cache->mutex, NULL);
    cloud->rules = cache;
    return 0;
}

static void drop(entry *e)
{
    if (!e || atomic_fetch_sub(&e->uses, 1) != 1)
        return;
    sh_policy_free((sh_policy *)e->rules.policy);
    sh_cors_free((sh_cors *)e->rules.cors);
    sh_lifecycle_free((sh_lifecycle *)e->rules.lifecycle);
    sh_arena_free(e->arena);
    free(e);
}

void sh_rules_close(sh_cloud *cloud)
{
    struct sh_rules_cache *cache = cloud->rules;
    if (!cache)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        drop(cache->slots[i]);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
    cloud->rules = NULL;
}

void sh_bucket_rules_release(const sh_bucket_rules *rules)
{
    drop((entry *)rules);
}

/* ---- reading ---- */

static int take_text(void *opaque, const char *kind, const char *value, int64_t modified_ms)
{
    entry *e = opaque;
    sh_bucket_rules *r = &e->rules;
    const struct {
        const char *kind;
        const char **text;
    } rows[] = {
        {"policy", &r->policy_text},
        {"acl", &r->acl},
        {"tagging", &r->tagging_text},
        {"lifecycle", &r->lifecycle_text},
        {"notification", &r->notification_text},
        {"encryption", &r->encryption_text},
        {"block", &r->block_text},
        {"ownership", &r->ownership_text},
        {"cors", &r->cors_text},
    };
    (void)modified_ms;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].kind, kind) == 0 && !(*rows[i].text = sh_arena_strdup(e->arena, value)))
            return SH_E_MEMORY;
    return 0;
}

static bool is_on(const sh_xml *root, const char *name)
{
    const char *text = sh_xml_text(root, name);
    return text && strcmp(text, "true") == 0;
}

static int parse_block(entry *e, sh_err *err)
{
    sh_xml *root;
    const char *text = e->rules.block_text;
    if (!text)
        return 0;
    int status = sh_xml_parse(text, strlen(text), e->arena, &root, err);
    if (status == 0)
        e->rules.block =
            (sh_public_block){is_on(root, "BlockPublicAcls"), is_on(root, "IgnorePublicAcls"),
                              is_on(root, "BlockPublicPolicy"), is_on(root, "RestrictPublicBuckets")};
    return status;
}

static sh_ownership ownership_of(const char *text)
{
    if (text && strstr(text, ">BucketOwnerEnforced<"))
        return SH_OWNERSHIP_ENFORCED;
    return text && strstr(text, ">BucketOwnerPreferred<") ? SH_OWNERSHIP_PREFERRED : SH_OWNERSHIP_WRITER;
}

static int parse_texts(entry *e, sh_err *err)
{
    sh_bucket_rules *r = &e->rules;
    int status = parse_block(e, err);
    r->ownership = ownership_of(r->ownership_text);
    if (status == 0 && r->policy_text)
        status = sh_s3_policy_load(r->policy_text, (sh_policy **)&r->policy, &r->policy_public, err);
    if (status == 0 && r->cors_text)
        status = sh_cors_parse((sh_cors **)&r->cors, r->cors_text, err);
    if (status == 0 && r->lifecycle_text)
        status = sh_lifecycle_parse((sh_lifecycle **)&r->lifecycle, r->lifecycle_text, err);
    return status < 0 ? sh_err_prefix(err, "the configuration of bucket %s", r->bucket.name) : 0;
}

static int load(sh_cloud *cloud, const char *bucket, entry **out, sh_err *err)
{
    sh_objects objects = sh_cloud_objects(cloud);
    entry *e = calloc(1, sizeof(*e));
    if (!e || !(e->arena = sh_arena_new(TEXT_MAX))) {
        free(e);
        return sh_fail(err, SH_E_MEMORY, "no memory for the rules of bucket %s", bucket);
    }
    e->uses = 1;
    e->generation = sh_buckets_generation();
    int status = sh_bucket_get(&objects, bucket, &e->rules.bucket, err);
    if (status == 0)
        status = sh_bucket_config_each(&objects, bucket, take_text, e, err);
    if (status == SH_E_MEMORY)
        sh_fail(err, status, "no memory for the rules of bucket %s", bucket);
    if (status == 0)
        status = parse_texts(e, err);
    if (status < 0)
        drop(e);
    else
        *out = e;
    return status;
}

static entry **slot_of(struct sh_rules_cache *cache, const char *bucket)
{
    uint32_t hash = 2166136261u;
    for (const char *c = bucket; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &cache->slots[hash % SLOTS];
}

static entry *find(struct sh_rules_cache *cache, const char *bucket)
{
    pthread_mutex_lock(&cache->mutex);
    entry *e = *slot_of(cache, bucket);
    if (e && (e->generation != sh_buckets_generation() || strcmp(e->rules.bucket.name, bucket) != 0))
        e = NULL;
    if (e)
        atomic_fetch_add(&e->uses, 1);
    pthread_mutex_unlock(&cache->mutex);
    return e;
}

static void remember(struct sh_rules_cache *cache, entry *e)
{
    pthread_mutex_lock(&cache->mutex);
    entry **slot = slot_of(cache, e->rules.bucket.name);
    entry *old = *slot;
    atomic_fetch_add(&e->uses, 1);
    *slot = e;
    pthread_mutex_unlock(&cache->mutex);
    drop(old);
}

int sh_bucket_rules_get(sh_cloud *cloud, const char *bucket, const sh_bucket_rules **out, sh_err *err)
{
    entry *e = find(cloud->rules, bucket);
    if (!e) {
        int status = load(cloud, bucket, &e, err);
        if (status < 0)
            return status;
        remember(cloud->rules, e);
    }
    *out = &e->rules;
    return 0;
}

/* ---- of a request ---- */

int sh_s3_rules(sh_s3 *s3, const sh_bucket_rules **out, sh_err *err)
{
    int status = s3->rules ? 0 : sh_bucket_rules_get(s3->cloud, s3->bucket, &s3->rules, err);
    if (status == 0)
        *out = s3->rules;
    return status;
}

const sh_bucket_rules *sh_s3_need_rules(sh_s3 *s3)
{
    const sh_bucket_rules *rules = NULL;
    sh_err err = {0};
    if (sh_s3_rules(s3, &rules, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return NULL;
    }
    return rules;
}
