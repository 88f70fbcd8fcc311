/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames of 8-bit luma through a model: raw planes of WIDTH x HEIGHT from stdin, enlarged ones to stdout. For
 * scripts that measure pictures with the engine itself: no codec, no colour, nothing in between.
 */
#include <errno.h>
#include <spyhop/spyhop.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "planes: %s: %s\n", what, why);
    return 1;
}

static bool side(const char *text, int *value)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    *value = (int)number;
    return *text && !*end && number >= 1 && number <= SPYHOP_MAX_SIDE;
}

static int run_frames(spyhop_context *engine, const spyhop_plane *in, const spyhop_plane *out)
{
    const size_t before = (size_t)in->width * (size_t)in->height;
    const size_t after = (size_t)out->width * (size_t)out->height;
    spyhop_error error;
    for (;;) {
        size_t got = fread(in->data, 1, before, stdin);
        if (got == 0 && feof(stdin))
            return fflush(stdout) ? complain("stdout", strerror(errno)) : 0;
        if (got != before)
            return complain("stdin", "ends within a frame");
        if (spyhop_run(engine, in, out, &error) < 0)
            return complain("a frame", error.message);
        if (fwrite(out->data, 1, after, stdout) != after)
            return complain("stdout", strerror(errno));
    }
}

static int run(spyhop_context *engine, int scale, int width, int height)
{
    spyhop_plane in = {NULL, width, width, height, 8};
    spyhop_plane out = {NULL, (ptrdiff_t)width * scale, width * scale, height * scale, 8};
    in.data = malloc((size_t)width * (size_t)height);
    out.data = malloc((size_t)out.width * (size_t)out.height);
    int status = in.data && out.data ? run_frames(engine, &in, &out) : complain("frames", "memory is short");
    free(in.data);
    free(out.data);
    return status;
}

int main(int argc, char **argv)
{
    spyhop_model *model = NULL;
    spyhop_context *engine = NULL;
    spyhop_error error;
    spyhop_model_info info = {.size = sizeof(info)};
    int width, height, status = 2;
    if (argc != 4 || !side(argv[2], &width) || !side(argv[3], &height)) {
        fprintf(stderr, "usage: planes FILE.onnx WIDTH HEIGHT <FRAMES >ENLARGED\n");
        return 2;
    }
    if (spyhop_model_load(&model, argv[1], &error) < 0 || spyhop_model_describe(model, &info) < 0 ||
        spyhop_open(&engine, model, NULL, &error) < 0)
        status = complain(argv[1], error.message);
    else if (info.channels != 1)
        status = complain(argv[1], "runs on three channels, not on luma");
    else
        status = run(engine, info.scale, width, height);
    spyhop_close(&engine);
    spyhop_model_free(&model);
    return status;
}
