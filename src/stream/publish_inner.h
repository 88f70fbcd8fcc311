/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_PUBLISH_INNER_H
#define SH_STREAM_PUBLISH_INNER_H
/* The steps of publication on folders (publish_steps.c). Each may be repeated after it was interrupted
 * anywhere. `folder` is OUT, and its caller holds the lock. */
#include "stream/publish.h"

#define SH_PUBLISH_STAGING ".spyhop-"
#define SH_PUBLISH_ASIDE ".spyhop-old" /* being removed */
#define SH_PUBLISH_OURS ".spyhop" /* an empty file: the version folder was made here and may be removed */
#define SH_PUBLISH_DECIDED ".publish"
#define SH_PUBLISH_NEW ".publish.new"
#define SH_PUBLISH_LIVE ".live"
#define SH_PUBLISH_NAME 255
#define SH_PUBLISH_PATH 4096

bool sh_publish_is_version(const char *name);
/* folder/a[/b]; SH_E_LIMIT when it is too long. b may be NULL. */
int sh_publish_path(char *path, const char *folder, const char *a, const char *b, sh_err *err);
/* Whether folder/a[/b] is there (b may be NULL), whatever it is. */
bool sh_publish_has(const char *folder, const char *a, const char *b);
/* A new file, written and synced. */
int sh_publish_put(const char *path, const void *bytes, size_t length, sh_err *err);
/* Syncs every file and folder under the path but top entries that begin with a dot. */
int sh_publish_sync(const char *path, sh_err *err);
int sh_publish_rename(const char *from, const char *to, sh_err *err);

/* Calls visit with every entry's name but "." and "..", in the order of names, until it fails. */
int sh_publish_each(const char *path, int (*visit)(void *opaque, const char *name, sh_err *err), void *opaque,
                    sh_err *err);

/* Finishes the publication that is decided in folder/entry (a version, or a staging folder). */
int sh_publish_forward(const char *folder, const char *entry, sh_err *err);
/* Finishes whatever is decided in the folder. */
int sh_publish_finish(const char *folder, bool *found, sh_err *err);
/* Removes folder/entry; interrupted, it is gone all the same, and its remains go at the next open. */
int sh_publish_discard(const char *folder, const char *entry, sh_err *err);
/* Brings back the manifests that folder/version/.live keeps, and removes .live. */
int sh_publish_restore(const char *folder, const char *version, sh_err *err);
/* Every version with a live preview but `except` (may be NULL) becomes a staging folder again. */
int sh_publish_demote(const char *folder, const char *except, sh_err *err);

#endif
