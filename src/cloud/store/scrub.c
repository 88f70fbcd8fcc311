/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/scrub.h"
#include "cloud/store/bodies.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, MD5 = 16, PAGE_ARENA = 64 << 20 };

const char *sh_scrub_says(sh_scrub_verdict verdict)
{
    static const char *const texts[] = {
        [SH_SCRUB_GOOD] = "the file is whole",
        [SH_SCRUB_UNVERIFIED] = "the file has the right size; its entity tag does not tell its bytes",
        [SH_SCRUB_MISSING] = "the file is missing",
        [SH_SCRUB_SIZE] = "the file has another size than its row says",
        [SH_SCRUB_BYTES] = "the bytes of the file are not those that were written",
        [SH_SCRUB_UNREADABLE] = "the file cannot be read",
    };
    return texts[verdict];
}

const char *sh_scrub_folder(const sh_scrub_row *row)
{
    return sh_body_name(row->file) ? "" : "objects/";
}

/* ---- rows ---- */

typedef struct page {
    sh_arena *arena;
    sh_scrub_row *rows;
    size_t count;
} page;

static const char *keep(page *p, const sh_row *row, int column, bool *whole)
{
    const char *text = sh_row_text(row, column);
    const char *kept = text ? sh_arena_strdup(p->arena, text) : NULL;
    *whole = *whole && (kept || !text);
    return kept;
}

static int take_row(void *opaque, const sh_row *row)
{
    page *p = opaque;
    bool whole = true;
    sh_scrub_row *r = &p->rows[p->count++];
    r->kind = sh_row_text(row, 0)[0];
    r->bucket = keep(p, row, 1, &whole);
    r->key = keep(p, row, 2, &whole);
    r->version = keep(p, row, 3, &whole);
    r->number = sh_row_int(row, 4);
    r->file = keep(p, row, 5, &whole);
    r->size = sh_row_int(row, 6);
    r->etag = keep(p, row, 7, &whole);
    r->parts = keep(p, row, 8, &whole);
    r->headers = keep(p, row, 9, &whole);
    r->tags = keep(p, row, 10, &whole);
    return whole ? 0 : SH_E_MEMORY;
}

int sh_scrub_rows(const sh_objects *objects, const char *after, const char *before, sh_arena *arena,
                  sh_scrub_row **rows, size_t *count, sh_err *err)
{
    page p = {.arena = arena, .rows = sh_arena_alloc(arena, SH_SCRUB_PAGE * sizeof(*p.rows))};
    if (!p.rows)
        return sh_fail(err, SH_E_MEMORY, "no memory for rows");
    int status = sh_db_each(
        objects->db, err,
        "SELECT 'o', bucket, key, version_id, 0, file AS name, size, etag, parts, headers, tags FROM objects"
        " WHERE file > ?1 AND file < ?2 "
        "UNION ALL SELECT 'v', bucket, key, version_id, 0, file, size, etag, parts, headers, tags"
        " FROM object_versions WHERE file > ?1 AND file < ?2 "
        "UNION ALL SELECT 'p', (SELECT bucket FROM uploads WHERE id = upload),"
        " (SELECT key FROM uploads WHERE id = upload), upload, number, file, size, etag, NULL, NULL, NULL"
        " FROM parts WHERE file > ?1 AND file < ?2 "
        "ORDER BY name LIMIT ?3",
        take_row, &p, "ssi", after, before, (int64_t)SH_SCRUB_PAGE);
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for rows") : status;
    *rows = p.rows;
    *count = p.count;
    return 0;
}

int sh_scrub_row_is_there(const sh_objects *objects, const char *file, bool *there, sh_err *err)
{
    int rows = 0;
    int status = sh_db_each(objects->db, err,
                            "SELECT 1 FROM objects WHERE file = ?1 UNION ALL"
                            " SELECT 1 FROM object_versions WHERE file = ?1 UNION ALL"
                            " SELECT 1 FROM parts WHERE file = ?1",
                            sh_count_row, &rows, "s", file);
    *there = rows > 0;
    return status;
}

/* ---- files ---- */

static sh_scrub_verdict look_at_body(const sh_objects *objects, const sh_scrub_row *row)
{
    int64_t size;
    int status = sh_body_size(objects, row->file, &size, NULL);
    if (status < 0)
        return status == SH_E_NOT_FOUND ? SH_SCRUB_MISSING : SH_SCRUB_UNREADABLE;
    return size == row->size ? SH_SCRUB_GOOD : SH_SCRUB_SIZE;
}

sh_scrub_verdict sh_scrub_look(const sh_objects *objects, const sh_scrub_row *row)
{
    char path[PATH_MAX];
    struct stat st;
    if (sh_body_name(row->file))
        return look_at_body(objects, row);
    if ((size_t)snprintf(path, sizeof(path), "%s/objects/%s", objects->data, row->file) >= sizeof(path) ||
        lstat(path, &st) < 0)
        return errno == ENOENT ? SH_SCRUB_MISSING : SH_SCRUB_UNREADABLE;
    if (!S_ISREG(st.st_mode))
        return SH_SCRUB_UNREADABLE;
    return st.st_size == row->size ? SH_SCRUB_GOOD : SH_SCRUB_SIZE;
}

/* What an entity tag says: the MD5 in hex, and for an object of parts how many there are. */
static bool read_etag(const char *etag, long *parts)
{
    char *end;
    *parts = 0;
    if (strspn(etag, "0123456789abcdef") != 2 * MD5)
        return false;
    if (etag[2 * MD5] == '\0')
        return true;
    if (etag[2 * MD5] != '-')
        return false;
    *parts = strtol(etag + 2 * MD5 + 1, &end, 10);
    return *end == '\0' && *parts > 0 && *parts <= 10000;
}

/* Sizes of the parts, which make up the whole file, of [[number, size, checksum] …]; NULL: not known. */
static int64_t *part_sizes(const sh_scrub_row *row, long count)
{
    json_t *list = row->parts ? json_loads(row->parts, 0, NULL) : NULL;
    int64_t *sizes = json_array_size(list) == (size_t)count ? calloc((size_t)count, sizeof(*sizes)) : NULL;
    int64_t left = row->size;
    for (long i = 0; sizes && i < count; i++) {
        const json_t *size = json_array_get(json_array_get(list, (size_t)i), 1);
        sizes[i] = json_is_integer(size) ? json_integer_value(size) : -1;
        left = sizes[i] < 0 || sizes[i] > left ? -1 : left - sizes[i];
        if (left < 0)
            break;
    }
    json_decref(list);
    if (left != 0) {
        free(sizes);
        return NULL;
    }
    return sizes;
}

typedef struct reading {
    int fd;
    EVP_MD_CTX *md5;
    char *block;
    sh_scrub_pace_fn pace;
    void *opaque;
} reading;

/* The MD5 of the next `left` bytes. 1: they cannot be read. */
static int hash_next(reading *r, int64_t left, unsigned char out[MD5], sh_err *err)
{
    unsigned length = MD5;
    if (EVP_DigestInit_ex(r->md5, EVP_md5(), NULL) != 1)
        return sh_fail(err, SH_E_MEMORY, "no memory for MD5");
    while (left > 0) {
        size_t step = left < BLOCK ? (size_t)left : BLOCK;
        if (r->pace && !r->pace(r->opaque, step))
            return sh_fail(err, SH_E_CANCELLED, "stopped");
        ssize_t got = read(r->fd, r->block, step);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 1;
        left -= got;
        if (EVP_DigestUpdate(r->md5, r->block, (size_t)got) != 1)
            return sh_fail(err, SH_E_INTERNAL, "MD5 failed");
    }
    if (EVP_DigestFinal_ex(r->md5, out, &length) != 1)
        return sh_fail(err, SH_E_INTERNAL, "MD5 failed");
    return 0;
}

static void to_hex(const unsigned char bytes[MD5], char text[2 * MD5 + 1])
{
    for (size_t i = 0; i < MD5; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* The first 32 digits of the tag that the bytes ought to have. */
static int compute(reading *r, const sh_scrub_row *row, long count, const int64_t *sizes,
                   char text[2 * MD5 + 1], sh_err *err)
{
    unsigned char one[MD5] = {0}, *all = NULL;
    unsigned length = MD5;
    int status = 0;
    if (count == 0) {
        status = hash_next(r, row->size, one, err);
    } else {
        if (!(all = calloc((size_t)count, MD5)))
            return sh_fail(err, SH_E_MEMORY, "no memory for the MD5s of %ld parts", count);
        for (long i = 0; status == 0 && i < count; i++)
            status = hash_next(r, sizes[i], all + i * MD5, err);
        if (status == 0 && EVP_Digest(all, (size_t)count * MD5, one, &length, EVP_md5(), NULL) != 1)
            status = sh_fail(err, SH_E_INTERNAL, "MD5 failed");
        free(all);
    }
    to_hex(one, text);
    return status;
}

static int read_and_compare(reading *r, const sh_scrub_row *row, sh_scrub_verdict *verdict, sh_err *err)
{
    char text[2 * MD5 + 1];
    long count;
    bool known = read_etag(row->etag, &count);
    int64_t *sizes = known && count ? part_sizes(row, count) : NULL;
    if (!known || (count && !sizes)) {
        *verdict = SH_SCRUB_UNVERIFIED;
        return 0;
    }
    int status = compute(r, row, count, sizes, text, err);
    free(sizes);
    if (status < 0)
        return status;
    if (status > 0)
        *verdict = SH_SCRUB_UNREADABLE;
    else
        *verdict = memcmp(text, row->etag, 2 * MD5) == 0 ? SH_SCRUB_GOOD : SH_SCRUB_BYTES;
    return 0;
}

int sh_scrub_read(const sh_objects *objects, const sh_scrub_row *row, sh_scrub_pace_fn pace, void *opaque,
                  sh_scrub_verdict *verdict, sh_err *err)
{
    reading r = {.fd = -1, .pace = pace, .opaque = opaque};
    int status = 0, opened;
    if ((*verdict = sh_scrub_look(objects, row)) != SH_SCRUB_GOOD)
        return 0;
    r.md5 = EVP_MD_CTX_new();
    r.block = malloc(BLOCK);
    if (!r.md5 || !r.block)
        status = sh_fail(err, SH_E_MEMORY, "no memory to read %s", row->file);
    else if ((opened = sh_object_file_open(objects, row->file, &r.fd, NULL)) < 0)
        *verdict = opened == SH_E_NOT_FOUND ? SH_SCRUB_MISSING : SH_SCRUB_UNREADABLE;
    else
        status = read_and_compare(&r, row, verdict, err);
    if (r.fd >= 0) {
        posix_fadvise(r.fd, 0, 0, POSIX_FADV_DONTNEED);
        close(r.fd);
    }
    free(r.block);
    EVP_MD_CTX_free(r.md5);
    return status;
}

/* ---- a round ---- */

static int scrub_row(const sh_objects *objects, sh_scrub_round *round, const sh_scrub_row *row,
                     sh_scrub_pace_fn pace, sh_scrub_bad_fn bad, void *opaque, sh_err *err)
{
    sh_scrub_verdict verdict;
    bool there = true;
    int status = sh_scrub_read(objects, row, pace, opaque, &verdict, err);
    if (status == 0 && verdict > SH_SCRUB_UNVERIFIED)
        status = sh_scrub_row_is_there(objects, row->file, &there, err);
    if (status < 0)
        return status;
    round->files++;
    round->bytes += row->size;
    round->unverified += verdict == SH_SCRUB_UNVERIFIED;
    if (verdict > SH_SCRUB_UNVERIFIED && there) {
        round->bad++;
        bad(opaque, row, verdict);
    }
    snprintf(round->after, sizeof(round->after), "%s", row->file);
    return 0;
}

int sh_scrub_go_on(const sh_objects *objects, sh_scrub_round *round, sh_scrub_pace_fn pace,
                   sh_scrub_bad_fn bad, void *opaque, sh_err *err)
{
    sh_scrub_row *rows;
    size_t count = 0;
    sh_arena *arena = sh_arena_new(PAGE_ARENA);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory");
    int status = sh_scrub_rows(objects, round->after, SH_BODY_AFTER, arena, &rows, &count, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = scrub_row(objects, round, &rows[i], pace, bad, opaque, err);
    round->done = status == 0 && count < SH_SCRUB_PAGE;
    sh_arena_free(arena);
    return status;
}
