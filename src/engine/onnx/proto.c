/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading goes by tables of cases on field numbers, one function a message. The numbers are those of
 * onnx.proto; fields that are not named here (documentation, training, quantisation notes) carry nothing that
 * changes a result. */
#include "engine/onnx/proto.h"
#include <spyhop/spyhop.h>
#include <string.h>

typedef int (*read_fn)(void *message, const sh_pb_field *field, sh_err *err);

static int each(sh_pb body, read_fn fn, void *message, sh_err *err)
{
    sh_pb_field field;
    int status;
    while ((status = sh_pb_next(&body, &field, err)) > 0) {
        status = fn(message, &field, err);
        if (status < 0)
            return status;
    }
    return status;
}

static int text(sh_text *out, const sh_pb_field *field, const char *what, sh_err *err)
{
    int status = sh_pb_expect(field, SH_PB_BYTES, what, err);
    if (status == SH_OK)
        *out = sh_pb_text(field);
    return status;
}

static int number(int64_t *out, const sh_pb_field *field, const char *what, sh_err *err)
{
    int status = sh_pb_expect(field, SH_PB_VARINT, what, err);
    if (status == SH_OK)
        *out = (int64_t)field->value;
    return status;
}

/* A type code: an enum in the file, where anything out of int's range is as unknown as any other wrong value.
 */
static int code(int *out, const sh_pb_field *field, const char *what, sh_err *err)
{
    int64_t value;
    int status = number(&value, field, what, err);
    if (status == SH_OK)
        *out = value >= 0 && value < 1000 ? (int)value : 999;
    return status;
}

/* A repeated int64, packed or not: the first `room` go to values[], all are counted. */
static int ints(int64_t *values, int room, int *count, const sh_pb_field *field, const char *what,
                sh_err *err)
{
    sh_pb pb = field->body;
    int status = SH_OK;
    if (field->wire != SH_PB_BYTES) {
        int64_t value;
        status = number(&value, field, what, err);
        if (status == SH_OK && (*count)++ < room)
            values[*count - 1] = value;
        return status;
    }
    while (status == SH_OK && sh_pb_left(&pb) > 0) {
        uint64_t value;
        status = sh_pb_varint(&pb, &value, err);
        if (status == SH_OK && (*count)++ < room)
            values[*count - 1] = (int64_t)value;
    }
    return status;
}

static int packed_floats(float *values, int room, int *count, const sh_pb_field *field, sh_err *err)
{
    sh_pb pb = field->body;
    if (field->wire == SH_PB_FIXED32) {
        if ((*count)++ < room)
            values[*count - 1] = sh_pb_float(field->value);
        return SH_OK;
    }
    if (field->wire != SH_PB_BYTES || sh_pb_left(&pb) % 4 != 0)
        return sh_fail(err, SH_E_FORMAT, "not an ONNX file: a list of floats at byte %zu is damaged",
                       field->offset);
    for (; pb.at < pb.end; pb.at += 4) {
        const uint8_t *p = pb.file + pb.at;
        uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        if ((*count)++ < room)
            values[*count - 1] = sh_pb_float(bits);
    }
    return SH_OK;
}

static int tensor_field(void *message, const sh_pb_field *field, sh_err *err)
{
    sh_onnx_tensor *tensor = message;
    int64_t location = 0;
    int status = SH_OK;
    tensor->fields++;
    switch (field->number) {
    case 1:
        status = ints(tensor->dims, SH_ONNX_RANK, &tensor->rank, field, "a tensor's dimension", err);
        break;
    case 2:
        status = code(&tensor->type, field, "a tensor's type", err);
        break;
    case 5:
    case 7:
        tensor->list_bytes += field->wire == SH_PB_BYTES ? (int64_t)sh_pb_left(&field->body) : 0;
        break;
    case 8:
        status = text(&tensor->name, field, "a tensor's name", err);
        break;
    case 14:
        status = number(&location, field, "a tensor's data location", err);
        tensor->external |= location != 0;
        break;
    default:
        break;
    }
    if (status == SH_OK && tensor->rank > SH_ONNX_RANK)
        status = sh_fail(err, SH_E_LIMIT, "a tensor at byte %zu has more than %d dimensions", field->offset,
                         SH_ONNX_RANK);
    return status;
}

/* A tensor is walked each time that a node uses it: one that is full of something else than its numbers would
 * make a small file a long work. */
static int check_fields(const sh_onnx_tensor *tensor, const sh_pb_field *field, sh_err *err)
{
    enum { FIELDS = 64, VARINT = 10 };
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dims[i] < 0 || __builtin_mul_overflow(count, tensor->dims[i], &count) ||
            count > (int64_t)SPYHOP_MAX_FILE_BYTES)
            return SH_OK; /* refused where it is used */
    if (tensor->fields > count + FIELDS || tensor->list_bytes > count * VARINT)
        return sh_fail(err, SH_E_FORMAT,
                       "tensor '%s' at byte %zu holds more than the %lld numbers it tells of",
                       sh_text_show(tensor->name).text, field->offset, (long long)count);
    return SH_OK;
}

static int read_tensor(sh_onnx_tensor *tensor, const sh_pb_field *field, sh_err *err)
{
    int status = sh_pb_expect(field, SH_PB_BYTES, "a tensor", err);
    *tensor = (sh_onnx_tensor){.body = field->body};
    if (status == SH_OK)
        status = each(field->body, tensor_field, tensor, err);
    return status < 0 ? status : check_fields(tensor, field, err);
}

static int attribute_field(void *message, const sh_pb_field *field, sh_err *err)
{
    sh_onnx_attribute *a = message;
    switch (field->number) {
    case 1:
        return text(&a->name, field, "an attribute's name", err);
    case 2:
        a->f = sh_pb_float(field->value);
        return sh_pb_expect(field, SH_PB_FIXED32, "an attribute's float", err);
    case 3:
        return number(&a->i, field, "an attribute's integer", err);
    case 4:
        return text(&a->s, field, "an attribute's string", err);
    case 5:
        return read_tensor(&a->tensor, field, err);
    case 7:
        return packed_floats(a->floats, SH_ONNX_LIST, &a->count, field, err);
    case 8:
        return ints(a->ints, SH_ONNX_LIST, &a->count, field, "an attribute's integers", err);
    case 20:
        return code(&a->type, field, "an attribute's type", err);
    default:
        return SH_OK;
    }
}

static int node_field(void *message, const sh_pb_field *field, sh_err *err)
{
    sh_onnx_node *node = message;
    switch (field->number) {
    case 1:
        return text(&node->inputs[node->input_count++], field, "a node's input", err);
    case 2:
        return text(&node->outputs[node->output_count++], field, "a node's output", err);
    case 3:
        return text(&node->name, field, "a node's name", err);
    case 4:
        return text(&node->op, field, "a node's operator", err);
    case 5: {
        int status = sh_pb_expect(field, SH_PB_BYTES, "an attribute", err);
        return status < 0
                   ? status
                   : each(field->body, attribute_field, &node->attributes[node->attribute_count++], err);
    }
    case 7:
        return text(&node->domain, field, "a node's domain", err);
    default:
        return SH_OK;
    }
}

/* Room for as many items as the slice has fields of that number: their count goes to *count if not NULL. */
static int room_for(void **items, size_t size, sh_pb body, uint32_t field, int maximum, const char *what,
                    sh_arena *arena, sh_err *err)
{
    int count = sh_pb_count(body, field, maximum, what, err);
    if (count < 0)
        return count;
    *items = sh_arena_alloc(arena, (size_t)count * size);
    return *items ? SH_OK : sh_fail(err, SH_E_MEMORY, "out of memory for %d %s of the model", count, what);
}

static int read_node(sh_onnx_node *node, const sh_pb_field *field, sh_arena *arena, sh_err *err)
{
    void *inputs = NULL, *outputs = NULL, *attributes = NULL;
    int status = sh_pb_expect(field, SH_PB_BYTES, "a node", err);
    if (status == SH_OK)
        status = room_for(&inputs, sizeof(sh_text), field->body, 1, SH_ONNX_INPUTS, "inputs to one node",
                          arena, err);
    if (status == SH_OK)
        status = room_for(&outputs, sizeof(sh_text), field->body, 2, SH_ONNX_INPUTS, "outputs of one node",
                          arena, err);
    if (status == SH_OK)
        status = room_for(&attributes, sizeof(sh_onnx_attribute), field->body, 5, SH_ONNX_ATTRIBUTES,
                          "attributes of one node", arena, err);
    if (status < 0)
        return status;
    *node = (sh_onnx_node){.inputs = inputs, .outputs = outputs, .attributes = attributes};
    return each(field->body, node_field, node, err);
}

static int dimension_field(void *message, const sh_pb_field *field, sh_err *err)
{
    return field->number == 1 ? number(message, field, "a dimension", err) : SH_OK;
}

static int shape_field(void *message, const sh_pb_field *field, sh_err *err)
{
    sh_onnx_port *port = message;
    if (field->number != 1)
        return SH_OK;
    if (port->rank == SH_ONNX_RANK)
        return sh_fail(err, SH_E_LIMIT, "an input or output at byte %zu has more than %d dimensions",
                       field->offset, SH_ONNX_RANK);
    int64_t *dimension = &port->dims[port->rank++];
    *dimension = -1;
    return each(field->body, dimension_field, dimension, err);
}

static int tensor_type_field(void *message, const sh_pb_field *field, sh_err *err)
{
    sh_onnx_port *port = message;
    if (field->number == 1)
        return code(&port->type, field, "an element type", err);
    if (field->number != 2)
        return SH_OK;
    port->rank = 0;
    return each(field->body, shape_field, port, err);
}

static int type_field(void *message, const sh_pb_field *field, sh_err *err)
{
    return field->number == 1 ? each(field->body, tensor_type_field, message, err) : SH_OK;
}

static int port_field(void *message, const sh_pb_field *field, sh_err *err)
{
    sh_onnx_port *port = message;
    if (field->number == 1)
        return text(&port->name, field, "a name", err);
    return field->number == 2 ? each(field->body, type_field, port, err) : SH_OK;
}

static int read_port(sh_onnx_port *port, const sh_pb_field *field, sh_err *err)
{
    int status = sh_pb_expect(field, SH_PB_BYTES, "an input or output", err);
    *port = (sh_onnx_port){.rank = -1};
    return status < 0 ? status : each(field->body, port_field, port, err);
}

typedef struct graph_reader {
    sh_onnx *onnx;
    sh_arena *arena;
} graph_reader;

static int graph_field(void *message, const sh_pb_field *field, sh_err *err)
{
    graph_reader *reader = message;
    sh_onnx *onnx = reader->onnx;
    switch (field->number) {
    case 1:
        return read_node(&onnx->nodes[onnx->node_count++], field, reader->arena, err);
    case 2:
        return onnx->name.length ? SH_OK : text(&onnx->name, field, "the graph's name", err);
    case 5:
        return read_tensor(&onnx->tensors[onnx->tensor_count++], field, err);
    case 11:
        return read_port(&onnx->inputs[onnx->input_count++], field, err);
    case 12:
        return read_port(&onnx->outputs[onnx->output_count++], field, err);
    case 15:
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "the model has sparse initializers (byte %zu): export dense ones", field->offset);
    default:
        return SH_OK;
    }
}

static int read_graph(sh_onnx *onnx, sh_pb body, sh_arena *arena, sh_err *err)
{
    void *nodes = NULL, *tensors = NULL, *inputs = NULL, *outputs = NULL;
    int status = room_for(&nodes, sizeof(sh_onnx_node), body, 1, SPYHOP_MAX_NODES, "nodes", arena, err);
    if (status == SH_OK)
        status =
            room_for(&tensors, sizeof(sh_onnx_tensor), body, 5, SH_ONNX_TENSORS, "initializers", arena, err);
    if (status == SH_OK)
        status = room_for(&inputs, sizeof(sh_onnx_port), body, 11, SH_ONNX_TENSORS, "inputs", arena, err);
    if (status == SH_OK)
        status = room_for(&outputs, sizeof(sh_onnx_port), body, 12, 64, "outputs", arena, err);
    if (status < 0)
        return status;
    onnx->nodes = nodes;
    onnx->tensors = tensors;
    onnx->inputs = inputs;
    onnx->outputs = outputs;
    graph_reader reader = {onnx, arena};
    return each(body, graph_field, &reader, err);
}

typedef struct pair {
    sh_text key, value;
    int64_t version;
} pair;

/* Both OperatorSetId (domain, version) and StringStringEntry (key, value): field 1 is a text, field 2 tells.
 */
static int pair_field(void *message, const sh_pb_field *field, sh_err *err)
{
    pair *p = message;
    if (field->number == 1)
        return text(&p->key, field, "a key", err);
    if (field->number == 2 && field->wire == SH_PB_BYTES)
        p->value = sh_pb_text(field);
    if (field->number == 2 && field->wire == SH_PB_VARINT)
        p->version = (int64_t)field->value;
    return SH_OK;
}

typedef struct model_reader {
    sh_onnx *onnx;
    sh_pb graph;
    int graphs;
    sh_text name;
} model_reader;

static int model_field(void *message, const sh_pb_field *field, sh_err *err)
{
    model_reader *reader = message;
    pair p = {.version = 0};
    int status;
    if (field->number != 7 && field->number != 8 && field->number != 14)
        return SH_OK;
    status = sh_pb_expect(field, SH_PB_BYTES, "a part of the model", err);
    if (status < 0)
        return status;
    if (field->number == 7) {
        reader->graph = field->body;
        reader->graphs++;
        return SH_OK;
    }
    status = each(field->body, pair_field, &p, err);
    if (field->number == 8 && (p.key.length == 0 || sh_text_is(p.key, "ai.onnx")))
        reader->onnx->opset = p.version;
    if (field->number == 14 && sh_text_is(p.key, "name"))
        reader->name = p.value;
    return status;
}

int sh_onnx_read(sh_onnx *onnx, const void *data, size_t size, sh_arena *arena, sh_err *err)
{
    sh_onnx result = {.opset = 0};
    model_reader reader = {.onnx = &result};
    if (size == 0)
        return sh_fail(err, SH_E_FORMAT, "not an ONNX file: it is empty");
    if (size > SPYHOP_MAX_FILE_BYTES)
        return sh_fail(err, SH_E_LIMIT, "the model has %zu bytes, more than %zu", size,
                       SPYHOP_MAX_FILE_BYTES);
    int status = each((sh_pb){data, 0, size}, model_field, &reader, err);
    if (status < 0)
        return status;
    if (reader.graphs != 1)
        return sh_fail(err, SH_E_FORMAT,
                       "not an ONNX file, or cut short at byte %zu: it has %d graphs, not one", size,
                       reader.graphs);
    result.name = reader.name;
    status = read_graph(&result, reader.graph, arena, err);
    if (status == SH_OK)
        *onnx = result;
    return status;
}
