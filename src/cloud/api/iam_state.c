/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key that seals secrets, and the cache.
 *
 * Secret access keys have to be known to check a signature, so they cannot be hashed. They stand in the
 * database sealed with AES-256-GCM under the key in DATA/iam.key (32 bytes, mode 0600), bound to their access
 * key's id: a copy of the database alone gives nobody's secret, and a row put under another name does not
 * open. A sealed thing is nonce (12), text, tag (16). Session tokens are sealed the same way. */
#include "cloud/api/iam_cache.h"

#include "base/file.h"
#include "base/log.h"
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 32, NONCE = 12, TAG = 16, BUCKETS = 1024, THINGS_MAX = 4096 };
#define THING_ARENA_MAX ((size_t)4 << 20)

struct sh_iam {
    unsigned char key[KEY];
    _Atomic uint64_t generation;
    pthread_mutex_t mutex; /* of all below */
    sh_iam_kept *buckets[BUCKETS];
    size_t count;
};

/* ---- randomness ---- */

static void need_random(void *bytes, size_t size)
{
    if (RAND_bytes(bytes, (int)size) != 1) {
        sh_log(SH_LOG_ERROR, "iam", "the system gives no randomness");
        abort();
    }
}

void sh_iam_new_id(const char *prefix, size_t letters, char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned char bytes[32];
    size_t at = strlen(prefix);
    need_random(bytes, sizeof(bytes));
    memcpy(text, prefix, at);
    for (size_t i = 0; i < letters && i < sizeof(bytes); i++)
        text[at++] = alphabet[bytes[i] & 31];
    text[at] = '\0';
}

void sh_iam_new_secret(char text[SH_IAM_SECRET_TEXT])
{
    unsigned char bytes[30];
    need_random(bytes, sizeof(bytes));
    EVP_EncodeBlock((unsigned char *)text, bytes, sizeof(bytes));
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

/* ---- sealing ---- */

int sh_iam_seal(const sh_cloud *cloud, const char *name, const void *bytes, size_t length, unsigned char *out,
                sh_err *err)
{
    int part = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    need_random(out, NONCE);
    bool good =
        context && length < INT_MAX &&
        EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, cloud->iam->key, out) == 1 &&
        EVP_EncryptUpdate(context, NULL, &part, (const unsigned char *)name, (int)strlen(name)) == 1 &&
        EVP_EncryptUpdate(context, out + NONCE, &part, bytes, (int)length) == 1 &&
        EVP_EncryptFinal_ex(context, out + NONCE + part, &part) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + length) == 1;
    EVP_CIPHER_CTX_free(context);
    return good ? 0 : sh_fail(err, SH_E_MEMORY, "no memory to seal a secret");
}

int sh_iam_unseal(const sh_cloud *cloud, const char *name, const void *sealed, size_t length,
                  unsigned char *out, sh_err *err)
{
    int part = 0;
    const unsigned char *in = sealed;
    if (length < NONCE + TAG || length > INT_MAX)
        return sh_fail(err, SH_E_DENIED, "a sealed secret is too short");
    size_t size = length - NONCE - TAG;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool good =
        context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, cloud->iam->key, in) == 1 &&
        EVP_DecryptUpdate(context, NULL, &part, (const unsigned char *)name, (int)strlen(name)) == 1 &&
        EVP_DecryptUpdate(context, out, &part, in + NONCE, (int)size) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(in + NONCE + size)) == 1 &&
        EVP_DecryptFinal_ex(context, out + part, &part) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!good)
        OPENSSL_cleanse(out, size);
    return good ? 0 : sh_fail(err, SH_E_DENIED, "a secret was not sealed with the key in DATA/iam.key");
}

static int load_key(sh_cloud *cloud, sh_err *err)
{
    char path[PATH_MAX];
    sh_err local = {0};
    sh_buf file;
    if ((size_t)snprintf(path, sizeof(path), "%s/iam.key", cloud->settings.data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    sh_buf_init(&file, 4096);
    int status = sh_file_read(path, &file, &local);
    if (status == SH_E_NOT_FOUND) {
        need_random(cloud->iam->key, KEY);
        status = sh_file_replace(path, cloud->iam->key, KEY, 0600, err);
    } else if (status < 0) {
        sh_fail(err, status, "%s", local.message);
    } else if (file.length != KEY) {
        status = sh_fail(err, SH_E_FORMAT,
                         "%s has %zu bytes and not %d: put back the file from a backup, or remove it; access "
                         "keys of users made before are then unknown",
                         path, file.length, KEY);
    } else {
        memcpy(cloud->iam->key, file.data, KEY);
    }
    if (file.data)
        OPENSSL_cleanse(file.data, file.length);
    sh_buf_free(&file);
    return status;
}

/* ---- the cache ---- */

static void thing_free(sh_iam_kept *thing)
{
    for (size_t i = 0; i < thing->identity_count; i++)
        sh_policy_free(thing->identity[i]);
    sh_policy_free(thing->boundary);
    sh_policy_free(thing->session);
    sh_policy_free(thing->trust);
    if (thing->secret)
        OPENSSL_cleanse((char *)thing->secret, strlen(thing->secret));
    sh_arena_free(thing->arena);
    free(thing);
}

void sh_iam_let_go(sh_iam_kept *thing)
{
    if (thing && atomic_fetch_sub_explicit(&thing->holders, 1, memory_order_acq_rel) == 1)
        thing_free(thing);
}

static size_t bucket_of(const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return (size_t)(hash >> 20) % BUCKETS;
}

/* The link to the thing of that name, or to the end. */
static sh_iam_kept **find_link(struct sh_iam *iam, const char *name)
{
    sh_iam_kept **link = &iam->buckets[bucket_of(name)];
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

static void drop_link(struct sh_iam *iam, sh_iam_kept **link)
{
    sh_iam_kept *thing = *link;
    *link = thing->next;
    iam->count--;
    sh_iam_let_go(thing);
}

static void drop_all(struct sh_iam *iam)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (iam->buckets[i])
            drop_link(iam, &iam->buckets[i]);
}

static void keep(struct sh_iam *iam, sh_iam_kept *thing)
{
    pthread_mutex_lock(&iam->mutex);
    if (iam->count >= THINGS_MAX)
        drop_all(iam);
    sh_iam_kept **link = find_link(iam, thing->name);
    if (*link)
        drop_link(iam, link);
    thing->next = iam->buckets[bucket_of(thing->name)];
    iam->buckets[bucket_of(thing->name)] = thing;
    iam->count++;
    atomic_fetch_add(&thing->holders, 1);
    pthread_mutex_unlock(&iam->mutex);
}

static sh_iam_kept *find(struct sh_iam *iam, const char *name)
{
    uint64_t generation = atomic_load(&iam->generation);
    pthread_mutex_lock(&iam->mutex);
    sh_iam_kept *thing = *find_link(iam, name);
    if (thing && thing->generation == generation)
        atomic_fetch_add_explicit(&thing->holders, 1, memory_order_relaxed);
    else
        thing = NULL;
    pthread_mutex_unlock(&iam->mutex);
    return thing;
}

int sh_iam_hold(sh_cloud *cloud, const char *name, sh_iam_load_fn load, const void *about, sh_iam_kept **out,
                sh_err *err)
{
    struct sh_iam *iam = cloud->iam;
    if ((*out = find(iam, name)))
        return 0;
    sh_iam_kept *thing = calloc(1, sizeof(*thing));
    sh_arena *arena = thing ? sh_arena_new(THING_ARENA_MAX) : NULL;
    if (!arena || !(thing->name = sh_arena_strdup(arena, name))) {
        sh_arena_free(arena);
        free(thing);
        return sh_fail(err, SH_E_MEMORY, "no memory for an identity");
    }
    thing->arena = arena;
    thing->generation = atomic_load(&iam->generation);
    atomic_init(&thing->holders, 1);
    bool inside = sh_db_inside(cloud->db);
    int status = sh_db_begin(cloud->db, err); /* all its rows from one moment */
    if (status == 0)
        status = sh_db_end(cloud->db, load(cloud, thing, about, err), err);
    if (status < 0) {
        thing_free(thing);
        return status;
    }
    if (!inside)
        keep(iam, thing);
    *out = thing;
    return 0;
}

void sh_iam_changed(sh_cloud *cloud)
{
    atomic_fetch_add(&cloud->iam->generation, 1);
}

/* ---- life ---- */

int sh_iam_open(sh_cloud *cloud, sh_err *err)
{
    cloud->iam = calloc(1, sizeof(*cloud->iam));
    if (!cloud->iam)
        return sh_fail(err, SH_E_MEMORY, "no memory for IAM");
    pthread_mutex_init(&cloud->iam->mutex, NULL);
    int status = load_key(cloud, err);
    return status < 0 ? status : sh_iam_seed(cloud, err);
}

void sh_iam_close(sh_cloud *cloud)
{
    if (!cloud->iam)
        return;
    drop_all(cloud->iam);
    pthread_mutex_destroy(&cloud->iam->mutex);
    OPENSSL_cleanse(cloud->iam->key, KEY);
    free(cloud->iam);
    cloud->iam = NULL;
}
