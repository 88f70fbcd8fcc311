/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JPEG wants full range and BT.601; libswscale brings other pictures to it. Qualities are those that people
 * know from other programs, of which 50 stands for the standard's own tables. */
#include "media/ladder_frames.h"
#include "media/source.h"

#include <libavcodec/avcodec.h>
#include <libavutil/mathematics.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

struct sh_jpeg {
    int quality;
    AVCodecContext *encoder;
    struct SwsContext *scaler; /* cached */
    AVFrame *frame;
    AVPacket *packet;
};

/* ---- one picture ---- */

int sh_jpeg_open(sh_jpeg **out, int quality, sh_err *err)
{
    if (quality < 1 || quality > 100)
        return sh_fail(err, SH_E_ARGUMENT, "a JPEG quality of %d: it lies between 1 and 100", quality);
    sh_jpeg *jpeg = calloc(1, sizeof(*jpeg));
    if (!jpeg)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    jpeg->quality = quality;
    jpeg->frame = av_frame_alloc();
    jpeg->packet = av_packet_alloc();
    if (!jpeg->frame || !jpeg->packet) {
        sh_jpeg_close(&jpeg);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    *out = jpeg;
    return 0;
}

void sh_jpeg_close(sh_jpeg **jpeg)
{
    if (!*jpeg)
        return;
    avcodec_free_context(&(*jpeg)->encoder);
    sws_freeContext((*jpeg)->scaler);
    av_frame_free(&(*jpeg)->frame);
    av_packet_free(&(*jpeg)->packet);
    free(*jpeg);
    *jpeg = NULL;
}

/* Per cent of the standard's steps, as IJG's library counts; the encoder's 8 is 100 of them. */
static int step_of(int quality)
{
    const double percent = quality < 50 ? 5000.0 / quality : 200.0 - 2.0 * quality;
    const double step = percent * 0.08;
    return (int)((step < 1 ? 1 : step > 31 ? 31 : step) * FF_QP2LAMBDA);
}

static int open_encoder(sh_jpeg *jpeg, int width, int height, sh_err *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (jpeg->encoder && jpeg->encoder->width == width && jpeg->encoder->height == height)
        return 0;
    avcodec_free_context(&jpeg->encoder);
    AVCodecContext *encoder = jpeg->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!encoder)
        return sh_fail(err, SH_E_UNSUPPORTED, "this libavcodec has no JPEG encoder");
    encoder->width = width;
    encoder->height = height;
    encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
    encoder->color_range = AVCOL_RANGE_JPEG;
    encoder->time_base = (AVRational){1, 25};
    encoder->sample_aspect_ratio = (AVRational){1, 1};
    encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    encoder->qmin = 1;
    encoder->global_quality = step_of(jpeg->quality);
    encoder->thread_count = 1;
    int error = avcodec_open2(encoder, codec, NULL);
    return error < 0 ? sh_av_fail(err, error, NULL, "JPEG of %dx%d", width, height) : 0;
}

static int convert(sh_jpeg *jpeg, const AVFrame *in, sh_err *err)
{
    AVFrame *to = jpeg->frame;
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(in->format);
    const bool rgb = format && format->flags & AV_PIX_FMT_FLAG_RGB;
    av_frame_unref(to);
    to->width = in->width;
    to->height = in->height;
    to->format = AV_PIX_FMT_YUVJ420P;
    if (av_frame_get_buffer(to, 0) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    jpeg->scaler = sws_getCachedContext(jpeg->scaler, in->width, in->height, in->format, to->width,
                                        to->height, AV_PIX_FMT_YUV420P,
                                        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    if (!jpeg->scaler)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures of format %s cannot become JPEG",
                       format ? format->name : "unknown");
    sws_setColorspaceDetails(jpeg->scaler, sws_getCoefficients(rgb ? SWS_CS_ITU709 : (int)in->colorspace),
                             rgb || in->color_range == AVCOL_RANGE_JPEG, sws_getCoefficients(SWS_CS_ITU601),
                             1, 0, 1 << 16, 1 << 16);
    if (sws_scale(jpeg->scaler, (const uint8_t *const *)in->data, in->linesize, 0, in->height, to->data,
                  to->linesize) < 0)
        return sh_fail(err, SH_E_INTERNAL, "libswscale fails on a picture of %dx%d", in->width, in->height);
    to->color_range = AVCOL_RANGE_JPEG;
    to->quality = jpeg->encoder->global_quality;
    return 0;
}

int sh_jpeg_make(sh_jpeg *jpeg, const AVFrame *frame, sh_buf *bytes, sh_err *err)
{
    int status = open_encoder(jpeg, frame->width, frame->height, err);
    if (status == 0)
        status = convert(jpeg, frame, err);
    if (status < 0)
        return status;
    jpeg->frame->pts = AV_NOPTS_VALUE;
    int error = avcodec_send_frame(jpeg->encoder, jpeg->frame);
    if (error >= 0)
        error = avcodec_receive_packet(jpeg->encoder, jpeg->packet);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "JPEG of %dx%d", frame->width, frame->height);
    sh_buf_clear(bytes);
    status = sh_buf_append(bytes, jpeg->packet->data, (size_t)jpeg->packet->size);
    av_packet_unref(jpeg->packet);
    return status < 0
               ? sh_fail(err, SH_E_MEMORY, "memory is short for a JPEG of %dx%d", frame->width, frame->height)
               : 0;
}

/* ---- which ones ---- */

static int64_t number_at(AVRational rate, int64_t pts, AVRational base)
{
    return pts < 0 ? 0 : av_rescale_q_rnd(pts, base, av_inv_q(rate), AV_ROUND_DOWN);
}

void sh_capture_seen(sh_capture *capture, int64_t pts, AVRational base)
{
    const int64_t number = number_at(capture->rate, pts, base);
    if (number >= capture->next)
        capture->next = number + 1;
}

bool sh_capture_wants(sh_capture *capture, int64_t pts, AVRational base, int64_t *number)
{
    const int64_t at = number_at(capture->rate, pts, base);
    if (at < capture->next || (capture->maximum > 0 && at >= capture->maximum))
        return false;
    *number = at;
    capture->next = at + 1;
    return true;
}
