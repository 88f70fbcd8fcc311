/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/ort/ort.h"
#include "engine/ort/library.h"
#include <stdlib.h>
#include <string.h>

enum { PROBE = 32 }; /* side of the picture that a model is tried on */

struct sh_ort_model {
    sh_ort_library library;
    void *data; /* the file */
    size_t size;
    int channels, scale;
};

struct sh_ort_session {
    const sh_ort_model *model;
    const ort_api *api;
    ort_env *env;
    ort_options *options;
    ort_session *session;
    ort_memory *memory;
    ort_allocator *allocator; /* the library's own */
    char *input, *output;     /* names, the allocator's */
    float *planes;            /* of input, then of output */
    size_t floats;
};

/* SH_OK where the library gave no status; else its words. */
static int check(const ort_api *api, ort_status *status, sh_err *err)
{
    if (!status)
        return SH_OK;
    sh_fail(err, SH_E_UNSUPPORTED, "ONNX Runtime: %s", api->get_error_message(status));
    for (char *at = err ? err->message : NULL; at && *at; at++)
        *at = *at == '\n' ? ' ' : *at;
    api->release_status(status);
    return SH_E_UNSUPPORTED;
}

static int open_session(sh_ort_session *s, int threads, sh_err *err)
{
    const ort_api *api = s->api;
    size_t inputs = 0, outputs = 0;
    int status = check(api, api->create_env(ORT_LOG_FATAL, "spyhop", &s->env), err);
    if (status == SH_OK)
        status = check(api, api->create_session_options(&s->options), err);
    if (status == SH_OK)
        status = check(api, api->set_optimisation(s->options, ORT_OPTIMISE_ALL), err);
    if (status == SH_OK)
        status = check(api, api->set_intra_op_threads(s->options, threads), err);
    if (status == SH_OK)
        status = check(api, api->set_inter_op_threads(s->options, 1), err);
    if (status == SH_OK)
        status = check(
            api,
            api->create_session_from_array(s->env, s->model->data, s->model->size, s->options, &s->session),
            err);
    if (status == SH_OK)
        status =
            check(api, api->create_cpu_memory(ORT_ALLOCATOR_DEVICE, ORT_MEMORY_DEFAULT, &s->memory), err);
    if (status == SH_OK)
        status = check(api, api->get_allocator(&s->allocator), err);
    if (status == SH_OK)
        status = check(api, api->get_input_count(s->session, &inputs), err);
    if (status == SH_OK)
        status = check(api, api->get_output_count(s->session, &outputs), err);
    if (status == SH_OK && (inputs != 1 || outputs != 1))
        status = sh_fail(err, SH_E_UNSUPPORTED,
                         "the model has %zu inputs and %zu outputs; one of each is run", inputs, outputs);
    if (status == SH_OK)
        status = check(api, api->get_input_name(s->session, 0, s->allocator, &s->input), err);
    return status < 0 ? status
                      : check(api, api->get_output_name(s->session, 0, s->allocator, &s->output), err);
}

int sh_ort_session_new(sh_ort_session **out, const sh_ort_model *model, int threads, sh_err *err)
{
    sh_ort_session *session = calloc(1, sizeof(*session));
    if (!session)
        return sh_fail(err, SH_E_MEMORY, "out of memory for a session of ONNX Runtime");
    session->model = model;
    session->api = model->library.api;
    int status = open_session(session, threads, err);
    if (status < 0)
        sh_ort_session_free(session);
    else
        *out = session;
    return status;
}

static void free_name(sh_ort_session *s, char *name)
{
    if (name)
        check(s->api, s->api->allocator_free(s->allocator, name), NULL);
}

void sh_ort_session_free(sh_ort_session *s)
{
    if (!s)
        return;
    free_name(s, s->input);
    free_name(s, s->output);
    if (s->memory)
        s->api->release_memory(s->memory);
    if (s->session)
        s->api->release_session(s->session);
    if (s->options)
        s->api->release_options(s->options);
    if (s->env)
        s->api->release_env(s->env);
    free(s->planes);
    free(s);
}

/* ---- looking at a model ---- */

/* The channels of the input: [N, C, H, W] of floats, H and W any. */
static int find_channels(sh_ort_session *s, int *channels, sh_err *err)
{
    const ort_shape *shape = NULL;
    ort_type *type = NULL;
    size_t rank = 0;
    int64_t dims[4] = {0, 0, 0, 0};
    int element = 0;
    int status = check(s->api, s->api->get_input_type(s->session, 0, &type), err);
    if (status == SH_OK)
        status = check(s->api, s->api->get_tensor_type(type, &shape), err);
    if (status == SH_OK && shape)
        status = check(s->api, s->api->get_element_type(shape, &element), err);
    if (status == SH_OK && shape)
        status = check(s->api, s->api->get_rank(shape, &rank), err);
    if (status == SH_OK && (element != ORT_FLOAT || rank != 4))
        status = sh_fail(err, SH_E_UNSUPPORTED, "the model's input is not [N, C, H, W] of float32");
    if (status == SH_OK)
        status = check(s->api, s->api->get_dims(shape, dims, 4), err);
    if (status == SH_OK && dims[1] != 1 && dims[1] != 3)
        status = sh_fail(err, SH_E_UNSUPPORTED, "the model's input has %lld channels; 1 (luma) or 3 are run",
                         (long long)dims[1]);
    if (status == SH_OK && (dims[2] > 0 || dims[3] > 0))
        status = sh_fail(
            err, SH_E_UNSUPPORTED,
            "the file fixes its input to %lld x %lld, and ONNX Runtime takes no other: export it with "
            "dynamic axes",
            (long long)dims[3], (long long)dims[2]);
    if (type)
        s->api->release_type(type);
    *channels = (int)dims[1];
    return status;
}

/* The size of what came out, against what went in. */
static int find_scale(sh_ort_session *s, const ort_value *output, int channels, int *scale, sh_err *err)
{
    ort_shape *shape = NULL;
    int64_t dims[4] = {0, 0, 0, 0};
    size_t rank = 0;
    int element = 0;
    int status = check(s->api, s->api->get_value_shape(output, &shape), err);
    if (status == SH_OK)
        status = check(s->api, s->api->get_element_type(shape, &element), err);
    if (status == SH_OK)
        status = check(s->api, s->api->get_rank(shape, &rank), err);
    if (status == SH_OK && (rank != 4 || element != ORT_FLOAT))
        status = sh_fail(err, SH_E_UNSUPPORTED, "the model's output is not [N, C, H, W] of float32");
    if (status == SH_OK)
        status = check(s->api, s->api->get_dims(shape, dims, 4), err);
    int64_t factor = dims[2] / PROBE;
    if (status == SH_OK && (dims[1] != channels || factor < 1 || factor > 8 || dims[2] != factor * PROBE ||
                            dims[3] != factor * (PROBE + 1)))
        status = sh_fail(
            err, SH_E_UNSUPPORTED,
            "the model makes %lld channels of %lld x %lld of %d channels of %d x %d; as many channels, one "
            "whole factor of 1 to 8 as large, are run",
            (long long)dims[1], (long long)dims[3], (long long)dims[2], channels, PROBE + 1, PROBE);
    if (shape)
        s->api->release_shape(shape);
    *scale = (int)factor;
    return status;
}

static int run_session(sh_ort_session *s, const ort_value *input, ort_value **output, sh_err *err)
{
    const char *inputs[] = {s->input}, *outputs[] = {s->output};
    const ort_value *given[] = {input};
    return check(s->api, s->api->run(s->session, NULL, inputs, given, 1, outputs, 1, output), err);
}

/* One run on a grey picture whose sides differ. */
static int probe(sh_ort_model *model, sh_err *err)
{
    sh_ort_session *s = NULL;
    ort_value *input = NULL, *output = NULL;
    float *picture = NULL;
    int64_t shape[4] = {1, 0, PROBE, PROBE + 1};
    int status = sh_ort_session_new(&s, model, 1, err);
    if (status == SH_OK)
        status = find_channels(s, &model->channels, err);
    if (status < 0)
        goto done;
    size_t floats = (size_t)model->channels * PROBE * (PROBE + 1);
    shape[1] = model->channels;
    picture = calloc(floats, sizeof(*picture));
    if (!picture) {
        status = sh_fail(err, SH_E_MEMORY, "out of memory for a picture to try the model on");
        goto done;
    }
    status = check(
        s->api,
        s->api->create_tensor(s->memory, picture, floats * sizeof(*picture), shape, 4, ORT_FLOAT, &input),
        err);
    if (status == SH_OK)
        status = run_session(s, input, &output, err);
    if (status == SH_OK)
        status = find_scale(s, output, model->channels, &model->scale, err);
done:
    if (input)
        s->api->release_value(input);
    if (output)
        s->api->release_value(output);
    free(picture);
    sh_ort_session_free(s);
    return status;
}

int sh_ort_model_new(sh_ort_model **out, const void *data, size_t size, sh_err *err)
{
    sh_ort_model *model = calloc(1, sizeof(*model));
    int status = SH_OK;
    if (!model)
        return sh_fail(err, SH_E_MEMORY, "out of memory for a model");
    status = sh_ort_library_load(&model->library, err);
    if (status < 0)
        goto fail;
    model->data = malloc(size + 1);
    if (!model->data) {
        status = sh_fail(err, SH_E_MEMORY, "out of memory for a model of %zu bytes", size);
        goto fail;
    }
    memcpy(model->data, data, size);
    model->size = size;
    status = probe(model, err);
    if (status < 0)
        goto fail;
    *out = model;
    return SH_OK;
fail:
    sh_ort_model_free(model);
    return status;
}

void sh_ort_model_free(sh_ort_model *model)
{
    if (!model)
        return;
    free(model->data);
    free(model);
}

int sh_ort_channels(const sh_ort_model *model)
{
    return model->channels;
}

int sh_ort_scale(const sh_ort_model *model)
{
    return model->scale;
}

const char *sh_ort_version(const sh_ort_model *model)
{
    return model->library.version;
}

/* ---- running ---- */

static int reserve(sh_ort_session *s, size_t floats, sh_err *err)
{
    if (floats <= s->floats)
        return SH_OK;
    float *planes = malloc(floats * sizeof(*planes));
    if (!planes)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %zu samples of a picture", floats);
    free(s->planes);
    s->planes = planes;
    s->floats = floats;
    return SH_OK;
}

static void load_plane(const sh_dsp *dsp, float *to, const spyhop_plane *plane)
{
    for (int y = 0; y < plane->height; y++) {
        const char *row = (const char *)plane->data + plane->stride * y;
        float *floats = to + (size_t)y * (size_t)plane->width;
        if (plane->depth == 8)
            dsp->load8(floats, row, plane->width, 255);
        else
            dsp->load16(floats, row, plane->width, (1 << plane->depth) - 1);
    }
}

static void store_plane(const sh_dsp *dsp, const float *from, const spyhop_plane *plane)
{
    for (int y = 0; y < plane->height; y++) {
        char *row = (char *)plane->data + plane->stride * y;
        const float *floats = from + (size_t)y * (size_t)plane->width;
        if (plane->depth == 8)
            dsp->store8(row, floats, plane->width, 255);
        else
            dsp->store16(row, floats, plane->width, (1 << plane->depth) - 1);
    }
}

int sh_ort_run(sh_ort_session *s, const sh_dsp *dsp, const spyhop_plane *in, const spyhop_plane *out,
               sh_err *err)
{
    size_t in_plane = (size_t)in->width * (size_t)in->height,
           out_plane = (size_t)out->width * (size_t)out->height;
    size_t channels = (size_t)s->model->channels;
    int64_t shape[4] = {1, s->model->channels, in->height, in->width};
    int64_t out_shape[4] = {1, s->model->channels, out->height, out->width};
    ort_value *input = NULL, *output = NULL;
    int status = reserve(s, channels * (in_plane + out_plane), err);
    if (status < 0)
        return status;
    float *result = s->planes + channels * in_plane;
    for (size_t c = 0; c < channels; c++)
        load_plane(dsp, s->planes + c * in_plane, &in[c]);
    status = check(s->api,
                   s->api->create_tensor(s->memory, s->planes, channels * in_plane * sizeof(float), shape, 4,
                                         ORT_FLOAT, &input),
                   err);
    if (status == SH_OK)
        status = check(s->api,
                       s->api->create_tensor(s->memory, result, channels * out_plane * sizeof(float),
                                             out_shape, 4, ORT_FLOAT, &output),
                       err);
    if (status == SH_OK)
        status = run_session(s, input, &output, err);
    for (size_t c = 0; status == SH_OK && c < channels; c++)
        store_plane(dsp, result + c * out_plane, &out[c]);
    if (input)
        s->api->release_value(input);
    if (output)
        s->api->release_value(output);
    return status;
}
