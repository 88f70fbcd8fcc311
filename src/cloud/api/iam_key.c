/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Access keys of users. The secret is in the answer of CreateAccessKey and never again. */
#include "cloud/api/iam_inner.h"

#include <openssl/crypto.h>
#include <string.h>

enum { KEYS_PER_USER = 2 };

static const char *status_of(bool active)
{
    return active ? "Active" : "Inactive";
}

/* A user for whom keys are made or listed; the root's pair is not among them. */
static int need_owner(sh_call *call, sh_iam_entity *user, sh_err *err)
{
    bool root;
    int status = sh_iam_need_user(call, user, &root, err);
    if (status == 0 && root)
        return sh_call_fail(call, 400, "ValidationError",
                            "Must specify userName: the root's keys are those in the server's data folder");
    return status;
}

int sh_iam_create_key(sh_call *call, sh_err *err)
{
    sh_iam_entity user;
    sh_iam_load load;
    char id[32], secret[SH_IAM_SECRET_TEXT];
    unsigned char sealed[SH_IAM_SECRET_TEXT + SH_IAM_SEAL_EXTRA];
    int status = need_owner(call, &user, err);
    if (status == 0)
        status = sh_iam_load_of(call->cloud->db, user.row, &load, err);
    if (status == 0 && load.keys >= KEYS_PER_USER)
        return sh_iam_quota(call, "AccessKeysPerUser", KEYS_PER_USER);
    if (status < 0)
        return status;
    sh_iam_new_id("AKIA", 16, id);
    sh_iam_new_secret(secret);
    status = sh_iam_seal(call->cloud, id, secret, SH_IAM_SECRET_TEXT - 1, sealed, err);
    if (status == 0)
        status = sh_iam_key_insert(call->cloud->db,
                                   &(sh_iam_key){.id = id,
                                                 .user = user.row,
                                                 .active = true,
                                                 .created_ms = call->now_ms,
                                                 .sealed = sealed,
                                                 .sealed_length = sizeof(sealed) - 1},
                                   err);
    if (status == 0)
        status = sh_iam_give(call,
                             json_pack("{s:{s:s, s:s, s:s, s:s, s:o}}", "AccessKey", "UserName", user.name,
                                       "AccessKeyId", id, "Status", "Active", "SecretAccessKey", secret,
                                       "CreateDate", sh_iam_date(call->now_ms)),
                             err);
    OPENSSL_cleanse(secret, sizeof(secret));
    return status;
}

static int add_key(void *opaque, const sh_iam_key *key)
{
    sh_iam_page *page = opaque;
    return !sh_iam_page_add(page, key->id,
                            json_pack("{s:s, s:s, s:s, s:o}", "UserName", page->about, "AccessKeyId", key->id,
                                      "Status", status_of(key->active), "CreateDate",
                                      sh_iam_date(key->created_ms)));
}

int sh_iam_list_keys(sh_call *call, sh_err *err)
{
    sh_iam_entity user;
    sh_iam_page page;
    bool root;
    int status = sh_iam_need_user(call, &user, &root, err);
    if (status == 0)
        status = sh_iam_page_begin(call, &page, NULL);
    if (status < 0)
        return status;
    page.about = root ? "" : user.name;
    if (!root)
        status = sh_iam_key_list(call->cloud->db, user.row, page.after, page.limit + 1, add_key, &page, err);
    return sh_iam_page_end(&page, status, "AccessKeyMetadata", err);
}

/* The key of the request, which has to be the user's. */
static int need_key(sh_call *call, sh_iam_key *key, sh_err *err)
{
    sh_err local = {0};
    sh_iam_entity user;
    const char *id = sh_iam_text(call, "AccessKeyId");
    bool root = false;
    int status = sh_iam_key_get(call->cloud->db, call->arena, id, key, &local);
    if (status < 0 && status != SH_E_NOT_FOUND)
        return sh_fail(err, status, "%s", local.message);
    bool named = sh_iam_text(call, "UserName") != NULL;
    bool found = status == 0;
    status = named || (call->caller && !call->caller->root) ? sh_iam_need_user(call, &user, &root, err) : 0;
    if (status < 0)
        return status;
    if (!found || (named && key->user != user.row) ||
        (!named && call->caller && !call->caller->root && key->user != user.row))
        return sh_call_fail(call, 404, "NoSuchEntity", "The Access Key with id %s cannot be found.", id);
    return 0;
}

int sh_iam_update_key(sh_call *call, sh_err *err)
{
    sh_iam_key key;
    int status = need_key(call, &key, err);
    if (status == 0)
        status = sh_iam_key_activate(call->cloud->db, key.id,
                                     strcmp(sh_iam_text(call, "Status"), "Active") == 0, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_delete_key(sh_call *call, sh_err *err)
{
    sh_iam_key key;
    int status = need_key(call, &key, err);
    if (status == 0)
        status = sh_iam_key_delete(call->cloud->db, key.id, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_key_last_used(sh_call *call, sh_err *err)
{
    sh_err local = {0};
    sh_iam_key key;
    sh_iam_entity user;
    const char *id = sh_iam_text(call, "AccessKeyId");
    int status = sh_iam_key_get(call->cloud->db, call->arena, id, &key, &local);
    if (status == 0)
        status = sh_iam_get_row(call->cloud->db, call->arena, key.user, &user, &local);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "The Access Key with id %s cannot be found.", id);
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    json_t *used = json_pack("{s:s, s:s}", "ServiceName", key.used_service ? key.used_service : "N/A",
                             "Region", key.used_ms ? call->cloud->settings.region : "N/A");
    if (key.used_ms)
        sh_iam_set(used, "LastUsedDate", sh_iam_date(key.used_ms));
    return sh_iam_give(call, json_pack("{s:s, s:o}", "UserName", user.name, "AccessKeyLastUsed", used), err);
}
