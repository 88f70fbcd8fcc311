/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_FLOW_H
#define SH_CLOUD_FLOW_FLOW_H
/* The interpreter of the Amazon States Language: text -> validated tables (sh_flow_parse), then a pure
 * function from (state, event, now) to (new state, what to do, what happened). It reads no clock, does no I/O
 * and keeps nothing between calls: the caller stores the state after each step, in one transaction with the
 * history events, the wake-up time and the tasks to run, and can give it back to another process after any
 * crash.
 *
 * The loop of a service around it:
 *   start:    sh_flow_step(flow, &env, NULL, {START, .output = input}, &result)
 *   commit:   append result.history; store result.state as text; store result.wake_ms; insert result.tasks as
 * intents; stop result.cancelled tasks; when result.status != SH_FLOW_RUNNING the execution has ended later:
 * a task's answer -> TASK_SUCCEEDED / TASK_FAILED / TASK_SUBMITTED / TASK_HEARTBEAT with its id; wake_ms
 * reached  -> TIMER (without an id: the step finds everything that is due); StopExecution    -> ABORT
 *
 * Events that come late (a task that was cancelled or has timed out, a timer that is not due) change nothing:
 * the step returns 0 with result.ignored set; there is then nothing to commit.
 *
 * JSON values are shared, not copied: whoever passes or receives a json_t here must not modify it afterwards.
 * A sh_flow is immutable: any number of threads may step different executions of it at once. */
#include "base/err.h"
#include "base/buf.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_FLOW_DEFINITION_MAX (1024 * 1024) /* bytes of a definition */
#define SH_FLOW_PAYLOAD_MAX (256 * 1024)     /* bytes of any state's input, output, or task result */
#define SH_FLOW_HISTORY_MAX 25000            /* events of one execution */
#define SH_FLOW_DEPTH_MAX 512                /* nesting of a payload or a definition */

/* ---- definitions ---- */

typedef struct sh_flow sh_flow;

/* Checks a definition and makes its tables. On refusal err->message is the text that AWS puts after
 * "Invalid State Machine Definition: ", quotes included, e.g.
 *   'INVALID_JSON_DESCRIPTION: … line 19, column 7 …'
 *   'SCHEMA_VALIDATION_FAILED: Missing 'Next' target: Nowhere at /States/A/Next (line 4, column 15)'
 * and the status SH_E_FORMAT, SH_E_UNSUPPORTED (a feature this version lacks, named with its state),
 * SH_E_LIMIT or SH_E_MEMORY. `problems` (may be NULL) receives, on success and on refusal, a new array with
 * one object a finding, in the form of ValidateStateMachineDefinition's diagnostics:
 * {"severity":"ERROR","code":…,"message":…,"location":"/States/A/Next"}. *out is untouched on failure,
 * *problems is set whenever it can be allocated (else NULL). */
int sh_flow_parse(sh_flow **out, const char *definition, size_t length, json_t **problems, sh_err *err);
void sh_flow_free(sh_flow *flow); /* NULL is fine */

/* A state without a machine around it, for TestState: `definition` is the object of one state. Its name is
 * SH_FLOW_LONE_STATE; the states it leads to need not exist. Otherwise as sh_flow_parse. */
int sh_flow_parse_state(sh_flow **out, const char *definition, size_t length, json_t **problems, sh_err *err);
#define SH_FLOW_LONE_STATE "TestState"

/* The variables that states read: object, name of a state -> array of names, in the order of the text. States
 * that read none are not in it. Borrowed. */
const json_t *sh_flow_references(const sh_flow *flow);

/* ---- tasks ---- */

typedef enum sh_flow_kind {
    SH_FLOW_OPTIMIZED, /* arn:aws:states:::SERVICE:ACTION[.PATTERN]         service "mediaconvert", action
                          "createJob" */
    SH_FLOW_AWS_SDK, /* arn:aws:states:::aws-sdk:SERVICE:ACTION[.PATTERN] service "ssm", action "sendCommand"
                      */
    SH_FLOW_LAMBDA,  /* arn:aws:lambda:REGION:ACCOUNT:function:NAME       service "lambda", action "invoke" */
    SH_FLOW_ACTIVITY, /* arn:aws:states:REGION:ACCOUNT:activity:NAME       service "states", action "activity"
                       */
    SH_FLOW_MAP_RUN,  /* a distributed Map state, see below                 service "states", action "mapRun"
                       */
} sh_flow_kind;

typedef enum sh_flow_pattern {
    SH_FLOW_REQUEST_RESPONSE, /* ends with the call's answer */
    SH_FLOW_SYNC,       /* .sync: the call's answer is TASK_SUBMITTED, the job's end TASK_SUCCEEDED/FAILED */
    SH_FLOW_SYNC_2,     /* .sync:2: the same, with outputs as JSON */
    SH_FLOW_TASK_TOKEN, /* .waitForTaskToken: the call's answer is TASK_SUBMITTED, the token's answer ends it
                         */
} sh_flow_pattern;

typedef struct sh_flow_resource { /* borrowed strings, they live as long as the sh_flow */
    sh_flow_kind kind;
    sh_flow_pattern pattern;
    const char *arn;     /* as written in the definition */
    const char *service; /* lower case, as in the ARN */
    const char *action;  /* camelCase, as in the ARN, without the pattern */
} sh_flow_resource;

/* The resources of the definition, for a service that wants to refuse, at creation, what it cannot run: index
 * from 0; NULL past the last. *state (may be NULL) is the name of the state. */
const sh_flow_resource *sh_flow_resource_at(const sh_flow *flow, size_t index, const char **state);

typedef struct sh_flow_task {
    int64_t id;        /* unique within the execution, never used again (retries get new ones) */
    const char *state; /* name; borrowed from the sh_flow */
    const sh_flow_resource *resource; /* borrowed from the sh_flow */
    json_t *parameters;               /* the effective input of the call; owned by the result */
    json_t *credentials;              /* what Credentials evaluates to, {"RoleArn": …}; NULL: none; owned */
    char *token;                    /* $$.Task.Token, NULL unless the pattern is SH_FLOW_TASK_TOKEN; owned */
    int64_t timeout_s, heartbeat_s; /* 0: none. The step enforces them itself (wake_ms); for information */
    int64_t scheduled_event;        /* history id of its TaskScheduled */
} sh_flow_task;

/* ---- one state alone ---- */

/* With sh_flow_env.test set, an execution is the run of one state: it ends where it would go on to another or
 * try again. The causes of its own faults then have no "An error occurred while executing the state …" before
 * them. Give the same structure to each step of the run (a task's answer, a timer). */
typedef enum sh_flow_test_end {
    SH_FLOW_TEST_PLAIN,     /* succeeded or failed, as the result's status says */
    SH_FLOW_TEST_RETRIABLE, /* failed, and a Retry would take it */
    SH_FLOW_TEST_CAUGHT,    /* a Catch took it: result.output is what it gives to `next` */
} sh_flow_test_end;

typedef struct sh_flow_test {
    /* Given, borrowed. */
    const char *state;       /* the state to run, anywhere in the definition; NULL: StartAt */
    const json_t *variables; /* object name -> value: what is assigned before; NULL: nothing */
    int64_t retries;         /* how often the state was tried before */
    bool mock;               /* the state does no work: it has `result`, or fails with `error` and `cause` */
    const json_t *result;    /* of the work, before ResultSelector */
    const char *error, *cause;
    /* Filled in; sh_flow_test_clear frees it. */
    sh_flow_test_end end;
    const char *next;                  /* name of the next state, borrowed from the flow; NULL: none */
    char *caught_error, *caught_cause; /* what the Catch took */
    /* Object with the JSON values (not their texts) under the names of TestState's inspectionData, as far as
     * the state has them: input, afterInputPath, afterParameters, afterArguments, afterItemsPath,
     * afterItemSelector, result, afterResultSelector, afterResultPath, variables (all that are assigned after
     * the state), maxConcurrency, and errorDetails {catchIndex | retryIndex, retryBackoffIntervalSeconds}. */
    json_t *inspection;
} sh_flow_test;
void sh_flow_test_clear(sh_flow_test *test); /* what was filled in; the given members stay */

/* ---- distributed Map ----
 *
 * A Map state in DISTRIBUTED mode is a task of kind SH_FLOW_MAP_RUN. Its parameters say what the service has
 * to do; none of them is a client's to see:
 * - MapRunArn, StateMachineArn (of the child executions), Label, Express (bool)
 * - MaxConcurrency (0: no limit), FailureCount, FailurePercentage, each absent when not given
 * - Items: array; or Reader: {Resource, Parameters, Config, MaxItems}
 * - Batch: {MaxItems, MaxBytes (0: no limit each), Input (may be absent)}, when items go in batches
 * - Writer: {Transformation, OutputType, Parameters (absent: the results are the state's result)}, if given
 * - Selector: what sh_flow_map_item needs
 * - or, after RedriveExecution, MapRunArn and Redrive (true): that run goes on with what had not succeeded
 *
 * The answer is TASK_SUCCEEDED with the state's result or TASK_FAILED with error and cause. */

/* The definition of the child executions of a distributed Map state, as text (free()). NULL: there is no such
 * state, or memory is short. */
char *sh_flow_map_definition(const sh_flow *flow, const char *state);
/* ---- steps ---- */

/* What a step needs from the world. All borrowed during the call. */
typedef struct sh_flow_env {
    int64_t now_ms; /* wall clock */
    /* A clock that only runs on, whatever the wall clock is set to: Seconds, delays and time-outs are
     * measured with it; a Timestamp follows the wall clock. 0: the wall clock serves for both. */
    int64_t steady_ms;
    /* The context object, "Execution" {Id, Name, RoleArn, …} and "StateMachine" {Id, Name}; Execution.Input,
     * Execution.StartTime, State, Task and Map are added here. */
    const json_t *context;
    const char *region; /* for TaskScheduled events; NULL: "us-east-1" */
    void *opaque;       /* for the functions below */
    /* Fills bytes with randomness (States.UUID, States.MathRandom, jitter). NULL: those fail or do without.
     */
    void (*random)(void *opaque, void *bytes, size_t length);
    /* Digest for States.Hash: algorithm "MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512". Returns its length
     * in bytes (at most 64), 0 when it cannot. NULL: States.Hash fails. */
    size_t (*hash)(void *opaque, const char *algorithm, const void *bytes, size_t length,
                   unsigned char digest[64]);
    /* Whether there is an activity of that ARN. NULL: all are. */
    bool (*activity)(void *opaque, const char *arn);
    /* Writes the token of a task (at most 1,024 bytes, NUL-terminated). NULL: "<Execution.Id>#<task id>". */
    void (*token)(void *opaque, int64_t task, char *text, size_t size);
    sh_flow_test *test; /* one state alone; NULL: the execution */
    bool unrecorded;    /* nobody keeps the history: it has no limit */
} sh_flow_env;

typedef enum sh_flow_event_kind {
    SH_FLOW_START,          /* output: the execution's input (NULL: {}) */
    SH_FLOW_TASK_SUBMITTED, /* task, output: answer of the call that started a .sync job or passed a token on
                             */
    SH_FLOW_TASK_SUCCEEDED, /* task, output */
    SH_FLOW_TASK_FAILED,    /* task, error ("Ssm.InvocationDoesNotExistException"), cause. "States.Runtime" is
                             * beyond Retry and Catch: the execution fails */
    SH_FLOW_TASK_HEARTBEAT, /* task: SendTaskHeartbeat */
    SH_FLOW_TIMER,          /* something is due at env->now_ms */
    SH_FLOW_ABORT,          /* error and cause of StopExecution, both may be NULL */
    SH_FLOW_TASK_STARTED, /* task: a worker took the activity; cause: the worker's name. Other tasks start at
                             once */
    SH_FLOW_REDRIVE,      /* goes on after an end that was no success, from the states that had not ended; the
                           * context's Execution.RedriveCount is the number of this redrive */
} sh_flow_event_kind;

typedef struct sh_flow_event {
    sh_flow_event_kind kind;
    int64_t task;
    const json_t *output;
    const char *error, *cause;
} sh_flow_event;

typedef enum sh_flow_status {
    SH_FLOW_RUNNING,
    SH_FLOW_SUCCEEDED, /* output */
    SH_FLOW_FAILED,    /* error and cause, either may be NULL */
    SH_FLOW_TIMED_OUT, /* the definition's TimeoutSeconds; a task's time-out that nobody catches is a FAILED
                        */
    SH_FLOW_ABORTED,   /* error and cause as given */
} sh_flow_status;

/* `SUCCEEDED`, `TIMED_OUT`, … as the API shows it. */
const char *sh_flow_status_name(sh_flow_status status);

typedef struct sh_flow_result {
    bool ignored;  /* the event was late or early; the old state stands, and all else is empty but wake_ms */
    json_t *state; /* the new persistent state, opaque; give it back at the next step. Set also at the end */
    json_t *history;     /* array of events in the form of GetExecutionHistory: {"timestamp":1700000000.123,
                          * "type":"TaskScheduled","id":4,"previousEventId":3,"taskScheduledEventDetails":{…}} */
    sh_flow_task *tasks; /* to be started now, each exactly once */
    size_t task_count;
    int64_t *cancelled; /* ids of tasks nobody waits for any more: stop what can be stopped */
    size_t cancelled_count;
    /* When to send SH_FLOW_TIMER next, -1: never. It replaces the earlier one. It may lie in the past: then
     * the step stopped only to let others run, send the timer as soon as this result is committed. */
    int64_t wake_ms;
    sh_flow_status status;
    json_t *output; /* of SH_FLOW_SUCCEEDED */
    char *error, *cause;
} sh_flow_result;

/* state is NULL for SH_FLOW_START. An execution that fails is no failure of this function: it returns 0 and
 * says so in the result. Otherwise SH_E_MEMORY, SH_E_ARGUMENT (wrong event for that state) or SH_E_FORMAT
 * (the stored state is not one of this flow), and *result is untouched. Free the result with
 * sh_flow_result_free, also when ignored. */
int sh_flow_step(const sh_flow *flow, const sh_flow_env *env, const json_t *state, const sh_flow_event *event,
                 sh_flow_result *result, sh_err *err);
void sh_flow_result_free(sh_flow_result *result); /* leaves it zeroed */

/* The input that ItemSelector makes of one item (a new reference in *input); the item itself where there is
 * no ItemSelector. `extra` (may be NULL) becomes part of $$.Map.Item. 0; 1 for a fault of the execution, with
 * *error and *cause (free() both); or SH_E_*. */
int sh_flow_map_item(const sh_flow *flow, const sh_flow_env *env, const char *state, const json_t *parameters,
                     int64_t index, json_t *value, const json_t *extra, json_t **input, char **error,
                     char **cause);

/* ---- JSON as the service shows it ---- */

/* Appends the compact text: keys in order, UTF-8 unescaped, doubles in their shortest form as AWS prints
 * them. Use it instead of json_dumps for everything a client sees. 0 or SH_E_MEMORY (a limit of the buffer
 * included). */
int sh_flow_dump(sh_buf *buf, const json_t *value);
/* The same as a new string (free()), NULL when memory is short. */
char *sh_flow_text(const json_t *value);
/* Reads any JSON text, strictly (UTF-8, no surplus, SH_FLOW_DEPTH_MAX, any value at the top). *out is a new
 * reference. Messages have line and column. */
int sh_flow_load(json_t **out, const char *text, size_t length, sh_err *err);

#endif
