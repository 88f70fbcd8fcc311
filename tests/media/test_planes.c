/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lanczos on planes, MATLAB's imresize, PSNR and SSIM: against values worked out by hand or by direct
 * formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/lanczos.h"
#include "media/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

static double lanczos3(double x)
{
    return fabs(x) < 1e-12 ? 1 : fabs(x) >= 3 ? 0 : 3 * sin(PI * x) * sin(PI * x / 3) / (PI * PI * x * x);
}

/* The definition, in one dimension: output k lies at k / 2 + offset. */
static double at(const uint8_t *in, int width, int k, double offset)
{
    double position = k / 2.0 + offset, sum = 0, weights = 0;
    for (int i = (int)floor(position) - 3; i <= (int)floor(position) + 4; i++) {
        double w = lanczos3(position - i);
        int clamped = i < 0 ? 0 : i >= width ? width - 1 : i;
        sum += w * in[clamped];
        weights += w;
    }
    return sum / weights;
}

static void check_row(int kind, double offset)
{
    uint8_t in[23], out[46];
    for (int i = 0; i < 23; i++)
        in[i] = (uint8_t)(i * 97 % 256);
    const sh_samples from = {in, 23, 23, 1}, to = {out, 46, 46, 1};
    assert_true(sh_lanczos(&to, &from, 8, kind, SH_LANCZOS_KEEP));
    for (int k = 0; k < 46; k++) {
        double wanted = at(in, 23, k, offset);
        wanted = wanted < 0 ? 0 : wanted > 255 ? 255 : wanted;
        assert_true(fabs(out[k] - wanted) < 0.6);
    }
}

static void lanczos_follows_its_definition(void **state)
{
    check_row(SH_LANCZOS_COSITED, -0.125);
    check_row(SH_LANCZOS_CENTRED, -0.25);
}

static void lanczos_columns_are_as_rows(void **state)
{
    uint8_t in[9], across[18], down[18];
    for (int i = 0; i < 9; i++)
        in[i] = (uint8_t)(i * 53 % 256);
    const sh_samples row = {in, 9, 9, 1}, wide = {across, 18, 18, 1}, column = {in, 1, 1, 9},
                     tall = {down, 1, 1, 18};
    assert_true(sh_lanczos(&wide, &row, 8, SH_LANCZOS_CENTRED, SH_LANCZOS_KEEP));
    assert_true(sh_lanczos(&tall, &column, 8, SH_LANCZOS_KEEP, SH_LANCZOS_CENTRED));
    for (int i = 0; i < 18; i++)
        assert_in_range(abs(across[i] - down[i]), 0, 1);
}

/* Flat planes stay flat at every depth and value that matters, and no sample outside `out` is touched. */
static void lanczos_keeps_flat_planes(void **state)
{
    static const int depths[] = {8, 10, 12, 16};
    uint16_t in[5 * 7], out[14 * 12];
    for (int d = 0; d < 4; d++) {
        const int maximum = (1 << depths[d]) - 1, values[] = {0, 1, maximum / 2, maximum - 1, maximum};
        for (int v = 0; v < 5; v++) {
            uint8_t *const in8 = (uint8_t *)in, *const out8 = (uint8_t *)out;
            const int bytes = depths[d] == 8 ? 1 : 2;
            memset(out, 0xA5, sizeof(out));
            for (int i = 0; i < 35; i++) {
                in[i] = bytes == 2 ? (uint16_t)values[v] : in[i];
                if (bytes == 1)
                    in8[i] = (uint8_t)values[v];
            }
            const sh_samples from = {in8, 5 * bytes, 5, 7}, to = {out8, 12 * bytes, 9, 14};
            assert_true(sh_lanczos(&to, &from, depths[d], SH_LANCZOS_COSITED, SH_LANCZOS_CENTRED));
            for (int i = 0; i < 14 * 12; i++) {
                const int got = bytes == 1 ? out8[i] : out[i], guard = bytes == 1 ? 0xA5 : 0xA5A5;
                assert_int_equal(got, i % 12 < 9 ? values[v] : guard);
            }
        }
    }
}

static sh_plane8 plane(int width, int height, int seed)
{
    sh_plane8 p;
    assert_true(sh_plane8_new(&p, width, height));
    for (int i = 0; i < width * height; i++)
        p.data[i] = (uint8_t)((i * 31 + i / width * 17 + seed) % 256);
    return p;
}

/* Halving has the weights of the cubic kernel stretched by two: -3, -9, 29, 111 over 256, and mirrored. */
static void imresize_halves(void **state)
{
    static const int weight[8] = {-3, -9, 29, 111, 111, 29, -9, -3};
    sh_plane8 in = plane(32, 1, 5), out;
    assert_true(sh_plane8_new(&out, 16, 1));
    assert_true(sh_imresize(&out, &in, SH_KERNEL_CUBIC));
    for (int x = 2; x < 14; x++) {
        double sum = 0;
        for (int k = 0; k < 8; k++)
            sum += weight[k] / 256.0 * in.data[2 * x - 3 + k];
        sum = floor(sum + 0.5);
        assert_int_equal(out.data[x], sum < 0 ? 0 : sum > 255 ? 255 : (int)sum);
    }
    sh_plane8_free(&in);
    sh_plane8_free(&out);
}

/* At the border the picture is mirrored with its edge sample twice. */
static void imresize_mirrors(void **state)
{
    uint8_t samples[4] = {10, 50, 200, 90}, result[2];
    const sh_plane8 in = {samples, 4, 1}, out = {result, 2, 1};
    const int mirrored[8] = {200, 50, 10, 10, 50, 200, 90, 90};
    static const int weight[8] = {-3, -9, 29, 111, 111, 29, -9, -3};
    double sum = 0;
    for (int k = 0; k < 8; k++) /* positions -3..4 */
        sum += weight[k] / 256.0 * mirrored[k];
    assert_true(sh_imresize(&out, &in, SH_KERNEL_CUBIC));
    assert_int_equal(result[0], (int)floor(sum + 0.5));
}

static void imresize_doubles(void **state)
{
    sh_plane8 in = plane(9, 7, 3), out;
    assert_true(sh_plane8_new(&out, 18, 14));
    memset(in.data, 77, 63);
    for (int kernel = SH_KERNEL_CUBIC; kernel <= SH_KERNEL_LANCZOS3; kernel++) {
        assert_true(sh_imresize(&out, &in, kernel));
        for (int i = 0; i < 18 * 14; i++)
            assert_int_equal(out.data[i], 77);
    }
    sh_plane8_free(&in);
    sh_plane8_free(&out);
}

static void psnr_is_what_it_says(void **state)
{
    sh_plane8 a = plane(20, 20, 0), b = plane(20, 20, 0);
    assert_true(sh_psnr(&a, &b, 2) == 100);
    b.data[0] = (uint8_t)~b.data[0]; /* in the border */
    assert_true(sh_psnr(&a, &b, 2) == 100);
    b.data[10 * 20 + 10] = (uint8_t)(b.data[10 * 20 + 10] ^ 16);
    assert_true(fabs(sh_psnr(&a, &b, 2) - 10 * log10(255.0 * 255.0 * 256 / 256)) < 1e-9);
    sh_plane8_free(&a);
    sh_plane8_free(&b);
}

static void ssim_is_what_it_says(void **state)
{
    sh_plane8 a = plane(24, 24, 0), b = plane(24, 24, 0);
    assert_true(fabs(sh_ssim(&a, &b, 2) - 1) < 1e-12);
    memset(a.data, 100, 24 * 24);
    memset(b.data, 120, 24 * 24);
    /* flat planes: only the luminance term is left */
    const double c1 = 0.01 * 255 * 0.01 * 255,
                 wanted = (2 * 100.0 * 120 + c1) / (100.0 * 100 + 120.0 * 120 + c1);
    assert_true(fabs(sh_ssim(&a, &b, 0) - wanted) < 1e-9);
    assert_true(sh_ssim(&a, &b, 8) == 0); /* no window fits */
    sh_plane8_free(&a);
    sh_plane8_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanczos_follows_its_definition),
        cmocka_unit_test(lanczos_columns_are_as_rows),
        cmocka_unit_test(lanczos_keeps_flat_planes),
        cmocka_unit_test(imresize_halves),
        cmocka_unit_test(imresize_mirrors),
        cmocka_unit_test(imresize_doubles),
        cmocka_unit_test(psnr_is_what_it_says),
        cmocka_unit_test(ssim_is_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
