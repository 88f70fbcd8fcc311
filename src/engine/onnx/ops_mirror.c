/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture continued by its mirror image, the border sample included: SH_PAD_SYMMETRIC. ONNX's Pad has no
 * such mode, so files say it by
 *
 *     before = Slice(x, start n - 1, end before all, step -1)      along one of rows and columns
 *     behind = Slice(x, start -1, end -1 - n, step -1)
 *     y = Concat(before, x, behind)
 *
 * and the same of y along the other. Each Slice and the first Concat leave a note (sh_pending) on the tensor
 * that they begin with; the second Concat becomes the Pad. As a file this holds for pictures of n samples and
 * more; the Pad mirrors smaller ones as often as it takes. */
#include "engine/onnx/build.h"

static int note(sh_builder *builder, const sh_draft *draft, const sh_pending *pending, int tensor,
                sh_err *err)
{
    sh_pending *kept = sh_arena_alloc(builder->scratch, sizeof(*kept));
    if (!kept)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    *kept = *pending;
    kept->label = draft->label;
    sh_value value = {.name = draft->node->outputs[0], .tensor = tensor, .pending = kept};
    return sh_builder_define(builder, value, err);
}

int sh_mirror_slice(sh_builder *builder, const sh_draft *draft, int axis, int64_t start, int64_t end,
                    sh_err *err)
{
    const sh_value *in = draft->inputs[0];
    sh_pending turned = {.kind = SH_HALF_TURNED, .axis = axis, .around = in->pending};
    int64_t amount = 0;
    if (start >= 0 && start < INT32_MAX && end <= INT32_MIN)
        amount = start + 1;
    else if ((start == -1 || start >= INT32_MAX) && end < -1 && end > INT32_MIN)
        amount = -1 - end;
    if (amount < 1 || amount > SH_GRAPH_MARGIN * SH_GRAPH_SCALE)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s: in steps of -1 the first or the last 1 to %d rows or columns are run; not [%lld, %lld)",
            draft->label, SH_GRAPH_MARGIN * SH_GRAPH_SCALE, (long long)start, (long long)end);
    if (in->pending && (in->pending->kind != SH_HALF_AROUND || in->pending->axis == axis))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s works on what %s gives, which is half of something",
                       draft->label, in->pending->label);
    turned.amount = (int)amount;
    turned.behind = start < 0 || start >= INT32_MAX;
    return note(builder, draft, &turned, in->tensor, err);
}

static int is_turned(const sh_value *end, const sh_value *whole, int axis, int behind)
{
    const sh_pending *turned = end ? end->pending : NULL;
    return turned && end->tensor == whole->tensor && turned->kind == SH_HALF_TURNED && turned->axis == axis &&
           turned->behind == behind && turned->around == whole->pending;
}

int sh_mirror_concat(sh_builder *builder, const sh_draft *draft, int axis, sh_err *err)
{
    const sh_value *whole = draft->input_count == 3 ? draft->inputs[1] : NULL;
    if (!whole || whole->tensor < 0 || !is_turned(draft->inputs[0], whole, axis, 0) ||
        !is_turned(draft->inputs[2], whole, axis, 1) ||
        draft->inputs[0]->pending->amount != draft->inputs[2]->pending->amount)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s: rows or columns are joined only to the mirror image of as many at both ends, which Slice "
            "makes in steps of -1",
            draft->label);
    int amount = draft->inputs[0]->pending->amount;
    if (!whole->pending) {
        sh_pending around = {.kind = SH_HALF_AROUND, .axis = axis, .amount = amount};
        return note(builder, draft, &around, whole->tensor, err);
    }
    if (whole->pending->amount != amount)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: rows and columns must be continued by as much, not %d and %d", draft->label,
                       whole->pending->amount, amount);
    int output;
    sh_size size = sh_size_of(&builder->graph->tensors[whole->tensor]);
    sh_graph_node node = {.op = SH_OP_PAD, .pad = {SH_PAD_SYMMETRIC, amount, 0}};
    size.margin += amount;
    return sh_builder_add_to(builder, draft, node, &whole->tensor, 1, draft->node->outputs[0], size, &output,
                             err);
}
