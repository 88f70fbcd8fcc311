/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parent's part: opens what is read, starts the child, opens the files that it asks for, and puts the
 * result together from what it tells. Nothing that the child says is trusted: numbers are checked against
 * what they may be. */
#include "media/ladder.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "media/ladder_child.h"
#include "media/ladder_record.h"
#include "media/ladder_wire.h"
#include "media/media.h"
#include "media/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spyhop/spyhop.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_MAX (1u << 22)   /* of one track */
#define FACTS_MAX (16u << 20) /* bytes */

typedef struct receiver {
    const sh_ladder_job *job;
    sh_ladder_result *result;
    sh_buf bytes; /* of what comes in parts */
    int64_t written;
    bool complete;
} receiver;

/* ---- defaults ---- */

void sh_ladder_job_default(sh_ladder_job *job)
{
    *job = (sh_ladder_job){
        .input_fd = -1, .turn = -1, .segment_seconds = 6, .min_last_seconds = 1, .journal_fd = -1};
    sh_upscale_options_default(&job->options);
    job->options.model = NULL;
}

void sh_ladder_video_default(sh_ladder_video *video)
{
    *video = (sh_ladder_video){.rate = {0, 1}, .gop_seconds = 2};
    sh_encoder_settings_default(&video->encoder);
}

void sh_ladder_output_default(sh_ladder_output *output, int kind)
{
    *output = (sh_ladder_output){.kind = kind, .video = -1, .text = -1, .capture = -1};
}

void sh_ladder_result_free(sh_ladder_result *result)
{
    for (size_t i = 0; i < result->track_count; i++) {
        free(result->tracks[i].segments);
        free(result->tracks[i].keys);
    }
    free(result->tracks);
    free(result->facts);
    sh_stills_free(&result->stills);
    *result = (sh_ladder_result){0};
}

/* ---- what the child tells ---- */

static int nonsense(const char *what, sh_err *err)
{
    return sh_fail(err, SH_E_INTERNAL, "the child process tells what cannot be: %s", what);
}

static bool sound_track(const sh_ladder_track *t)
{
    return t->kind >= 0 && t->kind < SH_LADDER_KINDS && t->video >= -1 && t->video < SH_LADDER_VIDEOS &&
           t->audio >= -1 && t->audio < SH_LADDER_AUDIOS && t->text >= -1 && t->text < SH_LADDER_TEXTS &&
           t->capture >= -1 && t->capture < SH_LADDER_CAPTURES && t->timescale > 0 && t->width >= 0 &&
           t->height >= 0 && t->config_size <= sizeof(t->config) &&
           t->audio_config_size <= sizeof(t->audio_config);
}

static int take_track(receiver *to, int index, sh_err *err)
{
    sh_ladder_result *r = to->result;
    sh_ladder_track track;
    if (to->bytes.length != sizeof(track))
        return nonsense("the size of a track", err);
    memcpy(&track, to->bytes.data, sizeof(track));
    track.language[sizeof(track.language) - 1] = '\0';
    if (!sound_track(&track) || (size_t)index > r->track_count)
        return nonsense("a track", err);
    if ((size_t)index == r->track_count) {
        sh_ladder_track *grown = reallocarray(r->tracks, r->track_count + 1, sizeof(*grown));
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        r->tracks = grown;
        r->tracks[r->track_count++] = (sh_ladder_track){0};
    }
    sh_ladder_track *old = &r->tracks[index];
    track.segments = old->segments;
    track.segment_count = old->segment_count;
    track.keys = old->keys;
    track.key_count = old->key_count;
    track.init_bytes = old->init_bytes;
    track.whole_bytes = old->whole_bytes;
    if (old->segment_count > 0) {
        track.pictures = old->pictures;
        track.first = old->first;
        track.duration = old->duration;
    }
    *old = track;
    return 0;
}

static int take_facts(receiver *to, sh_err *err)
{
    char *text = to->bytes.length <= FACTS_MAX ? sh_buf_take(&to->bytes, NULL) : NULL;
    if (!text)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    free(to->result->facts);
    to->result->facts = text;
    return 0;
}

static int add_keys(sh_ladder_track *t, const sh_ladder_segment *s, const void *bytes, sh_err *err)
{
    const size_t count = (size_t)s->key_count;
    if (count == 0)
        return 0;
    if (count > KEYS_MAX - t->key_count)
        return sh_fail(err, SH_E_LIMIT, "more than %u groups of pictures in one track", KEYS_MAX);
    sh_ladder_key *grown = reallocarray(t->keys, t->key_count + count, sizeof(*grown));
    if (!grown)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    t->keys = grown;
    memcpy(&grown[t->key_count], bytes, count * sizeof(*grown));
    for (size_t i = t->key_count; i < t->key_count + count; i++)
        if (grown[i].offset < 0 || grown[i].key_size <= 0 || grown[i].size < grown[i].key_size ||
            grown[i].size > s->bytes - grown[i].offset)
            return nonsense("the place of a group of pictures", err);
    t->key_count += count;
    return 0;
}

/* Pictures may be missing: where the film has none for longer than they are apart. */
static bool in_order(const sh_ladder_track *t, int64_t number)
{
    if (t->kind != SH_LADDER_FRAMES || t->across > 1 || t->down > 1)
        return number == (int64_t)t->segment_count + 1;
    return number > 0 && (t->segment_count == 0 || number > t->segments[t->segment_count - 1].number);
}

static int take_segment(receiver *to, int index, sh_err *err)
{
    sh_ladder_result *r = to->result;
    sh_ladder_segment s;
    if ((size_t)index >= r->track_count || to->bytes.length < sizeof(s))
        return nonsense("a segment of no track", err);
    sh_ladder_track *t = &r->tracks[index];
    memcpy(&s, to->bytes.data, sizeof(s));
    s.first_key = t->key_count;
    if (!in_order(t, s.number) || s.bytes <= 0 || s.duration < 0 || s.samples < 0 || s.start < 0 ||
        s.duration > INT64_MAX / 4 - s.start || s.key_count < 0 ||
        to->bytes.length != sizeof(s) + (size_t)s.key_count * sizeof(sh_ladder_key))
        return nonsense("a segment", err);
    if (t->segment_count >= SH_LADDER_SEGMENTS_MAX)
        return sh_fail(err, SH_E_LIMIT, "more than %d segments: make them longer", SH_LADDER_SEGMENTS_MAX);
    int status = add_keys(t, &s, to->bytes.data + sizeof(s), err);
    if (status < 0)
        return status;
    sh_ladder_segment *grown = reallocarray(t->segments, t->segment_count + 1, sizeof(*grown));
    if (!grown)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    t->segments = grown;
    grown[t->segment_count++] = s;
    if (t->segment_count == 1)
        t->first = s.start;
    t->pictures += s.samples;
    t->duration = s.start + s.duration - t->first;
    to->written += s.bytes;
    return 0;
}

static int take_commit(receiver *to, sh_err *err)
{
    sh_wire_commit commit;
    if (to->bytes.length != sizeof(commit))
        return nonsense("a commit", err);
    memcpy(&commit, to->bytes.data, sizeof(commit));
    to->result->frames = commit.frames;
    if (to->job->growing)
        to->job->growing(to->job->opaque, to->result);
    return 0;
}

static int take_size(receiver *to, int index, sh_err *err)
{
    sh_wire_size size;
    if (to->bytes.length != sizeof(size) || (size_t)index >= to->result->track_count)
        return nonsense("the size of a file", err);
    memcpy(&size, to->bytes.data, sizeof(size));
    if (size.role == SH_LADDER_INIT)
        to->result->tracks[index].init_bytes = size.bytes;
    else
        to->result->tracks[index].whole_bytes = size.bytes;
    return 0;
}

static int take_result(receiver *to, sh_err *err)
{
    sh_ladder_result *r = to->result;
    sh_wire_result got;
    if (to->bytes.length != sizeof(got))
        return nonsense("a result", err);
    memcpy(&got, to->bytes.data, sizeof(got));
    r->duration = got.duration;
    r->frames = got.frames;
    r->width = got.width;
    r->height = got.height;
    r->out_width = got.out_width;
    r->out_height = got.out_height;
    r->sums = got.sums;
    r->redone = got.redone;
    r->checked = got.checked;
    r->damages = got.damages;
    r->resumed = got.resumed;
    to->complete = true;
    return 0;
}

static int take_stills(receiver *to, sh_err *err)
{
    const sh_still *runs = (const sh_still *)to->bytes.data;
    const size_t count = to->bytes.length / sizeof(*runs);
    if (to->bytes.length % sizeof(*runs) || to->result->stills.count > 0)
        return nonsense("runs of still pictures", err);
    for (size_t i = 0; i < count; i++) {
        if (runs[i].kind < 0 || runs[i].kind >= SH_STILL_KINDS || runs[i].from < 0 ||
            runs[i].to < runs[i].from)
            return nonsense("a run of still pictures", err);
        if (!sh_stills_add(&to->result->stills, &runs[i], -1))
            return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    return 0;
}

static int take_data(receiver *to, const sh_message *message, sh_err *err)
{
    int what = 0, index = 0;
    int status = sh_wire_take(&to->bytes, message, &what, &index, err);
    if (status <= 0)
        return status;
    switch (what) {
    case SH_WIRE_TRACK:
        return take_track(to, index, err);
    case SH_WIRE_FACTS:
        return take_facts(to, err);
    case SH_WIRE_SEGMENT:
        return take_segment(to, index, err);
    case SH_WIRE_COMMIT:
        return take_commit(to, err);
    case SH_WIRE_SIZE:
        return take_size(to, index, err);
    case SH_WIRE_STILLS:
        return take_stills(to, err);
    case SH_WIRE_RESULT:
        return take_result(to, err);
    default:
        return nonsense("a message of no kind", err);
    }
}

static void tell_progress(receiver *to, const int64_t *n)
{
    const double done = (double)n[SH_LP_ENCODED];
    sh_ladder_progress progress = {
        .phase = (int)n[SH_LP_PHASE],
        .decoded = n[SH_LP_DECODED],
        .encoded = n[SH_LP_ENCODED],
        .expected = n[SH_LP_EXPECTED],
        .resumed = n[SH_LP_RESUMED],
        .committed = n[SH_LP_COMMITTED],
        .segments = n[SH_LP_SEGMENTS],
        .bytes = to->written,
    };
    progress.fraction = progress.expected > 0 ? done / (double)progress.expected : 0;
    if (progress.fraction > 1)
        progress.fraction = 1;
    if (to->job->progress)
        to->job->progress(to->job->opaque, &progress);
}

static int receive(void *opaque, const sh_message *message, sh_err *err)
{
    receiver *to = opaque;
    if (message->kind == SH_MSG_DATA)
        return take_data(to, message, err);
    if (message->kind == SH_MSG_PROGRESS)
        tell_progress(to, message->number);
    if (message->kind == SH_MSG_LOG && message->status <= SH_LOG_WARNING)
        to->result->warnings++;
    if (message->kind == SH_MSG_LOG && to->job->log)
        to->job->log(to->job->opaque, message->status, message->text);
    return 0;
}

/* ---- files ---- */

static int sync_names(const receiver *to, sh_err *err)
{
    int status = to->job->sync ? to->job->sync(to->job->opaque, err) : 0;
    if (status < 0)
        return status;
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? sh_fail_errno(err, errno, "/dev/null") : fd;
}

static int open_file(void *opaque, int64_t number, sh_err *err)
{
    receiver *to = opaque;
    int output, role;
    sh_ladder_file file = {0};
    if (number == SH_WIRE_SYNC)
        return sync_names(to, err);
    if (!sh_wire_file_read(number, &output, &role, &file.number) || (size_t)output >= to->result->track_count)
        return nonsense("the number of a file", err);
    const sh_ladder_track *track = &to->result->tracks[output];
    file.output = output;
    file.role = role;
    file.kind = track->kind;
    file.video = track->video;
    file.audio = track->audio;
    file.text = track->text;
    file.capture = track->capture;
    file.id = track->id;
    return to->job->open(to->job->opaque, &file, err);
}

/* ---- the whole ---- */

static int open_input(const sh_ladder_job *job, int *fd, sh_err *err)
{
    struct stat info;
    char name[SH_SHOWN];
    sh_shown_path(job->input, name);
    *fd = job->input_fd >= 0 ? fcntl(job->input_fd, F_DUPFD_CLOEXEC, 3)
                             : open(job->input, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &info) < 0)
        return sh_fail_errno(err, errno, "%s", name);
    if (S_ISDIR(info.st_mode))
        return sh_fail(err, SH_E_ARGUMENT, "%s: is a folder, not a video", name);
    if (lseek(*fd, 0, SEEK_CUR) < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: is a pipe; a stream is made of a file", name);
    return 0;
}

static int run(receiver *to, sh_ladder_child *child, sh_err *err)
{
    char name[SH_SHOWN];
    const int keep[2] = {child->input, to->job->journal_fd};
    const sh_sandbox_job box = {
        .what = sh_shown_path(to->job->input, name),
        .main = sh_ladder_child_main,
        .opaque = child,
        .descriptors = keep,
        .descriptor_count = to->job->journal_fd >= 0 ? 2 : 1,
        .message = receive,
        .open = open_file,
        .receiver = to,
        .may_finish = to->job->journal_fd >= 0,
        .unconfined = to->job->options.no_sandbox,
    };
    sh_encoder_before_confinement();
    int status = sh_sandbox_run(&box, err);
    if (status == 0 && !to->complete)
        status = sh_fail(err, SH_E_INTERNAL, "%s: the child process gave no result", name);
    return status;
}

static int check_job(const sh_ladder_job *job, sh_err *err)
{
    if (!job->input || !job->open)
        return sh_fail(err, SH_E_ARGUMENT, "a ladder without an input, or without a place for files");
    if (job->whole && job->journal_fd >= 0)
        return sh_fail(err, SH_E_ARGUMENT,
                       "what one encoder makes from beginning to end cannot be gone on with");
    return 0;
}

int sh_ladder_make(sh_ladder_result *result, const sh_ladder_job *job, sh_err *err)
{
    const int64_t start = sh_monotonic_us();
    sh_ladder_result got = {0};
    receiver to = {.job = job, .result = &got};
    sh_ladder_child child = {.job = job, .input = -1};
    sh_buf model = {0}, restore = {0};
    int status = check_job(job, err);
    if (status < 0)
        return status;
    sh_buf_init(&to.bytes, SH_WIRE_MAX);
    status = sh_network_read(job->options.model, &model, err);
    if (status == 0)
        status = sh_network_read(job->options.restore, &restore, err);
    if (status == 0)
        status = open_input(job, &child.input, err);
    child.model = model.data;
    child.model_size = model.length;
    child.restore = restore.data;
    child.restore_size = restore.length;
    if (status == 0)
        status = sh_record_verify(job, err);
    if (status == 0)
        status = run(&to, &child, err);
    sh_buf_free(&model);
    sh_buf_free(&restore);
    sh_buf_free(&to.bytes);
    if (child.input >= 0)
        close(child.input);
    got.seconds = (double)(sh_monotonic_us() - start) / 1e6;
    if (status < 0)
        sh_ladder_result_free(&got);
    else
        *result = got;
    return status;
}
