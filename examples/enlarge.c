/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cc enlarge.c $(pkg-config --cflags --libs spyhop) -o enlarge; ./enlarge MODEL.onnx <IN.pgm >OUT.pgm
 * Grey pictures of 8 bits. Colours are more planes of the same picture: <spyhop/picture.h>. */
#include <spyhop/picture.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    spyhop_error error = {0, "usage: enlarge MODEL.onnx <IN.pgm >OUT.pgm, of 8 bits"};
    spyhop_model *model = NULL;
    spyhop_scaler *scaler = NULL;
    spyhop_scaling s;
    int status = 2;
    spyhop_scaling_default(&s);
    s.in.range = SPYHOP_FULL;
    if (argc != 2 || scanf("P5 %d %d 255", &s.in.width, &s.in.height) != 2 || getchar() == EOF) {
        fprintf(stderr, "%s\n", error.message);
        return status;
    }
    status = spyhop_model_load(&model, argv[1], &error);
    if (status == SPYHOP_OK)
        status = spyhop_scaler_open(&scaler, model, NULL, &s, &error);
    if (status == SPYHOP_OK && spyhop_scaler_describe(scaler, &s) == SPYHOP_OK) {
        size_t size_in = (size_t)s.in.width * s.in.height, size_out = (size_t)s.out.width * s.out.height;
        spyhop_picture in = {{malloc(size_in)}, {s.in.width}}, out = {{malloc(size_out)}, {s.out.width}};
        if (!in.data[0] || fread(in.data[0], 1, size_in, stdin) != size_in)
            snprintf(error.message, sizeof(error.message), "the picture ends early"), status = 1;
        else
            status = spyhop_scaler_run(scaler, &in, &out, &error);
        if (status == SPYHOP_OK && printf("P5\n%d %d\n255\n", s.out.width, s.out.height) > 0)
            status = fwrite(out.data[0], 1, size_out, stdout) != size_out || fflush(stdout) != 0;
        free(in.data[0]), free(out.data[0]);
    }
    if (status != SPYHOP_OK)
        fprintf(stderr, "%s\n", error.message);
    spyhop_scaler_close(&scaler), spyhop_model_free(&model);
    return status != SPYHOP_OK;
}
