/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/context.h"
#include "base/file.h"
#include "engine/onnx/proto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) #number
#define DOTTED(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *spyhop_version(void)
{
    return DOTTED(SPYHOP_VERSION_MAJOR, SPYHOP_VERSION_MINOR, SPYHOP_VERSION_PATCH);
}

int spyhop_cpu_detect(void)
{
    return sh_cpu_detect();
}

int spyhop_cpu_supported(int cpu)
{
    return cpu == SPYHOP_CPU_AUTO || sh_cpu_has(cpu);
}

const char *spyhop_cpu_name(int cpu)
{
    static const char *const names[] = {[SPYHOP_CPU_C] = "c",
                                        [SPYHOP_CPU_AVX2] = "avx2",
                                        [SPYHOP_CPU_AVXVNNI] = "avxvnni",
                                        [SPYHOP_CPU_AVX512] = "avx512",
                                        [SPYHOP_CPU_AVX512VNNI] = "avx512vnni",
                                        [SPYHOP_CPU_AVX512FP16] = "avx512fp16"};
    if (cpu == SPYHOP_CPU_AUTO)
        return "auto";
    return cpu >= 0 && cpu <= SPYHOP_CPU_AVX512FP16 ? names[cpu] : NULL;
}

const char *spyhop_precision_name(int precision)
{
    static const char *const names[] = {"auto", "fp32", "int8", "fp16"};
    return precision >= 0 && precision <= SPYHOP_PRECISION_FP16 ? names[precision] : NULL;
}

int sh_public_error(spyhop_error *error, const sh_err *err)
{
    if (error) {
        error->status = err->status;
        snprintf(error->message, sizeof(error->message), "%s", err->message);
    }
    return err->status;
}

/* What the engine does not run, ONNX Runtime may, unless it would open other files for it, or repeat without
 * end. Where that is not there, the error tells what the engine lacks and how to get it; where it refuses
 * too, what both said. */
static int read_elsewhere(spyhop_model *model, const void *data, size_t size, sh_err *err)
{
    sh_err here = *err, other = {0};
    int status = sh_onnx_harmless(data, size, &other);
    if (status == SH_OK)
        status = sh_ort_model_new(&model->ort, data, size, &other);
    if (status == SH_OK)
        status = sh_graph_of_ends(&model->graph, data, size, sh_ort_channels(model->ort),
                                  sh_ort_scale(model->ort), &other);
    if (status < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%.250s. %.250s", here.message, other.message);
    snprintf(model->backend, sizeof(model->backend), "onnxruntime %s", sh_ort_version(model->ort));
    return SH_OK;
}

static int parse(spyhop_model **out, const void *data, size_t size, sh_err *err)
{
    spyhop_model *model = calloc(1, sizeof(*model));
    int status = SH_OK;
    if (!model)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model");
    snprintf(model->backend, sizeof(model->backend), "spyhop");
    status = sh_graph_read(&model->graph, data, size, err);
    if (status == SH_E_UNSUPPORTED) {
        status = read_elsewhere(model, data, size, err);
        goto done;
    }
    if (status == SH_OK)
        status = sh_plan_halo(model->graph, &model->halo, err);
    if (status == SH_OK)
        status = sh_chain_new(&model->chain, model->graph, err);
done:
    if (status < 0)
        spyhop_model_free(&model);
    else
        *out = model;
    return status;
}

int spyhop_model_parse(spyhop_model **out, const void *data, size_t size, spyhop_error *error)
{
    sh_err err = {0};
    int status;
    if (!out || (!data && size > 0))
        status = sh_fail(&err, SH_E_ARGUMENT, "spyhop_model_parse: NULL where a model or data belong");
    else
        status = parse(out, data, size, &err);
    return status < 0 ? sh_public_error(error, &err) : SPYHOP_OK;
}

int spyhop_model_load(spyhop_model **out, const char *path, spyhop_error *error)
{
    sh_err err = {0};
    sh_buf bytes;
    int status;
    sh_buf_init(&bytes, SPYHOP_MAX_FILE_BYTES);
    if (!out || !path)
        status = sh_fail(&err, SH_E_ARGUMENT, "spyhop_model_load: NULL where a model or a path belongs");
    else
        status = sh_file_read(path, &bytes, &err);
    if (status == SH_OK) {
        status = parse(out, bytes.data, bytes.length, &err);
        if (status < 0)
            sh_err_prefix(&err, "%s", path);
    }
    sh_buf_free(&bytes);
    return status < 0 ? sh_public_error(error, &err) : SPYHOP_OK;
}

void spyhop_model_free(spyhop_model **model)
{
    if (!model || !*model)
        return;
    sh_chain_free((*model)->chain);
    sh_graph_free((*model)->graph);
    sh_ort_model_free((*model)->ort);
    free(*model);
    *model = NULL;
}

int spyhop_model_describe(const spyhop_model *model, spyhop_model_info *info)
{
    if (!model || !info || info->size < sizeof(*info))
        return SPYHOP_E_ARGUMENT;
    const sh_graph *graph = model->graph;
    size_t size = info->size;
    *info = (spyhop_model_info){.size = size,
                                .name = graph->name,
                                .scale = graph->tensors[graph->output].scale,
                                .channels = graph->tensors[graph->input].channels,
                                .parameters = graph->parameters,
                                .macs_per_pixel = graph->macs,
                                .halo = model->halo,
                                .precision = model->chain ? SPYHOP_PRECISION_INT8 : SPYHOP_PRECISION_FP32,
                                .backend = model->backend};
    return SPYHOP_OK;
}
