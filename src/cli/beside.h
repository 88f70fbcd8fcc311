/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_BESIDE_H
#define SH_CLI_BESIDE_H
/* This process becomes the program `name`, which lies beside it or, installed, in libexec; argv[0] is the
 * path of spyhop. Returns an exit code if that fails, which was said. */
int sh_become(const char *name, int argc, char **argv);
#endif
