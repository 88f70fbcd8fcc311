/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that knows the public headers and the shared library alone, as anybody's would. */
#include <spyhop/picture.h>
#include <stdio.h>
#include <string.h>

/* Four samples of one value become sixteen. */
static int enlarge(spyhop_error *error)
{
    unsigned char in[4] = {99, 99, 99, 99}, out[16] = {0};
    const spyhop_picture from = {{in}, {2}}, to = {{out}, {4}};
    spyhop_scaling scaling;
    spyhop_scaler *scaler = NULL;
    spyhop_scaling_default(&scaling);
    scaling.scale = scaling.in.width = scaling.in.height = 2;
    if (spyhop_scaler_open(&scaler, NULL, NULL, &scaling, error) < 0)
        return 1;
    int status = spyhop_scaler_run(scaler, &from, &to, error);
    spyhop_scaler_close(&scaler);
    for (int i = 0; i < 16; i++)
        if (out[i] != 99)
            return 1;
    return status < 0;
}

int main(void)
{
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    if (strcmp(spyhop_version(), "0.1.0") != 0 || spyhop_cpu_detect() < SPYHOP_CPU_C)
        return 1;
    if (enlarge(&error)) {
        puts(error.message);
        return 1;
    }
    if (spyhop_model_parse(&model, "\x3a\x7f", 2, &error) != SPYHOP_E_FORMAT || model)
        return 1;
    puts(error.message);
    return 0;
}
