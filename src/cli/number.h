/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_NUMBER_H
#define SH_CLI_NUMBER_H
/* Values of options. Each says on stderr what is wrong with a bad one and returns false. */
#include <stdbool.h>

bool sh_option_int(const char *command, const char *option, const char *text, int min, int max, int *out);
bool sh_option_real(const char *command, const char *option, const char *text, double min, double max,
                    double *out);
/* The names of spyhop_cpu_name; a level that this machine lacks is refused. */
bool sh_option_cpu(const char *command, const char *text, int *out);
/* The names of spyhop_precision_name. */
bool sh_option_precision(const char *command, const char *text, int *out);

/* Seconds, given as such or as [[H:]M:]S[.F]. */
bool sh_option_time(const char *command, const char *option, const char *text, double *out);

#endif
