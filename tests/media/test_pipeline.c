/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The work of the confined children, in this process: so that the sanitizers see its memory and its threads
 * to the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "media/journal.h"
#include "media/ladder_child.h"
#include "media/ledger.h"
#include "media/pipeline.h"
#include "media/sandbox.h"
#include "netmodel.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The libraries are not built for the thread sanitizer: it sees their memory and not their atomic counters.
 */
const char *__tsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "race:libavutil.so\nrace:libavcodec.so\nrace:libavformat.so\nrace:libswscale.so\nrace:"
           "libswresample.so\n"
           "race:libx264.so\ncalled_from_lib:libavutil.so\ncalled_from_lib:libavcodec.so\n"
           "called_from_lib:libavformat.so\ncalled_from_lib:libx264.so\nmutex:libav\nthread:libav\n";
}

extern char **environ;
static int jobs = 1;
static char clip[] = "/tmp/spyhop-test-XXXXXX";
static sh_buf model;

/* ---- the other end of the channel ---- */

typedef struct parent {
    int channel;
    int data, opened;  /* messages of these kinds */
    sh_message result; /* the last with data */
} parent;

static void give_file(int channel)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    sh_message message = {.kind = SH_MSG_OPEN};
    struct iovec part = {&message, sizeof(message)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct cmsghdr *extra = CMSG_FIRSTHDR(&header);
    extra->cmsg_level = SOL_SOCKET;
    extra->cmsg_type = SCM_RIGHTS;
    extra->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(extra), &fd, sizeof(int));
    if (sendmsg(channel, &header, 0) < 0)
        abort();
    close(fd);
}

static void *be_parent(void *opaque)
{
    parent *p = opaque;
    sh_message message;
    while (read(p->channel, &message, sizeof(message)) == (ssize_t)sizeof(message)) {
        if (message.kind == SH_MSG_DATA) {
            p->data++;
            p->result = message;
        }
        if (message.kind == SH_MSG_OPEN) {
            p->opened++;
            give_file(p->channel);
        }
    }
    return NULL;
}

static int run(sh_sandbox_main fn, void *opaque, parent *p, sh_err *err)
{
    int pair[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *p = (parent){.channel = pair[0]};
    assert_int_equal(pthread_create(&thread, NULL, be_parent, p), 0);
    int status = fn(opaque, pair[1], err);
    close(pair[1]);
    pthread_join(thread, NULL);
    close(pair[0]);
    return status;
}

/* ---- upscaling ---- */

/* What the journal says in the end. */
static struct {
    int64_t pieces, frames, duplicates, by_level[3];
    char reason[200]; /* of the last piece */
} told;

static void read_journal(int fd)
{
    sh_journal *journal = NULL;
    sh_journal_piece piece;
    int64_t cursor = 0;
    memset(&told, 0, sizeof(told));
    assert_int_equal(sh_journal_open(&journal, fd, "journal", NULL), 0);
    while (sh_journal_next(journal, &cursor, &piece, NULL) == 1) {
        sh_ledger ledger = {0};
        assert_int_equal(sh_ledger_read(&ledger, piece.ledger, piece.ledger_size, NULL), 0);
        assert_true(piece.fallback < 3);
        told.pieces++;
        told.frames += piece.frames;
        told.by_level[piece.fallback]++;
        told.duplicates += ledger.duplicates;
        memcpy(told.reason, ledger.reason, sizeof(told.reason));
        sh_ledger_free(&ledger);
    }
    sh_journal_close(journal);
}

static int upscale(const char *input, int limit, bool accept, parent *p, sh_err *err)
{
    sh_upscale_options options;
    sh_upscale_options_default(&options);
    options.input = input;
    options.output = "out.mp4";
    options.model = "model";
    options.crf = 30;
    options.preset = "ultrafast";
    options.threads = 2;
    options.piece_frames = 12;
    options.jobs = jobs;
    options.accept_damage = accept;
    const sh_upscale_job job = {.options = &options};
    char cut[] = "/tmp/spyhop-test-XXXXXX";
    FILE *out = tmpfile(), *journal = tmpfile();
    sh_upscale_child child = {.job = &job,
                              .muxer = sh_mux_find(options.output, NULL),
                              .input = open(input, O_RDONLY | O_CLOEXEC),
                              .part = fileno(out),
                              .journal = fileno(journal),
                              .folder = -1,
                              .model = model.data,
                              .model_size = model.length};
    if (limit) {
        sh_buf bytes;
        int fd = mkstemp(cut);
        sh_buf_init(&bytes, 1 << 24);
        assert_int_equal(sh_file_read(input, &bytes, NULL), 0);
        assert_int_equal(sh_fd_write(fd, bytes.data, bytes.length * (size_t)limit / 100, NULL), 0);
        sh_buf_free(&bytes);
        close(child.input);
        child.input = fd;
        unlink(cut);
    }
    int status = run(sh_upscale_child_main, &child, p, err);
    if (status == 0)
        read_journal(fileno(journal));
    close(child.input);
    fclose(out);
    fclose(journal);
    return status;
}

static void upscaling_leaves_nothing(void **state)
{
    parent p;
    sh_err err = {0};
    if (upscale(clip, 0, false, &p, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(p.data, 1);
    assert_int_equal(told.frames, 30);
    assert_int_equal(told.pieces, 3);
    assert_int_equal(told.by_level[0], 3);
}

static void failing_leaves_nothing(void **state)
{
    parent p;
    sh_err err = {0};
    for (int percent = 5; percent < 100; percent += 19)
        assert_int_equal(upscale(clip, percent, false, &p, &err), SH_E_FORMAT);
    assert_int_equal(upscale(clip, 70, true, &p, &err), 0);
}

/* A network that does nothing but make pictures `scale` times as large, in place of `model`. */
static void use_plain_network(int scale)
{
    nm_model net = {.opset = 13, .input_channels = 1, .output_channels = 1, .input = "in", .output = "out"};
    const float scales[4] = {1, 1, (float)scale, (float)scale};
    nm_constant(&net, "scales", 1, (const int64_t[]){4}, scales);
    if (scale == 1)
        nm_add(&net, "Relu", "out", "in", NULL, NULL);
    else
        nm_string(nm_add(&net, "Resize", "out", "in", "", "scales"), "mode", "linear");
    sh_buf_clear(&model);
    nm_write(&net, &model);
    nm_free(&net);
}

static void every_scale_of_a_model_is_taken(void **state)
{
    parent p;
    sh_err err = {0};
    for (int scale = 1; scale <= 4; scale++) {
        use_plain_network(scale);
        if (upscale(clip, 0, false, &p, &err) < 0)
            fail_msg("%s", err.message);
        assert_int_equal(p.result.number[SH_UP_OUT_WIDTH], 64 * scale);
        assert_int_equal(p.result.number[SH_UP_WIDTH], 64);
        assert_int_equal(p.result.number[SH_UP_FRAMES], 30);
    }
    sh_buf_clear(&model);
    assert_int_equal(sh_file_read(SH_TEST_MODEL, &model, NULL), 0);
}

#define NOT_FINITE 1e30F

/* A network whose pictures are `value` times what they should be, or infinity minus infinity. */
static void use_broken_network(float value)
{
    nm_model net = {.opset = 13, .input_channels = 1, .output_channels = 1, .input = "in", .output = "out"};
    const float scales[4] = {1, 1, 2, 2};
    nm_constant(&net, "scales", 1, (const int64_t[]){4}, scales);
    nm_constant(&net, "value", 1, (const int64_t[]){1}, &value);
    nm_string(nm_add(&net, "Resize", "large", "in", "", "scales"), "mode", "linear");
    nm_add(&net, "Mul", value == NOT_FINITE ? "huge" : "out", "large", "value", NULL);
    if (value == NOT_FINITE) {
        nm_add(&net, "Mul", "infinite", "huge", "value", NULL);
        nm_add(&net, "Sub", "out", "infinite", "infinite", NULL);
    }
    sh_buf_clear(&model);
    nm_write(&net, &model);
    nm_free(&net);
}

/* Black, not finite, flat and far too light pictures become Lanczos', piece by piece, by one job and by
 * three.
 */
static void pictures_that_are_none_are_made_again(void **state)
{
    static const float values[] = {0, NOT_FINITE, 1e6F, 0.5F};
    parent p;
    sh_err err = {0};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        jobs = i % 2 ? 3 : 1;
        use_broken_network(values[i]);
        if (upscale(clip, 0, false, &p, &err) < 0)
            fail_msg("%s", err.message);
        assert_int_equal(told.frames, 30);
        assert_int_equal(told.by_level[2], 3);
        assert_non_null(strstr(told.reason, "frame 25: "));
    }
    jobs = 1;
    sh_buf_clear(&model);
    assert_int_equal(sh_file_read(SH_TEST_MODEL, &model, NULL), 0);
}

/* ---- streams ---- */

/* The pieces of the child's answer are not of interest here; memory and threads are. */
static void make_ladder(int kind, bool whole, bool enlarged)
{
    static sh_ladder_job job;
    parent p;
    sh_err err = {0};
    sh_ladder_job_default(&job);
    job.input = clip;
    job.segment_seconds = 0.5;
    job.whole = whole;
    job.options.threads = 2;
    for (int i = 0; i < 2; i++) {
        sh_ladder_video_default(&job.videos[i]);
        job.videos[i].width = job.videos[i].height = i ? 64 : 80;
        job.videos[i].encoder.preset = "ultrafast";
        sh_ladder_output_default(&job.outputs[i], kind);
        job.outputs[i].video = i;
    }
    job.audios[0] = (sh_ladder_audio){.track = -1, .bitrate = 64000};
    sh_ladder_output_default(&job.outputs[2], SH_LADDER_CMAF);
    job.outputs[2].audios[job.outputs[2].audio_count++] = 0;
    job.captures[0] = (sh_ladder_capture){.width = 32, .height = 24, .rate = {5, 1}, .across = 2, .down = 2};
    sh_ladder_output_default(&job.outputs[3], SH_LADDER_FRAMES);
    job.outputs[3].capture = 0;
    job.video_count = 2;
    job.audio_count = job.capture_count = 1;
    job.output_count = 4;
    const sh_ladder_child child = {.job = &job,
                                   .input = open(clip, O_RDONLY | O_CLOEXEC),
                                   .model = enlarged ? model.data : NULL,
                                   .model_size = model.length};
    job.options.model = enlarged ? "model" : NULL;
    if (run(sh_ladder_child_main, (void *)&child, &p, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(p.opened >= 6);
    close(child.input);
}

static void streams_leave_nothing(void **state)
{
    make_ladder(SH_LADDER_CMAF, false, false);
    make_ladder(SH_LADDER_TS, true, false);
    make_ladder(SH_LADDER_MP4, false, true);
}

static int make_clip(void **state)
{
    char words[] = "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=64x48:r=25:d=1.2 -f lavfi -i "
                   "sine=d=1.2 -c:v libx264 "
                   "-pix_fmt yuv420p -c:a aac -movflags +faststart -f mp4";
    char *argv[40], *rest = words;
    int count = 0, status = -1;
    pid_t pid;
    close(mkstemp(clip));
    while ((argv[count] = strsep(&rest, " ")))
        count++;
    argv[count++] = clip;
    argv[count] = NULL;
    if (posix_spawnp(&pid, "ffmpeg", NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) < 0 ||
        status != 0)
        return -1;
    sh_buf_init(&model, 1 << 24);
    return sh_file_read(SH_TEST_MODEL, &model, NULL);
}

static int remove_clip(void **state)
{
    sh_buf_free(&model);
    return unlink(clip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upscaling_leaves_nothing),
        cmocka_unit_test(failing_leaves_nothing),
        cmocka_unit_test(every_scale_of_a_model_is_taken),
        cmocka_unit_test(pictures_that_are_none_are_made_again),
        cmocka_unit_test(streams_leave_nothing),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_clip, remove_clip);
}
