/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STATES_GRAPH_H
#define SH_CLI_STATES_GRAPH_H
/* The picture of a state machine: a graph for the definition and one for each branch of a Parallel and
 * processor of a Map, made from JSON that sh_flow_parse has accepted; what an execution's history says of
 * each state; a layout in layers; and the two pictures of it. Everything lives in one arena. Lengths are in
 * pixels, y grows downwards, the origin of a graph is its own left upper corner. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

typedef enum sh_outcome {
    SH_UNSEEN,    /* never entered */
    SH_RUNNING,   /* entered and not left, in an execution that goes on */
    SH_SUCCEEDED, /* left */
    SH_CAUGHT,    /* left because a Catch took its error */
    SH_FAILED,    /* the execution ended here */
    SH_STOPPED,   /* entered when the execution ended elsewhere */
} sh_outcome;

typedef enum sh_edge_kind { SH_EDGE_NEXT, SH_EDGE_RULE, SH_EDGE_DEFAULT, SH_EDGE_CATCH } sh_edge_kind;

enum { SH_LABEL_CELLS = 30 }; /* of an edge in the picture; the rest is in its title */

struct sh_graph;

typedef struct sh_graph_state {
    const char *name;
    const char *type;   /* NULL: the point where it starts or ends */
    const char *detail; /* the resource of a Task, the error of a Fail…; NULL: none */
    sh_outcome outcome;
    int visits;
    struct sh_graph **inner;
    size_t inner_count;
    int layer;
    double x, y, w, h; /* of its middle; of its upper edge */
} sh_graph_state;

typedef struct sh_point {
    double x, y;
} sh_point;

typedef struct sh_graph_edge {
    size_t from, to;
    sh_edge_kind kind;
    const char *label; /* NULL: none */
    bool side;         /* goes round on the right: back, or over many layers */
    int lane;          /* of those */
    sh_point *points;
    size_t point_count;
} sh_graph_edge;

typedef struct sh_graph {
    sh_graph_state *states;
    size_t count;
    sh_graph_edge *edges;
    size_t edge_count;
    size_t start;
    bool marked;       /* the outcomes are those of an execution */
    double x, y, w, h; /* in the state around it */
} sh_graph;

/* NULL when memory is short. `whole`: with the points where it starts and ends. */
sh_graph *sh_graph_make(sh_arena *arena, const json_t *machine, bool whole);
/* `events` as GetExecutionHistory lists them, `status` of the execution. */
void sh_graph_mark(sh_graph *graph, const json_t *events, const char *status);
/* Fills in all places. False when memory is short. */
bool sh_graph_layout(sh_arena *arena, sh_graph *graph);
/* Appends the picture. `title` may be NULL. */
void sh_graph_svg(const sh_graph *graph, const char *title, sh_buf *buf);
void sh_graph_text(const sh_graph *graph, bool colours, sh_buf *buf);

const char *sh_outcome_name(sh_outcome outcome);
/* How many character cells a text takes, about. */
size_t sh_text_cells(const char *text);

#endif
