/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop agent` becomes the program spyhop-agent. */
#include "cli/beside.h"
#include "cli/commands.h"

int sh_cmd_agent(int argc, char **argv)
{
    return sh_become("spyhop-agent", argc - 1, argv + 1);
}
