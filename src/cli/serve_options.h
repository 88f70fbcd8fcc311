/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_SERVE_OPTIONS_H
#define SH_CLI_SERVE_OPTIONS_H
/* The options of `spyhop serve`: a row each. */
#include "cloud/api/cloud.h"

typedef struct sh_serve_options {
    sh_cloud_settings cloud;
    const char *listen;
    const char *tls_certificate, *tls_key; /* both or neither */
    bool json_log;
    const char *access_log; /* path, "-", or NULL */
    int64_t stop_wait_ms;
    bool no_agent; /* somebody else runs the agent of the built-in node, or nobody does */
} sh_serve_options;

/* The server itself: everything behind `spyhop serve`, in a program of its own (spyhop-serve), which is not
 * linked to the libraries of media: they alone would take more memory than all of the server does. `program`
 * is the path of spyhop, for children. argv[0] is "serve". Returns the exit code. */
int sh_serve_main(const char *program, int argc, char **argv);

/* -1: go on; else the exit code, after having said why. */
int sh_serve_options_read(int argc, char **argv, sh_serve_options *out);

#endif
