/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the node: the folders say what has happened, the table what is still to be done with them.
 * A command of the server is begun once: its folder is made before it starts and stays until the server,
 * which knows its end by then, says that it may go. */
#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/jobs/command.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOON_MS = 50, AGAIN_MS = 2000 };

int sh_agent_command_folder(const sh_agent *agent, const char *id, char path[PATH_MAX], sh_err *err)
{
    char name[SH_AGENT_ID_MAX + 16];
    snprintf(name, sizeof(name), "commands/%s", id);
    return sh_agent_path(path, agent->data, name, err);
}

/* As AWS makes them: nothing that could lead out of the folder. */
static bool is_id(const char *id)
{
    size_t length = id ? strlen(id) : 0;
    return length > 0 && length < SH_AGENT_ID_MAX &&
           strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == length;
}

static void ring(const sh_agent *agent)
{
    uint64_t one = 1;
    ssize_t ignored = write(agent->bell, &one, sizeof(one));
    (void)ignored;
}

/* ---- the table; the mutex is held ---- */

static sh_agent_command *find(sh_agent *agent, const char *id)
{
    for (size_t i = 0; i < agent->count; i++)
        if (strcmp(agent->commands[i].id, id) == 0)
            return &agent->commands[i];
    return NULL;
}

static int check_room(const sh_agent *agent, sh_err *err)
{
    if (agent->count < SH_AGENT_COMMANDS_MAX)
        return 0;
    return sh_fail(err, SH_E_LIMIT, "this node holds %d commands already", SH_AGENT_COMMANDS_MAX);
}

static void add(sh_agent *agent, const char *id, int pidfd)
{
    sh_agent_command *command = &agent->commands[agent->count++];
    *command = (sh_agent_command){.pidfd = pidfd};
    snprintf(command->id, sizeof(command->id), "%s", id);
}

static void drop(sh_agent *agent, sh_agent_command *command)
{
    if (command->pidfd >= 0)
        close(command->pidfd);
    *command = agent->commands[--agent->count];
}

/* ---- what a former agent left ---- */

static int begin(const sh_agent *agent, const char *id, const char *folder, const json_t *command, int *pidfd,
                 sh_err *err)
{
    sh_child child = SH_CHILD_NONE;
    char **environment = sh_agent_environment(agent, id);
    int status = environment ? sh_command_start(folder, command, agent->own, (const char *const *)environment,
                                                &child, err)
                             : sh_fail(err, SH_E_MEMORY, "no memory for a command");
    sh_agent_environment_free(environment);
    if (status == 0)
        *pidfd = child.pidfd;
    return status;
}

/* Its folder was made, but its supervisor had not begun. */
static int begin_again(sh_agent *agent, const char *id, const char *folder, int *pidfd, sh_err *err)
{
    json_t *command = NULL;
    sh_err why = {0};
    int status = sh_command_read(folder, "command.json", &command, &why);
    if (status < 0) { /* not even that: the server hands it out again */
        sh_log(SH_LOG_WARNING, "agent", "command %s: %s", id, why.message);
        return sh_dir_remove(folder, err) == 0 ? 1 : err->status;
    }
    status = begin(agent, id, folder, command, pidfd, err);
    json_decref(command);
    return status;
}

static int find_one(sh_agent *agent, const char *id, sh_err *err)
{
    char folder[PATH_MAX];
    sh_command_state state;
    int pidfd = -1;
    int status = check_room(agent, err);
    if (status == 0)
        status = sh_agent_command_folder(agent, id, folder, err);
    if (status == 0)
        status = sh_command_look(folder, &state, &pidfd, err);
    if (status == 0 && state == SH_COMMAND_NEVER)
        status = begin_again(agent, id, folder, &pidfd, err);
    if (status != 0)
        return status < 0 ? status : 0;
    add(agent, id, pidfd);
    return 0;
}

int sh_agent_commands_find(sh_agent *agent, sh_err *err)
{
    char path[PATH_MAX];
    int status = sh_agent_path(path, agent->data, "commands", err);
    if (status == 0)
        status = sh_dir_make(path, 0700, err);
    DIR *dir = status == 0 ? opendir(path) : NULL;
    if (status == 0 && !dir)
        status = sh_fail_errno(err, errno, "cannot list %s", path);
    for (struct dirent *entry; status == 0 && (entry = readdir(dir));)
        if (is_id(entry->d_name))
            status = find_one(agent, entry->d_name, err);
    if (dir)
        closedir(dir);
    return status;
}

/* ---- what the server says ---- */

static const char *state_name(const sh_agent *agent, const char *id)
{
    char folder[PATH_MAX];
    sh_command_state state = SH_COMMAND_LOST;
    sh_err err = {0};
    if (sh_agent_command_folder(agent, id, folder, &err) == 0)
        sh_command_look(folder, &state, NULL, &err);
    return state == SH_COMMAND_DONE ? "done" : state == SH_COMMAND_LOST ? "lost" : "running";
}

json_t *sh_agent_commands_list(sh_agent *agent, int *busy)
{
    json_t *list = json_array();
    *busy = 0;
    pthread_mutex_lock(&agent->mutex);
    for (size_t i = 0; i < agent->count; i++) {
        const char *state = state_name(agent, agent->commands[i].id);
        *busy += state[0] == 'r';
        json_array_append_new(list, json_pack("{s:s, s:s}", "id", agent->commands[i].id, "state", state));
    }
    pthread_mutex_unlock(&agent->mutex);
    return list;
}

/* A step that names no folder begins in the node's. */
static json_t *command_of(const sh_agent *agent, const json_t *message)
{
    char work[PATH_MAX], identity[PATH_MAX];
    size_t index;
    json_t *step;
    sh_err err = {0};
    int network = agent->config.network ? agent->config.network : agent->identity.network;
    json_t *command = json_deep_copy(json_object_get(message, "spec"));
    if (!json_is_object(command) || sh_agent_path(work, agent->data, "work", &err) < 0 ||
        sh_agent_path(identity, agent->data, "identity.json", &err) < 0)
        return command;
    json_array_foreach(json_object_get(command, "steps"), index, step)
    {
        const char *folder = json_string_value(json_object_get(step, "folder"));
        if (!folder || !*folder)
            json_object_set_new(step, "folder",
                                json_string(*agent->config.folder ? agent->config.folder : work));
    }
    json_t *environment = json_deep_copy(agent->config.environment);
    json_object_update(environment, json_object_get(command, "environment"));
    json_object_set_new(command, "environment", environment);
    json_object_set_new(command, "user", json_string(agent->config.user));
    json_object_set_new(command, "network", json_string(network == SH_NETWORK_OPEN ? "open" : "server"));
    json_object_set_new(command, "identity", json_string(identity));
    json_object_set(command, "token", json_object_get(message, "token"));
    json_object_set(command, "keep_output", json_object_get(message, "keep_output"));
    return command;
}

int sh_agent_command_run(sh_agent *agent, const json_t *message, sh_err *err)
{
    char folder[PATH_MAX];
    int pidfd = -1;
    const char *id = json_string_value(json_object_get(message, "command_id"));
    if (!is_id(id) || !json_is_array(json_object_get(json_object_get(message, "spec"), "steps")))
        return sh_fail(err, SH_E_FORMAT, "the server sent a command that is none");
    json_t *command = command_of(agent, message);
    pthread_mutex_lock(&agent->mutex);
    int status = 0;
    if (!find(agent, id)) {
        status = check_room(agent, err); /* what has begun has to be in the table */
        if (status == 0)
            status = sh_agent_command_folder(agent, id, folder, err);
        if (status == 0)
            status = begin(agent, id, folder, command, &pidfd, err);
        if (status == 0)
            add(agent, id, pidfd);
    }
    pthread_mutex_unlock(&agent->mutex);
    json_decref(command);
    ring(agent);
    if (status == 0)
        sh_log(SH_LOG_INFO, "agent", "command %s begins", id);
    return status;
}

void sh_agent_command_cancel(sh_agent *agent, const char *id)
{
    pthread_mutex_lock(&agent->mutex);
    sh_agent_command *command = is_id(id) ? find(agent, id) : NULL;
    if (command)
        command->cancel = true;
    pthread_mutex_unlock(&agent->mutex);
    ring(agent);
}

void sh_agent_command_forget(sh_agent *agent, const char *id)
{
    pthread_mutex_lock(&agent->mutex);
    sh_agent_command *command = is_id(id) ? find(agent, id) : NULL;
    if (command)
        command->unwanted = true;
    pthread_mutex_unlock(&agent->mutex);
    ring(agent);
}

/* ---- the second thread ---- */

typedef struct attendance {
    sh_agent *agent;
    CURL *curl;
    struct pollfd ready[SH_AGENT_COMMANDS_MAX + 1];
    int again_ms; /* -1: when rung */
} attendance;

static void again(attendance *a, int ms)
{
    if (a->again_ms < 0 || ms < a->again_ms)
        a->again_ms = ms;
}

/* SIGTERM through a pidfd reaches the supervisor and no process that came after it. */
static void cancel(attendance *a, sh_agent_command *command, const char *folder)
{
    sh_err err = {0};
    sh_command_state state;
    if (command->pidfd < 0)
        sh_command_look(folder, &state, &command->pidfd, &err);
    if (command->pidfd < 0)
        again(a, SOON_MS);
    else if (sh_command_cancel(command->pidfd, &err) == 0)
        command->cancel = false;
}

static void forget(sh_agent *agent, const char *id, const char *folder)
{
    sh_err err = {0};
    if (sh_dir_remove(folder, &err) < 0 && err.status != SH_E_NOT_FOUND) {
        sh_log(SH_LOG_WARNING, "agent", "command %s: %s", id, err.message);
        return;
    }
    pthread_mutex_lock(&agent->mutex);
    sh_agent_command *command = find(agent, id);
    if (command)
        drop(agent, command);
    pthread_mutex_unlock(&agent->mutex);
}

static void report(attendance *a, const char *id, bool lost)
{
    char marker[SH_AGENT_ID_MAX + 32];
    if (lost) {
        snprintf(marker, sizeof(marker), "SPYHOP_COMMAND_ID=%s", id);
        int killed = sh_strays_kill(marker);
        sh_log(SH_LOG_WARNING, "agent", "command %s: its supervisor is gone; %d processes of it were ended",
               id, killed);
    }
    int status = sh_agent_report(a->agent, a->curl, id, lost);
    if (status != 0) {
        again(a, AGAIN_MS);
        return;
    }
    pthread_mutex_lock(&a->agent->mutex);
    sh_agent_command *command = find(a->agent, id);
    if (command)
        command->settled = true;
    pthread_mutex_unlock(&a->agent->mutex);
}

/* What is to be done is decided with the mutex held, and done without it. */
static void attend_one(attendance *a, size_t at)
{
    char folder[PATH_MAX], id[SH_AGENT_ID_MAX];
    sh_command_state state = SH_COMMAND_RUNNING;
    sh_err err = {0};
    pthread_mutex_lock(&a->agent->mutex);
    sh_agent_command *command = &a->agent->commands[at];
    snprintf(id, sizeof(id), "%s", command->id);
    bool wanted = !command->unwanted, settled = command->settled;
    if (sh_agent_command_folder(a->agent, id, folder, &err) == 0)
        sh_command_look(folder, &state, command->pidfd < 0 ? &command->pidfd : NULL, &err);
    if (state == SH_COMMAND_RUNNING) {
        if (command->cancel || !wanted)
            cancel(a, command, folder);
        if (command->pidfd < 0)
            again(a, SOON_MS);
    } else if (command->pidfd >= 0) {
        close(command->pidfd);
        command->pidfd = -1;
    }
    pthread_mutex_unlock(&a->agent->mutex);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    if (state == SH_COMMAND_RUNNING)
        return;
    if (!wanted)
        forget(a->agent, id, folder);
    else if (!settled)
        report(a, id, state != SH_COMMAND_DONE);
}

static int wait_for_work(attendance *a)
{
    nfds_t count = 1;
    uint64_t rung;
    a->ready[0] = (struct pollfd){.fd = a->agent->bell, .events = POLLIN};
    pthread_mutex_lock(&a->agent->mutex);
    for (size_t i = 0; i < a->agent->count; i++)
        if (a->agent->commands[i].pidfd >= 0)
            a->ready[count++] = (struct pollfd){.fd = a->agent->commands[i].pidfd, .events = POLLIN};
    pthread_mutex_unlock(&a->agent->mutex);
    int found = poll(a->ready, count, a->again_ms);
    if (found > 0 && a->ready[0].revents && read(a->agent->bell, &rung, sizeof(rung)) < 0)
        return -1;
    return found;
}

static size_t count_of(sh_agent *agent)
{
    pthread_mutex_lock(&agent->mutex);
    size_t count = agent->count;
    pthread_mutex_unlock(&agent->mutex);
    return count;
}

void *sh_agent_attend(void *opaque)
{
    attendance *a = calloc(1, sizeof(*a));
    sh_agent *agent = opaque;
    CURL *curl = curl_easy_init();
    if (!a || !curl) {
        sh_log(SH_LOG_ERROR, "agent", "no memory to look after commands");
        abort(); /* the agent is started again */
    }
    *a = (attendance){.agent = agent, .curl = curl};
    while (!atomic_load(&agent->stop)) {
        a->again_ms = -1;
        for (size_t i = count_of(agent); i-- > 0;) /* only this thread takes entries away */
            attend_one(a, i);
        wait_for_work(a);
    }
    curl_easy_cleanup(curl);
    free(a);
    return NULL;
}
