/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/y4m.h"
#include "base/file.h"

#include <inttypes.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char frame_line[] = "FRAME\n";
#define LINE_BYTES (sizeof(frame_line) - 1)

/* The word after C, and the one after XYSCSS=; NULL: none. 4:2:0 of 8 bits depends on siting. */
static const struct {
    enum AVPixelFormat format;
    const char *word, *extension;
} formats[] = {
    {AV_PIX_FMT_GRAY8, "mono", NULL},   {AV_PIX_FMT_GRAY10, "mono10", NULL},
    {AV_PIX_FMT_YUV420P, NULL, NULL},   {AV_PIX_FMT_YUV420P10, "420p10", "420P10"},
    {AV_PIX_FMT_YUV422P, "422", "422"}, {AV_PIX_FMT_YUV422P10, "422p10", "422P10"},
    {AV_PIX_FMT_YUV444P, "444", "444"}, {AV_PIX_FMT_YUV444P10, "444p10", "444P10"},
};

static int find(enum AVPixelFormat format)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (formats[i].format == format)
            return (int)i;
    return -1;
}

bool sh_y4m_takes(enum AVPixelFormat format)
{
    return find(format) >= 0;
}

static void name_layout(const AVFrame *picture, const char **word, const char **extension)
{
    const int at = find(picture->format);
    *word = formats[at].word;
    *extension = formats[at].extension;
    if (*word)
        return;
    switch (picture->chroma_location) {
    case AVCHROMA_LOC_CENTER:
        *word = "420jpeg";
        *extension = "420JPEG";
        break;
    case AVCHROMA_LOC_TOPLEFT:
        *word = "420paldv";
        *extension = "420PALDV";
        break;
    default:
        *word = "420mpeg2";
        *extension = "420MPEG2";
    }
}

static int put(sh_y4m *y4m, const void *data, size_t size, sh_err *err)
{
    if (sh_fd_write(y4m->fd, data, size, err) < 0)
        return sh_err_prefix(err, "Y4M, after frame %" PRId64, y4m->frames);
    y4m->written += (int64_t)size;
    return 0;
}

int sh_y4m_open(sh_y4m *y4m, int fd, const AVFrame *picture, AVRational rate, AVRational sar, sh_err *err)
{
    char header[200];
    const char *word, *extension;
    if (!sh_y4m_takes(picture->format))
        return sh_fail(err, SH_E_UNSUPPORTED, "Y4M has no word for pictures of format %s",
                       av_get_pix_fmt_name(picture->format));
    if (rate.num <= 0 || rate.den <= 0)
        return sh_fail(err, SH_E_ARGUMENT, "Y4M needs a frame rate, and the source's is not known");
    const int size = av_image_get_buffer_size(picture->format, picture->width, picture->height, 1);
    uint8_t *bytes = size > 0 ? malloc((size_t)size + LINE_BYTES) : NULL;
    if (!bytes)
        return sh_fail(err, SH_E_MEMORY, "no memory for a picture of %dx%d", picture->width, picture->height);
    memcpy(bytes, frame_line, LINE_BYTES);
    *y4m = (sh_y4m){.fd = fd,
                    .width = picture->width,
                    .height = picture->height,
                    .format = picture->format,
                    .bytes = bytes,
                    .size = (size_t)size + LINE_BYTES};
    name_layout(picture, &word, &extension);
    const int length =
        snprintf(header, sizeof(header), "YUV4MPEG2 W%d H%d F%d:%d Ip A%d:%d C%s%s%s XCOLORRANGE=%s\n",
                 picture->width, picture->height, rate.num, rate.den, sar.num > 0 ? sar.num : 0,
                 sar.num > 0 ? sar.den : 0, word, extension ? " XYSCSS=" : "", extension ? extension : "",
                 picture->color_range == AVCOL_RANGE_JPEG ? "FULL" : "LIMITED");
    const int status = put(y4m, header, (size_t)length, err);
    if (status < 0)
        sh_y4m_close(y4m);
    return status;
}

int sh_y4m_write(sh_y4m *y4m, const AVFrame *frame, sh_err *err)
{
    if (frame->width != y4m->width || frame->height != y4m->height || frame->format != y4m->format)
        return sh_fail(err, SH_E_ARGUMENT, "Y4M: a picture of %dx%d among those of %dx%d", frame->width,
                       frame->height, y4m->width, y4m->height);
    const int copied = av_image_copy_to_buffer(y4m->bytes + LINE_BYTES, (int)(y4m->size - LINE_BYTES),
                                               (const uint8_t *const *)frame->data, frame->linesize,
                                               frame->format, frame->width, frame->height, 1);
    if (copied < 0)
        return sh_fail(err, SH_E_INTERNAL, "Y4M: a picture cannot be copied");
    const int status = put(y4m, y4m->bytes, y4m->size, err);
    y4m->frames += status == 0 ? 1 : 0;
    return status;
}

void sh_y4m_close(sh_y4m *y4m)
{
    free(y4m->bytes);
    y4m->bytes = NULL;
}
