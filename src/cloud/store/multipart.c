/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/multipart.h"
#include "base/file.h"
#include "cloud/store/bodies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { ID_TIME = 12, AHEAD_MS = 1000 };

static int take_id_time(void *opaque, const sh_row *row)
{
    char prefix[ID_TIME + 1];
    snprintf(prefix, sizeof(prefix), "%s", sh_row_text(row, 0));
    *(int64_t *)opaque = (int64_t)strtoull(prefix, NULL, 16);
    return 0;
}

/* The time and 80 random bits. Two uploads of a key within a millisecond: the later one is put into the next.
 * (Ids of earlier versions of the server had no time in front.) */
static int make_id(const sh_objects *objects, const sh_upload *upload, int64_t now, char *id, sh_err *err)
{
    unsigned char b[10];
    char limit[ID_TIME + 8];
    int64_t last = 0;
    snprintf(limit, sizeof(limit), "%0*llx", ID_TIME, (unsigned long long)(now + AHEAD_MS));
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        return sh_fail_errno(err, errno, "no random bytes");
    int status = sh_db_each(objects->db, err,
                            "SELECT id FROM uploads WHERE bucket = ?1 AND key = ?2 AND id < ?3"
                            " ORDER BY id DESC LIMIT 1",
                            take_id_time, &last, "sss", upload->bucket, upload->key, limit);
    if (last >= now)
        now = last + 1;
    int used = snprintf(id, SH_UPLOAD_ID_MAX, "%0*llx", ID_TIME, (unsigned long long)now);
    for (size_t i = 0; i < sizeof(b); i++)
        used += snprintf(id + used, SH_UPLOAD_ID_MAX - (size_t)used, "%02x", b[i]);
    return status;
}

int sh_upload_create(const sh_objects *objects, const sh_upload *upload, char *id, sh_err *err)
{
    char text[SH_UPLOAD_ID_MAX];
    sh_bucket bucket;
    int64_t now = sh_now_ms(objects->clock);
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    status = sh_bucket_get(objects, upload->bucket, &bucket, err);
    if (status == 0)
        status = make_id(objects, upload, now, text, err);
    if (status == 0)
        status =
            sh_db_run(objects->db, err,
                      "INSERT INTO uploads (id, bucket, key, content_type, headers, checksum, created_ms,"
                      " tags, acl, storage) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                      "ssssssisss", text, upload->bucket, upload->key, upload->content_type,
                      upload->headers ? upload->headers : "{}", upload->checksum, now, upload->tags,
                      upload->acl, upload->storage);
    status = sh_db_end(objects->db, status, err);
    if (status == 0)
        memcpy(id, text, strlen(text) + 1);
    return status;
}

/* ---- reading ---- */

#define UPLOAD_COLUMNS "id, bucket, key, content_type, headers, checksum, created_ms, tags, acl, storage"

typedef struct upload_list {
    sh_arena *arena;
    sh_upload *uploads;
    size_t count;
    size_t capacity;
} upload_list;

/* Room for one more in an arena's array, doubling. */
static void *room(sh_arena *arena, void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t more = *capacity ? *capacity * 2 : 16;
    void *larger = sh_arena_alloc(arena, more * size);
    if (!larger)
        return NULL;
    if (count)
        memcpy(larger, array, count * size);
    *capacity = more;
    return larger;
}

static const char *keep(sh_arena *arena, const char *text)
{
    return text ? sh_arena_strdup(arena, text) : NULL;
}

static int take_upload(void *opaque, const sh_row *row)
{
    upload_list *list = opaque;
    sh_upload *grown = room(list->arena, list->uploads, list->count, &list->capacity, sizeof(*grown));
    if (!grown)
        return SH_E_MEMORY;
    list->uploads = grown;
    sh_upload *u = &grown[list->count++];
    u->id = keep(list->arena, sh_row_text(row, 0));
    u->bucket = keep(list->arena, sh_row_text(row, 1));
    u->key = keep(list->arena, sh_row_text(row, 2));
    u->content_type = keep(list->arena, sh_row_text(row, 3));
    u->headers = keep(list->arena, sh_row_text(row, 4));
    u->checksum = keep(list->arena, sh_row_text(row, 5));
    u->created_ms = sh_row_int(row, 6);
    u->tags = keep(list->arena, sh_row_text(row, 7));
    u->acl = keep(list->arena, sh_row_text(row, 8));
    u->storage = keep(list->arena, sh_row_text(row, 9));
    return u->id && u->bucket && u->key && u->headers ? 0 : SH_E_MEMORY;
}

int sh_upload_get(const sh_objects *objects, const char *bucket, const char *key, const char *id,
                  sh_arena *arena, sh_upload *out, sh_err *err)
{
    upload_list list = {.arena = arena};
    int status = sh_db_each(objects->db, err,
                            "SELECT " UPLOAD_COLUMNS " FROM uploads"
                            " WHERE id = ?1 AND bucket = ?2 AND key = ?3",
                            take_upload, &list, "sss", id, bucket, key);
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for an upload") : status;
    if (list.count == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no upload %s of s3://%s/%s", id, bucket, key);
    *out = list.uploads[0];
    return 0;
}

int sh_uploads_list(const sh_objects *objects, const char *bucket, const char *prefix, const char *after_key,
                    const char *after_id, int64_t max, sh_arena *arena, sh_upload **uploads, size_t *count,
                    sh_err *err)
{
    upload_list list = {.arena = arena};
    int status = sh_db_each(objects->db, err,
                            "SELECT " UPLOAD_COLUMNS " FROM uploads"
                            " WHERE bucket = ?1 AND (key, id) > (?2, ?3) AND substr(key, 1, length(?4)) = ?4"
                            " ORDER BY key, id LIMIT ?5",
                            take_upload, &list, "ssssi", bucket, after_key, after_id, prefix, max);
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for a list of uploads") : status;
    *uploads = list.uploads;
    *count = list.count;
    return 0;
}

typedef struct part_list {
    sh_arena *arena;
    sh_part *parts;
    size_t count;
    size_t capacity;
} part_list;

static int take_part(void *opaque, const sh_row *row)
{
    part_list *list = opaque;
    sh_part *grown = room(list->arena, list->parts, list->count, &list->capacity, sizeof(*grown));
    if (!grown)
        return SH_E_MEMORY;
    list->parts = grown;
    sh_part *p = &grown[list->count++];
    p->number = sh_row_int(row, 0);
    p->file = keep(list->arena, sh_row_text(row, 1));
    p->etag = keep(list->arena, sh_row_text(row, 2));
    p->checksum = keep(list->arena, sh_row_text(row, 3));
    p->size = sh_row_int(row, 4);
    p->modified_ms = sh_row_int(row, 5);
    return p->file && p->etag ? 0 : SH_E_MEMORY;
}

int sh_upload_parts(const sh_objects *objects, const char *id, int64_t after, int64_t max, sh_arena *arena,
                    sh_part **parts, size_t *count, sh_err *err)
{
    part_list list = {.arena = arena};
    int status = sh_db_each(objects->db, err,
                            "SELECT number, file, etag, checksum, size, modified_ms FROM parts"
                            " WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
                            take_part, &list, "sii", id, after, max);
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for a list of parts") : status;
    *parts = list.parts;
    *count = list.count;
    return 0;
}

/* ---- writing ---- */

static int insert_part(const sh_objects *objects, const char *id, const sh_part *part, const char *file,
                       char old[SH_OBJECT_FILE], sh_err *err)
{
    int rows = 0;
    int status =
        sh_db_each(objects->db, err, "SELECT 1 FROM uploads WHERE id = ?1", sh_count_row, &rows, "s", id);
    if (status == 0 && rows == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no upload %s", id);
    if (status == 0)
        status = sh_db_each(objects->db, err, "SELECT file FROM parts WHERE upload = ?1 AND number = ?2",
                            sh_take_file, old, "si", id, part->number);
    if (status == 0)
        status = sh_db_run(objects->db, err,
                           "INSERT OR REPLACE INTO parts (upload, number, file, size, etag, checksum,"
                           " modified_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                           "sisissi", id, part->number, file, part->size, part->etag, part->checksum,
                           sh_now_ms(objects->clock));
    return status;
}

int sh_upload_put_part(const sh_objects *objects, const char *id, const sh_part *part, const char *path,
                       const void *bytes, sh_err *err)
{
    sh_folder_set folders = {0};
    sh_incoming in;
    size_t room = SH_INCOMING_MAX;
    char old[SH_OBJECT_FILE] = "";
    int status = sh_incoming_take(objects, path, bytes, (size_t)part->size, &folders, &room, &in, err);
    if (status < 0)
        return status;
    status = sh_object_folders_sync(objects, &folders, err);
    if (status == 0 && (status = sh_db_begin(objects->db, err)) == 0) {
        status = sh_incoming_place(objects, &in, err);
        if (status == 0)
            status = insert_part(objects, id, part, in.file, old, err);
        status = sh_db_end(objects->db, status, err);
    }
    sh_incoming_end(objects, &in, status == 0);
    if (status == 0)
        sh_object_file_drop(objects, old);
    return status;
}

/* Appends `size` bytes of `from` to `to`. */
static int copy_part(int from, int to, int64_t size, sh_err *err)
{
    while (size > 0) {
        size_t step = size < (1 << 30) ? (size_t)size : (size_t)1 << 30;
        ssize_t put = copy_file_range(from, NULL, to, NULL, step, 0);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return sh_fail_errno(err, errno, "cannot join the parts");
        if (put == 0)
            return sh_fail(err, SH_E_INTERNAL, "the file of a part is shorter than its row says");
        size -= put;
    }
    return 0;
}

static int add_part(const sh_objects *objects, const sh_part *part, int to, sh_err *err)
{
    int from, status;
    if (sh_body_name(part->file)) {
        void *bytes;
        size_t length;
        status = sh_body_get(objects, part->file, &bytes, &length, err);
        if (status < 0)
            return status;
        status = sh_fd_write(to, bytes, length, err);
        free(bytes);
        return status;
    }
    status = sh_object_file_open(objects, part->file, &from, err);
    if (status < 0)
        return status;
    status = copy_part(from, to, part->size, err);
    close(from);
    return status;
}

int sh_upload_join(const sh_objects *objects, const sh_part *parts, size_t count, char *path, sh_err *err)
{
    int fd;
    int status = sh_stage_file(objects, path, &fd, err);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && i < count; i++)
        status = add_part(objects, &parts[i], fd, err);
    close(fd);
    if (status < 0)
        unlink(path);
    return status;
}

/* Takes the files of all parts of an upload and removes its rows, inside the caller's transaction. */
static int end_upload(const sh_objects *objects, const char *id, part_list *list, sh_err *err)
{
    int status = sh_db_each(objects->db, err,
                            "SELECT number, file, etag, checksum, size, modified_ms FROM parts"
                            " WHERE upload = ?1",
                            take_part, list, "s", id);
    if (status == 0)
        status = sh_db_run(objects->db, err, "DELETE FROM parts WHERE upload = ?1", "s", id);
    if (status == 0)
        status = sh_db_run(objects->db, err, "DELETE FROM uploads WHERE id = ?1", "s", id);
    if (status == 0 && sh_db_changes(objects->db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no upload %s", id);
    return status;
}

static void drop_parts(const sh_objects *objects, const part_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        sh_object_file_drop(objects, list->parts[i].file);
}

int sh_upload_abort(const sh_objects *objects, const char *id, sh_err *err)
{
    part_list list = {.arena = sh_arena_new((size_t)64 << 20)};
    if (!list.arena)
        return sh_fail(err, SH_E_MEMORY, "no memory");
    int status = sh_db_begin(objects->db, err);
    if (status == 0)
        status = sh_db_end(objects->db, end_upload(objects, id, &list, err), err);
    if (status == 0)
        drop_parts(objects, &list);
    sh_arena_free(list.arena);
    return status;
}

int sh_upload_complete(const sh_objects *objects, const char *id, const sh_object_new *item,
                       const sh_object_cause *cause, sh_err *err)
{
    sh_folder_set folders = {0};
    sh_incoming in = {.file = ""};
    size_t room = SH_INCOMING_MAX;
    char old[SH_OBJECT_FILE] = "";
    part_list list = {.arena = sh_arena_new((size_t)64 << 20)};
    if (!list.arena)
        return sh_fail(err, SH_E_MEMORY, "no memory");
    int status = sh_incoming_take(objects, item->path, item->bytes, item->length, &folders, &room, &in, err);
    if (status == 0)
        status = sh_object_folders_sync(objects, &folders, err);
    if (status == 0 && (status = sh_db_begin(objects->db, err)) == 0) {
        status = end_upload(objects, id, &list, err);
        if (status == 0)
            status = sh_incoming_place(objects, &in, err);
        if (status == 0)
            status = sh_object_insert(objects, item, in.file, in.size, item->etag, cause, old, err);
        status = sh_db_end(objects->db, status, err);
    }
    sh_incoming_end(objects, &in, status == 0);
    if (status == 0)
        sh_object_file_drop(objects, old);
    if (status == 0)
        drop_parts(objects, &list);
    sh_arena_free(list.arena);
    return status;
}
