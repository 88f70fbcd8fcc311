/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resize and Upsample by a whole factor, as one table of taps. Where the output sample x * factor + phase
 * falls in the input is x plus a constant of the phase for every coordinate mode that is run here, so that
 * the weights repeat; a coordinate outside the picture takes the border's sample, which the executor does by
 * clamping. align_corners has other weights for each picture size and is refused. */
#include "engine/onnx/build.h"
#include <math.h>

typedef enum place { HALF_PIXEL, ASYMMETRIC, HALF_PIXEL_NEAREST } place;
typedef enum rounding { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL } rounding;
typedef enum shape { NEAREST, LINEAR, CUBIC } shape;

typedef struct resampling {
    place place;
    rounding rounding;
    shape shape;
    double a; /* of the cubic */
} resampling;

static double coordinate(place where, int factor, int phase)
{
    switch (where) {
    case ASYMMETRIC:
        return (double)phase / factor;
    case HALF_PIXEL_NEAREST:
        return (phase + 0.5) / factor;
    default:
        return (phase + 0.5) / factor - 0.5;
    }
}

static int nearest(rounding how, double at)
{
    switch (how) {
    case PREFER_FLOOR:
        return (int)ceil(at - 0.5);
    case PREFER_CEIL:
        return (int)floor(at + 0.5);
    case FLOOR:
        return (int)floor(at);
    default:
        return (int)ceil(at);
    }
}

static double cubic(double a, double d)
{
    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static double weight(const resampling *how, double at, int sample)
{
    if (how->shape == NEAREST)
        return nearest(how->rounding, at) == sample;
    double d = fabs(at - sample);
    if (how->shape == LINEAR)
        return d < 1 ? 1 - d : 0;
    return cubic(how->a, d);
}

/* The samples of every phase lie within -2..3; the window is cut to those that some phase uses, and to the
 * one in the middle, without which a window could lie wholly outside a picture of one column. */
static void make_taps(sh_graph_resize *resize, const resampling *how, int factor)
{
    int first = 0, last = 0;
    for (int phase = 0; phase < factor; phase++)
        for (int sample = -2; sample <= 3; sample++)
            if (weight(how, coordinate(how->place, factor, phase), sample) != 0) {
                first = sample < first ? sample : first;
                last = sample > last ? sample : last;
            }
    *resize = (sh_graph_resize){.factor = factor, .first = first, .count = last - first + 1};
    for (int phase = 0; phase < factor; phase++)
        for (int k = 0; k < resize->count; k++)
            resize->taps[phase][k] = (float)weight(how, coordinate(how->place, factor, phase), first + k);
}

static int pick(const sh_draft *draft, const char *attribute, const char *otherwise, const char *const *names,
                int *choice, sh_err *err)
{
    sh_text text = sh_draft_string(draft, attribute, otherwise);
    for (int i = 0; names[i]; i++)
        if (sh_text_is(text, names[i])) {
            *choice = i;
            return SH_OK;
        }
    return sh_fail(err, SH_E_UNSUPPORTED, "%s: %s '%s' is not run here", draft->label, attribute,
                   sh_text_show(text).text);
}

/* The one factor of [1, 1, f, f]. */
static int whole_factor(const sh_draft *draft, const float *scales, int64_t count, int *factor, sh_err *err)
{
    if (count != 4 || scales[0] != 1 || scales[1] != 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: scales must be [1, 1, f, f]", draft->label);
    if (scales[2] != scales[3] || !(scales[2] >= 1 && scales[2] <= SH_GRAPH_SCALE) ||
        scales[2] != floorf(scales[2]))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: scales are %g x %g; one whole factor of 1 to %d is run",
                       draft->label, (double)scales[2], (double)scales[3], SH_GRAPH_SCALE);
    *factor = (int)scales[2];
    return SH_OK;
}

/* The factor between the sizes that are asked for and those of the tensor, both known in terms of the
 * picture's. */
static int factor_of_sizes(sh_builder *builder, const sh_draft *draft, int *factor, sh_err *err)
{
    const sh_graph_tensor *in = NULL;
    const sh_numbers *sizes = NULL;
    int status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = sh_draft_numbers(builder, draft, 3, &sizes, err);
    if (status < 0)
        return status;
    if (!sizes || sizes->count != 4)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s has no scales and no sizes", draft->label);
    int64_t found = sizes->values[2].times / in->scale;
    for (int i = 2; i < 4; i++)
        if (sizes->values[i].axis != i || found < 1 || found > SH_GRAPH_SCALE ||
            sizes->values[i].times != found * in->scale || sizes->values[i].plus != 2 * found * in->margin)
            return sh_fail(
                err, SH_E_UNSUPPORTED,
                "%s: its sizes are not the tensor's times one whole factor of 1 to %d: sizes in pixels fit "
                "only one picture",
                draft->label, SH_GRAPH_SCALE);
    if (sizes->values[1].times != 0 || sizes->values[1].plus != in->channels)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s changes the channels", draft->label);
    *factor = (int)found;
    return SH_OK;
}

static int constant_factor(sh_builder *builder, const sh_draft *draft, int input, int *factor, sh_err *err)
{
    const sh_onnx_tensor *constant;
    float *scales;
    int64_t count;
    int status = sh_draft_constant(draft, input, &constant, err);
    if (status < 0)
        return status;
    if (!constant)
        return factor_of_sizes(builder, draft, factor, err);
    status = sh_onnx_floats(constant, builder->scratch, &scales, &count, err);
    if (status < 0)
        return sh_err_prefix(err, "%s", draft->label);
    if (count == 0)
        return factor_of_sizes(builder, draft, factor, err);
    return whole_factor(draft, scales, count, factor, err);
}

static int add(sh_builder *builder, const sh_draft *draft, const resampling *how, int factor, sh_err *err)
{
    const sh_graph_tensor *in = NULL;
    sh_graph_node node = {.op = SH_OP_RESIZE};
    int status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status < 0)
        return status;
    make_taps(&node.resize, how, factor);
    return sh_builder_add(builder, draft, node,
                          (sh_size){in->channels, in->scale * factor, in->margin * factor}, err);
}

/* What opset 11 added, with what is not run refused. */
static int modes(const sh_draft *draft, resampling *how, sh_err *err)
{
    static const char *const places[] = {"half_pixel", "pytorch_half_pixel", "asymmetric",
                                         "tf_half_pixel_for_nn", NULL};
    static const place meanings[] = {HALF_PIXEL, HALF_PIXEL, ASYMMETRIC, HALF_PIXEL_NEAREST};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
    static const char *const shapes[] = {"nearest", "linear", "cubic", NULL};
    int chosen = 0, round = 0, form = 0;
    int status = pick(draft, "coordinate_transformation_mode", "half_pixel", places, &chosen, err);
    if (status == SH_OK)
        status = pick(draft, "nearest_mode", "round_prefer_floor", roundings, &round, err);
    if (status == SH_OK)
        status = pick(draft, "mode", "nearest", shapes, &form, err);
    if (status < 0)
        return status;
    *how = (resampling){meanings[chosen], (rounding)round, (shape)form,
                        sh_draft_float(draft, "cubic_coeff_a", -0.75f)};
    if (how->place == HALF_PIXEL_NEAREST && how->shape != NEAREST)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: tf_half_pixel_for_nn is run for nearest only",
                       draft->label);
    if (!isfinite(how->a) || sh_draft_int(draft, "exclude_outside", 0) != 0 ||
        sh_draft_int(draft, "antialias", 0) != 0)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: cubic_coeff_a, exclude_outside or antialias is not run as set", draft->label);
    return SH_OK;
}

int sh_operator_resize(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const old_names[] = {"mode", NULL};
    static const char *const names[] = {"mode",
                                        "coordinate_transformation_mode",
                                        "nearest_mode",
                                        "cubic_coeff_a",
                                        "exclude_outside",
                                        "extrapolation_value",
                                        "antialias",
                                        "keep_aspect_ratio_policy",
                                        NULL};
    static const char *const old_shapes[] = {"nearest", "linear", NULL};
    resampling how = {.place = ASYMMETRIC, .rounding = FLOOR};
    int old = builder->onnx->opset == 10, factor = 1, form = 0;
    int status = sh_draft_known(draft, old ? old_names : names, err);
    if (status == SH_OK && sh_draft_attribute(draft, "axes"))
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: axes is not run here", draft->label);
    if (status == SH_OK && !old)
        status = modes(draft, &how, err);
    if (status == SH_OK && old)
        status = pick(draft, "mode", "nearest", old_shapes, &form, err);
    if (status == SH_OK)
        status = constant_factor(builder, draft, old ? 1 : 2, &factor, err);
    if (old)
        how.shape = (shape)form;
    return status < 0 ? status : add(builder, draft, &how, factor, err);
}

int sh_operator_upsample(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"mode", "scales", NULL};
    static const char *const shapes[] = {"nearest", "linear", NULL};
    resampling how = {.place = ASYMMETRIC, .rounding = FLOOR};
    const sh_onnx_attribute *scales = sh_draft_attribute(draft, "scales");
    int factor = 1, form = 0;
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = pick(draft, "mode", "nearest", shapes, &form, err);
    if (status == SH_OK && builder->onnx->opset > 9)
        status = sh_fail(err, SH_E_FORMAT, "%s: opset %lld has no Upsample", draft->label,
                         (long long)builder->onnx->opset);
    if (status < 0)
        return status;
    how.shape = (shape)form;
    if (scales)
        status = whole_factor(draft, scales->floats, scales->count, &factor, err);
    else
        status = constant_factor(builder, draft, 1, &factor, err);
    return status < 0 ? status : add(builder, draft, &how, factor, err);
}
