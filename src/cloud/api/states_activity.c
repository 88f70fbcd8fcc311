/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Activities. A worker that asks for a task and finds none is held (hold.h) for a minute: neither a thread
 * nor the database waits for it. Tasks are handed out in the order in which they came. */
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/hold.h"
#include "cloud/api/states_token.h"
#include "cloud/store/activities.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARN_MAX = 256, WORKER_MAX = 80, POLL_US = 60 * 1000 * 1000 };

static int find(sh_call *call, sh_activity *out)
{
    const char *arn;
    sh_err err = {0};
    int status = sh_arg_need(call, "activityArn", ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_check_arn(call, arn, "activity")) < 0)
        return status;
    status = sh_activity_get(call->cloud->db, call->arena, arn, out, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ActivityDoesNotExist", "Activity Does Not Exist: '%s'", arn);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static void put(int *failed, json_t *out, const sh_activity *a, bool name)
{
    sh_put_text(failed, out, "activityArn", a->arn);
    if (name)
        sh_put_text(failed, out, "name", a->name);
    sh_put_date(failed, out, "creationDate", a->created_ms);
}

static int answer(sh_call *call, const sh_activity *a, bool name)
{
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    put(&failed, call->out, a, name);
    return sh_out_done(call, failed);
}

static int read_tags(sh_call *call, const char **text)
{
    const json_t *list;
    *text = "{}";
    int status = sh_arg_array(call, "tags", 200, &list);
    if (status < 0 || !list)
        return status;
    json_t *tags = json_object();
    status = sh_tags_read(call, list, "key", "value", tags);
    char *made = status == 0 ? sh_flow_text(tags) : NULL;
    if (status == 0 && (!made || !(*text = sh_arena_strdup(call->arena, made))))
        status = sh_out_done(call, SH_E_MEMORY);
    free(made);
    json_decref(tags);
    return status;
}

int sh_states_create_activity(sh_call *call)
{
    sh_err err = {0};
    const sh_cloud_settings *s = &call->cloud->settings;
    sh_activity a = {.created_ms = call->now_ms}, old;
    int status = sh_arg_need(call, "name", 1024, &a.name);
    if (status < 0 || (status = sh_states_check_name(call, a.name)) < 0 ||
        (status = read_tags(call, &a.tags)) < 0)
        return status;
    a.arn = sh_arena_printf(call->arena, "arn:aws:states:%s:%s:activity:%s", s->region, s->account, a.name);
    if (!a.arn)
        return sh_out_done(call, SH_E_MEMORY);
    status = sh_activity_insert(call->cloud->db, &a, &err);
    if (status == SH_E_CONFLICT) { /* made again, it is the one that is there */
        status = sh_activity_get(call->cloud->db, call->arena, a.arn, &old, &err);
        if (status == 0)
            return answer(call, &old, false);
    }
    return status < 0 ? sh_call_fail_internal(call, &err) : answer(call, &a, false);
}

int sh_states_describe_activity(sh_call *call)
{
    sh_activity a;
    int status = find(call, &a);
    return status < 0 ? status : answer(call, &a, true);
}

int sh_states_delete_activity(sh_call *call)
{
    const char *arn;
    sh_err err = {0};
    int status = sh_arg_need(call, "activityArn", ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_check_arn(call, arn, "activity")) < 0)
        return status;
    status = sh_activity_delete(call->cloud->db, arn, &err);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

typedef struct page {
    sh_call *call;
    json_t *list;
    int64_t room;
    const char *last;
    bool more;
    int failed;
} page;

static int take(void *opaque, const sh_activity *a)
{
    page *p = opaque;
    if (p->room-- == 0) {
        p->more = true;
        return 1;
    }
    json_t *item = json_object();
    put(&p->failed, item, a, true);
    p->last = sh_arena_strdup(p->call->arena, a->name);
    if (!p->last || json_array_append_new(p->list, item) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

int sh_states_list_activities(sh_call *call)
{
    const char *after;
    int64_t limit;
    sh_err err = {0};
    page p = {.call = call};
    int status = sh_arg_int(call, "maxResults", 0, 1000, 100, &limit);
    if (status < 0 || (status = sh_arg_text(call, "nextToken", 1024, &after)) < 0)
        return status;
    if (after && after[0] != 'a')
        return sh_call_fail(call, 400, "InvalidToken", "Invalid Token: 'Invalid token'");
    if ((status = sh_out_new(call)) < 0)
        return status;
    p.list = json_array();
    p.room = limit ? limit : 100;
    status = sh_activity_list(call->cloud->db, after ? after + 1 : "", p.room + 1, take, &p, &err);
    sh_put(&p.failed, call->out, "activities", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more && p.last)
        sh_put(&p.failed, call->out, "nextToken", json_sprintf("a%s", p.last));
    return sh_out_done(call, p.failed);
}

/* ---- tasks ---- */

static void make_key(const char *arn, char key[ARN_MAX * 4 + 16])
{
    snprintf(key, ARN_MAX * 4 + 16, "activity/%s", arn);
}

int sh_activity_queue(sh_cloud *cloud, const sh_flow_resource *resource, sh_wait *wait, const json_t *input,
                      sh_err *err)
{
    char key[ARN_MAX * 4 + 16];
    char *text = sh_flow_text(input);
    wait->stage = SH_WAIT_RUNNING;
    wait->service = "activity";
    wait->subject = resource->arn;
    wait->queued_ms = sh_now_ms(cloud->clock);
    wait->parameters = text;
    int status = text ? sh_wait_add(cloud->db, wait, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for an activity's input");
    wait->parameters = NULL;
    free(text);
    make_key(resource->arn, key);
    sh_hold_wake(cloud, key); /* who looks now waits for the end of this transaction */
    return status;
}

/* Takes the next task out of the queue for a worker. */
static int hand_out(sh_call *call, const char *arn, const char *worker, sh_wait *wait, bool *found,
                    int64_t *started_ms, sh_err *err)
{
    sh_cloud *cloud = call->cloud;
    int status = sh_wait_next(cloud->db, call->arena, "activity", arn, wait, found, err);
    if (status == 0 && *found)
        status = sh_execution_started(cloud->db, wait->execution, started_ms, err);
    if (status == 0 && *found)
        status = sh_news_add(cloud, wait, "started", worker ? json_string(worker) : json_null(), err);
    return status;
}

static int answer_task(sh_call *call, const sh_wait *wait, const char *name, int64_t started_ms)
{
    char token[SH_TOKEN_TEXT];
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    if (!wait) /* nothing came within the minute */
        return 0;
    sh_token_write(call->cloud, wait->execution, started_ms, wait->task, name, token);
    sh_put_text(&failed, call->out, "taskToken", token);
    sh_put_text(&failed, call->out, "input", wait->parameters);
    return sh_out_done(call, failed);
}

/* When the call gives up, in call->kept from its first time on. False: now. */
static bool may_wait(sh_call *call, const char *arn)
{
    char key[ARN_MAX * 4 + 16];
    int64_t *until_us = call->kept;
    if (!call->hold || sh_cloud_stopping(call->cloud))
        return false;
    if (!until_us) {
        until_us = sh_arena_alloc(call->arena, sizeof(*until_us));
        if (!until_us)
            return false;
        *until_us = sh_monotonic_us() + POLL_US;
        call->kept = until_us;
    }
    make_key(arn, key);
    sh_call_wait_for(call, key, *until_us);
    return sh_monotonic_us() < *until_us;
}

int sh_states_get_activity_task(sh_call *call)
{
    const char *worker;
    sh_activity a;
    sh_wait wait;
    sh_err err = {0};
    bool found = false;
    int64_t started_ms = 0;
    int status = sh_arg_text(call, "workerName", WORKER_MAX, &worker);
    if (status < 0 || (status = find(call, &a)) < 0)
        return status;
    bool later = may_wait(call, a.arn);
    if ((status = sh_db_begin(call->cloud->db, &err)) < 0)
        return sh_call_fail_internal(call, &err);
    status =
        sh_db_end(call->cloud->db, hand_out(call, a.arn, worker, &wait, &found, &started_ms, &err), &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (!found && later)
        return SH_CALL_LATER;
    call->kept = NULL;
    return answer_task(call, found ? &wait : NULL, a.name, started_ms);
}
