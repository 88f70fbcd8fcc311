/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_MODEL_H
#define SH_CLOUD_FLOW_MODEL_H
/* The validated tables of a definition. After sh_flow_parse nothing in them can be wrong any more: every
 * target of a transition is an index, every path and function is parsed, every number in range. They are
 * immutable. A machine is one "StartAt" with its "States": the definition itself, a branch of a Parallel, the
 * processor of a Map. */
#include "cloud/flow/expr.h"
#include "cloud/flow/flow.h"
#include "cloud/flow/path.h"

typedef enum sh_state_type {
    SH_STATE_TASK,
    SH_STATE_PASS,
    SH_STATE_WAIT,
    SH_STATE_CHOICE,
    SH_STATE_SUCCEED,
    SH_STATE_FAIL,
    SH_STATE_PARALLEL,
    SH_STATE_MAP,
    SH_STATE_TYPES,
} sh_state_type;

/* A field that holds a path, or null (InputPath, OutputPath, ResultPath), or is absent. */
typedef struct sh_path_field {
    const sh_path *path;
    bool null;
} sh_path_field;

/* A number given as such or by a path. */
typedef struct sh_number_field {
    bool given;
    double value;
    const sh_path *path;
    const sh_template *computed; /* JSONata */
    const char *name;            /* of the field with the path, for messages */
} sh_number_field;

typedef struct sh_names {
    const char **names;
    size_t count;
} sh_names;

typedef struct sh_retrier {
    sh_names errors;
    int64_t interval_s, max_attempts, max_delay_s; /* max_delay_s 0: none */
    double backoff;
    bool full_jitter;
} sh_retrier;

/* The target of a transition. */
typedef struct sh_next {
    const char *name; /* NULL: none, the machine ends here */
    size_t index;     /* SH_NOWHERE: none, or it is outside of a lone state */
} sh_next;

typedef struct sh_catcher {
    sh_names errors;
    sh_path_field result_path;
    const sh_template *assign, *output; /* NULL: none */
    sh_next next;
} sh_catcher;

typedef struct sh_rule sh_rule; /* choice.h */

typedef struct sh_choice {
    const sh_rule *rule;          /* JSONPath, or */
    const sh_template *condition; /* JSONata */
    const sh_template *assign, *output;
    sh_next next;
} sh_choice;

typedef struct sh_machine sh_machine;

/* What only a Map state has besides its items and its processor. */
typedef struct sh_map {
    bool distributed, express;
    const char *label;    /* given, or made from the state's name */
    json_t *processor;    /* ItemProcessor as written, borrowed */
    const char *resource; /* ItemReader: ARN; NULL: none */
    const sh_template *reader;
    json_t *reader_config; /* ReaderConfig as written, or NULL */
    sh_number_field max_items;
    bool batched; /* ItemBatcher */
    sh_number_field batch_items, batch_bytes;
    const sh_template *batch_input;
    bool writes;                   /* ResultWriter with Resource: to an object */
    const sh_template *writer;     /* its Parameters */
    const char *transformation;    /* NONE, COMPACT or FLATTEN */
    bool lines;                    /* OutputType JSONL */
    sh_number_field failure_count; /* ToleratedFailureCount and Percentage */
    sh_number_field failure_percentage;
} sh_map;

typedef struct sh_state {
    const char *name;
    sh_state_type type;
    bool end;
    bool jsonata;  /* the query language of its fields */
    bool computed; /* one of them is an expression of JSONata */
    sh_next next;
    sh_path_field input_path, output_path, result_path;
    const sh_template *parameters, *result_selector; /* parameters: also Arguments */
    const sh_template *assign;
    const sh_template *output;      /* JSONata: Output */
    const sh_template *credentials; /* Task */
    json_t *result;                 /* Pass */
    sh_retrier *retriers;
    size_t retrier_count;
    sh_catcher *catchers;
    size_t catcher_count;
    sh_flow_resource resource; /* Task */
    sh_number_field timeout, heartbeat;
    sh_number_field seconds; /* Wait: one of these three */
    int64_t timestamp_ms;
    bool has_timestamp;
    const sh_path *timestamp_path;
    const sh_template *timestamp; /* JSONata */
    sh_choice *choices;
    size_t choice_count;
    sh_next default_next;
    const char *error, *cause; /* Fail */
    const sh_expr *error_path, *cause_path;
    const sh_template *error_value, *cause_value; /* JSONata */
    const sh_machine **machines;                  /* Parallel: its branches; Map: its processor */
    size_t machine_count;
    sh_path_field items_path; /* Map */
    const sh_template *items; /* JSONata */
    const sh_template *item_selector;
    sh_number_field max_concurrency;
    sh_map *map; /* Map: NULL when it has none of these fields */
} sh_state;

struct sh_machine {
    size_t start;
    sh_state *states;
    size_t count;
    json_t *index;     /* name -> position */
    int64_t timeout_s; /* of the definition itself; 0: none */
};

struct sh_flow {
    sh_build build;
    json_t *definition;
    const sh_machine *machine;
    json_t *reads;          /* object: name of a state -> array of the variables that it reads */
    const sh_state **tasks; /* every Task state, for sh_flow_resource_at */
    size_t task_count, task_capacity;
};

#define SH_NOWHERE ((size_t)-1)

/* The position of a state, SH_NOWHERE if there is none of that name. */
size_t sh_machine_find(const sh_machine *machine, const char *name);
const char *sh_state_type_name(sh_state_type type);

#endif
