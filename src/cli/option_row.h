/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_OPTION_ROW_H
#define SH_CLI_OPTION_ROW_H
/* One option of a command: its name, what it takes, where its value goes, its line of help. `upscale`,
 * `probe`, `stream` and `watch` share the rows of upscale_options.c; a command may have rows of its own
 * besides. */
#include <stdbool.h>
#include <stddef.h>

typedef enum sh_option_kind {
    SH_OPTION_FLAG,   /* bool */
    SH_OPTION_TEXT,   /* const char *, borrowed from argv */
    SH_OPTION_NUMBER, /* double */
    SH_OPTION_WHOLE,  /* int */
    SH_OPTION_TIME,   /* double */
    SH_OPTION_CHOICE, /* int: the place in `choices` */
    SH_OPTION_SIZE,   /* from here on: of upscale_options.c */
    SH_OPTION_CPU,
    SH_OPTION_PRECISION,
    SH_OPTION_ENCODER,
    SH_OPTION_PAIR,
    SH_OPTION_GRAIN,
    SH_OPTION_DENOISE
} sh_option_kind;

typedef struct sh_option_row {
    const char *name;
    char letter; /* 0: none */
    sh_option_kind kind;
    size_t at; /* offset of its value in the command's words */
    double min, max;
    const char *const *choices; /* NULL behind the last */
    const char *help;           /* a line or more, "\n" at the end; NULL: said elsewhere */
    bool upscale_only;          /* of upscale and probe, not of stream and watch */
} sh_option_row;

#endif
