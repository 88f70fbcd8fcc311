/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/keys.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/http/sigv4.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 65536
#define SECRET_BYTES 30 /* 40 characters of base64 */

static int copy_pair(sh_cloud *cloud, const char *access, const char *secret, const char *where, sh_err *err)
{
    if (strlen(access) > SH_SIGV4_SECRET_MAX || strlen(secret) > SH_SIGV4_SECRET_MAX)
        return sh_fail(err, SH_E_LIMIT,
                       "%s: the %s has more than %d bytes: take a shorter one (AWS's have 20 and 40)", where,
                       strlen(secret) > SH_SIGV4_SECRET_MAX ? "secret access key" : "access key id",
                       SH_SIGV4_SECRET_MAX);
    cloud->access_key = strdup(access);
    cloud->secret_key = strdup(secret);
    return cloud->access_key && cloud->secret_key ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for the keys");
}

/* The value of a "name = value" line of [default], in *value, NUL-terminated in place. */
static char *take_value(char *text, const char *name)
{
    bool in_default = false;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        size_t length = strlen(name);
        line += strspn(line, " \t\r");
        if (*line == '[')
            in_default = strncmp(line, "[default]", 9) == 0;
        if (!in_default || strncmp(line, name, length) != 0)
            continue;
        char *value = line + length + strspn(line + length, " \t");
        if (*value != '=')
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, " \t\r")] = '\0';
        return value;
    }
    return NULL;
}

/* In a copy of its own, NULL when there is none. */
static char *find_value(const sh_buf *file, const char *name)
{
    char *copy = strdup(sh_buf_cstr(file));
    const char *found = copy ? take_value(copy, name) : NULL;
    char *value = found && *found ? strdup(found) : NULL;
    if (copy)
        OPENSSL_cleanse(copy, file->length);
    free(copy);
    return value;
}

static int read_pair(sh_cloud *cloud, const char *path, sh_err *err)
{
    sh_buf file;
    sh_buf_init(&file, FILE_MAX);
    int status = sh_file_read(path, &file, err);
    char *access = status == 0 ? find_value(&file, "aws_access_key_id") : NULL;
    char *secret = status == 0 ? find_value(&file, "aws_secret_access_key") : NULL;
    if (status == 0 && (!access || !secret))
        status = sh_fail(err, SH_E_FORMAT,
                         "%s has no aws_access_key_id and aws_secret_access_key under [default]: mend it, or "
                         "remove it to get new keys",
                         path);
    if (status == 0)
        status = copy_pair(cloud, access, secret, path, err);
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
    free(access);
    if (file.data)
        OPENSSL_cleanse(file.data, file.length);
    sh_buf_free(&file);
    return status;
}

static int make_pair(sh_cloud *cloud, const char *path, sh_err *err)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned char bytes[16 + SECRET_BYTES];
    char access[21] = "AKIA";
    char secret[4 * SECRET_BYTES / 3 + 4];
    char text[256];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return sh_fail(err, SH_E_IO, "the system gives no randomness for the keys");
    for (int i = 0; i < 16; i++)
        access[4 + i] = letters[bytes[i] & 31];
    EVP_EncodeBlock((unsigned char *)secret, bytes + 16, SECRET_BYTES);
    int length = snprintf(text, sizeof(text),
                          "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", access, secret);
    int status = sh_file_replace(path, text, (size_t)length, 0600, err);
    if (status == 0)
        status = copy_pair(cloud, access, secret, path, err);
    if (status == 0)
        sh_log(SH_LOG_INFO, "cloud", "made root keys in %s", path);
    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return status;
}

int sh_keys_load(sh_cloud *cloud, sh_err *err)
{
    const char *access = getenv("SPYHOP_ACCESS_KEY_ID");
    const char *secret = getenv("SPYHOP_SECRET_ACCESS_KEY");
    char path[PATH_MAX];
    sh_err local = {0};
    if (access && *access && secret && *secret)
        return copy_pair(cloud, access, secret, "SPYHOP_ACCESS_KEY_ID, SPYHOP_SECRET_ACCESS_KEY", err);
    if ((access && *access) || (secret && *secret))
        return sh_fail(err, SH_E_ARGUMENT,
                       "set both SPYHOP_ACCESS_KEY_ID and SPYHOP_SECRET_ACCESS_KEY, or neither");
    if ((size_t)snprintf(path, sizeof(path), "%s/credentials", cloud->settings.data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    int status = read_pair(cloud, path, &local);
    if (status == SH_E_NOT_FOUND)
        return make_pair(cloud, path, err);
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

void sh_uuid_from(const unsigned char bytes[16], char text[SH_UUID_TEXT])
{
    const unsigned char *b = bytes;
    snprintf(text, SH_UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void sh_uuid(char text[SH_UUID_TEXT])
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        sh_log(SH_LOG_ERROR, "cloud", "the system gives no randomness");
        abort();
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    sh_uuid_from(bytes, text);
}
