/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evaluation of JSONPath. A definite path is followed step by step and fails where a step finds nothing. From
 * the first step that can name several values on, everything found is collected into an array and what is
 * missing is skipped; such a path fails only where a definite step before that one meets a value of the wrong
 * type, and yields an empty array where one finds no such field. The corners are those of AWS: no scalar
 * passes a filter, a negative index finds nothing ("[(@.length-1)]" and "[-1:]" do), and "[a:b]" does not
 * count back from the end. The work is bounded, because filters and recursive descents multiply. */
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

static json_t *at_index(json_t *array, const sh_step *step, size_t which)
{
    json_int_t size = (json_int_t)json_array_size(array), index = step->indexes[which];

    if (step->from_end)
        index = index > size ? -1 : size - index;
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
    int status = 0;

    if (++w->visits > MAX_VISITS)
        return SH_E_LIMIT;
    if (json_is_object(value) || json_is_array(value))
        status = matches(w, step->filter, value, &take);
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
        start = step->has_stop || start + size < 0 ? 0 : start + size;
    if (stop < 0 && !step->has_start)
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

static int picked(walk *w, const sh_step *step, json_t *value)
{
    json_t *some;
    int status;

    if (step->next)
        return SH_E_NOT_FOUND;
    if (!json_is_object(value))
        return 0;
    some = pick(step, value);
    if (!some)
        return SH_E_MEMORY;
    status = step->descend && json_object_size(some) < step->count ? 0 : collect(w, NULL, some);
    json_decref(some);
    return status;
}

static int named(walk *w, const sh_step *step, json_t *value)
{
    int status = 0;

    if (step->kind == SH_STEP_NAMES && step->count > 1)
        return picked(w, step, value);
    for (size_t i = 0; !status && i < step->count; i++) {
        json_t *item = step->kind == SH_STEP_NAMES ? json_object_get(value, step->names[i])
                       : json_is_array(value)      ? at_index(value, step, i)
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

static bool single(const sh_step *step)
{
    return !step->descend && step->count == 1 &&
           (step->kind == SH_STEP_NAMES || step->kind == SH_STEP_INDEXES);
}

/* Whether the step can be applied to a value of that type at all. */
static bool fits(const sh_step *step, const json_t *value)
{
    if (step->descend || step->kind == SH_STEP_NAMES || step->kind == SH_STEP_WILD)
        return true;
    return json_is_array(value) || (step->kind == SH_STEP_FILTER && json_is_object(value));
}

static int get(walk *w, const sh_path *path, json_t *from, json_t **out)
{
    const sh_step *step = path->steps;
    json_t *value = from, *outer = w->found;
    int status;

    if (++w->visits > MAX_VISITS)
        return SH_E_LIMIT;
    for (; value && step && single(step) && fits(step, value); step = step->next)
        value =
            step->kind == SH_STEP_NAMES ? json_object_get(value, step->names[0]) : at_index(value, step, 0);
    if (!value && !path->definite) {
        *out = json_array();
        return *out ? 0 : SH_E_MEMORY;
    }
    if (!value || (step && !fits(step, value)))
        return SH_E_NOT_FOUND;
    if (!step) {
        *out = json_incref(value);
        return 0;
    }
    if (step->kind == SH_STEP_NAMES && !step->descend) {
        if (step->next || !json_is_object(value))
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

static void put_step(const sh_step *step, sh_buf *buf)
{
    sh_buf_putc(buf, '[');
    for (size_t i = 0; i < step->count; i++) {
        sh_buf_puts(buf, i ? ", " : "");
        if (step->kind == SH_STEP_NAMES)
            sh_buf_printf(buf, "'%s'", step->names[i]);
        else
            sh_buf_printf(buf, step->from_end ? "(@.length-%lld)" : "%lld", (long long)step->indexes[i]);
    }
    sh_buf_putc(buf, ']');
}

static void put_steps(const sh_step *step, sh_buf *buf)
{
    for (; step && single(step); step = step->next)
        put_step(step, buf);
}

/* The reason at a step that finds nothing in `value`; `place` is the way to it. */
static void put_reason(const sh_step *step, const json_t *value, sh_buf *place, sh_buf *buf)
{
    bool array = json_is_array(value);

    if (step->kind == SH_STEP_NAMES && !json_is_object(value)) {
        sh_buf_puts(buf, "Property ");
        put_step(step, buf);
        sh_buf_printf(buf, " not found in path %s", sh_buf_cstr(place));
    } else if (step->kind == SH_STEP_NAMES && step->count > 1) {
        put_step(step, place);
        sh_buf_printf(buf, "Multi properties can only be used as path leafs: %s", sh_buf_cstr(place));
    } else if (step->kind == SH_STEP_NAMES && step->next) {
        put_step(step, place);
        sh_buf_printf(buf, "Missing property in path %s", sh_buf_cstr(place));
    } else if (step->kind == SH_STEP_NAMES || array) {
        put_steps(step, place);
        sh_buf_printf(buf, "No results for path: %s", sh_buf_cstr(place));
    } else {
        sh_buf_puts(buf, "Filter: ");
        put_step(step, buf);
        sh_buf_puts(buf, " can only be applied to arrays. Current context is: ");
        sh_value_dump(buf, value);
    }
}

void sh_path_why(const sh_path *path, json_t *root, sh_buf *buf)
{
    const sh_step *step = path->steps;
    json_t *value = root;
    sh_buf place;

    sh_buf_init(&place, SH_FLOW_TEXT_MAX);
    sh_buf_printf(&place, "$%s", path->variable ? path->variable : "");
    for (; step; step = step->next) {
        json_t *inner = !single(step)                 ? NULL
                        : step->kind == SH_STEP_NAMES ? json_object_get(value, step->names[0])
                        : json_is_array(value)        ? at_index(value, step, 0)
                                                      : NULL;

        if (!inner) {
            put_reason(step, value, &place, buf);
            break;
        }
        put_step(step, &place);
        value = inner;
    }
    sh_buf_free(&place);
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

    at = json_is_array(old) ? at_index(old, step, 0) : NULL;
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
