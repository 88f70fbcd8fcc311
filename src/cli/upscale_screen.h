/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_UPSCALE_SCREEN_H
#define SH_CLI_UPSCALE_SCREEN_H
/* What `upscale` and `stream` tell while they work and at their end.
 *
 *   a terminal    one line on stderr that is written over
 *   none          a line on stderr every 5 s
 *   --json        an object a line on stdout: progress, log, result, error
 *   --progress    the keys of ffmpeg's -progress, to a file or stdout; progress=continue or end closes a
 * block
 *
 * Speed is that of the last two minutes of this run: frames that an earlier run made are counted as done, not
 * as made, and neither is the time before the first frame. What is left is the rest over that speed. */
#include "media/upscale.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SH_SCREEN_SAMPLES 64

struct json_t;

typedef struct sh_screen {
    const char *command; /* for messages; NULL: "upscale" */
    bool json, quiet, verbose, terminal;
    bool stdout_taken; /* by the video: words go to stderr */
    FILE *keys;        /* of --progress; NULL: none */
    bool line_open;    /* the terminal's line holds progress */
    int64_t start, printed_at, keys_at;
    sh_upscale_progress last;
    struct {
        int64_t at, frames;
    } samples[SH_SCREEN_SAMPLES]; /* of the last minutes, oldest first */
    int sample_count;
} sh_screen;

/* --progress: path may be "-" or NULL. An exit code, said on stderr. */
int sh_screen_open_keys(sh_screen *screen, const char *path);
void sh_screen_start(sh_screen *screen);
/* For sh_upscale_job; opaque: sh_screen. */
void sh_screen_progress(void *screen, const sh_upscale_progress *progress);
void sh_screen_log(void *screen, int level, const char *text);
void sh_screen_result(sh_screen *screen, const sh_upscale_options *options, const sh_upscale_result *result);
/* The last block of keys, and the terminal's line is closed: for commands with a result of their own. */
void sh_screen_end(sh_screen *screen, int64_t frames, int64_t bytes, double duration);
/* One line of JSON on stdout; takes the reference. */
void sh_screen_object(struct json_t *object);
void sh_screen_error(sh_screen *screen, int status, const char *message);

#endif
