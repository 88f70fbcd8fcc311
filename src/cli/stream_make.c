/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stream_make.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/stream_files.h"
#include "cli/stream_manifests.h"
#include "cli/stream_report.h"
#include "cli/stream_tracks.h"
#include "cli/stream_version.h"
#include "media/journal.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE 512
#define MIN_LAST 1.0 /* seconds */
#define MANIFEST_MAX ((size_t)64 << 20)
#define HOURS_AGO_MS (INT64_C(6) * 3600 * 1000) /* of time 0 of a film whose length is not known */

typedef struct maker {
    const sh_stream_work *work;
    sh_stream_done *done;
    sh_publish *publish;
    sh_stream_files files;
    sh_buf settings; /* text of the version */
    int input, journal;
    int64_t epoch_ms; /* live */
    size_t shown;     /* live: segments of the first track in the playlists */
    bool preview_failed;
    bool resumed;
    int64_t segments; /* that no crash can take away */
} maker;

static void say(const maker *m, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(const maker *m, int level, const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (m->work->log)
        m->work->log(m->work->opaque, level, text);
}

static const char *title_of(const sh_stream_work *work)
{
    const char *slash = strrchr(work->options->input, '/');
    return slash ? slash + 1 : work->options->input;
}

/* ---- what the ladder asks for ---- */

static int choose(void *opaque, sh_ladder_choice *choice, sh_err *err)
{
    const maker *m = opaque;
    sh_ladder_wish wish = m->work->ladder;
    return sh_ladder_choose(&wish, choice, err);
}

static int open_file(void *opaque, const sh_ladder_file *file, sh_err *err)
{
    maker *m = opaque;
    return sh_stream_files_open(&m->files, file, err);
}

static int reopen_file(void *opaque, const sh_ladder_file *file, sh_err *err)
{
    maker *m = opaque;
    return sh_stream_files_reopen(&m->files, file, err);
}

static int sync_files(void *opaque, sh_err *err)
{
    maker *m = opaque;
    return sh_stream_files_sync(&m->files, err);
}

static void tell_progress(void *opaque, const sh_ladder_progress *progress)
{
    maker *m = opaque;
    m->segments = progress->segments;
    if (m->work->progress)
        m->work->progress(m->work->opaque, progress);
}

static void tell_log(void *opaque, int level, const char *text)
{
    const maker *m = opaque;
    if (m->work->log)
        m->work->log(m->work->opaque, level, text);
}

/* ---- live preview ---- */

/* No segment is longer when rounded, but where single pictures stand for long. */
static int64_t longest(const sh_stream_work *work)
{
    return (int64_t)(work->segment_seconds + MIN_LAST + 0.6);
}

static sh_stream_look look_of(const maker *m, bool growing, const char *prefix)
{
    return (sh_stream_look){.prefix = prefix,
                            .title = title_of(m->work),
                            .growing = growing,
                            .target = m->work->live ? longest(m->work) : 0,
                            .epoch_ms = growing ? m->epoch_ms : 0,
                            .now_ms = growing ? sh_now_ms(&sh_clock_system) : 0};
}

/* Time 0 lies as far back as the film is long: no segment of it is in a player's future. */
static void begin_clock(maker *m, const sh_ladder_result *result)
{
    const double seconds = m->epoch_ms == 0 ? sh_stream_expected(result) : 0;
    if (m->epoch_ms == 0)
        m->epoch_ms =
            sh_now_ms(&sh_clock_system) - (seconds > 0 ? (int64_t)(seconds * 1000) + 1000 : HOURS_AGO_MS);
}

static int show(maker *m, const sh_ladder_result *result, sh_err *err)
{
    const sh_stream_look look = look_of(m, true, sh_publish_version(m->publish));
    sh_buf m3u8, mpd;
    sh_buf_init(&m3u8, MANIFEST_MAX);
    sh_buf_init(&mpd, MANIFEST_MAX);
    int status = sh_stream_playlists(&m->files, result, &look, err);
    if (status == 0)
        status = sh_stream_index(&m3u8, &mpd, result, &look, err);
    const sh_publish_manifest manifests[] = {{"index.m3u8", sh_buf_cstr(&m3u8), m3u8.length},
                                             {"index.mpd", sh_buf_cstr(&mpd), mpd.length}};
    if (status == 0)
        status = sh_publish_live(m->publish, manifests, 2, err);
    sh_buf_free(&m3u8);
    sh_buf_free(&mpd);
    return status;
}

static bool every_track_began(const sh_ladder_result *result)
{
    for (size_t i = 0; i < result->track_count; i++)
        if (result->tracks[i].kind == SH_LADDER_CMAF && result->tracks[i].segment_count == 0)
            return false;
    return result->track_count > 0;
}

/* A preview that cannot be written is no reason to end the work: it is said once. */
static void tell_growing(void *opaque, const sh_ladder_result *result)
{
    maker *m = opaque;
    sh_err err = {0};
    if (m->work->growing)
        m->work->growing(m->work->opaque, result);
    if (!m->work->live || m->preview_failed || !every_track_began(result) ||
        result->tracks[0].segment_count == m->shown)
        return;
    m->shown = result->tracks[0].segment_count;
    begin_clock(m, result);
    if (show(m, result, &err) == 0)
        return;
    m->preview_failed = true;
    say(m, SH_LOG_WARNING, "no more live preview: %s", err.message);
}

/* ---- the ladder ---- */

static void fill_job(maker *m, sh_ladder_job *job)
{
    const sh_stream_work *work = m->work;
    sh_ladder_job_default(job);
    job->input = work->options->input;
    job->input_fd = m->input;
    job->options = *work->options;
    job->segment_seconds = work->segment_seconds;
    job->min_last_seconds = MIN_LAST;
    job->journal_fd = m->journal;
    job->choose = choose;
    job->open = open_file;
    job->reopen = reopen_file;
    job->sync = sync_files;
    job->progress = tell_progress;
    job->log = tell_log;
    job->growing = tell_growing;
    job->opaque = m;
}

static int open_journal(maker *m, sh_err *err)
{
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof(path), "%s/.journal", m->files.staging);
    if (length < 0 || length >= PATH_MAX)
        return sh_fail(err, SH_E_LIMIT, "the path of the journal is too long");
    m->journal = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (m->journal < 0)
        return sh_fail_errno(err, errno, "cannot make %s", path);
    return flock(m->journal, LOCK_EX | LOCK_NB) < 0 ? sh_fail_errno(err, errno, "%s is in use", path) : 0;
}

/* The libraries may have changed since: what was made by others is made anew, and that is said. */
static int make_ladder(maker *m, sh_err *err)
{
    sh_ladder_job job;
    fill_job(m, &job);
    int status = sh_ladder_make(&m->done->result, &job, err);
    if (status != SH_E_CONFLICT)
        return status;
    say(m, SH_LOG_WARNING, "begins anew: %s", err->message);
    job.anew = true;
    return sh_ladder_make(&m->done->result, &job, err);
}

/* ---- check ---- */

static bool is_cancelled(void *opaque)
{
    (void)opaque;
    return sh_media_cancelled();
}

/* The stream as it will be, in its staging folder, with manifests of its own there. They stay: a player that
 * has been given the version's folder needs nothing above it. */
static int write_own(maker *m, sh_err *err)
{
    const sh_stream_look look = look_of(m, false, "");
    sh_buf m3u8, mpd;
    sh_buf_init(&m3u8, MANIFEST_MAX);
    sh_buf_init(&mpd, MANIFEST_MAX);
    int status = sh_stream_playlists(&m->files, &m->done->result, &look, err);
    if (status == 0)
        status = sh_stream_index(&m3u8, &mpd, &m->done->result, &look, err);
    if (status == 0)
        status = sh_stream_files_put(&m->files, NULL, "index.m3u8", sh_buf_cstr(&m3u8), m3u8.length, err);
    if (status == 0)
        status = sh_stream_files_put(&m->files, NULL, "index.mpd", sh_buf_cstr(&mpd), mpd.length, err);
    sh_buf_free(&m3u8);
    sh_buf_free(&mpd);
    return status;
}

static int check(maker *m, sh_err *err)
{
    static const char *const manifests[] = {"index.m3u8", "index.mpd"};
    const sh_stream_source source = {
        .location = m->files.staging, .manifests = manifests, .manifest_count = 2};
    sh_buf plan;
    sh_buf_init(&plan, MANIFEST_MAX);
    int status = write_own(m, err);
    if (status == 0)
        status = sh_stream_report_plan(&plan, &m->done->result, err);
    if (status == 0) {
        const sh_stream_check_options options = {.plan = sh_buf_cstr(&plan),
                                                 .plan_length = plan.length,
                                                 .same_bytes = true,
                                                 .cancelled = is_cancelled};
        status = sh_stream_check(&m->done->check, &source, &options, err);
    }
    sh_buf_free(&plan);
    if (status < 0 || m->done->check.errors == 0)
        return status;
    char line[LINE];
    sh_stream_report_line(&m->done->check, line, sizeof(line));
    return sh_fail(err, SH_E_FORMAT, "the stream is not published, since it fails its check: %s", line);
}

/* ---- publication ---- */

static int publish(maker *m, sh_err *err)
{
    const sh_stream_look look = look_of(m, false, m->done->version);
    char source[SH_SHOWN];
    const sh_stream_certificate certificate = {.version = m->done->version,
                                               .source = sh_shown_path(title_of(m->work), source),
                                               .settings = sh_buf_cstr(&m->settings),
                                               .result = &m->done->result,
                                               .check = &m->done->check};
    sh_buf m3u8, mpd, report;
    sh_buf_init(&m3u8, MANIFEST_MAX);
    sh_buf_init(&mpd, MANIFEST_MAX);
    sh_buf_init(&report, MANIFEST_MAX);
    int status = sh_stream_index(&m3u8, &mpd, &m->done->result, &look, err);
    if (status == 0)
        status = sh_stream_report_write(&report, &certificate, err);
    if (status == 0) {
        const sh_publish_manifest manifests[] = {{"stream.json", sh_buf_cstr(&report), report.length},
                                                 {"index.mpd", sh_buf_cstr(&mpd), mpd.length},
                                                 {"index.m3u8", sh_buf_cstr(&m3u8), m3u8.length}};
        status = sh_publish_commit(m->publish, manifests, 3, err);
    }
    sh_buf_free(&m3u8);
    sh_buf_free(&mpd);
    sh_buf_free(&report);
    return status;
}

static void count_bytes(sh_stream_done *done)
{
    for (size_t i = 0; i < done->result.track_count; i++) {
        const sh_ladder_track *t = &done->result.tracks[i];
        done->bytes += t->init_bytes + t->whole_bytes;
        for (size_t n = 0; n < t->segment_count; n++)
            done->bytes += t->segments[n].bytes;
    }
}

/* ---- all of it ---- */

static int open_input(maker *m, sh_err *err)
{
    const char *path = m->work->options->input;
    char shown[SH_SHOWN];
    struct stat info;
    m->input = open(path, O_RDONLY | O_CLOEXEC);
    if (m->input < 0 || fstat(m->input, &info) < 0)
        return sh_fail_errno(err, errno, "cannot open %s", sh_shown_path(path, shown));
    if (!S_ISREG(info.st_mode))
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s is no file: a stream is made from a file that can be read twice",
                       sh_shown_path(path, shown));
    return 0;
}

static int recognise(maker *m, sh_err *err)
{
    int status = open_input(m, err);
    if (status == 0)
        status = sh_stream_version_text(&m->settings, m->work, m->input, err);
    if (status == 0)
        sh_stream_version_of(&m->settings, m->done->version);
    return status;
}

/* Whether there is something that the same command can go on with: segments, of this run or one before, and
 * no verdict on all of them. */
static bool worth_keeping(const maker *m)
{
    return (m->segments > 0 || m->resumed) && m->done->check.errors == 0;
}

static int work_in_staging(maker *m, sh_err *err)
{
    m->files.staging = sh_publish_staging(m->publish);
    int status = open_journal(m, err);
    if (status == 0)
        status = make_ladder(m, err);
    if (status == 0)
        status = check(m, err);
    if (status == 0)
        status = publish(m, err);
    sh_err ignored;
    if (status < 0 && !worth_keeping(m))
        sh_publish_abandon(m->publish, &ignored);
    return status;
}

/* It is there; the staging folder that was opened for it is not needed. */
static int find_published(maker *m, sh_err *err)
{
    const char *folder = m->work->output, *version = m->done->version;
    char path[PATH_MAX], shown[SH_SHOWN];
    sh_buf text;
    sh_err ignored;
    sh_buf_init(&text, MANIFEST_MAX);
    sh_publish_abandon(m->publish, &ignored);
    const int length = snprintf(path, sizeof(path), "%s/index.m3u8", folder);
    const bool named = length > 0 && length < PATH_MAX && sh_file_read(path, &text, &ignored) == 0 &&
                       strstr(sh_buf_cstr(&text), version);
    sh_buf_free(&text);
    m->done->already = named;
    return named ? 0
                 : sh_fail(err, SH_E_CONFLICT,
                           "%s has this stream in the folder %s, but its index.m3u8 does not name it; remove "
                           "that folder "
                           "to have it made again",
                           sh_shown_path(folder, shown), version);
}

int sh_stream_make(const sh_stream_work *work, sh_stream_done *done, sh_err *err)
{
    maker m = {.work = work, .done = done, .input = -1, .journal = -1};
    sh_publish_state state = {0};
    *done = (sh_stream_done){0};
    sh_buf_init(&m.settings, SH_JOURNAL_FINGERPRINT_MAX);
    int status = recognise(&m, err);
    if (status == 0)
        status = sh_publish_open(&m.publish, work->output, done->version, work->live, &state, err);
    m.resumed = state.resumed;
    if (status == 0 && state.published)
        status = find_published(&m, err);
    else if (status == 0)
        status = work_in_staging(&m, err);
    count_bytes(done);
    sh_publish_close(m.publish);
    if (m.journal >= 0)
        close(m.journal);
    if (m.input >= 0)
        close(m.input);
    sh_buf_free(&m.settings);
    return status;
}

void sh_stream_done_free(sh_stream_done *done)
{
    sh_ladder_result_free(&done->result);
    sh_stream_report_free(&done->check);
    *done = (sh_stream_done){0};
}
