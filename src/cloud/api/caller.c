/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an access key, or the ARN of a role, to who calls. */
#include "cloud/api/caller.h"
#include "base/log.h"
#include "cloud/api/iam_cache.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define USED_EVERY_MS 60000

/* ---- by key ---- */

static int load_user_key(sh_cloud *cloud, sh_iam_kept *thing, const void *access_key, sh_err *err)
{
    sh_iam_key key;
    sh_iam_entity user;
    int64_t row = 0;
    int status = sh_iam_key_get(cloud->db, thing->arena, access_key, &key, err);
    if (status == 0 && !key.active)
        return sh_fail(err, SH_E_NOT_FOUND, "the access key is inactive");
    if (status == 0)
        status = sh_iam_get_row(cloud->db, thing->arena, row = key.user, &user, err);
    if (status < 0)
        return status;
    char *secret = sh_arena_alloc(thing->arena, key.sealed_length + 1);
    if (!secret)
        return sh_fail(err, SH_E_MEMORY, "no memory for an access key");
    if ((status = sh_iam_unseal(cloud, access_key, key.sealed, key.sealed_length, (unsigned char *)secret,
                                err)) < 0)
        return status;
    thing->secret = secret;
    thing->caller = (sh_caller){.arn = sh_iam_entity_arn(cloud, thing->arena, &user),
                                .account = cloud->settings.account,
                                .id = user.id,
                                .access_key = key.id};
    atomic_init(&thing->used_ms, key.used_ms);
    return 0;
}

typedef struct claim {
    const char *access_key, *token;
} claim;

/* A session is over when its user or role is gone. */
static int check_owner(sh_cloud *cloud, sh_arena *arena, const sh_session *session, sh_err *err)
{
    sh_iam_entity e;
    char id[64];
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(session->id, ":"), session->id);
    return strcmp(id, cloud->settings.account) == 0 ? 0 : sh_iam_get_id(cloud->db, arena, id, &e, err);
}

static int load_session_key(sh_cloud *cloud, sh_iam_kept *thing, const void *about, sh_err *err)
{
    const claim *c = about;
    sh_session session;
    int status = sh_session_read(cloud, c->access_key, c->token, thing->arena, &session, &thing->secret, err);
    if (status == 0)
        status = check_owner(cloud, thing->arena, &session, err);
    if (status < 0)
        return status;
    thing->token = sh_arena_strdup(thing->arena, c->token);
    thing->expires_ms = session.expires_ms;
    thing->caller = (sh_caller){.arn = session.arn,
                                .role_arn = session.role_arn,
                                .account = cloud->settings.account,
                                .id = session.id,
                                .access_key = sh_arena_strdup(thing->arena, c->access_key),
                                .root = strcmp(session.id, cloud->settings.account) == 0,
                                .session_policy = session.more,
                                .session_ms = session.begun_ms};
    return thing->token && thing->caller.access_key ? 0
                                                    : sh_fail(err, SH_E_MEMORY, "no memory for a session");
}

static const char *copy(sh_arena *arena, const char *text, bool *failed)
{
    const char *to = text ? sh_arena_strdup(arena, text) : NULL;
    *failed |= text && !to;
    return to;
}

static sh_key_state give_caller(const sh_iam_kept *thing, sh_arena *arena, sh_caller *out,
                                const char **secret, sh_err *err)
{
    bool failed = false;
    const sh_caller *from = &thing->caller;
    sh_caller caller = *from;
    caller.arn = copy(arena, from->arn, &failed);
    caller.role_arn = copy(arena, from->role_arn, &failed);
    caller.id = copy(arena, from->id, &failed);
    caller.access_key = copy(arena, from->access_key, &failed);
    caller.session_policy = copy(arena, from->session_policy, &failed);
    const char *its_secret = copy(arena, thing->secret, &failed);
    if (failed) {
        sh_fail(err, SH_E_MEMORY, "no memory for a caller");
        return SH_KEY_FAILED;
    }
    *out = caller;
    *secret = its_secret;
    return SH_KEY_GOOD;
}

static bool same(const char *a, const char *b)
{
    size_t length = strlen(a);
    return strlen(b) == length && CRYPTO_memcmp(a, b, length) == 0;
}

static sh_key_state root_of(const sh_cloud *cloud, sh_arena *arena, const char *access_key, sh_caller *out,
                            sh_err *err)
{
    *out = (sh_caller){.arn = sh_arena_printf(arena, "arn:aws:iam::%s:root", cloud->settings.account),
                       .account = cloud->settings.account,
                       .id = cloud->settings.account,
                       .access_key = sh_arena_strdup(arena, access_key),
                       .root = true};
    if (out->arn && out->access_key)
        return SH_KEY_GOOD;
    sh_fail(err, SH_E_MEMORY, "no memory for a caller");
    return SH_KEY_FAILED;
}

/* The name under which a key is kept, "" when it is none of ours. */
static void key_name(char name[160], const char *access_key)
{
    size_t length = strspn(access_key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    name[0] = '\0';
    if (length >= 16 && length <= 128 && !access_key[length])
        snprintf(name, 160, "key %s", access_key);
}

static sh_key_state check_token(const sh_cloud *cloud, const sh_iam_kept *thing, const char *token)
{
    if (!same(thing->token, token))
        return SH_KEY_BAD_TOKEN;
    return sh_now_ms(cloud->clock) >= thing->expires_ms ? SH_KEY_EXPIRED : SH_KEY_GOOD;
}

sh_key_state sh_caller_by_key(const sh_cloud *const_cloud, const char *access_key, const char *token,
                              sh_arena *arena, sh_caller *out, const char **secret, sh_err *err)
{
    sh_cloud *cloud = (sh_cloud *)const_cloud;
    sh_iam_kept *thing = NULL;
    char name[160];
    claim c = {access_key, token};
    if (same(access_key, cloud->access_key)) {
        *secret = cloud->secret_key;
        return token ? SH_KEY_BAD_TOKEN : root_of(cloud, arena, access_key, out, err);
    }
    key_name(name, access_key);
    bool temporary = strncmp(access_key, "ASIA", 4) == 0;
    if (!name[0] || (temporary && !token))
        return SH_KEY_UNKNOWN;
    int status = sh_iam_hold(cloud, name, temporary ? load_session_key : load_user_key,
                             temporary ? (const void *)&c : access_key, &thing, err);
    if (status == SH_E_NOT_FOUND)
        return SH_KEY_UNKNOWN;
    if (status == SH_E_DENIED && temporary)
        return SH_KEY_BAD_TOKEN;
    if (status == SH_E_DENIED) {
        sh_log(SH_LOG_ERROR, "iam", "access key %s: %s", access_key, err->message);
        return SH_KEY_UNKNOWN;
    }
    if (status < 0)
        return SH_KEY_FAILED;
    sh_key_state state = temporary ? check_token(cloud, thing, token)
                         : token   ? SH_KEY_BAD_TOKEN
                                   : SH_KEY_GOOD;
    if (state == SH_KEY_GOOD)
        state = give_caller(thing, arena, out, secret, err);
    sh_iam_let_go(thing);
    return state;
}

/* ---- last used ---- */

static void write_used(sh_cloud *cloud, const sh_caller *caller, int64_t now, const char *service)
{
    sh_err err = {0};
    char id[64];
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(caller->id, ":"), caller->id);
    int status = sh_db_begin(cloud->db, &err);
    if (status == 0) {
        status = caller->role_arn ? sh_iam_role_used(cloud->db, id, now, &err)
                                  : sh_iam_key_used(cloud->db, caller->access_key, now, service, &err);
        status = sh_db_end_later(cloud->db, status, &err);
    }
    if (status < 0)
        sh_log(SH_LOG_WARNING, "iam", "cannot keep when a key was used: %s", err.message);
}

/* True once a minute. */
static bool is_time(sh_iam_kept *thing, int64_t now)
{
    int64_t before = atomic_load(&thing->used_ms);
    return (now - before >= USED_EVERY_MS || now < before) &&
           atomic_compare_exchange_strong(&thing->used_ms, &before, now);
}

static int load_nothing(sh_cloud *cloud, sh_iam_kept *thing, const void *about, sh_err *err)
{
    (void)cloud;
    (void)thing;
    (void)about;
    (void)err;
    return 0;
}

void sh_iam_used(sh_cloud *cloud, const sh_caller *caller, const char *service)
{
    sh_err ignored = {0};
    sh_iam_kept *thing;
    char name[160];
    if (!caller->id || caller->root || (!caller->role_arn && (caller->session_ms || !caller->access_key)))
        return;
    snprintf(name, sizeof(name), "used %.*s",
             caller->role_arn ? (int)strcspn(caller->id, ":") : (int)sizeof(name),
             caller->role_arn ? caller->id : caller->access_key);
    if (sh_iam_hold(cloud, name, load_nothing, NULL, &thing, &ignored) < 0)
        return;
    int64_t now = sh_now_ms(cloud->clock);
    if (is_time(thing, now))
        write_used(cloud, caller, now, service);
    sh_iam_let_go(thing);
}

/* ---- by role ---- */

static bool split_role_arn(const char *arn, const char **account, const char **name)
{
    if (strncmp(arn, "arn:aws:iam::", 13) != 0 || strspn(arn + 13, "0123456789") != 12 ||
        strncmp(arn + 25, ":role/", 6) != 0)
        return false;
    *account = arn + 13;
    *name = strrchr(arn, '/') + 1;
    return sh_iam_is_name(*name) && strlen(*name) <= 64;
}

static int load_role(sh_cloud *cloud, sh_iam_kept *thing, const void *about, sh_err *err)
{
    const char *arn = about, *account, *name;
    sh_iam_entity e;
    split_role_arn(arn, &account, &name);
    int status = sh_iam_get(cloud->db, thing->arena, SH_IAM_ROLE, name, &e, err);
    if (status == 0 && strcmp(sh_iam_entity_arn(cloud, thing->arena, &e), arn) != 0)
        status = SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no role %s", arn);
    if (status < 0)
        return status;
    thing->id = e.id;
    return sh_policy_parse(&thing->trust, SH_POLICY_TRUST, e.trust, strlen(e.trust), err);
}

static bool trusts(const sh_cloud *cloud, const sh_iam_kept *role, const sh_iam_taking *t)
{
    const char *account[] = {cloud->settings.account}, *source[] = {t->source_arn};
    sh_policy_key keys[] = {{"aws:SourceAccount", account, 1}, {"aws:SourceArn", source, 1}};
    sh_policy_request request = {.action = "sts:AssumeRole",
                                 .resource = t->role_arn,
                                 .caller = {.service = t->service},
                                 .keys = keys,
                                 .key_count = t->source_arn ? 2 : 1};
    return sh_policy_says(role->trust, &request, NULL) == SH_POLICY_ALLOW;
}

static void fit_session_name(char to[65], const char *name)
{
    size_t at = 0;
    for (; name && name[at] && at < 64; at++) {
        char one[2] = {name[at], '\0'};
        to[at] = (unsigned char)name[at] < 0x80 && sh_iam_is_name(one) ? name[at] : '-';
    }
    while (at < 2)
        to[at++] = '-';
    to[at] = '\0';
}

int sh_caller_by_role(sh_cloud *cloud, const sh_iam_taking *t, sh_arena *arena, sh_caller *out, sh_err *err)
{
    const char *account, *name;
    char session[65], cache_name[2100];
    sh_iam_kept *role = NULL;
    int status = 0;
    if (strlen(t->role_arn) > 2048 || !split_role_arn(t->role_arn, &account, &name))
        return sh_fail(err, SH_E_ARGUMENT, "'%.100s' is not the ARN of a role", t->role_arn);
    fit_session_name(session, t->session_name);
    bool own = strncmp(account, cloud->settings.account, 12) == 0;
    snprintf(cache_name, sizeof(cache_name), "role %s", t->role_arn);
    if (own && (status = sh_iam_hold(cloud, cache_name, load_role, t->role_arn, &role, err)) < 0)
        return status;
    if (own && !trusts(cloud, role, t))
        status = sh_fail(err, SH_E_DENIED, "%s does not trust %s", t->role_arn, t->service);
    sh_caller caller = {
        .arn = sh_arena_printf(arena, "arn:aws:sts::%.12s:assumed-role/%s/%s", account, name, session),
        .role_arn = sh_arena_strdup(arena, t->role_arn),
        .account = sh_arena_strndup(arena, account, 12),
        .id = sh_arena_printf(arena, "%s:%s", own ? role->id : "AROAFOREIGN", session),
        .service = sh_arena_strdup(arena, t->service),
        .session_ms = sh_now_ms(cloud->clock)};
    sh_iam_let_go(role);
    if (status < 0)
        return status;
    if (!caller.arn || !caller.role_arn || !caller.account || !caller.id || !caller.service)
        return sh_fail(err, SH_E_MEMORY, "no memory for a session");
    *out = caller;
    return 0;
}

int sh_iam_session_keys(sh_cloud *cloud, const sh_caller *caller, int64_t duration_s, sh_arena *arena,
                        sh_iam_keys *out, sh_err *err)
{
    int64_t now = sh_now_ms(cloud->clock);
    sh_session session = {.arn = caller->arn,
                          .role_arn = caller->role_arn,
                          .id = caller->id,
                          .more = caller->session_policy,
                          .begun_ms = caller->session_ms ? caller->session_ms : now,
                          .expires_ms = now + 1000 * duration_s};
    return sh_session_make(cloud, &session, arena, out, err);
}
