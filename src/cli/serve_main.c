/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program spyhop-serve, which `spyhop serve` becomes: argv[0] is the path of spyhop. */
#include "cli/commands.h"
#include "cli/serve_options.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, said where it happens */
    if (argc < 2 || argv[0][0] != '/' || strcmp(argv[1], "serve") != 0) {
        fprintf(stderr, "spyhop-serve: this is started by \"spyhop serve\"\n");
        return SH_EXIT_USAGE;
    }
    return sh_serve_main(argv[0], argc - 1, argv + 1);
}
