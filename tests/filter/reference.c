/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the FFmpeg filter has to give, by the public interface alone: raw pictures from standard input, one
 * after the other, their enlarged forms to standard output.
 *
 *     reference MODEL PASSES STRENGTH LAYOUT DEPTH MSB SEMI ALPHA RANGE SITING WIDTH HEIGHT
 *
 * The numbers are the fields of spyhop_format. PASSES > 1 enlarges the result again.
 */
#include <spyhop/picture.h>

#include <stdio.h>
#include <stdlib.h>

#define MAX_PASSES 4
#define FIELDS 9

typedef struct memory {
    spyhop_picture picture;
    size_t bytes[4];
} memory;

static int fail(const char *text)
{
    fprintf(stderr, "reference: %s\n", text);
    return 1;
}

/* Planes one after the other without padding, as FFmpeg's rawvideo has them; never freed. */
static int allocate(memory *out, const spyhop_format *format)
{
    spyhop_error error;
    for (int i = 0; i < 4; i++) {
        size_t bytes;
        int rows;
        if (spyhop_format_plane(format, i, &bytes, &rows) < 0)
            return spyhop_format_check(format, &error) < 0 ? fail(error.message) : fail("no plane");
        out->bytes[i] = bytes * (size_t)rows;
        out->picture.stride[i] = (ptrdiff_t)bytes;
        out->picture.data[i] = out->bytes[i] ? malloc(out->bytes[i]) : NULL;
        if (out->bytes[i] && !out->picture.data[i])
            return fail("no memory");
    }
    return 0;
}

static int read_picture(const memory *to)
{
    for (int i = 0; i < 4; i++)
        if (to->bytes[i] && fread(to->picture.data[i], 1, to->bytes[i], stdin) != to->bytes[i])
            return 0;
    return 1;
}

static int write_picture(const memory *from)
{
    for (int i = 0; i < 4; i++)
        if (from->bytes[i] && fwrite(from->picture.data[i], 1, from->bytes[i], stdout) != from->bytes[i])
            return fail("standard output is closed");
    return 0;
}

static spyhop_format read_format(char **text)
{
    spyhop_scaling neutral;
    spyhop_scaling_default(&neutral);
    spyhop_format format = neutral.in;
    int *fields[FIELDS] = {&format.layout, &format.depth,  &format.msb,   &format.semi,  &format.alpha,
                           &format.range,  &format.siting, &format.width, &format.height};
    for (int i = 0; i < FIELDS; i++)
        *fields[i] = (int)strtol(text[i], NULL, 10);
    return format;
}

static int make_passes(spyhop_scaler **scaler, memory *pictures, int passes, const spyhop_model *model,
                       spyhop_format format, double strength)
{
    spyhop_error error;
    if (allocate(&pictures[0], &format))
        return 1;
    for (int i = 0; i < passes; i++) {
        spyhop_scaling scaling;
        spyhop_scaling_default(&scaling);
        scaling.in = format;
        scaling.strength = strength;
        if (spyhop_scaler_open(&scaler[i], model, NULL, &scaling, &error) < 0)
            return fail(error.message);
        spyhop_scaler_describe(scaler[i], &scaling);
        format = scaling.out;
        if (allocate(&pictures[i + 1], &format))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    spyhop_model *model = NULL;
    spyhop_scaler *scaler[MAX_PASSES] = {NULL};
    memory pictures[MAX_PASSES + 1] = {0};
    spyhop_error error;
    if (argc != 4 + FIELDS)
        return fail("see the beginning of reference.c for what it is told");
    long passes = strtol(argv[2], NULL, 10);
    if (passes < 1 || passes > MAX_PASSES)
        return fail("1 to 4 passes");
    if (spyhop_model_load(&model, argv[1], &error) < 0)
        return fail(error.message);
    if (make_passes(scaler, pictures, (int)passes, model, read_format(argv + 4), strtod(argv[3], NULL)))
        return 1;
    while (read_picture(&pictures[0])) {
        for (int i = 0; i < passes; i++)
            if (spyhop_scaler_run(scaler[i], &pictures[i].picture, &pictures[i + 1].picture, &error) < 0)
                return fail(error.message);
        if (write_picture(&pictures[passes]))
            return 1;
    }
    return 0;
}
