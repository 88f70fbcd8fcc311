/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop serve` becomes the program spyhop-serve. */
#include "cli/beside.h"
#include "cli/commands.h"

int sh_cmd_serve(int argc, char **argv)
{
    return sh_become("spyhop-serve", argc, argv);
}
