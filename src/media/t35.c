/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/t35.h"
#include "media/bits.h"

#include <string.h>

#define COUNTRY_US 0xB5
#define PROVIDER_ATSC 0x0031
#define PROVIDER_SMPTE 0x003C

void sh_t35_captions(sh_buf *out, const uint8_t *triplets, int count)
{
    sh_bits bits = {.out = out};
    sh_bits_put(&bits, 8, COUNTRY_US);
    sh_bits_put(&bits, 16, PROVIDER_ATSC);
    sh_buf_append(out, "GA94", 4);
    sh_bits_put(&bits, 8, 3);                             /* cc_data follows */
    sh_bits_put(&bits, 8, 0x40 | ((uint32_t)count & 31)); /* process_cc_data_flag, cc_count */
    sh_bits_put(&bits, 8, 0xFF);
    sh_buf_append(out, triplets, (size_t)count * 3);
    sh_bits_put(&bits, 8, 0xFF);
}

void sh_t35_active_format(sh_buf *out, uint8_t format)
{
    sh_bits bits = {.out = out};
    sh_bits_put(&bits, 8, COUNTRY_US);
    sh_bits_put(&bits, 16, PROVIDER_ATSC);
    sh_buf_append(out, "DTG1", 4);
    sh_bits_put(&bits, 8, 0x41); /* active_format_flag */
    sh_bits_put(&bits, 8, 0xF0 | (format & 15u));
}

static void put_peaks(sh_bits *bits, int present, int rows, int columns, const AVRational (*peaks)[25])
{
    rows = rows < 25 ? rows : 25;
    columns = columns < 25 ? columns : 25;
    sh_bits_put(bits, 1, present ? 1 : 0);
    if (!present)
        return;
    sh_bits_put(bits, 5, (uint32_t)rows);
    sh_bits_put(bits, 5, (uint32_t)columns);
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x++)
            sh_bits_ratio(bits, 4, peaks[y][x], 15);
}

static void put_window(sh_bits *bits, const AVHDRPlusColorTransformParams *window)
{
    sh_bits_ratio(bits, 16, window->window_upper_left_corner_x, 1);
    sh_bits_ratio(bits, 16, window->window_upper_left_corner_y, 1);
    sh_bits_ratio(bits, 16, window->window_lower_right_corner_x, 1);
    sh_bits_ratio(bits, 16, window->window_lower_right_corner_y, 1);
    sh_bits_put(bits, 16, window->center_of_ellipse_x);
    sh_bits_put(bits, 16, window->center_of_ellipse_y);
    sh_bits_put(bits, 8, window->rotation_angle);
    sh_bits_put(bits, 16, window->semimajor_axis_internal_ellipse);
    sh_bits_put(bits, 16, window->semimajor_axis_external_ellipse);
    sh_bits_put(bits, 16, window->semiminor_axis_external_ellipse);
    sh_bits_put(bits, 1, (uint32_t)window->overlap_process_option);
}

static void put_levels(sh_bits *bits, const AVHDRPlusColorTransformParams *window)
{
    const int count =
        window->num_distribution_maxrgb_percentiles < 15 ? window->num_distribution_maxrgb_percentiles : 15;
    for (int i = 0; i < 3; i++)
        sh_bits_ratio(bits, 17, window->maxscl[i], 100000);
    sh_bits_ratio(bits, 17, window->average_maxrgb, 100000);
    sh_bits_put(bits, 4, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        sh_bits_put(bits, 7, window->distribution_maxrgb[i].percentage);
        sh_bits_ratio(bits, 17, window->distribution_maxrgb[i].percentile, 100000);
    }
    sh_bits_ratio(bits, 10, window->fraction_bright_pixels, 1000);
}

static void put_curve(sh_bits *bits, const AVHDRPlusColorTransformParams *window)
{
    const int anchors = window->num_bezier_curve_anchors < 15 ? window->num_bezier_curve_anchors : 15;
    sh_bits_put(bits, 1, window->tone_mapping_flag ? 1 : 0);
    if (window->tone_mapping_flag) {
        sh_bits_ratio(bits, 12, window->knee_point_x, 4095);
        sh_bits_ratio(bits, 12, window->knee_point_y, 4095);
        sh_bits_put(bits, 4, (uint32_t)anchors);
        for (int i = 0; i < anchors; i++)
            sh_bits_ratio(bits, 10, window->bezier_curve_anchors[i], 1023);
    }
    sh_bits_put(bits, 1, window->color_saturation_mapping_flag ? 1 : 0);
    if (window->color_saturation_mapping_flag)
        sh_bits_ratio(bits, 6, window->color_saturation_weight, 8);
}

void sh_t35_hdr_plus(sh_buf *out, const AVDynamicHDRPlus *hdr)
{
    sh_bits bits = {.out = out};
    const int windows = hdr->num_windows < 1 ? 1 : hdr->num_windows < 3 ? hdr->num_windows : 3;
    sh_bits_put(&bits, 8, COUNTRY_US);
    sh_bits_put(&bits, 16, PROVIDER_SMPTE);
    sh_bits_put(&bits, 16, 1); /* provider oriented code */
    sh_bits_put(&bits, 8, 4);  /* application identifier */
    sh_bits_put(&bits, 8, hdr->application_version);
    sh_bits_put(&bits, 2, (uint32_t)windows);
    for (int w = 1; w < windows; w++) /* the first is the whole picture */
        put_window(&bits, &hdr->params[w]);
    sh_bits_ratio(&bits, 27, hdr->targeted_system_display_maximum_luminance, 1);
    put_peaks(&bits, hdr->targeted_system_display_actual_peak_luminance_flag,
              hdr->num_rows_targeted_system_display_actual_peak_luminance,
              hdr->num_cols_targeted_system_display_actual_peak_luminance,
              hdr->targeted_system_display_actual_peak_luminance);
    for (int w = 0; w < windows; w++)
        put_levels(&bits, &hdr->params[w]);
    put_peaks(&bits, hdr->mastering_display_actual_peak_luminance_flag,
              hdr->num_rows_mastering_display_actual_peak_luminance,
              hdr->num_cols_mastering_display_actual_peak_luminance,
              hdr->mastering_display_actual_peak_luminance);
    for (int w = 0; w < windows; w++)
        put_curve(&bits, &hdr->params[w]);
    sh_bits_end(&bits, 0);
}
