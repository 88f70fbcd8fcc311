/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shape of paths. The grammar calls one function here for each operator that makes or changes a path,
 * with operands that have their shape already.
 *
 * The parent operator is resolved here, too: each % makes a slot that travels up ("seeking") through the
 * nodes around it until the step is found that walked from the wanted object; that step then binds its input
 * under the slot's label, and all steps from there on work with tuples. */
#include "cloud/flow/jsonata_node.h"
#include <string.h>

jnode *jn_new(jp *p, jn_type type, size_t position)
{
    jnode *node = jp_alloc(p, sizeof(*node));

    node->type = type;
    node->position = position;
    node->height = 1;
    return node;
}

jn_step *jn_step_of(jp *p, jnode *node)
{
    if (!node->step)
        node->step = jp_alloc(p, sizeof(*node->step));
    return node->step;
}

static jnode *last_step(const jnode *path)
{
    return path->list.items[path->list.count - 1];
}

static jnode *new_path(jp *p, jnode *first)
{
    jnode *path = jn_new(p, JN_PATH, first->position);

    jp_append(p, &path->list, first);
    path->height = first->height;
    return path;
}

void jn_over(jp *p, jnode *into, const jnode *part)
{
    if (into->height <= part->height)
        into->height = part->height + 1;
    if (into->height > JN_HEIGHT_MAX)
        jp_stop(p, SH_E_LIMIT, "expression nested too deeply");
}

/* ---- parents ---- */

static void add_slot(jp *p, jn_slots *slots, jn_slot *slot)
{
    if (slots->count == slots->capacity) {
        size_t capacity = slots->capacity ? slots->capacity * 2 : 4;
        jn_slot **items = jp_alloc(p, capacity * sizeof(*items));

        if (slots->count)
            memcpy(items, slots->items, slots->count * sizeof(*items));
        slots->items = items;
        slots->capacity = capacity;
    }
    slots->items[slots->count++] = slot;
}

void jn_pass_seeking(jp *p, jnode *into, const jnode *part)
{
    jn_over(p, into, part);
    if (part->step)
        for (size_t i = 0; i < part->step->seeking.count; i++)
            add_slot(p, &jn_step_of(p, into)->seeking, part->step->seeking.items[i]);
    if (part->type == JN_PARENT)
        add_slot(p, &jn_step_of(p, into)->seeking, part->slot);
}

static void seek(jp *p, jnode *node, jn_slot *slot);

static void seek_path(jp *p, jnode *path, jn_slot *slot)
{
    size_t i = path->list.count;

    path->tuple = true;
    seek(p, path->list.items[--i], slot);
    while (slot->level > 0 && i > 0)
        seek(p, path->list.items[--i], slot);
}

static void seek_name(jp *p, jnode *node, jn_slot *slot)
{
    jn_step *step = jn_step_of(p, node);

    if (--slot->level)
        return;
    if (step->ancestor)
        slot->same = (jn_slot *)(step->ancestor->same ? step->ancestor->same : step->ancestor);
    step->ancestor = slot;
    node->tuple = true;
}

static void seek(jp *p, jnode *node, jn_slot *slot)
{
    switch (node->type) {
    case JN_NAME:
    case JN_WILDCARD:
        seek_name(p, node, slot);
        break;
    case JN_PARENT:
        slot->level++;
        break;
    case JN_BLOCK:
        if (node->list.count) {
            node->tuple = true;
            seek(p, last_step(node), slot);
        }
        break;
    case JN_PATH:
        seek_path(p, node, slot);
        break;
    default:
        jp_late(p, "S0217", node->position, NULL, NULL);
        slot->level = 0;
    }
}

static bool has_focus(const jnode *node)
{
    return node->step && node->step->focus;
}

static void resolve_slot(jp *p, jnode *path, jn_slot *slot)
{
    size_t index = path->list.count - 1; /* steps before it are asked */

    while (slot->level > 0) {
        jnode *node;

        if (!index) {
            add_slot(p, &jn_step_of(p, path)->seeking, slot);
            return;
        }
        node = path->list.items[--index];
        while (index > 0 && has_focus(node) && has_focus(path->list.items[index - 1]))
            node = path->list.items[--index];
        seek(p, node, slot);
    }
}

static void resolve_parents(jp *p, jnode *path)
{
    jnode *last = last_step(path);
    size_t count = last->step ? last->step->seeking.count : 0;

    for (size_t i = 0; i < count; i++)
        resolve_slot(p, path, last->step->seeking.items[i]);
    if (last->type == JN_PARENT)
        resolve_slot(p, path, last->slot);
}

/* ---- operators ---- */

jnode *jn_shape_name(jp *p, jnode *name)
{
    jnode *path = new_path(p, name);

    path->from_name = true;
    return path;
}

static void check_step(jp *p, jnode *step)
{
    if (step->type == JN_NUMBER || step->type == JN_TRUE || step->type == JN_FALSE || step->type == JN_NULL)
        jp_late(p, "S0213", step->position, NULL, step->text);
    else if (step->type == JN_STRING)
        step->type = JN_NAME;
}

static void append_steps(jp *p, jnode *path, jnode *right)
{
    if (right->type == JN_PATH) {
        for (size_t i = 0; i < right->list.count; i++)
            jp_append(p, &path->list, right->list.items[i]);
        if (right->keep_singleton)
            path->keep_singleton = true;
    } else {
        if (right->step && right->step->predicates.count) {
            right->step->stages = right->step->predicates;
            right->step->predicates = (jn_list){0};
            right->has_stages = true;
        }
        jp_append(p, &path->list, right);
    }
}

jnode *jn_shape_dot(jp *p, jnode *left, jnode *right)
{
    jnode *path = left->type == JN_PATH ? left : new_path(p, left);

    path->from_name = false;
    if (left->type == JN_PARENT)
        add_slot(p, &jn_step_of(p, path)->seeking, left->slot);
    jn_over(p, path, right);
    append_steps(p, path, right);
    for (size_t i = 0; i < path->list.count; i++) {
        check_step(p, path->list.items[i]);
        if (path->list.items[i]->keep)
            path->keep_singleton = true;
    }
    if (path->list.items[0]->type == JN_ARRAY)
        path->list.items[0]->cons = true;
    if (last_step(path)->type == JN_ARRAY)
        last_step(path)->cons = true;
    resolve_parents(p, path);
    return path;
}

jnode *jn_shape_filter(jp *p, jnode *left, jnode *predicate, size_t position)
{
    bool in_path = left->type == JN_PATH;
    jnode *node = in_path ? last_step(left) : left, *filter = jn_new(p, JN_FILTER, position);
    jn_step *step = jn_step_of(p, node);

    if (step->group)
        jp_late(p, "S0209", position, NULL, NULL);
    jn_over(p, left, predicate);
    if (predicate->step) {
        for (size_t i = 0; i < predicate->step->seeking.count; i++) {
            jn_slot *slot = predicate->step->seeking.items[i];

            if (slot->level == 1)
                seek(p, node, slot);
            else
                slot->level--;
        }
        for (size_t i = 0; i < predicate->step->seeking.count; i++)
            add_slot(p, &step->seeking, predicate->step->seeking.items[i]);
    }
    if (predicate->type == JN_PARENT)
        add_slot(p, &step->seeking, predicate->slot);
    filter->left = predicate;
    jp_append(p, in_path ? &step->stages : &step->predicates, filter);
    node->has_stages |= in_path;
    return left;
}

jnode *jn_shape_keep(jnode *left)
{
    if (left->from_name) {
        left->keep_singleton = true;
        left->list.items[0]->keep = true;
        return left;
    }
    left->keep = true;
    if (left->from_focus && left->type == JN_PATH)
        last_step(left)->keep = true;
    return left;
}

jnode *jn_shape_group(jp *p, jnode *left, jnode *pairs, size_t position)
{
    jn_step *step = jn_step_of(p, left);

    if (step->group)
        jp_late(p, "S0210", position, NULL, NULL);
    left->from_name = false;
    jn_over(p, left, pairs);
    step->group = pairs;
    return left;
}

jnode *jn_shape_order(jp *p, jnode *left, jnode *sort)
{
    jnode *path = left->type == JN_PATH ? left : new_path(p, left);

    path->from_name = false;
    jn_over(p, path, sort);
    jp_append(p, &path->list, sort);
    resolve_parents(p, path);
    return path;
}

jnode *jn_shape_focus(jp *p, jnode *left, const jnode *variable, size_t position)
{
    jnode *node = left->type == JN_PATH ? last_step(left) : left;
    jn_step *step = jn_step_of(p, node);

    if (node->has_stages || step->predicates.count)
        jp_late(p, "S0215", position, NULL, NULL);
    if (node->type == JN_SORT)
        jp_late(p, "S0216", position, NULL, NULL);
    left->from_name = false;
    left->from_focus = true;
    step->focus = variable->text;
    node->tuple = true;
    return left;
}

jnode *jn_shape_index(jp *p, jnode *left, const jnode *variable, size_t position)
{
    jnode *path = left, *node;
    jn_step *step;

    if (left->type == JN_PATH) {
        node = last_step(left);
        step = jn_step_of(p, node);
    } else {
        path = new_path(p, left);
        node = left;
        step = jn_step_of(p, node);
        if (step->predicates.count) {
            step->stages = step->predicates;
            step->predicates = (jn_list){0};
            node->has_stages = true;
        }
    }
    path->from_name = false;
    if (!node->has_stages) {
        step->index = variable->text;
    } else {
        jnode *stage = jn_new(p, JN_INDEX, position);

        stage->text = variable->text;
        jp_append(p, &step->stages, stage);
    }
    node->tuple = true;
    return path;
}
