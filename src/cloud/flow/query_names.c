/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that an expression of JSONata would look up in its input. Step Functions gives an expression none, so
 * a bare name means something only where a path, a predicate, an order or a transformation provides one. */
#include "cloud/flow/jsonata_node.h"
#include "cloud/flow/query.h"
#include <stdlib.h>

typedef struct search {
    sh_query_name tell;
    void *opaque;
} search;

static void walk(const search *s, const jnode *node, bool context);

static void walk_list(const search *s, const jn_list *list, bool context)
{
    for (size_t i = 0; i < list->count; i++)
        walk(s, list->items[i], context);
}

static void walk_step(const search *s, const jn_step *step)
{
    walk_list(s, &step->predicates, true);
    walk_list(s, &step->stages, true);
    walk(s, step->group, true);
}

static void walk_path(const search *s, const jnode *path, bool context)
{
    for (size_t i = 0; i < path->list.count; i++)
        walk(s, path->list.items[i], context || i > 0);
}

static void walk(const search *s, const jnode *node, bool context)
{
    if (!node)
        return;
    switch (node->type) {
    case JN_NAME:
        if (!context)
            s->tell(s->opaque, node->text);
        break;
    case JN_PATH:
        walk_path(s, node, context);
        break;
    case JN_TRANSFORM:
    case JN_FILTER:
    case JN_TERM:
        context = true;
        /* fall through */
    default:
        walk(s, node->left, context);
        walk(s, node->right, context);
        walk(s, node->third, context);
        walk_list(s, &node->list, context || node->type == JN_SORT);
    }
    if (node->step)
        walk_step(s, node->step);
}

void sh_query_names(const sh_jsonata *jsonata, sh_query_name tell, void *opaque)
{
    search s = {.tell = tell, .opaque = opaque};

    walk(&s, jsonata->root, false);
}
