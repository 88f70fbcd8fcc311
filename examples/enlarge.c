/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cc enlarge.c $(pkg-config --cflags --libs spyhop) -o enlarge; ./enlarge MODEL.onnx <IN.y4m >OUT.y4m
 * Takes 4:2:0 of 8 to 16 bits, as `ffmpeg -i FILE -pix_fmt yuv420p -f yuv4mpegpipe -` writes it. */
#include <spyhop/picture.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Memory for a picture, its planes one after the other as in the stream. The number of bytes, 0: none. */
static size_t make_picture(spyhop_picture *picture, const spyhop_format *format)
{
    size_t bytes, size = 0, offset[4];
    for (int i = 0, rows; i < 4; i++, size += bytes * (size_t)rows) {
        spyhop_format_plane(format, i, &bytes, &rows);
        picture->stride[i] = (ptrdiff_t)bytes;
        offset[i] = size;
    }
    char *memory = malloc(size);
    for (int i = 0; i < 4; i++)
        picture->data[i] = memory ? memory + offset[i] : NULL;
    return memory ? size : 0;
}

int main(int argc, char **argv)
{
    char head[256], mark[64];
    int rest = 0, failed = 0;
    spyhop_model *model = NULL;
    spyhop_scaler *scaler = NULL;
    spyhop_error error = {0, "usage: enlarge MODEL.onnx <IN.y4m >OUT.y4m, of 4:2:0"};
    spyhop_scaling s;
    spyhop_picture in, out;
    spyhop_scaling_default(&s);
    if (argc != 2 || !fgets(head, sizeof(head), stdin) || !strstr(head, " C420") ||
        sscanf(head, "YUV4MPEG2 W%d H%d%n", &s.in.width, &s.in.height, &rest) != 2)
        return fprintf(stderr, "%s\n", error.message), 2;
    s.in.layout = SPYHOP_YUV420;
    sscanf(strstr(head, " C420") + 5, "p%d", &s.in.depth); /* C420p10; 8 where it says none */
    s.in.range = strstr(head, "=FULL") ? SPYHOP_FULL : SPYHOP_LIMITED;
    s.in.siting = strstr(head, "jpeg") ? SPYHOP_CENTRE : SPYHOP_LEFT;
    if (spyhop_model_load(&model, argv[1], &error) < 0 ||
        spyhop_scaler_open(&scaler, model, NULL, &s, &error) < 0 || spyhop_scaler_describe(scaler, &s) < 0)
        return fprintf(stderr, "%s\n", error.message), 1;
    const size_t size_in = make_picture(&in, &s.in), size_out = make_picture(&out, &s.out);
    printf("YUV4MPEG2 W%d H%d%s", s.out.width, s.out.height, head + rest);
    while (!failed && fgets(mark, sizeof(mark), stdin))
        failed = fread(in.data[0], 1, size_in, stdin) != size_in ||
                 spyhop_scaler_run(scaler, &in, &out, &error) < 0 || fputs(mark, stdout) < 0 ||
                 fwrite(out.data[0], 1, size_out, stdout) != size_out;
    if (failed)
        fprintf(stderr, "%s\n", error.status < 0 ? error.message : "the stream ends early, or nobody reads");
    free(in.data[0]);
    free(out.data[0]);
    spyhop_scaler_close(&scaler);
    spyhop_model_free(&model);
    return failed || fflush(stdout) != 0;
}
