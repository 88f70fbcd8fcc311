/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/beside.h"
#include "cli/commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sh_become(const char *name, int argc, char **argv)
{
    static const char *const places[] = {"", "../libexec/spyhop/"};
    char program[PATH_MAX], path[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char **words = calloc((size_t)argc + 2, sizeof(*words));
    if (length < 0 || !words) {
        fprintf(stderr, "spyhop: cannot find the program's own path: %s\n", strerror(errno));
        free(words);
        return SH_EXIT_FAILED;
    }
    program[length] = '\0';
    int folder = (int)(strrchr(program, '/') - program);
    words[0] = program;
    memcpy(words + 1, argv, (size_t)argc * sizeof(*words));
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        snprintf(path, sizeof(path), "%.*s/%s%s", folder, program, places[i], name);
        execv(path, words);
        if (errno != ENOENT)
            break;
    }
    fprintf(stderr, "spyhop: cannot start %s: %s\n", path, strerror(errno));
    free(words);
    return SH_EXIT_FAILED;
}
