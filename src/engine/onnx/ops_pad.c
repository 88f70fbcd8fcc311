/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pad, Slice and Split: what changes where a tensor ends. The graph knows margins that are the same on all
 * four sides. Exporters cut rows and columns by a Slice each: the first of the two waits for the second. */
#include "engine/onnx/build.h"
#include <math.h>
#include <string.h>

/* A Pad or Slice that does nothing: another name for the input. */
static int same(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    sh_value value = *draft->inputs[0];
    value.name = draft->node->outputs[0];
    return sh_builder_define(builder, value, err);
}

/* The channels [first, first + size.channels) with that margin. */
static int add_slice(sh_builder *builder, const sh_draft *draft, int first, sh_text name, sh_size size,
                     sh_err *err)
{
    int output;
    sh_graph_node node = {.op = SH_OP_SLICE, .slice = {first}};
    return sh_builder_add_to(builder, draft, node, &draft->inputs[0]->tensor, 1, name, size, &output, err);
}

static int pad_mode(const sh_draft *draft, sh_graph_pad *pad, sh_err *err)
{
    static const char *const names[] = {"constant", "edge", "reflect"};
    sh_text mode = sh_draft_string(draft, "mode", "constant");
    for (int i = 0; i < 3; i++)
        if (sh_text_is(mode, names[i])) {
            pad->mode = (sh_pad_mode)i;
            return SH_OK;
        }
    return sh_fail(err, SH_E_UNSUPPORTED, "%s: mode '%s' is not run; constant, edge and reflect are",
                   draft->label, sh_text_show(mode).text);
}

/* pads: those of N, C, H, W at the beginning, then those at the end; value: what is filled in. */
static int pad_numbers(sh_builder *builder, const sh_draft *draft, int64_t *pads, float *value, sh_err *err)
{
    const sh_onnx_tensor *constant = NULL;
    const sh_onnx_attribute *list = sh_draft_attribute(draft, "pads");
    float *floats;
    int64_t found = 0;
    int count = 0, status = SH_OK;
    if (builder->onnx->opset < 11) {
        count = list ? list->count : 0;
        if (list)
            memcpy(pads, list->ints, 8 * sizeof(*pads));
        *value = sh_draft_float(draft, "value", 0);
    } else {
        status = sh_draft_integers(builder, draft, 1, pads, 8, &count, err);
        if (status == SH_OK)
            status = sh_draft_constant(draft, 2, &constant, err);
        if (status == SH_OK && constant)
            status = sh_onnx_floats(constant, builder->scratch, &floats, &found, err);
        if (status == SH_OK && constant && found > 0)
            *value = floats[0];
    }
    if (status == SH_OK && count != 8)
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: %d pads; 8 are run, two for each dimension",
                         draft->label, count < 0 ? 0 : count);
    if (status == SH_OK && !isfinite(*value))
        status = sh_fail(err, SH_E_FORMAT, "%s fills in a number that is not finite", draft->label);
    return status;
}

int sh_operator_pad(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"mode", "pads", "value", NULL};
    const sh_graph_tensor *in = NULL;
    sh_graph_node node = {.op = SH_OP_PAD};
    int64_t pads[8] = {0};
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = pad_mode(draft, &node.pad, err);
    if (status == SH_OK && draft->input_count > 3 && draft->inputs[3])
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: axes are not run here", draft->label);
    if (status == SH_OK)
        status = pad_numbers(builder, draft, pads, &node.pad.value, err);
    if (status < 0)
        return status;
    if (pads[0] || pads[1] || pads[4] || pads[5] || pads[2] != pads[3] || pads[2] != pads[6] ||
        pads[2] != pads[7])
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: as many samples on each of the four sides are run, not %lld, %lld, %lld and %lld",
                       draft->label, (long long)pads[2], (long long)pads[3], (long long)pads[6],
                       (long long)pads[7]);
    if (pads[2] == 0)
        return same(builder, draft, err);
    if (pads[2] > SH_GRAPH_MARGIN * SH_GRAPH_SCALE || pads[2] < -SH_GRAPH_MARGIN * SH_GRAPH_SCALE)
        return sh_fail(err, SH_E_LIMIT, "%s: %lld samples; at most %d are run", draft->label,
                       (long long)pads[2], SH_GRAPH_MARGIN * SH_GRAPH_SCALE);
    sh_size size = sh_size_of(in);
    size.margin += (int)pads[2];
    node.pad.amount = (int)pads[2];
    if (pads[2] < 0)
        return add_slice(builder, draft, 0, draft->node->outputs[0], size, err);
    return sh_builder_add(builder, draft, node, size, err);
}

typedef struct cut {
    int axis, step;
    int64_t start, end;
} cut;

static int slice_list(sh_builder *builder, const sh_draft *draft, int input, const char *name,
                      int64_t *values, int *count, sh_err *err)
{
    const sh_onnx_attribute *list = sh_draft_attribute(draft, name);
    if (builder->onnx->opset >= 10)
        return sh_draft_integers(builder, draft, input, values, 4, count, err);
    *count = list ? list->count : -1;
    for (int i = 0; i < *count && i < 4; i++)
        values[i] = list->ints[i];
    return SH_OK;
}

/* The cuts that a Slice makes, one an axis. */
static int find_cuts(sh_builder *builder, const sh_draft *draft, cut *cuts, int *count, sh_err *err)
{
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    int64_t lists[4][4];
    int counts[4], seen = 0;
    for (int i = 0; i < 4; i++) {
        int status = slice_list(builder, draft, i + 1, names[i], lists[i], &counts[i], err);
        if (status < 0)
            return status;
    }
    if (counts[0] < 1 || counts[0] > 4 || counts[1] != counts[0] ||
        (counts[2] >= 0 && counts[2] != counts[0]) || (counts[3] >= 0 && counts[3] != counts[0]))
        return sh_fail(err, SH_E_FORMAT, "%s: its lists of %d starts, %d ends and %d axes do not go together",
                       draft->label, counts[0], counts[1], counts[2]);
    for (int i = 0; i < counts[0]; i++) {
        int64_t axis = counts[2] < 0 ? i : lists[2][i];
        int64_t step = counts[3] < 0 ? 1 : lists[3][i];
        axis += axis < 0 ? 4 : 0;
        if (axis < 1 || axis > 3 || (step != 1 && (step != -1 || axis == 1 || counts[0] > 1)))
            return sh_fail(
                err, SH_E_UNSUPPORTED,
                "%s: only channels, rows and columns (axes 1 to 3) are cut, and in steps of 1; rows or "
                "columns alone in steps of -1 too",
                draft->label);
        if (seen >> axis & 1)
            return sh_fail(err, SH_E_FORMAT, "%s cuts axis %lld twice", draft->label, (long long)axis);
        seen |= 1 << axis;
        cuts[i] = (cut){(int)axis, (int)step, lists[0][i], lists[1][i]};
    }
    *count = counts[0];
    return SH_OK;
}

/* Rows or columns: as many cut at both ends, told from the end or not at all. */
static int crop_of(const sh_draft *draft, const cut *c, int *crop, sh_err *err)
{
    int64_t most = SH_GRAPH_MARGIN * SH_GRAPH_SCALE;
    int whole = c->start == 0 && c->end >= INT32_MAX;
    if (!whole && (c->start < 0 || c->start > most || c->end != -c->start))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: rows and columns are cut by as much at both ends, [c, -c); not [%lld, %lld)",
                       draft->label, (long long)c->start, (long long)c->end);
    *crop = whole ? 0 : (int)c->start;
    return SH_OK;
}

static int channels_of(const sh_draft *draft, const cut *c, int channels, int *first, int *count, sh_err *err)
{
    int64_t start = c->start < 0 ? c->start + channels : c->start,
            end = c->end < 0 ? c->end + channels : c->end;
    start = start < 0 ? 0 : start;
    end = end > channels ? channels : end;
    if (start >= end)
        return sh_fail(err, SH_E_FORMAT, "%s leaves no channel of %d", draft->label, channels);
    *first = (int)start;
    *count = (int)(end - start);
    return SH_OK;
}

/* One side cut: it waits for the other, or is the other. */
static int crop_side(sh_builder *builder, const sh_draft *draft, int axis, int crop, sh_err *err)
{
    const sh_pending *before = draft->inputs[0]->pending;
    sh_size size = sh_size_of(&builder->graph->tensors[draft->inputs[0]->tensor]);
    if (before && before->axis != axis && before->amount == crop) {
        size.margin -= crop;
        return add_slice(builder, draft, 0, draft->node->outputs[0], size, err);
    }
    if (before)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: rows and columns must be cut by as much", draft->label);
    sh_pending *pending = sh_arena_alloc(builder->scratch, sizeof(*pending));
    if (!pending)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    *pending = (sh_pending){.label = draft->label, .kind = SH_HALF_CROP, .axis = axis, .amount = crop};
    sh_value value = *draft->inputs[0];
    value.name = draft->node->outputs[0];
    value.pending = pending;
    return sh_builder_define(builder, value, err);
}

int sh_operator_slice(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"starts", "ends", "axes", "steps", NULL};
    int count = 0, first = 0, crops[4] = {0, 0, -1, -1}, sides = 0;
    cut cuts[4];
    int status = sh_draft_known(draft, names, err);
    const sh_value *in = draft->inputs[0];
    if (status == SH_OK && (!in || in->tensor < 0))
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s does not work on a plain tensor", draft->label);
    if (status == SH_OK)
        status = find_cuts(builder, draft, cuts, &count, err);
    if (status == SH_OK && cuts[0].step < 0)
        return sh_mirror_slice(builder, draft, cuts[0].axis, cuts[0].start, cuts[0].end, err);
    if (status == SH_OK && in->pending && in->pending->kind != SH_HALF_CROP)
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s works on what %s gives, which is half of something: %s",
                         draft->label, in->pending->label, sh_pending_rest(in->pending));
    if (status < 0)
        return status;
    sh_size size = sh_size_of(&builder->graph->tensors[in->tensor]), all = size;
    for (int i = 0; status == SH_OK && i < count; i++) {
        if (cuts[i].axis == 1)
            status = channels_of(draft, &cuts[i], all.channels, &first, &size.channels, err);
        else
            status = crop_of(draft, &cuts[i], &crops[cuts[i].axis], err);
    }
    if (status < 0)
        return status;
    for (int axis = 2; axis < 4; axis++)
        sides += crops[axis] > 0;
    if (sides == 0 && size.channels == all.channels)
        return same(builder, draft, err);
    if (sides == 1 && size.channels == all.channels)
        return crop_side(builder, draft, crops[2] > 0 ? 2 : 3, crops[2] > 0 ? crops[2] : crops[3], err);
    if ((sides > 0 && crops[2] != crops[3]) || in->pending)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: rows and columns must be cut by as much", draft->label);
    size.margin -= sides ? crops[2] : 0;
    return add_slice(builder, draft, first, draft->node->outputs[0], size, err);
}

/* The channels of each output: told by a list, or equal parts. */
static int split_parts(sh_builder *builder, const sh_draft *draft, int channels, int64_t *parts, sh_err *err)
{
    const sh_onnx_attribute *list = sh_draft_attribute(draft, "split");
    int outputs = draft->node->output_count, count = -1, status = SH_OK;
    int64_t sum = 0, each = (channels + outputs - 1) / outputs;
    if (builder->onnx->opset >= 13)
        status = sh_draft_integers(builder, draft, 1, parts, SH_NUMBERS, &count, err);
    else if (list && list->count > SH_ONNX_LIST)
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: a list of %d parts; at most %d are run before opset 13",
                         draft->label, list->count, SH_ONNX_LIST);
    else if (list)
        memcpy(parts, list->ints, (size_t)(count = list->count) * sizeof(*parts));
    for (int i = 0; count < 0 && i < outputs; i++)
        parts[i] = i < outputs - 1 ? each : channels - each * (outputs - 1);
    for (int i = 0; status == SH_OK && i < outputs; i++)
        sum += parts[i] > 0 && parts[i] <= channels ? parts[i] : 2 * channels;
    if (status == SH_OK && ((count >= 0 && count != outputs) || sum != channels))
        status = sh_fail(err, SH_E_FORMAT, "%s does not share %d channels out between %d outputs",
                         draft->label, channels, outputs);
    return status;
}

int sh_operator_split(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"axis", "split", "num_outputs", NULL};
    const sh_graph_tensor *in = NULL;
    int64_t axis = sh_draft_int(draft, "axis", 0), parts[SH_NUMBERS] = {0};
    int first = 0, status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status < 0)
        return status;
    if ((axis != 1 && axis != -3) || draft->node->output_count > SH_NUMBERS)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: channels (axis 1) are split, into at most %d parts",
                       draft->label, SH_NUMBERS);
    sh_size size = sh_size_of(in);
    status = split_parts(builder, draft, size.channels, parts, err);
    for (int i = 0; status == SH_OK && i < draft->node->output_count; i++) {
        size.channels = (int)parts[i];
        status = add_slice(builder, draft, first, draft->node->outputs[i], size, err);
        first += size.channels;
    }
    return status;
}
