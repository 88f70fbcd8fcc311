/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_PLAYLIST_H
#define SH_STREAM_PLAYLIST_H
/* Strict readers of the playlists that hls.h writes: what RFC 8216 forbids, and what a VOD stream that we
 * publish must not have, is refused with the line. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_PLAYLIST_NAME 256

typedef struct sh_playlist_segment {
    char name[SH_PLAYLIST_NAME]; /* decoded file name */
    int64_t micro;               /* EXTINF in microseconds */
    bool integer;                /* written without a fraction */
} sh_playlist_segment;

typedef struct sh_media_playlist {
    int64_t target; /* seconds */
    sh_playlist_segment *segments;
    size_t count;
} sh_media_playlist;

typedef struct sh_playlist_variant {
    char name[SH_PLAYLIST_NAME];
    int64_t bandwidth, average; /* average 0: not given */
    char codecs[128];
    int width, height; /* 0: not given */
} sh_playlist_variant;

typedef struct sh_master_playlist {
    sh_playlist_variant *variants;
    size_t count;
} sh_master_playlist;

/* On failure *out is untouched. name: for messages. */
int sh_playlist_read_media(sh_media_playlist *out, const char *name, const char *text, size_t length,
                           sh_err *err);
int sh_playlist_read_master(sh_master_playlist *out, const char *name, const char *text, size_t length,
                            sh_err *err);
void sh_media_playlist_free(sh_media_playlist *playlist);
void sh_master_playlist_free(sh_master_playlist *playlist);

#endif
