/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_PBTREE_H
#define TESTS_ENGINE_PBTREE_H
/* An ONNX file as a tree of protobuf fields, to be written again with some of them changed: bytes changed at
 * random hardly ever get past the lengths of the messages around them; here those are always right. Knows
 * which fields are messages and nothing of what they mean. */
#include "base/arena.h"
#include "base/buf.h"
#include <stddef.h>
#include <stdint.h>

#define PB_CHANGES 4

typedef struct pb_field {
    uint32_t number;
    int wire;          /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    int kind;          /* which message it is, or is in; 0: a leaf */
    uint64_t value;    /* of wires 0, 1 and 5 */
    const uint8_t *at; /* of wire 2: borrowed */
    size_t length;
    struct pb_field *first, *next; /* a message's fields */
} pb_field;

typedef enum pb_action {
    PB_REMOVE,
    PB_TWICE,
    PB_VALUE,   /* the number becomes `value` */
    PB_BYTES,   /* a leaf's bytes become these */
    PB_INSTEAD, /* another field's contents stand in its place */
    PB_ACTIONS
} pb_action;

typedef struct pb_change {
    const pb_field *field;
    pb_action action;
    uint64_t value;
    const uint8_t *bytes;
    size_t length;
    const pb_field *other;
} pb_change;

typedef struct pb_tree {
    sh_arena *arena;
    pb_field root;  /* the file */
    pb_field **all; /* every field but the root */
    size_t count;
} pb_tree;

/* False when the file is no protobuf or memory is short. `data` is borrowed as long as the tree lives. */
int pb_read(pb_tree *tree, const uint8_t *data, size_t size);
void pb_free(pb_tree *tree);
/* The file with the changes made; out is cleared first. */
void pb_write(const pb_tree *tree, const pb_change *changes, int count, sh_buf *out);
/* One to PB_CHANGES changes at random. What they point to is taken from `scratch`. Their number. */
int pb_random_changes(const pb_tree *tree, pb_change *changes, uint32_t *seed, sh_arena *scratch);

#endif
