/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "refusal.h"
#include <string.h>

void small_net(nm_model *net)
{
    static const float weights[36] = {0.5f}, bias[4] = {0.25f};
    *net = (nm_model){
        .opset = 13, .input_channels = 1, .output_channels = 1, .input = "input", .output = "output"};
    nm_constant(net, "w", 4, (const int64_t[]){4, 1, 3, 3}, weights);
    nm_constant(net, "b", 1, (const int64_t[]){4}, bias);
    nm_ints(nm_add(net, "Conv", "t0", "input", "w", "b"), "pads", 4, (const int64_t[]){1, 1, 1, 1});
    nm_int(nm_add(net, "DepthToSpace", "output", "t0", NULL, NULL), "blocksize", 2);
}

int small_parse(const nm_model *net, spyhop_model **model, spyhop_error *error)
{
    sh_buf file;
    sh_buf_init(&file, 1 << 24);
    nm_write(net, &file);
    int status = spyhop_model_parse(model, file.data, file.length, error);
    sh_buf_free(&file);
    return status;
}

void check_refusals(const bad_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        nm_model net;
        spyhop_model *model = NULL;
        spyhop_error error = {0};
        small_net(&net);
        cases[i].spoil(&net);
        int status = small_parse(&net, &model, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].words) || model)
            fail_msg("%s: status %d, '%s'", cases[i].what, status, error.message);
        assert_int_equal(error.status, status);
        nm_free(&net);
    }
}
