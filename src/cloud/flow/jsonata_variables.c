/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which variables an expression takes from outside: a walk over its nodes with the names bound so far. Frames
 * end with blocks and lambdas, the bindings of @ and # with their path. */
#include "cloud/flow/jsonata_eval.h"
#include <string.h>

enum { SCOPE_MAX = 512 };

typedef struct walker {
    sh_jsonata_visit visit;
    void *opaque;
    const char *bound[SCOPE_MAX];
    size_t count;
} walker;

static void walk(walker *w, const jnode *node);

static void bind(walker *w, const char *name)
{
    if (name && w->count < SCOPE_MAX)
        w->bound[w->count++] = name;
}

static bool is_bound(const walker *w, const char *name)
{
    for (size_t i = w->count; i-- > 0;)
        if (!strcmp(w->bound[i], name))
            return true;
    return false;
}

static void tell(walker *w, const jnode *variable, const char *path)
{
    if (!is_bound(w, variable->text) && !variable->builtin)
        w->visit(w->opaque, variable->text, path, variable->position - variable->length - 1);
}

static void walk_list(walker *w, const jn_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        walk(w, list->items[i]);
}

static void walk_extras(walker *w, const jnode *node)
{
    if (!node->step)
        return;
    bind(w, node->step->focus);
    bind(w, node->step->index);
    walk_list(w, &node->step->predicates);
    walk_list(w, &node->step->stages);
    if (node->step->group)
        walk(w, node->step->group);
}

static void walk_path(walker *w, const jnode *path)
{
    const jnode *second = path->list.count > 1 ? path->list.items[1] : NULL;

    for (size_t i = 0; i < path->list.count; i++) {
        const jnode *step = path->list.items[i];

        if (i == 0 && step->type == JN_VARIABLE) {
            tell(w, step, second && second->type == JN_NAME ? second->text : NULL);
            walk_extras(w, step);
        } else {
            walk(w, step);
        }
    }
    walk_extras(w, path);
}

static void walk_lambda(walker *w, const jnode *lambda)
{
    for (size_t i = 0; i < lambda->list.count; i++)
        bind(w, lambda->list.items[i]->text);
    walk(w, lambda->left);
}

static void walk_parts(walker *w, const jnode *node)
{
    if (node->left)
        walk(w, node->left);
    if (node->right)
        walk(w, node->right);
    if (node->third)
        walk(w, node->third);
    walk_list(w, &node->list);
    walk_extras(w, node);
}

static void walk(walker *w, const jnode *node)
{
    size_t count = w->count;

    switch (node->type) {
    case JN_VARIABLE:
        tell(w, node, NULL);
        walk_extras(w, node);
        return;
    case JN_BIND:
        walk(w, node->right);
        bind(w, node->left->text);
        return;
    case JN_INDEX:
        bind(w, node->text);
        return;
    case JN_LAMBDA:
        walk_lambda(w, node);
        break;
    case JN_PATH:
        walk_path(w, node);
        break;
    default:
        walk_parts(w, node);
    }
    if (node->type == JN_BLOCK || node->type == JN_LAMBDA || node->type == JN_PATH)
        w->count = count;
}

void sh_jsonata_variables(const sh_jsonata *jsonata, sh_jsonata_visit visit, void *opaque)
{
    walker w = {.visit = visit, .opaque = opaque};

    walk(&w, jsonata->root);
}
