/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_OUTPUT_H
#define SH_MEDIA_OUTPUT_H
/* A file that appears whole or not at all. It is written without a name in its folder (O_TMPFILE; a name
 * beginning with ".spyhop-" where the file system has no nameless files), so that even kill -9 leaves
 * nothing, then synced and given its name. */
#include "base/err.h"
#include <stdbool.h>

typedef struct sh_output {
    int fd;     /* -1: not open */
    int folder; /* descriptor */
    bool overwrite;
    char *path;      /* final, links followed */
    char *name;      /* its last component, within path */
    char shown[160]; /* path for messages */
    char part[48];   /* name of the temporary file; "" while it has none */
} sh_output;

/* Refuses an existing file unless overwrite (SH_E_CONFLICT), and anything that is no regular file. input:
 * descriptor of a file that must not be the same one, or -1. */
int sh_output_open(sh_output *output, const char *path, bool overwrite, int input, sh_err *err);
int sh_output_commit(sh_output *output, sh_err *err);
/* Closes; what was not committed is gone. {.fd = -1, .folder = -1} is fine. */
void sh_output_close(sh_output *output);

#endif
