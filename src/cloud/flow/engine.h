/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_ENGINE_H
#define SH_CLOUD_FLOW_ENGINE_H
/* A running execution is a tree of frames: one for the definition's own states, and under a frame that stands
 * in a Parallel or Map state one for each branch or iteration. A frame is in one state, in one phase. Between
 * steps the tree is a JSON object (frame.c); within a step it is these structures. */
#include "cloud/flow/model.h"

typedef enum sh_phase {
    SH_PHASE_ENTER, /* about to enter `state`: runs on at once */
    SH_PHASE_TASK,  /* a task is under way */
    SH_PHASE_WAIT,  /* until due_ms, then leaves the state */
    SH_PHASE_RETRY, /* until due_ms, then runs the state again */
    SH_PHASE_KIDS,  /* branches or iterations are under way */
    SH_PHASE_DONE,  /* `output` */
    SH_PHASE_FAILED /* `fault` */
} sh_phase;

typedef struct sh_frame {
    struct sh_frame *parent;
    const sh_machine *machine;
    const sh_state *state;
    sh_phase phase;
    bool entered;     /* the state's Entered event is written: what runs now is a retry */
    json_t *input;    /* of the state, before InputPath */
    json_t *output;   /* DONE */
    sh_fault fault;   /* FAILED */
    int64_t previous; /* id of the last event of this frame */
    int64_t entered_event, entered_ms;
    int64_t due_ms;                                /* WAIT, RETRY */
    int64_t due_wall;                              /* 1: due_ms is a Timestamp; 0: of the steady clock */
    int64_t task;                                  /* TASK: id, and the rest */
    char *token;                                   /* while the state is entered; not stored */
    int64_t timeout_ms, heartbeat_ms, heartbeat_s; /* absolute, -1 none; 0 none */
    int64_t timeout_s;                             /* 0 none */
    int64_t retries;                               /* $$.State.RetryCount */
    int64_t *attempts;                             /* of each retrier */
    size_t index;                                  /* of this frame in its parent's branches or items */
    struct sh_frame **kids;                        /* KIDS: those not finished yet */
    size_t kid_count;
    json_t *results;            /* array, a place for each branch or item */
    json_t *items;              /* Map: array, with the items not started yet from `next_item` on */
    json_t *selected;           /* Map: what ItemSelector sees as $ */
    json_t *variables;          /* object: what the states of this frame have assigned; NULL: nothing yet */
    size_t next_item, limit;    /* limit: iterations side by side, 0 none */
    size_t failures, tolerated; /* Map: iterations that failed, and one more than how many may; 0: fail with
                                 * the first one's error */
} sh_frame;

typedef struct sh_run {
    const sh_flow *flow;
    const sh_flow_env *env;
    sh_frame *root;
    json_t *input;                 /* of the execution */
    int64_t start_ms, deadline_ms; /* -1: none */
    int64_t last_event, last_task;
    bool overflow;  /* of the history */
    size_t written; /* bytes of texts in this step's events */
    bool memory;    /* a note for TestState found none */
    sh_flow_result result;
} sh_run;

/* All of these return 0 or SH_E_MEMORY and the like; an execution's own fault is in the frame. */

/* frame.c */
sh_frame *sh_frame_new(sh_frame *parent, const sh_machine *machine, const sh_state *state, json_t *input);
void sh_frame_free(sh_frame *frame);
/* Forgets what belongs to the state it was in, and stands before another (or the same, for a retry). */
int sh_frame_move(sh_frame *frame, const sh_state *state, json_t *input);
void sh_frame_drop_kids(sh_frame *frame);
int sh_run_save(const sh_run *run, json_t **out);
int sh_run_load(sh_run *run, const json_t *state, sh_err *err);

/* history.c: appends an event after the frame's last one, and makes it the frame's last one. `details` is
 * given away, `key` names it in the event; both may be NULL. previous < 0: after frame->previous. */
int sh_emit(sh_run *run, sh_frame *frame, const char *type, const char *key, json_t *details);
int sh_emit_after(sh_run *run, int64_t previous, const char *type, const char *key, json_t *details,
                  int64_t *id);
int sh_emit_started(sh_run *run);
int sh_emit_entered(sh_run *run, sh_frame *frame);
/* text: of the output, given away. assigned: object of the variables that the state sets, or NULL. */
int sh_emit_exited(sh_run *run, sh_frame *frame, json_t *text, const json_t *assigned);
/* The fault's location, error and cause. */
int sh_emit_evaluation_failed(sh_run *run, sh_frame *frame, const sh_fault *fault);
typedef enum sh_task_event {
    SH_TASK_SCHEDULED,
    SH_TASK_STARTED,
    SH_TASK_SUBMITTED,
    SH_TASK_SUCCEEDED,
    SH_TASK_FAILED,
    SH_TASK_TIMED_OUT
} sh_task_event;
int sh_emit_task(sh_run *run, sh_frame *frame, sh_task_event event, const json_t *value, const char *error,
                 const char *cause, const sh_flow_task *task);
int sh_emit_end(sh_run *run, int64_t previous);
/* The text of a value as a JSON string, NULL when memory is short. */
json_t *sh_text_json(const json_t *value);

/* context.c */
int sh_context(const sh_run *run, const sh_frame *frame, json_t **out);
/* The variables that the frame sees, its own and those of the frames around it. *out: new reference or NULL.
 */
int sh_frame_variables(const sh_frame *frame, json_t **out);
/* Context and variables, as far as the definition reads any; end releases all members but the fault. `input`
 * ($ of JSONPath) is left to the caller. */
int sh_eval_begin(const sh_run *run, const sh_frame *frame, sh_fault *fault, sh_eval *eval);
void sh_eval_end(sh_eval *eval);
/* What a JSONata state sees from now on as $states.result and $states.errorOutput (each may be NULL). */
int sh_eval_states(sh_eval *eval, const sh_frame *frame, json_t *result, json_t *error);
int sh_eval_bind(sh_eval *eval, json_t *input, json_t *result, json_t *error); /* without a frame */

/* states.c */
int sh_frame_enter(sh_run *run, sh_frame *frame);

/* data.c */
/* $.path, null (an empty object), or everything */
int sh_path_apply(const sh_path_field *field, const sh_eval *eval, json_t *value, json_t **out);
int sh_result_apply(const sh_path_field *field, const sh_frame *frame, json_t *result, sh_fault *fault,
                    json_t **out);
/* An Assign (may be NULL), checked against the limits. *out: object, or NULL. */
int sh_assign_eval(const sh_frame *frame, const sh_template *assign, const sh_eval *eval, json_t **out);
/* Exited event, the new variables, transition. All borrowed. */
typedef struct sh_exit {
    sh_next next;
    json_t *output;
    const json_t *assigned; /* object, or NULL */
} sh_exit;
int sh_frame_exit(sh_run *run, sh_frame *frame, const sh_exit *way);
/* For a state that passes its input on: OutputPath or Output of it, and away. Assign and Output are the
 * state's, or those of the rule of a Choice. */
int sh_frame_pass(sh_run *run, sh_frame *frame, const sh_eval *eval, sh_next next, const sh_template *assign,
                  const sh_template *output);
/* The state has this result: ResultSelector, ResultPath, OutputPath, and on to the next. */
int sh_frame_leave(sh_run *run, sh_frame *frame, json_t *result);

/* failure.c */
/* The state has failed with `fault` (taken over): Retry, Catch, or the frame fails. `status` as the operation
 * that failed returned it: anything but SH_FAULT is passed through. */
int sh_frame_fail(sh_run *run, sh_frame *frame, sh_fault *fault, int status);
/* The fault with a cause that says where it happened, and the event of a failed evaluation. Anything but
 * SH_FAULT is passed through. */
int sh_frame_place(sh_run *run, sh_frame *frame, sh_fault *fault, int status);
/* As sh_frame_fail, for a fault of the state itself: the cause says where it happened. */
int sh_frame_stumble(sh_run *run, sh_frame *frame, sh_fault *fault, int status);
/* task.c */
int sh_task_add(sh_run *run, const sh_flow_task *task); /* takes what it owns */
int sh_task_token(sh_run *run, sh_frame *frame);        /* the id and the token of the attempt that begins */
int sh_task_enter(sh_run *run, sh_frame *frame, const sh_eval *eval);
int sh_task_answer(sh_run *run, sh_frame *frame, const sh_flow_event *event);
/* *due: whether it had timed out. */
int sh_task_timer(sh_run *run, sh_frame *frame, bool *due);
/* InputPath applied. */
int sh_state_input(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t **out);
int sh_number_eval(const sh_number_field *field, const sh_eval *eval, double *out);
/* DataLimitExceeded when the text of the value is too long, Runtime when it is nested too deeply. *text (may
 * be NULL): the text as a JSON string. */
int sh_payload_check(const sh_frame *frame, const json_t *value, sh_fault *fault, json_t **text);
/* Every task under the frame goes to the list of those nobody waits for. */
int sh_frame_cancel(sh_run *run, sh_frame *frame);
int sh_run_cancel_task(sh_run *run, int64_t task);

/* lone.c: one state alone; without env->test they do nothing. */
int sh_test_begin(sh_run *run);                              /* makes the root frame */
bool sh_test_root(const sh_run *run, const sh_frame *frame); /* whether it is that of such a run */
/* The machine of the root frame, in any case; NULL when the state to test does not exist. */
const sh_machine *sh_test_machine(const sh_run *run, size_t *position);
void sh_test_note(sh_run *run, const sh_frame *frame, const char *key, json_t *value);
void sh_test_exit(sh_run *run, const sh_frame *frame, sh_next next);
/* Whether the run ends here: delay_ms is what the retrier would wait. */
bool sh_test_retry(sh_run *run, const sh_frame *frame, size_t retrier, int64_t delay_ms);
void sh_test_caught(sh_run *run, const sh_frame *frame, size_t catcher, const sh_fault *fault);
/* *taken: the state's work is mocked, and the frame has left the state or failed. */
int sh_test_mock(sh_run *run, sh_frame *frame, bool *taken);

/* The clock of all that is measured from a moment on. */
static inline int64_t sh_steady_now(const sh_flow_env *env)
{
    return env->steady_ms ? env->steady_ms : env->now_ms;
}

/* redrive.c */
void sh_frame_wind_back(sh_frame *frame); /* so that it can be saved and driven again */
int sh_redrive(sh_run *run);              /* the frames are then ready to run */

/* nested.c */
int sh_kids_start(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t *input);
/* Takes the ends of finished kids, starts the next iterations, leaves the state when all is done. */
int sh_kids_collect(sh_run *run, sh_frame *frame);

/* map_number.c: MaxConcurrency and the like */
int sh_map_number(const sh_number_field *field, const sh_eval *eval, double *out);
/* map_run.c: a distributed Map */
int sh_map_enter(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t *input);
int sh_map_answer(sh_run *run, sh_frame *frame, const sh_flow_event *event);
/* nested.c: the items of a Map by its ItemsPath. A new reference. */
int sh_map_items(const sh_frame *frame, const sh_eval *eval, json_t **out);

/* engine.c */
bool sh_run_pauses(const sh_run *run); /* this step has done enough */
int sh_frame_run(sh_run *run, sh_frame *frame);

#endif
