/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and deleting objects. Files are moved in first, then one transaction makes rows and events; what a
 * failure leaves behind has no row and is unlinked here, or by the next start after a crash. Few bytes go
 * into that transaction (bodies.h). */
#include "base/etag.h"
#include "cloud/store/bodies.h"
#include "cloud/store/object_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct moved {
    sh_incoming in;
    char old[SH_OBJECT_FILE]; /* of the object it replaces, or "" */
    char etag[33];            /* computed here, or "" */
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

static int hash_bytes(const void *bytes, size_t length, char etag[33], sh_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned got = 0;
    if (EVP_Digest(bytes, length, digest, &got, EVP_md5(), NULL) != 1 || got != 16)
        return sh_fail(err, SH_E_INTERNAL, "MD5 failed");
    for (unsigned i = 0; i < 16; i++)
        snprintf(etag + i * 2, 3, "%02x", digest[i]);
    return 0;
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
    size_t length = strlen(item->key);
    if (length == 0 || length > SH_OBJECT_KEY_MAX)
        return sh_fail(err, SH_E_LIMIT, "an object key has %zu bytes; 1 to %d are possible", length,
                       SH_OBJECT_KEY_MAX);
    if (item->etag)
        return 0;
    return item->path ? hash_file(item->path, m->etag, err)
                      : hash_bytes(item->bytes ? item->bytes : "", item->length, m->etag, err);
}

/* ---- what is there, and what is to be ---- */

static int take_present(void *opaque, const sh_row *row)
{
    sh_present *p = opaque;
    p->found = true;
    snprintf(p->file, sizeof(p->file), "%s", sh_row_text(row, 0));
    snprintf(p->version_id, sizeof(p->version_id), "%s", sh_row_text(row, 1));
    snprintf(p->etag, sizeof(p->etag), "%s", sh_row_text(row, 2));
    p->size = sh_row_int(row, 3);
    p->modified_ms = sh_row_int(row, 4);
    p->sequence = sh_row_int(row, 5);
    return 1;
}

int sh_present_get(const sh_objects *objects, const char *bucket, const char *key, sh_present *out,
                   sh_err *err)
{
    *out = (sh_present){0};
    return sh_db_each(objects->db, err,
                      "SELECT file, version_id, etag, size, modified_ms, sequence FROM objects"
                      " WHERE bucket = ?1 AND key = ?2",
                      take_present, out, "ss", bucket, key);
}

/* The version of that id, as far as its conditions go; a delete marker has nothing that they speak of. */
static int present_version(const sh_objects *objects, const char *bucket, const char *key,
                           const char *version, sh_present *out, sh_err *err)
{
    *out = (sh_present){0};
    return sh_db_each(objects->db, err,
                      "SELECT file, version_id, etag, size, modified_ms, sequence FROM objects"
                      " WHERE bucket = ?1 AND key = ?2 AND version_id = ?3 UNION ALL"
                      " SELECT file, version_id, etag, size, modified_ms, sequence FROM object_versions"
                      " WHERE bucket = ?1 AND key = ?2 AND version_id = ?3 AND marker = 0",
                      take_present, out, "sss", bucket, key, version);
}

int sh_present_check(const char *bucket, const char *key, const sh_present *present,
                     const sh_object_if *condition, sh_err *err)
{
    if (condition->absent && present->found)
        return sh_fail(err, SH_E_CONFLICT, "s3://%s/%s exists already", bucket, key);
    if (condition->match && !present->found)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no object s3://%s/%s to match", bucket, key);
    if (condition->match && !sh_etag_listed(condition->match, present->etag, false))
        return sh_fail(err, SH_E_CONFLICT, "s3://%s/%s has another entity tag", bucket, key);
    if (present->found && condition->has_size && condition->size != present->size)
        return sh_fail(err, SH_E_CONFLICT, "s3://%s/%s has another size", bucket, key);
    if (present->found && condition->has_modified &&
        condition->modified_ms / 1000 != present->modified_ms / 1000)
        return sh_fail(err, SH_E_CONFLICT, "s3://%s/%s was modified at another time", bucket, key);
    return 0;
}

int sh_object_check(const sh_objects *objects, const char *bucket, const char *key,
                    const sh_object_if *condition, sh_err *err)
{
    sh_present present;
    int status = sh_present_get(objects, bucket, key, &present, err);
    return status < 0 ? status : sh_present_check(bucket, key, &present, condition, err);
}

/* ---- rows ---- */

static int insert_row(const sh_objects *objects, const sh_object_new *item, const char *file, int64_t size,
                      const char *etag, const char *version, int64_t sequence, sh_err *err)
{
    static const char with_sequence[] =
        "INSERT INTO objects (bucket, key, file, size, etag, content_type, headers, checksum, modified_ms,"
        " version_id, tags, acl, parts, storage, sequence)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    static const char without[] =
        "INSERT INTO objects (bucket, key, file, size, etag, content_type, headers, checksum, modified_ms,"
        " version_id, tags, acl, parts, storage)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    const char *type = item->content_type ? item->content_type : "binary/octet-stream";
    const char *headers = item->headers ? item->headers : "{}";
    int64_t now = sh_now_ms(objects->clock);
    if (sequence)
        return sh_db_run(objects->db, err, with_sequence, "sssissssisssssi", item->bucket, item->key, file,
                         size, etag, type, headers, item->checksum, now, version, item->tags, item->acl,
                         item->parts, item->storage, sequence);
    return sh_db_run(objects->db, err, without, "sssissssisssss", item->bucket, item->key, file, size, etag,
                     type, headers, item->checksum, now, version, item->tags, item->acl, item->parts,
                     item->storage);
}

int sh_object_insert(const sh_objects *objects, const sh_object_new *item, const char *file, int64_t size,
                     const char *etag, const sh_object_cause *cause, char old[SH_OBJECT_FILE], sh_err *err)
{
    sh_bucket bucket;
    sh_present present;
    char version[SH_VERSION_ID] = "null";
    int64_t sequence = 0;
    int status = sh_bucket_get(objects, item->bucket, &bucket, err);
    if (status == 0)
        status = sh_present_get(objects, item->bucket, item->key, &present, err);
    if (status == 0)
        status = sh_present_check(item->bucket, item->key, &present, &item->condition, err);
    if (status == 0)
        status = sh_version_make_way(objects, &bucket, item->key, &present, old, err);
    if (status == 0 && bucket.versioning == SH_VERSIONING_ENABLED) {
        status = sh_sequence_take(objects, &sequence, err);
        if (status == 0)
            status = sh_version_id_make(sequence, version, err);
    }
    if (status == 0)
        status = insert_row(objects, item, file, size, etag, version, sequence, err);
    if (status < 0)
        return status;
    if (item->version_id)
        snprintf(item->version_id, sizeof(version), "%s",
                 bucket.versioning == SH_VERSIONING_NEVER ? "" : version);
    if (item->told)
        *item->told = bucket.eventbridge || bucket.functions;
    sh_object_change change = {.kind = SH_CHANGE_CREATED,
                               .key = item->key,
                               .version_id = bucket.versioning == SH_VERSIONING_NEVER ? NULL : version,
                               .etag = etag,
                               .size = size,
                               .sequence = sequence ? sequence : sh_db_last_id(objects->db),
                               .now_ms = sh_now_ms(objects->clock)};
    return sh_object_changed(objects, &bucket, &change, cause, err);
}

static int insert_all(const sh_objects *objects, const sh_object_new *items, moved *m, size_t count,
                      const sh_object_cause *cause, sh_object_with_fn with, void *opaque, sh_err *err)
{
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = sh_incoming_place(objects, &m[i].in, err);
        if (status == 0)
            status = sh_object_insert(objects, &items[i], m[i].in.file, m[i].in.size,
                                      items[i].etag ? items[i].etag : m[i].etag, cause, m[i].old, err);
    }
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
    size_t room = SH_INCOMING_MAX;
    int status = 0;
    moved *m = calloc(count ? count : 1, sizeof(*m));
    if (!m)
        return sh_fail(err, SH_E_MEMORY, "no memory to publish %zu objects", count);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = check_item(&items[i], &m[i], err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = sh_incoming_take(objects, items[i].path, items[i].bytes, items[i].length, &folders, &room,
                                  &m[i].in, err);
    if (status == 0)
        status = sh_object_folders_sync(objects, &folders, err);
    if (status == 0)
        status = insert_all(objects, items, m, count, cause, with, opaque, err);
    for (size_t i = 0; i < count; i++) {
        sh_incoming_end(objects, &m[i].in, status == 0);
        if (status == 0)
            sh_object_file_drop(objects, m[i].old);
    }
    free(m);
    return status;
}

/* ---- deleting ---- */

/* What a deletion changed, for its event. */
static int tell_deleted(const sh_objects *objects, const sh_bucket *bucket, const sh_object_doomed *d,
                        sh_change_kind kind, int64_t sequence, const sh_object_cause *cause, sh_err *err)
{
    sh_object_change change = {.kind = kind,
                               .key = d->key,
                               .version_id = bucket->versioning == SH_VERSIONING_NEVER ? NULL : d->version_id,
                               .sequence = sequence,
                               .now_ms = sh_now_ms(objects->clock)};
    return sh_object_changed(objects, bucket, &change, cause, err);
}

static int delete_version(const sh_objects *objects, const sh_bucket *bucket, sh_object_doomed *d,
                          const sh_object_cause *cause, char old[SH_OBJECT_FILE], sh_err *err)
{
    bool found = false;
    snprintf(d->version_id, sizeof(d->version_id), "%s", d->version);
    int status = sh_version_remove(objects, bucket->name, d->key, d->version, old, &found, &d->marker, err);
    if (status < 0 || !found)
        return status;
    return tell_deleted(objects, bucket, d, SH_CHANGE_REMOVED, 0, cause, err);
}

static int delete_current(const sh_objects *objects, const sh_bucket *bucket, sh_object_doomed *d,
                          const sh_present *present, const sh_object_cause *cause, char old[SH_OBJECT_FILE],
                          sh_err *err)
{
    int64_t sequence = 0;
    int status = sh_version_make_way(objects, bucket, d->key, present, old, err);
    if (status == 0 && bucket->versioning != SH_VERSIONING_NEVER) {
        d->marker = true;
        status = sh_version_add_marker(objects, bucket, d->key, d->version_id, &sequence, err);
    }
    if (status < 0 || (!present->found && !d->marker))
        return status;
    return tell_deleted(objects, bucket, d, d->marker ? SH_CHANGE_MARKED : SH_CHANGE_REMOVED, sequence, cause,
                        err);
}

static int delete_row(const sh_objects *objects, const sh_bucket *bucket, sh_object_doomed *d,
                      const sh_object_cause *cause, char old[SH_OBJECT_FILE], sh_err *err)
{
    sh_present present;
    d->status = 0;
    d->marker = false;
    d->version_id[0] = old[0] = '\0';
    int status = d->version ? present_version(objects, bucket->name, d->key, d->version, &present, err)
                            : sh_present_get(objects, bucket->name, d->key, &present, err);
    if (status == 0)
        status = sh_present_check(bucket->name, d->key, &present, &d->condition, err);
    if (status == SH_E_CONFLICT || status == SH_E_NOT_FOUND) {
        d->status = status;
        return 0;
    }
    if (status < 0)
        return status;
    return d->version ? delete_version(objects, bucket, d, cause, old, err)
                      : delete_current(objects, bucket, d, &present, cause, old, err);
}

int sh_objects_delete_rows(const sh_objects *objects, const char *name, sh_object_doomed *doomed,
                           size_t count, const sh_object_cause *cause, char (*old)[SH_OBJECT_FILE],
                           sh_err *err)
{
    sh_bucket bucket;
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    memset(old, 0, count * sizeof(*old));
    status = sh_bucket_get(objects, name, &bucket, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = delete_row(objects, &bucket, &doomed[i], cause, old[i], err);
    return sh_db_end(objects->db, status, err);
}

int sh_objects_delete_each(const sh_objects *objects, const char *bucket, sh_object_doomed *doomed,
                           size_t count, const sh_object_cause *cause, sh_err *err)
{
    char(*old)[SH_OBJECT_FILE] = calloc(count ? count : 1, sizeof(*old));
    if (!old)
        return sh_fail(err, SH_E_MEMORY, "no memory to delete %zu objects", count);
    int status = sh_objects_delete_rows(objects, bucket, doomed, count, cause, old, err);
    if (status == SH_E_FULL && sh_reserve_release(objects))
        status = sh_objects_delete_rows(objects, bucket, doomed, count, cause, old, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        sh_object_file_drop(objects, old[i]);
    if (status == 0)
        sh_reserve_keep(objects);
    free(old);
    return status;
}

int sh_objects_delete(const sh_objects *objects, const char *bucket, const char *const *keys, size_t count,
                      const sh_object_cause *cause, sh_err *err)
{
    sh_object_doomed *doomed = calloc(count ? count : 1, sizeof(*doomed));
    if (!doomed)
        return sh_fail(err, SH_E_MEMORY, "no memory to delete %zu objects", count);
    for (size_t i = 0; i < count; i++)
        doomed[i].key = keys[i];
    int status = sh_objects_delete_each(objects, bucket, doomed, count, cause, err);
    free(doomed);
    return status;
}

int sh_object_delete(const sh_objects *objects, const char *bucket, const char *key,
                     const sh_object_cause *cause, sh_err *err)
{
    return sh_objects_delete(objects, bucket, &key, 1, cause, err);
}
