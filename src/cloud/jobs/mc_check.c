/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings against the table of mc_table.h: every field that is there, in the order in which it stands. */
#include "base/size.h"
#include "cloud/jobs/mc_inner.h"
#include "cloud/jobs/mc_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16
#define PATH_MAX_BYTES 1024
#define NEAR_MAX 64

/* Where the check is: the JSON path for messages, the pattern for the table. */
typedef struct place {
    char path[PATH_MAX_BYTES], pattern[PATH_MAX_BYTES];
    int depth;
    sh_buf hints; /* names of fields, separated by spaces */
    sh_buf *notes;
    const sh_mc_row *near[NEAR_MAX]; /* that have their line already */
    size_t near_count;
    sh_err *err;
} place;

static bool word_in(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at && length; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

static const char *shown(const place *p)
{
    return p->path[0] ? p->path : "/";
}

static int wrong_type(const place *p, const char *wanted)
{
    return sh_fail(p->err, SH_E_ARGUMENT, "%s: must be %s", shown(p), wanted);
}

/* One hint a field name, however many outputs have it. */
static void note_hint(place *p)
{
    const char *name = strrchr(p->path, '/');
    if (name && !word_in(sh_buf_cstr(&p->hints), name + 1))
        sh_buf_printf(&p->hints, "%s%s", p->hints.length ? " " : "", name + 1);
}

static void note_near(place *p, const sh_mc_row *row, const char *word)
{
    for (size_t i = 0; i < p->near_count; i++)
        if (p->near[i] == row)
            return;
    if (p->near_count < NEAR_MAX)
        p->near[p->near_count++] = row;
    sh_buf_printf(p->notes, "%s: %s: %s\n", shown(p), word, row->instead);
}

static int check_word(place *p, const sh_mc_row *row, const json_t *value)
{
    const char *word = json_string_value(value);
    if (!word)
        return wrong_type(p, "a string");
    if (!word_in(row->values, word))
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: \"%.60s\" is none of %.300s", shown(p), word, row->values);
    if (row->near && word_in(row->near, word))
        note_near(p, row, word);
    else if (row->made && !word_in(row->made, word))
        return sh_fail(p->err, SH_E_UNSUPPORTED, "%s: %s is not supported here; supported: %s", shown(p),
                       word, row->made);
    return 0;
}

static int check_number(const place *p, const sh_mc_row *row, const json_t *value)
{
    char made[32];
    if (row->type == SH_MC_INTEGER ? !json_is_integer(value) : !json_is_number(value))
        return wrong_type(p, row->type == SH_MC_INTEGER ? "a whole number" : "a number");
    double number = json_number_value(value);
    if (!(number >= row->min && number <= row->max))
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: %.15g is not between %.15g and %.15g", shown(p), number,
                       row->min, row->max);
    snprintf(made, sizeof(made), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (row->made && strcmp(row->made, made) != 0)
        return sh_fail(p->err, SH_E_UNSUPPORTED, "%s: %s is not supported here; supported: %s", shown(p),
                       made, row->made);
    return 0;
}

static int check_text(const place *p, const sh_mc_row *row, const json_t *value)
{
    const size_t length = json_string_length(value);
    if (!json_is_string(value))
        return wrong_type(p, "a string");
    if ((double)length < row->min || (double)length > row->max)
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: has %zu bytes and must have %g to %g", shown(p), length,
                       row->min, row->max);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)json_string_value(value)[i] < 0x20)
            return sh_fail(p->err, SH_E_ARGUMENT, "%s: holds a control character", shown(p));
    return 0;
}

static int check_value(place *p, const json_t *value);

/* Goes one step down: `step` in the path, `mark` in the pattern. */
static int check_child(place *p, const char *step, const char *mark, const json_t *value)
{
    const size_t path = strlen(p->path), pattern = strlen(p->pattern);
    if (p->depth >= DEPTH_MAX || path + strlen(step) + 2 > PATH_MAX_BYTES ||
        pattern + strlen(mark) + 2 > PATH_MAX_BYTES)
        return sh_fail(p->err, SH_E_ARGUMENT, "%.100s: the settings are nested too deeply", shown(p));
    snprintf(p->path + path, PATH_MAX_BYTES - path, "/%s", step);
    snprintf(p->pattern + pattern, PATH_MAX_BYTES - pattern, "%s", mark);
    p->depth++;
    int status = check_value(p, value);
    p->depth--;
    p->path[path] = p->pattern[pattern] = '\0';
    return status;
}

static int check_object(place *p, const json_t *value)
{
    const char *key;
    json_t *child;
    char mark[128];
    int status = 0;
    if (!json_is_object(value))
        return wrong_type(p, "an object");
    json_object_foreach((json_t *)value, key, child)
    {
        snprintf(mark, sizeof(mark), ".%c%.100s", tolower((unsigned char)key[0]), *key ? key + 1 : "");
        if (status == 0 && (strlen(key) > 100 || strpbrk(key, ".[]{}/")))
            status = sh_fail(p->err, SH_E_ARGUMENT, "%s/%.100s: unknown property", p->path, key);
        if (status == 0)
            status = check_child(p, key, mark, child);
    }
    return status;
}

static int check_map(place *p, const json_t *value)
{
    const char *key;
    json_t *child;
    int status = 0;
    if (!json_is_object(value))
        return wrong_type(p, "an object");
    json_object_foreach((json_t *)value, key, child)
    {
        if (status == 0 && strlen(key) > 200)
            status = sh_fail(p->err, SH_E_ARGUMENT, "%s: a name of more than 200 bytes", shown(p));
        if (status == 0)
            status = check_child(p, key, "{}", child);
    }
    return status;
}

static int check_array(place *p, const sh_mc_row *row, const json_t *value)
{
    const size_t count = json_array_size(value);
    char step[24];
    int status = 0;
    if (!json_is_array(value))
        return wrong_type(p, "a list");
    if ((double)count < row->min || (double)count > row->max)
        return sh_fail(p->err, (double)count < row->min ? SH_E_ARGUMENT : SH_E_UNSUPPORTED,
                       "%s: has %zu elements; %g to %g are supported", shown(p), count, row->min, row->max);
    for (size_t i = 0; i < count && status == 0; i++) {
        snprintf(step, sizeof(step), "%zu", i);
        status = check_child(p, step, "[]", json_array_get(value, i));
    }
    return status;
}

static int check_value(place *p, const json_t *value)
{
    const sh_mc_row *row = sh_mc_row_find(p->pattern);
    if (!row)
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: unknown property", shown(p));
    if (row->use == SH_MC_NOT_MADE)
        return sh_fail(p->err, SH_E_UNSUPPORTED, "%s: is not supported here", shown(p));
    if (row->use == SH_MC_HINT)
        note_hint(p);
    switch (row->type) {
    case SH_MC_OBJECT:
        return check_object(p, value);
    case SH_MC_MAP:
        return check_map(p, value);
    case SH_MC_ARRAY:
        return check_array(p, row, value);
    case SH_MC_STRING:
        return check_text(p, row, value);
    case SH_MC_ENUM:
        return check_word(p, row, value);
    default:
        return check_number(p, row, value);
    }
}

int sh_mc_check(const json_t *settings, sh_buf *notes, sh_err *err)
{
    place *p = calloc(1, sizeof(*p));
    if (!p)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_buf_init(&p->hints, 1 << 14);
    p->notes = notes;
    p->err = err;
    int status = check_value(p, settings);
    if (status == 0 && p->hints.length)
        sh_buf_printf(notes, "tuning hints of another encoder, not applied here: %s\n",
                      sh_buf_cstr(&p->hints));
    sh_buf_free(&p->hints);
    free(p);
    return status;
}
