/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Audio renditions: places, gaps, lengths. A short tone stands at a known time of the clip and has to be
 * heard at that time in what the packets decode to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "ladderwork.h"
#include "media/avlog.h"
#include "media/ladder_audio.h"
#include "media/source.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const AVRational ms = {1, 1000};
#define VIDEO "-f lavfi -i testsrc2=s=64x48:r=25:d=2"
/* a tone of 0.1 s at 1 s */
#define TONE(rate) "-f lavfi -i aevalsrc=exprs=sin(2*PI*1000*t)*between(t\\,1\\,1.1):s=" rate ":d=2"

/* ---- making ---- */

typedef struct heard {
    float *samples; /* of the first channel, priming taken off */
    size_t count;
    int64_t packets;
    sh_buf bytes; /* of all packets */
    sh_sound_facts facts;
    int channels, rate;
} heard;

static void decode(AVCodecContext *decoder, AVPacket *packet, heard *out, size_t *room)
{
    AVFrame *frame = av_frame_alloc();
    assert_int_equal(avcodec_send_packet(decoder, packet), 0);
    while (avcodec_receive_frame(decoder, frame) == 0) {
        assert_true(out->count + (size_t)frame->nb_samples <= *room);
        memcpy(out->samples + out->count, frame->extended_data[0], (size_t)frame->nb_samples * 4);
        out->count += (size_t)frame->nb_samples;
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
}

typedef struct request {
    const char *name;
    sh_sound_rendition asked;
    int64_t end_ms, step_ms; /* step 0: at once */
    int64_t zero_us;         /* AV_NOPTS_VALUE: where the audio begins */
} request;

static sh_sound *open_sound(const request *r, const sh_sound_rendition *renditions, size_t count, int *fd)
{
    sh_sound *sound = NULL;
    sh_err err = {0};
    *fd = ladderwork_open(r->name);
    const sh_sound_settings settings = {.fd = *fd,
                                        .name = r->name,
                                        .channel = -1,
                                        .begin_us = AV_NOPTS_VALUE,
                                        .end_us = AV_NOPTS_VALUE,
                                        .renditions = renditions,
                                        .count = count};
    if (sh_sound_open(&sound, &settings, &err) < 0)
        fail_msg("%s", err.message);
    int64_t zero = r->zero_us;
    if (zero == AV_NOPTS_VALUE)
        assert_int_equal(sh_sound_first(sound, &zero, &err), 0);
    sh_sound_begin(sound, zero);
    return sound;
}

static void pull(sh_sound *sound, size_t rendition, int64_t until, AVCodecContext *decoder, heard *out,
                 size_t *room)
{
    AVPacket *packet = av_packet_alloc();
    sh_err err = {0};
    int status;
    while ((status = sh_sound_until(sound, rendition, until, ms, packet, &err)) == 1) {
        assert_int_equal(packet->pts, out->packets * 1024 - sh_sound_priming(sound, rendition));
        assert_int_equal(packet->duration, 1024);
        sh_buf_append(&out->bytes, packet->data, (size_t)packet->size);
        decode(decoder, packet, out, room);
        out->packets++;
        av_packet_unref(packet);
    }
    if (status < 0)
        fail_msg("%s", err.message);
    av_packet_free(&packet);
}

static void listen(sh_sound *sound, size_t rendition, const request *r, heard *out)
{
    size_t room = 1 << 20;
    const AVCodecParameters *parameters = sh_sound_parameters(sound, rendition);
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_AAC));
    avcodec_parameters_to_context(decoder, parameters);
    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    *out = (heard){.samples = calloc(room, sizeof(float)),
                   .channels = parameters->ch_layout.nb_channels,
                   .rate = parameters->sample_rate};
    sh_buf_init(&out->bytes, 1 << 24);
    for (int64_t at = r->step_ms; r->step_ms && at < r->end_ms; at += r->step_ms) {
        pull(sound, rendition, at, decoder, out, &room);
        const double border = (double)out->packets * 1024 - sh_sound_priming(sound, rendition);
        assert_true(fabs(border - (double)at * parameters->sample_rate / 1000) <= 513);
    }
    assert_int_equal(sh_sound_end(sound, r->end_ms, ms, NULL), 0);
    pull(sound, rendition, INT64_MAX, decoder, out, &room);
    sh_sound_tell(sound, rendition, &out->facts);
    const size_t priming = (size_t)sh_sound_priming(sound, rendition);
    assert_true(out->count > priming);
    out->count -= priming;
    memmove(out->samples, out->samples + priming, out->count * sizeof(float));
    avcodec_free_context(&decoder);
}

static void hear(const request *r, heard *out)
{
    int fd;
    sh_sound *sound = open_sound(r, &r->asked, 1, &fd);
    listen(sound, 0, r, out);
    sh_sound_close(&sound);
    assert_null(sound);
    close(fd);
}

static void drop(heard *h)
{
    free(h->samples);
    sh_buf_free(&h->bytes);
}

/* Milliseconds where the first tone at or after `from` begins; -1: there is none. */
static double tone(const heard *h, double from)
{
    for (size_t i = (size_t)(from * h->rate / 1000); i < h->count; i++)
        if (fabsf(h->samples[i]) > 0.3F)
            return 1000.0 * (double)i / h->rate;
    return -1;
}

static void at(double value, double wanted)
{
    if (fabs(value - wanted) > 1.5)
        fail_msg("heard at %.2f ms instead of %.2f", value, wanted);
}

/* ---- tests ---- */

static void test_place(void **state)
{
    ladderwork_ffmpeg(VIDEO
                      " " TONE("44100") " -c:v libx264 -preset ultrafast -c:a aac -ac 1 -shortest @a.mp4");
    request r = {"a.mp4",
                 {.track = 1, .bitrate = 128000, .channels = 2, .sample_rate = 48000},
                 2000,
                 0,
                 AV_NOPTS_VALUE};
    heard h, parts;
    hear(&r, &h);
    assert_int_equal(h.channels, 2);
    assert_int_equal(h.packets, (96000 + 1024 + 1023) / 1024);
    at(tone(&h, 0), 1000);
    r.step_ms = 370; /* what comes out does not depend on the steps */
    hear(&r, &parts);
    assert_int_equal(parts.bytes.length, h.bytes.length);
    assert_memory_equal(parts.bytes.data, h.bytes.data, h.bytes.length);
    assert_int_equal(h.facts.gaps + h.facts.overlaps + h.facts.damages, 0);
    drop(&h);
    drop(&parts);
    r = (request){"a.mp4", {.track = 1}, 2000, 0, AV_NOPTS_VALUE}; /* as the source is */
    hear(&r, &h);
    assert_int_equal(h.channels, 1);
    assert_int_equal(h.rate, 44100);
    at(tone(&h, 0), 1000);
    drop(&h);
}

static void test_zero(void **state)
{
    ladderwork_ffmpeg(
        VIDEO " -itsoffset 0.5 " TONE("48000") " -c:v libx264 -preset ultrafast -c:a pcm_s16le @late.mkv");
    request r = {"late.mkv", {.track = 1}, 3000, 0, 0};
    heard h;
    hear(&r, &h);
    at(tone(&h, 0), 1500); /* silence in front */
    assert_int_equal(h.packets, (144000 + 1024 + 1023) / 1024);
    drop(&h);
    r.zero_us = 1200000; /* cut in mid-block */
    hear(&r, &h);
    at(tone(&h, 0), 300);
    drop(&h);
    int fd;
    int64_t first;
    r.zero_us = AV_NOPTS_VALUE;
    sh_sound *sound = open_sound(&r, &r.asked, 1, &fd);
    assert_int_equal(sh_sound_first(sound, &first, NULL), 0);
    assert_int_equal(first, 500000);
    sh_sound_close(&sound);
    close(fd);
    ladderwork_ffmpeg("-itsoffset 0.3 " VIDEO
                      " " TONE("48000") " -c:v libx264 -preset ultrafast -c:a aac @early.mp4");
    r = (request){"early.mp4", {.track = 1}, 2000, 0, AV_NOPTS_VALUE};
    hear(&r, &h);
    at(tone(&h, 0), 1000);
    drop(&h);
}

#define STEPPED(change)                                                                                      \
    VIDEO " " TONE("48000") " -c:v libx264 -preset ultrafast -c:a pcm_s16le -af asetpts=PTS+" change         \
                            " @stepped.mkv"

static void test_gap(void **state)
{
    ladderwork_ffmpeg(STEPPED("if(gt(T\\,0.6)\\,0.5\\,0)/TB"));
    request r = {"stepped.mkv", {.track = 1}, 2500, 0, 0};
    heard h;
    hear(&r, &h);
    at(tone(&h, 0), 1500);
    assert_int_equal(h.facts.gaps, 1);
    assert_true(fabs(h.facts.silence - 0.5) < 0.03);
    drop(&h);
}

/* A gap of most of an hour is no more than a gap. */
static void test_long_gap(void **state)
{
    ladderwork_ffmpeg(STEPPED("if(gt(T\\,0.6)\\,2500\\,0)/TB"));
    const request r = {
        "stepped.mkv", {.track = 1, .sample_rate = 8000, .channels = 1, .bitrate = 16000}, 0, 0, 0};
    int fd;
    int64_t packets = 0;
    sh_sound_facts facts;
    sh_err err = {0};
    sh_sound *sound = open_sound(&r, &r.asked, 1, &fd);
    AVPacket *packet = av_packet_alloc();
    while (sh_sound_until(sound, 0, 2501000, ms, packet, &err) == 1) {
        packets++;
        av_packet_unref(packet);
    }
    if (err.status < 0)
        fail_msg("%s", err.message);
    sh_sound_tell(sound, 0, &facts);
    assert_int_equal(packets, (2501 * 8000 + 1024 + 512) / 1024);
    assert_int_equal(facts.gaps, 1);
    assert_true(fabs(facts.silence - 2500) < 0.03);
    av_packet_free(&packet);
    sh_sound_close(&sound);
    close(fd);
}

static void test_overlap(void **state)
{
    ladderwork_ffmpeg(STEPPED("if(gt(T\\,0.6)\\,-0.2\\,0)/TB"));
    request r = {"stepped.mkv", {.track = 1}, 2000, 0, 0};
    heard h;
    hear(&r, &h);
    at(tone(&h, 0), 800);
    assert_true(h.facts.overlaps > 0);
    drop(&h);
}

/* The presentation ends before the track does, and after it. */
static void test_end(void **state)
{
    ladderwork_ffmpeg(VIDEO " " TONE("48000") " -c:v libx264 -preset ultrafast -c:a pcm_s16le @end.mkv");
    request r = {"end.mkv", {.track = 1}, 1050, 0, 0};
    heard h;
    hear(&r, &h);
    assert_int_equal(h.packets, (50400 + 1024 + 1023) / 1024);
    at(tone(&h, 0), 1000);
    drop(&h);
    r.end_ms = 5000;
    r.step_ms = 600;
    hear(&r, &h);
    assert_int_equal(h.packets, (240000 + 1024 + 1023) / 1024);
    at(tone(&h, 0), 1000);
    assert_true(tone(&h, 1150) < 0);
    drop(&h);
    int fd;
    int64_t beyond;
    sh_sound *sound = open_sound(&r, &r.asked, 1, &fd);
    assert_int_equal(sh_sound_beyond(sound, 1500, ms, 10000000, &beyond, NULL), 0);
    assert_true(beyond > 490000 && beyond < 510000);
    assert_int_equal(sh_sound_beyond(sound, 1500, ms, 200000, &beyond, NULL), 0);
    assert_int_equal(beyond, 200000);
    assert_int_equal(sh_sound_beyond(sound, 2500, ms, 200000, &beyond, NULL), 0);
    assert_int_equal(beyond, 0);
    sh_sound_close(&sound);
    close(fd);
}

/* Two tracks, three renditions. */
static void test_tracks(void **state)
{
    ladderwork_ffmpeg(VIDEO " " TONE(
        "48000") " -f lavfi -i aevalsrc=exprs=sin(2*PI*500*t)*gt(t\\,0.5):s=44100:d=2 -map 0 -map 1 -map 2 "
                 "-c:v libx264 -preset ultrafast -c:a pcm_s16le -metadata:s:a:0 language=eng "
                 "-metadata:s:a:1 language=ger -disposition:a:1 default @two.mkv");
    const request r = {"two.mkv", {.track = 1}, 2000, 500, 0};
    const sh_sound_rendition three[] = {{.track = 1, .channels = 1, .sample_rate = 24000, .bitrate = 32000},
                                        {.track = 2},
                                        {.track = 1, .channels = 6, .bitrate = 256000}};
    int fd;
    heard h[3], alone;
    sh_sound *sound = open_sound(&r, three, 3, &fd);
    listen(sound, 1, &r, &h[1]);
    listen(sound, 0, &r, &h[0]);
    listen(sound, 2, &r, &h[2]);
    at(tone(&h[0], 0), 1000);
    at(tone(&h[1], 0), 500);
    assert_int_equal(h[0].rate, 24000);
    assert_int_equal(h[2].channels, 6);
    assert_string_equal(sh_sound_language(sound, 1), "ger");
    const AVFormatContext *format = NULL;
    request one = r;
    one.asked = three[0];
    hear(&one, &alone);
    assert_int_equal(alone.bytes.length, h[0].bytes.length);
    assert_memory_equal(alone.bytes.data, h[0].bytes.data, alone.bytes.length);
    for (int i = 0; i < 3; i++)
        drop(&h[i]);
    drop(&alone);
    sh_sound_close(&sound);
    sh_source source = {.name = "two.mkv", .channel = -1};
    assert_int_equal(sh_source_open(&source, fd, 1, NULL), 0);
    format = source.format;
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = 2}), 2);
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = 0}), -1);
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = -1, .ordinal = 1}), 1);
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = -1, .ordinal = 3}), -1);
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = -1, .language = "de"}), 2);
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = -1, .language = "eng"}), 1);
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = -1, .language = "fra"}), -1);
    assert_int_equal(sh_sound_find(format, &(sh_sound_choice){.track = -1}), 2);
    sh_source_close(&source);
    close(fd);
}

static void test_damage(void **state)
{
    ladderwork_ffmpeg(VIDEO
                      " -f lavfi -i anoisesrc=r=48000:d=2 -c:v libx264 -preset ultrafast -c:a aac @whole.ts");
    sh_buf bytes;
    sh_buf_init(&bytes, 1 << 24);
    assert_int_equal(sh_file_read(ladderwork_path("whole.ts"), &bytes, NULL), 0);
    for (size_t i = bytes.length / 5; i < bytes.length / 2; i++)
        bytes.data[i] = (char)(bytes.data[i] ^ (i * 7919 % 251));
    assert_int_equal(sh_file_replace(ladderwork_path("broken.ts"), bytes.data, bytes.length, 0600, NULL), 0);
    sh_buf_free(&bytes);
    const request r = {"broken.ts", {.track = 1}, 2000, 0, 1400000};
    heard h;
    hear(&r, &h);
    assert_int_equal(h.packets, (96000 + 1024 + 1023) / 1024);
    assert_true(h.facts.gaps + h.facts.damages > 0);
    drop(&h);
}

static void test_refused(void **state)
{
    static const sh_sound_rendition bad[] = {{.track = 0},
                                             {.track = 7},
                                             {.track = -1},
                                             {.track = 1, .sample_rate = 12345},
                                             {.track = 1, .channels = 3},
                                             {.track = 1, .bitrate = 10},
                                             {.track = 1, .channels = 1, .bitrate = 900000}};
    int fd = ladderwork_open("end.mkv");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sh_sound *sound = NULL;
        sh_err err = {0};
        const sh_sound_settings settings = {
            .fd = fd, .name = "end.mkv", .channel = -1, .renditions = &bad[i], .count = 1};
        assert_int_equal(sh_sound_open(&sound, &settings, &err), SH_E_ARGUMENT);
        assert_null(sound);
        assert_non_null(strstr(err.message, "end.mkv"));
    }
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place),    cmocka_unit_test(test_zero),    cmocka_unit_test(test_gap),
        cmocka_unit_test(test_long_gap), cmocka_unit_test(test_overlap), cmocka_unit_test(test_end),
        cmocka_unit_test(test_tracks),   cmocka_unit_test(test_damage),  cmocka_unit_test(test_refused)};
    sh_avlog_start(-1);
    return cmocka_run_group_tests(tests, ladderwork_start, ladderwork_stop);
}
