/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LOGS_PATTERN_H
#define SH_API_LOGS_PATTERN_H
/* Filter patterns of CloudWatch Logs ("Filter pattern syntax", CloudWatch Logs User Guide). A pattern is one
 * of three:
 *
 *   ERROR "disk full" -DEBUG, ?WARN ?ERROR, %regex%   terms of the message: all of them, or one of those with
 * ? { $.a.b[0] = "x*" && $.n > 3 }                    conditions on a message that is JSON [ip, ..., status =
 * 4*, bytes > 100]               columns of a message in words
 *
 * The empty pattern matches everything. Pure; a parsed pattern is immutable. */
#include "base/arena.h"
#include "base/err.h"
#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#define SH_LOG_PATTERN_MAX 1024 /* characters, as AWS has it */

typedef struct sh_log_pattern sh_log_pattern;

/* SH_E_FORMAT: it is malformed, err->message says where (a column). *out is for sh_log_pattern_free. */
int sh_log_pattern_parse(sh_log_pattern **out, const char *text, sh_err *err);
void sh_log_pattern_free(sh_log_pattern *pattern); /* NULL is fine */
bool sh_log_pattern_matches(const sh_log_pattern *pattern, const char *message);
/* What the columns or selectors of the pattern have in this message: {"$ip": "…"}, {"$.a": "…"}. */
json_t *sh_log_pattern_extract(const sh_log_pattern *pattern, const char *message);

/* ---- inner: between logs_pattern.c, which reads, and logs_match.c, which applies ---- */

/* What a value is compared with: text with wildcards (*), a number, or a regular expression. */
typedef struct sh_log_value {
    const char *text;
    bool is_number;
    double number;
    regex_t *regex; /* NULL: none */
} sh_log_value;

typedef enum sh_log_op {
    SH_LOG_AND, /* of left and right */
    SH_LOG_OR,
    SH_LOG_EQUAL,
    SH_LOG_UNEQUAL,
    SH_LOG_LESS,
    SH_LOG_LESS_EQUAL,
    SH_LOG_GREATER,
    SH_LOG_GREATER_EQUAL,
    SH_LOG_IS_NULL,
    SH_LOG_IS_TRUE,
    SH_LOG_IS_FALSE,
    SH_LOG_NOT_EXISTS,
    SH_LOG_ANY, /* a column without a condition */
} sh_log_op;

typedef struct sh_log_step {
    const char *name; /* NULL: an index, or all */
    bool all;         /* * */
    size_t index;
    struct sh_log_step *next;
} sh_log_step;

typedef struct sh_log_node {
    sh_log_op op;
    const char *subject; /* "$.a.b" as written, or a column's name */
    const sh_log_step *steps;
    sh_log_value value;
    struct sh_log_node *left, *right;
} sh_log_node;

typedef struct sh_log_term {
    char kind; /* '+' needed, '?' one of these, '-' must not be there */
    sh_log_value value;
    struct sh_log_term *next;
} sh_log_term;

typedef struct sh_log_column {
    const char *name; /* "" : none; "..." : any number of columns */
    sh_log_node *condition;
    struct sh_log_column *next;
} sh_log_column;

typedef struct sh_log_regex {
    regex_t regex;
    struct sh_log_regex *next;
} sh_log_regex;

struct sh_log_pattern {
    sh_arena *arena;
    enum { SH_LOG_TERMS, SH_LOG_JSON, SH_LOG_COLUMNS } kind;
    sh_log_term *terms;
    sh_log_node *json;
    sh_log_column *columns;
    sh_log_regex *regexes; /* to be freed */
};

#endif
