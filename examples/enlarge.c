/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cc enlarge.c $(pkg-config --cflags --libs spyhop) -o enlarge; ./enlarge MODEL.onnx <IN.y4m >OUT.y4m
 * Takes a YUV4MPEG2 stream of 8 or 10 bits, as `ffmpeg -i FILE -f yuv4mpegpipe -strict -1 -` writes it. */
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
    char head[256] = "", mark[64];
    int rest = 0, failed = 0;
    spyhop_model *model = NULL;
    spyhop_scaler *scaler = NULL;
    spyhop_error error = {0, "usage: enlarge MODEL.onnx <IN.y4m >OUT.y4m"};
    spyhop_scaling scaling;
    spyhop_picture in, out;
    static const struct {
        const char *tag;
        int layout;
    } layouts[] = {
        {"", SPYHOP_YUV420}, {" C422", SPYHOP_YUV422}, {" C444", SPYHOP_YUV444}, {" Cmono", SPYHOP_GREY}};
    spyhop_scaling_default(&scaling);
    if (argc != 2 || !fgets(head, sizeof(head), stdin) ||
        sscanf(head, "YUV4MPEG2 W%d H%d%n", &scaling.in.width, &scaling.in.height, &rest) != 2)
        return fprintf(stderr, "%s\n", error.message), 2;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        scaling.in.layout = strstr(head, layouts[i].tag) ? layouts[i].layout : scaling.in.layout;
    scaling.in.depth = strstr(head, "p10") ? 10 : 8;
    scaling.in.siting = strstr(head, "jpeg") ? SPYHOP_CENTRE : SPYHOP_LEFT;
    if (spyhop_model_load(&model, argv[1], &error) < 0 ||
        spyhop_scaler_open(&scaler, model, NULL, &scaling, &error) < 0 ||
        spyhop_scaler_describe(scaler, &scaling) < 0)
        return fprintf(stderr, "%s\n", error.message), 1;
    const size_t size_in = make_picture(&in, &scaling.in), size_out = make_picture(&out, &scaling.out);
    printf("YUV4MPEG2 W%d H%d%s", scaling.out.width, scaling.out.height, head + rest);
    while (!failed && fgets(mark, sizeof(mark), stdin))
        failed = fread(in.data[0], 1, size_in, stdin) != size_in ||
                 spyhop_scaler_run(scaler, &in, &out, &error) < 0 || fputs(mark, stdout) < 0 ||
                 fwrite(out.data[0], 1, size_out, stdout) != size_out;
    if (failed)
        fprintf(stderr, "%s\n",
                error.status < 0 ? error.message : "the stream is cut short, or cannot be written");
    spyhop_scaler_close(&scaler);
    spyhop_model_free(&model);
    free(in.data[0]);
    free(out.data[0]);
    return failed || fflush(stdout) != 0;
}
