/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STREAM_MANIFESTS_H
#define SH_CLI_STREAM_MANIFESTS_H
/* Writes what a finished or growing stream says of itself: the playlists of its tracks into their folders,
 * and the bytes of index.m3u8 and index.mpd. */
#include "base/buf.h"
#include "base/err.h"
#include "cli/stream_files.h"
#include "media/ladder.h"

typedef struct sh_stream_look {
    const char *prefix; /* the folder before all tracks' folders in index.*; "" for none */
    const char *title;  /* or NULL */
    bool growing;
    int64_t target;           /* as in sh_stream; 0: measured */
    int64_t epoch_ms, now_ms; /* growing */
} sh_stream_look;

/* index.m3u8 and index.mpd, appended. mpd may be NULL. */
int sh_stream_index(sh_buf *m3u8, sh_buf *mpd, const sh_ladder_result *result, const sh_stream_look *look,
                    sh_err *err);
/* Each track's playlists, and the map of thumbnails, into the staging folder. */
int sh_stream_playlists(const sh_stream_files *files, const sh_ladder_result *result,
                        const sh_stream_look *look, sh_err *err);

#endif
