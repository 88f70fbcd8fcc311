/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_PUBLISH_H
#define SH_STREAM_PUBLISH_H
/* Publication of a stream in a folder: whoever reads the folder sees the old stream or the new one, whole,
 * at every moment and after a crash or a full disk at every step.
 *
 *     OUT/index.m3u8, index.mpd, stream.json     the manifests: they name files under OUT/<version>/
 *     OUT/<version>/                             16 lower-case hex digits
 *     OUT/.spyhop-<version>/                     being made (staging); the maker's journal may lie in it
 *
 * Commit: the manifests are written into <staging>/.publish.new, everything is synced, .publish.new is
 * renamed to .publish (from here on publication goes forward only), entries of the staging folder that begin
 * with a dot go (the journal), the staging folder is renamed to OUT/<version>, each manifest is renamed over
 * the old one in the order given, then older versions and their stagings are removed, and .publish goes last.
 * So .publish, wherever it is found, says "this publication is decided, not finished", and recovery is: go
 * on. Recovery is part of opening. An interrupted staging folder without .publish of this version is kept
 * (the maker resumes in it), those of other versions are removed at commit.
 *
 * Live preview: the segments lie in OUT/<version> from the beginning, marked by OUT/<version>/.live, and the
 * manifests are replaced while they grow; the ones from before are kept in .live. They come back when the
 * making is given up, and when another version is opened after a crash (its folder becomes a staging folder
 * again, so it can be gone on with). A version that is published already has no preview: it is made anew in
 * its staging folder.
 *
 * One maker at a time: the folder is locked (flock) while open. Files and folders that are not ours are never
 * touched: a version folder is ours when it holds an empty file named .spyhop. The caller syncs what it
 * writes; commit syncs the staging folder's files again. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct sh_publish sh_publish;

typedef struct sh_publish_manifest {
    const char *name;  /* file name in OUT */
    const void *bytes; /* NULL: a file of that name from before is removed (an MPD that is no longer made) */
    size_t length;
} sh_publish_manifest;

typedef struct sh_publish_state {
    bool resumed;   /* a staging folder of this version was there: look for a journal in it */
    bool published; /* OUT/<version> is there and complete, and was before */
    bool recovered; /* a publication that had been interrupted was finished */
} sh_publish_state;

#define SH_PUBLISH_VERSION 16 /* characters */

/* Makes OUT (mkdir -p) where it is missing, finishes what was interrupted, makes or finds the staging folder.
 * live: as above; a version that was begun with a preview goes on with it either way. state may be NULL.
 * SH_E_CONFLICT: another process holds OUT; SH_E_ARGUMENT: version is not 16 lower-case hex digits, or
 * OUT/<version> is a file. */
int sh_publish_open(sh_publish **out, const char *folder, const char *version, bool live,
                    sh_publish_state *state, sh_err *err);
/* The staging folder's path, to write into; valid until commit or close. */
const char *sh_publish_staging(const sh_publish *publish);
/* How a manifest names it: "<version>" (when published). */
const char *sh_publish_version(const sh_publish *publish);
/* Live preview: replaces these manifests, each whole, in order. Without a preview nothing happens. */
int sh_publish_live(sh_publish *publish, const sh_publish_manifest *manifests, size_t count, sh_err *err);
/* Publishes. After an error before the decision the old stream stands as before and the staging folder is
 * kept; after it, the next open (or commit) finishes. count > 0. */
int sh_publish_commit(sh_publish *publish, const sh_publish_manifest *manifests, size_t count, sh_err *err);
/* Gives up: removes the staging folder (live: the old manifests come back), and OUT if it is empty and was
 * made by open. Not after commit. */
int sh_publish_abandon(sh_publish *publish, sh_err *err);
/* Unlocks and frees; keeps the staging folder of what was not committed. NULL is fine. */
void sh_publish_close(sh_publish *publish);
/* Finishes an interrupted publication in the folder, if there is one; true in *found then. */
int sh_publish_recover(const char *folder, bool *found, sh_err *err);

#endif
