/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole numbers that a file computes: exporters write a network's sizes, pads and cuts as chains of small
 * operators on constants and on the shapes of tensors. They are evaluated here, with the picture's height and
 * width as unknowns (sh_number): what is left unknown where a plain number is needed is refused there. */
#include "engine/onnx/build.h"
#include <string.h>

static int define(sh_builder *builder, const sh_draft *draft, const sh_numbers *numbers, sh_err *err)
{
    sh_numbers *kept = sh_arena_alloc(builder->scratch, sizeof(*kept));
    if (!kept)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    *kept = *numbers;
    return sh_builder_define(builder,
                             (sh_value){.name = draft->node->outputs[0], .tensor = -1, .numbers = kept}, err);
}

static int from_constant(sh_builder *builder, const sh_onnx_tensor *constant, const sh_numbers **numbers,
                         sh_err *err)
{
    int64_t values[SH_NUMBERS];
    int count = 0, status = sh_onnx_ints(constant, values, SH_NUMBERS, &count, err);
    if (status < 0)
        return status;
    sh_numbers *made = sh_arena_alloc(builder->scratch, sizeof(*made));
    if (!made)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's shapes");
    made->count = count;
    made->rank = constant->rank;
    for (int i = 0; i < 2 && i < constant->rank; i++) {
        if (constant->dims[i] > SH_NUMBERS) /* beside a 0 */
            return sh_fail(err, SH_E_LIMIT, "tensor '%s' has the dimension %lld; at most %d are run",
                           sh_text_show(constant->name).text, (long long)constant->dims[i], SH_NUMBERS);
        made->dims[i] = constant->dims[i];
    }
    for (int i = 0; i < count; i++)
        made->values[i].plus = values[i];
    *numbers = made;
    return SH_OK;
}

int sh_draft_numbers(sh_builder *builder, const sh_draft *draft, int i, const sh_numbers **numbers,
                     sh_err *err)
{
    *numbers = NULL;
    if (i >= draft->input_count || !draft->inputs[i])
        return SH_OK;
    const sh_value *value = draft->inputs[i];
    if (value->tensor >= 0)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s is run on whole numbers of shapes only, not on computed pictures", draft->label);
    if (value->numbers) {
        *numbers = value->numbers;
        return SH_OK;
    }
    int status = from_constant(builder, value->constant, numbers, err);
    if (status == SH_OK && (*numbers)->rank > 2)
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: numbers in %d dimensions; at most 2 are run",
                         draft->label, (*numbers)->rank);
    return status < 0 ? sh_err_prefix(err, "%s", draft->label) : SH_OK;
}

int sh_draft_integers(sh_builder *builder, const sh_draft *draft, int i, int64_t *values, int maximum,
                      int *count, sh_err *err)
{
    const sh_numbers *numbers;
    int status = sh_draft_numbers(builder, draft, i, &numbers, err);
    if (status < 0)
        return status;
    *count = numbers ? numbers->count : -1;
    if (*count > maximum)
        return sh_fail(err, SH_E_FORMAT, "%s: its input %d has %d numbers; at most %d belong there",
                       draft->label, i, *count, maximum);
    for (int n = 0; n < *count; n++) {
        if (numbers->values[n].times != 0)
            return sh_fail(err, SH_E_UNSUPPORTED, "%s: its input %d depends on the picture's size",
                           draft->label, i);
        values[n] = numbers->values[n].plus;
    }
    return SH_OK;
}

/* The numbers at an input that must be there. */
static int need(sh_builder *builder, const sh_draft *draft, int i, const sh_numbers **numbers, sh_err *err)
{
    int status = sh_draft_numbers(builder, draft, i, numbers, err);
    if (status == SH_OK && !*numbers)
        status = sh_fail(err, SH_E_FORMAT, "%s lacks its input %d", draft->label, i);
    return status;
}

/* a + sign * b; 0 where that is no such number, or too large. */
static int add_numbers(sh_number a, sh_number b, int sign, sh_number *out)
{
    sh_number r = {a.times ? a.axis : b.axis, 0, 0};
    if (a.times && b.times && a.axis != b.axis)
        return 0;
    return !__builtin_mul_overflow(b.times, sign, &b.times) &&
           !__builtin_mul_overflow(b.plus, sign, &b.plus) &&
           !__builtin_add_overflow(a.times, b.times, &r.times) &&
           !__builtin_add_overflow(a.plus, b.plus, &r.plus) && (*out = r, 1);
}

static int mul_numbers(sh_number a, sh_number b, sh_number *out)
{
    if (a.times && b.times)
        return 0;
    int64_t factor = a.times ? b.plus : a.plus;
    sh_number r = a.times ? a : b;
    return !__builtin_mul_overflow(r.times, factor, &r.times) &&
           !__builtin_mul_overflow(r.plus, factor, &r.plus) && (*out = r, 1);
}

/* Only where nothing is left over, so that it does not matter how a remainder is rounded. */
static int div_numbers(sh_number a, sh_number b, sh_number *out)
{
    if (b.times || b.plus <= 0 || a.times % b.plus || a.plus % b.plus)
        return 0;
    *out = (sh_number){a.axis, a.times / b.plus, a.plus / b.plus};
    return 1;
}

static int calculate(char op, sh_number a, sh_number b, sh_number *out)
{
    if (op == '*')
        return mul_numbers(a, b, out);
    if (op == '/')
        return div_numbers(a, b, out);
    return add_numbers(a, b, op == '-' ? -1 : 1, out);
}

static int fold_pair(sh_builder *builder, const sh_draft *draft, char op, sh_err *err)
{
    const sh_numbers *a, *b;
    int status = need(builder, draft, 0, &a, err);
    if (status == SH_OK)
        status = need(builder, draft, 1, &b, err);
    if (status < 0)
        return status;
    if (a->count != b->count && a->count != 1 && b->count != 1)
        return sh_fail(err, SH_E_FORMAT, "%s: %d and %d numbers do not go together", draft->label, a->count,
                       b->count);
    sh_numbers out = a->count > b->count || (a->count == b->count && a->rank >= b->rank) ? *a : *b;
    for (int i = 0; i < out.count; i++)
        if (!calculate(op, a->values[a->count == 1 ? 0 : i], b->values[b->count == 1 ? 0 : i],
                       &out.values[i]))
            return sh_fail(
                err, SH_E_UNSUPPORTED,
                "%s: a size that is neither a number nor the picture's height or width, multiplied and moved",
                draft->label);
    return define(builder, draft, &out, err);
}

int sh_operator_fold_add(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    return fold_pair(builder, draft, '+', err);
}

int sh_operator_fold_sub(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    return fold_pair(builder, draft, '-', err);
}

int sh_operator_fold_mul(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    return fold_pair(builder, draft, '*', err);
}

int sh_operator_fold_div(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    return fold_pair(builder, draft, '/', err);
}

/* Whole numbers stay what they are: from and to int64 and int32. */
int sh_operator_fold_cast(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_numbers *in;
    int64_t to = sh_draft_int(draft, "to", 0);
    int status = need(builder, draft, 0, &in, err);
    if (status == SH_OK && to != SH_ONNX_INT64 && to != SH_ONNX_INT32)
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: sizes as elements of type %lld are not run",
                         draft->label, (long long)to);
    return status < 0 ? status : define(builder, draft, in, err);
}

int sh_operator_fold_concat(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    sh_numbers out = {.rank = 1};
    if (sh_draft_int(draft, "axis", 0) != 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: whole numbers are joined along axis 0", draft->label);
    for (int i = 0; i < draft->input_count; i++) {
        const sh_numbers *in;
        int status = need(builder, draft, i, &in, err);
        if (status == SH_OK && (in->rank != 1 || in->count > SH_NUMBERS - out.count))
            status = sh_fail(err, SH_E_UNSUPPORTED, "%s: whole numbers are joined from lists, to at most %d",
                             draft->label, SH_NUMBERS);
        if (status < 0)
            return status;
        memcpy(out.values + out.count, in->values, (size_t)in->count * sizeof(sh_number));
        out.count += in->count;
    }
    out.dims[0] = out.count;
    return define(builder, draft, &out, err);
}

int sh_operator_fold_constant_of_shape(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_onnx_attribute *value = sh_draft_attribute(draft, "value");
    int64_t length = 0, filled = 0;
    int count = 0, ones = 0;
    int status = sh_draft_integers(builder, draft, 0, &length, 1, &count, err);
    if (status == SH_OK && value)
        status = sh_onnx_ints(&value->tensor, &filled, 1, &ones, err);
    if (status < 0)
        return status;
    if (count != 1 || length < 0 || length > SH_NUMBERS || !value)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: lists of at most %d whole numbers are run", draft->label,
                       SH_NUMBERS);
    sh_numbers out = {.rank = 1, .count = (int)length, .dims = {length}};
    for (int i = 0; i < out.count; i++)
        out.values[i].plus = filled;
    return define(builder, draft, &out, err);
}

int sh_operator_fold_gather(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_numbers *in, *index;
    int64_t places[SH_NUMBERS];
    int count = 0, status = need(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = need(builder, draft, 1, &index, err);
    if (status == SH_OK)
        status = sh_draft_integers(builder, draft, 1, places, SH_NUMBERS, &count, err);
    if (status < 0)
        return status;
    if (in->rank != 1 || index->rank > 1 || sh_draft_int(draft, "axis", 0) != 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s takes from something else than a list", draft->label);
    sh_numbers out = {.rank = index->rank, .count = count, .dims = {count}};
    for (int i = 0; i < count; i++) {
        int64_t at = places[i] < 0 ? places[i] + in->count : places[i];
        if (at < 0 || at >= in->count)
            return sh_fail(err, SH_E_FORMAT, "%s takes number %lld of %d", draft->label, (long long)places[i],
                           in->count);
        out.values[i] = in->values[at];
    }
    return define(builder, draft, &out, err);
}

int sh_operator_fold_reshape(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_numbers *in;
    int64_t dims[2] = {0, 0}, product = 1;
    int rank = 0, open = -1;
    int status = need(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = sh_draft_integers(builder, draft, 1, dims, 2, &rank, err);
    if (status < 0)
        return status;
    for (int i = 0; i < rank; i++) {
        if (dims[i] == -1 && open < 0)
            open = i;
        else if (dims[i] < 1 || __builtin_mul_overflow(product, dims[i], &product))
            return sh_fail(err, SH_E_FORMAT, "%s: dimension %d is %lld", draft->label, i, (long long)dims[i]);
    }
    if (open >= 0 && in->count % product == 0) {
        dims[open] = in->count / product;
        product = in->count;
    }
    if (product != in->count)
        return sh_fail(err, SH_E_FORMAT, "%s: %d numbers do not have that shape", draft->label, in->count);
    sh_numbers out = *in;
    out.rank = rank;
    memcpy(out.dims, dims, sizeof(dims));
    return define(builder, draft, &out, err);
}

int sh_operator_fold_shape(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_graph_tensor *in = NULL;
    int status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status == SH_OK && (sh_draft_attribute(draft, "start") || sh_draft_attribute(draft, "end")))
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: start and end are not run here", draft->label);
    if (status < 0)
        return status;
    sh_numbers out = {.rank = 1,
                      .count = 4,
                      .dims = {4},
                      .values = {{0, 1, 0},
                                 {0, 0, in->channels},
                                 {2, in->scale, 2 * (int64_t)in->margin},
                                 {3, in->scale, 2 * (int64_t)in->margin}}};
    return define(builder, draft, &out, err);
}

/* Rows or numbers of the first dimension, forwards or backwards. */
static void take_rows(sh_numbers *out, const sh_numbers *in, int64_t start, int64_t end, int64_t step)
{
    int64_t rows = in->rank ? in->dims[0] : 1, width = rows ? in->count / rows : 0, n = 0;
    start += start < 0 ? rows : 0;
    end += end < 0 && end >= -rows ? rows : 0;
    start = start < 0 ? 0 : start >= rows ? (step < 0 ? rows - 1 : rows) : start;
    end = end > rows ? rows : end < -1 ? -1 : end;
    for (int64_t at = start; step > 0 ? at < end : at > end; at += step, n++)
        memcpy(out->values + n * width, in->values + at * width, (size_t)width * sizeof(sh_number));
    out->dims[0] = n;
    out->count = (int)(n * width);
}

int sh_operator_fold_slice(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_numbers *in;
    int64_t lists[4] = {0, 0, 0, 1};
    int counts[4] = {0, 0, 0, 0};
    int status = need(builder, draft, 0, &in, err);
    if (status == SH_OK && builder->onnx->opset < 10)
        status =
            sh_fail(err, SH_E_UNSUPPORTED, "%s: of whole numbers, before opset 10, is not run", draft->label);
    for (int i = 0; status == SH_OK && i < 4; i++)
        status = sh_draft_integers(builder, draft, i + 1, &lists[i], 1, &counts[i], err);
    if (status < 0)
        return status;
    if (counts[0] != 1 || counts[1] != 1 || (lists[2] != 0 && lists[2] != -in->rank) || in->rank < 1 ||
        (lists[3] != 1 && lists[3] != -1))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: one cut along axis 0 in steps of 1 or -1 is run",
                       draft->label);
    sh_numbers out = *in;
    take_rows(&out, in, lists[0], lists[1], lists[3]);
    return define(builder, draft, &out, err);
}

/* Squeeze and Unsqueeze between one number and a list of it. */
int sh_operator_fold_squeeze(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_numbers *in;
    int opens = sh_text_is(draft->node->op, "Unsqueeze");
    int status = need(builder, draft, 0, &in, err);
    if (status == SH_OK && (in->count != 1 || in->rank != !opens))
        status =
            sh_fail(err, SH_E_UNSUPPORTED, "%s: between one number and a list of one is run", draft->label);
    if (status < 0)
        return status;
    sh_numbers out = *in;
    out.rank = opens;
    out.dims[0] = 1;
    return define(builder, draft, &out, err);
}

int sh_operator_fold_transpose(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_numbers *in;
    int status = need(builder, draft, 0, &in, err);
    const sh_onnx_attribute *perm = sh_draft_attribute(draft, "perm");
    int turns = !perm || (perm->count == 2 && perm->ints[0] == 1 && perm->ints[1] == 0);
    if (status == SH_OK && (in->rank != 2 || !turns))
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: a table of whole numbers is turned, nothing else",
                         draft->label);
    if (status < 0)
        return status;
    sh_numbers out = *in;
    for (int64_t y = 0; y < in->dims[0]; y++)
        for (int64_t x = 0; x < in->dims[1]; x++)
            out.values[x * in->dims[0] + y] = in->values[y * in->dims[1] + x];
    out.dims[0] = in->dims[1];
    out.dims[1] = in->dims[0];
    return define(builder, draft, &out, err);
}
