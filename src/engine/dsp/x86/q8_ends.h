/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two ends of a network in eight-bit integers: samples in, the base, samples out. The including file has
 * q8_256.h or q8_512.h and defined the floats of the same lanes:
 *
 *   vecf, f_load, f_set, f_mul, f_add, f_clip(v, peak)  clipped to 0..peak
 *   f_int(v)                                            rounded to nearest, ties to even
 *   v_low(low, high, bytes)   as emit() below wants it */
#include <math.h>

static void load8_simd(int16_t *out, const void *in, int n)
{
    const uint8_t *from = in;
    for (int x = 0; x < n; x++)
        out[x] = from[x];
}

static void load16_simd(int16_t *out, const void *in, int n)
{
    const uint16_t *from = in;
    for (int x = 0; x < n; x++)
        out[x] = (int16_t)(from[x] ^ 0x8000);
}

static void base_simd(float *const *out, const int16_t *in, const sh_q8_base *base, int n)
{
    for (int j = 0; j < base->factor; j++) {
        const int16_t *from = in + base->start[j];
        vec early = v_set(dword_at(base->taps[j])), late = v_set(dword_at(base->taps[j] + 2));
        for (int x = 0; x < whole_steps(n); x += PIXELS) {
            vec sum = v_words(v_zip(from + x, from + x + 1), early);
            f_store(out[j] + x, v_float(v_dot_words(sum, v_zip(from + x + 2, from + x + 3), late)));
        }
    }
}

/* `bytes` bytes a pixel: the first of the dword in `low`, and then those in `high` for more than four. */
ALWAYS void emit(uint8_t *to, vec low, vec high, const int bytes)
{
    if (bytes == 1 || bytes == 2) {
        v_narrow(to, low, bytes);
    } else if (bytes == 4) {
        v_store(to, low);
    } else if (bytes == 3) {
        static const int8_t three[16] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1};
        v_twelve(to, v_shuffle(low, v_lanes(three)));
    } else {
        static const int8_t six[16] = {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1};
        vec first = v_low_pairs(low, high), second = v_high_pairs(low, high);
        if (bytes == 8)
            v_store_turned(to, first, second);
        else
            v_twelve_turned(to, v_shuffle(first, v_lanes(six)), v_shuffle(second, v_lanes(six)));
    }
}

ALWAYS vec finish_one(const float *const *base, const int32_t *const *sums, const sh_q8_finish *f, int j,
                      int x, const int factor)
{
    vecf upper = f_add(f_mul(f_set(f->taps[0]), f_load(base[j] + x)),
                       f_mul(f_set(f->taps[1]), f_load(base[factor + j] + x)));
    vecf lower = f_add(f_mul(f_set(f->taps[2]), f_load(base[2 * factor + j] + x)),
                       f_mul(f_set(f->taps[3]), f_load(base[3 * factor + j] + x)));
    vecf v = f_add(f_add(upper, lower), f_set(f->offset));
    v = f_add(v, f_mul(v_float(v_load(sums[j] + x)), f_set(f->scale[j])));
    return f_int(f_clip(v, f_set(f->peak)));
}

ALWAYS void finish_rows(void *out, const float *const *base, const int32_t *const *sums,
                        const sh_q8_finish *f, int n, const int factor, const int size)
{
    uint8_t *to = out, end[PIXELS * SH_Q8_SCALE * 2];
    for (int x = 0; x < n; x += PIXELS) {
        const int whole = x + PIXELS <= n, bytes = factor * size;
        vec part[2] = {v_zero(), v_zero()};
        UNROLL
        for (int j = 0; j < factor; j++) {
            vec v = finish_one(base, sums, f, j, x, factor);
            part[j * size / 4] = v_or(part[j * size / 4], v_left(v, j * size % 4 * 8));
        }
        emit(whole ? to + x * bytes : end, part[0], part[1], bytes);
        if (!whole)
            memcpy(to + x * bytes, end, (size_t)((n - x) * bytes));
    }
}

ALWAYS void finish_size(void *out, const float *const *base, const int32_t *const *sums,
                        const sh_q8_finish *f, int n, const int size)
{
    switch (f->factor) {
    case 1:
        finish_rows(out, base, sums, f, n, 1, size);
        break;
    case 2:
        finish_rows(out, base, sums, f, n, 2, size);
        break;
    case 3:
        finish_rows(out, base, sums, f, n, 3, size);
        break;
    default:
        finish_rows(out, base, sums, f, n, 4, size);
    }
}

static void finish8_simd(void *out, const float *const *base, const int32_t *const *sums,
                         const sh_q8_finish *f, int n)
{
    finish_size(out, base, sums, f, n, 1);
}

static void finish16_simd(void *out, const float *const *base, const int32_t *const *sums,
                          const sh_q8_finish *f, int n)
{
    finish_size(out, base, sums, f, n, 2);
}

static void init_simd(sh_dsp *dsp)
{
    dsp->q8_load8 = load8_simd;
    dsp->q8_load16 = load16_simd;
    dsp->q8_first = first_simd;
    dsp->q8_conv = conv_simd;
    dsp->q8_sums = sums_simd;
    dsp->q8_base = base_simd;
    dsp->q8_finish8 = finish8_simd;
    dsp->q8_finish16 = finish16_simd;
    dsp->q8_peak = peak_simd;
}
