/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths of JSONata: steps over sequences, predicates, order-by and grouping. Where a step binds variables (@,
 * #, or a later %), the path goes on with tuples: an item and the bindings that belong to it. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <string.h>

/* ---- predicates ---- */

static bool all_numbers(jv_eval *e, jv *value)
{
    size_t count = jv_count(e, value);

    for (size_t i = 0; i < count; i++)
        if (!jv_is(jv_item(e, value, i), JV_NUMBER))
            return false;
    return true;
}

static bool is_index(const jv *number, size_t index, size_t count)
{
    double at = floor(number->number);

    return (at < 0 ? at + (double)count : at) == (double)index;
}

/* How many times the item is taken. */
static size_t times_chosen(jv_eval *e, jv *result, size_t index, size_t count)
{
    size_t times = 0;

    if (jv_is(result, JV_NUMBER))
        return is_index(result, index, count);
    if (!jv_is(result, JV_ARRAY) || !all_numbers(e, result))
        return jv_truth(e, result);
    for (size_t i = 0; i < jv_count(e, result); i++) {
        jv_work(e, 1);
        times += is_index(jv_item(e, result, i), index, count);
    }
    return times;
}

static jv *item_at(jv_eval *e, jv *input, double index, jv *results)
{
    size_t count = jv_count(e, input);
    jv *item;

    index = floor(index);
    if (index < 0)
        index += (double)count;
    if (!(index >= 0 && index < (double)count))
        return results;
    item = jv_item(e, input, (size_t)index);
    if (jv_is(item, JV_ARRAY))
        return item;
    if (item)
        jv_push(e, results, item);
    return results;
}

jv *jv_evaluate_filter(jv_eval *e, const jnode *predicate, jv *input, jv_frame *frame)
{
    jv *results = jv_sequence(e);
    bool tuples = jv_is(input, JV_ARRAY) && (input->flags & JV_TUPLES);
    size_t count;

    if (tuples)
        results->flags |= JV_TUPLES;
    input = input ? jv_as_array(e, input) : jv_sequence_of(e, NULL); /* undefined is one item, too */
    if (predicate->type == JN_NUMBER && !predicate->step)
        return item_at(e, input, predicate->number, results);
    count = jv_count(e, input);
    for (size_t i = 0; i < count; i++) {
        jv *item = jv_item(e, input, i);
        jv *context = tuples ? item->tuple.at : item;
        jv_frame *inner = tuples ? jv_frame_of_tuple(e, frame, item) : frame;
        jv *chosen = jv_evaluate(e, predicate, context, inner);

        for (size_t times = times_chosen(e, chosen, i, count); times > 0; times--)
            jv_push(e, results, item);
    }
    return results;
}

/* The # binding behind a predicate counts what passed it. */
static jv *number_tuples(jv_eval *e, const char *name, jv *tuples)
{
    for (size_t i = 0; i < tuples->array.count; i++) {
        jv *tuple = tuples->array.items[i];

        if (!jv_is(tuple, JV_TUPLE))
            continue;
        tuple->tuple.bindings = jv_binding_add(e, tuple->tuple.bindings, name, jv_number(e, (double)i));
    }
    return tuples;
}

static jv *evaluate_stages(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    if (!node->step)
        return input;
    for (size_t i = 0; i < node->step->stages.count; i++) {
        const jnode *stage = node->step->stages.items[i];

        if (stage->type == JN_FILTER)
            input = jv_evaluate_filter(e, stage->left, input, frame);
        else if (jv_is(input, JV_ARRAY))
            input = number_tuples(e, stage->text, input);
    }
    return input;
}

/* ---- order-by ---- */

typedef struct order {
    jv_eval *e;
    const jnode *node;
    jv_frame *frame;
    bool tuples;
} order;

static jv *term_value(const order *o, const jnode *term, jv *item)
{
    if (o->tuples)
        return jv_evaluate(o->e, term->left, item->tuple.at, jv_frame_of_tuple(o->e, o->frame, item));
    return jv_evaluate(o->e, term->left, item, o->frame);
}

static int compare_terms(const order *o, jv *x, jv *y)
{
    size_t position = o->node->position;

    if (!x || !y)
        return !x && !y ? 0 : !x ? 1 : -1;
    if ((x->kind != JV_STRING && x->kind != JV_NUMBER) || (y->kind != JV_STRING && y->kind != JV_NUMBER))
        jv_fail_value(o->e, "T2008", position, NULL, x->kind != JV_STRING && x->kind != JV_NUMBER ? x : y,
                      NULL);
    if (x->kind != y->kind)
        jv_fail_value(o->e, "T2007", position, NULL, x, y);
    if (x->kind == JV_NUMBER)
        return (x->number > y->number) - (x->number < y->number);
    return sh_jv_compare(x->string.text, x->string.length, y->string.text, y->string.length);
}

static bool belongs_after(void *opaque, jv *a, jv *b)
{
    const order *o = opaque;

    for (size_t i = 0; i < o->node->list.count; i++) {
        const jnode *term = o->node->list.items[i];
        jv *x = term_value(o, term, a), *y = term_value(o, term, b);
        int found = compare_terms(o, x, y);

        if (found)
            return x && y && term->descending ? found < 0 : found > 0;
    }
    return false;
}

static void merge(jv **out, jv **a, size_t a_count, jv **b, size_t b_count,
                  bool (*after)(void *opaque, jv *a, jv *b), void *opaque)
{
    size_t i = 0, j = 0;

    while (i < a_count && j < b_count) {
        bool right = after(opaque, a[i], b[j]);

        *out++ = right ? b[j++] : a[i++];
    }
    while (i < a_count)
        *out++ = a[i++];
    while (j < b_count)
        *out++ = b[j++];
}

void jv_merge_sort(jv_eval *e, jv **items, size_t count, bool (*after)(void *opaque, jv *a, jv *b),
                   void *opaque)
{
    size_t middle = count / 2;
    jv **copy;

    if (count < 2)
        return;
    jv_work(e, count);
    jv_merge_sort(e, items, middle, after, opaque);
    jv_merge_sort(e, items + middle, count - middle, after, opaque);
    copy = jv_alloc_items(e, count, sizeof(*copy));
    memcpy(copy, items, count * sizeof(*copy));
    merge(items, copy, middle, copy + middle, count - middle, after, opaque);
}

jv *jv_evaluate_sort(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    order o = {.e = e, .node = node, .frame = frame};
    jv *sorted = jv_sequence(e);

    input = jv_as_array(e, input);
    o.tuples = input->flags & JV_TUPLES;
    sorted->flags |= input->flags & JV_TUPLES;
    jv_push_all(e, sorted, input);
    jv_merge_sort(e, sorted->array.items, sorted->array.count, belongs_after, &o);
    return sorted;
}

/* ---- grouping ---- */

typedef struct group {
    jv *data;
    size_t pair;
    bool owned; /* data is an array that nobody else has */
} group;

typedef struct grouping {
    jv_eval *e;
    const jnode *pairs;
    jv_frame *frame;
    bool tuples;
    jv *names; /* key -> number of the group */
    group *groups;
    size_t count, capacity;
} grouping;

static void append_to_group(jv_eval *e, group *into, jv *item)
{
    if (into->owned && item && item->kind != JV_ARRAY) {
        jv_push(e, into->data, item);
        return;
    }
    into->owned = into->data && item;
    into->data = jv_concat(e, into->data, item);
}

static void add_group(grouping *g, jv *key, jv *item, size_t pair)
{
    if (g->count == g->capacity) {
        size_t capacity = g->capacity ? g->capacity * 2 : 8;
        group *groups = jv_alloc_items(g->e, capacity, sizeof(*groups));

        if (g->count)
            memcpy(groups, g->groups, g->count * sizeof(*groups));
        g->groups = groups;
        g->capacity = capacity;
    }
    jv_set(g->e, g->names, key->string.text, key->string.length, jv_number(g->e, (double)g->count));
    g->groups[g->count++] = (group){item, pair, false};
}

static void group_item(grouping *g, jv *item)
{
    jv *context = g->tuples ? item->tuple.at : item;
    jv_frame *frame = g->tuples ? jv_frame_of_tuple(g->e, g->frame, item) : g->frame;

    for (size_t i = 0; i + 1 < g->pairs->list.count; i += 2) {
        jv *key = jv_evaluate(g->e, g->pairs->list.items[i], context, frame), *found;
        group *existing;

        if (!key)
            continue;
        if (key->kind != JV_STRING)
            jv_fail_value(g->e, "T1003", g->pairs->position, NULL, key, NULL);
        found = jv_get(g->e, g->names, key->string.text, key->string.length);
        if (!found) {
            add_group(g, key, item, i);
            continue;
        }
        existing = &g->groups[(size_t)found->number];
        if (existing->pair != i)
            jv_fail_value(g->e, "D1009", g->pairs->position, NULL, key, NULL);
        append_to_group(g->e, existing, item);
    }
}

/* Tuples of one group become one: each name bound to all its values. */
static jv *reduce_tuples(jv_eval *e, jv *data, jv_binding **bindings)
{
    jv *at = NULL;

    *bindings = NULL;
    if (!jv_is(data, JV_ARRAY)) {
        *bindings = data->tuple.bindings;
        return data->tuple.at;
    }
    for (size_t i = 0; i < data->array.count; i++) {
        const jv *tuple = data->array.items[i];
        jv_binding *seen = NULL;

        at = i ? jv_concat(e, at, tuple->tuple.at) : tuple->tuple.at;
        for (const jv_binding *b = tuple->tuple.bindings; b; b = b->next) {
            jv_binding *into = *bindings, *shadow = seen;

            jv_work(e, 1);
            while (shadow && strcmp(shadow->name, b->name))
                shadow = shadow->next;
            if (shadow)
                continue;
            seen = jv_binding_add(e, seen, b->name, NULL);
            while (into && strcmp(into->name, b->name))
                into = into->next;
            if (into)
                into->value = jv_concat(e, into->value, b->value);
            else
                *bindings = jv_binding_add(e, *bindings, b->name, b->value);
        }
    }
    return at;
}

static jv *group_value(grouping *g, const group *made)
{
    jv *context = made->data;
    jv_frame *frame = g->frame;

    if (g->tuples) {
        frame = jv_frame_new(g->e, g->frame);
        context = reduce_tuples(g->e, made->data, &frame->bindings);
    }
    return jv_evaluate(g->e, g->pairs->list.items[made->pair + 1], context, frame);
}

jv *jv_evaluate_group(jv_eval *e, const jnode *pairs, jv *input, jv_frame *frame)
{
    grouping g = {.e = e, .pairs = pairs, .frame = frame, .names = jv_object(e)};
    jv *result = jv_object(e);

    g.tuples = jv_is(input, JV_ARRAY) && (input->flags & JV_TUPLES);
    if (jv_is(input, JV_ARRAY) && jv_count(e, input)) {
        for (size_t i = 0; i < jv_count(e, input); i++)
            group_item(&g, jv_item(e, input, i));
    } else if (!g.tuples) {
        group_item(&g, jv_is(input, JV_ARRAY) ? NULL : input);
    }
    for (size_t i = 0; i < g.count; i++) {
        jv *value = group_value(&g, &g.groups[i]);
        const jv_member *name = &g.names->object.members[i];

        if (value)
            jv_set(e, result, name->key, name->length, value);
    }
    return result;
}

/* ---- steps ---- */

/* Results of one step as one sequence; arrays among them melt in unless made by a constructor. */
static jv *melt(jv_eval *e, jv *results, bool last)
{
    jv *melted;

    if (last && results->array.count == 1 && jv_is(results->array.items[0], JV_ARRAY) &&
        !(results->array.items[0]->flags & JV_SEQUENCE))
        return results->array.items[0];
    melted = jv_sequence(e);
    for (size_t i = 0; i < results->array.count; i++) {
        jv *item = results->array.items[i];

        if (jv_is(item, JV_ARRAY) && !(item->flags & JV_CONS))
            jv_push_all(e, melted, item);
        else
            jv_push(e, melted, item);
    }
    return melted;
}

static jv *evaluate_step(jv_eval *e, const jnode *step, jv *input, jv_frame *frame, bool last)
{
    jv *results;

    if (step->type == JN_SORT)
        return evaluate_stages(e, step, jv_evaluate_sort(e, step, input, frame), frame);
    results = jv_sequence(e);
    for (size_t i = 0; i < jv_count(e, input); i++) {
        jv *result = jv_evaluate(e, step, jv_item(e, input, i), frame);

        if (step->has_stages)
            result = evaluate_stages(e, step, result, frame);
        if (result)
            jv_push(e, results, result);
    }
    return melt(e, results, last);
}

static jv *tuples_of(jv_eval *e, jv *input)
{
    jv *tuples = jv_sequence(e);

    tuples->flags |= JV_TUPLES;
    for (size_t i = 0; i < jv_count(e, input); i++)
        jv_push(e, tuples, jv_tuple(e, jv_item(e, input, i), NULL));
    return tuples;
}

/* The bindings of `more` over those of `base`. */
static jv_binding *join_bindings(jv_eval *e, jv_binding *base, const jv_binding *more)
{
    if (!more)
        return base;
    base = join_bindings(e, base, more->next);
    return jv_binding_add(e, base, more->name, more->value);
}

static jv *tuple_of_result(jv_eval *e, const jnode *step, const jv *tuple, jv *item, bool tuples,
                           size_t index)
{
    const jn_step *extra = step->step;
    jv_binding *bindings = tuple->tuple.bindings;
    jv *at = item;

    if (tuples)
        return jv_tuple(e, item->tuple.at, join_bindings(e, bindings, item->tuple.bindings));
    if (extra && extra->focus) {
        bindings = jv_binding_add(e, bindings, extra->focus, item);
        at = tuple->tuple.at;
    }
    if (extra && extra->index)
        bindings = jv_binding_add(e, bindings, extra->index, jv_number(e, (double)index));
    if (extra && extra->ancestor) {
        const jn_slot *slot = extra->ancestor->same ? extra->ancestor->same : extra->ancestor;

        bindings = jv_binding_add(e, bindings, slot->label, tuple->tuple.at);
    }
    return jv_tuple(e, at, bindings);
}

static jv *sort_tuples(jv_eval *e, const jnode *step, jv *input, jv *tuples, jv_frame *frame)
{
    jv *results;

    if (tuples) {
        results = jv_evaluate_sort(e, step, tuples, frame);
    } else {
        results = tuples_of(e, jv_evaluate_sort(e, step, input, frame));
        if (step->step && step->step->index)
            results = number_tuples(e, step->step->index, results);
    }
    return evaluate_stages(e, step, results, frame);
}

static jv *evaluate_tuple_step(jv_eval *e, const jnode *step, jv *input, jv *tuples, jv_frame *frame)
{
    jv *results = jv_sequence(e);

    if (step->type == JN_SORT)
        return sort_tuples(e, step, input, tuples, frame);
    results->flags |= JV_TUPLES;
    if (!tuples)
        tuples = tuples_of(e, input);
    for (size_t i = 0; i < tuples->array.count; i++) {
        jv *tuple = tuples->array.items[i];
        jv *found = jv_evaluate(e, step, tuple->tuple.at, jv_frame_of_tuple(e, frame, tuple));
        bool deeper = jv_is(found, JV_ARRAY) && (found->flags & JV_TUPLES);

        if (!found)
            continue;
        if (found->kind != JV_ARRAY)
            found = jv_sequence_of(e, found);
        for (size_t k = 0; k < jv_count(e, found); k++)
            jv_push(e, results, tuple_of_result(e, step, tuple, jv_item(e, found, k), deeper, k));
    }
    return evaluate_stages(e, step, results, frame);
}

static jv *untuple(jv_eval *e, jv *tuples)
{
    jv *items = jv_sequence(e);

    for (size_t i = 0; i < tuples->array.count; i++) {
        jv *tuple = tuples->array.items[i];

        jv_push(e, items, jv_is(tuple, JV_TUPLE) ? tuple->tuple.at : tuple);
    }
    return items;
}

/* *tuples: NULL until a step binds something. */
static jv *walk(jv_eval *e, const jnode *path, jv *input, jv_frame *frame, jv **tuples)
{
    jv *result = NULL;
    bool streaming = false;

    for (size_t i = 0; i < path->list.count; i++) {
        const jnode *step = path->list.items[i];

        streaming |= step->tuple;
        if (i == 0 && step->cons)
            result = jv_evaluate(e, step, input, frame);
        else if (streaming)
            *tuples = evaluate_tuple_step(e, step, input, *tuples, frame);
        else
            result = evaluate_step(e, step, input, frame, i + 1 == path->list.count);
        if (!streaming && (!result || (result->kind == JV_ARRAY && jv_count(e, result) == 0)))
            return result;
        if (!step->step || !step->step->focus)
            input = jv_as_array(e, result);
    }
    return result;
}

jv *jv_evaluate_path(jv_eval *e, const jnode *path, jv *input, jv_frame *frame)
{
    jv *tuples = NULL, *result;

    if (!jv_is(input, JV_ARRAY) || path->list.items[0]->type == JN_VARIABLE)
        input = input ? jv_sequence_of(e, input) : jv_sequence_of(e, NULL);
    result = walk(e, path, input, frame, &tuples);
    if (tuples)
        result = path->tuple ? tuples : untuple(e, tuples);
    if (path->keep_singleton) {
        if (jv_is(result, JV_ARRAY) && (result->flags & JV_CONS) && !(result->flags & JV_SEQUENCE))
            result = jv_sequence_of(e, result);
        if (jv_is(result, JV_ARRAY) && (result->flags & JV_SEQUENCE))
            result->flags |= JV_KEEP;
    }
    if (path->step && path->step->group)
        result = jv_evaluate_group(e, path->step->group, tuples ? tuples : result, frame);
    return result;
}
