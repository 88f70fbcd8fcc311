/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_SURROUNDINGS_H
#define SH_JOBS_SURROUNDINGS_H
/* What the scripts of a command find: who they run as, their network, their variables. */
#include "cloud/jobs/child.h"
#include <jansson.h>

typedef struct sh_command_user {
    char *name; /* NULL: as we are */
    char *home;
    gid_t *groups;
    sh_child_user identity;
} sh_command_user;

/* command: command.json (command.h). From then on this process is in the network of the command, and the
 * relay, if there is one, in the network it was in before. */
int sh_command_surround(const json_t *command, sh_child *relay, sh_command_user *user, char ***environment,
                        sh_err *err);
void sh_command_user_free(sh_command_user *user);
void sh_command_environment_free(char **environment); /* NULL is fine */

#endif
