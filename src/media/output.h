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

/* A file made over several runs: part file and journal under plain hidden names in the output's folder
 * (".NAME.spyhop-part", ".NAME.spyhop-journal"), so that they outlive a crash, and locked, so that two runs
 * never write the same one. Only the parent has it; the child gets the three descriptors. */
typedef struct sh_unfinished {
    int part, journal, folder; /* descriptors, -1: not open */
    bool overwrite, held;      /* held: the lock on them */
    char *path, *name;         /* of the output; name lies within path */
    char *part_name, *journal_name;
    char shown[160]; /* the output's path for messages */
} sh_unfinished;

#define SH_UNFINISHED_NONE ((sh_unfinished){.part = -1, .journal = -1, .folder = -1})

/* Opens both, creating what is not there (a part file without a journal, or the reverse, is emptied). Refuses
 * as sh_output_open does, and where another process works on it (SH_E_CONFLICT). */
int sh_unfinished_open(sh_unfinished *output, const char *path, bool overwrite, int input, sh_err *err);
/* The part file is synced, gets the output's name, and the journal goes. */
int sh_unfinished_commit(sh_unfinished *output, sh_err *err);
/* Removes both: nothing is to be resumed. */
void sh_unfinished_discard(sh_unfinished *output);
/* Closes; the files stay for a resume, but empty ones are removed. SH_UNFINISHED_NONE is fine. */
void sh_unfinished_close(sh_unfinished *output);

#endif
