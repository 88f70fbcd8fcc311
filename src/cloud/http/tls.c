/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GnuTLS borrows the pair for the time of a handshake and says nothing when it is done with it. So a pair
 * that was replaced is kept until it has been out of use for longer than any handshake may last, and goes at
 * the next change. */
#include "cloud/http/tls.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/http/digest.h"

#include <gnutls/x509.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { FILE_MAX = 1 << 20, CHAIN_MAX = 16, KEY_ID_MAX = 64 };
#define HANDSHAKE_MAX_US ((int64_t)600 * 1000000)

typedef struct pair {
    struct pair *older;
    int64_t retired_us;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_length;
    gnutls_privkey_t key;
} pair;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pair *current;

static void pair_free(pair *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < p->chain_length; i++)
        gnutls_pcert_deinit(&p->chain[i]);
    if (p->key)
        gnutls_privkey_deinit(p->key);
    free(p);
}

static gnutls_datum_t datum_of(const sh_buf *file)
{
    return (gnutls_datum_t){(unsigned char *)file->data, (unsigned)file->length};
}

static int read_chain(pair *p, const char *path, sh_err *err)
{
    sh_buf file;
    unsigned count = CHAIN_MAX;
    sh_buf_init(&file, FILE_MAX);
    int status = sh_file_read(path, &file, err);
    if (status == 0) {
        gnutls_datum_t bytes = datum_of(&file);
        int code = gnutls_pcert_list_import_x509_raw(p->chain, &count, &bytes, GNUTLS_X509_FMT_PEM, 0);
        if (code < 0 || count == 0)
            status = sh_fail(err, SH_E_FORMAT, "%s holds no chain of certificates in PEM form: %s", path,
                             code < 0 ? gnutls_strerror(code) : "it is empty");
        else
            p->chain_length = count;
    }
    sh_buf_free(&file);
    return status;
}

static int read_key(pair *p, const char *path, sh_err *err)
{
    sh_buf file;
    sh_buf_init(&file, FILE_MAX);
    int status = sh_file_read(path, &file, err);
    if (status == 0) {
        gnutls_datum_t bytes = datum_of(&file);
        int code = gnutls_privkey_init(&p->key);
        if (code == 0)
            code = gnutls_privkey_import_x509_raw(p->key, &bytes, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (code < 0)
            status = sh_fail(err, SH_E_FORMAT, "%s holds no private key in PEM form without a password: %s",
                             path, gnutls_strerror(code));
    }
    if (file.data)
        OPENSSL_cleanse(file.data, file.length);
    sh_buf_free(&file);
    return status;
}

static bool key_id_of(const pair *p, bool of_key, unsigned char *id, size_t *length)
{
    gnutls_pubkey_t public = NULL;
    bool good = gnutls_pubkey_init(&public) == 0;
    if (good && of_key)
        good = gnutls_pubkey_import_privkey(public, p->key, 0, 0) == 0;
    good = good && gnutls_pubkey_get_key_id(of_key ? public : p->chain[0].pubkey, 0, id, length) == 0;
    if (public)
        gnutls_pubkey_deinit(public);
    return good;
}

static int check_pair(const pair *p, const char *certificate_path, const char *key_path, sh_err *err)
{
    unsigned char ids[2][KEY_ID_MAX];
    size_t lengths[2] = {KEY_ID_MAX, KEY_ID_MAX};
    if (!key_id_of(p, false, ids[0], &lengths[0]) || !key_id_of(p, true, ids[1], &lengths[1]))
        return sh_fail(err, SH_E_FORMAT, "the public keys of %s and %s cannot be compared", certificate_path,
                       key_path);
    if (lengths[0] != lengths[1] || memcmp(ids[0], ids[1], lengths[0]) != 0)
        return sh_fail(err, SH_E_FORMAT,
                       "the key %s does not belong to the first certificate of %s: give the server's own "
                       "certificate first, and its key",
                       key_path, certificate_path);
    return 0;
}

static void warn_of_times(const pair *p, const char *path)
{
    gnutls_x509_crt_t certificate;
    if (gnutls_pcert_export_x509((gnutls_pcert_st *)&p->chain[0], &certificate) < 0)
        return;
    if (gnutls_x509_crt_get_expiration_time(certificate) < time(NULL))
        sh_log(SH_LOG_WARNING, "tls", "the certificate %s has expired: clients will refuse it", path);
    gnutls_x509_crt_deinit(certificate);
}

static void warn_of_open_key(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 07))
        sh_log(SH_LOG_WARNING, "tls", "the key %s may be read by every user: chmod 600 it", path);
}

/* Puts the new pair in front, and lets go of those that no handshake can hold any more. */
static void use(pair *p)
{
    int64_t now = sh_monotonic_us();
    pthread_mutex_lock(&mutex);
    if (current)
        current->retired_us = now;
    p->older = current;
    current = p;
    pair **link = &p->older;
    while (*link && now - (*link)->retired_us < HANDSHAKE_MAX_US)
        link = &(*link)->older;
    pair *gone = *link;
    *link = NULL;
    pthread_mutex_unlock(&mutex);
    while (gone) {
        pair *next = gone->older;
        pair_free(gone);
        gone = next;
    }
}

int sh_tls_load(const char *certificate_path, const char *key_path, sh_err *err)
{
    int status;
    pair *p = calloc(1, sizeof(*p));
    if (!p)
        return sh_fail(err, SH_E_MEMORY, "no memory for the certificate");
    if ((status = read_chain(p, certificate_path, err)) < 0 || (status = read_key(p, key_path, err)) < 0 ||
        (status = check_pair(p, certificate_path, key_path, err)) < 0) {
        pair_free(p);
        return status;
    }
    warn_of_times(p, certificate_path);
    warn_of_open_key(key_path);
    use(p);
    return 0;
}

void sh_tls_pin(char *text)
{
    unsigned char hash[SH_DIGEST_BYTES];
    char base64[48];
    size_t length = sizeof(hash);
    pthread_mutex_lock(&mutex);
    bool good = current && gnutls_pubkey_get_key_id(current->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, hash,
                                                    &length) == 0;
    pthread_mutex_unlock(&mutex);
    text[0] = '\0';
    if (!good || length != sizeof(hash))
        return;
    sh_base64(hash, sizeof(hash), base64);
    for (char *at = base64; *at; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    snprintf(text, SH_TLS_PIN_TEXT, "%.43s", base64);
}

void sh_tls_unload(void)
{
    while (current) {
        pair *older = current->older;
        pair_free(current);
        current = older;
    }
}

int sh_tls_pair_for(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                    unsigned *chain_length, gnutls_privkey_t *key)
{
    (void)session, (void)authorities, (void)authority_count, (void)algorithms, (void)algorithm_count;
    pthread_mutex_lock(&mutex);
    pair *p = current;
    pthread_mutex_unlock(&mutex);
    if (!p)
        return -1;
    *chain = p->chain;
    *chain_length = p->chain_length;
    *key = p->key;
    return 0;
}
