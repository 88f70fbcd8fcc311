/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DATA/agent.conf: lines "name = value", empty lines, and lines that begin with #.
 *
 *   user = video               who commands run as (the agent is root then)
 *   folder = /srv/films        where they begin
 *   workers = 2                how many at once, 1 to 64
 *   network = open             their network: "server" (that alone) or "open"
 *   environment.NAME = value   a variable of theirs */
#include "agent/agent.h"
#include "base/file.h"
#include "base/size.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct setting {
    const char *name;
    bool (*take)(sh_agent_config *config, const char *value);
    const char *wanted;
} setting;

static bool take_text(char **to, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return false;
    free(*to);
    *to = copy;
    return true;
}

static bool take_user(sh_agent_config *config, const char *value)
{
    return *value && take_text(&config->user, value);
}

static bool take_folder(sh_agent_config *config, const char *value)
{
    return value[0] == '/' && take_text(&config->folder, value);
}

static bool take_workers(sh_agent_config *config, const char *value)
{
    int64_t number;
    if (!sh_parse_i64(value, strlen(value), 1, 64, &number))
        return false;
    config->workers = (int)number;
    return true;
}

static bool take_network(sh_agent_config *config, const char *value)
{
    if (strcmp(value, "server") == 0)
        config->network = SH_NETWORK_SERVER;
    else if (strcmp(value, "open") == 0)
        config->network = SH_NETWORK_OPEN;
    else
        return false;
    return true;
}

static const setting settings[] = {
    {"user", take_user, "the name of a user"},
    {"folder", take_folder, "an absolute path"},
    {"workers", take_workers, "1 to 64"},
    {"network", take_network, "server or open"},
};

static bool is_variable(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && !name[length] && !isdigit((unsigned char)name[0]);
}

static int take_line(sh_agent_config *config, const char *path, int number, char *name, char *value,
                     sh_err *err)
{
    static const char prefix[] = "environment.";
    if (strncmp(name, prefix, sizeof(prefix) - 1) == 0) {
        const char *variable = name + sizeof(prefix) - 1;
        if (!is_variable(variable) ||
            json_object_set_new(config->environment, variable, json_string(value)) < 0)
            return sh_fail(err, SH_E_FORMAT, "%s, line %d: %s is no name of a variable with a text of UTF-8",
                           path, number, variable);
        return 0;
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (strcmp(settings[i].name, name) != 0)
            continue;
        return settings[i].take(config, value)
                   ? 0
                   : sh_fail(err, SH_E_FORMAT, "%s, line %d: %s is to be %s, not \"%s\"", path, number, name,
                             settings[i].wanted, value);
    }
    return sh_fail(
        err, SH_E_FORMAT,
        "%s, line %d: there is no setting \"%s\" (user, folder, workers, network, environment.NAME)", path,
        number, name);
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static int take_all(sh_agent_config *config, const char *path, char *text, sh_err *err)
{
    int number = 1, status = 0;
    for (char *line = text, *next; status == 0 && line; line = next, number++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *name = trim(line), *sign = strchr(name, '=');
        if (!*name || *name == '#')
            continue;
        if (!sign)
            return sh_fail(err, SH_E_FORMAT, "%s, line %d: \"name = value\" is wanted", path, number);
        *sign = '\0';
        status = take_line(config, path, number, trim(name), trim(sign + 1), err);
    }
    return status;
}

int sh_agent_config_read(sh_agent_config *out, const char *data, sh_err *err)
{
    char path[PATH_MAX];
    sh_buf text;
    sh_err why = {0};
    sh_agent_config config = {.user = strdup(""), .folder = strdup(""), .environment = json_object()};
    sh_buf_init(&text, 1 << 20);
    int status = sh_agent_path(path, data, "agent.conf", err);
    if (status == 0 && (!config.user || !config.folder || !config.environment))
        status = sh_fail(err, SH_E_MEMORY, "no memory for the configuration");
    if (status == 0) {
        status = sh_file_read(path, &text, &why);
        status = status == SH_E_NOT_FOUND ? 0 : status < 0 ? sh_fail(err, status, "%s", why.message) : 0;
    }
    if (status == 0 && text.length > 0) {
        sh_buf_cstr(&text);
        status = take_all(&config, path, text.data, err);
    }
    sh_buf_free(&text);
    if (status < 0)
        sh_agent_config_free(&config);
    else
        *out = config;
    return status;
}

void sh_agent_config_free(sh_agent_config *config)
{
    free(config->user);
    free(config->folder);
    json_decref(config->environment);
    *config = (sh_agent_config){0};
}
