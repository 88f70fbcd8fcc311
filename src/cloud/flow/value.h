/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_VALUE_H
#define SH_CLOUD_FLOW_VALUE_H
/* JSON values inside the interpreter, and the two ways in which an operation on them does not succeed:
 *   negative SH_E_*  the call itself failed (memory); nothing of the step may be kept
 *   SH_FAULT         the execution's own fault, as the States Language defines it: error name and cause are
 * in the sh_fault, and Retry and Catch may deal with it Values are immutable once made: they are shared by
 * reference between inputs, outputs and stored state. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SH_FAULT 1
#define SH_FLOW_TEXT_MAX (16u * 1024 * 1024) /* of any text made here */

typedef struct sh_fault {
    char *error, *cause; /* owned; either may be NULL */
    bool runtime;        /* States.Runtime: no Retry and no Catch takes it */
    bool heartbeat;      /* a States.Timeout that States.HeartbeatTimeout names, too */
    char *location;      /* owned; the field whose JSONata failed, NULL: something else did */
} sh_fault;

/* Replaces what is there; returns SH_FAULT, or SH_E_MEMORY. A States.Runtime error sets `runtime`. */
int sh_fault_set(sh_fault *fault, const char *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int sh_fault_take(sh_fault *fault, const char *error, const char *cause); /* copies; both may be NULL */
void sh_fault_clear(sh_fault *fault);

/* As sh_flow_dump, but refuses nesting over SH_FLOW_DEPTH_MAX with SH_E_LIMIT. */
int sh_value_dump(sh_buf *buf, const json_t *value);
/* As States.Format shows a value: strings bare, {key=value, …}, [a, b]. */
int sh_value_show(sh_buf *buf, const json_t *value);
/* Deep equality in which 1 equals 1.0. */
bool sh_value_equal(const json_t *a, const json_t *b);
/* The shortest decimal text that reads back as the same double; always with a point or an exponent. */
int sh_value_number(sh_buf *buf, double number);
/* A JSON string of any text: bytes that are not UTF-8 become '?'. */
json_t *sh_value_string(const char *text);
/* Strict JSON text -> value, with jansson's flags besides JSON_DECODE_ANY. 0, SH_E_FORMAT (text, line and
 * column in *error) or SH_E_MEMORY. */
int sh_value_load(const char *text, size_t length, size_t flags, json_t **out, json_error_t *error);
/* Whether value is nested deeper than `depth` levels. */
bool sh_value_deeper(const json_t *value, int depth);
/* json_stringn whose bytes are checked; NULL when memory is short or they are not UTF-8. */
json_t *sh_value_text(const sh_buf *buf);

/* What the tables are made with. Everything lives in the arena; JSON constants in `keep`. */
typedef struct sh_build {
    sh_arena *arena;
    json_t *keep;   /* array of the JSON values that tables borrow */
    bool context;   /* some path starts with "$$" */
    bool variables; /* something reads or assigns variables */
    json_t *reads;  /* array that the names of the variables that are read go to, once each; NULL: none */
} sh_build;

/* A variable is read. SH_E_MEMORY. */
int sh_build_reads(sh_build *build, const char *name);
/* Keeps `value` (a new reference, given away) alive as long as the tables; NULL when it is NULL or memory is
 * short. */
json_t *sh_build_keep(sh_build *build, json_t *value);

#endif
