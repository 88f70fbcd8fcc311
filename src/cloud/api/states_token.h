/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_TOKEN_H
#define SH_API_STATES_TOKEN_H
/* Tokens of tasks, and what comes for a task from outside of its execution.
 *
 * A token names an execution and a task and is signed with a key of the data folder, so nothing has to be
 * kept for it: it is good as long as the task's row is there. What somebody says with it (an answer, a
 * heartbeat) goes into that row; the execution's next step takes it in. */
#include "cloud/api/states.h"
#include "cloud/store/tokens.h"

#define SH_TOKEN_TEXT 640

/* Makes or reads the key that signs. Once, when the server opens. */
int sh_token_key_load(sh_cloud *cloud, sh_err *err);
/* activity: the name of the one whose task it is, or NULL. text holds SH_TOKEN_TEXT bytes. */
void sh_token_write(const sh_cloud *cloud, int64_t execution, int64_t started_ms, int64_t task,
                    const char *activity, char *text);
/* The state machine whose execution a token names, in the arena; NULL: it is no good token. */
const char *sh_token_machine(sh_cloud *cloud, const char *text, sh_arena *arena);

/* Adds a member to what has come for a task (value is taken) and wakes its execution. SH_E_NOT_FOUND: nobody
 * waits for the task any more, or it has its answer already. Within a transaction. */
int sh_news_add(sh_cloud *cloud, const sh_wait *wait, const char *name, json_t *value, sh_err *err);

/* What has come, as events in their order. The events borrow from `value`. */
typedef struct sh_news {
    json_t *value;
    sh_flow_event events[4];
    size_t count;
    bool ended; /* the last one is the answer */
} sh_news;
int sh_news_read(const char *text, int64_t task, sh_news *out, sh_err *err);
void sh_news_clear(sh_news *news);

/* ---- states_token.c: actions ---- */
int sh_states_task_success(sh_call *call);
int sh_states_task_failure(sh_call *call);
int sh_states_task_heartbeat(sh_call *call);

/* ---- states_activity.c: actions ---- */
int sh_states_create_activity(sh_call *call);
int sh_states_describe_activity(sh_call *call);
int sh_states_list_activities(sh_call *call);
int sh_states_delete_activity(sh_call *call);
int sh_states_get_activity_task(sh_call *call);

/* A task of an activity waits from now on for a worker: its row goes into the activity's queue. */
int sh_activity_queue(sh_cloud *cloud, const sh_flow_resource *resource, sh_wait *wait, const json_t *input,
                      sh_err *err);

#endif
