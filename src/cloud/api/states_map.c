/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a run of a distributed Map state. Every function works on rows only, within the transaction of
 * whoever calls it: the step of the parent that starts or stops the run, the last step of a child, the
 * runner's. */
#include "cloud/api/states_map.h"
#include "cloud/api/states_event.h"
#include "base/log.h"
#include "cloud/api/keys.h"

#include <stdlib.h>
#include <string.h>

#define CHILD_MEMORY (4u << 20) /* the input of a child and what goes with it */
#define RESULT_MAX (256u * 1024)
#define LOOKS 2000 /* at children, in one transaction */

/* ---- start ---- */

static const char *text_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* "arn:aws:states:R:A:stateMachine:NAME/LABEL" -> "NAME/LABEL" */
static const char *short_name(const char *machine_arn)
{
    const char *colon = strrchr(machine_arn, ':');
    return colon ? colon + 1 : machine_arn;
}

/* The revision that the children run: the same for all runs of that state of that definition. */
static int child_revision(sh_cloud *cloud, const sh_definition *definition, const sh_map_run *run,
                          int64_t *row, sh_err *err)
{
    char uuid[SH_UUID_TEXT];
    int status = sh_map_child_row(cloud->db, run->revision_row, run->state_name, row, err);
    if (status < 0 || *row)
        return status;
    char *text = sh_flow_map_definition(definition->flow, run->state_name);
    if (!text)
        return sh_fail(err, SH_E_MEMORY, "no memory for the definition of child executions");
    sh_uuid(uuid);
    sh_machine machine = {.arn = run->child_arn,
                          .name = short_name(run->child_arn),
                          .type = run->express ? "EXPRESS" : "STANDARD",
                          .definition = text,
                          .role_arn = definition->role_arn,
                          .revision = uuid,
                          .created_ms = run->started_ms,
                          .updated_ms = run->started_ms};
    status = sh_revision_insert(cloud->db, &machine, err);
    *row = machine.revision_row;
    free(text);
    return status;
}

static int64_t number_or(const json_t *parameters, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(parameters, name);
    return json_is_number(value) ? (int64_t)json_number_value(value) : fallback;
}

static int insert_run(sh_cloud *cloud, const sh_definition *definition, sh_map_run *run,
                      const json_t *parameters, sh_err *err)
{
    const json_t *percentage = json_object_get(parameters, "FailurePercentage");
    run->arn = text_member(parameters, "MapRunArn");
    run->child_arn = text_member(parameters, "StateMachineArn");
    run->express = json_is_true(json_object_get(parameters, "Express"));
    run->writes = json_object_get(json_object_get(parameters, "Writer"), "Parameters") != NULL;
    run->limit = number_or(parameters, "MaxConcurrency", 0);
    run->failure_count = number_or(parameters, "FailureCount", -1);
    run->failure_percentage = percentage ? json_number_value(percentage) : -1;
    if (!run->arn || !run->child_arn)
        return sh_fail(err, SH_E_INTERNAL, "the task of a Map state has no names");
    int status = child_revision(cloud, definition, run, &run->child_row, err);
    if (status < 0)
        return status;
    char *text = sh_flow_text(parameters);
    run->parameters = text;
    status = text ? sh_map_insert(cloud->db, run, err)
                  : sh_fail(err, SH_E_MEMORY, "no memory for the run of a Map state");
    run->parameters = NULL;
    free(text);
    return status;
}

static int answer_start(sh_cloud *cloud, sh_arena *arena, const char *arn, sh_task_answer *answer,
                        sh_err *err)
{
    *answer = (sh_task_answer){.output = json_object(),
                               .wait_service = SH_MAP_SERVICE,
                               .wait_for = sh_arena_strdup(arena, arn),
                               .waits = true};
    if (!answer->output || !answer->wait_for) {
        json_decref(answer->output);
        return sh_fail(err, SH_E_MEMORY, "no memory for the run of a Map state");
    }
    sh_cloud_wake(cloud, SH_WAKE_MAPS);
    return 0;
}

/* The parent was driven again. */
static int redrive(sh_cloud *cloud, sh_arena *arena, const char *arn, sh_task_answer *answer, sh_err *err)
{
    sh_map_run run;
    int status = sh_map_get(cloud->db, arena, arn, &run, err);
    if (status == 0)
        status = sh_map_redrive(cloud->db, run.id, sh_now_ms(cloud->clock), err);
    return status == 0 ? answer_start(cloud, arena, arn, answer, err) : status;
}

int sh_map_start(sh_cloud *cloud, sh_arena *arena, const sh_execution *execution,
                 const sh_definition *definition, const char *state_name, const json_t *parameters,
                 sh_task_answer *answer, sh_err *err)
{
    sh_map_run run = {.execution = execution->id,
                      .execution_arn = execution->arn,
                      .revision_row = execution->revision_row,
                      .state_name = state_name,
                      .status = "RUNNING",
                      .stage = SH_MAP_READ,
                      .started_ms = sh_now_ms(cloud->clock)};
    if (json_object_get(parameters, "Redrive"))
        return redrive(cloud, arena, text_member(parameters, "MapRunArn"), answer, err);
    int status = insert_run(cloud, definition, &run, parameters, err);
    return status == 0 ? answer_start(cloud, arena, run.arn, answer, err) : status;
}

/* ---- end ---- */

int sh_map_done(sh_cloud *cloud, sh_map_run *run, sh_err *err)
{
    int64_t now_ms = sh_now_ms(cloud->clock);
    if (run->stopped_ms < 0)
        run->stopped_ms = now_ms;
    int status = sh_map_save(cloud->db, run, err);
    if (status == 0)
        status = sh_wait_notify(cloud->db, SH_MAP_SERVICE, run->arn, now_ms, err);
    sh_cloud_wake(cloud, SH_WAKE_FLOWS);
    return status;
}

int sh_map_fail(sh_cloud *cloud, sh_map_run *run, const char *error, const char *cause, sh_err *err)
{
    run->status = "FAILED";
    run->error = error;
    run->cause = cause;
    run->stage = run->running || (run->writes && run->stage == SH_MAP_RUN) ? SH_MAP_STOP : SH_MAP_DONE;
    if (run->stage == SH_MAP_STOP)
        sh_cloud_wake(cloud, SH_WAKE_MAPS);
    if (run->stage == SH_MAP_STOP && run->writes) /* the parent goes on when the results are written */
        return sh_map_save(cloud->db, run, err);
    return sh_map_done(cloud, run, err);
}

static int set_result(sh_cloud *cloud, sh_arena *arena, sh_map_run *run, sh_err *err)
{
    sh_map_run whole;
    json_t *parameters = NULL;
    char *text = NULL;
    int status = sh_map_by_id(cloud->db, arena, run->id, &whole, err);
    if (status == 0)
        status = sh_flow_load(&parameters, whole.parameters, strlen(whole.parameters), err);
    if (status == 0)
        status = sh_map_result_text(cloud, run, parameters, RESULT_MAX, &text, err);
    if (status == 0)
        status = sh_map_set_result(cloud->db, run->id, text, err);
    json_decref(parameters);
    free(text);
    return status;
}

/* All children have ended. */
static int finish(sh_cloud *cloud, sh_map_run *run, sh_err *err)
{
    if (run->writes) {
        run->stage = SH_MAP_WRITE;
        sh_cloud_wake(cloud, SH_WAKE_MAPS);
        return sh_map_save(cloud->db, run, err);
    }
    sh_arena *arena = sh_arena_new(CHILD_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for the results of a Map state");
    int status = set_result(cloud, arena, run, err);
    if (status == SH_E_LIMIT) {
        const char *cause = sh_arena_printf(arena,
                                            "The state/task '%s' returned a result with a size exceeding the "
                                            "maximum number of bytes service limit.",
                                            run->state_name);
        status = sh_map_fail(cloud, run, "States.DataLimitExceeded", cause, err);
    } else if (status == 0) {
        run->stage = SH_MAP_DONE;
        run->status = "SUCCEEDED";
        status = sh_map_done(cloud, run, err);
    }
    sh_arena_free(arena);
    return status;
}

/* ---- children ---- */

/* The ARN of a child from that of what stands as its machine. */
static const char *child_arn(sh_arena *arena, const sh_map_run *run, const char *name)
{
    char second[SH_UUID_TEXT];
    const char *machine = short_name(run->child_arn);
    const char *kind = strstr(run->child_arn, "stateMachine:");
    int head = kind ? (int)(kind - run->child_arn) : 0;
    if (!run->express)
        return sh_arena_printf(arena, "%.*sexecution:%s:%s", head, run->child_arn, machine, name);
    sh_uuid(second);
    return sh_arena_printf(arena, "%.*sexpress:%s:%s:%s", head, run->child_arn, machine, name, second);
}

/* The input of a child that runs for the first time, or as an express execution again. */
static int child_input(sh_cloud *cloud, sh_arena *arena, const sh_map_child *child, const char **input,
                       sh_err *err)
{
    sh_execution before;
    *input = child->input ? child->input : "{}";
    if (child->input || !child->execution)
        return 0;
    int status = sh_execution_by_id(cloud->db, arena, child->execution, &before, err);
    *input = status == 0 ? before.input : NULL;
    return status;
}

static int start_child(sh_cloud *cloud, sh_arena *arena, const sh_map_run *run, const sh_map_child *child,
                       sh_err *err)
{
    char name[SH_UUID_TEXT];
    sh_uuid(name);
    sh_execution e = {.arn = child_arn(arena, run, name),
                      .name = name,
                      .machine_arn = run->child_arn,
                      .revision_row = run->child_row,
                      .started_ms = sh_now_ms(cloud->clock)};
    if (!e.arn)
        return sh_fail(err, SH_E_MEMORY, "no memory for a child execution");
    int status = child_input(cloud, arena, child, &e.input, err);
    if (status == 0)
        status = sh_execution_insert(cloud->db, &e, err);
    e.status = "RUNNING";
    if (status == 0)
        status = sh_states_announce(cloud, &e, err);
    return status == 0 ? sh_map_child_started(cloud->db, run->id, run->next, e.id, err) : status;
}

/* Looks at the child that is next. *step: 1 when it has been started, 0 when it needs no start, -1 when it is
 * an execution that is to be driven again, which is the runner's to do. */
static int look_at_next(sh_cloud *cloud, const sh_map_run *run, int *step, sh_err *err)
{
    sh_map_child child;
    sh_arena *arena = sh_arena_new(CHILD_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a child execution");
    int status = sh_map_child_get(cloud->db, arena, run->id, run->next, &child, err);
    *step = status < 0 || child.status != SH_CHILD_PENDING ? 0 : child.execution && !run->express ? -1 : 1;
    if (status == 0 && *step > 0)
        status = start_child(cloud, arena, run, &child, err);
    sh_arena_free(arena);
    return status;
}

bool sh_map_has_room(const sh_map_run *run)
{
    return run->next < run->children && (run->limit == 0 || run->running < run->limit);
}

int sh_map_advance(sh_cloud *cloud, sh_map_run *run, int64_t most, sh_err *err)
{
    int status = 0, step = 0, looks = 0;
    int64_t started = 0;
    while (status == 0 && sh_map_has_room(run) && started < most && looks++ < LOOKS) {
        status = look_at_next(cloud, run, &step, err);
        if (step < 0)
            break;
        run->next++;
        started += step;
        run->running += step;
    }
    if (started)
        sh_cloud_wake(cloud, SH_WAKE_FLOWS);
    if (step < 0 || looks > LOOKS)
        sh_cloud_wake(cloud, SH_WAKE_MAPS);
    if (status == 0 && run->next == run->children && run->running == 0)
        return finish(cloud, run, err);
    return status == 0 ? sh_map_save(cloud->db, run, err) : status;
}

static bool too_many_failed(const sh_map_run *run)
{
    if (run->failed_items == 0)
        return false;
    if (run->failure_count < 0 && run->failure_percentage < 0)
        return true;
    return (run->failure_count >= 0 && run->failed_items > run->failure_count) ||
           (run->failure_percentage >= 0 &&
            (double)run->failed_items * 100 > run->failure_percentage * (double)run->items);
}

static sh_map_child_status status_of(const char *text)
{
    static const char *const names[] = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i], text) == 0)
            return (sh_map_child_status)(SH_CHILD_SUCCEEDED + i);
    }
    return SH_CHILD_FAILED;
}

static int count_child(sh_cloud *cloud, sh_arena *arena, const sh_map_child *child, const char *how,
                       sh_err *err)
{
    sh_map_run run;
    sh_map_child_status ended = status_of(how);
    int status = sh_map_brief(cloud->db, arena, child->run, &run, err);
    if (status < 0 || (status = sh_map_child_ended(cloud->db, child, ended, err)) < 0)
        return status;
    if (run.running > 0)
        run.running--;
    if (ended != SH_CHILD_SUCCEEDED)
        run.failed_items += child->items;
    if (run.stage != SH_MAP_RUN) {
        if (run.running == 0)
            sh_cloud_wake(cloud, SH_WAKE_MAPS);
        return sh_map_save(cloud->db, &run, err);
    }
    if (too_many_failed(&run))
        return sh_map_fail(cloud, &run, "States.ExceedToleratedFailureThreshold",
                           "The specified tolerated failure threshold was exceeded", err);
    return sh_map_advance(cloud, &run, 1, err);
}

int sh_map_execution_ended(sh_cloud *cloud, const sh_execution *execution, sh_err *err)
{
    sh_map_child child;
    sh_err none = {0};
    if (!strchr(execution->machine_arn, '/'))
        return 0;
    int status = sh_map_child_find(cloud->db, execution->id, &child, &none);
    if (status == SH_E_NOT_FOUND || (status == 0 && child.status != SH_CHILD_RUNNING))
        return 0;
    if (status < 0)
        return sh_fail(err, status, "%s", none.message);
    sh_arena *arena = sh_arena_new(CHILD_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for the run of a Map state");
    status = count_child(cloud, arena, &child, execution->status, err);
    sh_arena_free(arena);
    return status;
}

/* ---- the parent ---- */

int sh_map_outcome(sh_cloud *cloud, sh_arena *arena, const char *arn, sh_task_answer *answer, sh_err *err)
{
    sh_map_run run;
    int status = sh_map_get(cloud->db, arena, arn, &run, err);
    if (status < 0)
        return status;
    *answer = (sh_task_answer){.error = run.error, .cause = run.cause};
    if (strcmp(run.status, "SUCCEEDED") == 0)
        return sh_flow_load(&answer->output, run.result, strlen(run.result), err);
    if (!answer->error)
        answer->error = "States.Runtime";
    return 0;
}

static int cancel(sh_cloud *cloud, sh_arena *arena, const char *arn, sh_err *err)
{
    sh_map_run run;
    int status = sh_map_get(cloud->db, arena, arn, &run, err);
    if (status < 0 || strcmp(run.status, "RUNNING") != 0)
        return status;
    run.status = "ABORTED";
    run.stopped_ms = sh_now_ms(cloud->clock);
    run.stage = run.running ? SH_MAP_STOP : SH_MAP_DONE;
    return sh_map_save(cloud->db, &run, err);
}

void sh_map_cancel(sh_cloud *cloud, const char *arn)
{
    sh_err err = {0};
    sh_arena *arena = sh_arena_new(CHILD_MEMORY);
    if (!arena || cancel(cloud, arena, arn, &err) < 0)
        sh_log(SH_LOG_ERROR, "states", "%s was not stopped: %s", arn, arena ? err.message : "no memory");
    sh_arena_free(arena);
    sh_cloud_wake(cloud, SH_WAKE_MAPS);
}
