/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One state alone, for TestState: what its run notes for the caller, and how it ends where an execution would
 * go on. A note that finds no memory fails the step. */
#include "cloud/flow/engine.h"
#include <stdlib.h>
#include <string.h>

static json_t *inspection(sh_run *run)
{
    sh_flow_test *test = run->env->test;

    if (!test->inspection && !(test->inspection = json_object()))
        run->memory = true;
    return test->inspection;
}

bool sh_test_root(const sh_run *run, const sh_frame *frame)
{
    return run->env->test && !frame->parent;
}

void sh_test_note(sh_run *run, const sh_frame *frame, const char *key, json_t *value)
{
    if (!sh_test_root(run, frame))
        return;
    if (inspection(run) && json_object_set(run->env->test->inspection, key, value))
        run->memory = true;
}

static void note_details(sh_run *run, json_t *details)
{
    if (!inspection(run) || !details || json_object_set(run->env->test->inspection, "errorDetails", details))
        run->memory = true;
    json_decref(details);
}

void sh_test_exit(sh_run *run, const sh_frame *frame, sh_next next)
{
    json_t *variables = NULL;

    run->env->test->next = next.name;
    if (sh_frame_variables(frame, &variables))
        run->memory = true;
    if (variables)
        sh_test_note(run, frame, "variables", variables);
    json_decref(variables);
}

bool sh_test_retry(sh_run *run, const sh_frame *frame, size_t retrier, int64_t delay_ms)
{
    if (!sh_test_root(run, frame))
        return false;
    run->env->test->end = SH_FLOW_TEST_RETRIABLE;
    note_details(run, json_pack("{s:I, s:I}", "retryIndex", (json_int_t)retrier,
                                "retryBackoffIntervalSeconds", (json_int_t)(delay_ms / 1000)));
    return true;
}

static int keep(char **to, const char *text)
{
    free(*to);
    *to = text ? strdup(text) : NULL;
    return text && !*to ? SH_E_MEMORY : 0;
}

void sh_test_caught(sh_run *run, const sh_frame *frame, size_t catcher, const sh_fault *fault)
{
    if (!sh_test_root(run, frame))
        return;
    run->env->test->end = SH_FLOW_TEST_CAUGHT;
    if (keep(&run->env->test->caught_error, fault->error) ||
        keep(&run->env->test->caught_cause, fault->cause))
        run->memory = true;
    note_details(run, json_pack("{s:I}", "catchIndex", (json_int_t)catcher));
}

int sh_test_mock(sh_run *run, sh_frame *frame, bool *taken)
{
    const sh_flow_test *test = run->env->test;
    sh_fault fault = {0};
    int status;

    *taken = sh_test_root(run, frame) && test->mock;
    if (!*taken)
        return 0;
    if (!test->error)
        return sh_frame_leave(run, frame, (json_t *)test->result);
    status = sh_fault_take(&fault, test->error, test->cause);
    if (status == SH_FAULT)
        status = sh_frame_fail(run, frame, &fault, status);
    sh_fault_clear(&fault);
    return status;
}

void sh_flow_test_clear(sh_flow_test *test)
{
    json_decref(test->inspection);
    free(test->caught_error);
    free(test->caught_cause);
    test->inspection = NULL;
    test->caught_error = test->caught_cause = NULL;
    test->next = NULL;
    test->end = SH_FLOW_TEST_PLAIN;
}

/* ---- where it begins ---- */

static const sh_machine *search(const sh_machine *machine, const char *name, size_t *position)
{
    const sh_machine *found = NULL;

    *position = sh_machine_find(machine, name);
    if (*position != SH_NOWHERE)
        return machine;
    for (size_t i = 0; i < machine->count && !found; i++)
        for (size_t m = 0; m < machine->states[i].machine_count && !found; m++)
            found = search(machine->states[i].machines[m], name, position);
    return found;
}

const sh_machine *sh_test_machine(const sh_run *run, size_t *position)
{
    const sh_machine *machine = run->flow->machine;

    *position = machine->start;
    return run->env->test && run->env->test->state ? search(machine, run->env->test->state, position)
                                                   : machine;
}

int sh_test_begin(sh_run *run)
{
    const sh_flow_test *test = run->env->test;
    size_t position;
    const sh_machine *machine = sh_test_machine(run, &position);

    if (!machine)
        return SH_E_ARGUMENT;
    run->root = sh_frame_new(NULL, machine, &machine->states[position], run->input);
    if (!run->root)
        return SH_E_MEMORY;
    run->root->variables = json_incref((json_t *)test->variables);
    for (size_t i = 0; i < run->root->state->retrier_count; i++)
        run->root->attempts[i] = test->retries;
    run->root->retries = test->retries;
    return 0;
}
