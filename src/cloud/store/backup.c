/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both ways are the same: the database as "partial.db", the files that its rows name, all else of the folder,
 * one sync of the file system, and only then the database under its name. */
#include "cloud/store/backup.h"
#include "base/file.h"
#include "cloud/store/bodies.h"
#include "cloud/store/fsck.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_ARENA = 64 << 20, BUSY_MS = 60000 };

typedef struct transfer {
    const char *from, *to;
    sh_backup *b;
    bool verify;
    sh_err *err;
} transfer;

static int join(char path[PATH_MAX], const char *folder, const char *name, sh_err *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "the path %s/%s is too long", folder, name);
    return 0;
}

/* ---- the database ---- */

static int copy_pages(sqlite3 *from, sqlite3 *to, sh_err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
    if (backup)
        sqlite3_backup_finish(backup);
    if (code == SQLITE_DONE)
        return 0;
    return sh_fail(err, code == SQLITE_FULL ? SH_E_FULL : SH_E_IO, "cannot copy the database: %s",
                   backup ? sqlite3_errstr(code) : sqlite3_errmsg(to));
}

static int copy_database(const transfer *t, const char *to)
{
    char from[PATH_MAX];
    sqlite3 *source = NULL, *copy = NULL;
    int status = join(from, t->from, "spyhop.db", t->err);
    if (status < 0)
        return status;
    if (sqlite3_open_v2(from, &source, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK &&
        (sqlite3_close(source),
         sqlite3_open_v2(from, &source, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL)) != SQLITE_OK)
        status = sh_fail(t->err, SH_E_IO, "cannot open %s: %s", from, sqlite3_errmsg(source));
    else if (sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                             NULL) != SQLITE_OK)
        status = sh_fail(t->err, SH_E_IO, "cannot make %s: %s", to, sqlite3_errmsg(copy));
    if (status == 0) {
        sqlite3_busy_timeout(source, BUSY_MS);
        status = copy_pages(source, copy, t->err);
    }
    sqlite3_close(copy);
    sqlite3_close(source);
    return status;
}

/* ---- files ---- */

static int copy_bytes(int from, int to, const char *path, sh_err *err)
{
    for (;;) {
        ssize_t put = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
        if (put < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
            break; /* across file systems of some kinds: by hand, from here on */
        if (put < 0 && errno != EINTR)
            return sh_fail_errno(err, errno, "cannot copy to %s", path);
        if (put == 0)
            return 0;
    }
    char block[64 * 1024];
    for (;;) {
        ssize_t got = read(from, block, sizeof(block));
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return sh_fail_errno(err, errno, "cannot read the source of %s", path);
        int status = got > 0 ? sh_fd_write(to, block, (size_t)got, err) : 0;
        if (status < 0)
            return status;
    }
}

/* SH_E_NOT_FOUND: the source is not there. */
static int copy_file(const char *from, const char *to, sh_err *err)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return sh_fail_errno(err, errno, "cannot open %s", from);
    int status = 0;
    int out = fstat(in, &st) < 0 || !S_ISREG(st.st_mode)
                  ? (errno = EINVAL, -1)
                  : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
    if (out < 0)
        status = sh_fail_errno(err, errno, "cannot make %s", to);
    else
        status = copy_bytes(in, out, to, err);
    if (out >= 0 && close(out) < 0 && status == 0)
        status = sh_fail_errno(err, errno, "cannot write %s", to);
    close(in);
    return status;
}

static int place_file(const transfer *t, const char *from, const char *to)
{
    if (!t->b->link)
        return copy_file(from, to, t->err);
    if (link(from, to) == 0)
        return 0;
    return sh_fail_errno(t->err, errno, "cannot link %s to %s", from, to);
}

static void tell(const transfer *t, const sh_scrub_row *row, const char *says)
{
    char what[1400];
    snprintf(what, sizeof(what), "s3://%s/%s (%s%s): %s", row->bucket ? row->bucket : "?",
             row->key ? row->key : "?", sh_scrub_folder(row), row->file, says);
    t->b->damages++;
    if (t->b->damaged)
        t->b->damaged(t->b->opaque, what);
}

static int check_placed(const transfer *t, const sh_objects *copy, const sh_scrub_row *row)
{
    sh_scrub_verdict verdict = sh_scrub_look(copy, row);
    int status = 0;
    t->b->files++;
    t->b->bytes += row->size;
    if (verdict == SH_SCRUB_GOOD && t->verify)
        status = sh_scrub_read(copy, row, NULL, NULL, &verdict, t->err);
    if (status == 0 && verdict != SH_SCRUB_GOOD && verdict != SH_SCRUB_UNVERIFIED)
        tell(t, row, sh_scrub_says(verdict));
    return status;
}

static int place_row(const transfer *t, const sh_objects *copy, const sh_scrub_row *row)
{
    char from[PATH_MAX], to[PATH_MAX], name[SH_OBJECT_FILE + 16];
    if (sh_body_name(row->file)) /* it came with the database */
        return check_placed(t, copy, row);
    if (!sh_object_file_name(row->file)) {
        tell(t, row, "no file can have such a name");
        return 0;
    }
    snprintf(name, sizeof(name), "objects/%s", row->file);
    int status = join(from, t->from, name, t->err);
    if (status == 0)
        status = join(to, t->to, name, t->err);
    if (status == 0)
        status = place_file(t, from, to);
    if (status == SH_E_NOT_FOUND) {
        tell(t, row, sh_scrub_says(SH_SCRUB_MISSING));
        return 0;
    }
    return status < 0 ? status : check_placed(t, copy, row);
}

static int place_page(const transfer *t, const sh_objects *copy, char after[SH_OBJECT_FILE], bool *more)
{
    sh_scrub_row *rows;
    size_t count = 0;
    sh_arena *arena = sh_arena_new(PAGE_ARENA);
    if (!arena)
        return sh_fail(t->err, SH_E_MEMORY, "no memory");
    int status = sh_scrub_rows(copy, after, SH_BODY_AFTER, arena, &rows, &count, t->err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = place_row(t, copy, &rows[i]);
    if (count)
        snprintf(after, SH_OBJECT_FILE, "%s", rows[count - 1].file);
    *more = count == SH_SCRUB_PAGE;
    sh_arena_free(arena);
    return status;
}

static int place_objects(const transfer *t, const char *database)
{
    char path[PATH_MAX], folder[16], after[SH_OBJECT_FILE] = "";
    sh_objects copy = {.data = t->to, .clock = &sh_clock_system};
    bool more = true;
    int status = 0;
    for (unsigned i = 0; status == 0 && i < 256; i++) {
        snprintf(folder, sizeof(folder), "objects/%02x", i & 255);
        if ((status = join(path, t->to, folder, t->err)) == 0)
            status = sh_dir_make(path, 0700, t->err);
    }
    if (status == 0)
        status = sh_db_open(&copy.db, database, t->err);
    while (status == 0 && more)
        status = place_page(t, &copy, after, &more);
    if (status == 0) /* of the garbage no file came along */
        status = sh_db_run(copy.db, t->err, "DELETE FROM garbage", "");
    sh_db_close(copy.db);
    return status;
}

/* ---- what else there is ---- */

static bool is_own(const char *name)
{
    static const char *const own[] = {".",    "..",      "objects",    "tmp",   "lost",
                                      "lock", "reserve", "backup.pin", "BACKUP"};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return strncmp(name, "spyhop.db", 9) == 0 || strncmp(name, "partial.db", 10) == 0;
}

static int place_tree(const transfer *t, const char *from, const char *to, int depth);

static int place_entry(const transfer *t, const char *from, const char *to, int depth)
{
    struct stat st;
    if (lstat(from, &st) < 0)
        return errno == ENOENT ? 0 : sh_fail_errno(t->err, errno, "cannot read %s", from);
    if (S_ISDIR(st.st_mode)) {
        int status = sh_dir_make(to, st.st_mode & 0777, t->err);
        return status < 0 ? status : place_tree(t, from, to, depth + 1);
    }
    if (!S_ISREG(st.st_mode))
        return 0; /* a socket or a pipe lives only as long as the server */
    int status = copy_file(from, to, t->err);
    return status == SH_E_NOT_FOUND ? 0 : status;
}

static int place_tree(const transfer *t, const char *from, const char *to, int depth)
{
    char source[PATH_MAX], target[PATH_MAX];
    int status = 0;
    if (depth > 16)
        return sh_fail(t->err, SH_E_LIMIT, "folders nest too deep at %s", from);
    DIR *dir = opendir(from);
    if (!dir)
        return errno == ENOENT ? 0 : sh_fail_errno(t->err, errno, "cannot read %s", from);
    for (struct dirent *entry; status == 0 && (errno = 0, entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (depth == 0 && is_own(name)))
            continue;
        if ((status = join(source, from, name, t->err)) == 0 &&
            (status = join(target, to, name, t->err)) == 0)
            status = place_entry(t, source, target, depth);
    }
    closedir(dir);
    return status;
}

/* ---- the whole ---- */

static int need_empty(const char *path, sh_err *err)
{
    int entries = 0;
    DIR *dir = opendir(path);
    if (!dir && errno == ENOENT)
        return sh_dir_make(path, 0700, err);
    if (!dir)
        return sh_fail_errno(err, errno, "cannot read %s", path);
    for (const struct dirent *entry; (entry = readdir(dir));)
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return entries ? sh_fail(err, SH_E_CONFLICT, "%s is not empty: name a folder that is not there yet", path)
                   : 0;
}

static int sync_all(const transfer *t)
{
    int fd = open(t->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 || syncfs(fd) < 0 ? sh_fail_errno(t->err, errno, "cannot sync %s", t->to) : 0;
    if (fd >= 0)
        close(fd);
    return status;
}

static int run_transfer(const transfer *t)
{
    char partial[PATH_MAX], whole[PATH_MAX];
    int status = join(partial, t->to, "partial.db", t->err);
    if (status == 0)
        status = join(whole, t->to, "spyhop.db", t->err);
    if (status == 0)
        status = copy_database(t, partial);
    if (status == 0)
        status = place_objects(t, partial);
    if (status == 0)
        status = place_tree(t, t->from, t->to, 0);
    if (status == 0)
        status = sync_all(t);
    if (status == 0 && rename(partial, whole) < 0)
        status = sh_fail_errno(t->err, errno, "cannot name %s", whole);
    return status < 0 ? status : sh_dir_sync(t->to, t->err);
}

static int write_manifest(const char *to, const sh_clock *clock, const sh_backup *b, sh_err *err)
{
    char path[PATH_MAX], time[SH_TIME_TEXT];
    int status = join(path, to, "BACKUP", err);
    if (status < 0)
        return status;
    sh_time_iso_s(sh_now_ms(clock), time);
    json_t *manifest =
        json_pack("{s:i, s:s, s:I, s:I, s:I}", "format", 1, "made", time, "files", (json_int_t)b->files,
                  "bytes", (json_int_t)b->bytes, "damages", (json_int_t)b->damages);
    char *text = manifest ? json_dumps(manifest, JSON_INDENT(2)) : NULL;
    status = text ? sh_file_replace(path, text, strlen(text), 0600, err)
                  : sh_fail(err, SH_E_MEMORY, "no memory for %s", path);
    free(text);
    json_decref(manifest);
    return status;
}

int sh_backup_make(const char *data, const char *to, const sh_clock *clock, sh_backup *backup, sh_err *err)
{
    transfer t = {data, to, backup, false, err};
    sh_objects pinned = {.data = data, .clock = clock};
    char path[PATH_MAX];
    int pin = -1;
    int status = join(path, data, "spyhop.db", err);
    if (status == 0 && access(path, R_OK) < 0)
        status = sh_fail_errno(err, errno, "%s is no data folder: cannot read %s", data, path);
    if (status < 0 || (status = need_empty(to, err)) < 0)
        return status;
    if ((status = sh_object_files_pin(&pinned, &pin, err)) == 0) {
        status = run_transfer(&t);
        sh_object_files_unpin(&pinned, pin);
    }
    if (status == 0)
        status = write_manifest(to, clock, backup, err);
    if (status < 0)
        sh_dir_remove(to, NULL);
    return status;
}

int sh_backup_restore(const char *from, const char *data, sh_backup *backup, sh_err *err)
{
    transfer t = {from, data, backup, true, err};
    char path[PATH_MAX];
    int lock = -1;
    int status = join(path, from, "BACKUP", err);
    if (status == 0 && access(path, F_OK) < 0)
        status = sh_fail(err, SH_E_FORMAT, "%s is no finished backup: it has no file BACKUP", from);
    if (status < 0 || (status = need_empty(data, err)) < 0)
        return status;
    if ((status = sh_data_lock(data, &lock, err)) < 0)
        return status;
    status = run_transfer(&t);
    if (status < 0)
        sh_dir_remove(data, NULL);
    close(lock);
    return status;
}
