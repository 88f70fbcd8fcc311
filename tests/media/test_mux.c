/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container written in pieces: the same bytes in one go and with a stop after every piece, in each
 * container. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "media/stored.h"
#include "media/times.h"
#include "muxwork.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECES 5

extern char **environ;
static char folder[] = "/tmp/spyhop-mux-XXXXXX";
static const char *const endings[] = {"mp4", "mov", "mkv", "ts"};

static const char *path_of(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

/* Runs a program with the words of `line`; "@name" is a file in the folder. */
static void run(const char *program, const char *line)
{
    char text[1024], names[8][128], *words[64] = {(char *)program}, *rest = text;
    int count = 1, named = 0, status;
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
    assert_int_equal(posix_spawnp(&child, program, NULL, NULL, words, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("%s %s", program, line);
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(sh_file_replace(path_of(name), text, strlen(text), 0600, NULL), 0);
}

static int make_clips(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    write_text("s.srt",
               "1\n00:00:00,100 --> 00:00:00,900\nHello\n\n2\n00:00:01,200 --> 00:00:01,700\nAgain\n");
    write_text("m.txt",
               ";FFMETADATA1\ntitle=The title\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n"
               "[CHAPTER]\nTIMEBASE=1/1000\nSTART=900\nEND=2000\ntitle=Two\n");
    run("ffmpeg",
        "-nostdin -v error -y -f lavfi -i testsrc2=s=64x64:r=25:d=2.5 -f lavfi -i sine=r=44100:d=2.5 "
        "-f lavfi -i sine=f=220:r=48000:d=2.5 -i @s.srt -i @m.txt -map 0 -map 1 -map 2 -map 3 "
        "-map_metadata 4 -c:v libx264 -preset ultrafast -c:a:0 aac -c:a:1 ac3 -c:s mov_text "
        "-timecode 01:02:03:04 -metadata:s:a:0 language=fra @clip.mp4");
    run("ffmpeg",
        "-nostdin -v error -y -i @clip.mp4 -map 0:v -map 0:a -map 0:s -c copy -c:s srt -output_ts_offset "
        "0.3 @clip.mkv");
    run("ffmpeg", "-nostdin -v error -y -i @clip.mp4 -map 0:v -map 0:a -c copy @clip.ts");
    return 0;
}

static int remove_clips(void **state)
{
    return sh_dir_remove(folder, NULL);
}

static muxwork work_of(const char *source, const char *output)
{
    return (muxwork){.source = source,
                     .output = output,
                     .pieces = PIECES,
                     .stop_after = -1,
                     .begin_us = AV_NOPTS_VALUE,
                     .end_us = AV_NOPTS_VALUE};
}

static void must(muxwork *work, int expected)
{
    sh_err err = {0};
    int status = muxwork_run(work, &err);
    if (status != expected)
        fail_msg("%s -> %s: %d (%s), not %d", work->source, work->output, status, err.message, expected);
}

static void read_whole(const char *path, sh_buf *bytes)
{
    sh_buf_init(bytes, 1 << 26);
    if (sh_file_read(path, bytes, NULL) < 0)
        fail_msg("%s cannot be read", path);
}

static void assert_same_files(const char *a, const char *b)
{
    sh_buf first, second;
    read_whole(a, &first);
    read_whole(b, &second);
    if (first.length != second.length)
        fail_msg("%s has %zu bytes, %s %zu", a, first.length, b, second.length);
    for (size_t i = 0; i < first.length; i++)
        if (first.data[i] != second.data[i])
            fail_msg("%s and %s differ at byte %zu", a, b, i);
    sh_buf_free(&first);
    sh_buf_free(&second);
}

/* What a crash leaves behind what was committed. */
static void add_junk(const char *name)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/.%s.spyhop-part", folder, name);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    for (int i = 0; i < 40; i++)
        assert_int_equal(write(fd, "unfinished business", 19), 19);
    close(fd);
}

static void stop_everywhere(const char *source, const char *ending, const char *encoder)
{
    char whole[32], halting[32], path[2][128];
    snprintf(whole, sizeof(whole), "whole.%s", ending);
    snprintf(halting, sizeof(halting), "halting.%s", ending);
    snprintf(path[0], sizeof(path[0]), "%s/%s", folder, whole);
    snprintf(path[1], sizeof(path[1]), "%s/%s", folder, halting);
    muxwork work = work_of(source, path[0]);
    work.encoder = encoder;
    must(&work, 1);
    work.output = path[1];
    work.stop_after = 1;
    work.no_finish = true;
    for (int i = 0; i < PIECES; i++) {
        must(&work, 0);
        assert_int_equal(work.replayed, i);
        add_junk(halting);
    }
    work.no_finish = false; /* a trailer that is not the last word */
    work.no_commit = true;
    must(&work, 0);
    work.no_commit = false;
    must(&work, 1);
    assert_int_equal(work.replayed, PIECES);
    assert_same_files(path[0], path[1]);
    unlink(path[0]);
    unlink(path[1]);
}

static void same_bytes(void **state)
{
    static const char *const sources[] = {"clip.mp4", "clip.mkv", "clip.ts"};
    for (size_t s = 0; s < 3; s++)
        for (size_t e = 0; e < 4; e++) {
            char source[128];
            snprintf(source, sizeof(source), "%s/%s", folder, sources[s]);
            stop_everywhere(source, endings[e], NULL);
        }
}

static void same_bytes_of_other_codecs(void **state)
{
    char source[128];
    snprintf(source, sizeof(source), "%s/clip.mkv", folder);
    stop_everywhere(source, "mp4", "libx265");
    stop_everywhere(source, "mkv", "libx265");
    stop_everywhere(source, "ts", "libx265");
    stop_everywhere(source, "mp4", "libaom-av1"); /* it has no header for Matroska before its first packet */
}

/* A file size that is not allowed stands for a disk that is full: said, and gone on from. */
static void full_disk(void **state)
{
    struct rlimit usual, small;
    char source[128], path[2][128];
    sh_err err = {0};
    snprintf(source, sizeof(source), "%s/clip.mp4", folder);
    snprintf(path[0], sizeof(path[0]), "%s/roomy.mkv", folder);
    snprintf(path[1], sizeof(path[1]), "%s/full.mkv", folder);
    muxwork work = work_of(source, path[0]);
    must(&work, 1);
    work.output = path[1];
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t most = 3000; most < 25000; most += 5000) {
        small = (struct rlimit){most, usual.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int status = muxwork_run(&work, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
        assert_int_equal(status, SH_E_IO);
        assert_non_null(strstr(err.message, "File too large"));
    }
    must(&work, 1);
    assert_true(work.replayed > 0);
    assert_same_files(path[0], path[1]);
}

static void same_bytes_of_a_part(void **state)
{
    for (size_t e = 0; e < 4; e++) {
        char source[128], output[128];
        snprintf(source, sizeof(source), "%s/clip.mp4", folder);
        snprintf(output, sizeof(output), "%s/part.%s", folder, endings[e]);
        muxwork work = work_of(source, output);
        work.begin_us = 480000;
        work.end_us = 2200000;
        work.pieces = 4;
        must(&work, 1);
        unlink(output);
    }
}

/* Byte `at` of the part file, counted from its end where negative. */
static void damage(const char *name, long at)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/.%s.spyhop-part", folder, name);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    assert_int_equal(fputc(byte ^ 0x10, file), byte ^ 0x10);
    fclose(file);
}

/* Wherever the part file was changed, it is found out, and starting anew is possible. */
static void changed_part(void **state)
{
    for (size_t e = 0; e < 4; e++)
        for (int turn = 0; turn < 12; turn++) {
            char source[128], output[128], name[32];
            sh_err err = {0};
            snprintf(source, sizeof(source), "%s/clip.mp4", folder);
            snprintf(name, sizeof(name), "changed.%s", endings[e]);
            snprintf(output, sizeof(output), "%s/%s", folder, name);
            muxwork work = work_of(source, output);
            work.stop_after = 2;
            must(&work, 0);
            damage(name, -100 - turn * 517);
            assert_int_equal(muxwork_run(&work, &err), SH_E_CONFLICT);
            assert_non_null(strstr(err.message, "start anew"));
            char journal[200];
            snprintf(journal, sizeof(journal), "%s/.%s.spyhop-journal", folder, name);
            unlink(journal);
        }
}

static void another_source(void **state)
{
    sh_err err = {0};
    char output[128];
    snprintf(output, sizeof(output), "%s/another.mkv", folder);
    muxwork work = work_of(path_of("clip.mp4"), output);
    work.stop_after = 1;
    must(&work, 0);
    work = work_of(path_of("clip.mkv"), output);
    assert_int_equal(muxwork_run(&work, &err), SH_E_CONFLICT);
    assert_non_null(strstr(err.message, "size of the source"));
}

static int64_t box_at(const sh_buf *file, const char *kind)
{
    for (size_t at = 0; at + 8 <= file->length;) {
        const uint8_t *head = (const uint8_t *)file->data + at;
        const size_t size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (memcmp(head + 4, kind, 4) == 0)
            return (int64_t)at;
        if (size < 8)
            break;
        at += size;
    }
    return -1;
}

/* The index is in front where its size was foreseen, and at the end where not. The same packets many times
 * too. */
static void place_of_the_index(void **state)
{
    for (int no_room = 0; no_room < 2; no_room++) {
        char output[128];
        sh_buf file;
        snprintf(output, sizeof(output), "%s/index%d.mp4", folder, no_room);
        muxwork work = work_of(path_of("clip.mp4"), output);
        work.pieces = 60;
        work.same_packets = true;
        work.no_room = no_room;
        work.stop_after = 31;
        must(&work, 0);
        must(&work, 1);
        read_whole(output, &file);
        const int64_t moov = box_at(&file, "moov"), mdat = box_at(&file, "mdat");
        assert_true(moov > 0 && mdat > 0);
        assert_true(no_room ? moov > mdat : moov < mdat);
        sh_buf_free(&file);
        unlink(output);
    }
}

static void locked(void **state)
{
    sh_unfinished first = SH_UNFINISHED_NONE, second = SH_UNFINISHED_NONE;
    sh_err err = {0};
    const char *path = path_of("locked.mkv");
    assert_int_equal(sh_unfinished_open(&first, path, false, -1, &err), 0);
    assert_int_equal(sh_unfinished_open(&second, path, false, -1, &err), SH_E_CONFLICT);
    assert_non_null(strstr(err.message, "another process"));
    assert_int_equal(access(path_of(".locked.mkv.spyhop-journal"), F_OK), 0);
    sh_unfinished_close(&first); /* empty: nothing stays */
    assert_int_equal(access(path_of(".locked.mkv.spyhop-journal"), F_OK), -1);
    assert_int_equal(access(path_of(".locked.mkv.spyhop-part"), F_OK), -1);
    /* a file of others' that lies in wait */
    assert_int_equal(symlink("/etc/passwd", path_of(".locked.mkv.spyhop-part")), 0);
    assert_true(sh_unfinished_open(&first, path, false, -1, &err) < 0);
    assert_int_equal(access(path_of(".locked.mkv.spyhop-journal"), F_OK), -1);
    char name[200];
    memset(name, 'n', sizeof(name));
    memcpy(name + 190, ".mkv", 5);
    char longest[400];
    snprintf(longest, sizeof(longest), "%s/%s%s", folder,
             "an-ending-that-makes-it-as-long-as-can-be-aaaaaaaaaaa", name);
    assert_int_equal(sh_unfinished_open(&first, longest, false, -1, &err), 0);
    assert_int_equal(write(first.part, "x", 1), 1);
    assert_int_equal(sh_unfinished_commit(&first, &err), 0);
    sh_unfinished_close(&first);
    assert_int_equal(access(longest, F_OK), 0);
}

/* ---- parts ---- */

static void forms(void **state)
{
    static const uint8_t units[] = {0, 0, 0, 1, 9, 0xf0, 0, 0,    1, 0x65, 1, 2,    3, 0,
                                    0, 0, 0, 1, 6, 5,    0, 0x80, 0, 0,    1, 0x41, 7};
    static const uint8_t stored[] = {0, 0, 0, 2, 9, 0xf0, 0, 0,    0, 4, 0x65, 1, 2,    3,
                                     0, 0, 0, 4, 6, 5,    0, 0x80, 0, 0, 0,    2, 0x41, 7};
    AVCodecParameters h264 = {.codec_type = AVMEDIA_TYPE_VIDEO, .codec_id = AV_CODEC_ID_H264};
    AVPacket *packet = av_packet_alloc();
    sh_buf buf;
    sh_err err = {0};
    sh_buf_init(&buf, 1000);
    assert_int_equal(sh_stored_make(SH_STORED_LENGTHS, &h264, units, sizeof(units), true, &buf, &err), 0);
    assert_int_equal(buf.length, sizeof(stored));
    assert_memory_equal(buf.data, stored, sizeof(stored));
    assert_int_equal(sh_stored_give(SH_STORED_LENGTHS, stored, sizeof(stored), packet, &err), 0);
    sh_buf again;
    sh_buf_init(&again, 1000);
    assert_int_equal(
        sh_stored_make(SH_STORED_LENGTHS, &h264, packet->data, (size_t)packet->size, true, &again, &err), 0);
    assert_memory_equal(again.data, stored, sizeof(stored));
    av_packet_unref(packet);
    for (size_t size = 1; size < sizeof(stored); size++) { /* cut anywhere: an error or whole units */
        int status = sh_stored_give(SH_STORED_LENGTHS, stored, size, packet, &err);
        assert_true(status == SH_E_FORMAT || size == 6 || size == 14 || size == 22);
        av_packet_unref(packet);
    }
    assert_int_equal(
        sh_stored_make(SH_STORED_TRANSPORT, &h264, units + 6, sizeof(units) - 6, true, &buf, &err), 0);
    assert_memory_equal(buf.data, "\0\0\0\1\x09\xf0", 6);
    /* AV1: a temporal delimiter goes, a frame stays */
    static const uint8_t obus[] = {0x12, 0, 0x32, 3, 1, 2, 3, 0x7a, 1, 0};
    assert_int_equal(sh_stored_make(SH_STORED_OBUS, &h264, obus, sizeof(obus), true, &buf, &err), 0);
    assert_int_equal(buf.length, 5);
    assert_memory_equal(buf.data, obus + 2, 5);
    assert_int_equal(sh_stored_make(SH_STORED_OBUS, &h264, obus, 4, true, &buf, &err), SH_E_FORMAT);
    sh_buf_free(&buf);
    sh_buf_free(&again);
    av_packet_free(&packet);
}

/* One closed group in decoding order, then another: the times show no join. */
static void times(void **state)
{
    static const int64_t pts[2][5] = {{0, 40, 10, 25, 70}, {100, 190, 130, 120, 200}};
    static const int64_t dts[2][5] = {{-20, -10, 0, 10, 25}, {40, 70, 100, 120, 130}};
    AVPacket packets[5], *list[5];
    sh_times t;
    sh_err err = {0};
    assert_int_equal(sh_times_start(&t, 2, 10, &err), 0);
    for (int piece = 0; piece < 2; piece++) {
        for (int i = 0; i < 5; i++) {
            packets[i].pts = pts[piece][i];
            list[i] = &packets[i];
        }
        assert_int_equal(sh_times_piece(&t, list, 5, &err), 0);
        for (int i = 0; i < 5; i++)
            assert_int_equal(packets[i].dts, dts[piece][i]);
    }
    assert_int_equal(sh_times_piece(&t, list, 5, &err), SH_E_INTERNAL); /* the same times again */
    assert_int_equal(sh_times_start(&t, 0, 10, &err), 0);
    packets[0].pts = 20;
    packets[1].pts = 10;
    assert_int_equal(sh_times_piece(&t, list, 2, &err), SH_E_INTERNAL); /* more reordering than was said */
    assert_int_equal(sh_times_start(&t, SH_DELAY_MAX + 1, 10, &err), SH_E_INTERNAL);
}

typedef struct said {
    char text[4000];
    int losses, notes;
} said;

static void note(void *opaque, bool loss, const char *text)
{
    said *to = opaque;
    const size_t length = strlen(to->text);
    snprintf(to->text + length, sizeof(to->text) - length, "%s\n", text);
    *(loss ? &to->losses : &to->notes) += 1;
}

static void losses(void **state)
{
    static const struct {
        const char *ending;
        int losses;
        const char *words;
    } expected[] = {{"mp4", 0, ""},
                    {"mov", 0, ""},
                    {"mkv", 0, "becomes subrip"},
                    {"ts", 6, "track 3 (subtitle, mov_text) cannot be held by MPEG-TS"}};
    for (size_t i = 0; i < 4; i++) {
        said what = {.text = ""};
        char source[128], output[128];
        snprintf(source, sizeof(source), "%s/clip.mp4", folder);
        snprintf(output, sizeof(output), "%s/losses.%s", folder, expected[i].ending);
        muxwork work = work_of(source, output);
        work.say = note;
        work.opaque = &what;
        work.pieces = 1;
        must(&work, 1);
        if ((what.losses > 0) != (expected[i].losses > 0) || !strstr(what.text, expected[i].words))
            fail_msg("%s: %d losses, not %d:\n%s", expected[i].ending, what.losses, expected[i].losses,
                     what.text);
        unlink(output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(times),
        cmocka_unit_test(same_bytes),
        cmocka_unit_test(same_bytes_of_other_codecs),
        cmocka_unit_test(same_bytes_of_a_part),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(changed_part),
        cmocka_unit_test(another_source),
        cmocka_unit_test(place_of_the_index),
        cmocka_unit_test(locked),
        cmocka_unit_test(losses),
    };
    av_log_set_level(AV_LOG_ERROR);
    return cmocka_run_group_tests(tests, make_clips, remove_clips);
}
