/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The picture as SVG: one file that shows alike in any viewer, with no script and no font of its own. */
#include "cli/states_graph.h"

#include <string.h>

enum { DETAIL_CELLS = 44, MARGIN = 20, TITLE = 30 };

static const struct paint {
    const char *fill, *line;
} paints[] = {
    [SH_UNSEEN] = {"#ffffff", "#8a94a6"},    [SH_RUNNING] = {"#dbeafe", "#1d4ed8"},
    [SH_SUCCEEDED] = {"#dcfce7", "#15803d"}, [SH_CAUGHT] = {"#fef3c7", "#b45309"},
    [SH_FAILED] = {"#fee2e2", "#b91c1c"},    [SH_STOPPED] = {"#e5e7eb", "#6b7280"},
};

/* At most `cells` characters of the text, escaped. */
static void put_text(sh_buf *buf, const char *text, size_t cells)
{
    bool cut = sh_text_cells(text) > cells;
    for (size_t left = cut ? cells - 1 : cells; *text; text++) {
        if (((unsigned char)*text & 0xC0) != 0x80 && left-- == 0)
            break;
        if ((unsigned char)*text < 0x20)
            sh_buf_putc(buf, ' ');
        else if (*text == '<')
            sh_buf_puts(buf, "&lt;");
        else if (*text == '>')
            sh_buf_puts(buf, "&gt;");
        else if (*text == '&')
            sh_buf_puts(buf, "&amp;");
        else if (*text == '"')
            sh_buf_puts(buf, "&quot;");
        else
            sh_buf_putc(buf, *text);
    }
    if (cut)
        sh_buf_puts(buf, "…");
}

static void put_edge(const sh_graph_edge *edge, sh_buf *buf)
{
    const sh_point *p = edge->points;
    double x = edge->side ? (p[1].x + p[2].x) / 2 : 0.2 * p[0].x + 0.8 * p[1].x;
    double y = edge->side ? p[1].y : p[1].y - 18;
    sh_buf_printf(buf, "<path class=\"%s\" d=\"M%.1f %.1f",
                  edge->kind == SH_EDGE_CATCH ? "edge catch" : "edge", p[0].x, p[0].y);
    for (size_t i = 1; i < edge->point_count; i++) {
        double middle = (p[i - 1].y + p[i].y) / 2;
        if (edge->side || (i % 2 == 0 && i + 1 < edge->point_count))
            sh_buf_printf(buf, " L%.1f %.1f", p[i].x, p[i].y);
        else
            sh_buf_printf(buf, " C%.1f %.1f %.1f %.1f %.1f %.1f", p[i - 1].x, middle, p[i].x, middle, p[i].x,
                          p[i].y);
    }
    sh_buf_puts(buf, "\" marker-end=\"url(#arrow)\"/>\n");
    if (!edge->label)
        return;
    sh_buf_printf(buf, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\">", x, y + 4);
    put_text(buf, edge->label, SH_LABEL_CELLS);
    sh_buf_puts(buf, "<title>");
    put_text(buf, edge->label, (size_t)-1);
    sh_buf_puts(buf, "</title></text>\n");
}

static void put_graph(const sh_graph *graph, sh_buf *buf);

static void put_point(const sh_graph *graph, const sh_graph_state *state, sh_buf *buf)
{
    bool first = state == &graph->states[graph->count - 2];
    sh_buf_printf(buf,
                  "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"11\" fill=\"%s\" stroke=\"%s\"/>"
                  "<text class=\"point\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                  state->x, state->y + 11, paints[state->outcome].fill, paints[state->outcome].line,
                  state->x + 17, state->y + 15, first ? "start" : "end");
}

static void put_under(const sh_graph_state *state, sh_buf *buf)
{
    const char *outcome = sh_outcome_name(state->outcome);
    put_text(buf, state->type, DETAIL_CELLS);
    if (state->detail) {
        sh_buf_puts(buf, " · ");
        put_text(buf, state->detail, DETAIL_CELLS - sh_text_cells(state->type) - 3);
    }
    sh_buf_puts(buf, "<title>");
    put_text(buf, state->name, (size_t)-1);
    if (state->detail) {
        sh_buf_puts(buf, " · ");
        put_text(buf, state->detail, (size_t)-1);
    }
    sh_buf_printf(buf, "%s%s", *outcome ? " · " : "", outcome);
    sh_buf_puts(buf, "</title>");
}

static void put_state(const sh_graph *graph, const sh_graph_state *state, sh_buf *buf)
{
    const struct paint *paint = &paints[state->outcome];
    if (!state->type) {
        put_point(graph, state, buf);
        return;
    }
    sh_buf_printf(
        buf,
        "<g class=\"%s\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%s\" fill=\"%s\" "
        "stroke=\"%s\"%s/>\n",
        *sh_outcome_name(state->outcome) ? sh_outcome_name(state->outcome) : "unseen",
        state->x - state->w / 2, state->y, state->w, state->h, strcmp(state->type, "Choice") ? "6" : "20",
        paint->fill, paint->line,
        graph->marked && state->outcome == SH_UNSEEN ? " stroke-dasharray=\"5 3\"" : "");
    sh_buf_printf(buf, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", state->x, state->y + 18);
    put_text(buf, state->name, 80);
    if (state->visits > 1)
        sh_buf_printf(buf, " ×%d", state->visits);
    sh_buf_printf(buf, "</text><text class=\"under\" x=\"%.1f\" y=\"%.1f\">", state->x, state->y + 34);
    put_under(state, buf);
    sh_buf_puts(buf, "</text>\n");
    for (size_t i = 0; i < state->inner_count; i++) {
        const sh_graph *inner = state->inner[i];
        sh_buf_printf(buf, "<g transform=\"translate(%.1f %.1f)\">\n", state->x - state->w / 2 + inner->x,
                      state->y + inner->y);
        put_graph(inner, buf);
        sh_buf_puts(buf, "</g>\n");
    }
    sh_buf_puts(buf, "</g>\n");
}

static void put_graph(const sh_graph *graph, sh_buf *buf)
{
    for (size_t i = 0; i < graph->count; i++)
        put_state(graph, &graph->states[i], buf);
    for (size_t i = 0; i < graph->edge_count; i++)
        put_edge(&graph->edges[i], buf);
}

void sh_graph_svg(const sh_graph *graph, const char *title, sh_buf *buf)
{
    double top = title ? TITLE : 0, width = graph->w + 60, height = graph->h + 2 * MARGIN + top;
    double needs = title ? 8.8 * (double)sh_text_cells(title) : 0;
    width = (width > needs ? width : needs) + 2 * MARGIN;
    sh_buf_printf(buf,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 "
                  "%.0f %.0f\">\n",
                  width, height, width, height);
    sh_buf_puts(
        buf, "<style>text{font-family:system-ui,sans-serif;fill:#111827}.name{font-size:13px;font-weight:600;"
             "text-anchor:middle}.under{font-size:11px;fill:#4b5563;text-anchor:middle}.label{font-size:11px;"
             "fill:#374151;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}.point{font-"
             "size:11px}"
             ".title{font-size:15px;font-weight:600}.edge{fill:none;stroke:#6b7280;stroke-width:1.4}"
             ".catch{stroke:#b45309;stroke-dasharray:4 3}rect{stroke-width:1.5}</style>\n"
             "<defs><marker id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
             "markerHeight=\"7\" orient=\"auto-start-reverse\"><path d=\"M0 0L10 5L0 10z\" "
             "fill=\"#6b7280\"/></marker>"
             "</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    if (title) {
        sh_buf_printf(buf, "<text class=\"title\" x=\"%d\" y=\"%d\">", MARGIN, MARGIN + 6);
        put_text(buf, title, 200);
        sh_buf_puts(buf, "</text>\n");
    }
    sh_buf_printf(buf, "<g transform=\"translate(%d %.0f)\">\n", MARGIN, MARGIN + top);
    put_graph(graph, buf);
    sh_buf_puts(buf, "</g>\n</svg>\n");
}
