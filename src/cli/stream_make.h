/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STREAM_MAKE_H
#define SH_CLI_STREAM_MAKE_H
/* One film to one published stream: the work of `spyhop stream`, and of `spyhop watch` for each file.
 *
 *     which version is it (source and settings)  ->  staging folder (stream/publish.h), its journal
 *     ->  the ladder (media/ladder.h)  ->  playlists  ->  check (stream/check.h)  ->  publication
 *
 * The version is a digest of the source's identity (size, time of change, ends of its content), of the
 * models' and of all settings that bear on the bytes. The same command again finds its staging folder and
 * goes on, or finds that it has been published. */
#include "base/err.h"
#include "media/ladder.h"
#include "media/ladder_choose.h"
#include "stream/check.h"
#include "stream/publish.h"

typedef struct sh_stream_work {
    const sh_upscale_options *options; /* input, model (NULL: no network), restore, ... */
    const char *output;                /* folder */
    sh_ladder_wish ladder;
    double segment_seconds;
    bool live; /* playable while it is made */
    void (*progress)(void *opaque, const sh_ladder_progress *progress);
    void (*growing)(void *opaque, const sh_ladder_result *result); /* or NULL */
    void (*log)(void *opaque, int level, const char *text);
    void *opaque;
} sh_stream_work;

typedef struct sh_stream_done {
    char version[SH_PUBLISH_VERSION + 1];
    bool already; /* it had been published before; nothing below is known */
    sh_ladder_result result;
    sh_stream_report check;
    int64_t bytes; /* of all media files */
} sh_stream_done;

/* *done is to be freed whatever comes back; its `check` holds the findings also where a stream is refused
 * (SH_E_FORMAT). On failure what was published before stands as it was, and there is nothing new but what the
 * same command can go on with. */
int sh_stream_make(const sh_stream_work *work, sh_stream_done *done, sh_err *err);
void sh_stream_done_free(sh_stream_done *done); /* all-zero is fine */

#endif
