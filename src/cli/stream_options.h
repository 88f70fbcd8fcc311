/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STREAM_OPTIONS_H
#define SH_CLI_STREAM_OPTIONS_H
/* The command line of `stream`; `watch` takes the same for each of its streams. */
#include "cli/stream_make.h"
#include "cli/upscale_options.h"
#include <stdio.h>

typedef struct sh_stream_words {
    sh_upscale_words words; /* first: the shared rows put their values here */
    int codec;              /* sh_ladder_codec */
    double segment, gop;
    int steps;
    bool live, sdr, no_thumbnails, no_text, no_audio;
} sh_stream_words;

/* As sh_upscale_words_read; own: rows besides (of a struct whose first member *words is). */
bool sh_stream_words_read(sh_stream_words *words, const char *command, const sh_option_row *own,
                          size_t own_count, int argc, char **argv, int *first);
/* Finds the models, and fills in what is asked for; borrows from *words. output, callbacks and input are the
 * caller's to set. */
int sh_stream_words_work(sh_stream_words *words, sh_stream_work *work, sh_err *err);
void sh_stream_words_help(FILE *out);

#endif
