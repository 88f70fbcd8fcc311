/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_UPSCALE_OPTIONS_H
#define SH_CLI_UPSCALE_OPTIONS_H
/* The command line of `upscale`, and of `probe`, which plans the same work; `stream` and `watch` share most
 * of it. One row an option (upscale_options.c). */
#include "base/err.h"
#include "cli/option_row.h"
#include "media/options.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#define SH_ENCODER_OPTIONS_MAX 64

typedef struct sh_upscale_words {
    sh_upscale_options options;
    const char *command;         /* "upscale" or "probe", for messages */
    const char *model, *denoise; /* as given; denoise NULL: none */
    const char *progress;        /* file, "-", or NULL */
    bool json, quiet, verbose, help;
    const char *encoder_options[SH_ENCODER_OPTIONS_MAX];
    char model_path[PATH_MAX], restore_path[PATH_MAX];
} sh_upscale_words;

/* Reads the options and moves what is left behind them, as getopt does; *first is the index of the first word
 * that is no option. False: wrong, and said on stderr. */
bool sh_upscale_words_read(sh_upscale_words *words, const char *command, int argc, char **argv, int *first);
/* The same for other commands: the shared rows and `own` ones, which put their values into the struct whose
 * first member *words is. */
bool sh_words_read(sh_upscale_words *words, const char *command, const sh_option_row *own, size_t own_count,
                   int argc, char **argv, int *first);
/* Finds the models. options points into *words from then on. */
int sh_upscale_words_models(sh_upscale_words *words, sh_err *err);
/* The options that both commands have. */
void sh_upscale_words_help(FILE *out);
/* Those that others share. */
void sh_words_help(FILE *out);

#endif
