/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peer_ort LIBRARY MODEL CHANNELS SCALE WIDTH HEIGHT THREADS SECONDS: ONNX Runtime on a whole network, floats
 * in, floats out.
 *
 * The library is loaded at run time and its headers are not needed: the table of functions that it answers
 * has fixed places, of which those below are used. Inputs and outputs are made once, outside the clock; all
 * graph optimisations are on. */
#include "peer.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { ORT_VERSION = 12 };

/* Places in the table. */
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_GRAPH_OPTIMIZATION_LEVEL = 23,
    SET_INTRA_OP_THREADS = 24,
    INPUT_NAME = 36,
    OUTPUT_NAME = 37,
    CREATE_TENSOR_WITH_DATA = 49,
    CREATE_CPU_MEMORY_INFO = 69,
    DEFAULT_ALLOCATOR = 78
};

typedef struct ort_base {
    const void *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} ort_base;

typedef struct ort {
    const void *const *api;
    void *session, *input, *output;
    char *input_name, *output_name;
} ort;

static void check(const ort *o, void *status, const char *what)
{
    const char *(*message)(const void *) = (const char *(*)(const void *))o->api[GET_ERROR_MESSAGE];
    if (status)
        peer_die("ONNX Runtime: %s: %s", what, message(status));
}

static void *new_session(const ort *o, const char *model, int threads)
{
    void *env, *options, *session;
    void *(*create_env)(int, const char *, void **) =
        (void *(*)(int, const char *, void **))o->api[CREATE_ENV];
    void *(*create_options)(void **) = (void *(*)(void **))o->api[CREATE_SESSION_OPTIONS];
    void *(*set)(void *, int) = (void *(*)(void *, int))o->api[SET_INTRA_OP_THREADS];
    void *(*set_level)(void *, int) = (void *(*)(void *, int))o->api[SET_GRAPH_OPTIMIZATION_LEVEL];
    void *(*create)(void *, const char *, void *, void **) =
        (void *(*)(void *, const char *, void *, void **))o->api[CREATE_SESSION];
    check(o, create_env(3, "peer", &env), "environment");
    check(o, create_options(&options), "options");
    check(o, set(options, threads), "threads");
    check(o, set_level(options, 99), "optimisation level");
    check(o, create(env, model, options, &session), model);
    return session;
}

static void *new_tensor(const ort *o, void *memory, int channels, int width, int height, int fill)
{
    int64_t dims[4] = {1, channels, height, width};
    size_t count = (size_t)channels * (size_t)width * (size_t)height;
    float *data = malloc(count * sizeof(float));
    uint32_t seed = 1;
    void *value;
    void *(*create)(void *, void *, size_t, const int64_t *, size_t, int, void **) =
        (void *(*)(void *, void *, size_t, const int64_t *, size_t, int,
                   void **))o->api[CREATE_TENSOR_WITH_DATA];
    if (!data)
        peer_die("out of memory");
    for (size_t i = 0; i < count; i++)
        data[i] = fill ? (float)(peer_random(&seed) & 255) / 255 : 0;
    check(o, create(memory, data, count * sizeof(float), dims, 4, 1, &value), "tensor");
    return value;
}

static void find_names(ort *o)
{
    void *allocator;
    void *(*get_allocator)(void **) = (void *(*)(void **))o->api[DEFAULT_ALLOCATOR];
    void *(*input)(void *, size_t, void *, char **) =
        (void *(*)(void *, size_t, void *, char **))o->api[INPUT_NAME];
    void *(*output)(void *, size_t, void *, char **) =
        (void *(*)(void *, size_t, void *, char **))o->api[OUTPUT_NAME];
    check(o, get_allocator(&allocator), "allocator");
    check(o, input(o->session, 0, allocator, &o->input_name), "input");
    check(o, output(o->session, 0, allocator, &o->output_name), "output");
}

static int run(void *opaque)
{
    ort *o = opaque;
    const char *in_names[1] = {o->input_name}, *out_names[1] = {o->output_name};
    void *(*fn)(void *, void *, const char *const *, void *const *, size_t, const char *const *, size_t,
                void **) = (void *(*)(void *, void *, const char *const *, void *const *, size_t,
                                      const char *const *, size_t, void **))o->api[RUN];
    check(o, fn(o->session, NULL, in_names, &o->input, 1, out_names, 1, &o->output), "run");
    return 0;
}

int main(int argc, char **argv)
{
    ort o = {.api = NULL};
    peer_timing timing;
    void *memory;
    if (argc != 9)
        peer_die("usage: peer_ort LIBRARY MODEL CHANNELS SCALE WIDTH HEIGHT THREADS SECONDS");
    int channels = peer_int(argv[3], "channels", 1, 256), scale = peer_int(argv[4], "scale", 1, 8);
    int width = peer_int(argv[5], "width", 1, 32768), height = peer_int(argv[6], "height", 1, 32768);
    int threads = peer_int(argv[7], "threads", 1, 256);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    ort_base *(*get_base)(void) = library ? (ort_base * (*)(void)) dlsym(library, "OrtGetApiBase") : NULL;
    if (!get_base || !(o.api = get_base()->get_api(ORT_VERSION)))
        peer_die("%s: this is no ONNX Runtime that can be used: %s", argv[1], library ? "old?" : dlerror());
    void *(*cpu_memory)(int, int, void **) = (void *(*)(int, int, void **))o.api[CREATE_CPU_MEMORY_INFO];
    check(&o, cpu_memory(1, 0, &memory), "memory");
    o.session = new_session(&o, argv[2], threads);
    find_names(&o);
    o.input = new_tensor(&o, memory, 1, width, height, 1);
    o.output = new_tensor(&o, memory, channels, width * scale, height * scale, 0);
    peer_time(run, &o, peer_int(argv[8], "seconds", 1, 600), &timing);
    printf("{\"fps\": %.3f, \"spread\": %.4f, \"version\": \"%s\"}\n", timing.fps, timing.spread,
           get_base()->get_version());
    return 0;
}
