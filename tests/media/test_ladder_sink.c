/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two seconds of pictures and a tone, as files of each kind: read again by FFmpeg's tools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "ladderwork.h"
#include "media/avlog.h"
#include "media/encode.h"
#include "media/ladder_audio.h"
#include "media/ladder_sink.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 48
#define GOP 12
#define RATE 24
#define SEGMENTS 2
#define SIDE 96

/* ---- what is written ---- */

typedef struct pictures {
    AVPacket *packets[FRAMES + 1];
    int count;
    sh_encoder *encoder;
} pictures;

static void draw(AVFrame *frame, int n)
{
    frame->width = SIDE;
    frame->height = SIDE / 2;
    frame->format = AV_PIX_FMT_YUV420P;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int plane = 0; plane < 3; plane++) {
        const int width = plane ? SIDE / 2 : SIDE, height = plane ? SIDE / 4 : SIDE / 2;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                frame->data[plane][y * frame->linesize[plane] + x] =
                    (uint8_t)(40 + (x * 5 + y * 3 + n * 4) % 150);
    }
    frame->pts = n;
    frame->pkt_duration = 1;
}

static void receive(pictures *p)
{
    sh_err err = {0};
    for (;;) {
        p->packets[p->count] = av_packet_alloc();
        int status = sh_encoder_receive(p->encoder, p->packets[p->count], &err);
        if (status < 0)
            fail_msg("%s", err.message);
        if (status != SH_ENCODER_PACKET)
            break;
        p->count++;
    }
    av_packet_free(&p->packets[p->count]);
}

static void encode(pictures *p, const char *name)
{
    sh_encoder_settings settings;
    sh_err err = {0};
    sh_encoder_settings_default(&settings);
    settings.name = name;
    settings.width = SIDE;
    settings.height = SIDE / 2;
    settings.format = AV_PIX_FMT_YUV420P;
    settings.time_base = (AVRational){1, RATE};
    settings.rate = (AVRational){RATE, 1};
    settings.preset = "ultrafast";
    settings.b_frames = 2;
    settings.gop_frames = GOP;
    settings.piece_frames = FRAMES;
    settings.global_header = true;
    settings.primaries = AVCOL_PRI_BT709;
    settings.transfer = AVCOL_TRC_BT709;
    settings.matrix = AVCOL_SPC_BT709;
    settings.range = AVCOL_RANGE_MPEG;
    *p = (pictures){0};
    if (sh_encoder_open(&p->encoder, &settings, &err) < 0)
        fail_msg("%s", err.message);
    for (int n = 0; n < FRAMES; n++) {
        AVFrame *frame = av_frame_alloc();
        draw(frame, n);
        if (sh_encoder_send(p->encoder, frame, &err) < 0)
            fail_msg("%s", err.message);
        av_frame_free(&frame);
        receive(p);
    }
    assert_int_equal(sh_encoder_send(p->encoder, NULL, &err), 0);
    receive(p);
    assert_int_equal(p->count, FRAMES);
}

static void free_pictures(pictures *p)
{
    for (int i = 0; i < p->count; i++)
        av_packet_free(&p->packets[i]);
    sh_encoder_close(&p->encoder);
}

typedef struct tones {
    AVPacket *packets[400];
    size_t count[SEGMENTS], total;
    sh_sound *sound;
    int fd;
} tones;

static void listen(tones *t)
{
    const AVRational second = {1, 1};
    const sh_sound_rendition one = {.track = 1, .bitrate = 64000};
    sh_err err = {0};
    *t = (tones){.fd = ladderwork_open("tone.mkv")};
    const sh_sound_settings settings = {
        .fd = t->fd, .name = "tone.mkv", .channel = -1, .renditions = &one, .count = 1};
    if (sh_sound_open(&t->sound, &settings, &err) < 0)
        fail_msg("%s", err.message);
    for (int s = 0; s < SEGMENTS; s++) {
        if (s + 1 == SEGMENTS)
            assert_int_equal(sh_sound_end(t->sound, SEGMENTS, second, NULL), 0);
        for (;; t->total++) {
            AVPacket *packet = t->packets[t->total] = av_packet_alloc();
            if (sh_sound_until(t->sound, 0, s + 1 == SEGMENTS ? INT64_MAX : s + 1, second, packet, &err) != 1)
                break;
            t->count[s]++;
        }
        av_packet_free(&t->packets[t->total]);
    }
}

static void free_tones(tones *t)
{
    for (size_t i = 0; i < t->total; i++)
        av_packet_free(&t->packets[i]);
    sh_sound_close(&t->sound);
    close(t->fd);
}

/* ---- where it goes ---- */

typedef struct place {
    char name[40];
    sh_sink_written segments[SEGMENTS + 1], init, whole;
    sh_sink_key keys[SEGMENTS + 1][8];
    int files, refuse_after;
} place;

static const char *file_name(const place *p, sh_sink_file file, int64_t number)
{
    static char name[80];
    snprintf(name, sizeof(name), "%s-%d-%lld", p->name, (int)file, (long long)number);
    return name;
}

static int open_file(void *opaque, sh_sink_file file, int64_t number, sh_err *err)
{
    place *p = opaque;
    if (p->refuse_after && p->files >= p->refuse_after)
        return sh_fail(err, SH_E_FULL, "there is no room");
    return open(ladderwork_path(file_name(p, file, number)), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void take_file(const place *p, sh_sink_file file, int64_t number, sh_buf *bytes)
{
    sh_buf_init(bytes, 1 << 24);
    assert_int_equal(sh_file_read(ladderwork_path(file_name(p, file, number)), bytes, NULL), 0);
}

static int note_written(void *opaque, const sh_sink_written *written, sh_err *err)
{
    place *p = opaque;
    sh_buf bytes;
    take_file(p, written->file, written->number, &bytes);
    assert_int_equal(bytes.length, written->bytes);
    if (written->file != SH_SINK_WHOLE)
        assert_int_equal(sh_crc32c(0, bytes.data, bytes.length), written->crc);
    sh_buf_free(&bytes);
    sh_sink_written *to = written->file == SH_SINK_INIT    ? &p->init
                          : written->file == SH_SINK_WHOLE ? &p->whole
                                                           : &p->segments[written->number];
    *to = *written;
    if (written->key_count) {
        assert_true(written->key_count <= 8);
        memcpy(p->keys[written->number], written->keys, written->key_count * sizeof(sh_sink_key));
    }
    p->files++;
    return 0;
}

static sh_sink_track video_track(const pictures *p)
{
    return (sh_sink_track){.parameters = sh_encoder_parameters(p->encoder),
                           .time_base = {1, RATE},
                           .rate = {RATE, 1},
                           .sar = {1, 1},
                           .delay = sh_encoder_delay(p->encoder),
                           .step = 1};
}

static sh_sink_track audio_track(const tones *t)
{
    return (sh_sink_track){.parameters = sh_sound_parameters(t->sound, 0),
                           .time_base = {1, 48000},
                           .priming = sh_sound_priming(t->sound, 0),
                           .language = "eng"};
}

/* What goes into a file: pictures, tones, or both. */
typedef struct job {
    place place;
    sh_sink_kind kind;
    const pictures *pictures;
    const tones *tones;
    int first; /* segment to begin with */
} job;

static int put(job *j, sh_sink *sink, int s, sh_err *err)
{
    sh_sink_packets tracks[2];
    size_t count = 0, before = 0;
    for (int i = 0; i < s; i++)
        before += j->tones ? j->tones->count[i] : 0;
    if (j->pictures)
        tracks[count++] = (sh_sink_packets){j->pictures->packets + s * RATE, RATE, (int64_t)s * RATE};
    if (j->tones)
        tracks[count++] = (sh_sink_packets){j->tones->packets + before, j->tones->count[s], (int64_t)before};
    const int64_t unit = j->pictures ? RATE : 48000;
    const sh_sink_segment_in segment = {s + 1, s * unit, (s + 1) * unit, tracks};
    return sh_sink_segment(sink, &segment, err);
}

static int try(job *j, const char *name, sh_err *err)
{
    sh_sink *sink = NULL;
    sh_sink_track tracks[2];
    size_t count = 0;
    snprintf(j->place.name, sizeof(j->place.name), "%s", name);
    if (j->pictures)
        tracks[count++] = video_track(j->pictures);
    if (j->tones)
        tracks[count++] = audio_track(j->tones);
    const sh_sink_settings settings = {
        j->kind, name, {&j->place, open_file, note_written, -1}, tracks, count};
    int status = sh_sink_open(&sink, &settings, err);
    for (int s = j->first; s < SEGMENTS && status == 0; s++)
        status = put(j, sink, s, err);
    if (status == 0)
        status = sh_sink_finish(sink, err);
    sh_sink_close(&sink);
    assert_null(sink);
    return status;
}

static void make(job *j, const char *name)
{
    sh_err err = {0};
    if (try(j, name, &err) < 0)
        fail_msg("%s: %s", name, err.message);
}

/* All files of a stream in one. */
static void join(const job *j, const char *name)
{
    sh_buf whole, part;
    sh_buf_init(&whole, 1 << 26);
    if (j->kind == SH_SINK_CMAF) {
        take_file(&j->place, SH_SINK_INIT, 0, &part);
        sh_buf_append(&whole, part.data, part.length);
        sh_buf_free(&part);
    }
    for (int s = 1; s <= SEGMENTS; s++) {
        take_file(&j->place, SH_SINK_SEGMENT, s, &part);
        sh_buf_append(&whole, part.data, part.length);
        sh_buf_free(&part);
    }
    assert_int_equal(sh_file_replace(ladderwork_path(name), whole.data, whole.length, 0600, NULL), 0);
    sh_buf_free(&whole);
}

/* ---- what is read ---- */

/* Frames shown one after the other, none missing, from `begin` seconds on. */
static void check_frames(const char *name, double begin)
{
    char line[200];
    snprintf(line, sizeof(line), "-v warning -select_streams v -show_entries frame=pts_time -of csv=p=0 @%s",
             name);
    char *text = ladderwork_output("ffprobe", line);
    int count = 0;
    for (char *rest = text, *one; (one = strsep(&rest, "\n"));) {
        if (!*one) /* behind a frame with side data */
            continue;
        if (fabs(strtod(one, NULL) - begin - (double)count / RATE) > 0.0011)
            fail_msg("%s: frame %d is shown at %s", name, count, one);
        count++;
    }
    assert_int_equal(count, FRAMES);
    free(text);
}

/* The tone stands at 1 s after the beginning. */
static void check_tone(const char *name, double begin)
{
    char line[300];
    snprintf(line, sizeof(line),
             "-nostdin -v error -copyts -i @%s -map 0:a -af asetpts=PTS-%f/TB,aresample=async=1:first_pts=0 "
             "-f f32le -c:a pcm_f32le -y @heard.f32",
             name, begin);
    free(ladderwork_output("ffmpeg", line));
    sh_buf bytes;
    sh_buf_init(&bytes, 1 << 24);
    assert_int_equal(sh_file_read(ladderwork_path("heard.f32"), &bytes, NULL), 0);
    const float *samples = (const float *)bytes.data;
    size_t at = 0;
    while (at < bytes.length / 4 && fabsf(samples[at]) < 0.3F)
        at++;
    if (fabs((double)at / 48000 - 1) > 0.0015)
        fail_msg("%s: the tone stands at %f", name, (double)at / 48000);
    sh_buf_free(&bytes);
}

static void check_keys(const job *j, bool boxes)
{
    for (int s = 1; s <= SEGMENTS; s++) {
        const sh_sink_written *written = &j->place.segments[s];
        sh_buf bytes;
        take_file(&j->place, SH_SINK_SEGMENT, s, &bytes);
        assert_int_equal(written->key_count, RATE / GOP);
        assert_int_equal(written->samples, RATE);
        assert_int_equal(written->start, (s - 1) * RATE);
        assert_int_equal(written->duration, RATE);
        for (size_t i = 0; i < written->key_count; i++) {
            const sh_sink_key *key = &j->place.keys[s][i];
            assert_int_equal(key->time, (s - 1) * RATE + (int)i * GOP);
            assert_true(key->size > 0 && key->size < key->whole);
            if (boxes)
                assert_memory_equal(bytes.data + key->offset + 4, "moof", 4);
            else
                assert_memory_equal(bytes.data + key->offset, "\x47\x40\x00", 3);
            const int64_t next = i + 1 < written->key_count ? key[1].offset : written->bytes;
            assert_int_equal(key->offset + key->whole, next);
        }
        sh_buf_free(&bytes);
    }
}

/* ---- tests ---- */

static void test_cmaf_video(void **state)
{
    static const char *const encoders[] = {"libx264", "libx265"};
    for (int e = 0; e < 2; e++) {
        pictures p;
        encode(&p, encoders[e]);
        job j = {.kind = SH_SINK_CMAF, .pictures = &p}, again = j;
        make(&j, "cmaf");
        join(&j, "cmaf.mp4");
        check_frames("cmaf.mp4", 0);
        check_keys(&j, true);
        again.first = 1; /* as after a crash */
        make(&again, "again");
        assert_int_equal(again.place.segments[2].crc, j.place.segments[2].crc);
        char *tag = ladderwork_output(
            "ffprobe",
            "-v error -show_entries stream=codec_tag_string,sample_aspect_ratio -of csv=p=0 @cmaf.mp4");
        assert_string_equal(tag, e ? "hvc1,1:1\n" : "avc1,1:1\n");
        free(tag);
        free_pictures(&p);
    }
}

static void test_cmaf_audio(void **state)
{
    tones t;
    listen(&t);
    job j = {.kind = SH_SINK_CMAF, .tones = &t};
    make(&j, "sound");
    join(&j, "sound.mp4");
    check_tone("sound.mp4", 0);
    assert_int_equal(j.place.segments[1].start, 0);
    assert_int_equal(j.place.segments[2].start, j.place.segments[1].duration);
    assert_int_equal(j.place.segments[2].duration, (int64_t)t.count[1] * 1024);
    char *text = ladderwork_output(
        "ffprobe", "-v error -show_entries stream=codec_name:stream_tags=language -of csv=p=0 @sound.mp4");
    assert_string_equal(text, "aac,eng\n");
    free(text);
    free_tones(&t);
}

/* Counters of each PID go on, over the joins too. */
static void check_counters(const char *name)
{
    sh_buf bytes;
    int last[8192];
    memset(last, -1, sizeof(last));
    sh_buf_init(&bytes, 1 << 26);
    assert_int_equal(sh_file_read(ladderwork_path(name), &bytes, NULL), 0);
    assert_int_equal(bytes.length % 188, 0);
    for (size_t i = 0; i < bytes.length; i += 188) {
        const uint8_t *packet = (const uint8_t *)bytes.data + i;
        const int pid = (packet[1] & 0x1f) << 8 | packet[2], counter = packet[3] & 15;
        assert_int_equal(packet[0], 0x47);
        if (!(packet[3] & 0x10))
            continue;
        if (last[pid] >= 0 && counter != ((last[pid] + 1) & 15))
            fail_msg("%s: the counter of PID %d at byte %zu", name, pid, i);
        last[pid] = counter;
    }
    sh_buf_free(&bytes);
}

/* The clock stands in the stream at least every 0.1 s, in silence too. */
static void check_clock(const char *name)
{
    sh_buf bytes;
    int64_t last = -1, count = 0;
    sh_buf_init(&bytes, 1 << 26);
    assert_int_equal(sh_file_read(ladderwork_path(name), &bytes, NULL), 0);
    for (size_t i = 0; i < bytes.length; i += 188) {
        const uint8_t *packet = (const uint8_t *)bytes.data + i;
        if (!(packet[3] & 0x20) || packet[4] < 7 || !(packet[5] & 0x10))
            continue;
        const int64_t clock =
            (int64_t)packet[6] << 25 | packet[7] << 17 | packet[8] << 9 | packet[9] << 1 | packet[10] >> 7;
        if (last >= 0 && clock - last > 9000)
            fail_msg("%s: %lld ticks between two clocks, byte %zu", name, (long long)(clock - last), i);
        last = clock;
        count++;
    }
    assert_true(count >= 20);
    sh_buf_free(&bytes);
}

static void test_ts(void **state)
{
    static const char *const encoders[] = {"libx264", "libx265"};
    tones t;
    listen(&t);
    for (int e = 0; e < 2; e++) {
        pictures p;
        encode(&p, encoders[e]);
        job j = {.kind = SH_SINK_TS, .pictures = &p, .tones = &t};
        make(&j, "ts");
        join(&j, "ts.ts");
        check_frames("ts.ts", 10);
        check_tone("ts.ts", 10);
        check_keys(&j, false);
        check_counters("ts.ts");
        check_clock("ts.ts");
        char *text = ladderwork_output(
            "ffprobe", "-v warning -select_streams v -count_frames -show_entries stream=nb_read_frames,width "
                       "-of csv=p=0 @ts-1-2"); /* the second one alone */
        assert_true(strncmp(text, "96,24\n", 6) == 0);
        free(text);
        free_pictures(&p);
    }
    free_tones(&t);
}

static void test_ts_audio(void **state)
{
    tones t;
    listen(&t);
    job j = {.kind = SH_SINK_TS, .tones = &t};
    make(&j, "radio");
    join(&j, "radio.ts");
    check_tone("radio.ts", 10);
    check_counters("radio.ts");
    check_clock("radio.ts");
    free_tones(&t);
}

static size_t find(const sh_buf *bytes, const char *kind)
{
    const char *at = memmem(bytes->data, bytes->length, kind, 4);
    assert_non_null(at);
    return (size_t)(at - bytes->data);
}

static void test_mp4(void **state)
{
    static const char *const encoders[] = {"libx264", "libx265"};
    tones t;
    listen(&t);
    for (int e = 0; e < 2; e++) {
        pictures p;
        sh_buf bytes;
        encode(&p, encoders[e]);
        job j = {.kind = SH_SINK_MP4, .pictures = &p, .tones = &t};
        make(&j, "mp4");
        take_file(&j.place, SH_SINK_WHOLE, 0, &bytes);
        assert_true(find(&bytes, "moov") < find(&bytes, "mdat"));
        assert_int_equal(sh_file_replace(ladderwork_path("whole.mp4"), bytes.data, bytes.length, 0600, NULL),
                         0);
        sh_buf_free(&bytes);
        check_frames("whole.mp4", 0);
        check_tone("whole.mp4", 0);
        char *text = ladderwork_output(
            "ffprobe",
            "-v error -show_entries stream=codec_tag_string,duration,avg_frame_rate -of csv=p=0 @whole.mp4");
        assert_non_null(strstr(text, e ? "hvc1,24/1,2.000000\n" : "avc1,24/1,2.000000\n"));
        free(text);
        assert_int_equal(j.place.whole.samples, FRAMES);
        assert_int_equal(j.place.whole.duration, FRAMES);
        free_pictures(&p);
    }
    free_tones(&t);
}

/* A disk that is full at each file; what must not be. */
static void test_failures(void **state)
{
    pictures p;
    tones t;
    sh_err err = {0};
    encode(&p, "libx264");
    listen(&t);
    for (int kind = SH_SINK_CMAF; kind <= SH_SINK_MP4; kind++)
        for (int after = 1; after <= (kind == SH_SINK_MP4 ? 0 : kind == SH_SINK_TS ? 1 : 2); after++) {
            job j = {.kind = kind, .pictures = &p, .place.refuse_after = after};
            assert_int_equal(try(&j, "full", &err), SH_E_FULL);
            assert_int_equal(j.place.files, after);
        }
    job two = {.kind = SH_SINK_CMAF, .pictures = &p, .tones = &t};
    assert_int_equal(try(&two, "two", &err), SH_E_ARGUMENT);
    p.packets[0]->flags &= ~AV_PKT_FLAG_KEY;
    job keyless = {.kind = SH_SINK_TS, .pictures = &p};
    assert_int_equal(try(&keyless, "keyless", &err), SH_E_INTERNAL);
    assert_non_null(strstr(err.message, "key"));
    assert_false(sh_sink_can_resume(SH_SINK_TS));
    assert_true(sh_sink_can_resume(SH_SINK_CMAF));
    free_tones(&t);
    free_pictures(&p);
}

static int start(void **state)
{
    if (ladderwork_start(state) < 0)
        return -1;
    ladderwork_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25:d=2 -f lavfi -i "
                      "aevalsrc=exprs=sin(2*PI*1000*t)*between(t\\,1\\,1.1):s=48000:d=2 -c:v libx264 "
                      "-preset ultrafast -c:a pcm_s16le @tone.mkv");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cmaf_video), cmocka_unit_test(test_cmaf_audio),
                                       cmocka_unit_test(test_ts),         cmocka_unit_test(test_ts_audio),
                                       cmocka_unit_test(test_mp4),        cmocka_unit_test(test_failures)};
    sh_avlog_start(-1);
    return cmocka_run_group_tests(tests, start, ladderwork_stop);
}
