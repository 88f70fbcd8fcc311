/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"

#include <stdio.h>

int sh_cmd_upscale(int argc, char **argv)
{
    fprintf(stderr, "spyhop upscale: not built yet\n");
    return SH_EXIT_FAILED;
}
