/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmafwork.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char folder[64];

void work_open(void)
{
    snprintf(folder, sizeof(folder), "/tmp/spyhop-cmaf-XXXXXX");
    assert_non_null(mkdtemp(folder));
    setenv("SVT_LOG", "1", 1); /* errors only */
}

static int forget(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

void work_close(void)
{
    nftw(folder, forget, 8, FTW_DEPTH | FTW_PHYS);
}

const char *work_path(const char *name)
{
    static char path[8][192];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

void work_run(const char *program, const char *line, const char *to)
{
    char text[2048], names[8][192], *words[96] = {(char *)program}, *rest = text;
    int count = 1, named = 0, status;
    posix_spawn_file_actions_t files;
    pid_t child;
    snprintf(text, sizeof(text), "%s", line);
    for (char *word; (word = strsep(&rest, " "));) {
        if (*word == '@') {
            snprintf(names[named], sizeof(names[named]), "%s/%s", folder, word + 1);
            word = names[named++];
        }
        if (*word)
            words[count++] = word;
    }
    posix_spawn_file_actions_init(&files);
    if (to)
        posix_spawn_file_actions_addopen(&files, 1, work_path(to), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(posix_spawnp(&child, program, &files, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("%s %s", program, line);
}

void work_write(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(work_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

uint8_t *work_read(const char *name, size_t *size)
{
    FILE *file = fopen(work_path(name), "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = calloc(1, *size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void clip_add(clip *c, const uint8_t *data, size_t size)
{
    c->sample = reallocarray(c->sample, c->count + 1, sizeof(*c->sample));
    assert_non_null(c->sample);
    c->sample[c->count++] = (sh_cmaf_sample){.data = data, .size = (uint32_t)size};
}

/* Delimiters stand before each access unit (but not always the first), parameter sets sometimes before them.
 */
static void cut_annexb(clip *c)
{
    const bool avc = c->codec == SH_CODEC_AVC;
    size_t from = 0, sets = SIZE_MAX, coded = 0;
    for (size_t i = 0; i + 4 < c->raw_size; i++) {
        const uint8_t *p = c->raw + i;
        if (p[0] || p[1] || p[2] != 1)
            continue;
        const int type = avc ? p[3] & 31 : p[3] >> 1 & 63;
        const size_t begin = sets == SIZE_MAX ? i : sets;
        sets = (avc ? type == 7 || type == 8 : type >= 32 && type <= 34) ? begin : SIZE_MAX;
        coded += avc ? type < 6 : type < 32;
        if (type != (avc ? 9 : 35) || coded == 0)
            continue;
        clip_add(c, c->raw + from, begin - from);
        from = begin;
        coded = 0;
    }
    clip_add(c, c->raw + from, c->raw_size - from);
}

static void cut_ivf(clip *c)
{
    for (size_t at = 32; at + 12 <= c->raw_size;) {
        uint32_t size;
        memcpy(&size, c->raw + at, 4);
        assert_true(size <= c->raw_size - at - 12);
        clip_add(c, c->raw + at + 12, size);
        at += 12 + size;
    }
}

/* Raw frames; the AudioSpecificConfig is what the first header says. */
static void cut_adts(clip *c)
{
    for (size_t at = 0; at + 7 <= c->raw_size;) {
        const uint8_t *p = c->raw + at;
        const size_t size = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5;
        const size_t head = p[1] & 1 ? 7 : 9;
        assert_true(p[0] == 0xff && (p[1] & 0xf6) == 0xf0 && size > head && size <= c->raw_size - at);
        if (c->count == 0) {
            const int object = (p[2] >> 6) + 1, rate = p[2] >> 2 & 15, channels = (p[2] & 1) << 2 | p[3] >> 6;
            const uint8_t asc[2] = {(uint8_t)(object << 3 | rate >> 1), (uint8_t)(rate << 7 | channels << 3)};
            sh_buf_append(&c->config, asc, 2);
        }
        clip_add(c, p + head, size - head);
        at += size;
    }
}

static void convert_all(clip *c)
{
    sh_err err = {0};
    sh_buf_init(&c->samples, 64 << 20);
    size_t *ends = calloc(c->count, sizeof(*ends));
    assert_non_null(ends);
    for (size_t i = 0; i < c->count; i++) {
        if (sh_sample_convert(&c->samples, c->codec, (uint8_t *)c->config.data, c->config.length,
                              c->sample[i].data, c->sample[i].size, &err))
            fail_msg("sample %zu: %s", i, err.message);
        ends[i] = c->samples.length;
    }
    for (size_t i = 0; i < c->count; i++) {
        const size_t from = i ? ends[i - 1] : 0;
        c->sample[i].data = (uint8_t *)c->samples.data + from;
        c->sample[i].size = (uint32_t)(ends[i] - from);
    }
    free(ends);
}

/* pts, duration and the key flag of each packet, as ffprobe tells them of the file that ffmpeg made. */
static void read_times(clip *c, const char *name)
{
    char line[256], csv[64];
    size_t size, n = 0;
    snprintf(csv, sizeof(csv), "%s.csv", name);
    snprintf(line, sizeof(line),
             "-v error -select_streams v -show_entries packet=pts,duration,flags -of csv=p=0 @%s.mp4", name);
    work_run("ffprobe", line, csv);
    char *text = (char *)work_read(csv, &size), *rest = text;
    for (char *row; (row = strsep(&rest, "\n"));) {
        char flags[8];
        if (*row == 0)
            continue;
        assert_true(n < c->count);
        sh_cmaf_sample *s = &c->sample[n++];
        assert_int_equal(sscanf(row, "%" SCNd64 ",%" SCNd64 ",%7s", &s->pts, &s->duration, flags), 3);
        s->sync = flags[0] == 'K';
    }
    assert_int_equal(n, c->count);
    free(text);
}

static uint32_t read_timescale(const char *name)
{
    char line[256], csv[64];
    size_t size;
    unsigned scale;
    snprintf(csv, sizeof(csv), "%s.csv", name);
    snprintf(line, sizeof(line),
             "-v error -select_streams v -show_entries stream=time_base -of csv=p=0 @%s.mp4", name);
    work_run("ffprobe", line, csv);
    char *text = (char *)work_read(csv, &size);
    assert_int_equal(sscanf(text, "1/%u", &scale), 1);
    free(text);
    return scale;
}

void clip_video(clip *c, sh_codec codec, const char *name, const char *source, const char *options)
{
    static const char *const raw[] = {[SH_CODEC_AVC] =
                                          "-bsf:v h264_mp4toannexb,h264_metadata=aud=insert -f h264",
                                      [SH_CODEC_HEVC] = "-bsf:v hevc_mp4toannexb -f hevc",
                                      [SH_CODEC_AV1] = "-f ivf"};
    char line[1024];
    sh_err err = {0};
    *c = (clip){.codec = codec};
    snprintf(line, sizeof(line), "-nostdin -v error -y -f lavfi -i %s %s @%s.mp4", source, options, name);
    work_run("ffmpeg", line, NULL);
    snprintf(line, sizeof(line), "-nostdin -v error -y -i @%s.mp4 -c copy %s @%s.raw", name, raw[codec],
             name);
    work_run("ffmpeg", line, NULL);
    snprintf(line, sizeof(line), "%s.raw", name);
    c->raw = work_read(line, &c->raw_size);
    (codec == SH_CODEC_AV1 ? cut_ivf : cut_annexb)(c);
    read_times(c, name);
    c->timescale = read_timescale(name);
    sh_buf_init(&c->config, 4096);
    if (sh_config_make(&c->config, codec, c->sample[0].data, c->sample[0].size, &err))
        fail_msg("%s", err.message);
    convert_all(c);
}

void clip_audio(clip *c, const char *name, const char *source, const char *options)
{
    char line[1024];
    sh_audio_config audio;
    *c = (clip){.codec = SH_CODEC_AAC};
    snprintf(line, sizeof(line), "-nostdin -v error -y -f lavfi -i %s %s -c:a aac -f adts @%s.raw", source,
             options, name);
    work_run("ffmpeg", line, NULL);
    snprintf(line, sizeof(line), "%s.raw", name);
    c->raw = work_read(line, &c->raw_size);
    sh_buf_init(&c->config, 4096);
    cut_adts(c);
    convert_all(c);
    assert_int_equal(sh_asc_parse(&audio, (uint8_t *)c->config.data, c->config.length, NULL), 0);
    c->sample_rate = audio.sample_rate;
    c->channels = audio.channels;
    c->timescale = (uint32_t)audio.sample_rate;
    for (size_t i = 0; i < c->count; i++) {
        c->sample[i].pts = (int64_t)i * audio.frame;
        c->sample[i].duration = audio.frame;
        c->sample[i].sync = true;
    }
}

void clip_free(clip *c)
{
    free(c->raw);
    free(c->sample);
    sh_buf_free(&c->config);
    sh_buf_free(&c->samples);
}

sh_cmaf_track clip_track(const clip *c)
{
    sh_cmaf_track track = {.codec = c->codec, .timescale = c->timescale};
    sh_video_config video;
    track.kind = c->codec == SH_CODEC_AAC ? SH_CMAF_AUDIO : SH_CMAF_VIDEO;
    track.config = (uint8_t *)c->config.data;
    track.config_size = c->config.length;
    track.channels = c->channels;
    track.sample_rate = c->sample_rate;
    if (track.kind == SH_CMAF_AUDIO)
        return track;
    assert_int_equal(sh_video_config_read(&video, c->codec, track.config, track.config_size, NULL), 0);
    track.width = video.width;
    track.height = video.height;
    track.has_colour = video.colour_told;
    track.colour = video.colour;
    return track;
}

/* Samples from `from` that belong to a segment: up to the first key picture `length` ticks on. */
static size_t segment_end(const clip *c, size_t from, int64_t length)
{
    size_t to = from + 1;
    while (to < c->count && !(c->sample[to].sync && c->sample[to].pts >= c->sample[from].pts + length))
        to++;
    return to;
}

void clip_write(const clip *c, const sh_cmaf_track *track, int64_t length, const char *name)
{
    sh_cmaf_fragment index[256];
    uint32_t sequence = 1;
    sh_err err = {0};
    sh_buf out;
    sh_buf_init(&out, 64 << 20);
    if (sh_cmaf_write_init(&out, track, &err))
        fail_msg("%s", err.message);
    for (size_t from = 0, to; from < c->count; from = to) {
        size_t made = 256;
        to = segment_end(c, from, length);
        if (sh_cmaf_write_segment(&out, track, sequence, c->sample + from, to - from, index, &made, &err))
            fail_msg("%s", err.message);
        sequence += (uint32_t)made;
    }
    work_write(name, out.data, out.length);
    sh_buf_free(&out);
}
