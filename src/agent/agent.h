/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_AGENT_AGENT_H
#define SH_AGENT_AGENT_H
/* The agent of a node (docs/agent.md). Its data folder:
 *
 *   identity.json  who the node is and where its server; by `register`, or by the server for its own node
 *   key.pem        the node's private key, mode 0600
 *   agent.conf     what may be set by hand (config.c); optional
 *   agent.lock     flock()ed by the agent that runs
 *   bin/           first on PATH of commands: spyhop, run-sr.sh, aws (tools.c)
 *   work/          where commands begin unless they name a folder
 *   commands/ID/   a command (cloud/jobs/command.h)
 *
 * Two threads: one polls the server and does what it says (run.c), the other waits for the ends of commands
 * and reports them (commands.c). */
#include "base/buf.h"
#include "base/err.h"
#include <curl/curl.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SH_AGENT_ID_MAX 64
enum { SH_AGENT_COMMANDS_MAX = 1024 };

/* ---- config.c ---- */
typedef struct sh_agent_config {
    char *user;   /* "" : as the agent */
    char *folder; /* "" : DATA/work */
    int workers;  /* 0: as the identity says, or 5 */
    int network;  /* SH_NETWORK_* */
    json_t *environment;
} sh_agent_config;
enum { SH_NETWORK_UNSET, SH_NETWORK_SERVER, SH_NETWORK_OPEN };

/* Reads DATA/agent.conf; a file that is not there says nothing. Errors name the line. */
int sh_agent_config_read(sh_agent_config *out, const char *data, sh_err *err);
void sh_agent_config_free(sh_agent_config *config);

/* ---- identity.c ---- */
typedef struct sh_agent_identity {
    char server[512], id[SH_AGENT_ID_MAX], account[32], region[64], pin[64];
    int workers, network;
} sh_agent_identity;

int sh_agent_path(char path[PATH_MAX], const char *data, const char *name, sh_err *err);
int sh_agent_identity_read(sh_agent_identity *out, const char *data, sh_err *err);
int sh_agent_identity_write(const sh_agent_identity *identity, const char *data, sh_err *err);
/* make: a new one where there is none. EVP_PKEY_free */
int sh_agent_key_load(EVP_PKEY **out, const char *data, bool make, sh_err *err);
/* hex, 64 digits: what two copies of a disk do not share. */
int sh_agent_machine(char out[65], const char *data, sh_err *err);

/* ---- the running agent ---- */
typedef struct sh_agent_command {
    char id[SH_AGENT_ID_MAX];
    int pidfd;     /* -1: none */
    bool cancel;   /* to be told */
    bool settled;  /* reported: waits for "forget" */
    bool unwanted; /* to be forgotten as soon as it has ended */
} sh_agent_command;

typedef struct sh_agent {
    const char *data;
    const char *own; /* path of this program */
    sh_agent_config config;
    sh_agent_identity identity; /* as at the start; `server` is read again for each request */
    EVP_PKEY *key;
    char session[33], machine[65];
    int64_t started_ms;
    _Atomic int64_t skew_ms; /* server's clock minus ours */
    atomic_bool stop;
    int bell; /* eventfd: the second thread is to look again */

    pthread_mutex_t mutex; /* of what follows */
    sh_agent_command commands[SH_AGENT_COMMANDS_MAX];
    size_t count;
} sh_agent;

/* ---- client.c ---- */
typedef struct sh_agent_reply {
    long status;  /* of HTTP */
    json_t *json; /* an object; owned by the caller */
} sh_agent_reply;

typedef struct sh_agent_post {
    const char *server, *pin, *node, *verb;
    const void *body;
    size_t length;
    int timeout_s;
} sh_agent_post;

/* One signed request; a clock that differs and a nonce that was seen are dealt with. SH_E_IO: no answer. */
int sh_agent_post_signed(sh_agent *agent, CURL *curl, const sh_agent_post *post, sh_agent_reply *reply,
                         sh_err *err);
/* The same to the agent's own server, JSON taken; with the code of a refusal in `code` (size 64). */
int sh_agent_call(sh_agent *agent, CURL *curl, const char *verb, json_t *body, int timeout_s,
                  sh_agent_reply *reply, sh_err *err);
const char *sh_agent_reply_code(const sh_agent_reply *reply);
const char *sh_agent_reply_message(const sh_agent_reply *reply);

/* ---- commands.c, report.c ---- */
int sh_agent_commands_find(sh_agent *agent, sh_err *err); /* those a former agent left */
json_t *sh_agent_commands_list(sh_agent *agent, int *busy);
int sh_agent_command_run(sh_agent *agent, const json_t *message, sh_err *err);
void sh_agent_command_cancel(sh_agent *agent, const char *id);
void sh_agent_command_forget(sh_agent *agent, const char *id);
void *sh_agent_attend(void *agent); /* the second thread */
int sh_agent_command_folder(const sh_agent *agent, const char *id, char path[PATH_MAX], sh_err *err);
/* 0: settled. 1: again later. */
int sh_agent_report(sh_agent *agent, CURL *curl, const char *id, bool lost);

/* ---- tools.c ---- */
int sh_agent_tools_place(const sh_agent *agent, sh_err *err);
/* The environment of a supervisor; NULL: no memory. */
char **sh_agent_environment(const sh_agent *agent, const char *id);
void sh_agent_environment_free(char **environment);

/* ---- subcommands: exit codes ---- */
int sh_agent_main_register(int argc, char **argv);
int sh_agent_main_run(int argc, char **argv);
int sh_agent_main_status(int argc, char **argv);

#endif
