/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_SCRUB_H
#define SH_STORE_SCRUB_H
/* Whether the bytes of files are still those that were written. The MD5 that each entity tag holds is
 * computed anew: of the whole file, or of each part and then of their MD5s, when the object was made of parts
 * whose sizes its row tells. Where the tag is neither (parts of an older version of the program), the size
 * alone is compared, and the file counts as `unverified`.
 *
 * A round goes through all files that rows name (objects, older versions, parts of uploads) in the order of
 * their names, which are random; a name is all there is to go on from after a stop. */
#include "base/arena.h"
#include "cloud/store/objects.h"

typedef enum sh_scrub_verdict {
    SH_SCRUB_GOOD,
    SH_SCRUB_UNVERIFIED, /* there, and as long as its row says */
    SH_SCRUB_MISSING,
    SH_SCRUB_SIZE,
    SH_SCRUB_BYTES,
    SH_SCRUB_UNREADABLE,
} sh_scrub_verdict;

/* A file as a row has it. */
typedef struct sh_scrub_row {
    char kind;          /* 'o' object, 'v' older version, 'p' part of an upload */
    const char *bucket; /* of a part: of its upload; NULL when there is none */
    const char *key;
    const char *version; /* version id; of a part: the upload's id */
    int64_t number;      /* of a part */
    const char *file;
    int64_t size;
    const char *etag;
    const char *parts; /* as in sh_object */
    const char *headers, *tags;
} sh_scrub_row;

#define SH_SCRUB_PAGE 256
/* Rows whose file is named after `after` and before `before`, in that order, at most SH_SCRUB_PAGE; all in
 * the arena. */
int sh_scrub_rows(const sh_objects *objects, const char *after, const char *before, sh_arena *arena,
                  sh_scrub_row **rows, size_t *count, sh_err *err);
/* Whether the row is there still: files of rows that were deleted meanwhile are no fault. */
int sh_scrub_row_is_there(const sh_objects *objects, const char *file, bool *there, sh_err *err);

/* Called before each block of a file is read with its size; false: stop. For a bounded rate. */
typedef bool (*sh_scrub_pace_fn)(void *opaque, size_t length);
/* The row's file without its bytes: there, plain, of the right size. Never SH_SCRUB_BYTES. */
sh_scrub_verdict sh_scrub_look(const sh_objects *objects, const sh_scrub_row *row);
/* With its bytes. SH_E_CANCELLED: pace said stop. */
int sh_scrub_read(const sh_objects *objects, const sh_scrub_row *row, sh_scrub_pace_fn pace, void *opaque,
                  sh_scrub_verdict *verdict, sh_err *err);

/* A round, or what is left of it. */
typedef struct sh_scrub_round {
    char after[40]; /* "" at first; the last file that was looked at: where to go on */
    int64_t files, bytes, bad, unverified;
    bool done;
} sh_scrub_round;
typedef void (*sh_scrub_bad_fn)(void *opaque, const sh_scrub_row *row, sh_scrub_verdict verdict);
/* The next SH_SCRUB_PAGE files at most. Rows that are deleted meanwhile are no fault. SH_E_CANCELLED: pace
 * said stop; round->after is right all the same. */
int sh_scrub_go_on(const sh_objects *objects, sh_scrub_round *round, sh_scrub_pace_fn pace,
                   sh_scrub_bad_fn bad, void *opaque, sh_err *err);

const char *
sh_scrub_folder(const sh_scrub_row *row);            /* what its file's name is relative to: "objects/", "" */
const char *sh_scrub_says(sh_scrub_verdict verdict); /* "the file is missing" … */

#endif
