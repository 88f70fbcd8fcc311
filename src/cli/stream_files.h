/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STREAM_FILES_H
#define SH_CLI_STREAM_FILES_H
/* The files of a stream in the making: a ladder asks for them by what they are, and gets descriptors in the
 * staging folder, under the names of stream_tracks.h. */
#include "base/err.h"
#include "cli/stream_tracks.h"
#include "media/ladder.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { SH_STREAM_FOLDERS = SH_LADDER_OUTPUTS };

typedef struct sh_stream_files {
    const char *staging;                             /* borrowed */
    char folders[SH_STREAM_FOLDERS][SH_STREAM_NAME]; /* made in it */
    bool dirty[SH_STREAM_FOLDERS];                   /* and not synced since */
    size_t folder_count;
} sh_stream_files;

/* As sh_ladder_job's of the same names; a descriptor, or SH_E_*. */
int sh_stream_files_open(sh_stream_files *files, const sh_ladder_file *file, sh_err *err);
int sh_stream_files_reopen(sh_stream_files *files, const sh_ladder_file *file, sh_err *err);
int sh_stream_files_sync(sh_stream_files *files, sh_err *err);
/* Writes or replaces a small file of the staging folder: `folder` NULL for the folder itself. */
int sh_stream_files_put(const sh_stream_files *files, const char *folder, const char *name, const void *bytes,
                        size_t length, sh_err *err);

#endif
