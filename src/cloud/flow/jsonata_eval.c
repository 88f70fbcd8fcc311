/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The evaluation of JSONata: one function for each type of node, all through jv_evaluate, which counts depth
 * and steps, applies the predicates and the grouping of expressions outside paths, and gives sequences their
 * meaning. */
#include "cloud/flow/jsonata_eval.h"
#include <string.h>

/* ---- frames ---- */

jv_frame *jv_frame_new(jv_eval *e, jv_frame *parent)
{
    jv_frame *frame = jv_alloc(e, sizeof(*frame));

    frame->parent = parent;
    return frame;
}

jv_frame *jv_frame_of_tuple(jv_eval *e, jv_frame *parent, const jv *tuple)
{
    jv_frame *frame = jv_frame_new(e, parent);

    frame->bindings = tuple->tuple.bindings;
    return frame;
}

jv_binding *jv_binding_add(jv_eval *e, jv_binding *next, const char *name, jv *value)
{
    jv_binding *binding = jv_alloc(e, sizeof(*binding));

    *binding = (jv_binding){name, value, next};
    return binding;
}

void jv_bind(jv_eval *e, jv_frame *frame, const char *name, jv *value)
{
    frame->bindings = jv_binding_add(e, frame->bindings, name, value);
}

static const jv_binding *find_binding(jv_eval *e, const jv_frame *frame, const char *name)
{
    for (; frame; frame = frame->parent)
        for (const jv_binding *b = frame->bindings; b; b = b->next) {
            jv_work(e, 1);
            if (b->name == name || !strcmp(b->name, name))
                return b;
        }
    return NULL;
}

static jv *builtin_value(jv_eval *e, const jv_builtin *row)
{
    jv *function = jv_function_new(e, JF_BUILTIN);

    function->function->builtin = row;
    return function;
}

jv *jv_lookup(jv_eval *e, const jv_frame *frame, const jnode *variable)
{
    const jv_binding *binding = find_binding(e, frame, variable->text);

    if (binding)
        return binding->value;
    return variable->builtin ? builtin_value(e, variable->builtin) : NULL;
}

bool jv_known(jv_eval *e, const jv_frame *frame, const char *name, size_t length)
{
    const jv_binding *binding = find_binding(e, frame, name);

    return binding ? binding->value != NULL : jv_builtin_find(name, length) != NULL;
}

/* ---- leaves ---- */

static jv *evaluate_string(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    (void)input, (void)frame;
    return jv_string(e, node->text, node->length);
}

static jv *evaluate_number(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    (void)input, (void)frame;
    return jv_number(e, node->number);
}

static jv *evaluate_constant(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    (void)input, (void)frame;
    return node->type == JN_NULL ? jv_null(e) : jv_bool(e, node->type == JN_TRUE);
}

static jv *evaluate_variable(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    if (node->length)
        return node->length == 1 && node->text[0] == '$' && !find_binding(e, frame, "$")
                   ? e->input
                   : jv_lookup(e, frame, node);
    return input && (input->flags & JV_WRAPPER) ? jv_item(e, input, 0) : input;
}

static jv *evaluate_function_value(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *value = jv_function_new(e, node->type == JN_LAMBDA  ? JF_LAMBDA
                                   : node->type == JN_REGEX ? JF_REGEX
                                                            : JF_TRANSFORM);

    value->function->node = node;
    value->function->input = input;
    value->function->frame = frame;
    return value;
}

jv *jv_member_of(jv_eval *e, jv *value, const char *key, size_t length)
{
    jv *found;

    jv_work(e, 1);
    if (jv_is(value, JV_OBJECT))
        return jv_get(e, value, key, length);
    if (!jv_is(value, JV_ARRAY))
        return NULL;
    found = jv_sequence(e);
    for (size_t i = 0; i < jv_count(e, value); i++) {
        jv *item = jv_item(e, value, i), *part;

        if (++e->depth > SH_FLOW_DEPTH_MAX)
            jv_bound(e, "value nested too deeply");
        part = jv_member_of(e, item, key, length);
        e->depth--;
        if (jv_is(part, JV_ARRAY))
            jv_push_all(e, found, part);
        else if (part)
            jv_push(e, found, part);
    }
    return found;
}

static jv *evaluate_name(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    (void)frame;
    return jv_member_of(e, input, node->text, node->length);
}

/* ---- wildcards ---- */

static void flatten(jv_eval *e, jv *into, jv *value, int depth)
{
    jv_work(e, 1);
    if (depth > SH_FLOW_DEPTH_MAX)
        jv_bound(e, "value nested too deeply");
    if (!jv_is(value, JV_ARRAY)) {
        jv_push(e, into, value);
        return;
    }
    for (size_t i = 0; i < jv_count(e, value); i++)
        flatten(e, into, jv_item(e, value, i), depth + 1);
}

static void add_wild(jv_eval *e, jv *results, jv *value)
{
    if (jv_is(value, JV_ARRAY)) {
        results->flags &= (unsigned char)~JV_SEQUENCE;
        flatten(e, results, value, 0);
    } else {
        jv_push(e, results, value);
    }
}

static jv *evaluate_wildcard(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *results = jv_sequence(e);

    (void)node, (void)frame;
    if (input && (input->flags & JV_WRAPPER) && jv_count(e, input))
        input = jv_item(e, input, 0);
    if (jv_is(input, JV_ARRAY)) {
        for (size_t i = 0; i < jv_count(e, input); i++)
            add_wild(e, results, jv_item(e, input, i));
    } else if (jv_is(input, JV_OBJECT)) {
        jv_members(e, input);
        for (size_t i = 0; i < input->object.count; i++)
            add_wild(e, results, input->object.members[i].value);
    }
    return results;
}

static void descend(jv_eval *e, jv *value, jv *results, int depth)
{
    jv_work(e, 1);
    if (depth > SH_FLOW_DEPTH_MAX)
        jv_bound(e, "value nested too deeply");
    if (!jv_is(value, JV_ARRAY))
        jv_push(e, results, value);
    if (jv_is(value, JV_ARRAY)) {
        for (size_t i = 0; i < jv_count(e, value); i++)
            descend(e, jv_item(e, value, i), results, depth + 1);
    } else if (jv_is(value, JV_OBJECT)) {
        jv_members(e, value);
        for (size_t i = 0; i < value->object.count; i++)
            descend(e, value->object.members[i].value, results, depth + 1);
    }
}

static jv *evaluate_descendants(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *results = jv_sequence(e);

    (void)node, (void)frame;
    if (input)
        descend(e, input, results, 0);
    return results->array.count == 1 ? results->array.items[0] : results;
}

static jv *evaluate_parent(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    const jn_slot *slot = node->slot->same ? node->slot->same : node->slot;
    const jv_binding *binding = find_binding(e, frame, slot->label);

    (void)input;
    return binding ? binding->value : NULL;
}

/* ---- constructors ---- */

static jv *evaluate_array(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *array = jv_array(e);

    for (size_t i = 0; i < node->list.count; i++) {
        const jnode *item = node->list.items[i];
        jv *value = jv_evaluate(e, item, input, frame);

        if (jv_is(value, JV_ARRAY) && item->type != JN_ARRAY)
            jv_push_all(e, array, value);
        else if (value)
            jv_push(e, array, value);
    }
    if (node->cons)
        array->flags |= JV_CONS;
    return array;
}

static jv *evaluate_object(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    return jv_evaluate_group(e, node, input, frame);
}

/* ---- control ---- */

static jv *evaluate_condition(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    if (jv_truth(e, jv_evaluate(e, node->left, input, frame)))
        return jv_evaluate(e, node->right, input, frame);
    return node->third ? jv_evaluate(e, node->third, input, frame) : NULL;
}

static jv *evaluate_coalesce(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *left = jv_evaluate(e, node->left, input, frame);

    if (node->type == JN_COALESCE ? left != NULL : jv_truth(e, left))
        return left;
    return jv_evaluate(e, node->right, input, frame);
}

static jv *evaluate_block(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv_frame *inner = jv_frame_new(e, frame);
    jv *result = NULL;

    for (size_t i = 0; i < node->list.count; i++)
        result = jv_evaluate(e, node->list.items[i], input, inner);
    return result;
}

static jv *evaluate_bind(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *value = jv_evaluate(e, node->right, input, frame);

    jv_bind(e, frame, node->left->text, value);
    return value;
}

static jv *evaluate_sort_alone(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    return jv_evaluate_sort(e, node, input, frame);
}

typedef jv *evaluator(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);

static evaluator *const evaluators[JN_TYPES] = {
    [JN_NAME] = evaluate_name,
    [JN_STRING] = evaluate_string,
    [JN_NUMBER] = evaluate_number,
    [JN_TRUE] = evaluate_constant,
    [JN_FALSE] = evaluate_constant,
    [JN_NULL] = evaluate_constant,
    [JN_VARIABLE] = evaluate_variable,
    [JN_WILDCARD] = evaluate_wildcard,
    [JN_DESCENDANT] = evaluate_descendants,
    [JN_PARENT] = evaluate_parent,
    [JN_PATH] = jv_evaluate_path,
    [JN_BINARY] = jv_evaluate_binary,
    [JN_NEGATE] = jv_evaluate_negate,
    [JN_ARRAY] = evaluate_array,
    [JN_OBJECT] = evaluate_object,
    [JN_CALL] = jv_evaluate_call,
    [JN_PARTIAL] = jv_evaluate_partial,
    [JN_LAMBDA] = evaluate_function_value,
    [JN_CONDITION] = evaluate_condition,
    [JN_COALESCE] = evaluate_coalesce,
    [JN_ELVIS] = evaluate_coalesce,
    [JN_BLOCK] = evaluate_block,
    [JN_BIND] = evaluate_bind,
    [JN_APPLY] = jv_evaluate_apply,
    [JN_TRANSFORM] = evaluate_function_value,
    [JN_REGEX] = evaluate_function_value,
    [JN_SORT] = evaluate_sort_alone,
};

/* What a sequence stands for. */
static jv *collapse(jv *result, bool keep)
{
    if (!jv_is(result, JV_ARRAY) || !(result->flags & JV_SEQUENCE) || (result->flags & JV_TUPLES))
        return result;
    if (keep)
        result->flags |= JV_KEEP;
    if (result->array.count == 0)
        return NULL;
    return result->array.count == 1 && !(result->flags & JV_KEEP) ? result->array.items[0] : result;
}

jv *jv_evaluate(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    evaluator *run = evaluators[node->type];
    jv *result;

    jv_work(e, 1);
    if (++e->depth > SH_JSONATA_DEPTH_MAX)
        jv_bound(e,
                 "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as "
                 "tail-recursive.");
    result = run ? run(e, node, input, frame) : NULL;
    if (node->step) {
        for (size_t i = 0; i < node->step->predicates.count; i++)
            result = jv_evaluate_filter(e, node->step->predicates.items[i]->left, result, frame);
        if (node->type != JN_PATH && node->step->group)
            result = jv_evaluate_group(e, node->step->group, result, frame);
    }
    e->depth--;
    return collapse(result, node->keep);
}

/* ---- the way in ---- */

static void bind_names(jv_eval *e)
{
    const char *name;
    json_t *value;

    if (e->env && e->env->bindings)
        json_object_foreach((json_t *)e->env->bindings, name, value)
            jv_bind(e, &e->root, name, jv_from_json(e, value));
}

static void run(jv_eval *e, const json_t *input, json_t **out)
{
    jv *result;

    bind_names(e);
    e->input = jv_from_json(e, input);
    if (jv_is(e->input, JV_ARRAY)) {
        jv *wrapper = jv_sequence_of(e, e->input);

        wrapper->flags |= JV_WRAPPER;
        result = jv_evaluate(e, e->jsonata->root, wrapper, &e->root);
    } else {
        result = jv_evaluate(e, e->jsonata->root, e->input, &e->root);
    }
    *out = result ? jv_to_json(e, result) : NULL;
}

int sh_jsonata_eval(const sh_jsonata *jsonata, const json_t *input, const sh_jsonata_env *env, json_t **out,
                    sh_jsonata_error *error)
{
    jv_eval e = {.jsonata = jsonata, .env = env, .error = error, .status = SH_E_MEMORY};

    e.arena = sh_arena_new(SH_JSONATA_MEMORY_MAX);
    e.parsed = json_array();
    e.most = env && env->steps ? env->steps : SH_JSONATA_STEPS_MAX;
    if (e.arena && e.parsed) {
        e.status = 0;
        if (!setjmp(e.failed))
            run(&e, input, out);
    }
    sh_arena_free(e.arena);
    json_decref(e.parsed);
    return e.status;
}
