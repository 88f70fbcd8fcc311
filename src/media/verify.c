/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/verify.h"
#include "media/source.h"

#include <inttypes.h>
#include <stdlib.h>

#define EXPECTED_MAX (1 << 20) /* frames of one piece */

struct sh_check {
    AVCodecContext *decoder;
    AVFrame *frame;
    int width, height;
    double tolerance;
    sh_check_frame *expected; /* a ring: those that did not come out yet */
    size_t capacity, first, count;
    int64_t done;
    bool ended;
};

double sh_check_tolerance(double crf)
{
    return 8 + 0.75 * (crf > 0 ? crf : 0);
}

int sh_check_open(sh_check **out, const AVCodecParameters *parameters, AVRational time_base, double tolerance,
                  int threads, sh_err *err)
{
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    sh_check *check = codec ? calloc(1, sizeof(*check)) : NULL;
    if (!codec)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "there is no decoder for %s here, so that what is encoded cannot be checked",
                       avcodec_get_name(parameters->codec_id));
    if (check) {
        check->decoder = avcodec_alloc_context3(codec);
        check->frame = av_frame_alloc();
        check->tolerance = tolerance;
        check->width = parameters->width;
        check->height = parameters->height;
    }
    if (!check || !check->decoder || !check->frame) {
        sh_check_close(&check);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    int error = avcodec_parameters_to_context(check->decoder, parameters);
    check->decoder->pkt_timebase = time_base;
    check->decoder->thread_count = threads;
    check->decoder->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
    if (error >= 0)
        error = avcodec_open2(check->decoder, codec, NULL);
    if (error < 0) {
        sh_check_close(&check);
        return sh_av_fail(err, error, NULL, "decoder %s for checking", codec->name);
    }
    *out = check;
    return 0;
}

void sh_check_close(sh_check **check)
{
    if (!*check)
        return;
    avcodec_free_context(&(*check)->decoder);
    av_frame_free(&(*check)->frame);
    free((*check)->expected);
    free(*check);
    *check = NULL;
}

int sh_check_expect(sh_check *check, const sh_check_frame *frame, sh_err *err)
{
    if (check->count == check->capacity) {
        const size_t capacity = check->capacity ? 2 * check->capacity : 64;
        sh_check_frame *grown = capacity <= EXPECTED_MAX ? calloc(capacity, sizeof(*grown)) : NULL;
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        for (size_t i = 0; i < check->count; i++)
            grown[i] = check->expected[(check->first + i) % check->capacity];
        free(check->expected);
        check->expected = grown;
        check->capacity = capacity;
        check->first = 0;
    }
    check->expected[(check->first + check->count++) % check->capacity] = *frame;
    return 0;
}

static int compare(const sh_check *check, const sh_check_frame *expected, sh_err *err)
{
    const AVFrame *frame = check->frame;
    const long long number = (long long)check->done + 1;
    sh_signature signature;
    if (frame->decode_error_flags || (frame->flags & AV_FRAME_FLAG_CORRUPT))
        return sh_fail(err, SH_E_CONFLICT, "frame %lld of the piece does not decode whole", number);
    if (frame->best_effort_timestamp != expected->pts)
        return sh_fail(err, SH_E_CONFLICT,
                       "frame %lld of the piece decodes with time %" PRId64 " and was encoded with %" PRId64,
                       number, frame->best_effort_timestamp, expected->pts);
    if (frame->width != check->width || frame->height != check->height)
        return sh_fail(err, SH_E_CONFLICT, "frame %lld of the piece decodes as %dx%d", number, frame->width,
                       frame->height);
    sh_signature_make(&signature, frame, 1);
    const double distance = sh_signature_distance(&signature, &expected->signature);
    const double allowed = check->tolerance * (signature.small ? 2 : 1);
    if (signature.across != expected->signature.across || signature.down != expected->signature.down ||
        distance > allowed)
        return sh_fail(err, SH_E_CONFLICT,
                       "frame %lld of the piece decodes to another picture than was encoded (%.1f codes of "
                       "luma apart, %.1f allowed)",
                       number, distance, allowed);
    return 0;
}

static int take_frames(sh_check *check, sh_err *err)
{
    for (;;) {
        int error = avcodec_receive_frame(check->decoder, check->frame);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            return 0;
        if (error < 0)
            return sh_fail(err, SH_E_CONFLICT, "frame %lld of the piece does not decode: %s",
                           (long long)check->done + 1, av_err2str(error));
        if (check->count == 0)
            return sh_fail(err, SH_E_CONFLICT, "the piece decodes to more frames than went into it");
        int status = compare(check, &check->expected[check->first], err);
        if (status < 0)
            return status;
        check->first = (check->first + 1) % check->capacity;
        check->count--;
        check->done++;
        av_frame_unref(check->frame);
    }
}

int sh_check_packet(sh_check *check, const AVPacket *packet, sh_err *err)
{
    int error = avcodec_send_packet(check->decoder, packet);
    while (error == AVERROR(EAGAIN)) {
        int status = take_frames(check, err);
        if (status < 0)
            return status;
        error = avcodec_send_packet(check->decoder, packet);
    }
    if (error < 0 && error != AVERROR_EOF)
        return sh_fail(err, SH_E_CONFLICT, "a packet of the piece does not decode: %s", av_err2str(error));
    int status = take_frames(check, err);
    if (status == 0 && !packet && check->count > 0)
        return sh_fail(err, SH_E_CONFLICT, "%zu frames of the piece do not come out of it again",
                       check->count);
    return status;
}

int64_t sh_check_frames(const sh_check *check)
{
    return check->done;
}
