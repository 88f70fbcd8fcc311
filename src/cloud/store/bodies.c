/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/bodies.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREFIX = sizeof(SH_BODY_PREFIX) - 1, DIGITS = 19 };

/* A version that is moved (from current to older, and back) is named twice for a moment. */
const char sh_schema_bodies[] =
    "CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY AUTOINCREMENT, bytes BLOB NOT NULL);"
    "CREATE TRIGGER IF NOT EXISTS objects_body_deleted AFTER DELETE ON objects WHEN old.file > 'row/'"
    " AND NOT EXISTS (SELECT 1 FROM object_versions WHERE file = old.file) BEGIN"
    " DELETE FROM bodies WHERE id = " SH_BODY_ID(
        "old.file") "; END;"
                    "CREATE TRIGGER IF NOT EXISTS object_versions_body_deleted AFTER DELETE ON "
                    "object_versions"
                    " WHEN old.file > 'row/' AND NOT EXISTS (SELECT 1 FROM objects WHERE file = old.file) "
                    "BEGIN"
                    " DELETE FROM bodies WHERE id = " SH_BODY_ID(
                        "old.file") "; END;"
                                    "CREATE TRIGGER IF NOT EXISTS parts_body_deleted AFTER DELETE ON parts "
                                    "WHEN old.file > 'row/' BEGIN"
                                    " DELETE FROM bodies WHERE id = " SH_BODY_ID("old.file") "; END;";

bool sh_body_name(const char *file)
{
    return strncmp(file, SH_BODY_PREFIX, PREFIX) == 0 && strlen(file) == PREFIX + DIGITS &&
           strspn(file + PREFIX, "0123456789") == DIGITS;
}

static int64_t id_of(const char *file)
{
    return sh_body_name(file) ? (int64_t)strtoull(file + PREFIX, NULL, 10) : 0;
}

int sh_body_insert(const sh_objects *objects, const void *bytes, size_t length, char file[SH_OBJECT_FILE],
                   sh_err *err)
{
    int status = sh_db_run(objects->db, err, "INSERT INTO bodies (bytes) VALUES (?1)", "b",
                           length ? bytes : "", length);
    if (status == 0)
        snprintf(file, SH_OBJECT_FILE, SH_BODY_PREFIX "%0*lld", DIGITS,
                 (long long)sh_db_last_id(objects->db));
    return status;
}

/* ---- reading ---- */

typedef struct taken {
    void *bytes;
    size_t length;
    bool found;
} taken;

static int take_bytes(void *opaque, const sh_row *row)
{
    taken *t = opaque;
    const void *bytes = sh_row_blob(row, 0, &t->length);
    t->found = true;
    t->bytes = malloc(t->length ? t->length : 1);
    if (!t->bytes)
        return SH_E_MEMORY;
    if (t->length)
        memcpy(t->bytes, bytes, t->length);
    return 1;
}

int sh_body_get(const sh_objects *objects, const char *file, void **bytes, size_t *length, sh_err *err)
{
    taken t = {0};
    int status = sh_db_each(objects->db, err, "SELECT bytes FROM bodies WHERE id = ?1", take_bytes, &t, "i",
                            id_of(file));
    if (status == SH_E_MEMORY && !t.bytes)
        return sh_fail(err, status, "no memory for the bytes of %s", file);
    if (status < 0)
        return status;
    if (!t.found)
        return sh_fail(err, SH_E_NOT_FOUND, "there are no bytes of %s", file);
    *bytes = t.bytes;
    *length = t.length;
    return 0;
}

int sh_body_open(const sh_objects *objects, const char *file, int *fd, sh_err *err)
{
    void *bytes;
    size_t length;
    int status = sh_body_get(objects, file, &bytes, &length, err);
    if (status < 0)
        return status;
    int made = memfd_create("object", MFD_CLOEXEC);
    if (made < 0)
        status = sh_fail_errno(err, errno, "no file of memory for %s", file);
    else if ((status = sh_fd_write(made, bytes, length, err)) == 0 && lseek(made, 0, SEEK_SET) < 0)
        status = sh_fail_errno(err, errno, "no file of memory for %s", file);
    free(bytes);
    if (status < 0 && made >= 0)
        close(made);
    if (status == 0)
        *fd = made;
    return status;
}

static int take_size(void *opaque, const sh_row *row)
{
    taken *t = opaque;
    t->found = true;
    t->length = (size_t)sh_row_int(row, 0);
    return 1;
}

int sh_body_size(const sh_objects *objects, const char *file, int64_t *size, sh_err *err)
{
    taken t = {0};
    int status = sh_db_each(objects->db, err, "SELECT length(bytes) FROM bodies WHERE id = ?1", take_size, &t,
                            "i", id_of(file));
    if (status == 0 && !t.found)
        status = sh_fail(err, SH_E_NOT_FOUND, "there are no bytes of %s", file);
    if (status == 0)
        *size = (int64_t)t.length;
    return status;
}

/* ---- what is on its way ---- */

/* Reads a short plain file whole. */
static int read_short(const char *path, sh_incoming *out, sh_err *err)
{
    size_t have = 0, size = (size_t)out->size;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    char *bytes = malloc(size + 1);
    int status = bytes ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for %s", path);
    while (status == 0 && have <= size) {
        ssize_t got = read(fd, bytes + have, size + 1 - have);
        if (got < 0 && errno != EINTR)
            status = sh_fail_errno(err, errno, "cannot read %s", path);
        if (got == 0)
            break;
        have += got > 0 ? (size_t)got : 0;
    }
    if (status == 0 && have != size)
        status = sh_fail(err, SH_E_INTERNAL, "%s changes while it is read", path);
    close(fd);
    if (status < 0) {
        free(bytes);
        return status;
    }
    out->bytes = out->own = bytes;
    out->from = path;
    return 0;
}

int sh_incoming_take(const sh_objects *objects, const char *path, const void *bytes, size_t length,
                     sh_folder_set *folders, size_t *room, sh_incoming *out, sh_err *err)
{
    struct stat st;
    sh_incoming in = {.bytes = bytes ? bytes : "", .size = (int64_t)length};
    int status = 0;
    if (path) {
        if (lstat(path, &st) < 0)
            return sh_fail_errno(err, errno, "cannot read %s", path);
        in.bytes = NULL;
        in.size = st.st_size;
        bool few = S_ISREG(st.st_mode) && (size_t)st.st_size <= objects->row_max &&
                   (size_t)st.st_size <= *room && objects->row_max > 0;
        if (few && (status = read_short(path, &in, err)) == 0)
            *room -= (size_t)st.st_size;
        else if (!few)
            status = sh_object_file_take(objects, path, in.file, folders, err);
    }
    if (status == 0)
        *out = in;
    return status;
}

int sh_incoming_place(const sh_objects *objects, sh_incoming *in, sh_err *err)
{
    return in->bytes ? sh_body_insert(objects, in->bytes, (size_t)in->size, in->file, err) : 0;
}

void sh_incoming_end(const sh_objects *objects, sh_incoming *in, bool committed)
{
    if (committed && in->from && unlink(in->from) < 0 && errno != ENOENT)
        sh_log(SH_LOG_WARNING, "store", "cannot remove %s: %s", in->from, strerror(errno));
    free(in->own);
    in->own = NULL;
    in->bytes = NULL;
    if (committed)
        sh_object_file_settle(objects, in->file);
    else
        sh_object_file_drop(objects, in->file);
}
