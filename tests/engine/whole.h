/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_WHOLE_H
#define TESTS_ENGINE_WHOLE_H
/* Whole pictures for the tests of spyhop/picture.h: samples by channel (0 luma or G, 1 Cb or B, 2 Cr or R, 3
 * alpha), however they are stored, and chroma enlarged by the definition. Failures are cmocka's. */
#include <spyhop/picture.h>

typedef struct whole {
    spyhop_format format;
    spyhop_picture picture;
    uint8_t *memory[4];
    size_t size[4];
} whole;

spyhop_format whole_format(int layout, int depth, int width, int height);
/* `extra` bytes, an even number, of 0xa5 follow each row; bottom-up when flip. */
whole whole_new(const spyhop_format *format, int extra, int flip);
void whole_free(whole *w);
/* 0 x 0 where there is no such channel. */
void whole_size(const spyhop_format *format, int channel, int *width, int *height);
int whole_get(const whole *w, int channel, int x, int y);
void whole_set(whole *w, int channel, int x, int y, int value);
void whole_fill(whole *w, uint32_t seed);       /* any code values */
void whole_flat(whole *w, const int values[4]); /* one value a channel */
int whole_same(const whole *a, const whole *b); /* all samples of all channels */
int whole_is_flat(const whole *w, const int values[4]);
int whole_gaps_intact(const whole *w);

spyhop_scaler *whole_open(const spyhop_model *model, const spyhop_scaling *scaling, int threads, int cpu);
/* The scaler's result on new memory. */
whole whole_run(spyhop_scaler *scaler, const whole *in, int extra, int flip);

/* What Lanczos makes of a channel at sample (x, y) of a picture of `out`, in doubles, from the definition. */
double whole_lanczos(const whole *in, const spyhop_format *out, int scale, int channel, int x, int y);
/* Least and greatest code that a limited range allows there. */
void whole_limits(const whole *in, const spyhop_format *out, int scale, int channel, int x, int y, int *low,
                  int *high);

#endif
