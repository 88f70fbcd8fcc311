/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/hls_check.h"
#include "base/buf.h"
#include "stream/hls.h"
#include "stream/playlist.h"
#include "stream/ts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAYLIST_MAX (64U << 20)
#define TICKS 90000
#define MICRO 1000000
#define WRAP (INT64_C(1) << 33)

typedef struct checker {
    int folder;
    const char *playlist; /* being checked */
    sh_ts ts;
    int64_t previous_start, previous_last; /* of the segment before, ticks */
    int64_t previous_sound;                /* its last audio unit's, from its first picture on; 0: none */
    sh_segment *segments;                  /* sizes as they are, durations as written, microseconds */
    uint8_t sps[4];                        /* of the first segment */
    sh_err *err;
} checker;

static int open_file(const checker *c, const char *name, int64_t *size)
{
    struct stat info;
    int fd = openat(c->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? sh_fail(c->err, SH_E_FORMAT, "missing-file: %s is not there", name)
                               : sh_fail_errno(c->err, errno, "%s", name);
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
        close(fd);
        return sh_fail(c->err, SH_E_FORMAT, "missing-file: %s is empty or no file", name);
    }
    *size = info.st_size;
    return fd;
}

static int read_text(const checker *c, const char *name, sh_buf *text)
{
    int64_t size;
    char block[4096];
    ssize_t got;
    int fd = open_file(c, name, &size);
    if (fd < 0)
        return fd;
    while ((got = read(fd, block, sizeof(block))) > 0 && sh_buf_append(text, block, (size_t)got) == 0)
        ;
    close(fd);
    if (got != 0)
        return sh_fail(c->err, SH_E_LIMIT, "%s cannot be read, or is larger than %u bytes", name,
                       PLAYLIST_MAX);
    if (memchr(sh_buf_cstr(text), '\0', text->length))
        return sh_fail(c->err, SH_E_FORMAT, "playlist-text: %s holds a zero byte", name);
    return 0;
}

/* ---- segments ---- */

/* EXTINF of the segment before against where this one starts. */
static int check_step(checker *c, const sh_playlist_segment *before, int64_t start)
{
    int64_t step = start - c->previous_start;
    int64_t micro = step * MICRO / TICKS, off = micro - before->micro;
    int64_t allowed = before->integer ? MICRO / 2 + 1 : 1 + (MICRO + TICKS - 1) / TICKS;
    if (start <= c->previous_last)
        return sh_fail(c->err, SH_E_FORMAT,
                       "time-goes-on: the segment after %s starts before that one's last picture",
                       before->name);
    if (off > allowed || off < -allowed)
        return sh_fail(c->err, SH_E_FORMAT,
                       "extinf: %s says %.6f s and the next segment starts %.6f s after it (%s)",
                       before->name, (double)before->micro / MICRO, (double)micro / MICRO, c->playlist);
    return 0;
}

static int check_end(const checker *c, const sh_playlist_segment *last)
{
    int64_t shown = (c->previous_last - c->previous_start) * MICRO / TICKS;
    int64_t slack = last->integer ? MICRO : 0;
    int64_t heard = c->previous_sound * MICRO / TICKS;
    if (last->micro + slack + MICRO / 10 < heard)
        return sh_fail(c->err, SH_E_FORMAT, "extinf: %s says %.6f s and has audio at %.6f s (%s)", last->name,
                       (double)last->micro / MICRO, (double)heard / MICRO, c->playlist);
    if (last->micro + slack <= shown || last->micro > (heard > shown ? heard : shown) + MICRO + slack)
        return sh_fail(c->err, SH_E_FORMAT, "extinf: %s says %.6f s and its last picture is at %.6f s (%s)",
                       last->name, (double)last->micro / MICRO, (double)shown / MICRO, c->playlist);
    return 0;
}

/* The two tracks' clocks may be a whole wrap apart. */
static int64_t sound_after(const sh_ts *ts)
{
    int64_t after = ts->audio.units > 0 ? (ts->audio.last - ts->video.first) % WRAP : 0;
    after += after < 0 ? WRAP : 0;
    return after < WRAP / 2 ? after : 0;
}

static int check_segment(checker *c, const sh_media_playlist *p, size_t i, sh_hls_checked_variant *sum)
{
    int64_t size;
    int fd = open_file(c, p->segments[i].name, &size);
    if (fd < 0)
        return fd;
    int status = sh_ts_read_segment(&c->ts, fd, c->err);
    close(fd);
    if (status < 0) {
        sh_err why = *c->err;
        return sh_fail(c->err, status, "%s: %s", p->segments[i].name, why.message);
    }
    if (i > 0)
        status = check_step(c, &p->segments[i - 1], c->ts.video.first);
    else
        memcpy(c->sps, c->ts.sps, sizeof(c->sps));
    if (status == 0 && memcmp(c->sps + 1, c->ts.sps + 1, 3) != 0)
        status =
            sh_fail(c->err, SH_E_FORMAT, "codecs: %s has another profile or level than the first segment",
                    p->segments[i].name);
    c->previous_start = c->ts.video.first;
    c->previous_last = c->ts.video.last;
    c->previous_sound = sound_after(&c->ts);
    c->segments[i] = (sh_segment){p->segments[i].name, p->segments[i].micro, size};
    sum->frames += c->ts.video.units;
    sum->segments++;
    sum->micro += p->segments[i].micro;
    return status;
}

/* ---- variants ---- */

/* Written durations are rounded: a run of segments at the limits of its length may count or not. */
static int check_bandwidth(const checker *c, const sh_media_playlist *p, const sh_playlist_variant *v)
{
    const int64_t target = p->target * MICRO, slack = 2;
    const sh_rendition all = {.segments = c->segments, .segment_count = p->count, .timescale = MICRO};
    int64_t least = sh_hls_peak_of(c->segments, p->count, MICRO, target / 2 + slack, target * 3 / 2 - slack);
    int64_t most = sh_hls_peak_of(c->segments, p->count, MICRO, target / 2 - slack, target * 3 / 2 + slack);
    least = least > 0 ? least : sh_hls_average_rate(&all);
    most = most > least ? most : least;
    if (v->bandwidth < least - least / 1000 || v->bandwidth > most + most / 10 + 1)
        return sh_fail(c->err, SH_E_FORMAT,
                       "bandwidth: %s is said to need %" PRId64 " bit/s and peaks at %" PRId64, v->name,
                       v->bandwidth, most);
    return 0;
}

static int check_against_master(const checker *c, const sh_media_playlist *p, const sh_playlist_variant *v)
{
    char codec[64] = "";
    int status = sh_codecs_add_avc(codec, sizeof(codec), c->sps, sizeof(c->sps), c->err);
    if (status < 0)
        return status;
    if (strncmp(v->codecs, codec, strlen(codec)) != 0)
        return sh_fail(c->err, SH_E_FORMAT, "codecs: %s is said to be %s and begins with %s", v->name,
                       v->codecs, codec);
    if ((c->ts.audio.pid >= 0) != (strstr(v->codecs, "mp4a.") != NULL))
        return sh_fail(c->err, SH_E_FORMAT, "codecs: %s is said to be %s and %s audio", v->name, v->codecs,
                       c->ts.audio.pid >= 0 ? "has" : "has no");
    return check_bandwidth(c, p, v);
}

static int check_variant(checker *c, const sh_playlist_variant *v, sh_hls_checked_variant *sum)
{
    sh_media_playlist playlist = {0};
    sh_buf text;
    sh_buf_init(&text, PLAYLIST_MAX);
    c->playlist = v->name;
    sh_ts_init(&c->ts);
    int status = read_text(c, v->name, &text);
    if (status == 0)
        status = sh_playlist_read_media(&playlist, v->name, sh_buf_cstr(&text), text.length, c->err);
    c->segments = status == 0 ? calloc(playlist.count, sizeof(*c->segments)) : NULL;
    if (status == 0 && !c->segments)
        status = sh_fail(c->err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; status == 0 && i < playlist.count; i++)
        status = check_segment(c, &playlist, i, sum);
    if (status == 0)
        status = check_end(c, &playlist.segments[playlist.count - 1]);
    /* whole seconds say too little about the rate */
    if (status == 0 && !playlist.segments[0].integer)
        status = check_against_master(c, &playlist, v);
    free(c->segments);
    sh_media_playlist_free(&playlist);
    sh_buf_free(&text);
    return status;
}

static int check_all(checker *c, const char *master, sh_hls_checked *sum)
{
    sh_master_playlist playlist = {0};
    sh_buf text;
    sh_buf_init(&text, PLAYLIST_MAX);
    int status = read_text(c, master, &text);
    if (status == 0)
        status = sh_playlist_read_master(&playlist, master, sh_buf_cstr(&text), text.length, c->err);
    if (status == 0 && playlist.count > SH_HLS_CHECK_VARIANTS)
        status = sh_fail(c->err, SH_E_LIMIT, "%s: more than %d variants", master, SH_HLS_CHECK_VARIANTS);
    for (size_t i = 0; status == 0 && i < playlist.count; i++)
        status = check_variant(c, &playlist.variants[i], &sum->variant[sum->variants++]);
    sh_master_playlist_free(&playlist);
    sh_buf_free(&text);
    return status;
}

int sh_hls_check(sh_hls_checked *out, const char *folder, const char *master, sh_err *err)
{
    sh_err own = {0};
    sh_hls_checked sum = {0};
    checker *c = calloc(1, sizeof(*c));
    if (!c)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    c->err = err ? err : &own;
    c->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = c->folder < 0 ? sh_fail_errno(c->err, errno, "%s", folder) : check_all(c, master, &sum);
    if (c->folder >= 0)
        close(c->folder);
    free(c);
    if (status == 0)
        *out = sum;
    return status;
}
