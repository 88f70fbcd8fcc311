/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STREAM_TRACKS_H
#define SH_CLI_STREAM_TRACKS_H
/* What a ladder has made (media/ladder.h), described for the manifests (stream/manifest.h), and the names
 * that its files have:
 *
 *     v0/init.mp4  v0/seg_00001.m4s  v0/index.m3u8  v0/iframes.m3u8      each video, the largest first
 *     a0/...                                                             each audio track
 *     s0/seg_00001.vtt  s0/all.vtt  s0/index.m3u8                        each text track
 *     thumbs/sprite_001.jpg  thumbs/thumbs.vtt */
#include "base/arena.h"
#include "base/err.h"
#include "media/ladder.h"
#include "stream/manifest.h"

#define SH_STREAM_NAME 48

/* The folder of what the file holds: "v0". */
void sh_stream_folder_of(const sh_ladder_file *file, char name[SH_STREAM_NAME]);
/* The file in it: "seg_00001.m4s". What only the work needs has a name with a dot in front, and no folder. */
void sh_stream_name_of(const sh_ladder_file *file, char name[SH_STREAM_NAME]);

struct json_t;

typedef struct sh_stream_book {
    sh_stream stream;
    sh_stream_track
        *tracks; /* stream.tracks; in the order of the result's, those without a segment left out */
    size_t count;
    sh_arena *arena; /* all of it lies here */
} sh_stream_book;

/* prefix: the folder before all tracks' folders, "" for none. title: NULL, or the film's. *book is all-zero
 * before; strings are copied. SH_E_INTERNAL: there is no segment of a video yet. */
int sh_stream_book_make(sh_stream_book *book, const sh_ladder_result *result, const char *prefix,
                        const char *title, sh_err *err);
/* FRAME-RATE of a video. Where it varies: the highest, by the shortest step that probing has seen (facts, of
 * sh_ladder_result.facts; NULL: not known), and never below what the segments have on average. */
AVRational sh_stream_rate_of(const struct json_t *facts, const sh_ladder_track *track);
/* Segments and keys of a track, named by `name` (in the arena, or as long-lived; NULL: memory). They are in
 * *to, and given back for the caller to change; NULL: SH_E_MEMORY. */
sh_stream_segment *sh_stream_put_segments(sh_arena *arena, sh_stream_track *to, const sh_ladder_track *track,
                                          const char *(*name)(void *opaque, int64_t number), void *opaque,
                                          sh_err *err);
/* Seconds that the film says it has, 0 where it does not: while it grows. */
double sh_stream_expected(const sh_ladder_result *result);
void sh_stream_book_free(sh_stream_book *book);

#endif
