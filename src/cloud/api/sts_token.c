/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Session tokens. A token is base64 of a sealed JSON text that holds all there is to know of the session, its
 * secret key among it; so nothing is stored, and a session ends by its time or with its user or role. It is
 * bound to its access key: the token of another one does not open. */
#include "cloud/api/iam_inner.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 32768 };

static const char *encode(sh_arena *arena, const unsigned char *bytes, size_t length)
{
    char *text = sh_arena_alloc(arena, 4 * ((length + 2) / 3) + 1);
    if (text)
        EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
    return text;
}

int sh_session_make(const sh_cloud *cloud, const sh_session *s, sh_arena *arena, sh_iam_keys *out,
                    sh_err *err)
{
    char *access = sh_arena_alloc(arena, 32), *secret = sh_arena_alloc(arena, SH_IAM_SECRET_TEXT);
    char *text = NULL;
    unsigned char *sealed = NULL;
    int status = 0;
    if (!access || !secret)
        return sh_fail(err, SH_E_MEMORY, "no memory for a session");
    sh_iam_new_id("ASIA", 16, access);
    sh_iam_new_secret(secret);
    json_t *inside =
        json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:I, s:I}", "k", secret, "a", s->arn, "r", s->role_arn, "i",
                  s->id, "m", s->more, "b", (json_int_t)s->begun_ms, "e", (json_int_t)s->expires_ms);
    if (inside && (text = json_dumps(inside, JSON_COMPACT)))
        sealed = sh_arena_alloc(arena, strlen(text) + SH_IAM_SEAL_EXTRA);
    if (!sealed)
        status = sh_fail(err, SH_E_MEMORY, "no memory for a session");
    else
        status = sh_iam_seal(cloud, access, text, strlen(text), sealed, err);
    const char *token = status == 0 ? encode(arena, sealed, strlen(text) + SH_IAM_SEAL_EXTRA) : NULL;
    if (status == 0 && !token)
        status = sh_fail(err, SH_E_MEMORY, "no memory for a session");
    if (status == 0)
        *out = (sh_iam_keys){access, secret, token, s->expires_ms};
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    json_decref(inside);
    return status;
}

/* Bytes of a token, their number in *length; NULL: not base64. */
static unsigned char *decode(sh_arena *arena, const char *token, size_t *length)
{
    size_t size = strlen(token);
    if (size < 44 || size % 4 != 0 || size > TOKEN_MAX)
        return NULL;
    unsigned char *bytes = sh_arena_alloc(arena, size);
    int got = bytes ? EVP_DecodeBlock(bytes, (const unsigned char *)token, (int)size) : -1;
    if (got < 0)
        return NULL;
    *length = (size_t)got - (token[size - 1] == '=') - (token[size - 2] == '=');
    return bytes;
}

static const char *text_of(sh_arena *arena, const json_t *object, const char *name, bool *failed)
{
    const char *text = json_string_value(json_object_get(object, name));
    const char *copy = text ? sh_arena_strdup(arena, text) : NULL;
    *failed |= text && !copy;
    return copy;
}

int sh_session_read(const sh_cloud *cloud, const char *access_key, const char *token, sh_arena *arena,
                    sh_session *out, const char **secret, sh_err *err)
{
    size_t length = 0;
    bool failed = false;
    unsigned char *sealed = decode(arena, token, &length);
    char *text = sealed ? sh_arena_alloc(arena, length + 1) : NULL;
    if (!text)
        return sh_fail(err, SH_E_DENIED, "the session token is malformed");
    int status = sh_iam_unseal(cloud, access_key, sealed, length, (unsigned char *)text, err);
    if (status < 0)
        return status;
    json_t *inside = json_loadb(text, length - SH_IAM_SEAL_EXTRA, 0, NULL);
    OPENSSL_cleanse(text, length);
    sh_session s = {.arn = text_of(arena, inside, "a", &failed),
                    .role_arn = text_of(arena, inside, "r", &failed),
                    .id = text_of(arena, inside, "i", &failed),
                    .more = text_of(arena, inside, "m", &failed),
                    .begun_ms = json_integer_value(json_object_get(inside, "b")),
                    .expires_ms = json_integer_value(json_object_get(inside, "e"))};
    const char *its_secret = text_of(arena, inside, "k", &failed);
    json_decref(inside);
    if (failed || !s.arn || !s.id || !its_secret)
        return sh_fail(err, SH_E_MEMORY, "no memory for a session");
    *out = s;
    *secret = its_secret;
    return 0;
}
