/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_FSCK_H
#define SH_STORE_FSCK_H
/* Proves that files and database agree, and repairs what can be repaired without losing anything. The folder
 * is to be nobody else's meanwhile (sh_data_lock). What is found is told one by one:
 *
 *   database   SQLite's own check, or a row that refers to what is not there
 *   row        a row whose values cannot be: a key too long, no JSON, two rows of one file …
 *   missing    a row's file is not there                     size    … has another size
 *   bytes      … has other bytes (with `scrub`)              unreadable
 *   part       a part of an upload that is not there         orphan  a file or body that no row names
 *   stray      something in objects/ that is no object's file
 *
 * Repaired are: part (the row goes), a part whose file is missing or wrong (the row goes: the client is told
 * to send it again), orphan and stray (moved to DATA/lost, never deleted), indexes of the database (made
 * anew). What is said of files holds for small bodies (bodies.h), whose rows are moved to files of DATA/lost.
 * An object whose bytes are gone or wrong stays as it is: whether to delete it, put it again or
 * restore a backup is not for a program to decide. What is under way in DATA/tmp and in the table of garbage
 * is no fault; the next start ends it. */
#include "cloud/store/objects.h"
#include "cloud/store/scrub.h"

typedef struct sh_fsck_problem {
    const char *kind;
    const char *what; /* "s3://bucket/key version …", or a file */
    const char *says;
    bool repaired;
} sh_fsck_problem;

typedef struct sh_fsck {
    bool repair;
    bool scrub;
    void (*problem)(void *opaque, const sh_fsck_problem *problem); /* NULL: only counted */
    sh_scrub_pace_fn pace;                                         /* NULL: as fast as it goes */
    void *opaque;
    int64_t objects, versions, parts, bytes; /* out: rows, sizes of what they name */
    int64_t files, bodies;                   /* out: how many of each there are, whoever names them */
    int64_t unverified;                      /* out: files whose bytes could not be proved */
    int64_t problems, repaired;              /* out */
} sh_fsck;

/* A negative value when the check itself could not be done. Problems are no failure. */
int sh_fsck_run(const sh_objects *objects, sh_fsck *fsck, sh_err *err);

/* Locks a data folder against servers and other programs of it; close *fd. SH_E_CONFLICT: somebody has it. */
int sh_data_lock(const char *data, int *fd, sh_err *err);

#endif
