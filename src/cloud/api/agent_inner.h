/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_AGENT_INNER_H
#define SH_API_AGENT_INNER_H
/* Shared by agent*.c. */
#include "cloud/api/agent.h"
#include "cloud/api/hold.h"
#include "cloud/http/digest.h"
#include "cloud/http/server.h"
#include "cloud/store/commands.h"

#define SH_AGENT_OUTPUT_MAX (16 << 20)
#define SH_AGENT_WINDOW_MS 300000 /* clocks may differ by so much */

/* One request of an agent, in the arena of the HTTP request. */
typedef struct sh_agent_ask {
    sh_cloud *cloud;
    sh_http_request *http;
    sh_arena *arena;
    const char *verb; /* "poll"; of output with its query */
    const char *node; /* as the header says */
    int64_t date_ms;
    const char *date, *nonce, *signature; /* as sent */
    bool checked;                         /* the signature is good, the nonce was new */
    sh_node_row row;                      /* of the node, once checked */
    json_t *in;                           /* the body, owned */
    struct sh_agent_upload *upload;       /* of output */
    sh_hold hold;
    sh_call waiting; /* what sh_call_wait_for wants */
    int64_t turn;    /* of the poll: an older one of the session ends */
    int64_t until_us;
} sh_agent_ask;

/* ---- answers: agent.c ---- */
void sh_agent_answer(sh_agent_ask *ask, json_t *body); /* takes the body; NULL: no memory */
void sh_agent_refuse(sh_agent_ask *ask, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A refusal of what a node that is known has said: counted, in its row, in the log. */
void sh_agent_distrust(sh_agent_ask *ask, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- agent_sign.c: false after having answered ---- */
/* The headers; that the node is there (but for "register"), its clock, and where it stands. */
bool sh_agent_read(sh_agent_ask *ask);
/* The signature over the body's SHA-256 by that key (base64), and the nonce. */
bool sh_agent_check(sh_agent_ask *ask, const char *key, const unsigned char sha256[32]);

/* ---- agent_live.c: what is known of nodes only while the server runs ---- */
typedef enum sh_agent_place {
    SH_AGENT_FIRST,      /* it is the agent of this node */
    SH_AGENT_SECOND,     /* another machine's agent is alive */
    SH_AGENT_SUPERSEDED, /* a newer session of the same machine has polled */
    SH_AGENT_LOST,       /* no memory */
} sh_agent_place;
/* A poll of that session and machine. *turn: its number, of the live session. */
sh_agent_place sh_agents_enter(struct sh_agents *agents, const sh_node_row *row, const char *session,
                               const char *machine, int64_t *turn);
bool sh_agents_current(struct sh_agents *agents, const char *node, int64_t turn); /* no newer poll came */
/* 0: new. SH_E_CONFLICT: seen before. SH_E_LIMIT: too many in the window. SH_E_MEMORY. */
int sh_agents_nonce(struct sh_agents *agents, const char *node, const char *nonce, int64_t date_ms,
                    int64_t now_ms);
int64_t sh_agents_start_ms(const struct sh_agents *agents);
/* True at most once in `ms` for a node: whether something about it is to be written now. */
bool sh_agents_due(struct sh_agents *agents, const char *node, bool trouble, int64_t ms);
void sh_agents_each(struct sh_agents *agents, void (*fn)(void *opaque, const char *node), void *opaque);
void sh_agents_forget(struct sh_agents *agents, const char *node);
uint64_t sh_agents_refused(struct sh_agents *agents, bool add);

/* ---- verbs ---- */
void sh_agent_register(sh_agent_ask *ask);
void sh_agent_poll(sh_agent_ask *ask);
void sh_agent_report(sh_agent_ask *ask);
void sh_agent_output_begin(sh_agent_ask *ask);
void sh_agent_output_finish(sh_agent_ask *ask);
void sh_agent_output_end(sh_agent_ask *ask);

/* ---- agent_token.c ---- */
bool sh_agent_code_good(const char *code, const char *secret);
char *sh_agent_token(const sh_cloud *cloud, const char *command, const char *node, sh_arena *arena);

/* ---- agent_output.c: whole outputs, DATA/outputs/COMMAND_NODE/STEP.STREAM ---- */
int sh_agent_output_path(const sh_cloud *cloud, const char *command, const char *node, int64_t step,
                         const char *stream, char *path, size_t size, sh_err *err);
int sh_agent_outputs_remove(const sh_cloud *cloud, const char *command, const char *node, sh_err *err);

#endif
