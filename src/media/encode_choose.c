/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which encoders there are, and which one a picture gets. */
#include "media/avlog.h"
#include "media/encode_row.h"

#include <libavutil/pixdesc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define VERSION_MAX 160

static const sh_encoder_row *const rows[] = {&sh_encoder_x264, &sh_encoder_x265, &sh_encoder_svtav1,
                                             &sh_encoder_h264_nvenc, &sh_encoder_hevc_nvenc};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

const sh_encoder_info *sh_encoder_at(size_t i)
{
    return i < ROWS ? &rows[i]->info : NULL;
}

const sh_encoder_row *sh_encoder_row_of(const char *name)
{
    for (size_t i = 0; name && i < ROWS; i++)
        if (strcmp(rows[i]->info.name, name) == 0)
            return rows[i];
    return NULL;
}

const sh_encoder_info *sh_encoder_find(const char *name)
{
    const sh_encoder_row *row = sh_encoder_row_of(name);
    return row ? &row->info : NULL;
}

const char *sh_encoder_version(const char *name)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char texts[ROWS][VERSION_MAX];
    const unsigned codec = avcodec_version();
    size_t i = 0;
    while (i < ROWS && strcmp(rows[i]->info.name, name) != 0)
        i++;
    if (i == ROWS)
        return "";
    pthread_mutex_lock(&lock);
    if (!texts[i][0]) {
        char own[VERSION_MAX / 2];
        rows[i]->version(own, sizeof(own));
        snprintf(texts[i], VERSION_MAX, "libavcodec %u.%u.%u, %s", codec >> 16, codec >> 8 & 255, codec & 255,
                 own[0] ? own : rows[i]->info.title);
    }
    pthread_mutex_unlock(&lock);
    return texts[i];
}

/* ---- formats and sizes ---- */

static const enum AVPixelFormat *formats_of(const AVCodec *codec)
{
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *formats = NULL;
    int count = 0;
    avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &formats, &count);
    return formats;
#else
    return codec->pix_fmts;
#endif
}

static bool takes(const sh_encoder_info *info, enum AVPixelFormat format)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(info->name);
    const enum AVPixelFormat *at = codec ? formats_of(codec) : NULL;
    const enum AVPixelFormat wanted = info->hardware ? sh_nvenc_format(format) : format;
    for (; at && *at != AV_PIX_FMT_NONE; at++)
        if (*at == wanted)
            return true;
    return false;
}

static enum AVPixelFormat without_j(enum AVPixelFormat format)
{
    switch ((int)format) {
    case AV_PIX_FMT_YUVJ420P:
        return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
        return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
        return AV_PIX_FMT_YUV444P;
    default:
        return format;
    }
}

enum AVPixelFormat sh_encoder_format(const sh_encoder_info *info, enum AVPixelFormat format)
{
    format = without_j(format);
    const AVPixFmtDescriptor *shape = av_pix_fmt_desc_get(format);
    if (!shape || shape->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_BE) ||
        (shape->nb_components != 1 && !(shape->flags & AV_PIX_FMT_FLAG_PLANAR)) || shape->comp[0].depth > 10)
        return AV_PIX_FMT_NONE;
    if (takes(info, format))
        return format;
    if (format == AV_PIX_FMT_GRAY8 && takes(info, AV_PIX_FMT_YUV420P))
        return AV_PIX_FMT_YUV420P;
    if (format == AV_PIX_FMT_GRAY10 && takes(info, AV_PIX_FMT_YUV420P10))
        return AV_PIX_FMT_YUV420P10;
    return AV_PIX_FMT_NONE;
}

int sh_encoder_check_picture(const sh_encoder_info *info, int width, int height, enum AVPixelFormat format,
                             sh_err *err)
{
    const AVPixFmtDescriptor *shape = av_pix_fmt_desc_get(format);
    if (!avcodec_find_encoder_by_name(info->name))
        return sh_fail(err, SH_E_UNSUPPORTED, "this libavcodec is built without %s", info->name);
    if (sh_encoder_format(info, format) == AV_PIX_FMT_NONE)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s does not encode %s; libx264 and libx265 take most formats",
                       info->title, shape ? shape->name : "this format of picture");
    if (width < info->width_min || height < info->height_min)
        return sh_fail(err, SH_E_LIMIT, "%s encodes no picture smaller than %dx%d, and this one is %dx%d",
                       info->title, info->width_min, info->height_min, width, height);
    if (width > info->side_max || height > info->side_max || (int64_t)width * height > info->area_max)
        return sh_fail(
            err, SH_E_LIMIT,
            "%dx%d is too large for %s: no side over %d and at most %lld pixels (%s); ask for less with --to",
            width, height, info->title, info->side_max, (long long)info->area_max,
            info->hardware ? "the hardware's limit" : "the codec's highest level");
    if (width % (1 << shape->log2_chroma_w) || height % (1 << shape->log2_chroma_h))
        return sh_fail(err, SH_E_UNSUPPORTED, "%dx%d does not go with %s: %s must be even", width, height,
                       shape->name, height % (1 << shape->log2_chroma_h) ? "width and height" : "the width");
    return 0;
}

/* ---- choosing ---- */

/* Whether a device really encodes; asked once a process. */
static bool opens(const sh_encoder_row *row, enum AVPixelFormat format)
{
    static _Atomic int known[ROWS][2]; /* 0: not asked, 1: no, 2: yes; by depth */
    const AVPixFmtDescriptor *shape = av_pix_fmt_desc_get(format);
    size_t i = 0;
    while (rows[i] != row)
        i++;
    _Atomic int *answer = &known[i][shape && shape->comp[0].depth > 8];
    if (atomic_load(answer) == 0) {
        sh_encoder_settings settings;
        sh_encoder *encoder = NULL;
        sh_err ignored;
        sh_encoder_settings_default(&settings);
        settings.name = row->info.name;
        settings.width = settings.height = 256;
        settings.format = format;
        atomic_store(answer, sh_encoder_open(&encoder, &settings, &ignored) == 0 ? 2 : 1);
        sh_encoder_close(&encoder);
    }
    return atomic_load(answer) == 2;
}

static int check(const sh_encoder_wish *wish, const sh_encoder_row *row, sh_err *err)
{
    const sh_encoder_info *info = &row->info;
    int status = sh_encoder_check_picture(info, wish->width, wish->height, wish->format, err);
    if (status < 0)
        return status;
    if (wish->muxer && avformat_query_codec(wish->muxer, info->codec, FF_COMPLIANCE_NORMAL) == 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s (%s) does not fit into a file of this kind (%s)",
                       avcodec_get_name(info->codec), info->name, wish->muxer->name);
    if (info->hardware && !wish->hardware)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s needs the graphics card, which a confined process does not reach: it takes --no-sandbox",
            info->name);
    if (info->hardware && !opens(row, sh_encoder_format(info, wish->format)))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: no device here opens it", info->name);
    return 0;
}

static void give_reason(const sh_encoder_wish *wish, const sh_encoder_row *row, bool deep, char *reason,
                        size_t size)
{
    const char *why = row->info.hardware        ? "a device encodes it"
                      : wish->hdr               ? "the picture is HDR"
                      : deep                    ? "the picture has 10 bits"
                      : row == &sh_encoder_x264 ? "every player takes H.264 of 8 bits"
                      : row == &sh_encoder_x265 ? "the picture is too large or too small for H.264"
                                                : "no other encoder takes such a picture";
    if (reason && size > 0)
        snprintf(reason, size, "%s: %s", row->info.name, why);
}

static int choose_auto(const sh_encoder_wish *wish, const sh_encoder_info **info, char *reason,
                       size_t reason_size, sh_err *err)
{
    static const sh_encoder_row *const plain[] = {&sh_encoder_h264_nvenc, &sh_encoder_x264,
                                                  &sh_encoder_hevc_nvenc, &sh_encoder_x265,
                                                  &sh_encoder_svtav1};
    static const sh_encoder_row *const deeper[] = {&sh_encoder_hevc_nvenc, &sh_encoder_x265,
                                                   &sh_encoder_svtav1, &sh_encoder_x264};
    const AVPixFmtDescriptor *shape = av_pix_fmt_desc_get(wish->format);
    const bool deep = shape && shape->comp[0].depth > 8;
    const sh_encoder_row *const *candidates = deep || wish->hdr ? deeper : plain;
    const size_t count =
        deep || wish->hdr ? sizeof(deeper) / sizeof(*deeper) : sizeof(plain) / sizeof(*plain);
    sh_err first = {0}, now = {0};
    for (size_t i = 0; i < count; i++) {
        if (candidates[i]->info.hardware && !wish->hardware)
            continue;
        if (check(wish, candidates[i], &now) == 0) {
            *info = &candidates[i]->info;
            give_reason(wish, candidates[i], deep, reason, reason_size);
            return 0;
        }
        if (first.status == 0 && !candidates[i]->info.hardware)
            first = now;
    }
    return sh_fail(err, first.status, "no encoder takes this picture: %s", first.message);
}

static int fail_unknown(const char *name, sh_err *err)
{
    char names[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < ROWS; i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, ", %s", rows[i]->info.name);
    return sh_fail(err, SH_E_ARGUMENT, "there is no encoder \"%.60s\"; there are auto%s", name, names);
}

int sh_encoder_choose(const sh_encoder_wish *wish, const sh_encoder_info **info, char *reason,
                      size_t reason_size, sh_err *err)
{
    if (!wish->name || strcmp(wish->name, "auto") == 0)
        return choose_auto(wish, info, reason, reason_size, err);
    const sh_encoder_row *row = sh_encoder_row_of(wish->name);
    if (!row)
        return fail_unknown(wish->name, err);
    int status = check(wish, row, err);
    if (status == 0)
        *info = &row->info;
    if (status == 0 && reason && reason_size > 0)
        snprintf(reason, reason_size, "%s: asked for", row->info.name);
    return status;
}
