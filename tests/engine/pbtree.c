/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pbtree.h"
#include "netmodel.h"
#include <math.h>
#include <string.h>

enum { LEAF, MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR, PORT, TYPE, TENSOR_TYPE, SHAPE, DIMENSION, PAIR };

/* The messages of an ONNX file that hold others: (message, field number) -> message. */
static const struct {
    int in;
    uint32_t number;
    int kind;
} messages[] = {{MODEL, 7, GRAPH},      {MODEL, 8, PAIR},  {MODEL, 14, PAIR},      {GRAPH, 1, NODE},
                {GRAPH, 5, TENSOR},     {GRAPH, 11, PORT}, {GRAPH, 12, PORT},      {NODE, 5, ATTRIBUTE},
                {ATTRIBUTE, 5, TENSOR}, {PORT, 2, TYPE},   {TYPE, 1, TENSOR_TYPE}, {TENSOR_TYPE, 2, SHAPE},
                {SHAPE, 1, DIMENSION}};

static int kind_of(int in, uint32_t number)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        if (messages[i].in == in && messages[i].number == number)
            return messages[i].kind;
    return LEAF;
}

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static int take_varint(reader *r, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128))
            return 1;
    }
    return 0;
}

static int take_fixed(reader *r, size_t width, uint64_t *value)
{
    if ((size_t)(r->end - r->at) < width)
        return 0;
    *value = 0;
    memcpy(value, r->at, width);
    r->at += width;
    return 1;
}

static int take_field(reader *r, pb_field *f)
{
    uint64_t tag;
    if (!take_varint(r, &tag))
        return 0;
    f->number = (uint32_t)(tag >> 3);
    f->wire = (int)(tag & 7);
    if (f->wire == 0)
        return take_varint(r, &f->value);
    if (f->wire == 1 || f->wire == 5)
        return take_fixed(r, f->wire == 1 ? 8 : 4, &f->value);
    if (f->wire != 2 || !take_varint(r, &f->value) || f->value > (uint64_t)(r->end - r->at))
        return 0;
    f->at = r->at;
    f->length = (size_t)f->value;
    r->at += f->length;
    return 1;
}

static int read_message(pb_tree *tree, pb_field *message)
{
    reader r = {message->at, message->at + message->length};
    pb_field **link = &message->first;
    while (r.at < r.end) {
        pb_field *f = sh_arena_alloc(tree->arena, sizeof(*f));
        if (!f || !take_field(&r, f))
            return 0;
        f->kind = f->wire == 2 ? kind_of(message->kind, f->number) : LEAF;
        *link = f;
        link = &f->next;
        tree->count++;
        if (f->kind != LEAF && !read_message(tree, f))
            return 0;
    }
    return 1;
}

static void list_all(pb_tree *tree, pb_field *message)
{
    for (pb_field *f = message->first; f; f = f->next) {
        tree->all[tree->count++] = f;
        list_all(tree, f);
    }
}

int pb_read(pb_tree *tree, const uint8_t *data, size_t size)
{
    *tree = (pb_tree){.arena = sh_arena_new((size_t)64 << 20)};
    tree->root = (pb_field){.kind = MODEL, .at = data, .length = size};
    if (!tree->arena || !read_message(tree, &tree->root))
        return 0;
    tree->all = sh_arena_alloc(tree->arena, tree->count * sizeof(pb_field *) + 1);
    tree->count = 0;
    if (tree->all)
        list_all(tree, &tree->root);
    return tree->all != NULL;
}

void pb_free(pb_tree *tree)
{
    sh_arena_free(tree->arena);
}

/* What is being written: bytes go to `out`, or are only counted where that is NULL. */
typedef struct writer {
    const pb_change *changes;
    int count;
    sh_buf *out;
    size_t length;
} writer;

static void put(writer *w, const void *bytes, size_t length)
{
    w->length += length;
    if (w->out)
        sh_buf_append(w->out, bytes, length);
}

static void put_varint(writer *w, uint64_t value)
{
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (uint8_t)(value & 127);
        value >>= 7;
        bytes[n++] |= value ? 128 : 0;
    } while (value);
    put(w, bytes, n);
}

static const pb_change *change_of(const writer *w, const pb_field *field)
{
    for (int i = 0; i < w->count; i++)
        if (w->changes[i].field == field)
            return &w->changes[i];
    return NULL;
}

static void put_fields(writer *w, const pb_field *message);

/* The field under the number of the one that it stands for. */
static void put_field(writer *w, const pb_field *f, uint32_t number, const pb_change *change)
{
    uint64_t value = change && change->action == PB_VALUE ? change->value : f->value;
    put_varint(w, (uint64_t)number << 3 | (uint64_t)f->wire);
    if (f->wire == 0)
        put_varint(w, value);
    else if (f->wire != 2)
        put(w, &value, f->wire == 1 ? 8 : 4);
    else if (change && change->action == PB_BYTES) {
        put_varint(w, change->length);
        put(w, change->bytes, change->length);
    } else if (f->kind == LEAF) {
        put_varint(w, f->length);
        put(w, f->at, f->length);
    } else {
        writer counted = {w->changes, w->count, NULL, 0};
        put_fields(&counted, f);
        put_varint(w, counted.length);
        put_fields(w, f);
    }
}

static void put_fields(writer *w, const pb_field *message)
{
    for (const pb_field *f = message->first; f; f = f->next) {
        const pb_change *change = change_of(w, f);
        if (change && change->action == PB_REMOVE)
            continue;
        if (change && change->action == PB_INSTEAD) {
            writer plain = {NULL, 0, w->out, 0}; /* a field may stand inside itself: only as it was */
            put_field(&plain, change->other, f->number, NULL);
            w->length += plain.length;
            continue;
        }
        put_field(w, f, f->number, change);
        if (change && change->action == PB_TWICE)
            put_field(w, f, f->number, change);
    }
}

void pb_write(const pb_tree *tree, const pb_change *changes, int count, sh_buf *out)
{
    writer w = {changes, count, out, 0};
    sh_buf_clear(out);
    put_fields(&w, &tree->root);
}

static const uint64_t numbers[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   6,
                                   7,
                                   8,
                                   9,
                                   13,
                                   15,
                                   16,
                                   21,
                                   64,
                                   127,
                                   128,
                                   255,
                                   256,
                                   1024,
                                   4096,
                                   32768,
                                   65536,
                                   0x7fffffff,
                                   0x80000000,
                                   1ull << 32,
                                   1ull << 40,
                                   INT64_MAX,
                                   1ull << 63,
                                   (uint64_t)-1,
                                   (uint64_t)-2};

static uint64_t float_bits(uint32_t pick)
{
    static const float values[] = {0,     -0.0f, 1,     -1,    0.5f,   1e-45f,   1e-38f,    1e-12f, 1e-3f,
                                   255.f, 1e6f,  1e20f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN};
    uint32_t bits;
    memcpy(&bits, &values[pick % (sizeof(values) / sizeof(values[0]))], 4);
    return bits;
}

/* Words that mean something in some place of the file. */
static size_t word(uint32_t pick, uint8_t *out)
{
    static const char words[] = "Conv Relu Add Mul Sub Pad Resize DepthToSpace QuantizeLinear "
                                "DequantizeLinear Clip PRelu LeakyRelu Concat Identity Sigmoid Slice "
                                "ConvTranspose Upsample Constant cubic linear nearest half_pixel "
                                "asymmetric CRD DCR edge reflect constant axis group pads kernel_shape "
                                "strides dilations blocksize mode NoSuchOperator ";
    const char *at = words;
    for (pick %= 40; pick > 0 && strchr(at, ' '); pick--)
        at = strchr(at, ' ') + 1;
    size_t length = strcspn(at, " ");
    memcpy(out, at, length);
    return length;
}

/* Four bytes somewhere, or all of them, become one of the numbers that break things. */
static void disturb(uint8_t *bytes, size_t length, uint32_t *seed)
{
    static const uint32_t whole[] = {0,          0x7f7f7f7f, 0x80808080, 0x81818181,
                                     0x7fffffff, 0x80000000, 0xffffffff, 1};
    uint32_t pick = nm_next(seed), four = pick & 1 ? (uint32_t)float_bits(pick >> 8) : whole[(pick >> 8) % 8];
    size_t from = 0, to = length;
    if (pick & 2) {
        from = nm_next(seed) % (length / 4 + 1) * 4;
        to = from + 4 < length ? from + 4 : length;
    }
    for (size_t i = from; i < to; i++)
        bytes[i] = (uint8_t)(four >> 8 * (i % 4));
}

static void change_bytes(pb_change *c, uint32_t *seed, sh_arena *scratch)
{
    const pb_field *f = c->field;
    uint32_t how = nm_next(seed) % 8;
    size_t length = f->length, room = length + 64;
    uint8_t *bytes = sh_arena_alloc(scratch, room);
    c->bytes = bytes;
    c->length = bytes ? length : 0;
    if (!bytes)
        return;
    if (how < 2 && f->length < 64) {
        c->length = word(nm_next(seed), bytes);
        return;
    }
    memcpy(bytes, f->at, length);
    if (how == 2)
        c->length = nm_next(seed) % room;
    else if (how == 3 && length)
        bytes[nm_next(seed) % length] ^= (uint8_t)(1 << nm_next(seed) % 8);
    else
        disturb(bytes, length, seed);
}

/* Every field is as likely as any other: weights, which are most of the bytes, are few of the fields. */
static const pb_field *pick_field(const pb_tree *tree, uint32_t *seed)
{
    return tree->all[nm_next(seed) % tree->count];
}

static pb_change random_change(const pb_tree *tree, uint32_t *seed, sh_arena *scratch)
{
    pb_change c = {.field = pick_field(tree, seed)};
    uint32_t roll = nm_next(seed) % 16;
    c.action = roll < 2 ? PB_REMOVE : roll < 4 ? PB_TWICE : roll < 8 ? PB_INSTEAD : PB_VALUE;
    if (c.action == PB_VALUE && c.field->wire == 2)
        c.action = c.field->kind == LEAF ? PB_BYTES : PB_INSTEAD;
    if (c.action == PB_VALUE)
        c.value = c.field->wire == 5 ? float_bits(nm_next(seed)) : numbers[nm_next(seed) % 30];
    if (c.action == PB_BYTES)
        change_bytes(&c, seed, scratch);
    c.other = c.field;
    for (int i = 0; i < 64 && c.action == PB_INSTEAD; i++) {
        const pb_field *other = pick_field(tree, seed);
        if (other->wire == c.field->wire && other->kind == c.field->kind && other->number == c.field->number)
            c.other = other;
    }
    return c;
}

int pb_random_changes(const pb_tree *tree, pb_change *changes, uint32_t *seed, sh_arena *scratch)
{
    int count = 1 + (int)(nm_next(seed) % 4 == 0 ? nm_next(seed) % PB_CHANGES : 0);
    for (int i = 0; i < count; i++)
        changes[i] = random_change(tree, seed, scratch);
    return count;
}
