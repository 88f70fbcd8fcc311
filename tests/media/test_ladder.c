/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ladders from end to end: what comes out decodes to what went in, and what goes wrong on the way (a killed
 * process, a full disk, a network that makes nonsense, a video that does not decode back) neither stops the
 * work where it can go on, nor shows in the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "ladderfolder.h"
#include "media/media.h"
#include "media/verify.h"
#include "netmodel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/spyhop-test-XXXXXX";
static char plain[80], silent[80], uneven[80], worded[80], network[80];
static char lasting[80];         /* more than queues hold */
static const char *film = plain; /* of resumable jobs */
static lw_place place;

/* ---- decoding back goes wrong on demand ---- */

int __wrap_sh_check_packet(sh_check *check, const AVPacket *packet, sh_err *err);
int __real_sh_check_packet(sh_check *check, const AVPacket *packet, sh_err *err);
static int64_t wrong_at, wrong_again; /* the packet of that pts; how often */

int __wrap_sh_check_packet(sh_check *check, const AVPacket *packet, sh_err *err)
{
    if (packet && wrong_again > 0 && packet->pts == wrong_at) {
        wrong_again--;
        return sh_fail(err, SH_E_CONFLICT, "it is another picture");
    }
    return __real_sh_check_packet(check, packet, err);
}

/* ---- jobs ---- */

static void begin(sh_ladder_job *job, const char *input)
{
    sh_ladder_job_default(job);
    job->input = input;
    job->segment_seconds = 0.5;
    job->min_last_seconds = 0.2;
    job->options.threads = 2;
    lw_use(&place, job);
}

static int make(const sh_ladder_job *job, sh_ladder_result *result)
{
    sh_err err = {0};
    const int status = sh_ladder_make(result, job, &err);
    if (status < 0)
        snprintf(place.warning, sizeof(place.warning), "%s", err.message);
    return status;
}

static void make_well(const sh_ladder_job *job, sh_ladder_result *result)
{
    if (make(job, result) < 0)
        fail_msg("%s", place.warning);
}

static int set_up(void **state)
{
    lw_make(&place);
    wrong_again = 0;
    film = plain;
    return 0;
}

static int tear_down(void **state)
{
    lw_remove(&place);
    return 0;
}

/* All tracks have the same borders, and they tile the film. */
static void check_borders(const sh_ladder_result *r)
{
    for (size_t i = 0; i < r->track_count; i++) {
        const sh_ladder_track *t = &r->tracks[i];
        for (size_t k = 1; k < t->segment_count; k++)
            assert_int_equal(t->segments[k].start, t->segments[k - 1].start + t->segments[k - 1].duration);
        if (t->video < 0 || t->video == r->tracks[0].video)
            continue;
        assert_int_equal(t->segment_count, r->tracks[0].segment_count);
        for (size_t k = 0; k < t->segment_count; k++)
            assert_int_equal(t->segments[k].start, r->tracks[0].segments[k].start);
    }
}

/* ---- what comes out ---- */

static void renditions_decode_to_the_film(void **state)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    int64_t first, end;
    begin(&job, plain);
    lw_video(&job, SH_LADDER_CMAF, 64, 48);
    lw_video(&job, SH_LADDER_CMAF, 32, 24)->encoder.max_bitrate = 200000;
    lw_audio(&job, SH_LADDER_CMAF);
    make_well(&job, &r);
    assert_int_equal(r.frames, 60);
    assert_int_equal(r.checked, 120);
    assert_int_equal(r.sums.fates[SH_FATE_KEPT] + r.sums.fates[SH_FATE_DUPLICATE], 60);
    assert_int_equal(r.tracks[0].timescale, 30000);
    assert_int_equal(r.tracks[0].duration, 60 * 1001);
    assert_int_equal(r.tracks[0].pictures, 60);
    assert_int_equal(r.tracks[0].segment_count, 4);
    assert_int_equal(place.grew, 4);
    check_borders(&r);
    assert_int_equal(lw_decode(&place, "c0", &first, &end), 60);
    assert_int_equal(end - first, 60 * 1001);
    assert_int_equal(lw_decode(&place, "c1", &first, &end), 60);
    assert_in_range(lw_decode(&place, "c2", &first, &end), 86, 89);
    assert_non_null(strstr(r.facts, "\"plan\""));
    sh_ladder_result_free(&r);
}

static void whole_films_have_key_pictures_at_borders(void **state)
{
    static const char *const names[] = {"libx264", "libx265", "libsvtav1"};
    for (int i = 0; i < 3; i++) {
        sh_ladder_job job;
        sh_ladder_result r = {0};
        int64_t first, end;
        begin(&job, plain);
        job.whole = true;
        sh_ladder_video *video = lw_video(&job, SH_LADDER_CMAF, 64, 64);
        video->encoder.name = names[i];
        video->encoder.preset = i == 2 ? "12" : "ultrafast";
        if (i == 0)
            video->encoder.rate_control = SH_ENCODER_CONSTANT;
        video->encoder.bitrate = 150000;
        lw_video(&job, SH_LADDER_CMAF, 32, 32);
        make_well(&job, &r);
        check_borders(&r);
        assert_int_equal(r.tracks[0].segment_count, 4);
        assert_int_equal(lw_decode(&place, "c0", &first, &end), 60);
        sh_ladder_result_free(&r);
    }
}

static void transport_streams_and_files_are_whole(void **state)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    int64_t first, end;
    begin(&job, plain);
    lw_video(&job, SH_LADDER_TS, 64, 48);
    lw_audio(&job, SH_LADDER_MP4);
    job.outputs[1].video = 0;
    make_well(&job, &r);
    assert_int_equal(r.tracks[0].segment_count, 4);
    assert_int_equal(r.tracks[1].segment_count, 0);
    assert_int_equal(r.tracks[1].pictures, 60);
    assert_true(r.tracks[1].whole_bytes > 0 && r.tracks[1].has_audio);
    assert_int_equal(lw_decode(&place, "m1/whole.mp4", &first, &end), 60);
    assert_int_equal(lw_decode(&place, "t0/00001.ts", &first, &end), 15);
    sh_ladder_result_free(&r);
}

static void times_of_uneven_films_stay(void **state)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    int64_t first, end;
    begin(&job, uneven);
    lw_video(&job, SH_LADDER_CMAF, 64, 48);
    make_well(&job, &r);
    assert_true(r.tracks[0].vfr);
    assert_int_equal(lw_decode(&place, "c0", &first, &end), r.frames);
    assert_in_range(end - first, r.tracks[0].duration - 3003,
                    r.tracks[0].duration); /* the last one's length */
    sh_ladder_result_free(&r);
}

static void another_rate_is_made(void **state)
{
    static const AVRational rates[] = {{24, 1}, {60, 1}};
    for (int i = 0; i < 2; i++) {
        sh_ladder_job job;
        sh_ladder_result r = {0};
        int64_t first, end;
        begin(&job, plain);
        lw_video(&job, SH_LADDER_CMAF, 64, 48)->rate = rates[i];
        make_well(&job, &r);
        assert_in_range(r.tracks[0].pictures, i ? 120 : 48, i ? 121 : 49);
        assert_int_equal(lw_decode(&place, "c0", &first, &end), r.tracks[0].pictures);
        sh_ladder_result_free(&r);
    }
}

static void texts_and_captures_are_written(void **state)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    begin(&job, worded);
    lw_video(&job, SH_LADDER_CMAF, 64, 48);
    job.texts[job.text_count++].track = 1;
    sh_ladder_output_default(&job.outputs[1], SH_LADDER_VTT);
    job.outputs[1].text = 0;
    job.captures[job.capture_count++] = (sh_ladder_capture){.width = 32, .height = 24, .rate = {2, 1}};
    job.captures[job.capture_count++] =
        (sh_ladder_capture){.width = 32, .height = 24, .rate = {4, 1}, .across = 2, .down = 2};
    for (int i = 0; i < 2; i++) {
        sh_ladder_output_default(&job.outputs[2 + i], SH_LADDER_FRAMES);
        job.outputs[2 + i].capture = i;
    }
    job.output_count = 4;
    make_well(&job, &r);
    assert_int_equal(r.tracks[1].segment_count, 4);
    assert_true(r.tracks[1].whole_bytes > 20);
    assert_int_equal(r.tracks[2].segment_count, 4);
    assert_int_equal(r.tracks[3].segment_count, 2);
    assert_in_range(r.tracks[3].tiles, 7, 8);
    assert_true(lw_file(&place, "f2/00001.jpg") != 0 && lw_file(&place, "f3/00002.jpg") != 0);
    sh_ladder_result_free(&r);
}

/* ---- what goes wrong ---- */

/* A job with a journal in `place`. */
static void begin_resumable(sh_ladder_job *job)
{
    char path[100];
    begin(job, film);
    if (film == lasting)
        job->segment_seconds = 5;
    lw_video(job, SH_LADDER_CMAF, 64, 48)->encoder.max_bitrate = 300000;
    lw_video(job, SH_LADDER_CMAF, 32, 24);
    lw_audio(job, SH_LADDER_CMAF);
    job->captures[job->capture_count++] =
        (sh_ladder_capture){.width = 32, .height = 24, .rate = {4, 1}, .across = 2, .down = 2};
    sh_ladder_output_default(&job->outputs[3], SH_LADDER_FRAMES);
    job->outputs[job->output_count++].capture = 0;
    snprintf(path, sizeof(path), "%s/journal", place.folder);
    job->journal_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
}

static void make_resumable(lw_place *reference)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    begin_resumable(&job);
    make_well(&job, &r);
    close(job.journal_fd);
    sh_ladder_result_free(&r);
    *reference = place;
    lw_make(&place);
}

/* In a process of its own, which is to end by `signal`, or with `code`. */
static void run_apart(int64_t kill_at, int64_t cancel_at)
{
    int status;
    const pid_t pid = fork();
    if (pid == 0) {
        sh_ladder_job job;
        sh_ladder_result r = {0};
        begin_resumable(&job);
        place.kill_at = kill_at;
        place.cancel_at = cancel_at;
        _exit(make(&job, &r) == SH_E_CANCELLED ? 3 : 4);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    if (kill_at)
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    else
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

static void finish(const lw_place *reference, bool resumed)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    begin_resumable(&job);
    make_well(&job, &r);
    close(job.journal_fd);
    assert_int_equal(r.resumed, resumed);
    const int frames = film == lasting ? 1500 : 60;
    assert_int_equal(r.frames, frames);
    assert_int_equal(r.sums.frames_in, frames);
    assert_int_equal(r.tracks[0].segment_count, film == lasting ? 12 : 4);
    assert_int_equal(r.tracks[0].pictures, frames);
    check_borders(&r);
    assert_int_equal(lw_differ(&place, reference), 0);
    sh_ladder_result_free(&r);
}

static void a_killed_run_is_gone_on_with(void **state)
{
    lw_place reference;
    make_resumable(&reference);
    run_apart(1, 0);
    run_apart(2, 0);
    run_apart(3, 0);
    finish(&reference, true);
    finish(&reference, true); /* all there: the last segment once more */
    lw_remove(&reference);
}

static void a_cancelled_run_is_gone_on_with(void **state)
{
    lw_place reference;
    film = lasting;
    make_resumable(&reference);
    run_apart(0, 1);
    finish(&reference, true);
    lw_remove(&reference);
}

static void a_full_disk_is_said_and_gone_on_behind(void **state)
{
    lw_place reference;
    make_resumable(&reference);
    for (int at = 1; at <= 13; at += 3) {
        sh_ladder_job job;
        sh_ladder_result r = {0};
        begin_resumable(&job);
        place.opened = 0;
        place.full_at = at;
        assert_int_equal(make(&job, &r), SH_E_FULL);
        place.full_at = 0;
        close(job.journal_fd);
        finish(&reference, at > 8);
        lw_remove(&place);
        lw_make(&place);
    }
    lw_remove(&reference);
}

static void files_that_changed_are_made_again(void **state)
{
    lw_place reference;
    char path[100];
    make_resumable(&reference);
    run_apart(3, 0);
    snprintf(path, sizeof(path), "%s/c1/00002.m4s", place.folder);
    const int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "damage", 6, 300), 6);
    close(fd);
    finish(&reference, true);
    assert_non_null(strstr(place.warning, "made again"));
    snprintf(path, sizeof(path), "%s/c0/00001.m4s", place.folder);
    unlink(path);
    finish(&reference, false);
    lw_remove(&reference);
}

static void other_work_is_not_gone_on_with(void **state)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    run_apart(2, 0);
    begin_resumable(&job);
    job.videos[0].encoder.max_bitrate = 310000;
    assert_int_equal(make(&job, &r), SH_E_CONFLICT);
    assert_non_null(strstr(place.warning, "video 1"));
    job.anew = true;
    make_well(&job, &r);
    assert_false(r.resumed);
    close(job.journal_fd);
    sh_ladder_result_free(&r);
}

static void what_does_not_decode_back_is_made_again(void **state)
{
    lw_place reference;
    sh_ladder_job job;
    sh_ladder_result r = {0};
    make_resumable(&reference);
    wrong_at = 20 * 1001;
    wrong_again = 1;
    finish(&reference, false);
    assert_non_null(strstr(place.warning, "segment 2: video"));
    lw_remove(&place);
    lw_make(&place);
    wrong_again = 100;
    begin_resumable(&job);
    assert_int_equal(make(&job, &r), SH_E_INTERNAL);
    assert_non_null(strstr(place.warning, "wrong again after 2 tries"));
    close(job.journal_fd);
    wrong_again = 0;
    finish(&reference, true);
    lw_remove(&reference);
}

/* A network that makes black pictures. */
static void write_network(void)
{
    nm_model net = {.opset = 13, .input_channels = 1, .output_channels = 1, .input = "in", .output = "out"};
    const float scales[4] = {1, 1, 2, 2}, value = 0;
    sh_buf bytes;
    sh_buf_init(&bytes, 1 << 20);
    nm_constant(&net, "scales", 1, (const int64_t[]){4}, scales);
    nm_constant(&net, "value", 1, (const int64_t[]){1}, &value);
    nm_string(nm_add(&net, "Resize", "large", "in", "", "scales"), "mode", "linear");
    nm_add(&net, "Mul", "out", "large", "value", NULL);
    nm_write(&net, &bytes);
    nm_free(&net);
    FILE *file = fopen(network, "w");
    fwrite(bytes.data, 1, bytes.length, file);
    fclose(file);
    sh_buf_free(&bytes);
}

static void black_pictures_are_not_given_out(void **state)
{
    for (int whole = 0; whole < 2; whole++) {
        sh_ladder_job job;
        sh_ladder_result r = {0};
        begin(&job, silent);
        job.whole = whole;
        job.options.model = network;
        lw_video(&job, SH_LADDER_CMAF, 0, 0);
        lw_video(&job, SH_LADDER_CMAF, 64, 48);
        make_well(&job, &r);
        assert_int_equal(r.out_width, 128);
        assert_int_equal(r.tracks[0].width, 128);
        assert_int_equal(r.sums.classic, (int)r.tracks[0].segment_count);
        assert_true(whole || r.redone >= (int)r.tracks[0].segment_count);
        sh_ladder_result_free(&r);
    }
}

static void damage_is_said_or_accepted(void **state)
{
    sh_ladder_job job;
    sh_ladder_result r = {0};
    char path[100];
    sh_buf bytes;
    sh_buf_init(&bytes, 1 << 24);
    snprintf(path, sizeof(path), "%s/short.mp4", folder);
    assert_int_equal(sh_file_read(silent, &bytes, NULL), 0);
    FILE *file = fopen(path, "w");
    fwrite(bytes.data, 1, bytes.length * 7 / 10, file);
    fclose(file);
    sh_buf_free(&bytes);
    begin(&job, path);
    lw_video(&job, SH_LADDER_CMAF, 64, 48);
    assert_true(make(&job, &r) < 0);
    assert_non_null(strstr(place.warning, "short.mp4"));
    job.options.accept_damage = true;
    make_well(&job, &r);
    assert_true(r.damages > 0);
    sh_ladder_result_free(&r);
}

static void what_cannot_be_is_refused(void **state)
{
    for (int i = 0; i < 12; i++) {
        sh_ladder_job job;
        sh_ladder_result r = {.frames = 77};
        begin(&job, i == 0 ? "/nowhere" : i == 1 ? folder : i == 2 ? network : silent);
        if (i != 3)
            lw_video(&job, SH_LADDER_CMAF, i == 4 ? 63 : 64, 48);
        if (i == 5)
            lw_audio(&job, SH_LADDER_CMAF);
        if (i == 6)
            job.outputs[0].video = 1;
        if (i == 7)
            job.segment_seconds = 0.01;
        if (i == 8)
            job.videos[0].encoder.rate_control = SH_ENCODER_CONSTANT;
        if (i == 9)
            job.videos[0].encoder.name = "libnothing";
        if (i == 10)
            job.options.model = silent;
        if (i == 11)
            lw_video(&job, SH_LADDER_CMAF, 32, 24)->rate = (AVRational){24, 1};
        assert_true(make(&job, &r) < 0);
        assert_true(strlen(place.warning) > 10);
        assert_int_equal(r.frames, 77);
    }
}

/* ---- the clips ---- */

static int make_clips(void **state)
{
    char words[300], text[80];
    if (!mkdtemp(folder))
        return -1;
    snprintf(plain, sizeof(plain), "%s/plain.mp4", folder);
    snprintf(silent, sizeof(silent), "%s/silent.mp4", folder);
    snprintf(uneven, sizeof(uneven), "%s/uneven.mp4", folder);
    snprintf(worded, sizeof(worded), "%s/worded.mp4", folder);
    snprintf(lasting, sizeof(lasting), "%s/lasting.mp4", folder);
    snprintf(network, sizeof(network), "%s/black.onnx", folder);
    snprintf(text, sizeof(text), "%s/text.srt", folder);
    write_network();
    FILE *file = fopen(text, "w");
    fputs("1\n00:00:00,200 --> 00:00:00,900\nHello\n\n2\n00:00:01,000 --> 00:00:01,400\nAgain\n", file);
    fclose(file);
    const char *encode = "-c:v libx264 -g 30 -pix_fmt yuv420p -c:a aac";
    snprintf(words, sizeof(words),
             "-f lavfi -i testsrc2=s=64x48:r=30000/1001:d=2 -f lavfi -i sine=d=2.002 %s", encode);
    int status = lw_ffmpeg(words, plain);
    snprintf(words, sizeof(words), "-i %s -an -c copy -movflags +faststart", plain);
    status = status ? status : lw_ffmpeg(words, silent);
    snprintf(words, sizeof(words), "-i %s -an -vf select=mod(n\\,3)+eq(mod(n\\,4)\\,1) -vsync vfr %s", plain,
             encode);
    status = status ? status : lw_ffmpeg(words, uneven);
    snprintf(words, sizeof(words), "-i %s -i %s -c copy -c:s mov_text", silent, text);
    status = status ? status : lw_ffmpeg(words, worded);
    snprintf(words, sizeof(words),
             "-f lavfi -i testsrc2=s=64x48:r=25:d=60 -f lavfi -i sine=d=60 -preset ultrafast %s", encode);
    return status ? status : lw_ffmpeg(words, lasting);
}

static int remove_clips(void **state)
{
    lw_place all = {0};
    snprintf(all.folder, sizeof(all.folder), "%s", folder);
    lw_remove(&all);
    return 0;
}

#define LADDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LADDER_TEST(renditions_decode_to_the_film),
        LADDER_TEST(whole_films_have_key_pictures_at_borders),
        LADDER_TEST(transport_streams_and_files_are_whole),
        LADDER_TEST(times_of_uneven_films_stay),
        LADDER_TEST(another_rate_is_made),
        LADDER_TEST(texts_and_captures_are_written),
        LADDER_TEST(a_killed_run_is_gone_on_with),
        LADDER_TEST(a_cancelled_run_is_gone_on_with),
        LADDER_TEST(a_full_disk_is_said_and_gone_on_behind),
        LADDER_TEST(files_that_changed_are_made_again),
        LADDER_TEST(other_work_is_not_gone_on_with),
        LADDER_TEST(what_does_not_decode_back_is_made_again),
        LADDER_TEST(black_pictures_are_not_given_out),
        LADDER_TEST(damage_is_said_or_accepted),
        LADDER_TEST(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, make_clips, remove_clips);
}
