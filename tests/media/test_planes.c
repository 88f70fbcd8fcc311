/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MATLAB's imresize, PSNR and SSIM: against values worked out by hand or by direct
 * formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
        cmocka_unit_test(imresize_halves),      cmocka_unit_test(imresize_mirrors),
        cmocka_unit_test(imresize_doubles),     cmocka_unit_test(psnr_is_what_it_says),
        cmocka_unit_test(ssim_is_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
