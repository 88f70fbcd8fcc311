/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program spyhop-agent, which `spyhop agent` becomes. `exec FOLDER` is the supervisor of one command. */
#include "agent/agent.h"
#include "cloud/jobs/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int exec_main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] != '/') {
        fprintf(stderr,
                "usage: spyhop-agent exec FOLDER\nRuns the command in FOLDER. For the agent's own use.\n");
        return 2;
    }
    return sh_supervisor_main(argv[1]) == 0 ? 0 : 1;
}

typedef struct command {
    const char *name;
    int (*fn)(int argc, char **argv);
} command;

static const command commands[] = {
    {"run", sh_agent_main_run},
    {"register", sh_agent_main_register},
    {"status", sh_agent_main_status},
    {"exec", exec_main},
};

int main(int argc, char **argv)
{
    char help[] = "--help";
    char *words[] = {help, help, NULL};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].fn(argc - 1, argv + 1);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return sh_agent_main_status(2, words);
    fprintf(stderr, "usage: spyhop agent register | run | status; spyhop agent --help tells more\n");
    return 2;
}
