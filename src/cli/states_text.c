/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The picture as text: the states as boxes below each other in the order of their layers, with what they lead
 * to. An arrow between two boxes leads from one to the next; any other is written out. The graphs inside of a
 * state stand in its box. */
#include "cli/states_graph.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LABEL = 70 };

typedef struct pen {
    sh_buf *buf;
    bool colours;
    char before[512]; /* the left edges of the boxes around */
} pen;

static const char *const inks[] = {
    [SH_UNSEEN] = "\x1b[2m",  [SH_RUNNING] = "\x1b[34m", [SH_SUCCEEDED] = "\x1b[32m",
    [SH_CAUGHT] = "\x1b[33m", [SH_FAILED] = "\x1b[31m",  [SH_STOPPED] = "\x1b[90m",
};
static const char *const signs[] = {
    [SH_UNSEEN] = " ", [SH_RUNNING] = "▶", [SH_SUCCEEDED] = "✔",
    [SH_CAUGHT] = "↯", [SH_FAILED] = "✘",  [SH_STOPPED] = "■",
};

static void begin(pen *p)
{
    sh_buf_puts(p->buf, p->before);
}

static void empty_line(pen *p)
{
    size_t length = strlen(p->before);
    while (length && p->before[length - 1] == ' ')
        length--;
    sh_buf_append(p->buf, p->before, length);
    sh_buf_putc(p->buf, '\n');
}

static void repeat(pen *p, const char *text, size_t count)
{
    while (count-- > 0)
        sh_buf_puts(p->buf, text);
}

static void put_cut(pen *p, const char *text, size_t most)
{
    size_t cells = 0;
    for (; *text; text++) {
        if (((unsigned char)*text & 0xC0) != 0x80 && ++cells > most) {
            sh_buf_puts(p->buf, "…");
            return;
        }
        sh_buf_putc(p->buf, (unsigned char)*text < 0x20 ? ' ' : *text);
    }
}

static const char *name_of(const sh_graph *graph, size_t state)
{
    return graph->states[state].type ? graph->states[state].name : "end";
}

static void put_edges(pen *p, const sh_graph *graph, size_t from, size_t below)
{
    bool straight = false;
    for (size_t i = 0; i < graph->edge_count; i++) {
        const sh_graph_edge *edge = &graph->edges[i];
        if (edge->from != from)
            continue;
        if (edge->to == below && !edge->label) {
            straight = true;
            continue;
        }
        begin(p);
        sh_buf_puts(p->buf, edge->kind == SH_EDGE_CATCH ? "  ┆ caught " : "  │ ");
        if (edge->label)
            put_cut(p, edge->label, MOST_LABEL);
        sh_buf_printf(p->buf, "%s──▶ %s\n", edge->label ? " " : "", name_of(graph, edge->to));
    }
    if (!straight) {
        empty_line(p);
        return;
    }
    begin(p);
    sh_buf_puts(p->buf, "  ▼\n");
}

static void put_graph(pen *p, const sh_graph *graph);

static void put_inner(pen *p, const sh_graph_state *state)
{
    size_t length = strlen(p->before);
    if (length + 8 > sizeof(p->before))
        return;
    for (size_t i = 0; i < state->inner_count; i++) {
        begin(p);
        if (strcmp(state->type, "Map"))
            sh_buf_printf(p->buf, "│ branch %zu\n", i + 1);
        else
            sh_buf_puts(p->buf, "│ for each item\n");
        memcpy(p->before + length, "│   ", sizeof("│   "));
        put_graph(p, state->inner[i]);
        p->before[length] = '\0';
    }
}

static void put_box(pen *p, const sh_graph_state *state)
{
    size_t cells = sh_text_cells(state->name) + 2 + strlen(state->type) + 3;
    const char *ink = p->colours ? inks[state->outcome] : "", *plain = p->colours ? "\x1b[0m" : "";
    begin(p);
    sh_buf_puts(p->buf, "┌");
    repeat(p, "─", cells);
    sh_buf_puts(p->buf, "┐\n");
    begin(p);
    sh_buf_printf(p->buf, "│ %s%s%s  %s  │", ink, state->name, plain, state->type);
    if (state->outcome != SH_UNSEEN)
        sh_buf_printf(p->buf, " %s%s %s%s", ink, signs[state->outcome], sh_outcome_name(state->outcome),
                      plain);
    if (state->visits > 1)
        sh_buf_printf(p->buf, " ×%d", state->visits);
    if (state->detail) {
        sh_buf_puts(p->buf, "  ");
        put_cut(p, state->detail, MOST_LABEL);
    }
    sh_buf_putc(p->buf, '\n');
    put_inner(p, state);
    begin(p);
    sh_buf_puts(p->buf, "└");
    repeat(p, "─", cells);
    sh_buf_puts(p->buf, "┘\n");
}

static const sh_graph *sorting; /* for qsort; the program draws one picture */

static int by_place(const void *a, const void *b)
{
    const sh_graph_state *x = &sorting->states[*(const size_t *)a], *y = &sorting->states[*(const size_t *)b];
    if (x->layer != y->layer)
        return x->layer - y->layer;
    return x->x < y->x ? -1 : x->x > y->x;
}

static void put_graph(pen *p, const sh_graph *graph)
{
    size_t *order = calloc(graph->count + 1, sizeof(*order));
    if (!order) {
        p->buf->failed = true;
        return;
    }
    for (size_t i = 0; i < graph->count; i++)
        order[i] = i;
    sorting = graph;
    qsort(order, graph->count, sizeof(*order), by_place);
    for (size_t i = 0; i < graph->count; i++) {
        const sh_graph_state *state = &graph->states[order[i]];
        bool point = !state->type, start = point && order[i] == graph->start;
        if (!point) {
            put_box(p, state);
        } else {
            begin(p);
            sh_buf_printf(p->buf, "● %s\n", start ? "start" : "end");
        }
        if (!point || start)
            put_edges(p, graph, order[i], i + 1 < graph->count ? order[i + 1] : graph->count);
    }
    free(order);
}

void sh_graph_text(const sh_graph *graph, bool colours, sh_buf *buf)
{
    pen p = {.buf = buf, .colours = colours};
    put_graph(&p, graph);
}
