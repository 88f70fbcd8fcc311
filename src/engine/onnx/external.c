/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nothing else may be given to run: files that name other files, which would be opened by whatever path
 * they tell, and files with loops, which need not end. The engine itself reads only constants and operators
 * that it knows; here a file is searched whole, graphs inside of operators too. */
#include "engine/onnx/proto.h"

typedef enum kind { MODEL, GRAPH, FUNCTION, NODE, ATTRIBUTE, SPARSE, TENSOR } kind;

/* Where messages stand in messages: all ways that lead to a tensor. */
static const struct {
    kind in;
    uint32_t number;
    kind what;
} places[] = {
    {MODEL, 7, GRAPH},       {MODEL, 25, FUNCTION},   {GRAPH, 1, NODE},          {GRAPH, 5, TENSOR},
    {GRAPH, 15, SPARSE},     {FUNCTION, 7, NODE},     {FUNCTION, 11, ATTRIBUTE}, {NODE, 5, ATTRIBUTE},
    {ATTRIBUTE, 5, TENSOR},  {ATTRIBUTE, 6, GRAPH},   {ATTRIBUTE, 10, TENSOR},   {ATTRIBUTE, 11, GRAPH},
    {ATTRIBUTE, 22, SPARSE}, {ATTRIBUTE, 23, SPARSE}, {SPARSE, 1, TENSOR},       {SPARSE, 2, TENSOR},
};

#define DEEPEST 64
/* Fields: of a node; of a tensor, where its data are and in which file. */
#define OPERATOR 4
#define LOCATION 14
#define ELSEWHERE 13

static int check_operator(sh_text name, size_t offset, sh_err *err)
{
    static const char *const loops[] = {"Loop", "Scan", "SequenceMap"};
    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
        if (sh_text_is(name, loops[i]))
            return sh_fail(err, SH_E_UNSUPPORTED,
                           "the operator %s (byte %zu) repeats a graph: networks without loops are run",
                           loops[i], offset);
    return SH_OK;
}

static int check_field(const sh_pb_field *field, kind in, sh_err *err)
{
    if (in == TENSOR && ((field->number == LOCATION && field->value != 0) || field->number == ELSEWHERE))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "a tensor (byte %zu) keeps its data in another file: save the model as one",
                       field->offset);
    return in == NODE && field->number == OPERATOR ? check_operator(sh_pb_text(field), field->offset, err)
                                                   : SH_OK;
}

static int walk(sh_pb body, kind in, int depth, sh_err *err)
{
    sh_pb_field field;
    int status;
    if (depth > DEEPEST)
        return sh_fail(err, SH_E_LIMIT, "the model's graphs stand in each other more than %d deep", DEEPEST);
    while ((status = sh_pb_next(&body, &field, err)) > 0) {
        status = check_field(&field, in, err);
        if (status < 0)
            return status;
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            if (places[i].in != in || places[i].number != field.number)
                continue;
            status = walk(field.body, places[i].what, depth + 1, err);
            if (status < 0)
                return status;
        }
    }
    return status;
}

int sh_onnx_harmless(const void *data, size_t size, sh_err *err)
{
    return walk((sh_pb){data, 0, size}, MODEL, 0, err);
}
