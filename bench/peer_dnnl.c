/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peer_dnnl int8|fp32 CHANNELS INNER WIDTH HEIGHT THREADS SECONDS: oneDNN on the bare convolutions of a
 * chain: 1 -> CHANNELS, INNER times CHANNELS -> CHANNELS, CHANNELS -> 4, all 3x3 with bias, ReLU between
 * them. No pixel shuffle, no bicubic, no conversion of samples: less than what Spyhop is timed on.
 *
 * int8 is u8 activations, s8 weights, float biases and one output scale a channel. Weights are packed before
 * the clock starts, and the layouts are whichever of these run the chain fastest here: what oneDNN picks
 * itself, channels last, and blocks of 16 or 8 channels; a layer that does not take its neighbour's layout
 * gets a reorder. */
#include "peer.h"
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 64, LAYOUTS = 4 };

static const char *const layout_names[LAYOUTS] = {"any", "nhwc", "nChw16c", "nChw8c"};
static const dnnl_format_tag_t layout_tags[LAYOUTS] = {dnnl_format_tag_any, dnnl_nhwc, dnnl_nChw16c,
                                                       dnnl_nChw8c};

typedef struct step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[4];
    int count;
    char name[96];
} step;

typedef struct chain {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    step steps[2 * LAYERS];
    int count;
    int int8, width, height;
    dnnl_format_tag_t tag;
} chain;

static dnnl_memory_t new_memory(const chain *c, const dnnl_memory_desc_t *desc)
{
    dnnl_memory_t memory;
    if (dnnl_memory_create(&memory, desc, c->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success)
        peer_die("oneDNN: no memory of %zu bytes", dnnl_memory_desc_get_size(desc));
    return memory;
}

static void describe(dnnl_memory_desc_t *desc, const dnnl_dims_t dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag, int rank)
{
    if (dnnl_memory_desc_init_by_tag(desc, rank, dims, type, tag) != dnnl_success)
        peer_die("oneDNN: no such layout");
}

static void fill(dnnl_memory_t memory, const dnnl_memory_desc_t *desc, dnnl_data_type_t type, uint32_t seed)
{
    void *data;
    size_t size = dnnl_memory_desc_get_size(desc);
    dnnl_memory_get_data_handle(memory, &data);
    for (size_t i = 0; type == dnnl_f32 && i < size / sizeof(float); i++)
        ((float *)data)[i] = ((float)(peer_random(&seed) & 255) - 127.5f) * 1e-3f;
    for (size_t i = 0; type != dnnl_f32 && i < size; i++)
        ((uint8_t *)data)[i] = (uint8_t)(peer_random(&seed) % 63);
}

static void add_step(chain *c, const_dnnl_primitive_desc_t desc, const dnnl_exec_arg_t *args, int count)
{
    step *s = &c->steps[c->count++];
    const char *name = "";
    if (dnnl_primitive_create(&s->primitive, desc) != dnnl_success)
        peer_die("oneDNN: a primitive cannot be made");
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    snprintf(s->name, sizeof(s->name), "%s", name);
    memcpy(s->args, args, sizeof(*args) * (size_t)count);
    s->count = count;
}

/* The memory in the wanted layout: itself where it has that already, else the result of a reorder. */
static dnnl_memory_t reordered(chain *c, dnnl_memory_t from, const dnnl_memory_desc_t *want)
{
    const dnnl_memory_desc_t *have;
    dnnl_primitive_desc_t desc;
    dnnl_memory_get_memory_desc(from, &have);
    if (dnnl_memory_desc_equal(have, want))
        return from;
    dnnl_memory_t to = new_memory(c, want);
    if (dnnl_reorder_primitive_desc_create(&desc, have, c->engine, want, c->engine, NULL) != dnnl_success)
        peer_die("oneDNN: a layout cannot be reordered");
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    add_step(c, desc, args, 2);
    dnnl_primitive_desc_destroy(desc);
    return to;
}

/* One channel: both are the same bytes, but not to oneDNN. */
static dnnl_format_tag_t first_tag(const chain *c)
{
    return c->int8 ? dnnl_nhwc : dnnl_nchw;
}

static dnnl_primitive_attr_t attributes(const chain *c, int outputs, int last)
{
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    float scales[256];
    dnnl_primitive_attr_create(&attr);
    for (int i = 0; i < outputs; i++)
        scales[i] = 0.002f + 0.0001f * (float)(i % 7);
    if (c->int8)
        dnnl_primitive_attr_set_output_scales(attr, outputs, 2, scales);
    if (!last) {
        dnnl_post_ops_create(&ops);
        dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
        dnnl_primitive_attr_set_post_ops(attr, ops);
        dnnl_post_ops_destroy(ops);
    }
    return attr;
}

/* The convolution, with the layout of what comes in forced (`from`) or free. 0 where it does not exist. */
static int conv_desc(const chain *c, int inputs, int outputs, int last, const dnnl_memory_desc_t *from,
                     dnnl_primitive_desc_t *out)
{
    dnnl_dims_t in_dims = {1, inputs, c->height, c->width}, out_dims = {1, outputs, c->height, c->width};
    dnnl_dims_t weight_dims = {outputs, inputs, 3, 3}, bias_dims = {outputs}, ones = {1, 1};
    dnnl_memory_desc_t in_desc, weight_desc, bias_desc, out_desc;
    dnnl_convolution_desc_t conv;
    dnnl_data_type_t data = c->int8 ? dnnl_u8 : dnnl_f32;
    describe(&in_desc, in_dims, data, inputs == 1 ? first_tag(c) : dnnl_format_tag_any, 4);
    describe(&weight_desc, weight_dims, c->int8 ? dnnl_s8 : dnnl_f32, dnnl_format_tag_any, 4);
    describe(&bias_desc, bias_dims, dnnl_f32, dnnl_x, 1);
    describe(&out_desc, out_dims,
             !c->int8 ? dnnl_f32
             : last   ? dnnl_s8
                      : dnnl_u8,
             last ? dnnl_format_tag_any : c->tag, 4);
    if (dnnl_convolution_forward_desc_init(&conv, dnnl_forward_inference, dnnl_convolution_direct,
                                           from ? from : &in_desc, &weight_desc, &bias_desc, &out_desc, ones,
                                           ones, ones) != dnnl_success)
        return 0;
    dnnl_primitive_attr_t attr = attributes(c, outputs, last);
    int made = dnnl_primitive_desc_create(out, &conv, attr, c->engine, NULL) == dnnl_success;
    dnnl_primitive_attr_destroy(attr);
    return made;
}

/* Appends one convolution; *memory is what goes in, then what comes out. 0 where oneDNN has none but its
 * reference, which takes minutes a picture. */
static int add_conv(chain *c, int inputs, int outputs, int last, dnnl_memory_t *memory)
{
    const dnnl_memory_desc_t *have, *weights, *bias, *result;
    dnnl_primitive_desc_t desc;
    dnnl_memory_get_memory_desc(*memory, &have);
    if (!conv_desc(c, inputs, outputs, last, have, &desc) &&
        !conv_desc(c, inputs, outputs, last, NULL, &desc))
        return 0;
    dnnl_memory_t in = reordered(c, *memory, dnnl_primitive_desc_query_md(desc, dnnl_query_src_md, 0));
    weights = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    bias = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1);
    result = dnnl_primitive_desc_query_md(desc, dnnl_query_dst_md, 0);
    dnnl_exec_arg_t args[4] = {{DNNL_ARG_SRC, in},
                               {DNNL_ARG_WEIGHTS, new_memory(c, weights)},
                               {DNNL_ARG_BIAS, new_memory(c, bias)},
                               {DNNL_ARG_DST, new_memory(c, result)}};
    fill(args[1].memory, weights, c->int8 ? dnnl_s8 : dnnl_f32, 7);
    fill(args[2].memory, bias, dnnl_f32, 9);
    *memory = args[3].memory;
    add_step(c, desc, args, 4);
    dnnl_primitive_desc_destroy(desc);
    return strstr(c->steps[c->count - 1].name, "ref") == NULL;
}

/* 0 where oneDNN has no such chain in that layout. */
static int make_chain(chain *c, int channels, int inner)
{
    dnnl_dims_t dims = {1, 1, c->height, c->width};
    dnnl_memory_desc_t desc;
    describe(&desc, dims, c->int8 ? dnnl_u8 : dnnl_f32, first_tag(c), 4);
    dnnl_memory_t memory = new_memory(c, &desc);
    fill(memory, &desc, c->int8 ? dnnl_u8 : dnnl_f32, 1);
    int made = add_conv(c, 1, channels, 0, &memory);
    for (int i = 0; made && i < inner; i++)
        made = add_conv(c, channels, channels, 0, &memory);
    return made && add_conv(c, channels, 4, 1, &memory);
}

static int run(void *opaque)
{
    chain *c = opaque;
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < c->count && status == dnnl_success; i++)
        status =
            dnnl_primitive_execute(c->steps[i].primitive, c->stream, c->steps[i].count, c->steps[i].args);
    return status == dnnl_success && dnnl_stream_wait(c->stream) == dnnl_success ? 0 : 1;
}

static void print(const chain *c, const char *layout, const peer_timing *timing, double macs)
{
    const dnnl_version_t *version = dnnl_version();
    printf("{\"fps\": %.3f, \"spread\": %.4f, \"macs_per_pixel\": %.0f, \"layout\": \"%s\", "
           "\"version\": \"%d.%d.%d\", \"steps\": [",
           timing->fps, timing->spread, macs, layout, version->major, version->minor, version->patch);
    for (int i = 0; i < c->count; i++)
        printf("%s\"%s\"", i ? ", " : "", c->steps[i].name);
    puts("]}");
}

int main(int argc, char **argv)
{
    static chain chains[LAYOUTS];
    peer_timing timing;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int best = -1;
    double least = 0;
    if (argc != 8 || (strcmp(argv[1], "int8") != 0 && strcmp(argv[1], "fp32") != 0))
        peer_die("usage: peer_dnnl int8|fp32 CHANNELS INNER WIDTH HEIGHT THREADS SECONDS");
    int channels = peer_int(argv[2], "channels", 1, 256), inner = peer_int(argv[3], "layers", 0, LAYERS - 2);
    int threads = peer_int(argv[6], "threads", 1, 256), seconds = peer_int(argv[7], "seconds", 1, 600);
    const char *set = getenv("OMP_NUM_THREADS");
    if (!set || peer_int(set, "OMP_NUM_THREADS", 1, 256) != threads)
        peer_die("peer_dnnl: set OMP_NUM_THREADS=%d; oneDNN reads the number of threads there", threads);
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success)
        peer_die("oneDNN: no engine");
    for (int i = 0; i < LAYOUTS; i++) {
        chains[i] = (chain){engine, stream, .int8 = argv[1][0] == 'i', .tag = layout_tags[i]};
        chains[i].width = peer_int(argv[4], "width", 1, 32768);
        chains[i].height = peer_int(argv[5], "height", 1, 32768);
        double spent = make_chain(&chains[i], channels, inner) ? peer_try(run, &chains[i], 8) : -1;
        if (spent > 0 && (best < 0 || spent < least)) {
            best = i;
            least = spent;
        }
    }
    if (best < 0 || peer_time(run, &chains[best], seconds, &timing))
        peer_die("oneDNN: no layout runs this chain");
    print(&chains[best], layout_names[best], &timing, 9.0 * channels * (1 + channels * inner + 4));
    return 0;
}
