/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muxwork SOURCE OUTPUT PIECES [BEGIN_US END_US]: the job of muxwork.h as a program, for tests that kill
 * it. */
#include "muxwork.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(void *opaque, bool loss, const char *text)
{
    printf("%s: %s\n", loss ? "loss" : "note", text);
}

int main(int argc, char **argv)
{
    sh_err err = {0};
    av_log_set_level(AV_LOG_ERROR);
    if (argc < 4 || argc > 6) {
        fprintf(stderr, "usage: muxwork SOURCE OUTPUT PIECES [BEGIN_US END_US]\n");
        return 2;
    }
    muxwork work = {.source = argv[1],
                    .output = argv[2],
                    .pieces = (int)strtol(argv[3], NULL, 10),
                    .stop_after = -1,
                    .begin_us = argc > 5 ? strtoll(argv[4], NULL, 10) : AV_NOPTS_VALUE,
                    .end_us = argc > 5 ? strtoll(argv[5], NULL, 10) : AV_NOPTS_VALUE,
                    .say = say};
    int status = muxwork_run(&work, &err);
    if (status < 0)
        fprintf(stderr, "%s (%d)\n", err.message, status);
    else
        printf("replayed %d\n", (int)work.replayed);
    return status < 0;
}
