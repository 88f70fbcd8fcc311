/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything that reads boxes, records and samples, on damaged bytes: each is taken or refused with a reason,
 * never a crash, an endless loop or memory beyond the declared limits. As a test it runs its own corpus: what
 * the writers make and real parameter sets, cut at every byte, with every bit turned, and mixed at random
 * from a fixed seed. With -DSH_FUZZ it is a libFuzzer target; the first byte of an input chooses the reader.
 * usage: fuzz_boxes [ROUNDS [SEED]]
 *        fuzz_boxes --corpus FOLDER    writes the seeds there */
#include "base/size.h"
#include "paramsets.h"
#include "stream/mp4_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INIT, SEGMENT, AVC_CONFIG, HEVC_CONFIG, AV1_CONFIG, ASC, AVC_SAMPLE, HEVC_SAMPLE, AV1_SAMPLE, KINDS };

static const char *const config_hex[] = {
    [SH_CODEC_AVC] = "0142c00affe10016" AVC_SPS "010004" AVC_PPS,
    [SH_CODEC_HEVC] = START HEVC_VPS START HEVC_SPS START HEVC_PPS,
    [SH_CODEC_AV1] = "81000c00" AV1_SEQUENCE,
};

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_boxes: %s\n", what);
    abort();
}

/* A failure has a code and words; success leaves none. */
static void settle(int rc, const sh_err *err)
{
    demand(rc <= 0, "neither success nor failure");
    demand(rc == 0 || (err->status == rc && err->message[0]), "a failure without a message");
}

static void try_init(const uint8_t *data, size_t size)
{
    static sh_mp4_init init;
    sh_video_config video;
    sh_err err = {0};
    const int rc = sh_mp4_read_init(&init, data, size, &err);
    settle(rc, &err);
    for (size_t i = 0; rc == 0 && i < init.track_count; i++) {
        const sh_mp4_track *track = &init.tracks[i];
        if (track->config)
            demand(track->config >= data && track->config_size <= size - (size_t)(track->config - data),
                   "a configuration outside the file");
        if (track->config && track->codec != SH_CODEC_AAC)
            (void)sh_video_config_read(&video, track->codec, track->config, track->config_size, &err);
    }
}

static void try_segment(const uint8_t *data, size_t size)
{
    const sh_mp4_track track = {.id = 1, .trex = {.present = true, .duration = 1, .size = 1}};
    sh_mp4_segment segment;
    sh_err err = {0};
    const int rc = sh_mp4_read_segment(&segment, &track, data, size, &err);
    settle(rc, &err);
    if (rc)
        return;
    demand(segment.sample_count > 0 && segment.sample_count <= SH_CMAF_MAX_SAMPLES, "too many samples");
    for (size_t i = 0; i < segment.sample_count; i++) {
        const sh_mp4_sample *sample = &segment.samples[i];
        demand(sample->outside || (sample->offset <= size && sample->size <= size - sample->offset),
               "a sample outside the file");
    }
    sh_mp4_segment_free(&segment);
}

static void try_config(sh_codec codec, const uint8_t *data, size_t size)
{
    sh_video_config video;
    char text[64];
    sh_err err = {0};
    sh_buf out;
    sh_buf_init(&out, 1 << 20);
    const int rc = sh_config_make(&out, codec, data, size, &err);
    settle(rc, &err);
    if (rc == 0) {
        const uint8_t *made = (uint8_t *)out.data;
        if (codec != SH_CODEC_AAC)
            demand(sh_video_config_read(&video, codec, made, out.length, &err) == 0,
                   "a record that cannot be read");
        demand(sh_codecs_string(text, sizeof(text), codec, made, out.length, &err) == 0,
               "a record without a name");
    }
    sh_buf_free(&out);
}

/* What the conversion makes, the reader of samples takes, and back to Annex-B it is the same again. */
static void try_sample(sh_codec codec, const uint8_t *data, size_t size)
{
    uint8_t config[512];
    sh_sample_look look;
    sh_err err = {0};
    sh_buf out, record;
    sh_buf_init(&out, 1 << 20);
    sh_buf_init(&record, 4096);
    const size_t length = from_hex(config_hex[codec], config, sizeof(config));
    demand(sh_config_make(&record, codec, config, length, &err) == 0, "own configuration refused");
    const uint8_t *made = (uint8_t *)record.data;
    settle(sh_sample_look_at(&look, codec, made, record.length, data, size, &err), &err);
    int rc = sh_sample_convert(&out, codec, made, record.length, data, size, &err);
    settle(rc, &err);
    if (rc == 0) {
        rc = sh_sample_look_at(&look, codec, made, record.length, (uint8_t *)out.data, out.length, &err);
        demand(rc == 0 && look.first_coded >= 0 && !look.delimiter, "a converted sample that cannot be read");
    }
    sh_buf_clear(&out);
    if (codec != SH_CODEC_AV1)
        settle(sh_sample_to_annexb(&out, codec, made, record.length, data, size, true, &err), &err);
    sh_buf_free(&out);
    sh_buf_free(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const int kind = data[0] % KINDS;
    uint8_t *exact = malloc(size); /* so that a byte too far is seen */
    if (!exact)
        return 0;
    memcpy(exact, data + 1, size - 1);
    const uint8_t *bytes = size > 1 ? exact : (const uint8_t *)"";
    if (kind == INIT)
        try_init(bytes, size - 1);
    else if (kind == SEGMENT)
        try_segment(bytes, size - 1);
    else if (kind >= AVC_SAMPLE)
        try_sample((sh_codec)(SH_CODEC_AVC + kind - AVC_SAMPLE), bytes, size - 1);
    else
        try_config((sh_codec)(SH_CODEC_AVC + kind - AVC_CONFIG), bytes, size - 1);
    free(exact);
    return 0;
}

#ifndef SH_FUZZ
typedef struct seed {
    uint8_t bytes[MOST];
    size_t size;
} seed;

static seed seeds[32];
static size_t seed_count;
static uint64_t state = 1;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void seed_add(int kind, const void *bytes, size_t size)
{
    seed *s = &seeds[seed_count++];
    demand(seed_count <= SH_COUNT(seeds) && size < MOST, "no room for a seed");
    s->bytes[0] = (uint8_t)kind;
    memcpy(s->bytes + 1, bytes, size);
    s->size = size + 1;
}

static void seed_hex(int kind, const char *hex)
{
    uint8_t bytes[MOST];
    seed_add(kind, bytes, from_hex(hex, bytes, sizeof(bytes)));
}

static void seed_tracks(void)
{
    uint8_t avcc[128], asc[] = {0x11, 0x90}, payload[8] = {0};
    sh_cmaf_track track = {.codec = SH_CODEC_AVC, .timescale = 25, .config = avcc, .width = 96, .height = 64};
    sh_cmaf_sample samples[] = {{payload, 4, 0, 2, true},
                                {payload, 2, 5, 1, false},
                                {payload, 8, 2, 3, false},
                                {payload, 1, 6, 9, true}};
    sh_cmaf_fragment index[4];
    size_t made = 4;
    sh_buf out;
    sh_buf_init(&out, MOST);
    track.config_size = from_hex(config_hex[SH_CODEC_AVC], avcc, sizeof(avcc));
    track.has_colour = track.has_mastering = track.has_light_level = true;
    track.max_bitrate = 7;
    demand(sh_cmaf_write_init(&out, &track, NULL) == 0, "no init segment");
    seed_add(INIT, out.data, out.length);
    sh_buf_clear(&out);
    demand(sh_cmaf_write_segment(&out, &track, 1, samples, 4, index, &made, NULL) == 0, "no segment");
    seed_add(SEGMENT, out.data, out.length);
    sh_buf_clear(&out);
    track =
        (sh_cmaf_track){.kind = SH_CMAF_AUDIO, .codec = SH_CODEC_AAC, .timescale = 48000, .priming = 1024};
    track.config = asc;
    track.config_size = sizeof(asc);
    track.channels = 2;
    track.sample_rate = 48000;
    track.duration = 5;
    demand(sh_cmaf_write_init(&out, &track, NULL) == 0, "no init segment");
    seed_add(INIT, out.data, out.length);
    sh_buf_free(&out);
}

static void seed_all(void)
{
    seed_tracks();
    seed_hex(AVC_CONFIG, config_hex[SH_CODEC_AVC]);
    seed_hex(AVC_CONFIG, START AVC_444_SPS START AVC_444_PPS);
    seed_hex(AVC_CONFIG, "01f4000affe10019" AVC_444_SPS "010007" AVC_444_PPS "fffafa00");
    seed_hex(HEVC_CONFIG, config_hex[SH_CODEC_HEVC]);
    seed_hex(AV1_CONFIG, config_hex[SH_CODEC_AV1]);
    seed_hex(AV1_CONFIG, "1200" AV1_SEQUENCE);
    seed_hex(ASC, "1190");
    seed_hex(ASC, "2b918800");
    seed_hex(AVC_SAMPLE,
             START "09f0" START AVC_SPS START AVC_PPS "0000010605aa80000001658884" START "65018880");
    seed_hex(AVC_SAMPLE, "000000040605aa80"
                         "00000003658884"
                         "0000000465018880");
    seed_hex(HEVC_SAMPLE, START "460150" START HEVC_SPS START "4e0180" START "2601ac");
    seed_hex(HEVC_SAMPLE, "000000034e0180"
                          "000000032601ac");
    seed_hex(AV1_SAMPLE, "1200" AV1_SEQUENCE "7a0180"
                         "3010aabb");
}

static void every_cut_and_bit(const seed *s)
{
    uint8_t bytes[MOST];
    for (size_t size = 1; size <= s->size; size++)
        LLVMFuzzerTestOneInput(s->bytes, size);
    memcpy(bytes, s->bytes, s->size);
    for (size_t bit = 8; bit < s->size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        LLVMFuzzerTestOneInput(bytes, s->size);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* One of the seeds with a few bytes changed, numbers made large, pieces left out or doubled. */
static void random_round(void)
{
    static const uint8_t numbers[] = {0, 1, 2, 8, 0x7f, 0x80, 0xfe, 0xff};
    uint8_t bytes[MOST * 2];
    const seed *s = &seeds[next() % seed_count];
    size_t size = s->size;
    memcpy(bytes, s->bytes, size);
    for (uint64_t n = 1 + next() % 6; n > 0 && size > 1; n--) {
        const size_t at = 1 + next() % (size - 1);
        const size_t piece = 1 + next() % (size - at < 16 ? size - at : 16);
        switch (next() % 4) {
        case 0:
            bytes[at] = (uint8_t)next();
            break;
        case 1:
            memset(bytes + at, numbers[next() % SH_COUNT(numbers)], piece < 4 ? piece : 4);
            break;
        case 2:
            memmove(bytes + at, bytes + at + piece, size - at - piece);
            size -= piece;
            break;
        default:
            memmove(bytes + at + piece, bytes + at, size - at);
            size += piece;
        }
    }
    LLVMFuzzerTestOneInput(bytes, size);
}

static int write_corpus(const char *folder)
{
    for (size_t i = 0; i < seed_count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/seed-%02zu", folder, i);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(seeds[i].bytes, 1, seeds[i].size, file) != seeds[i].size || fclose(file) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    seed_all();
    if (argc == 3 && strcmp(argv[1], "--corpus") == 0)
        return write_corpus(argv[2]);
    const long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    state += state == 0;
    for (size_t i = 0; i < seed_count; i++)
        every_cut_and_bit(&seeds[i]);
    for (long i = 0; i < rounds; i++)
        random_round();
    printf("fuzz_boxes: %zu seeds, %ld rounds\n", seed_count, rounds);
    return 0;
}
#endif
