/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/node_key.h"
#include "base/buf.h"
#include "base/file.h"

#include <openssl/pem.h>

enum { FILE_MAX = 65536 };

static int write_key(const char *path, EVP_PKEY *key, sh_err *err)
{
    char *bytes;
    BIO *bio = BIO_new(BIO_s_mem());
    int status = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
                     ? 0
                     : sh_fail(err, SH_E_MEMORY, "no memory for the node's key");
    if (status == 0) {
        long length = BIO_get_mem_data(bio, &bytes);
        status = sh_file_replace(path, bytes, (size_t)length, 0600, err);
    }
    BIO_free(bio);
    return status;
}

static int read_key(EVP_PKEY **out, const char *path, sh_err *err)
{
    sh_buf text;
    sh_buf_init(&text, FILE_MAX);
    int status = sh_file_read(path, &text, err);
    if (status == 0) {
        BIO *bio = BIO_new_mem_buf(sh_buf_cstr(&text), (int)text.length);
        *out = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
        if (!*out || EVP_PKEY_get_id(*out) != EVP_PKEY_ED25519) {
            EVP_PKEY_free(*out);
            status = sh_fail(err, SH_E_FORMAT, "%s holds no Ed25519 key: remove it to get a new one", path);
        }
    }
    sh_buf_free(&text);
    return status;
}

int sh_node_key_load(EVP_PKEY **out, const char *path, bool make, sh_err *err)
{
    EVP_PKEY *key = NULL;
    sh_err why = {0};
    int status = read_key(&key, path, &why);
    if (status == SH_E_NOT_FOUND && make) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        status = key ? write_key(path, key, err) : sh_fail(err, SH_E_INTERNAL, "no key could be made");
        if (status < 0)
            EVP_PKEY_free(key);
    } else if (status < 0) {
        sh_fail(err, status, "%s", why.message);
    }
    if (status == 0)
        *out = key;
    return status;
}
