/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ladderfolder.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "media/media.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the place ---- */

void lw_make(lw_place *place)
{
    *place = (lw_place){0};
    snprintf(place->folder, sizeof(place->folder), "/tmp/spyhop-ladder-XXXXXX");
    if (!mkdtemp(place->folder))
        abort();
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    return remove(path);
}

void lw_remove(lw_place *place)
{
    nftw(place->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void lw_name(const sh_ladder_file *f, char name[64])
{
    static const char *const letters[] = {"c", "t", "m", "s", "f"};
    static const char *const ends[] = {"m4s", "ts", "mp4", "vtt", "jpg"};
    if (f->role == SH_LADDER_INIT)
        snprintf(name, 64, "%s%d/init.mp4", letters[f->kind], f->output);
    else if (f->role == SH_LADDER_SEGMENT)
        snprintf(name, 64, "%s%d/%05d.%s", letters[f->kind], f->output, (int)f->number, ends[f->kind]);
    else
        snprintf(name, 64, "%s%d/%s.%s", letters[f->kind], f->output,
                 f->role == SH_LADDER_WORK ? "work" : "whole", ends[f->kind]);
}

static void path_of(const lw_place *place, const sh_ladder_file *file, char path[160])
{
    char name[64], folder[160];
    lw_name(file, name);
    snprintf(path, 160, "%s/%s", place->folder, name);
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
    mkdir(folder, 0700);
}

static int open_file(void *opaque, const sh_ladder_file *file, sh_err *err)
{
    lw_place *place = opaque;
    char path[160];
    place->opened++;
    if (place->full_at && place->opened >= place->full_at)
        return open("/dev/full", O_RDWR | O_CLOEXEC);
    path_of(place, file, path);
    const int how = O_CREAT | O_RDWR | O_CLOEXEC | (file->role == SH_LADDER_WORK ? 0 : O_TRUNC);
    const int fd = open(path, how, 0600);
    return fd < 0 ? sh_fail_errno(err, errno, "%s", path) : fd;
}

static int reopen_file(void *opaque, const sh_ladder_file *file, sh_err *err)
{
    char path[160];
    path_of(opaque, file, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? sh_fail_errno(err, errno, "%s", path) : fd;
}

static void take_log(void *opaque, int level, const char *text)
{
    lw_place *place = opaque;
    if (level > SH_LOG_WARNING)
        return;
    place->warnings++;
    snprintf(place->warning, sizeof(place->warning), "%s", text);
}

static void grow(void *opaque, const sh_ladder_result *result)
{
    lw_place *place = opaque;
    const int64_t done = (int64_t)result->tracks[0].segment_count;
    place->grew++;
    if (place->kill_at && done >= place->kill_at)
        kill(getpid(), SIGKILL);
    if (place->cancel_at && done >= place->cancel_at)
        sh_media_cancel();
}

void lw_use(lw_place *place, sh_ladder_job *job)
{
    job->open = open_file;
    job->reopen = reopen_file;
    job->log = take_log;
    job->growing = grow;
    job->opaque = place;
}

/* ---- bytes ---- */

uint32_t lw_file(const lw_place *place, const char *name)
{
    char path[160];
    sh_buf bytes;
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    sh_buf_init(&bytes, 1 << 28);
    const uint32_t crc =
        sh_file_read(path, &bytes, NULL) < 0 ? 0 : sh_crc32c(1, sh_buf_cstr(&bytes), bytes.length);
    sh_buf_free(&bytes);
    return crc;
}

static int compare_one(const lw_place *a, const lw_place *b, const char *folder)
{
    char path[160];
    struct dirent *entry;
    int differ = 0;
    snprintf(path, sizeof(path), "%s/%s", a->folder, folder);
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL) {
        char name[320];
        snprintf(name, sizeof(name), "%s%s%s", folder, *folder ? "/" : "", entry->d_name);
        if (entry->d_name[0] == '.' || entry->d_name[0] == 'j')
            continue;
        if (entry->d_type == DT_DIR)
            differ += compare_one(a, b, name);
        else if (lw_file(a, name) != lw_file(b, name))
            differ++, fprintf(stderr, "%s differs\n", name);
    }
    if (dir)
        closedir(dir);
    return differ;
}

int lw_differ(const lw_place *a, const lw_place *b)
{
    return compare_one(a, b, "") + compare_one(b, a, "");
}

/* ---- decoding ---- */

/* Init and segments in one file. */
static int join(const lw_place *place, const char *folder, const char *to)
{
    char path[200];
    sh_buf all;
    sh_buf_init(&all, 1 << 28);
    snprintf(path, sizeof(path), "%s/%s/init.mp4", place->folder, folder);
    int status = sh_file_read(path, &all, NULL);
    for (int i = 1; status == 0; i++) {
        snprintf(path, sizeof(path), "%s/%s/%05d.m4s", place->folder, folder, i);
        if (access(path, R_OK) < 0)
            break;
        status = sh_file_read(path, &all, NULL);
    }
    FILE *file = status == 0 ? fopen(to, "w") : NULL;
    if (file)
        fwrite(all.data, 1, all.length, file);
    sh_buf_free(&all);
    return file && fclose(file) == 0 ? 0 : -1;
}

typedef struct decoding {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    int64_t frames, first, end;
    bool bad;
} decoding;

static void take_frames(decoding *d)
{
    while (avcodec_receive_frame(d->codec, d->frame) >= 0) {
        const int64_t pts = d->frame->best_effort_timestamp;
        d->bad = d->bad || d->frame->decode_error_flags || (d->frames > 0 && pts < d->end - 1);
        d->first = d->frames++ ? d->first : pts;
        d->end = pts + d->frame->pkt_duration;
    }
}

static int64_t decode(decoding *d, const char *path)
{
    const AVCodec *codec = NULL;
    d->frame = av_frame_alloc();
    d->packet = av_packet_alloc();
    if (avformat_open_input(&d->format, path, NULL, NULL) < 0 ||
        avformat_find_stream_info(d->format, NULL) < 0)
        return -1;
    const int track = av_find_best_stream(d->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0) >= 0
                          ? av_find_best_stream(d->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0)
                          : av_find_best_stream(d->format, AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
    d->codec = track >= 0 ? avcodec_alloc_context3(codec) : NULL;
    if (!d->codec || avcodec_parameters_to_context(d->codec, d->format->streams[track]->codecpar) < 0)
        return -1;
    d->codec->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
    if (avcodec_open2(d->codec, codec, NULL) < 0)
        return -1;
    while (av_read_frame(d->format, d->packet) >= 0) {
        if (d->packet->stream_index == track)
            d->bad = avcodec_send_packet(d->codec, d->packet) < 0 || d->bad;
        av_packet_unref(d->packet);
        take_frames(d);
    }
    avcodec_send_packet(d->codec, NULL);
    take_frames(d);
    return d->bad ? -1 : d->frames;
}

int64_t lw_decode(const lw_place *place, const char *name, int64_t *first, int64_t *end)
{
    char path[200], joined[200];
    struct stat info;
    decoding d = {0};
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    snprintf(joined, sizeof(joined), "%s/joined", place->folder);
    const bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    const int64_t frames = folder && join(place, name, joined) < 0 ? -1 : decode(&d, folder ? joined : path);
    if (folder)
        unlink(joined);
    avcodec_free_context(&d.codec);
    avformat_close_input(&d.format);
    av_frame_free(&d.frame);
    av_packet_free(&d.packet);
    *first = d.first;
    *end = d.end;
    return frames;
}

/* ---- making ---- */

int lw_ffmpeg(const char *arguments, const char *output)
{
    char words[1200];
    char *argv[80], *rest = words;
    int count = 0, status = -1;
    pid_t pid;
    snprintf(words, sizeof(words), "ffmpeg -nostdin -v error -y %s", arguments);
    while ((argv[count] = strsep(&rest, " ")))
        count++;
    argv[count++] = (char *)output;
    argv[count] = NULL;
    if (posix_spawnp(&pid, "ffmpeg", NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) < 0)
        return -1;
    return status;
}

sh_ladder_video *lw_video(sh_ladder_job *job, int kind, int width, int height)
{
    sh_ladder_video *video = &job->videos[job->video_count];
    sh_ladder_output *output = &job->outputs[job->output_count++];
    sh_ladder_video_default(video);
    video->width = width;
    video->height = height;
    video->encoder.preset = "ultrafast";
    sh_ladder_output_default(output, kind);
    output->video = job->video_count++;
    return video;
}

void lw_audio(sh_ladder_job *job, int kind)
{
    sh_ladder_output *output = &job->outputs[job->output_count++];
    job->audios[job->audio_count] = (sh_ladder_audio){.track = -1, .bitrate = 64000};
    sh_ladder_output_default(output, kind);
    output->audios[0] = job->audio_count++;
    output->audio_count = 1;
}
