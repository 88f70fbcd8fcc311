/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buckets, and what is configured of each: a row of bucket_config for a kind of configuration, whose value is
 * text that cloud/api has checked. Every change of a bucket raises a number, by which readers know that what
 * they have parsed is still true. It is one number for the process: a change of one bucket makes the others
 * be read once more, which costs a query. */
#include "cloud/store/buckets.h"
#include "cloud/store/multipart.h"
#include "cloud/store/notices.h"
#include "cloud/store/object_files.h"
#include "cloud/store/schema.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char sh_schema_buckets[] =
    "CREATE TABLE IF NOT EXISTS bucket_config (bucket TEXT NOT NULL REFERENCES buckets (name)"
    " ON DELETE CASCADE, kind TEXT NOT NULL, value TEXT NOT NULL, modified_ms INTEGER NOT NULL,"
    " PRIMARY KEY (bucket, kind)) WITHOUT ROWID;";

const sh_bucket_config sh_bucket_defaults[] = {
    {"block", SH_BUCKET_BLOCK_ALL}, {"ownership", SH_BUCKET_OWNER_ENFORCED}, {NULL, NULL}};

/* Bits of the column eventbridge. */
enum { TO_EVENTBRIDGE = 1, TO_FUNCTIONS = 2 };

static _Atomic uint64_t generation = 1;

uint64_t sh_buckets_generation(void)
{
    return atomic_load(&generation);
}

static int changed(int status)
{
    atomic_fetch_add(&generation, 1);
    return status;
}

static bool is_label_end(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool like_address(const char *name)
{
    unsigned a, b, c, d;
    int used = 0;
    return sscanf(name, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &used) == 4 && name[used] == '\0';
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

bool sh_bucket_name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    size_t length = strlen(name);
    if (length < 3 || length > SH_BUCKET_NAME_MAX || strspn(name, letters) != length)
        return false;
    if (!is_label_end(name[0]) || !is_label_end(name[length - 1]) || strstr(name, "..") || like_address(name))
        return false;
    return strncmp(name, "xn--", 4) != 0 && strncmp(name, "sthree-", 7) != 0 &&
           strncmp(name, "amzn-s3-demo-", 13) != 0 && !ends_with(name, "-s3alias") &&
           !ends_with(name, "--ol-s3") && !ends_with(name, ".mrap") && !ends_with(name, "--x-s3");
}

int sh_bucket_create(const sh_objects *objects, const char *name, const char *region, sh_err *err)
{
    return sh_bucket_create_with(objects, name, region, sh_bucket_defaults, err);
}

static int insert_bucket(const sh_objects *objects, const char *name, const char *region,
                         const sh_bucket_config *configs, sh_err *err)
{
    int64_t now = sh_now_ms(objects->clock);
    int status =
        sh_db_run(objects->db, err, "INSERT INTO buckets (name, region, created_ms) VALUES (?1, ?2, ?3)",
                  "ssi", name, region, now);
    if (status == SH_E_CONFLICT)
        return sh_fail(err, status, "bucket %s exists already", name);
    for (; status == 0 && configs->kind; configs++)
        if (configs->value)
            status = sh_db_run(objects->db, err,
                               "INSERT INTO bucket_config (bucket, kind, value, modified_ms)"
                               " VALUES (?1, ?2, ?3, ?4)",
                               "sssi", name, configs->kind, configs->value, now);
    return status;
}

int sh_bucket_create_with(const sh_objects *objects, const char *name, const char *region,
                          const sh_bucket_config *configs, sh_err *err)
{
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    return changed(sh_db_end(objects->db, insert_bucket(objects, name, region, configs, err), err));
}

static void read_bucket(const sh_row *row, sh_bucket *out)
{
    snprintf(out->name, sizeof(out->name), "%s", sh_row_text(row, 0));
    snprintf(out->region, sizeof(out->region), "%s", sh_row_text(row, 1));
    out->created_ms = sh_row_int(row, 2);
    out->eventbridge = (sh_row_int(row, 3) & TO_EVENTBRIDGE) != 0;
    out->functions = (sh_row_int(row, 3) & TO_FUNCTIONS) != 0;
    out->versioning = (sh_versioning)sh_row_int(row, 4);
}

static int take_bucket(void *opaque, const sh_row *row)
{
    read_bucket(row, opaque);
    return 0;
}

int sh_bucket_get(const sh_objects *objects, const char *name, sh_bucket *out, sh_err *err)
{
    sh_bucket found = {0};
    int status =
        sh_db_each(objects->db, err,
                   "SELECT name, region, created_ms, eventbridge, versioning FROM buckets WHERE name = ?1",
                   take_bucket, &found, "s", name);
    if (status < 0)
        return status;
    if (!found.name[0])
        return sh_fail(err, SH_E_NOT_FOUND, "there is no bucket %s", name);
    *out = found;
    return 0;
}

typedef struct bucket_walk {
    sh_bucket_fn fn;
    void *opaque;
} bucket_walk;

static int walk_bucket(void *opaque, const sh_row *row)
{
    bucket_walk *walk = opaque;
    sh_bucket bucket;
    read_bucket(row, &bucket);
    return walk->fn(walk->opaque, &bucket);
}

int sh_bucket_each(const sh_objects *objects, sh_bucket_fn fn, void *opaque, sh_err *err)
{
    bucket_walk walk = {fn, opaque};
    return sh_db_each(objects->db, err,
                      "SELECT name, region, created_ms, eventbridge, versioning FROM buckets ORDER BY name",
                      walk_bucket, &walk, "");
}

static int set_rows(const sh_objects *objects, const char *bucket, const char *kind, const char *value,
                    sh_err *err)
{
    sh_bucket found;
    int status = sh_bucket_get(objects, bucket, &found, err);
    if (status < 0)
        return status;
    if (!value)
        return sh_db_run(objects->db, err, "DELETE FROM bucket_config WHERE bucket = ?1 AND kind = ?2", "ss",
                         bucket, kind);
    return sh_db_run(objects->db, err,
                     "INSERT INTO bucket_config (bucket, kind, value, modified_ms) VALUES (?1, ?2, ?3, ?4)"
                     " ON CONFLICT (bucket, kind) DO UPDATE SET value = ?3, modified_ms = ?4",
                     "sssi", bucket, kind, value, sh_now_ms(objects->clock));
}

static int set_targets(const sh_objects *objects, const char *name, int64_t targets, sh_err *err)
{
    int status = sh_db_run(objects->db, err, "UPDATE buckets SET eventbridge = ?2 WHERE name = ?1", "si",
                           name, targets);
    if (status == 0 && sh_db_changes(objects->db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no bucket %s", name);
    return status;
}

int sh_bucket_set_notification(const sh_objects *objects, const char *bucket, bool eventbridge,
                               bool functions, const char *text, sh_err *err)
{
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    status = set_targets(objects, bucket, (eventbridge ? TO_EVENTBRIDGE : 0) | (functions ? TO_FUNCTIONS : 0),
                         err);
    if (status == 0)
        status = set_rows(objects, bucket, "notification", text, err);
    return changed(sh_db_end(objects->db, status, err));
}

int sh_bucket_set_eventbridge(const sh_objects *objects, const char *name, bool on, sh_err *err)
{
    return sh_bucket_set_notification(objects, name, on, false, NULL, err);
}

int sh_bucket_set_versioning(const sh_objects *objects, const char *name, sh_versioning versioning,
                             sh_err *err)
{
    if (versioning == SH_VERSIONING_NEVER)
        return sh_fail(err, SH_E_ARGUMENT, "versioning can be suspended, not taken back");
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    status = sh_db_run(objects->db, err, "UPDATE buckets SET versioning = ?2 WHERE name = ?1", "si", name,
                       (int64_t)versioning);
    if (status == 0 && sh_db_changes(objects->db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no bucket %s", name);
    return changed(sh_db_end(objects->db, status, err));
}

/* A row when there is anything in it: objects, versions, delete markers. */
static const char any_in_bucket[] = "SELECT 1 FROM objects WHERE bucket = ?1 UNION ALL"
                                    " SELECT 1 FROM object_versions WHERE bucket = ?1 LIMIT 1";

static int delete_bucket_rows(const sh_objects *objects, const char *name, sh_err *err)
{
    int rows = 0;
    int status = sh_db_each(objects->db, err, any_in_bucket, sh_count_row, &rows, "s", name);
    if (status == 0 && rows > 0)
        status = sh_fail(err, SH_E_CONFLICT, "bucket %s is not empty", name);
    if (status == 0)
        status = sh_db_run(objects->db, err, "DELETE FROM buckets WHERE name = ?1", "s", name);
    if (status == 0 && sh_db_changes(objects->db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no bucket %s", name);
    return status;
}

static int end_uploads(const sh_objects *objects, const char *name, sh_err *err)
{
    sh_upload *uploads;
    size_t count;
    int status;
    sh_arena *arena = sh_arena_new((size_t)64 << 20);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory");
    status = sh_uploads_list(objects, name, "", "", "", 100000, arena, &uploads, &count, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = sh_upload_abort(objects, uploads[i].id, err);
    sh_arena_free(arena);
    return status;
}

int sh_bucket_delete(const sh_objects *objects, const char *name, sh_err *err)
{
    int rows = 0;
    int status = sh_db_each(objects->db, err, any_in_bucket, sh_count_row, &rows, "s", name);
    if (status == 0 && rows == 0)
        status = end_uploads(objects, name, err);
    if (status < 0 || (status = sh_db_begin(objects->db, err)) < 0)
        return status;
    return changed(sh_db_end(objects->db, delete_bucket_rows(objects, name, err), err));
}

/* ---- configuration ---- */

int sh_bucket_config_set(const sh_objects *objects, const char *bucket, const char *kind, const char *value,
                         sh_err *err)
{
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    return changed(sh_db_end(objects->db, set_rows(objects, bucket, kind, value, err), err));
}

typedef struct config_walk {
    sh_bucket_config_fn fn;
    void *opaque;
} config_walk;

static int walk_config(void *opaque, const sh_row *row)
{
    config_walk *walk = opaque;
    return walk->fn(walk->opaque, sh_row_text(row, 0), sh_row_text(row, 1), sh_row_int(row, 2));
}

int sh_bucket_config_each(const sh_objects *objects, const char *bucket, sh_bucket_config_fn fn, void *opaque,
                          sh_err *err)
{
    config_walk walk = {fn, opaque};
    return sh_db_each(objects->db, err,
                      "SELECT kind, value, modified_ms FROM bucket_config WHERE bucket = ?1", walk_config,
                      &walk, "s", bucket);
}

int sh_bucket_config_with(const sh_objects *objects, const char *kind, sh_bucket_config_fn fn, void *opaque,
                          sh_err *err)
{
    config_walk walk = {fn, opaque};
    return sh_db_each(objects->db, err,
                      "SELECT bucket, value, modified_ms FROM bucket_config WHERE kind = ?1 ORDER BY bucket",
                      walk_config, &walk, "s", kind);
}
