/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: spyhop agent register --server URL --id ACTIVATION --code CODE [--data DIR] [--insecure]\n"
    "       spyhop agent run [--data DIR] [--log-format text|json]\n"
    "       spyhop agent status [--data DIR] [--json]\n"
    "\n"
    "Makes this machine a node of a Spyhop server: Run Command runs commands on it.\n"
    "\n"
    "  --server URL       the server's address, https://HOST:PORT\n"
    "  --id ACTIVATION    what ssm create-activation answered\n"
    "  --code CODE        the same; \"-\" reads it from standard input\n"
    "  --data DIR         the node's folder (" SH_AGENT_DATA ")\n"
    "  --insecure         a server without TLS on another machine\n"
    "  --log-format json  one JSON object a line on standard error, as spyhop serve has it\n"
    "  --json             for programs\n"
    "\n"
    "DIR/agent.conf sets user, folder, workers, network and environment.NAME of commands: see the manual.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage.\n";

enum { OPTION_DATA = 256, OPTION_SERVER, OPTION_ID, OPTION_CODE, OPTION_INSECURE, OPTION_JSON, OPTION_LOG };

int sh_agent_options_read(sh_agent_options *out, int argc, char **argv, const char *command)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, OPTION_DATA},
        {"server", required_argument, NULL, OPTION_SERVER},
        {"id", required_argument, NULL, OPTION_ID},
        {"code", required_argument, NULL, OPTION_CODE},
        {"insecure", no_argument, NULL, OPTION_INSECURE},
        {"json", no_argument, NULL, OPTION_JSON},
        {"log-format", required_argument, NULL, OPTION_LOG},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (c) {
        case OPTION_DATA:
            out->data = optarg;
            break;
        case OPTION_SERVER:
            out->server = optarg;
            break;
        case OPTION_ID:
            out->id = optarg;
            break;
        case OPTION_CODE:
            out->code = optarg;
            break;
        case OPTION_INSECURE:
            out->insecure = true;
            break;
        case OPTION_JSON:
            out->json = true;
            break;
        case OPTION_LOG:
            out->json_log = strcmp(optarg, "json") == 0;
            if (!out->json_log && strcmp(optarg, "text") != 0) {
                fprintf(stderr, "spyhop agent %s: --log-format is text or json, not \"%s\"\n", command,
                        optarg);
                return -1;
            }
            break;
        case 'h':
            fputs(help, stdout);
            return 1;
        default:
            return -1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "spyhop agent %s: \"%s\" is not an option\n", command, argv[optind]);
        return -1;
    }
    return 0;
}
