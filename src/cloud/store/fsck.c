/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows in order of their files and the names in objects/ are walked side by side, a folder at a time, so that
 * memory is that of one folder of 256, and one look finds what is missing on either side. */
#include "cloud/store/fsck.h"
#include "base/file.h"
#include "cloud/store/bodies.h"
#include "cloud/store/take.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PAGE_ARENA = 64 << 20, WHAT = 1400 };

typedef struct check {
    const sh_objects *objects;
    sh_fsck *f;
    sh_err *err;
} check;

int sh_data_lock(const char *data, int *fd, sh_err *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s/lock", data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        int status = errno == EWOULDBLOCK
                         ? sh_fail(err, SH_E_CONFLICT, "a server runs on data folder %s: stop it first", data)
                         : sh_fail_errno(err, errno, "cannot lock %s", path);
        close(lock);
        return status;
    }
    *fd = lock;
    return 0;
}

static void tell(check *c, const char *kind, const char *what, const char *says, bool repaired)
{
    sh_fsck_problem problem = {kind, what, says, repaired};
    c->f->problems++;
    c->f->repaired += repaired;
    if (c->f->problem)
        c->f->problem(c->f->opaque, &problem);
}

/* ---- the database ---- */

typedef struct told {
    check *c;
    bool index; /* an index is wrong, which can be made anew */
    bool other;
} told;

static int on_integrity(void *opaque, const sh_row *row)
{
    told *t = opaque;
    const char *text = sh_row_text(row, 0);
    if (strcmp(text, "ok") == 0)
        return 0;
    if (strstr(text, "index"))
        t->index = true;
    else
        t->other = true;
    tell(t->c, "database", "spyhop.db", text, t->c->f->repair && strstr(text, "index"));
    return 0;
}

/* Rows that refer to what is not there; parts are looked at by check_parts. */
static int on_reference(void *opaque, const sh_row *row)
{
    told *t = opaque;
    const char *table = sh_row_text(row, 0);
    if (table && strcmp(table, "parts") != 0)
        tell(t->c, "database", table, "a row refers to one that is not there", false);
    return 0;
}

static int check_database(check *c)
{
    told t = {.c = c};
    sh_db *db = c->objects->db;
    int status = sh_db_each(db, c->err, "PRAGMA integrity_check(100)", on_integrity, &t, "");
    if (status == 0 && t.index && !t.other && c->f->repair)
        status = sh_db_run(db, c->err, "REINDEX", "");
    if (status == 0)
        status = sh_db_each(db, c->err, "PRAGMA foreign_key_check", on_reference, &t, "");
    return status;
}

static int check_parts(check *c)
{
    static const char gone[] = "DELETE FROM parts WHERE upload NOT IN (SELECT id FROM uploads)";
    char what[64];
    int rows = 0;
    int status =
        sh_db_each(c->objects->db, c->err, "SELECT 1 FROM parts WHERE upload NOT IN (SELECT id FROM uploads)",
                   sh_count_row, &rows, "");
    if (status < 0 || rows == 0)
        return status;
    if (c->f->repair)
        status = sh_db_run(c->objects->db, c->err, gone, "");
    snprintf(what, sizeof(what), "%d parts", rows);
    if (status == 0)
        tell(c, "part", what, "their upload is not there", c->f->repair);
    return status;
}

/* Rows that no walk over names would meet, or that contradict each other. */
static const struct {
    const char *sql, *says;
} contradictions[] = {
    {"SELECT 's3://' || bucket || '/' || key FROM objects WHERE length(CAST(key AS BLOB)) NOT BETWEEN 1 AND "
     "1024"
     " OR size < 0",
     "a key or a size that cannot be"},
    {"SELECT 's3://' || bucket || '/' || key FROM object_versions WHERE length(CAST(key AS BLOB)) NOT "
     "BETWEEN 1"
     " AND 1024 OR size < 0 OR (marker = 0) <> (file IS NOT NULL)",
     "a version's row that cannot be"},
    {"SELECT file FROM (SELECT file FROM objects UNION ALL SELECT file FROM object_versions WHERE file IS NOT"
     " NULL UNION ALL SELECT file FROM parts) WHERE NOT CASE WHEN file > 'row/' THEN length(file) = 23 AND"
     " substr(file, 1, 4) = 'row/' AND file NOT GLOB 'row/*[^0-9]*' ELSE length(file) = 35 AND"
     " substr(file, 3, 1) = '/' AND substr(file, 1, 2) = substr(file, 4, 2) END",
     "a row names a file that cannot be one of objects/"},
    {"SELECT file FROM objects WHERE file IN (SELECT file FROM object_versions) OR file IN (SELECT file FROM"
     " parts) UNION SELECT file FROM object_versions WHERE file IN (SELECT file FROM parts)",
     "two rows name the same file"},
    {"SELECT 's3://' || o.bucket || '/' || o.key FROM objects o JOIN object_versions v ON v.bucket = o.bucket"
     " AND v.key = o.key WHERE v.version_id = o.version_id OR v.sequence >= o.sequence",
     "an older version has the id of the current object, or is newer"},
};

typedef struct contradiction {
    check *c;
    const char *says;
} contradiction;

static int on_contradiction(void *opaque, const sh_row *row)
{
    contradiction *x = opaque;
    const char *what = sh_row_text(row, 0);
    tell(x->c, "row", what ? what : "(no name)", x->says, false);
    return 0;
}

static int check_rows(check *c)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(contradictions) / sizeof(*contradictions); i++) {
        contradiction x = {c, contradictions[i].says};
        status = sh_db_each(c->objects->db, c->err, contradictions[i].sql, on_contradiction, &x, "");
    }
    return status;
}

/* ---- one row ---- */

static void name_row(const sh_scrub_row *row, char what[WHAT])
{
    if (row->kind == 'p')
        snprintf(what, WHAT, "s3://%s/%s upload %s part %lld", row->bucket ? row->bucket : "?",
                 row->key ? row->key : "?", row->version, (long long)row->number);
    else if (row->kind == 'v' || strcmp(row->version, "null") != 0)
        snprintf(what, WHAT, "s3://%s/%s version %s", row->bucket, row->key, row->version);
    else
        snprintf(what, WHAT, "s3://%s/%s", row->bucket, row->key);
}

static bool is_json(const char *text, char kind)
{
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    bool good = !text || (kind == '{' ? json_is_object(value) : json_is_array(value));
    json_decref(value);
    return good;
}

static int repair_part(check *c, const sh_scrub_row *row, bool *repaired)
{
    *repaired = c->f->repair && row->kind == 'p';
    return *repaired
               ? sh_db_run(c->objects->db, c->err, "DELETE FROM parts WHERE upload = ?1 AND number = ?2",
                           "si", row->version, row->number)
               : 0;
}

static int check_row(check *c, const sh_scrub_row *row)
{
    static const char *const kinds[] = {[SH_SCRUB_MISSING] = "missing",
                                        [SH_SCRUB_SIZE] = "size",
                                        [SH_SCRUB_BYTES] = "bytes",
                                        [SH_SCRUB_UNREADABLE] = "unreadable"};
    char what[WHAT];
    sh_scrub_verdict verdict = sh_scrub_look(c->objects, row);
    bool repaired;
    int status = 0;
    *(row->kind == 'o' ? &c->f->objects : row->kind == 'v' ? &c->f->versions : &c->f->parts) += 1;
    c->f->bytes += row->size;
    name_row(row, what);
    if (!is_json(row->headers, '{') || !is_json(row->tags, '{') || !is_json(row->parts, '['))
        tell(c, "row", what, "headers, tags or parts are no JSON", false);
    if (verdict == SH_SCRUB_GOOD && c->f->scrub)
        status = sh_scrub_read(c->objects, row, c->f->pace, c->f->opaque, &verdict, c->err);
    if (status < 0)
        return status;
    if (verdict == SH_SCRUB_UNVERIFIED)
        c->f->unverified++;
    if (verdict == SH_SCRUB_GOOD || verdict == SH_SCRUB_UNVERIFIED)
        return 0;
    status = repair_part(c, row, &repaired);
    if (status == 0)
        tell(c, kinds[verdict], what, sh_scrub_says(verdict), repaired);
    return status;
}

/* ---- one folder ---- */

typedef struct names {
    char (*list)[SH_OBJECT_FILE];
    size_t count, capacity;
} names;

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int add_name(names *n, const char *file, sh_err *err)
{
    if (n->count == n->capacity) {
        size_t more = n->capacity ? n->capacity * 2 : 1024;
        void *grown = reallocarray(n->list, more, sizeof(*n->list));
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "no memory for %zu names of files", more);
        n->list = grown;
        n->capacity = more;
    }
    memcpy(n->list[n->count++], file, SH_OBJECT_FILE);
    return 0;
}

/* Moves objects/<file> to lost/<name>. */
static int lose(check *c, const char *file, bool *repaired)
{
    char from[PATH_MAX], to[PATH_MAX];
    const char *slash = strrchr(file, '/');
    *repaired = false;
    if (!c->f->repair)
        return 0;
    if ((size_t)snprintf(to, sizeof(to), "%s/lost", c->objects->data) >= sizeof(to) ||
        (size_t)snprintf(from, sizeof(from), "%s/objects/%s", c->objects->data, file) >= sizeof(from))
        return sh_fail(c->err, SH_E_ARGUMENT, "the data folder's path is too long");
    int status = sh_dir_make(to, 0700, c->err);
    if (status == 0 && (size_t)snprintf(to, sizeof(to), "%s/lost/%s", c->objects->data,
                                        slash ? slash + 1 : file) >= sizeof(to))
        status = sh_fail(c->err, SH_E_ARGUMENT, "the data folder's path is too long");
    if (status == 0 && rename(from, to) < 0)
        status = sh_fail_errno(c->err, errno, "cannot move %s to %s", from, to);
    *repaired = status == 0;
    return status;
}

static int tell_lost(check *c, const char *kind, const char *file, const char *says)
{
    char what[WHAT];
    bool repaired;
    int status = lose(c, file, &repaired);
    snprintf(what, sizeof(what), "objects/%s", file);
    if (status == 0)
        tell(c, kind, what, says, repaired);
    return status;
}

static int on_entry(check *c, names *n, const char *folder, const struct dirent *entry)
{
    char file[NAME_MAX + 4];
    snprintf(file, sizeof(file), "%s/%s", folder, entry->d_name);
    if (!sh_object_file_name(file) || (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN))
        return tell_lost(c, "stray", file, "no file of an object has such a name");
    c->f->files++;
    return add_name(n, file, c->err);
}

static int read_folder(check *c, names *n, const char *folder)
{
    char path[PATH_MAX];
    int status = 0;
    if ((size_t)snprintf(path, sizeof(path), "%s/objects/%s", c->objects->data, folder) >= sizeof(path))
        return sh_fail(c->err, SH_E_ARGUMENT, "the data folder's path is too long");
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : sh_fail_errno(c->err, errno, "cannot read %s", path);
    for (struct dirent *entry; status == 0 && (errno = 0, entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = on_entry(c, n, folder, entry);
    if (status == 0 && errno)
        status = sh_fail_errno(c->err, errno, "cannot read %s", path);
    closedir(dir);
    if (n->count)
        qsort(n->list, n->count, sizeof(*n->list), by_name);
    return status;
}

/* A file of no row: on its way (a name in tmp), to be unlinked (garbage), or an orphan. */
static int check_file(check *c, const char *file)
{
    char staged[PATH_MAX];
    int rows = 0;
    int status = sh_db_each(c->objects->db, c->err, "SELECT 1 FROM garbage WHERE file = ?1", sh_count_row,
                            &rows, "s", file);
    snprintf(staged, sizeof(staged), "%s/tmp/%s", c->objects->data, file + 3);
    if (status < 0 || rows > 0 || access(staged, F_OK) == 0)
        return status;
    return tell_lost(c, "orphan", file, "no row names this file");
}

/* Names up to that of the row are of no row. */
static int pass_names(check *c, const names *n, size_t *at, const char *file)
{
    int status = 0;
    while (status == 0 && *at < n->count && (!file || strcmp(n->list[*at], file) < 0))
        status = check_file(c, n->list[(*at)++]);
    while (file && *at < n->count && strcmp(n->list[*at], file) == 0)
        ++*at;
    return status;
}

static int walk_page(check *c, const names *n, size_t *at, char after[SH_OBJECT_FILE], const char *before,
                     bool *more)
{
    sh_scrub_row *rows;
    size_t count = 0;
    sh_arena *arena = sh_arena_new(PAGE_ARENA);
    if (!arena)
        return sh_fail(c->err, SH_E_MEMORY, "no memory");
    int status = sh_scrub_rows(c->objects, after, before, arena, &rows, &count, c->err);
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = pass_names(c, n, at, rows[i].file);
        if (status == 0)
            status = check_row(c, &rows[i]);
    }
    if (count)
        snprintf(after, SH_OBJECT_FILE, "%s", rows[count - 1].file);
    *more = count == SH_SCRUB_PAGE;
    sh_arena_free(arena);
    return status;
}

static int check_folder(check *c, unsigned number)
{
    char folder[4], after[SH_OBJECT_FILE], before[SH_OBJECT_FILE];
    names n = {0};
    size_t at = 0;
    bool more = true;
    snprintf(folder, sizeof(folder), "%02x", number & 255);
    snprintf(after, sizeof(after), "%s/", folder);
    snprintf(before, sizeof(before), "%s0", folder); /* '0' follows '/' */
    int status = read_folder(c, &n, folder);
    while (status == 0 && more)
        status = walk_page(c, &n, &at, after, before, &more);
    if (status == 0)
        status = pass_names(c, &n, &at, NULL);
    free(n.list);
    return status;
}

/* ---- bodies in the database ---- */

static int check_bodies(check *c)
{
    char after[SH_OBJECT_FILE] = SH_BODY_PREFIX;
    const names none = {0};
    size_t at = 0;
    bool more = true;
    int status = 0;
    while (status == 0 && more)
        status = walk_page(c, &none, &at, after, SH_BODY_AFTER, &more);
    return status;
}

typedef struct spare {
    char file[SH_OBJECT_FILE];
    int64_t id;
} spare;

static int take_spare(void *opaque, const sh_row *row)
{
    spare *s = opaque;
    s->id = sh_row_int(row, 0);
    snprintf(s->file, sizeof(s->file), "%s", sh_row_text(row, 1));
    return 1;
}

/* Writes the bytes to lost/body-<id> and removes the row. */
static int lose_body(check *c, const spare *s)
{
    char path[PATH_MAX];
    void *bytes = NULL;
    size_t length = 0;
    if ((size_t)snprintf(path, sizeof(path), "%s/lost", c->objects->data) >= sizeof(path) - 40)
        return sh_fail(c->err, SH_E_ARGUMENT, "the data folder's path is too long");
    int status = sh_dir_make(path, 0700, c->err);
    snprintf(path + strlen(path), 40, "/body-%lld", (long long)s->id);
    if (status == 0)
        status = sh_body_get(c->objects, s->file, &bytes, &length, c->err);
    if (status == 0)
        status = sh_file_replace(path, bytes, length, 0600, c->err);
    if (status == 0)
        status = sh_db_run(c->objects->db, c->err, "DELETE FROM bodies WHERE id = ?1", "i", s->id);
    free(bytes);
    return status;
}

/* Bodies that no row names: the other way round of `missing`. */
static int check_spare_bodies(check *c)
{
    spare s = {.id = 0};
    for (;;) {
        int64_t last = s.id;
        int status = sh_db_each(c->objects->db, c->err,
                                "SELECT id, name FROM (SELECT id, printf('row/%019d', id) AS name FROM bodies"
                                " WHERE id > ?1) WHERE NOT EXISTS (SELECT 1 FROM objects WHERE file = name)"
                                " AND NOT EXISTS (SELECT 1 FROM object_versions WHERE file = name)"
                                " AND NOT EXISTS (SELECT 1 FROM parts WHERE file = name) ORDER BY id LIMIT 1",
                                take_spare, &s, "i", last);
        if (status == 0 && s.id == last)
            return sh_db_each(c->objects->db, c->err, "SELECT count(*) FROM bodies", sh_take_number,
                              &c->f->bodies, "");
        if (status < 0)
            return status;
        if (c->f->repair && (status = lose_body(c, &s)) < 0)
            return status;
        tell(c, "orphan", s.file, "no row names these bytes", c->f->repair);
    }
}

int sh_fsck_run(const sh_objects *objects, sh_fsck *fsck, sh_err *err)
{
    check c = {objects, fsck, err};
    int status = check_database(&c);
    if (status == 0)
        status = check_parts(&c);
    if (status == 0)
        status = check_rows(&c);
    for (unsigned i = 0; status == 0 && i < 256; i++)
        status = check_folder(&c, i);
    if (status == 0)
        status = check_bodies(&c);
    if (status == 0)
        status = check_spare_bodies(&c);
    return status;
}
