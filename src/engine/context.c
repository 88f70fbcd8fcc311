/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A context: a plan, a table of kernels, a pool of threads and, for each thread, the scratch memory of a
 * tile. All of it is allocated when the context is opened; running allocates nothing and so cannot fail on
 * memory. */
#include "engine/context.h"
#include "base/pool.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct worker {
    void *scratch;
    void **pointers; /* of a plan */
} worker;

struct spyhop_context {
    const spyhop_model *model;
    spyhop_settings settings;
    sh_plan *plan;         /* or, in 8-bit integers, */
    const sh_chain *chain; /* the model's, and NULL for plan */
    sh_ort_session *ort;   /* NULL: the engine runs the model */
    int tile_columns;
    sh_pool *pool;
    worker *workers;
    sh_dsp dsp;
};

void spyhop_settings_default(spyhop_settings *settings)
{
    *settings =
        (spyhop_settings){.size = sizeof(*settings), .threads = 0, .cpu = SPYHOP_CPU_AUTO, .band_rows = 0};
}

static int check_settings(spyhop_settings *settings, sh_err *err)
{
    int best = sh_cpu_detect();
    if (settings->size < sizeof(*settings))
        return sh_fail(err, SH_E_ARGUMENT, "settings: size is %zu; call spyhop_settings_default first",
                       settings->size);
    if (settings->threads < 0 || settings->threads > 256)
        return sh_fail(err, SH_E_ARGUMENT, "settings: %d threads; 0 to 256 are allowed", settings->threads);
    if (settings->band_rows < 0 || settings->band_rows > SPYHOP_MAX_SIDE)
        return sh_fail(err, SH_E_ARGUMENT, "settings: bands of %d rows; 0 to %d are allowed",
                       settings->band_rows, SPYHOP_MAX_SIDE);
    if (!spyhop_cpu_name(settings->cpu))
        return sh_fail(err, SH_E_ARGUMENT, "settings: there is no instruction set %d", settings->cpu);
    if (!spyhop_cpu_supported(settings->cpu))
        return sh_fail(err, SH_E_ARGUMENT, "settings: this machine has no %s; the most it has is %s",
                       spyhop_cpu_name(settings->cpu), spyhop_cpu_name(best));
    if (!spyhop_precision_name(settings->precision))
        return sh_fail(err, SH_E_ARGUMENT, "settings: there is no precision %d", settings->precision);
    if (settings->precision == SPYHOP_PRECISION_FP16 && settings->cpu == SPYHOP_CPU_AUTO &&
        best < SPYHOP_CPU_AVX512FP16)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "settings: this machine has no instructions for half floats (avx512fp16); use precision "
            "fp32, or name the cpu (%s) to have them imitated, exactly and slowly",
            spyhop_cpu_name(best));
    settings->cpu = settings->cpu == SPYHOP_CPU_AUTO ? best : settings->cpu;
    settings->size = sizeof(*settings);
    return SH_OK;
}

/* Three quarters of the cache: code, weights and the picture's own lines want some too. */
static size_t cache_bytes(void)
{
    long size = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return (size > 0 ? (size_t)size : (size_t)1 << 20) / 4 * 3;
}

static int open_worker(worker *w, const spyhop_context *context, sh_err *err)
{
    const sh_plan *plan = context->plan;
    size_t bytes = context->chain ? sh_chain_scratch(context->chain, context->tile_columns)
                                  : plan->scratch * sizeof(float);
    bytes = (bytes + 63) / 64 * 64;
    w->scratch = aligned_alloc(64, bytes);
    w->pointers = plan ? calloc(2 * plan->pointers, sizeof(*w->pointers)) : NULL;
    if (!w->scratch || (plan && !w->pointers))
        return sh_fail(err, SH_E_MEMORY, "out of memory for %zu bytes of a thread's scratch", bytes);
    memset(w->scratch, 0, bytes);
    return SH_OK;
}

static int open_workers(spyhop_context *context, sh_err *err)
{
    int status = sh_pool_new(&context->pool, context->settings.threads, err);
    if (status < 0)
        return status;
    context->settings.threads = sh_pool_threads(context->pool);
    context->workers = calloc((size_t)context->settings.threads, sizeof(*context->workers));
    if (!context->workers)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the threads");
    if (context->model->ort)
        return sh_ort_session_new(&context->ort, context->model->ort, context->settings.threads, err);
    for (int i = 0; status == SH_OK && i < context->settings.threads; i++)
        status = open_worker(&context->workers[i], context, err);
    return status;
}

/* Settles how the model is run, for rows in so many bytes of cache. */
static int open_plan(spyhop_context *context, size_t l2_bytes, sh_err *err)
{
    const sh_chain *chain = context->model->chain;
    int *precision = &context->settings.precision, status;
    if (*precision == SPYHOP_PRECISION_INT8 && !chain)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "settings: the model is not one that runs in 8-bit integers; use precision auto or fp32");
    if (*precision == SPYHOP_PRECISION_FP16 && context->model->ort)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "settings: %s runs the model, in single floats; use precision auto or fp32",
                       context->model->backend);
    if (*precision == SPYHOP_PRECISION_AUTO)
        *precision = chain ? SPYHOP_PRECISION_INT8 : SPYHOP_PRECISION_FP32;
    if (*precision == SPYHOP_PRECISION_INT8) {
        context->chain = chain;
        context->tile_columns = sh_chain_columns(chain, l2_bytes);
        return SH_OK;
    }
    if (context->model->ort)
        return SH_OK;
    status = sh_plan_new(&context->plan, context->model->graph, l2_bytes, *precision == SPYHOP_PRECISION_FP16,
                         err);
    if (status == SH_OK)
        context->tile_columns = context->plan->tile_columns;
    return status;
}

int sh_context_open(spyhop_context **out, const spyhop_model *model, const spyhop_settings *settings,
                    size_t l2_bytes, sh_err *err)
{
    spyhop_settings chosen;
    int status;
    spyhop_context *context = NULL;
    spyhop_settings_default(&chosen);
    if (settings)
        chosen = *settings;
    status = check_settings(&chosen, err);
    if (status < 0)
        return status;
    context = calloc(1, sizeof(*context));
    if (!context)
        return sh_fail(err, SH_E_MEMORY, "out of memory for a context");
    context->model = model;
    context->settings = chosen;
    sh_dsp_select(&context->dsp, chosen.cpu);
    status = open_plan(context, l2_bytes ? l2_bytes : cache_bytes(), err);
    if (status == SH_OK)
        status = open_workers(context, err);
    if (status < 0)
        spyhop_close(&context);
    else
        *out = context;
    return status;
}

int spyhop_open(spyhop_context **out, const spyhop_model *model, const spyhop_settings *settings,
                spyhop_error *error)
{
    sh_err err = {0};
    int status;
    if (!out || !model)
        status = sh_fail(&err, SH_E_ARGUMENT, "spyhop_open: NULL where a context or a model belongs");
    else
        status = sh_context_open(out, model, settings, 0, &err);
    return status < 0 ? sh_public_error(error, &err) : SPYHOP_OK;
}

void spyhop_close(spyhop_context **context)
{
    if (!context || !*context)
        return;
    spyhop_context *c = *context;
    for (int i = 0; c->workers && i < c->settings.threads; i++) {
        free(c->workers[i].scratch);
        free(c->workers[i].pointers);
    }
    free(c->workers);
    sh_ort_session_free(c->ort);
    sh_pool_free(c->pool);
    sh_plan_free(c->plan);
    free(c);
    *context = NULL;
}

int sh_settings_settle(spyhop_settings *settings, sh_err *err)
{
    return check_settings(settings, err);
}

sh_pool *sh_context_pool(const spyhop_context *context)
{
    return context->pool;
}

const sh_dsp *sh_context_dsp(const spyhop_context *context)
{
    return &context->dsp;
}

int spyhop_get_settings(const spyhop_context *context, spyhop_settings *settings)
{
    if (!context || !settings)
        return SPYHOP_E_ARGUMENT;
    *settings = context->settings;
    return SPYHOP_OK;
}

static int check_plane(const spyhop_plane *plane, const char *what, sh_err *err)
{
    ptrdiff_t bytes = plane->depth > 8 ? 2 : 1;
    if (!plane->data)
        return sh_fail(err, SH_E_ARGUMENT, "%s plane: data is NULL", what);
    if (plane->width < 1 || plane->width > SPYHOP_MAX_SIDE || plane->height < 1 ||
        plane->height > SPYHOP_MAX_SIDE)
        return sh_fail(err, SH_E_ARGUMENT, "%s plane: it is %d x %d; 1 to %d are allowed", what, plane->width,
                       plane->height, SPYHOP_MAX_SIDE);
    if (plane->depth < 8 || plane->depth > 16)
        return sh_fail(err, SH_E_ARGUMENT, "%s plane: its depth is %d; 8 to 16 are allowed", what,
                       plane->depth);
    ptrdiff_t least = plane->width * bytes, most = PTRDIFF_MAX / plane->height;
    if ((plane->height > 1 && plane->stride < least && plane->stride > -least) || plane->stride > most ||
        plane->stride < -most)
        return sh_fail(err, SH_E_ARGUMENT, "%s plane: its stride of %td bytes is less than a row, or absurd",
                       what, plane->stride);
    if (bytes == 2 && (plane->stride % 2 != 0 || (uintptr_t)plane->data % 2 != 0))
        return sh_fail(err, SH_E_ARGUMENT, "%s plane: samples of 16 bits at an odd address or stride", what);
    return SH_OK;
}

static int check_pair(const spyhop_context *context, const spyhop_plane *in, const spyhop_plane *out,
                      sh_err *err)
{
    const sh_graph *graph = context->model->graph;
    int scale = graph->tensors[graph->output].scale;
    int status = check_plane(in, "input", err);
    if (status == SH_OK)
        status = check_plane(out, "output", err);
    if (status < 0)
        return status;
    if (out->width != in->width * scale || out->height != in->height * scale)
        return sh_fail(err, SH_E_ARGUMENT, "output plane: it is %d x %d; the model makes %d x %d of %d x %d",
                       out->width, out->height, in->width * scale, in->height * scale, in->width, in->height);
    if (out->depth != in->depth)
        return sh_fail(err, SH_E_ARGUMENT, "output plane: its depth is %d; the input's is %d", out->depth,
                       in->depth);
    return SH_OK;
}

static int check_planes(const spyhop_context *context, const spyhop_plane *in, const spyhop_plane *out,
                        int count, sh_err *err)
{
    const sh_graph *graph = context->model->graph;
    int channels = graph->tensors[graph->input].channels, status = SH_OK;
    if (count != channels)
        return sh_fail(err, SH_E_ARGUMENT, "the model takes %d planes; %d were given", channels, count);
    for (int i = 0; status == SH_OK && i < count; i++) {
        status = check_pair(context, &in[i], &out[i], err);
        if (status == SH_OK && (in[i].width != in[0].width || in[i].height != in[0].height))
            status = sh_fail(err, SH_E_ARGUMENT, "input plane %d is of another size than plane 0", i);
    }
    return status;
}

/* One picture on its way through the pool. */
typedef struct job {
    sh_exec_picture picture;
    sh_chain_picture chain_picture; /* instead, where its chain is not NULL */
    const spyhop_context *context;
    int rows, columns; /* of a tile */
    int tiles_across;
} job;

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

/* Rows of a band: of all ways to cut the picture, the one whose last thread ends first, counting what each
 * band computes of its neighbours, and an eighth of a band for what other programs take from one of the
 * threads: the smaller the bands, the more of it the others make up. */
static int choose_rows(const spyhop_context *context, int height, int tiles_across)
{
    int threads = context->settings.threads, best_rows = height;
    int64_t best = INT64_MAX;
    if (context->settings.band_rows)
        return context->settings.band_rows < height ? context->settings.band_rows : height;
    for (int bands = 1; bands <= height && bands <= 4 * threads; bands++) {
        int rows = divide_up(height, bands);
        int64_t cost = (int64_t)divide_up(divide_up(height, rows) * tiles_across, threads) *
                       (rows + context->model->halo) * 8;
        cost += threads > 1 ? rows : 0;
        if (cost < best) {
            best = cost;
            best_rows = rows;
        }
    }
    return best_rows;
}

static void run_tile(void *opaque, int item, int index)
{
    const job *j = opaque;
    const spyhop_plane *in = j->picture.in;
    const worker *w = &j->context->workers[index];
    int x = item % j->tiles_across * j->columns, y = item / j->tiles_across * j->rows;
    sh_exec_tile tile = {x, x + j->columns, y, y + j->rows};
    tile.x1 = tile.x1 < in->width ? tile.x1 : in->width;
    tile.y1 = tile.y1 < in->height ? tile.y1 : in->height;
    if (j->chain_picture.chain)
        sh_chain_tile_run(&j->chain_picture, tile.x0, tile.x1, tile.y0, tile.y1, w->scratch);
    else
        sh_exec_tile_run(&j->picture, tile, w->scratch, w->pointers);
}

int spyhop_run_planes(spyhop_context *context, const spyhop_plane *in, const spyhop_plane *out, int count,
                      spyhop_error *error)
{
    sh_err err = {0};
    int status;
    if (!context || !in || !out)
        status = sh_fail(&err, SH_E_ARGUMENT, "spyhop_run: NULL where a context or a plane belongs");
    else
        status = check_planes(context, in, out, count, &err);
    if (status == SH_OK && context->ort) {
        status = sh_ort_run(context->ort, &context->dsp, in, out, &err);
        return status < 0 ? sh_public_error(error, &err) : SPYHOP_OK;
    }
    if (status < 0)
        return sh_public_error(error, &err);
    job j = {.picture = {context->plan, &context->dsp, in, out}, .context = context};
    /* equal tiles, on whole vectors, none wider than the plan's */
    j.tiles_across = divide_up(in->width, context->tile_columns);
    j.columns = divide_up(divide_up(in->width, j.tiles_across), 16) * 16;
    j.tiles_across = divide_up(in->width, j.columns);
    j.rows = choose_rows(context, in->height, j.tiles_across);
    j.chain_picture = (sh_chain_picture){context->chain, &context->dsp, in, out, j.columns};
    sh_pool_run(context->pool, run_tile, &j, j.tiles_across * divide_up(in->height, j.rows));
    return SPYHOP_OK;
}

int spyhop_run(spyhop_context *context, const spyhop_plane *in, const spyhop_plane *out, spyhop_error *error)
{
    return spyhop_run_planes(context, in, out, 1, error);
}
