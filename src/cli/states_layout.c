/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where everything stands. States go into layers so that edges lead downwards (those that cannot, and those
 * over many layers, go round on the right, each in a lane); an edge over several layers has a bend in each;
 * within a layer the order that makes few crossings is found by going to and fro, each taking the middle of
 * its neighbours. A state with graphs inside is as large as they need. */
#include "cli/states_graph.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEPS = 12, LONG_EDGE = 12, NO_STATE = -1 };

static const double gap_x = 28, gap_y = 54, bend_w = 18, state_h = 44, header_h = 34, pad = 16, lane_w = 16;

typedef struct node {
    long state; /* or a bend of an edge */
    size_t edge;
    int layer;
    double x, w, want, weight;
} node;

typedef struct link {
    size_t up, down;
} link;

typedef struct plan {
    sh_graph *graph;
    node *nodes;
    size_t count;
    link *links; /* in order of the layer they come from */
    size_t link_count;
    size_t *link_at; /* where those of a layer begin */
    size_t **layers, *sizes;
    double *tops, *heights;
    size_t layer_count;
} plan;

/* ---- layers ---- */

/* Depth first without recursion (a chain may be long): marks edges that lead back, and gives the reverse
 * order of leaving. Work for each state and edge once. */
static size_t walk_order(const sh_graph *graph, const size_t *first, const size_t *next, char *seen,
                         size_t *order, size_t *stack, size_t *at)
{
    size_t depth = 0, done = 0;
    for (size_t root = 0; root <= graph->count; root++) {
        size_t start = root ? root - 1 : graph->start;
        if (start >= graph->count || seen[start])
            continue;
        seen[start] = 1;
        at[start] = first[start];
        stack[depth++] = start;
        while (depth) {
            size_t state = stack[depth - 1], edge = at[state];
            if (edge == graph->edge_count) {
                seen[state] = 2;
                order[done++] = state;
                depth--;
                continue;
            }
            at[state] = next[edge];
            size_t to = graph->edges[edge].to;
            if (seen[to] == 1)
                graph->edges[edge].side = true;
            if (seen[to])
                continue;
            seen[to] = 1;
            at[to] = first[to];
            stack[depth++] = to;
        }
    }
    return done;
}

static bool find_layers(sh_arena *arena, sh_graph *graph)
{
    size_t n = graph->count;
    size_t *first = sh_arena_alloc(arena, (n + 1) * sizeof(*first)),
           *at = sh_arena_alloc(arena, (n + 1) * sizeof(*at));
    size_t *next = sh_arena_alloc(arena, (graph->edge_count + 1) * sizeof(*next));
    size_t *order = sh_arena_alloc(arena, (n + 1) * sizeof(*order));
    size_t *stack = sh_arena_alloc(arena, (n + 1) * sizeof(*stack));
    char *seen = sh_arena_alloc(arena, n + 1);
    if (!first || !at || !next || !order || !stack || !seen)
        return false;
    for (size_t i = 0; i < n; i++)
        first[i] = graph->edge_count;
    for (size_t e = graph->edge_count; e-- > 0;) {
        next[e] = first[graph->edges[e].from];
        first[graph->edges[e].from] = e;
    }
    size_t done = walk_order(graph, first, next, seen, order, stack, at);
    for (size_t i = done; i-- > 0;)
        for (size_t e = first[order[i]]; e < graph->edge_count; e = next[e]) {
            sh_graph_state *to = &graph->states[graph->edges[e].to];
            if (!graph->edges[e].side && to->layer <= graph->states[order[i]].layer)
                to->layer = graph->states[order[i]].layer + 1;
        }
    for (size_t e = 0; e < graph->edge_count; e++) {
        sh_graph_edge *edge = &graph->edges[e];
        int span = graph->states[edge->to].layer - graph->states[edge->from].layer;
        edge->side = edge->side || span < 1 || span > LONG_EDGE;
    }
    return true;
}

/* ---- sizes ---- */

static bool size_state(sh_arena *arena, sh_graph_state *state)
{
    size_t cells = state->name ? sh_text_cells(state->name) : 0,
           under = state->type ? strlen(state->type) : 0;
    if (!state->type) {
        state->w = state->h = 22;
        return true;
    }
    if (state->detail && sh_text_cells(state->detail) + under + 3 < 46)
        under += sh_text_cells(state->detail) + 3;
    else if (state->detail)
        under = 46;
    state->w =
        8.2 * (double)cells > 6.6 * (double)under ? 8.2 * (double)cells + 26 : 6.6 * (double)under + 26;
    if (state->w < 110)
        state->w = 110;
    state->h = state_h;
    double x = pad, most = 0;
    for (size_t i = 0; i < state->inner_count; i++) {
        sh_graph *inner = state->inner[i];
        if (!sh_graph_layout(arena, inner))
            return false;
        inner->x = x;
        inner->y = header_h + pad / 2;
        x += inner->w + pad;
        most = inner->h > most ? inner->h : most;
    }
    if (state->inner_count) {
        state->h = header_h + most + 1.5 * pad;
        state->w = x > state->w ? x : state->w;
    }
    return true;
}

/* ---- nodes ---- */

static size_t bends(const sh_graph *graph, const sh_graph_edge *edge)
{
    return edge->side ? 0 : (size_t)(graph->states[edge->to].layer - graph->states[edge->from].layer - 1);
}

static bool sort_links(sh_arena *arena, plan *p)
{
    link *sorted = sh_arena_alloc(arena, (p->link_count + 1) * sizeof(*sorted));
    size_t *at = sh_arena_alloc(arena, (p->layer_count + 2) * sizeof(*at));
    if (!sorted || !at)
        return false;
    for (size_t i = 0; i < p->link_count; i++)
        at[p->nodes[p->links[i].up].layer + 1]++;
    for (size_t l = 0; l < p->layer_count; l++)
        at[l + 1] += at[l];
    for (size_t i = 0; i < p->link_count; i++)
        sorted[at[p->nodes[p->links[i].up].layer]++] = p->links[i];
    memmove(at + 1, at, p->layer_count * sizeof(*at)); /* each now stands where its next begins */
    at[0] = 0;
    p->links = sorted;
    p->link_at = at;
    return true;
}

static bool fill_layers(sh_arena *arena, plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        p->sizes[p->nodes[i].layer]++;
    for (size_t l = 0; l < p->layer_count; l++) {
        p->layers[l] = sh_arena_alloc(arena, (p->sizes[l] + 1) * sizeof(size_t));
        if (!p->layers[l])
            return false;
        p->sizes[l] = 0;
    }
    for (size_t i = 0; i < p->count; i++)
        p->layers[p->nodes[i].layer][p->sizes[p->nodes[i].layer]++] = i;
    return sort_links(arena, p);
}

/* A label stands above what its edge leads to first. */
static void make_room(plan *p, size_t at, const char *label)
{
    size_t cells = label ? sh_text_cells(label) : 0;
    double w = 6.2 * (double)(cells > SH_LABEL_CELLS ? SH_LABEL_CELLS : cells);
    if (w > p->nodes[at].w)
        p->nodes[at].w = w;
}

static bool make_nodes(sh_arena *arena, plan *p)
{
    sh_graph *graph = p->graph;
    size_t count = graph->count, links = 0;
    for (size_t i = 0; i < graph->count; i++)
        if ((size_t)graph->states[i].layer + 1 > p->layer_count)
            p->layer_count = (size_t)graph->states[i].layer + 1;
    for (size_t e = 0; e < graph->edge_count; e++) {
        count += bends(graph, &graph->edges[e]);
        links += bends(graph, &graph->edges[e]) + 1;
    }
    p->nodes = sh_arena_alloc(arena, (count + 1) * sizeof(*p->nodes));
    p->links = sh_arena_alloc(arena, (links + 1) * sizeof(*p->links));
    p->layers = sh_arena_alloc(arena, (p->layer_count + 1) * sizeof(*p->layers));
    p->sizes = sh_arena_alloc(arena, (p->layer_count + 1) * sizeof(*p->sizes));
    p->tops = sh_arena_alloc(arena, (p->layer_count + 1) * sizeof(*p->tops));
    p->heights = sh_arena_alloc(arena, (p->layer_count + 1) * sizeof(*p->heights));
    if (!p->nodes || !p->links || !p->layers || !p->sizes || !p->tops || !p->heights)
        return false;
    for (size_t i = 0; i < graph->count; i++)
        p->nodes[p->count++] =
            (node){.state = (long)i, .layer = graph->states[i].layer, .w = graph->states[i].w};
    for (size_t e = 0; e < graph->edge_count; e++) {
        const sh_graph_edge *edge = &graph->edges[e];
        size_t before = edge->from;
        for (size_t k = 0; k < bends(graph, edge); k++) {
            int layer = graph->states[edge->from].layer + 1 + (int)k;
            p->links[p->link_count++] = (link){before, p->count};
            before = p->count;
            p->nodes[p->count++] = (node){.state = NO_STATE, .edge = e, .layer = layer, .w = bend_w};
        }
        if (!edge->side)
            make_room(p, bends(graph, edge) ? p->count - bends(graph, edge) : edge->to, edge->label);
        if (!edge->side)
            p->links[p->link_count++] = (link){before, edge->to};
    }
    return fill_layers(arena, p);
}

/* ---- across ---- */

static void pack(plan *p, size_t layer)
{
    double x = 0;
    for (size_t i = 0; i < p->sizes[layer]; i++) {
        node *n = &p->nodes[p->layers[layer][i]];
        n->x = x + n->w / 2;
        x += n->w + gap_x;
    }
}

/* Where each node of a layer would like to be for its neighbours above (or below). */
static void wish(plan *p, size_t layer, bool above)
{
    size_t from = above ? layer - 1 : layer; /* no links come from before the first */
    for (size_t i = 0; i < p->sizes[layer]; i++)
        p->nodes[p->layers[layer][i]].want = p->nodes[p->layers[layer][i]].weight = 0;
    for (size_t i = above && !layer ? 0 : p->link_at[from]; i < (above && !layer ? 0 : p->link_at[from + 1]);
         i++) {
        node *up = &p->nodes[p->links[i].up], *down = &p->nodes[p->links[i].down];
        node *who = above ? down : up;
        who->want += (above ? up : down)->x;
        who->weight++;
    }
    for (size_t i = 0; i < p->sizes[layer]; i++) {
        node *n = &p->nodes[p->layers[layer][i]];
        n->want = n->weight > 0 ? n->want / n->weight : n->x;
    }
}

static const plan *sorting; /* for qsort; the program draws one picture */

static int by_wish(const void *a, const void *b)
{
    double x = sorting->nodes[*(const size_t *)a].want, y = sorting->nodes[*(const size_t *)b].want;
    return x < y ? -1 : x > y;
}

/* As near to the wishes as the order and the widths allow. */
static void place(plan *p, size_t layer)
{
    size_t count = p->sizes[layer];
    double shift = 0;
    for (size_t i = 0; i < count; i++) {
        node *n = &p->nodes[p->layers[layer][i]];
        n->x = n->want;
        if (i) {
            const node *left = &p->nodes[p->layers[layer][i - 1]];
            double least = left->x + (left->w + n->w) / 2 + gap_x;
            n->x = n->x < least ? least : n->x;
        }
        shift += n->x - n->want;
    }
    shift = count ? shift / (double)count : 0;
    for (size_t i = 0; i < count; i++)
        p->nodes[p->layers[layer][i]].x -= shift;
}

static void sweep(plan *p, bool down, bool reorder)
{
    for (size_t k = 0; k < p->layer_count; k++) {
        size_t layer = down ? k : p->layer_count - 1 - k;
        wish(p, layer, down);
        sorting = p;
        if (reorder)
            qsort(p->layers[layer], p->sizes[layer], sizeof(size_t), by_wish);
        place(p, layer);
    }
}

/* ---- down ---- */

static void settle_rows(plan *p, bool lanes)
{
    sh_graph *graph = p->graph;
    double y = lanes ? gap_y / 2 : 0;
    for (size_t i = 0; i < graph->count; i++)
        if (graph->states[i].h > p->heights[graph->states[i].layer])
            p->heights[graph->states[i].layer] = graph->states[i].h;
    for (size_t l = 0; l < p->layer_count; l++) {
        p->tops[l] = y;
        y += p->heights[l] + gap_y;
    }
    graph->h = y - gap_y + (lanes ? gap_y / 2 : 0);
    for (size_t i = 0; i < graph->count; i++) {
        sh_graph_state *state = &graph->states[i];
        state->x = p->nodes[i].x;
        state->y = p->tops[state->layer] + (p->heights[state->layer] - state->h) / 2;
    }
}

static double move_right(plan *p)
{
    double left = 0, right = 0;
    for (size_t i = 0; i < p->count; i++) {
        const node *n = &p->nodes[i];
        left = !i || n->x - n->w / 2 < left ? n->x - n->w / 2 : left;
    }
    for (size_t i = 0; i < p->count; i++) {
        p->nodes[i].x -= left;
        right = p->nodes[i].x + p->nodes[i].w / 2 > right ? p->nodes[i].x + p->nodes[i].w / 2 : right;
    }
    return right;
}

/* Edges on the right: the first lane that is free over the layers it passes. */
static int give_lanes(sh_graph *graph)
{
    int most = 0;
    for (size_t e = 0; e < graph->edge_count; e++) {
        sh_graph_edge *edge = &graph->edges[e];
        int a = graph->states[edge->from].layer, b = graph->states[edge->to].layer;
        bool taken = edge->side;
        for (edge->lane = 0; taken; edge->lane += taken) {
            taken = false;
            for (size_t k = 0; k < e && !taken; k++) {
                const sh_graph_edge *other = &graph->edges[k];
                int c = graph->states[other->from].layer, d = graph->states[other->to].layer;
                taken = other->side && other->lane == edge->lane && (a < b ? a : b) <= (c > d ? c : d) &&
                        (c < d ? c : d) <= (a > b ? a : b);
            }
        }
        if (edge->side && edge->lane >= most)
            most = edge->lane + 1;
    }
    return most;
}

/* Down into the gap below, along it, up or down at x, along the gap above the other. */
static void route_aside(const plan *p, sh_graph_edge *edge, double x)
{
    const sh_graph_state *from = &p->graph->states[edge->from], *to = &p->graph->states[edge->to];
    double out = from->x + from->w * 0.3, in = to->x + to->w * 0.3, step = 4 * (edge->lane % 4);
    double below = p->tops[from->layer] + p->heights[from->layer] + gap_y * 0.2 + step;
    double above = p->tops[to->layer] - gap_y * 0.2 - step;
    const sh_point way[] = {
        {out, from->y + from->h}, {out, below}, {x, below}, {x, above}, {in, above}, {in, to->y}};
    edge->point_count = sizeof(way) / sizeof(*way);
    memcpy(edge->points, way, sizeof(way));
}

static bool route(sh_arena *arena, plan *p, double right)
{
    sh_graph *graph = p->graph;
    size_t bend = graph->count;
    for (size_t e = 0; e < graph->edge_count; e++) {
        sh_graph_edge *edge = &graph->edges[e];
        const sh_graph_state *from = &graph->states[edge->from], *to = &graph->states[edge->to];
        size_t count = bends(graph, edge);
        edge->points = sh_arena_alloc(arena, (2 * count + 6) * sizeof(*edge->points));
        if (!edge->points)
            return false;
        if (edge->side) {
            route_aside(p, edge, right + lane_w * (edge->lane + 1));
            continue;
        }
        edge->points[edge->point_count++] = (sh_point){from->x, from->y + from->h};
        for (size_t k = 0; k < count; k++, bend++) {
            int layer = p->nodes[bend].layer;
            edge->points[edge->point_count++] = (sh_point){p->nodes[bend].x, p->tops[layer]};
            edge->points[edge->point_count++] =
                (sh_point){p->nodes[bend].x, p->tops[layer] + p->heights[layer]};
        }
        edge->points[edge->point_count++] = (sh_point){to->x, to->y};
    }
    return true;
}

bool sh_graph_layout(sh_arena *arena, sh_graph *graph)
{
    plan p = {.graph = graph};
    double right;
    int lanes;
    for (size_t i = 0; i < graph->count; i++)
        if (!size_state(arena, &graph->states[i]))
            return false;
    if (!find_layers(arena, graph) || !make_nodes(arena, &p))
        return false;
    for (size_t l = 0; l < p.layer_count; l++)
        pack(&p, l);
    for (int i = 0; i < SWEEPS; i++)
        sweep(&p, i % 2 == 0, i < SWEEPS / 2);
    right = move_right(&p);
    lanes = give_lanes(graph);
    settle_rows(&p, lanes > 0);
    graph->w = right + (lanes ? lane_w * (lanes + 1) : 0);
    return route(arena, &p, right);
}
