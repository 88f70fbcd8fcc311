/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sequence parameter sets of H.264 (ISO 14496-10, 7.3.2.1) and H.265 (ISO 23008-2, 7.3.2.2), with their VUI
 * up to the timing. All that is read is bounded: a value out of its range makes the set bad, so that no later
 * sum can overflow and no loop is longer than the standard allows. */
#include "stream/codec_bits.h"
#include "stream/codec_inner.h"
#include <string.h>

#define MOST_SIZE 16384

static const uint8_t sar_table[17][2] = {{0, 1},   {1, 1},    {12, 11}, {10, 11}, {16, 11}, {40, 33},
                                         {24, 11}, {20, 11},  {32, 11}, {80, 33}, {18, 11}, {15, 11},
                                         {64, 33}, {160, 99}, {4, 3},   {3, 2},   {2, 1}};

void sh_rate_set(sh_video_config *out, int64_t num, int64_t den)
{
    int64_t a = num, b = den;
    if (num <= 0 || den <= 0) {
        out->rate_num = 0;
        out->rate_den = 1;
        return;
    }
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    out->rate_num = num / a;
    out->rate_den = den / a;
}

static void config_unknown(sh_video_config *video, sh_codec codec)
{
    *video = (sh_video_config){.codec = codec, .sar_den = 1, .rate_den = 1, .bit_depth = 8, .chroma = 1};
    video->colour = (sh_cicp){2, 2, 2, false};
}

/* What both codecs begin their VUI with: aspect ratio to chroma location. */
static void vui_head(sh_video_config *video, sh_bitread *r)
{
    if (sh_bitread_flag(r)) { /* aspect_ratio_info_present */
        const uint32_t idc = sh_bitread_bits(r, 8);
        if (idc == 255) {
            video->sar_num = (int)sh_bitread_bits(r, 16);
            video->sar_den = (int)sh_bitread_bits(r, 16);
        } else if (idc < 17) {
            video->sar_num = sar_table[idc][0];
            video->sar_den = sar_table[idc][1];
        }
        if (video->sar_num == 0 || video->sar_den == 0) {
            video->sar_num = 0;
            video->sar_den = 1;
        }
    }
    if (sh_bitread_flag(r)) /* overscan_info_present */
        sh_bitread_skip(r, 1);
    if (sh_bitread_flag(r)) { /* video_signal_type_present */
        sh_bitread_skip(r, 3);
        video->colour.full_range = sh_bitread_flag(r);
        if (sh_bitread_flag(r)) {
            video->colour_told = true;
            video->colour.primaries = (int)sh_bitread_bits(r, 8);
            video->colour.transfer = (int)sh_bitread_bits(r, 8);
            video->colour.matrix = (int)sh_bitread_bits(r, 8);
        }
    }
    if (sh_bitread_flag(r)) { /* chroma_loc_info_present */
        sh_bitread_ue(r);
        sh_bitread_ue(r);
    }
}

static void vui_timing(sh_video_config *video, sh_bitread *r, int64_t fields)
{
    if (!sh_bitread_flag(r))
        return;
    const int64_t units = sh_bitread_bits(r, 32);
    const int64_t scale = sh_bitread_bits(r, 32);
    sh_rate_set(video, scale, units * fields);
}

/* Crops a picture of width x height by four offsets in units; false where nothing is left. */
static bool crop(sh_video_config *video, int width, int height, sh_bitread *r, int unit_x, int unit_y)
{
    int side[4];
    for (int i = 0; i < 4; i++)
        side[i] = sh_bitread_ue_to(r, MOST_SIZE);
    width -= (side[0] + side[1]) * unit_x;
    height -= (side[2] + side[3]) * unit_y;
    video->width = width;
    video->height = height;
    return width > 0 && height > 0;
}

static void avc_scaling_list(sh_bitread *r, int size)
{
    int last = 8, next = 8;
    for (int i = 0; i < size && !r->bad; i++) {
        if (next != 0)
            next = (last + sh_bitread_se(r) % 256 + 512) % 256;
        last = next == 0 ? last : next;
    }
}

static void avc_high_fields(sh_sps *sps, sh_bitread *r)
{
    sps->video.chroma = sh_bitread_ue_to(r, 3);
    if (sps->video.chroma == 3)
        sh_bitread_skip(r, 1);
    sps->video.bit_depth = 8 + sh_bitread_ue_to(r, 6);
    sps->chroma_depth = 8 + sh_bitread_ue_to(r, 6);
    sh_bitread_skip(r, 1);
    if (!sh_bitread_flag(r))
        return;
    for (int i = 0; i < (sps->video.chroma == 3 ? 12 : 8); i++)
        if (sh_bitread_flag(r))
            avc_scaling_list(r, i < 6 ? 16 : 64);
}

static void avc_picture_order(sh_bitread *r)
{
    const int type = sh_bitread_ue_to(r, 2);
    if (type == 0)
        sh_bitread_ue_to(r, 12);
    if (type != 1)
        return;
    sh_bitread_skip(r, 1);
    sh_bitread_se(r);
    sh_bitread_se(r);
    for (int n = sh_bitread_ue_to(r, 255); n > 0 && !r->bad; n--)
        sh_bitread_se(r);
}

static bool avc_size(sh_video_config *video, sh_bitread *r)
{
    const int columns = sh_bitread_ue_to(r, MOST_SIZE / 16 - 1) + 1;
    const int rows = sh_bitread_ue_to(r, MOST_SIZE / 16 - 1) + 1;
    const bool frames = sh_bitread_flag(r);
    const int fields = frames ? 1 : 2;
    video->interlaced = !frames;
    sh_bitread_skip(r, frames ? 1 : 2); /* mb_adaptive_frame_field, direct_8x8_inference */
    video->width = columns * 16;
    video->height = rows * 16 * fields;
    if (!sh_bitread_flag(r))
        return video->height <= MOST_SIZE;
    return crop(video, columns * 16, rows * 16 * fields, r, video->chroma == 1 || video->chroma == 2 ? 2 : 1,
                (video->chroma == 1 ? 2 : 1) * fields);
}

static bool avc_is_high(int profile)
{
    static const uint8_t high[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    return memchr(high, profile, sizeof(high)) != NULL;
}

int sh_avc_sps_read(sh_sps *out, sh_nal nal, sh_err *err)
{
    sh_bitread r = {.data = nal.data, .size = nal.size, .escaped = true};
    sh_sps sps = {.chroma_depth = 8};
    config_unknown(&sps.video, SH_CODEC_AVC);
    sh_bitread_skip(&r, 8);
    sps.video.profile = (int)sh_bitread_bits(&r, 8);
    sps.video.constraints = (int)sh_bitread_bits(&r, 8);
    sps.video.level = (int)sh_bitread_bits(&r, 8);
    sps.id = sh_bitread_ue_to(&r, 31);
    if (avc_is_high(sps.video.profile))
        avc_high_fields(&sps, &r);
    sh_bitread_ue_to(&r, 12); /* log2_max_frame_num */
    avc_picture_order(&r);
    sh_bitread_ue_to(&r, 16); /* max_num_ref_frames */
    sh_bitread_skip(&r, 1);
    const bool sized = avc_size(&sps.video, &r);
    if (sh_bitread_flag(&r)) {
        vui_head(&sps.video, &r);
        vui_timing(&sps.video, &r, 2);
    }
    if (r.bad || !sized)
        return sh_fail(err, SH_E_FORMAT, "H.264 sequence parameter set of %zu bytes is damaged near byte %zu",
                       nal.size, r.at);
    *out = sps;
    return 0;
}

static void hevc_profile(sh_sps *sps, sh_bitread *r)
{
    bool profile[8], level[8];
    for (size_t i = 0; i < sizeof(sps->profile_tier_level); i++)
        sps->profile_tier_level[i] = (uint8_t)sh_bitread_bits(r, 8);
    sps->video.profile = sps->profile_tier_level[0] & 31;
    sps->video.high_tier = sps->profile_tier_level[0] >> 5 & 1;
    sps->video.level = sps->profile_tier_level[11];
    for (int i = 0; i < sps->layers - 1; i++) {
        profile[i] = sh_bitread_flag(r);
        level[i] = sh_bitread_flag(r);
    }
    if (sps->layers > 1)
        sh_bitread_skip(r, 2 * (9 - sps->layers));
    for (int i = 0; i < sps->layers - 1; i++)
        sh_bitread_skip(r, (profile[i] ? 88 : 0) + (level[i] ? 8 : 0));
}

static void hevc_scaling_lists(sh_bitread *r)
{
    for (int size = 0; size < 4; size++)
        for (int matrix = 0; matrix < 6 && !r->bad; matrix += size == 3 ? 3 : 1) {
            if (!sh_bitread_flag(r)) {
                sh_bitread_ue(r);
                continue;
            }
            for (int n = (size == 0 ? 16 : 64) + (size > 1); n > 0; n--)
                sh_bitread_se(r);
        }
}

/* One short-term reference picture set; *pictures: those of the one before, then of this one. */
static void hevc_reference_set(sh_bitread *r, bool first, int *pictures)
{
    if (!first && sh_bitread_flag(r)) {
        int count = 0;
        sh_bitread_skip(r, 1);
        sh_bitread_ue(r);
        for (int i = 0; i <= *pictures; i++)
            count += sh_bitread_flag(r) || sh_bitread_flag(r);
        *pictures = count;
        r->bad |= count > 16;
        return;
    }
    *pictures = sh_bitread_ue_to(r, 16);
    *pictures += sh_bitread_ue_to(r, 16);
    for (int i = 0; i < *pictures && !r->bad; i++) {
        sh_bitread_ue(r);
        sh_bitread_skip(r, 1);
    }
    r->bad |= *pictures > 16;
}

static void hevc_references(sh_bitread *r, int poc_bits)
{
    int pictures = 0;
    const int sets = sh_bitread_ue_to(r, 64);
    for (int i = 0; i < sets && !r->bad; i++)
        hevc_reference_set(r, i == 0, &pictures);
    if (!sh_bitread_flag(r)) /* long_term_ref_pics_present */
        return;
    for (int n = sh_bitread_ue_to(r, 32); n > 0 && !r->bad; n--)
        sh_bitread_skip(r, poc_bits + 1);
}

static bool hevc_size(sh_sps *sps, sh_bitread *r)
{
    sps->video.chroma = sh_bitread_ue_to(r, 3);
    if (sps->video.chroma == 3)
        sh_bitread_skip(r, 1);
    sps->video.width = sh_bitread_ue_to(r, MOST_SIZE);
    sps->video.height = sh_bitread_ue_to(r, MOST_SIZE);
    if (!sh_bitread_flag(r))
        return sps->video.width > 0 && sps->video.height > 0;
    return crop(&sps->video, sps->video.width, sps->video.height, r,
                sps->video.chroma == 1 || sps->video.chroma == 2 ? 2 : 1, sps->video.chroma == 1 ? 2 : 1);
}

/* From the bit depths to the flag before the VUI. */
static void hevc_tools(sh_sps *sps, sh_bitread *r)
{
    sps->video.bit_depth = 8 + sh_bitread_ue_to(r, 8);
    sps->chroma_depth = 8 + sh_bitread_ue_to(r, 8);
    const int poc_bits = 4 + sh_bitread_ue_to(r, 12);
    for (int n = sh_bitread_flag(r) ? sps->layers : 1; n > 0; n--) {
        sh_bitread_ue(r);
        sh_bitread_ue(r);
        sh_bitread_ue(r);
    }
    for (int i = 0; i < 6; i++) /* sizes of coding and transform blocks, depths */
        sh_bitread_ue_to(r, 16);
    if (sh_bitread_flag(r) && sh_bitread_flag(r))
        hevc_scaling_lists(r);
    sh_bitread_skip(r, 2);
    if (sh_bitread_flag(r)) { /* pcm */
        sh_bitread_skip(r, 8);
        sh_bitread_ue(r);
        sh_bitread_ue(r);
        sh_bitread_skip(r, 1);
    }
    hevc_references(r, poc_bits);
    sh_bitread_skip(r, 2);
}

static void hevc_vui(sh_video_config *video, sh_bitread *r)
{
    vui_head(video, r);
    sh_bitread_skip(r, 1); /* neutral_chroma_indication */
    video->interlaced = sh_bitread_flag(r);
    sh_bitread_skip(r, 1);
    if (sh_bitread_flag(r)) /* default_display_window: a hint that nobody applies */
        for (int i = 0; i < 4; i++)
            sh_bitread_ue(r);
    vui_timing(video, r, 1);
}

int sh_hevc_sps_read(sh_sps *out, sh_nal nal, sh_err *err)
{
    sh_bitread r = {.data = nal.data, .size = nal.size, .escaped = true};
    sh_sps sps = {.chroma_depth = 8};
    config_unknown(&sps.video, SH_CODEC_HEVC);
    sh_bitread_skip(&r, 16 + 4);
    sps.layers = (int)sh_bitread_bits(&r, 3) + 1;
    r.bad |= sps.layers > 7;
    sps.nested = sh_bitread_flag(&r);
    if (!r.bad)
        hevc_profile(&sps, &r);
    sps.id = sh_bitread_ue_to(&r, 15);
    const bool sized = hevc_size(&sps, &r);
    hevc_tools(&sps, &r);
    if (sh_bitread_flag(&r))
        hevc_vui(&sps.video, &r);
    if (r.bad || !sized)
        return sh_fail(err, SH_E_FORMAT, "H.265 sequence parameter set of %zu bytes is damaged near byte %zu",
                       nal.size, r.at);
    *out = sps;
    return 0;
}
