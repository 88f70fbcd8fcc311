/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_READER_H
#define SH_CLOUD_FLOW_READER_H
/* Reading a definition: where we are in it, and the findings so far. A reading function reports what is wrong
 * and goes on, so that a person sees all faults at once; at the end any finding refuses the definition. */
#include "cloud/flow/model.h"

typedef struct sh_place {
    const char *key; /* NULL: index */
    size_t index;
} sh_place;

typedef struct sh_reader {
    sh_flow *flow;
    const char *text; /* of the definition, for line and column */
    size_t length;
    json_t *problems; /* array */
    json_t *names;    /* of all states so far: they are unique in the whole definition */
    size_t errors;
    bool unsupported; /* one of them is a feature that this version lacks */
    size_t unnamed;   /* of the last places, which the location of a finding leaves out */
    bool alone;       /* one state: the targets of its transitions are elsewhere */
    bool jsonata_all; /* the query language of the whole definition */
    sh_state *state;  /* whose fields are read; its place is the first state_depth ones */
    size_t state_depth;
    const struct sh_scope *scope; /* machine.c: the variables that states here and around may assign */
    bool memory;                  /* an allocation failed: the result is void */
    sh_place places[SH_FLOW_DEPTH_MAX + 16];
    size_t depth;
} sh_reader;

void sh_reader_enter(sh_reader *r, const char *key);
void sh_reader_enter_index(sh_reader *r, size_t index);
void sh_reader_leave(sh_reader *r);
/* A finding at the current place. code: "SCHEMA_VALIDATION_FAILED", … */
void sh_reader_problem(sh_reader *r, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Warns of what in a template (of a Pass state's Result) is most likely meant otherwise. */
void sh_reader_hint(sh_reader *r, const json_t *value, bool result);
/* The same as a problem without a place, for what concerns the whole. */
void sh_reader_problem_nowhere(sh_reader *r, const char *code, const char *text);
/* At the object that has the field, from within the field. */
void sh_reader_unsupported(sh_reader *r, const char *field);
void sh_reader_warn(sh_reader *r, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define SH_SCHEMA "SCHEMA_VALIDATION_FAILED"
void *sh_reader_alloc(sh_reader *r, size_t count, size_t size); /* NULL sets r->memory */

/* Each checks and converts `value`, which stands at the current place. False after a finding. */
bool sh_read_string(sh_reader *r, const json_t *value, const char **out);
bool sh_read_integer(sh_reader *r, const json_t *value, int64_t least, int64_t most, int64_t *out);
bool sh_read_number(sh_reader *r, const json_t *value, double least, double most, double *out);
bool sh_read_bool(sh_reader *r, const json_t *value, bool *out);
bool sh_read_path(sh_reader *r, const json_t *value, const sh_path **out);
bool sh_read_reference(sh_reader *r, const json_t *value, const sh_path **out);
bool sh_read_expr(sh_reader *r, const json_t *value, const sh_expr **out);
/* In the query language of the state that is read. */
bool sh_read_template(sh_reader *r, json_t *value, const sh_template **out);
/* Whether the value is an expression of JSONata in a state of that language; then *out is it. */
bool sh_read_query(sh_reader *r, json_t *value, const sh_template **out);
/* The object of an Assign. */
void sh_read_assign(sh_reader *r, json_t *value, const sh_template **out);
bool sh_read_time(sh_reader *r, const json_t *value, int64_t *ms);

/* The line and column (from 1) of the value at a place of a valid JSON text. False when there is none. */
bool sh_locate(const char *text, size_t length, const sh_place *places, size_t depth, int *line, int *column);
/* Of text that is not JSON: the first closing bracket at the start of a line that is not indented as the line
 * with its opening bracket. False when there is none. */
bool sh_misaligned(const char *text, size_t length, int *line, int *column);
/* ARN -> parts; false with the reason in `why` when it is not a resource that a Task can have. */
bool sh_resource_parse(sh_build *build, const char *arn, sh_flow_resource *out, char *why, size_t size);
/* choice.c: one rule of "Choices" without its Next. */
const sh_rule *sh_rule_read(sh_reader *r, const json_t *value, bool top, int depth);
bool sh_rule_field(const char *key); /* an operator, And, Or, Not, Variable */
/* fields.c: a field that is a number, or (its Path form) a path to one. */
void sh_read_number_field(sh_reader *r, json_t *value, const char *name, double least, double most,
                          sh_number_field *out);
/* fields.c: a finding when the object has no such field. */
void sh_read_one_of(sh_reader *r, const char *first, const char *second);
void sh_read_require(sh_reader *r, const json_t *object, const char *name);
/* map_fields.c: what Map states have besides items and concurrency; sh_map_check after all were read. */
void sh_map_read_processor(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_map_read_reader(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_map_read_batcher(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_map_read_writer(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_map_read_label(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_map_read_failures(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_map_check(sh_reader *r, sh_state *state, const json_t *value);
/* fields.c: the fields of one state. */
void sh_state_read(sh_reader *r, sh_state *state, json_t *value);
/* fields_lists.c */
void sh_read_choices(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_read_retry(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_read_catch(sh_reader *r, sh_state *state, json_t *value, const char *name);
void sh_read_result_path(sh_reader *r, json_t *value, sh_path_field *out);
/* An array of `least` to 1,000 objects; false after a finding. */
bool sh_read_list(sh_reader *r, const json_t *value, size_t least, size_t *count);
/* The finding that a field belongs to the query language that the state does not have. */
void sh_read_wrong_language(sh_reader *r, const char *field);
/* machine.c: NULL after findings. */
const sh_machine *sh_machine_read(sh_reader *r, const json_t *value);
/* A machine of one state. */
const sh_machine *sh_machine_lone(sh_reader *r, json_t *value);
/* Whether a state around this machine assigns a variable of that name. */
bool sh_scope_taken(const sh_reader *r, const char *name);

#endif
