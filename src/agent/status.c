/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop-agent status`: what the folder says, without asking anybody. */
#include "agent/agent.h"
#include "agent/options.h"
#include "cloud/jobs/command.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool agent_runs(const char *data)
{
    char path[PATH_MAX];
    if (sh_agent_path(path, data, "agent.lock", NULL) < 0)
        return false;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
    if (fd >= 0)
        close(fd);
    return held;
}

static const char *name_of(sh_command_state state)
{
    static const char *const names[] = {"waiting", "running", "done", "lost"};
    return names[state];
}

static json_t *list_commands(const char *data, sh_err *err)
{
    char path[PATH_MAX], folder[2 * PATH_MAX];
    json_t *list = json_array();
    if (sh_agent_path(path, data, "commands", err) < 0)
        return list;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        sh_command_state state;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(folder, sizeof(folder), "%s/%s", path, entry->d_name);
        if (sh_command_look(folder, &state, NULL, err) == 0)
            json_array_append_new(list,
                                  json_pack("{s:s, s:s}", "id", entry->d_name, "state", name_of(state)));
    }
    if (dir)
        closedir(dir);
    return list;
}

static void print(const sh_agent_identity *identity, bool runs, const json_t *commands)
{
    size_t index;
    const json_t *command;
    printf("node    %s\nserver  %s%s\nagent   %s\n", identity->id, identity->server,
           identity->pin[0] ? " (key pinned)" : "", runs ? "runs" : "does not run");
    json_array_foreach(commands, index, command)
    {
        printf("command %s %s\n", json_string_value(json_object_get(command, "id")),
               json_string_value(json_object_get(command, "state")));
    }
}

int sh_agent_main_status(int argc, char **argv)
{
    sh_err err = {0};
    sh_agent_identity identity;
    sh_agent_options options = {.data = SH_AGENT_DATA};
    int status = sh_agent_options_read(&options, argc, argv, "status");
    if (status)
        return status > 0 ? 0 : 2;
    if (sh_agent_identity_read(&identity, options.data, &err) < 0) {
        fprintf(stderr, "spyhop agent status: %s\n", err.message);
        return 1;
    }
    json_t *commands = list_commands(options.data, &err);
    bool runs = agent_runs(options.data);
    if (options.json) {
        json_t *all = json_pack("{s:s, s:s, s:b, s:O}", "instance_id", identity.id, "server", identity.server,
                                "running", runs, "commands", commands);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    } else {
        print(&identity, runs, commands);
    }
    json_decref(commands);
    return 0;
}
