/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and deleting objects. Files are moved in first, then one transaction makes rows and events; what a
 * failure leaves behind has no row and is unlinked here, or by the next start after a crash. */
#include "cloud/store/object_files.h"
#include "cloud/store/objects.h"
#include "cloud/store/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct moved {
    char file[SH_OBJECT_FILE]; /* "" while it is still in the staging folder */
    char old[SH_OBJECT_FILE];  /* of the object it replaces, or "" */
    char etag[33];             /* computed here, or "" */
    int64_t size;
} moved;

static int hash_fd(int fd, EVP_MD_CTX *md5, const char *path, sh_err *err)
{
    char block[64 * 1024];
    for (;;) {
        ssize_t got = read(fd, block, sizeof(block));
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return sh_fail_errno(err, errno, "cannot read %s", path);
        if (got > 0 && EVP_DigestUpdate(md5, block, (size_t)got) != 1)
            return sh_fail(err, SH_E_MEMORY, "MD5 failed");
    }
}

static int hash_file(const char *path, char etag[33], sh_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    int status = SH_E_MEMORY;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    if (!md5 || EVP_DigestInit_ex(md5, EVP_md5(), NULL) != 1)
        sh_fail(err, status, "no memory for MD5");
    else
        status = hash_fd(fd, md5, path, err);
    if (status == 0 && (EVP_DigestFinal_ex(md5, digest, &length) != 1 || length != 16))
        status = sh_fail(err, SH_E_INTERNAL, "MD5 failed");
    for (unsigned i = 0; status == 0 && i < 16; i++)
        snprintf(etag + i * 2, 3, "%02x", digest[i]);
    EVP_MD_CTX_free(md5);
    close(fd);
    return status;
}

static int check_item(const sh_object_new *item, moved *m, sh_err *err)
{
    struct stat st;
    size_t length = strlen(item->key);
    if (length == 0 || length > SH_OBJECT_KEY_MAX)
        return sh_fail(err, SH_E_LIMIT, "an object key has %zu bytes; 1 to %d are possible", length,
                       SH_OBJECT_KEY_MAX);
    if (lstat(item->path, &st) < 0)
        return sh_fail_errno(err, errno, "cannot read %s", item->path);
    m->size = st.st_size;
    return item->etag ? 0 : hash_file(item->path, m->etag, err);
}

/* ---- events ---- */

static void random_id(char id[37])
{
    unsigned char b[16] = {0};
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        abort(); /* an event id must not occur twice */
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    for (int i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            id[at++] = '-';
        at += snprintf(id + at, 3, "%02x", b[i]);
    }
}

typedef struct change {
    const char *bucket;
    const char *key;
    const char *etag; /* NULL: deleted */
    int64_t size;
    int64_t sequence;
    int64_t now_ms;
} change;

static json_t *event_object(const change *c)
{
    char sequencer[32];
    snprintf(sequencer, sizeof(sequencer), "%018llX", (unsigned long long)c->sequence);
    if (!c->etag)
        return json_pack("{s:s, s:s}", "key", c->key, "sequencer", sequencer);
    return json_pack("{s:s, s:I, s:s, s:s}", "key", c->key, "size", (json_int_t)c->size, "etag", c->etag,
                     "sequencer", sequencer);
}

static int add_event(const sh_objects *objects, const change *c, const sh_object_cause *cause, sh_err *err)
{
    static const sh_object_cause nobody = {0};
    char id[37], request[37], time[SH_TIME_TEXT], arn[SH_BUCKET_NAME_MAX + 32];
    char *text = NULL;
    const sh_object_cause *who = cause ? cause : &nobody;
    random_id(id);
    random_id(request);
    sh_time_iso_s(c->now_ms, time);
    snprintf(arn, sizeof(arn), "arn:aws:s3:::%s", c->bucket);
    json_t *detail =
        json_pack("{s:s, s:{s:s}, s:o, s:s, s:s, s:s, s:s}", "version", "0", "bucket", "name", c->bucket,
                  "object", event_object(c), "request-id", who->request_id ? who->request_id : request,
                  "requester", who->requester ? who->requester : objects->account, "source-ip-address",
                  who->source_ip ? who->source_ip : "127.0.0.1", "reason",
                  who->reason ? who->reason : (c->etag ? "PutObject" : "DeleteObject"));
    if (detail && !c->etag)
        json_object_set_new(detail, "deletion-type", json_string("Permanently Deleted"));
    json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:o}", "version", "0", "id", id,
                              "detail-type", c->etag ? "Object Created" : "Object Deleted", "source",
                              "aws.s3", "account", objects->account, "time", time, "region", objects->region,
                              "resources", arn, "detail", detail);
    if (event)
        text = json_dumps(event, JSON_COMPACT);
    int status = text ? sh_outbox_add(objects->db, text, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for the event of s3://%s/%s", c->bucket, c->key);
    free(text);
    json_decref(event);
    return status;
}

/* ---- rows ---- */

int sh_object_insert(const sh_objects *objects, const sh_object_new *item, const char *file, int64_t size,
                     const char *etag, const sh_object_cause *cause, char old[SH_OBJECT_FILE], sh_err *err)
{
    sh_bucket bucket;
    int64_t now = sh_now_ms(objects->clock);
    int status = sh_bucket_get(objects, item->bucket, &bucket, err);
    if (status < 0)
        return status;
    status = sh_db_each(objects->db, err, "SELECT file FROM objects WHERE bucket = ?1 AND key = ?2",
                        sh_take_file, old, "ss", item->bucket, item->key);
    if (status == 0 && item->condition.absent && old[0])
        status = sh_fail(err, SH_E_CONFLICT, "s3://%s/%s exists already", item->bucket, item->key);
    if (status == 0 && old[0])
        status = sh_db_run(objects->db, err, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2", "ss",
                           item->bucket, item->key);
    if (status == 0)
        status = sh_db_run(objects->db, err,
                           "INSERT INTO objects (bucket, key, file, size, etag, content_type, headers,"
                           " checksum, modified_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                           "sssissssi", item->bucket, item->key, file, size, etag,
                           item->content_type ? item->content_type : "binary/octet-stream",
                           item->headers ? item->headers : "{}", item->checksum, now);
    if (status == 0 && bucket.eventbridge) {
        change c = {item->bucket, item->key, etag, size, sh_db_last_id(objects->db), now};
        status = add_event(objects, &c, cause, err);
    }
    return status;
}

static int insert_all(const sh_objects *objects, const sh_object_new *items, moved *m, size_t count,
                      const sh_object_cause *cause, sh_object_with_fn with, void *opaque, sh_err *err)
{
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && i < count; i++)
        status = sh_object_insert(objects, &items[i], m[i].file, m[i].size,
                                  items[i].etag ? items[i].etag : m[i].etag, cause, m[i].old, err);
    if (status == 0 && with)
        status = with(opaque, err);
    return sh_db_end(objects->db, status, err);
}

int sh_objects_publish(const sh_objects *objects, const sh_object_new *items, size_t count,
                       const sh_object_cause *cause, sh_err *err)
{
    return sh_objects_publish_with(objects, items, count, cause, NULL, NULL, err);
}

int sh_objects_publish_with(const sh_objects *objects, const sh_object_new *items, size_t count,
                            const sh_object_cause *cause, sh_object_with_fn with, void *opaque, sh_err *err)
{
    sh_folder_set folders = {0};
    int status = 0;
    moved *m = calloc(count ? count : 1, sizeof(*m));
    if (!m)
        return sh_fail(err, SH_E_MEMORY, "no memory to publish %zu objects", count);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = check_item(&items[i], &m[i], err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = sh_object_file_take(objects, items[i].path, m[i].file, &folders, err);
    if (status == 0)
        status = sh_object_folders_sync(objects, &folders, err);
    if (status == 0)
        status = insert_all(objects, items, m, count, cause, with, opaque, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        sh_object_file_settle(objects, m[i].file);
    for (size_t i = 0; i < count; i++)
        sh_object_file_drop(objects, status < 0 ? m[i].file : m[i].old);
    free(m);
    return status;
}

static int take_number(void *opaque, const sh_row *row)
{
    *(int64_t *)opaque = sh_row_int(row, 0);
    return 0;
}

static int delete_row(const sh_objects *objects, const char *bucket, const char *key,
                      const sh_object_cause *cause, char old[SH_OBJECT_FILE], sh_err *err)
{
    sh_bucket row;
    int status = sh_bucket_get(objects, bucket, &row, err);
    if (status == 0)
        status = sh_db_each(objects->db, err, "SELECT file FROM objects WHERE bucket = ?1 AND key = ?2",
                            sh_take_file, old, "ss", bucket, key);
    if (status < 0 || !old[0])
        return status;
    status =
        sh_db_run(objects->db, err, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2", "ss", bucket, key);
    if (status < 0 || !row.eventbridge)
        return status;
    /* A number of its own, above that of every write so far. */
    change c = {bucket, key, NULL, 0, 0, sh_now_ms(objects->clock)};
    status =
        sh_db_run(objects->db, err, "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'objects'", "");
    if (status == 0)
        status = sh_db_each(objects->db, err, "SELECT seq FROM sqlite_sequence WHERE name = 'objects'",
                            take_number, &c.sequence, "");
    return status < 0 ? status : add_event(objects, &c, cause, err);
}

static int delete_rows(const sh_objects *objects, const char *bucket, const char *const *keys, size_t count,
                       const sh_object_cause *cause, char (*old)[SH_OBJECT_FILE], sh_err *err)
{
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    memset(old, 0, count * sizeof(*old));
    for (size_t i = 0; status == 0 && i < count; i++)
        status = delete_row(objects, bucket, keys[i], cause, old[i], err);
    return sh_db_end(objects->db, status, err);
}

int sh_objects_delete(const sh_objects *objects, const char *bucket, const char *const *keys, size_t count,
                      const sh_object_cause *cause, sh_err *err)
{
    char(*old)[SH_OBJECT_FILE] = calloc(count ? count : 1, sizeof(*old));
    if (!old)
        return sh_fail(err, SH_E_MEMORY, "no memory to delete %zu objects", count);
    int status = delete_rows(objects, bucket, keys, count, cause, old, err);
    if (status == SH_E_FULL && sh_reserve_release(objects))
        status = delete_rows(objects, bucket, keys, count, cause, old, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        sh_object_file_drop(objects, old[i]);
    if (status == 0)
        sh_reserve_keep(objects);
    free(old);
    return status;
}

int sh_object_delete(const sh_objects *objects, const char *bucket, const char *key,
                     const sh_object_cause *cause, sh_err *err)
{
    return sh_objects_delete(objects, bucket, &key, 1, cause, err);
}
