/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"
#include "cloud/jobs/command.h"

#include <stdio.h>

int sh_cmd_agent_exec(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] != '/') {
        fprintf(stderr, "usage: spyhop agent-exec FOLDER\n"
                        "Runs the command that the server has put into FOLDER. For the server's own use.\n");
        return SH_EXIT_USAGE;
    }
    return sh_supervisor_main(argv[1]) == 0 ? SH_EXIT_OK : SH_EXIT_FAILED;
}
