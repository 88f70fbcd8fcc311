/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a file is all there is. The engine reads the constants that it uses and refuses those whose numbers
 * are in another file; what something else is to run must be searched whole, since that would open the file,
 * by whatever path the model names. */
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

enum {
    DEEPEST = 64,
    LOCATION = 14,
    ELSEWHERE = 13
}; /* fields of a tensor: where, and the other file's name */

static int walk(sh_pb body, kind in, int depth, sh_err *err)
{
    sh_pb_field field;
    int status;
    if (depth > DEEPEST)
        return sh_fail(err, SH_E_LIMIT, "the model's graphs stand in each other more than %d deep", DEEPEST);
    while ((status = sh_pb_next(&body, &field, err)) > 0) {
        if (in == TENSOR && ((field.number == LOCATION && field.value != 0) || field.number == ELSEWHERE))
            return sh_fail(err, SH_E_UNSUPPORTED,
                           "a tensor (byte %zu) keeps its data in another file: save the model as one",
                           field.offset);
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

int sh_onnx_whole(const void *data, size_t size, sh_err *err)
{
    return walk((sh_pb){data, 0, size}, MODEL, 0, err);
}
