/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_MPD_READ_H
#define SH_STREAM_MPD_READ_H
/* An MPD (ISO 23009-1) as a tree, read by expat: no document type, so no entities of its own; depth, elements
 * and bytes are bounded. sh_mpd_schema holds the tree against a table of the MPD schema's elements,
 * attributes and types; what has another namespace is passed over, as the schema lets it stand anywhere. */
#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sh_mpd_attribute {
    const char *name, *value;
    struct sh_mpd_attribute *next;
} sh_mpd_attribute;

typedef struct sh_mpd_node {
    const char *name; /* without its namespace */
    bool foreign;     /* of another namespace */
    int64_t line;
    sh_mpd_attribute *attributes; /* without a namespace */
    const char *text;             /* all of its own, "" */
    struct sh_mpd_node *parent, *child, *last, *next;
} sh_mpd_node;

typedef struct sh_mpd {
    sh_arena *arena;
    sh_mpd_node *root;
    int64_t fault_line; /* on failure */
} sh_mpd;

/* SH_E_FORMAT: it is not well formed; out->fault_line is where. Always sh_mpd_free. */
int sh_mpd_read(sh_mpd *out, const char *text, size_t length, sh_err *err);
void sh_mpd_free(sh_mpd *mpd);

const char *sh_mpd_get(const sh_mpd_node *node, const char *name); /* NULL: it has none */
/* The first child of that name after `after` (NULL: from the start). */
const sh_mpd_node *sh_mpd_child(const sh_mpd_node *node, const char *name, const sh_mpd_node *after);

/* Calls tell for every way in which the tree is none of the schema. */
typedef void sh_mpd_tell(void *opaque, int64_t line, const char *words);
void sh_mpd_schema(const sh_mpd_node *root, sh_mpd_tell *tell, void *opaque);

/* "PT1H2M3.5S" in seconds. */
bool sh_mpd_duration(const char *text, double *seconds);
/* "30000/1001", "25". */
bool sh_mpd_ratio(const char *text, char separator, int64_t *num, int64_t *den);

#endif
