/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"

#include <openssl/crypto.h>
#include <string.h>

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

sh_key_state sh_caller_by_key(const sh_cloud *cloud, const char *access_key, const char *token,
                              sh_arena *arena, sh_caller *out, const char **secret, sh_err *err)
{
    size_t length = strlen(cloud->access_key);
    if (strlen(access_key) != length || CRYPTO_memcmp(access_key, cloud->access_key, length) != 0)
        return SH_KEY_UNKNOWN;
    if (token)
        return SH_KEY_BAD_TOKEN;
    *secret = cloud->secret_key;
    return root_of(cloud, arena, access_key, out, err);
}
