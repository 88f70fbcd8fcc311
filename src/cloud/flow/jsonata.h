/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_H
#define SH_CLOUD_FLOW_JSONATA_H
/* JSONata 2, the query language of `{% … %}` fields. An expression is parsed once, when a definition is
 * created, and evaluated at any time, by any number of threads at once: what the parser made is never
 * changed.
 *
 * Differences from docs.jsonata.org are those of Step Functions: $partition, $range, $hash, $random(seed),
 * $uuid and $parse are there, $eval is not, $now and $millis read env->now_ms. Numbers are doubles; a whole
 * one within 2^53 becomes a JSON integer again. A value that came in as JSON and goes out untouched is the
 * same json_t. */
#include "cloud/flow/flow.h"
#include "cloud/flow/value.h"

#define SH_JSONATA_TEXT_MAX (256 * 1024)           /* bytes of an expression */
#define SH_JSONATA_STEPS_MAX (4 * 1000 * 1000)     /* nodes evaluated, values visited, regex steps */
#define SH_JSONATA_MEMORY_MAX (128u * 1024 * 1024) /* bytes of one evaluation */
#define SH_JSONATA_DEPTH_MAX 100                   /* evaluations inside each other */

typedef struct sh_jsonata sh_jsonata;

/* What an evaluation can see besides its input. Borrowed. */
typedef struct sh_jsonata_env {
    const json_t *bindings; /* object, NULL: none. Name without '$' -> value: "states", and the variables */
    const sh_flow_env *env; /* now_ms, random, hash; NULL: those functions fail */
    size_t steps;           /* at most so many; 0: SH_JSONATA_STEPS_MAX */
} sh_jsonata_env;

/* Why there is no result. Zero it before use; sh_jsonata_error_clear frees and zeroes. */
typedef struct sh_jsonata_error {
    char code[8];  /* "T2001", "D3030", "S0202" …; "" for a bound of this implementation, $error, $assert */
    char *message; /* without the code, "" at least; owned; valid UTF-8 */
    size_t position;  /* byte of the expression after the token at fault */
    bool unsupported; /* it came to an end, but the result is or holds a function */
} sh_jsonata_error;

void sh_jsonata_error_clear(sh_jsonata_error *error);
/* "T2001: The left side …", or the bare message where there is no code. New string (free()), NULL: memory. */
char *sh_jsonata_error_text(const sh_jsonata_error *error);

/* `text` without the {% and %} around it. *out lives as long as the build's arena. 0; SH_E_FORMAT with the
 * message in err ("S0202: Expected \"]\", got \"}\"") and the byte where it is in *position (may be NULL);
 * SH_E_LIMIT; SH_E_MEMORY. *out is untouched on failure. */
int sh_jsonata_parse(sh_build *build, const char *text, size_t length, const sh_jsonata **out,
                     size_t *position, sh_err *err);

/* `input` is $ and $$; NULL: undefined, as Step Functions has it. 0 with *out a new reference, or NULL where
 * the result is undefined (JSON null is json_null()); SH_FAULT with *error set (any failure of the
 * expression, a function as its result, a bound reached); SH_E_MEMORY. *out is untouched unless 0. */
int sh_jsonata_eval(const sh_jsonata *jsonata, const json_t *input, const sh_jsonata_env *env, json_t **out,
                    sh_jsonata_error *error);

/* One reference to a free variable: `name` without '$' ("" for `$`, "$" for `$$`), NUL-terminated, where it
 * stands. `path` is the member asked for directly after it, NULL if none: for `$states.input.x` name is
 * "states" and path "input". Names of functions of the library are not told. */
typedef void (*sh_jsonata_visit)(void *opaque, const char *name, const char *path, size_t position);
/* Tells every reference to a variable that the expression does not bind itself, in the order of the text. */
void sh_jsonata_variables(const sh_jsonata *jsonata, sh_jsonata_visit visit, void *opaque);

#endif
