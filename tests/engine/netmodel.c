/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "netmodel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t nm_next(uint32_t *state)
{
    uint32_t x = *state ? *state : 1;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

float nm_uniform(uint32_t *state, float low, float high)
{
    return low + (high - low) * (float)(nm_next(state) >> 8) / 16777216.0f;
}

void nm_free(nm_model *model)
{
    for (int i = 0; i < model->tensor_count; i++)
        free(model->tensors[i].data);
    model->tensor_count = 0;
}

nm_node *nm_add(nm_model *model, const char *op, const char *out, const char *in0, const char *in1,
                const char *in2)
{
    const char *inputs[] = {in0, in1, in2};
    nm_node *node = &model->nodes[model->node_count++];
    memset(node, 0, sizeof(*node));
    node->op = op;
    snprintf(node->out, sizeof(node->out), "%s", out);
    for (int i = 0; i < 3 && inputs[i]; i++)
        snprintf(node->in[node->in_count++], sizeof(node->in[0]), "%s", inputs[i]);
    return node;
}

static nm_attribute *attribute(nm_node *node, const char *name, int kind)
{
    nm_attribute *a = &node->attributes[node->attribute_count++];
    memset(a, 0, sizeof(*a));
    a->name = name;
    a->kind = kind;
    return a;
}

void nm_int(nm_node *node, const char *name, int64_t value)
{
    attribute(node, name, 2)->i = value;
}

void nm_float(nm_node *node, const char *name, float value)
{
    attribute(node, name, 1)->f = value;
}

void nm_string(nm_node *node, const char *name, const char *value)
{
    attribute(node, name, 3)->s = value;
}

void nm_ints(nm_node *node, const char *name, int count, const int64_t *values)
{
    nm_attribute *a = attribute(node, name, 7);
    a->count = count;
    memcpy(a->ints, values, (size_t)count * sizeof(*values));
}

nm_tensor *nm_constant(nm_model *model, const char *name, int rank, const int64_t *dims, const float *data)
{
    nm_tensor *tensor = &model->tensors[model->tensor_count++];
    memset(tensor, 0, sizeof(*tensor));
    snprintf(tensor->name, sizeof(tensor->name), "%s", name);
    tensor->rank = rank;
    tensor->count = 1;
    for (int i = 0; i < rank; i++) {
        tensor->dims[i] = dims[i];
        tensor->count *= (int)dims[i];
    }
    tensor->data = malloc((size_t)tensor->count * sizeof(float) + 1);
    memcpy(tensor->data, data, (size_t)tensor->count * sizeof(float));
    return tensor;
}

nm_tensor *nm_whole(nm_model *model, const char *name, nm_form form, int count, const int64_t *values)
{
    float data[64];
    const int64_t dims[1] = {count};
    for (int i = 0; i < count; i++)
        data[i] = (float)values[i];
    nm_tensor *tensor = nm_constant(model, name, 1, dims, data);
    tensor->form = form;
    return tensor;
}

static void put_varint(sh_buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        sh_buf_putc(out, (char)(value | 0x80));
    sh_buf_putc(out, (char)value);
}

static void put_int(sh_buf *out, int field, int64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, (uint64_t)value);
}

static void put_bytes(sh_buf *out, int field, const void *data, size_t length)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, length);
    sh_buf_append(out, data, length);
}

static void put_text(sh_buf *out, int field, const char *text)
{
    put_bytes(out, field, text, strlen(text));
}

static void put_message(sh_buf *out, int field, sh_buf *message)
{
    put_bytes(out, field, sh_buf_cstr(message), message->length);
    sh_buf_free(message);
}

static void put_float(sh_buf *out, int field, float value)
{
    put_varint(out, (uint64_t)field << 3 | 5);
    sh_buf_append(out, &value, sizeof(value)); /* the tests run on little-endian machines */
}

/* For values that a normal half holds exactly, and zero. */
static uint16_t to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    unsigned sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff, mantissa = bits >> 13 & 0x3ff;
    return (uint16_t)(exponent < 113 ? sign : sign | (exponent - 112) << 10 | mantissa);
}

/* raw_data of integers, little-endian. */
static void put_whole(sh_buf *out, const nm_tensor *tensor, int width)
{
    sh_buf raw;
    sh_buf_init(&raw, 1 << 24);
    for (int i = 0; i < tensor->count; i++) {
        int64_t value = (int64_t)tensor->data[i];
        sh_buf_append(&raw, &value, (size_t)width);
    }
    put_message(out, 9, &raw);
}

static void put_tensor(sh_buf *out, int field, const nm_tensor *tensor)
{
    static const int types[] = {1, 1, 1, 10, 2, 3, 6, 7}, widths[] = {4, 4, 4, 2, 1, 1, 4, 8};
    sh_buf body;
    size_t bytes = (size_t)tensor->count * sizeof(float);
    sh_buf_init(&body, 1 << 24);
    for (int i = 0; i < tensor->rank; i++)
        put_int(&body, 1, tensor->dims[i]);
    put_int(&body, 2, types[tensor->form]);
    if (tensor->form == NM_LIST)
        put_bytes(&body, 4, tensor->data, bytes);
    for (int i = 0; tensor->form == NM_SINGLES && i < tensor->count; i++)
        put_float(&body, 4, tensor->data[i]);
    put_text(&body, 8, tensor->name);
    if (tensor->form == NM_RAW)
        put_bytes(&body, 9, tensor->data, bytes);
    if (tensor->form >= NM_UINT8)
        put_whole(&body, tensor, widths[tensor->form]);
    if (tensor->form == NM_HALF) {
        uint16_t *halves = malloc(bytes + 1);
        for (int i = 0; i < tensor->count; i++)
            halves[i] = to_half(tensor->data[i]);
        put_bytes(&body, 9, halves, (size_t)tensor->count * 2);
        free(halves);
    }
    put_message(out, field, &body);
}

static void put_attribute(sh_buf *out, const nm_attribute *a)
{
    sh_buf body;
    sh_buf_init(&body, 1 << 16);
    put_text(&body, 1, a->name);
    if (a->kind == 1)
        put_float(&body, 2, a->f);
    if (a->kind == 2)
        put_int(&body, 3, a->i);
    if (a->kind == 3)
        put_text(&body, 4, a->s);
    for (int i = 0; a->kind == 7 && i < a->count; i++)
        put_int(&body, 8, a->ints[i]);
    put_int(&body, 20, a->kind);
    put_message(out, 5, &body);
}

static void put_node(sh_buf *out, const nm_node *node)
{
    sh_buf body;
    sh_buf_init(&body, 1 << 16);
    for (int i = 0; i < node->in_count; i++)
        put_text(&body, 1, node->in[i]);
    put_text(&body, 2, node->out);
    put_text(&body, 3, node->out);
    put_text(&body, 4, node->op);
    for (int i = 0; i < node->attribute_count; i++)
        put_attribute(&body, &node->attributes[i]);
    put_message(out, 1, &body);
}

/* ValueInfoProto: [N, channels, H, W] with names for all but the channels. */
static void put_port(sh_buf *out, int field, const char *name, int channels, int side)
{
    static const char *const names[] = {"N", "C", "H", "W"};
    sh_buf port, type, tensor, shape, dim;
    sh_buf_init(&port, 4096);
    sh_buf_init(&type, 4096);
    sh_buf_init(&tensor, 4096);
    sh_buf_init(&shape, 4096);
    for (int i = 0; i < 4; i++) {
        sh_buf_init(&dim, 4096);
        if (i == 1 && channels > 0)
            put_int(&dim, 1, channels);
        else if (side > 0)
            put_int(&dim, 1, i < 2 ? 1 : side);
        else
            put_text(&dim, 2, names[i]);
        put_message(&shape, 1, &dim);
    }
    put_text(&port, 1, name);
    put_int(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_message(&port, 2, &type);
    put_message(out, field, &port);
}

void nm_write(const nm_model *model, sh_buf *out)
{
    sh_buf graph, opset;
    sh_buf_init(&graph, 1 << 24);
    sh_buf_init(&opset, 64);
    for (int i = 0; i < model->node_count; i++)
        put_node(&graph, &model->nodes[i]);
    put_text(&graph, 2, "test");
    for (int i = 0; i < model->tensor_count; i++)
        put_tensor(&graph, 5, &model->tensors[i]);
    put_port(&graph, 11, model->input, model->input_channels, model->fixed_side);
    for (int i = 0; model->inputs_list_weights && i < model->tensor_count; i++)
        put_port(&graph, 11, model->tensors[i].name, 1, 0);
    put_port(&graph, 12, model->output, model->output_channels, 0);
    put_int(out, 1, 8);
    put_message(out, 7, &graph);
    put_text(&opset, 1, "");
    put_int(&opset, 2, model->opset);
    put_message(out, 8, &opset);
}
