/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evaluation of JSONPath. A definite path is followed step by step and fails where a step finds nothing. From
 * the first step that can name several values on, everything found is collected into an array and what is
 * missing is skipped; such a path fails only where a definite step before that one finds nothing. The work is
 * bounded, because filters and recursive descents multiply. */
#include "cloud/flow/path_steps.h"
#include <string.h>

enum { MAX_VISITS = 2000000 };

typedef struct walk {
    json_t *root;
    json_t *found; /* array */
    long visits;
    bool memory;
} walk;

static int get(walk *w, const sh_path *path, json_t *from, json_t **out);

static json_t *at_index(json_t *array, json_int_t index)
{
    json_int_t size = (json_int_t)json_array_size(array);

    if (index < 0)
        index += size;
    return index >= 0 && index < size ? json_array_get(array, (size_t)index) : NULL;
}

/* New reference or NULL (then *status says whether it is missing or the evaluation failed). */
static json_t *operand(walk *w, const sh_operand *o, json_t *current, int *status)
{
    json_t *value = NULL;

    if (o->constant)
        return json_incref(o->constant);
    *status = get(w, o->path, o->absolute ? w->root : current, &value);
    return *status ? NULL : value;
}

static int order(const json_t *a, const json_t *b, bool *comparable)
{
    *comparable = true;
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);

        return x < y ? -1 : x > y;
    }
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    *comparable = false;
    return 0;
}

static bool compares(sh_filter_op op, const json_t *a, const json_t *b)
{
    bool comparable;
    int sign;

    if (op == SH_FILTER_EQ || op == SH_FILTER_NE)
        return sh_value_equal(a, b) == (op == SH_FILTER_EQ);
    sign = order(a, b, &comparable);
    if (!comparable)
        return false;
    return op == SH_FILTER_LT   ? sign < 0
           : op == SH_FILTER_LE ? sign <= 0
           : op == SH_FILTER_GT ? sign > 0
                                : sign >= 0;
}

static int matches(walk *w, const sh_filter *f, json_t *current, bool *out)
{
    int status = 0;
    json_t *a, *b;

    if (f->op <= SH_FILTER_NOT) {
        status = matches(w, f->left, current, out);
        if (status || f->op == SH_FILTER_NOT) {
            *out = !*out;
            return status;
        }
        return *out == (f->op == SH_FILTER_OR) ? 0 : matches(w, f->right, current, out);
    }
    a = operand(w, &f->a, current, &status);
    if (f->op == SH_FILTER_EXISTS) {
        *out = a && (f->a.path->definite || json_array_size(a));
        json_decref(a);
        return status == SH_E_NOT_FOUND ? 0 : status;
    }
    b = !status || status == SH_E_NOT_FOUND ? operand(w, &f->b, current, &status) : NULL;
    *out = a && b ? compares(f->op, a, b) : f->op == SH_FILTER_NE && (a || b);
    json_decref(a);
    json_decref(b);
    return status == SH_E_NOT_FOUND ? 0 : status;
}

static int collect(walk *w, const sh_step *step, json_t *value);

static int filtered(walk *w, const sh_step *step, json_t *value)
{
    bool take = false;
    int status = matches(w, step->filter, value, &take);

    return status || !take ? status : collect(w, step->next, value);
}

static int each_child(walk *w, const sh_step *step, json_t *value,
                      int (*visit)(walk *, const sh_step *, json_t *))
{
    const char *key;
    json_t *item;
    size_t i;
    int status = 0;

    if (json_is_object(value)) {
        json_object_foreach(value, key, item) if ((status = visit(w, step, item))) return status;
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item) if ((status = visit(w, step, item))) return status;
    }
    return status;
}

static int sliced(walk *w, const sh_step *step, json_t *value)
{
    json_int_t size = (json_int_t)json_array_size(value);
    json_int_t start = step->has_start ? step->indexes[0] : 0,
               stop = step->has_stop ? step->indexes[1] : size;
    int status = 0;

    if (start < 0)
        start = start + size < 0 ? 0 : start + size;
    if (stop < 0)
        stop += size;
    if (stop > size)
        stop = size;
    while (!status && start < stop) {
        status = collect(w, step->next, json_array_get(value, (size_t)start));
        start = step->indexes[2] < stop - start ? start + step->indexes[2] : stop;
    }
    return status;
}

static int next_of_step(walk *w, const sh_step *step, json_t *item)
{
    return collect(w, step->next, item);
}

static int named(walk *w, const sh_step *step, json_t *value)
{
    int status = 0;

    for (size_t i = 0; !status && i < step->count; i++) {
        json_t *item = step->kind == SH_STEP_NAMES ? json_object_get(value, step->names[i])
                       : json_is_array(value)      ? at_index(value, step->indexes[i])
                                                   : NULL;

        if (item)
            status = collect(w, step->next, item);
    }
    return status;
}

static int apply(walk *w, const sh_step *step, json_t *value)
{
    switch (step->kind) {
    case SH_STEP_NAMES:
    case SH_STEP_INDEXES:
        return named(w, step, value);
    case SH_STEP_SLICE:
        return json_is_array(value) ? sliced(w, step, value) : 0;
    case SH_STEP_WILD:
        return each_child(w, step, value, next_of_step);
    case SH_STEP_FILTER:
        if (json_is_object(value) && !step->descend)
            return filtered(w, step, value);
        return json_is_array(value) ? each_child(w, step, value, filtered) : 0;
    }
    return SH_E_INTERNAL;
}

static int descend(walk *w, const sh_step *step, json_t *value)
{
    int status;

    if (++w->visits > MAX_VISITS)
        return SH_E_LIMIT;
    status = apply(w, step, value);
    return status ? status : each_child(w, step, value, descend);
}

static int collect(walk *w, const sh_step *step, json_t *value)
{
    if (++w->visits > MAX_VISITS)
        return SH_E_LIMIT;
    if (!step)
        return json_array_append(w->found, value) ? SH_E_MEMORY : 0;
    return step->descend ? descend(w, step, value) : apply(w, step, value);
}

/* ['a','b'] of an object is an object of those fields. */
static json_t *pick(const sh_step *step, json_t *value)
{
    json_t *picked = json_object();

    for (size_t i = 0; picked && i < step->count; i++) {
        json_t *item = json_object_get(value, step->names[i]);

        if (item && json_object_set(picked, step->names[i], item)) {
            json_decref(picked);
            picked = NULL;
        }
    }
    return picked;
}

static bool single(const sh_step *step)
{
    return !step->descend && step->count == 1 &&
           (step->kind == SH_STEP_NAMES || step->kind == SH_STEP_INDEXES);
}

static int get(walk *w, const sh_path *path, json_t *from, json_t **out)
{
    const sh_step *step = path->steps;
    json_t *value = from, *outer = w->found;
    int status;

    for (; value && step && single(step); step = step->next)
        value = step->kind == SH_STEP_NAMES ? json_object_get(value, step->names[0])
                : json_is_array(value)      ? at_index(value, step->indexes[0])
                                            : NULL;
    if (!value)
        return SH_E_NOT_FOUND;
    if (!step) {
        *out = json_incref(value);
        return 0;
    }
    if (step->kind == SH_STEP_NAMES && !step->descend && !step->next) {
        if (!json_is_object(value))
            return SH_E_NOT_FOUND;
        *out = pick(step, value);
        return *out ? 0 : SH_E_MEMORY;
    }
    w->found = json_array();
    status = w->found ? collect(w, step, value) : SH_E_MEMORY;
    if (!status)
        *out = w->found;
    else
        json_decref(w->found);
    w->found = outer;
    return status;
}

int sh_path_get(const sh_path *path, json_t *root, json_t **out)
{
    walk w = {.root = root};

    return get(&w, path, root, out);
}

void sh_path_normal(const sh_path *path, sh_buf *buf)
{
    sh_buf_puts(buf, path->context ? "$$" : "$");
    for (const sh_step *step = path->steps; step; step = step->next) {
        if (!single(step)) {
            sh_buf_puts(buf, "[…]");
            return;
        }
        if (step->kind == SH_STEP_NAMES)
            sh_buf_printf(buf, "['%s']", step->names[0]);
        else
            sh_buf_printf(buf, "[%lld]", (long long)step->indexes[0]);
    }
}

static int put(const sh_step *step, json_t *old, json_t *value, json_t **out);

static int put_name(const sh_step *step, json_t *old, json_t *value, json_t **out)
{
    json_t *copy, *item = NULL;
    int status;

    if (old && !json_is_object(old))
        return SH_E_CONFLICT;
    status = put(step->next, old ? json_object_get(old, step->names[0]) : NULL, value, &item);
    if (status)
        return status;
    copy = old ? json_copy(old) : json_object();
    if (json_object_set_new(copy, step->names[0], item)) {
        json_decref(copy);
        return SH_E_MEMORY;
    }
    *out = copy;
    return 0;
}

static int put_index(const sh_step *step, json_t *old, json_t *value, json_t **out)
{
    json_t *copy, *item = NULL, *at;
    int status;

    at = json_is_array(old) ? at_index(old, step->indexes[0]) : NULL;
    if (!at)
        return SH_E_CONFLICT;
    status = put(step->next, at, value, &item);
    if (status)
        return status;
    copy = json_copy(old);
    if (json_array_set_new(copy, (size_t)step->indexes[0], item)) {
        json_decref(copy);
        return SH_E_MEMORY;
    }
    *out = copy;
    return 0;
}

static int put(const sh_step *step, json_t *old, json_t *value, json_t **out)
{
    if (!step) {
        *out = json_incref(value);
        return 0;
    }
    return step->kind == SH_STEP_NAMES ? put_name(step, old, value, out) : put_index(step, old, value, out);
}

int sh_path_put(const sh_path *path, json_t *root, json_t *value, json_t **out)
{
    return path->reference ? put(path->steps, root, value, out) : SH_E_ARGUMENT;
}
