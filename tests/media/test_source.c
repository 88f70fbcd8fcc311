/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The source over clips that are made here: numbers, ways back, cuts, losses, clocks and changes of size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "media/avlog.h"
#include "media/source.h"

#include <fcntl.h>
#include <libavutil/adler32.h>
#include <libavutil/pixdesc.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char folder[] = "/tmp/spyhop-test-XXXXXX";

/* ---- clips ---- */

static const char *path_of(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

/* Runs ffmpeg with the words of `line`; "@name" is a file in the folder. */
static void ffmpeg(const char *line)
{
    char text[1024], names[8][128], *words[64], *rest = text;
    int count = 0, named = 0, status;
    pid_t child;
    snprintf(text, sizeof(text), "ffmpeg -nostdin -v error -y %s", line);
    for (char *word; (word = strsep(&rest, " "));) {
        if (*word == '@') {
            snprintf(names[named], sizeof(names[named]), "%s/%s", folder, word + 1);
            word = names[named++];
        }
        if (*word)
            words[count++] = word;
    }
    words[count] = NULL;
    assert_int_equal(posix_spawnp(&child, "ffmpeg", NULL, NULL, words, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("ffmpeg %s", line);
}

static void read_whole(const char *name, sh_buf *bytes)
{
    sh_buf_init(bytes, 1 << 26);
    assert_int_equal(sh_file_read(path_of(name), bytes, NULL), 0);
}

static void write_whole(const char *name, const void *data, size_t size, bool append)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0600);
    assert_int_equal(sh_fd_write(fd, data, size, NULL), 0);
    close(fd);
}

static void join(const char *name, const char *first, const char *second)
{
    sh_buf bytes;
    read_whole(first, &bytes);
    write_whole(name, bytes.data, bytes.length, false);
    sh_buf_free(&bytes);
    read_whole(second, &bytes);
    write_whole(name, bytes.data, bytes.length, true);
    sh_buf_free(&bytes);
}

#define VIDEO "-f lavfi -i testsrc2=s=96x64:r=25:d=2 "
#define SOUND "-f lavfi -i sine=d=2 "
#define H264 "-c:v libx264 -preset veryfast -g 12 -bf 2 "

/* ---- what a source gives ---- */

#define MOST 400
typedef struct seen {
    struct {
        sh_frame_facts facts;
        int64_t pts;
        uint32_t hash;
        int width, height, format;
    } frame[MOST];
    sh_source_loss loss[MOST];
    struct {
        int track;
        int64_t pts, duration;
    } packet[4 * MOST];
    int frames, losses, packets, result;
    sh_source totals; /* its numbers, at the end */
    AVRational time_base;
    sh_err err;
} seen;

typedef struct how {
    bool accept, adapt, pipe;
    double start, duration;
    const sh_source_place *place;
} how;

static const how plain = {.start = -1, .duration = -1};

static uint32_t hash_of(const AVFrame *frame)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    uint32_t hash = 1;
    for (int plane = 0; plane < av_pix_fmt_count_planes(frame->format); plane++) {
        const int shift = plane == 1 || plane == 2 ? format->log2_chroma_h : 0;
        const int wide = plane == 1 || plane == 2 ? format->log2_chroma_w : 0;
        for (int y = 0; y < AV_CEIL_RSHIFT(frame->height, shift); y++)
            hash = av_adler32_update(hash, frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane],
                                     AV_CEIL_RSHIFT(frame->width, wide));
    }
    return hash;
}

static void note_frame(seen *s, const AVFrame *frame)
{
    const sh_frame_facts *facts = sh_frame_facts_of(frame);
    assert_non_null(facts);
    assert_in_range(s->frames, 0, MOST - 1);
    s->frame[s->frames].facts = *facts;
    s->frame[s->frames].pts = frame->pts;
    s->frame[s->frames].width = frame->width;
    s->frame[s->frames].height = frame->height;
    s->frame[s->frames].format = frame->format;
    s->frame[s->frames++].hash = hash_of(frame);
    assert_int_equal(facts->place.pts, frame->pts);
}

static void read_all(sh_source *source, seen *s)
{
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    s->time_base = source->video->time_base;
    while ((s->result = sh_source_next(source, frame, packet, &s->err)) > 0 && s->result != SH_SOURCE_END) {
        if (s->result == SH_SOURCE_FRAME)
            note_frame(s, frame);
        if (s->result == SH_SOURCE_LOSS)
            s->loss[s->losses++] = source->loss;
        if (s->result == SH_SOURCE_PACKET) {
            assert_in_range(s->packets, 0, 4 * MOST - 1);
            s->packet[s->packets].track = packet->stream_index;
            s->packet[s->packets].duration = packet->duration;
            s->packet[s->packets++].pts = packet->pts;
        }
        av_frame_unref(frame);
        av_packet_unref(packet);
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    s->totals = *source;
}

/* The other end of a pipe gets the file's bytes from a child. */
static int open_clip(const char *name, bool through_pipe, pid_t *child)
{
    int ends[2];
    const int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    *child = 0;
    if (!through_pipe)
        return fd;
    assert_int_equal(pipe(ends), 0);
    *child = fork();
    if (*child == 0) {
        char bytes[4096];
        ssize_t got;
        close(ends[0]);
        while ((got = read(fd, bytes, sizeof(bytes))) > 0)
            if (write(ends[1], bytes, (size_t)got) != got)
                break;
        _exit(0);
    }
    close(ends[1]);
    close(fd);
    return ends[0];
}

static seen *look(const char *name, how h)
{
    seen *s = calloc(1, sizeof(*s));
    sh_source source = {
        .name = name, .channel = -1, .accept_damage = h.accept, .tell_losses = true, .adapt = h.adapt};
    pid_t child;
    const int fd = open_clip(name, h.pipe, &child);
    s->result = sh_source_open(&source, fd, 2, &s->err);
    if (s->result == 0 && (h.start >= 0 || h.duration >= 0))
        s->result = sh_source_cut(&source, h.start, h.duration, &s->err);
    if (s->result == 0 && h.place)
        s->result = sh_source_begin_at(&source, h.place, &s->err);
    if (s->result == 0)
        read_all(&source, s);
    sh_source_close(&source);
    close(fd);
    if (child)
        waitpid(child, NULL, 0);
    return s;
}

static void ended_well(const seen *s)
{
    if (s->result != SH_SOURCE_END)
        fail_msg("%d: %s", s->result, s->err.message);
    for (int i = 1; i < s->frames; i++) {
        assert_int_equal(s->frame[i].facts.place.frame, s->frame[i - 1].facts.place.frame + 1);
        assert_true(s->frame[i].pts > s->frame[i - 1].pts);
    }
}

/* ---- ways back ---- */

static void same_from(const seen *all, int first, const seen *part)
{
    ended_well(part);
    assert_int_equal(part->frames, all->frames - first);
    for (int i = 0; i < part->frames; i++) {
        assert_int_equal(part->frame[i].facts.place.frame, first + i);
        assert_int_equal(part->frame[i].facts.place.packet, all->frame[first + i].facts.place.packet);
        assert_int_equal(part->frame[i].pts, all->frame[first + i].pts);
        assert_int_equal(part->frame[i].hash, all->frame[first + i].hash);
        assert_int_equal(part->frame[i].facts.marks, all->frame[first + i].facts.marks);
        assert_int_equal(part->frame[i].facts.place.key, all->frame[first + i].facts.place.key);
    }
    assert_int_equal(part->packets, all->packets);
    assert_int_equal(part->totals.frames, all->totals.frames);
    assert_int_equal(part->totals.packets, all->totals.packets);
    assert_int_equal(part->totals.damages, all->totals.damages);
    assert_memory_equal(part->totals.losses, all->totals.losses, sizeof(all->totals.losses));
}

static void begins_anywhere(const char *name, int frames, bool accept)
{
    how h = plain;
    h.accept = accept;
    seen *all = look(name, h);
    ended_well(all);
    assert_int_equal(all->frames, frames);
    int64_t furthest = 0;
    for (int first = 0; first < all->frames; first += 7) {
        h.place = &all->frame[first].facts.place;
        assert_true(h.place->packet >= 0);
        furthest = h.place->key;
        seen *part = look(name, h);
        same_from(all, first, part);
        free(part);
    }
    assert_true(furthest > 0);
    free(all);
}

static void test_begin_h264(void **state)
{
    ffmpeg(VIDEO SOUND H264 "-x264-params open-gop=1:scenecut=0 @open.mp4");
    begins_anywhere("open.mp4", 50, false);
    ffmpeg(VIDEO H264 "-f mpegts @h264.ts");
    begins_anywhere("h264.ts", 50, false);
}

static void test_begin_others(void **state)
{
    ffmpeg(VIDEO SOUND "-c:v mpeg2video -g 12 -bf 2 -b:v 500k @mpeg2.mpg");
    begins_anywhere("mpeg2.mpg", 50, false);
    ffmpeg(VIDEO "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=10:open-gop=1 @hevc.mkv");
    begins_anywhere("hevc.mkv", 50, false);
    ffmpeg(VIDEO "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 10 -b:v 200k @vp9.webm");
    begins_anywhere("vp9.webm", 50, false);
    ffmpeg(VIDEO "-c:v libvpx-vp9 -cpu-used 5 -lag-in-frames 20 -auto-alt-ref 6 -g 12 -b:v 100k @alt.webm");
    begins_anywhere("alt.webm", 50, false);
    ffmpeg(VIDEO "-c:v mjpeg -q:v 5 @mjpeg.avi");
    begins_anywhere("mjpeg.avi", 50, false);
}

static void test_two_at_once(void **state)
{
    seen *one = look("open.mp4", plain), *two = calloc(1, sizeof(*two)), *three = calloc(1, sizeof(*three));
    const int fd = open(path_of("open.mp4"), O_RDONLY | O_CLOEXEC);
    sh_source a = {.name = "a", .channel = -1}, b = {.name = "b", .channel = -1};
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    sh_err err;
    assert_int_equal(sh_source_open(&a, fd, 1, &err), 0);
    while (sh_source_next(&a, frame, packet, &err) == SH_SOURCE_PACKET)
        av_packet_unref(packet);
    assert_int_equal(sh_source_open(&b, fd, 1, &err), 0);
    note_frame(two, frame);
    av_frame_unref(frame);
    read_all(&b, three);
    read_all(&a, two);
    assert_int_equal(two->frames, one->frames);
    assert_int_equal(three->frames, one->frames);
    for (int i = 0; i < one->frames; i++) {
        assert_int_equal(two->frame[i].hash, one->frame[i].hash);
        assert_int_equal(three->frame[i].hash, one->frame[i].hash);
    }
    sh_source_close(&a);
    sh_source_close(&b);
    close(fd);
    av_frame_free(&frame);
    av_packet_free(&packet);
    free(one);
    free(two);
    free(three);
}

static void test_no_way_back(void **state)
{
    seen *all = look("open.mp4", plain);
    sh_source_place place = all->frame[20].facts.place;
    how h = plain;
    h.place = &place;
    place.packet = place.key = -1;
    seen *part = look("open.mp4", h);
    assert_int_equal(part->result, SH_E_ARGUMENT);
    free(part);
    place = all->frame[20].facts.place;
    place.pts++;
    part = look("open.mp4", h);
    assert_int_equal(part->result, SH_E_CONFLICT);
    free(part);
    place.packet = 10000;
    part = look("open.mp4", h);
    assert_int_equal(part->result, SH_E_CONFLICT);
    free(part);
    h.pipe = true;
    part = look("h264.ts", h);
    assert_int_equal(part->result, SH_E_UNSUPPORTED);
    free(part);
    free(all);
}

/* ---- cuts ---- */

static void cut_is(const char *name, how h, int first, int count)
{
    how whole = plain;
    whole.pipe = h.pipe;
    seen *all = look(name, whole), *part = look(name, h);
    ended_well(part);
    assert_int_equal(part->frames, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(part->frame[i].facts.place.frame, i);
        assert_int_equal(part->frame[i].pts, all->frame[first + i].pts);
        assert_int_equal(part->frame[i].hash, all->frame[first + i].hash);
    }
    assert_int_equal(part->losses, 0);
    int within = 0, next = 0;
    for (int i = 0; i < part->packets; i++) {
        while (next < all->packets && all->packet[next].pts != part->packet[i].pts)
            next++;
        within += next < all->packets;
    }
    assert_int_equal(within, part->packets);
    if (all->packets > 0)
        assert_in_range(part->packets, FFMAX(all->packets * count / all->frames - 2, 0),
                        all->packets * count / all->frames + 2);
    for (int i = 10; h.start > 0 && !h.pipe && i < part->frames; i += 13) {
        how again = h;
        again.place = &part->frame[i].facts.place;
        seen *rest = look(name, again);
        same_from(part, i, rest);
        free(rest);
    }
    free(all);
    free(part);
}

static void test_cut(void **state)
{
    static const struct {
        double start, duration;
        int first, count;
    } cases[] = {
        {0.52, 0.4, 13, 10}, {1, -1, 25, 25}, {-1, 0.5, 0, 13}, {0.50001, 0.04, 13, 1}, {1.96, 5, 49, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        how h = {.start = cases[i].start, .duration = cases[i].duration};
        cut_is("open.mp4", h, cases[i].first, cases[i].count);
        cut_is("hevc.mkv", h, cases[i].first, cases[i].count);
        h.pipe = true;
        cut_is("h264.ts", h, cases[i].first, cases[i].count);
    }
}

static void test_cut_nothing(void **state)
{
    seen *s = look("open.mp4", (how){.start = 100, .duration = -1});
    assert_int_equal(s->result, SH_E_FORMAT);
    assert_non_null(strstr(s->err.message, "no frame begins"));
    free(s);
    s = look("open.mp4", (how){.start = 0, .duration = 0});
    assert_int_equal(s->result, SH_E_ARGUMENT);
    free(s);
    s = look("open.mp4", (how){.start = 0, .duration = 1.0 / 0.0});
    assert_int_equal(s->result, SH_E_ARGUMENT);
    free(s);
}

/* ---- losses ---- */

static void test_edit_list(void **state)
{
    ffmpeg("-ss 0.7 -i @open.mp4 -c copy @edit.mp4");
    seen *s = look("edit.mp4", plain);
    ended_well(s);
    assert_true(s->totals.losses[SH_LOSS_EDIT] > 0);
    assert_int_equal(s->losses, s->totals.losses[SH_LOSS_EDIT]);
    assert_int_equal(s->losses, s->totals.discarded);
    assert_int_equal(s->frames, s->totals.packets);
    assert_int_equal(s->loss[0].before, 0);
    assert_int_equal(s->totals.damages, 0);
    free(s);
    begins_anywhere("edit.mp4", 32, false);
}

static void test_leading(void **state)
{
    ffmpeg(VIDEO "-c:v mpeg2video -g 12 -bf 2 -b:v 500k -f mpegts @mpeg2.ts");
    sh_buf bytes;
    read_whole("mpeg2.ts", &bytes);
    write_whole("tail.ts", bytes.data + bytes.length / 3 / 188 * 188,
                bytes.length - bytes.length / 3 / 188 * 188, false);
    sh_buf_free(&bytes);
    seen *s = look("tail.ts", plain);
    if (s->result == SH_SOURCE_END)
        assert_true(s->losses == 0 || s->loss[0].kind == SH_LOSS_LEADING);
    ended_well(s);
    assert_int_equal(s->totals.packets, s->frames + s->totals.losses[SH_LOSS_LEADING]);
    free(s);
}

/* Bytes of the middle are changed. */
static void damage(const char *name, const char *from, int at_percent, int count)
{
    sh_buf bytes;
    read_whole(from, &bytes);
    uint8_t *data = (uint8_t *)bytes.data + bytes.length * (size_t)at_percent / 100;
    for (int i = 0; i < count; i++)
        data[i] = (uint8_t)(i * 37 + 11);
    write_whole(name, bytes.data, bytes.length, false);
    sh_buf_free(&bytes);
}

static void test_damaged(void **state)
{
    static const struct {
        const char *name;
        bool found; /* libavcodec notices; of HEVC without hashes and VP9 it decodes anything */
    } clips[] = {{"open.mp4", true},  {"h264.ts", true},   {"mpeg2.mpg", true},
                 {"hevc.mkv", false}, {"vp9.webm", false}, {"mjpeg.avi", true}};
    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
        how h = plain;
        damage("damaged", clips[i].name, 45, 900);
        seen *s = look("damaged", h);
        if (clips[i].found)
            assert_int_equal(s->result, SH_E_FORMAT);
        free(s);
        h.accept = true;
        s = look("damaged", h);
        ended_well(s);
        int marked = 0;
        for (int k = 0; k < s->frames; k++)
            marked += s->frame[k].facts.marks & SH_FRAME_CONCEALED ? 1 : 0;
        print_message("%s: %d frames, %d marked, %d lost of %d, %d damages (%s)\n", clips[i].name, s->frames,
                      marked, s->losses, (int)s->totals.packets, (int)s->totals.damages, s->totals.damage);
        assert_int_equal(s->totals.damages > 0, clips[i].found);
        assert_int_equal(s->frames + s->losses, s->totals.packets);
        free(s);
    }
}

/* ---- clocks ---- */

static void steps_are(const seen *s, int frames, int64_t step)
{
    ended_well(s);
    assert_int_equal(s->frames, frames);
    for (int i = 1; i < s->frames; i++)
        assert_int_equal(s->frame[i].pts - s->frame[i - 1].pts, step);
}

static void test_wrapped(void **state)
{
    ffmpeg(VIDEO SOUND H264 "-output_ts_offset 95442.2 @wrap.ts");
    seen *s = look("wrap.ts", plain);
    steps_are(s, 50, 3600);
    assert_int_equal(s->totals.jumps, 0);
    for (int i = 1; i < s->packets; i++)
        assert_true(s->packet[i].pts > s->packet[i - 1].pts);
    free(s);
}

static void test_jumps(void **state)
{
    ffmpeg(VIDEO SOUND H264 "-output_ts_offset 300 @late.ts");
    ffmpeg(VIDEO SOUND H264 "@early.ts");
    static const char *const pairs[][2] = {
        {"early.ts", "early.ts"}, {"late.ts", "early.ts"}, {"early.ts", "late.ts"}};
    for (int i = 0; i < 3; i++) {
        join("joined.ts", pairs[i][0], pairs[i][1]);
        seen *s = look("joined.ts", (how){.accept = true, .start = -1, .duration = -1});
        ended_well(s);
        assert_int_equal(s->frames, 100);
        assert_int_equal(s->totals.odd_times, 0);
        for (int k = 1; k < s->frames; k++)
            assert_in_range(s->frame[k].pts - s->frame[k - 1].pts, k == 50 ? 1 : 3600, k == 50 ? 9000 : 3600);
        const int64_t end = s->packet[s->packets - 1].pts;
        for (int k = 1; k < s->packets; k++)
            assert_true(s->packet[k].pts > s->packet[k - 1].pts);
        assert_in_range(end - s->frame[99].pts + 9000, 0, 18000);
        assert_in_range(s->totals.jumps, 1, 2);
        free(s);
    }
}

static void test_no_time_stamps(void **state)
{
    ffmpeg("-i @open.mp4 -c:v copy -bsf:v h264_mp4toannexb -an -f h264 @raw.h264");
    seen *s = look("raw.h264", plain);
    ended_well(s);
    assert_int_equal(s->frames, 50);
    free(s);
    ffmpeg("-f lavfi -i testsrc2=s=96x64:r=25:d=2 -c:v libx264 -preset veryfast -bf 2 -g 12 @b.avi");
    s = look("b.avi", plain);
    ended_well(s);
    assert_int_equal(s->frames, 50);
    free(s);
}

/* Time stamps that are equal or go back, as an encoder gives whose clock is coarse: all is decoded. */
static void test_times_going_back(void **state)
{
    static const char *const clips[] = {
        VIDEO
        "-vf setpts=(PTS*TB*25-mod(N*8\\,5))/25/TB -vsync passthrough -c:v libx264 -g 12 -bf 2 -x264-params "
        "log-level=none @back.mkv",
        VIDEO
        "-vf setpts=(PTS*TB*25-mod(N*5\\,4))/25/TB -vsync passthrough -c:v libx264 -g 12 -bf 0 -x264-params "
        "log-level=none @back.mkv"};
    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
        ffmpeg(clips[i]);
        seen *s = look("back.mkv", plain);
        ended_well(s);
        assert_int_equal(s->frames, 50);
        assert_int_equal(s->totals.packets, 50);
        assert_true(s->totals.odd_times > 0);
        assert_int_equal(s->totals.damages + s->losses, 0);
        free(s);
    }
}

static void test_negative_start(void **state)
{
    ffmpeg("-i @open.mp4 -c copy -output_ts_offset -1.5 -avoid_negative_ts disabled @negative.mkv");
    seen *s = look("negative.mkv", plain);
    ended_well(s);
    assert_int_equal(s->frames, 50);
    free(s);
    ffmpeg("-i @open.mp4 -c copy -output_ts_offset 90000 @far.mkv");
    s = look("far.mkv", plain);
    ended_well(s);
    assert_int_equal(s->frame[0].pts, INT64_C(90000000));
    free(s);
    cut_is("far.mkv", (how){.start = 1, .duration = 0.2}, 25, 5);
}

/* ---- sizes ---- */

static void test_size_changes(void **state)
{
    ffmpeg("-f lavfi -i testsrc2=s=128x96:r=25:d=1 -c:v mpeg2video -b:v 500k -output_ts_offset 2 -f mpegts "
           "@large.ts");
    join("sizes.ts", "mpeg2.ts", "large.ts");
    how h = plain;
    h.accept = true; /* the counters of the joined streams do not go on */
    seen *s = look("sizes.ts", h);
    ended_well(s);
    assert_int_equal(s->frames, 75);
    assert_int_equal(s->frame[74].width, 128);
    free(s);
    h.adapt = true;
    s = look("sizes.ts", h);
    ended_well(s);
    assert_int_equal(s->frames, 75);
    assert_int_equal(s->totals.adapted, 25);
    for (int i = 0; i < s->frames; i++) {
        assert_int_equal(s->frame[i].width, 96);
        assert_int_equal(s->frame[i].height, 64);
        assert_int_equal(!!(s->frame[i].facts.marks & SH_FRAME_ADAPTED), i >= 50);
    }
    h.place = &s->frame[60].facts.place;
    seen *part = look("sizes.ts", h);
    ended_well(part);
    assert_int_equal(part->frame[0].width, 96);
    assert_int_equal(part->frame[0].hash, s->frame[60].hash);
    free(part);
    free(s);
}

static void test_few_frames(void **state)
{
    ffmpeg("-f lavfi -i testsrc2=s=96x64:r=25:d=1 -frames:v 1 -c:v libx264 @one.mp4");
    seen *s = look("one.mp4", plain);
    ended_well(s);
    assert_int_equal(s->frames, 1);
    free(s);
    static const char none[] = "YUV4MPEG2 W96 H64 F25:1 Ip A1:1 C420jpeg\n";
    write_whole("none.y4m", none, sizeof(none) - 1, false);
    s = look("none.y4m", plain);
    assert_int_equal(s->result, SH_E_FORMAT);
    print_message("no frames: %s\n", s->err.message);
    free(s);
    static const char huge[] = "YUV4MPEG2 W20000 H20000 F25:1 Ip A1:1 C420jpeg\n";
    write_whole("huge.y4m", huge, sizeof(huge) - 1, false);
    s = look("huge.y4m", plain);
    assert_true(s->result < 0);
    print_message("20000x20000: %s\n", s->err.message);
    free(s);
}

static void test_y4m_pipe(void **state)
{
    ffmpeg("-i @open.mp4 -an -pix_fmt yuv420p @clip.y4m");
    seen *file = look("open.mp4", plain);
    seen *s = look("clip.y4m", (how){.pipe = true, .start = -1, .duration = -1});
    steps_are(s, 50, 1);
    for (int i = 0; i < 50; i++)
        assert_int_equal(s->frame[i].hash, file->frame[i].hash);
    free(file);
    free(s);
}

static int make_folder(void **state)
{
    sh_avlog_quiet();
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char program[] = "rm", option[] = "-r", *words[] = {program, option, folder, NULL};
    pid_t child;
    return posix_spawnp(&child, "rm", NULL, NULL, words, environ) == 0 && waitpid(child, NULL, 0) == child
               ? 0
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_h264),
        cmocka_unit_test(test_begin_others),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_no_way_back),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_nothing),
        cmocka_unit_test(test_edit_list),
        cmocka_unit_test(test_leading),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_no_time_stamps),
        cmocka_unit_test(test_times_going_back),
        cmocka_unit_test(test_negative_start),
        cmocka_unit_test(test_size_changes),
        cmocka_unit_test(test_few_frames),
        cmocka_unit_test(test_y4m_pipe),
    };
    return cmocka_run_group_tests_name("source", tests, make_folder, remove_folder);
}
