/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_AGENT_OPTIONS_H
#define SH_AGENT_OPTIONS_H
#include <stdbool.h>

#define SH_AGENT_DATA "/var/lib/spyhop-agent"

typedef struct sh_agent_options {
    const char *data, *server, *id, *code;
    bool insecure, json, json_log;
} sh_agent_options;

/* words: of the subcommand. 0; 1: help was printed; negative: a mistake, which was said. */
int sh_agent_options_read(sh_agent_options *out, int argc, char **argv, const char *command);

#endif
