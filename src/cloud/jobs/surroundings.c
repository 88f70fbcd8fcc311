/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/surroundings.h"
#include "cloud/jobs/netns.h"
#include "cloud/jobs/relay.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* ---- who ---- */

static int take_groups(sh_command_user *user, const struct passwd *entry, sh_err *err)
{
    int count = 64;
    user->groups = calloc((size_t)count, sizeof(*user->groups));
    if (user->groups && getgrouplist(entry->pw_name, entry->pw_gid, user->groups, &count) < 0) {
        gid_t *more = realloc(user->groups, (size_t)count * sizeof(*more));
        user->groups = more ? more : user->groups;
        if (!more || getgrouplist(entry->pw_name, entry->pw_gid, user->groups, &count) < 0)
            return sh_fail(err, SH_E_LIMIT, "the groups of user %s cannot be listed", entry->pw_name);
    }
    user->name = strdup(entry->pw_name);
    user->home = strdup(entry->pw_dir);
    if (!user->groups || !user->name || !user->home)
        return sh_fail(err, SH_E_MEMORY, "no memory for a user");
    user->identity = (sh_child_user){entry->pw_uid, entry->pw_gid, user->groups, (size_t)count};
    return 0;
}

static int find_user(sh_command_user *out, const char *name, sh_err *err)
{
    if (!name || !*name)
        return 0;
    const struct passwd *entry = getpwnam(name);
    if (!entry)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no user %.100s on this node: see its configuration",
                       name);
    if (entry->pw_uid == geteuid())
        return 0;
    if (geteuid() != 0)
        return sh_fail(err, SH_E_DENIED, "only root may run commands as user %.100s", name);
    return take_groups(out, entry, err);
}

void sh_command_user_free(sh_command_user *user)
{
    free(user->name);
    free(user->home);
    free(user->groups);
    *user = (sh_command_user){0};
}

/* ---- variables ---- */

typedef struct variables {
    char **list;
    size_t count, room;
    int failed;
} variables;

static int put(variables *v, char *text)
{
    size_t name = text ? strcspn(text, "=") : 0;
    for (size_t i = 0; text && i < v->count; i++) {
        if (strncmp(v->list[i], text, name + 1) == 0) { /* the later one counts */
            free(v->list[i]);
            v->list[i] = text;
            return 0;
        }
    }
    if (text && v->count + 1 < v->room) {
        v->list[v->count++] = text;
        return 0;
    }
    free(text);
    v->failed = 1;
    return -1;
}

static void set(variables *v, const char *name, const char *value)
{
    char *text = NULL;
    if (asprintf(&text, "%s=%s", name, value) < 0)
        text = NULL;
    put(v, text);
}

static void add_given(variables *v, const json_t *given)
{
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)given, name, value)
    {
        if (*name && !strchr(name, '=') && json_is_string(value))
            set(v, name, json_string_value(value));
    }
}

static void add_server(variables *v, int port, const char *token)
{
    char url[64], credentials[96];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    snprintf(credentials, sizeof(credentials), "%s/_spyhop/credentials", url);
    set(v, "AWS_ENDPOINT_URL", url);
    if (token && *token) {
        set(v, "AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials);
        set(v, "AWS_CONTAINER_AUTHORIZATION_TOKEN", token);
    }
}

static int make_environment(const json_t *command, const sh_command_user *user, int port, char ***out,
                            sh_err *err)
{
    const json_t *given = json_object_get(command, "environment");
    variables v = {.room = json_object_size(given) + 16};
    for (char **at = environ; *at; at++)
        v.room++;
    v.list = calloc(v.room, sizeof(*v.list));
    if (!v.list)
        return sh_fail(err, SH_E_MEMORY, "no memory for the environment of a command");
    for (char **at = environ; *at; at++)
        put(&v, strdup(*at));
    if (user->name) {
        set(&v, "HOME", user->home);
        set(&v, "USER", user->name);
        set(&v, "LOGNAME", user->name);
    }
    add_given(&v, given);
    if (port > 0)
        add_server(&v, port, json_string_value(json_object_get(command, "token")));
    if (v.failed) {
        sh_command_environment_free(v.list);
        return sh_fail(err, SH_E_MEMORY, "no memory for the environment of a command");
    }
    *out = v.list;
    return 0;
}

void sh_command_environment_free(char **environment)
{
    for (char **at = environment; at && *at; at++)
        free(*at);
    free(environment);
}

/* ---- the network ---- */

static int enter_network(const char *network, const char *identity, sh_child *relay, int *port, sh_err *err)
{
    int channel = -1, listener = -1;
    bool own = !network || strcmp(network, "open") != 0;
    int status = identity ? sh_relay_start(relay, identity, &channel, err) : 0;
    if (status == 0 && identity && own)
        status = sh_netns_enter(err);
    if (status == 0 && identity)
        status = sh_loopback_listen(&listener, port, err);
    if (status == 0 && identity)
        return sh_relay_listen(channel, listener, err);
    if (channel >= 0)
        close(channel);
    return status;
}

int sh_command_surround(const json_t *command, sh_child *relay, sh_command_user *user, char ***environment,
                        sh_err *err)
{
    const char *network = json_string_value(json_object_get(command, "network"));
    const char *identity = json_string_value(json_object_get(command, "identity"));
    int port = 0;
    int status = find_user(user, json_string_value(json_object_get(command, "user")), err);
    if (status == 0)
        status = enter_network(network, identity, relay, &port, err);
    return status == 0 ? make_environment(command, user, port, environment, err) : status;
}
