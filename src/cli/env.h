/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_ENV_H
#define SH_CLI_ENV_H

/* The value of the first variable of the environment that has one, else `otherwise`. second: NULL for none.
 */
const char *sh_env_or(const char *first, const char *second, const char *otherwise);

#endif
