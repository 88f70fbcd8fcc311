/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tracks keep the order that they have in the source; covers and attached files, which have no packets here,
 * follow behind them, so that the numbers of the others are those that a demuxer will give them. */
#include "base/log.h"
#include "base/size.h"
#include "media/mux_inner.h"
#include "media/sandbox.h"

#include <inttypes.h>
#include <libavutil/display.h>
#include <libavutil/mathematics.h>
#include <libavutil/stereo3d.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(sh_err *err)
{
    return sh_fail(err, SH_E_MEMORY, "memory is short");
}

static bool is_mov(const sh_muxer *muxer)
{
    return muxer->container == SH_MP4 || muxer->container == SH_MOV;
}

/* ---- side data ---- */

static int add_side_data(AVStream *to, const AVPacketSideData *data)
{
    uint8_t *copy = av_stream_new_side_data(to, data->type, data->size);
    if (!copy)
        return -1;
    memcpy(copy, data->data, data->size);
    return 0;
}

static bool is_given(const sh_muxer *muxer, enum AVPacketSideDataType type)
{
    for (int i = 0; i < muxer->settings.side_data_count; i++)
        if (muxer->settings.side_data[i].type == type)
            return true;
    return false;
}

/* The matrix moves the turned picture back into view by its own size: entries 6 and 7, whose axes are the
 * picture's or, turned by a quarter, the other ones. */
static void scale_matrix(uint8_t *data, double scale_x, double scale_y)
{
    int32_t *matrix = (int32_t *)(void *)data;
    const bool quarter = llabs(matrix[0]) < llabs(matrix[3]);
    const double scale[2] = {quarter ? scale_y : scale_x, quarter ? scale_x : scale_y};
    for (int i = 0; i < 2; i++) {
        const double moved = matrix[6 + i] * scale[i];
        if (moved > INT32_MIN && moved < INT32_MAX)
            matrix[6 + i] = (int32_t)moved;
    }
}

/* What describes the picture stays; what describes the old coding (Dolby Vision's layers, buffers,
 * encryption) goes. */
static int copy_side_data(const sh_muxer *muxer, AVStream *to, const AVStream *from)
{
    static const enum AVPacketSideDataType kept[] = {AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
                                                     AV_PKT_DATA_CONTENT_LIGHT_LEVEL, AV_PKT_DATA_SPHERICAL,
                                                     AV_PKT_DATA_STEREO3D, AV_PKT_DATA_DISPLAYMATRIX};
    const sh_muxer_settings *s = &muxer->settings;
    for (int i = 0; i < s->side_data_count; i++)
        if (add_side_data(to, &s->side_data[i]) < 0)
            return -1;
    for (int i = 0; from && i < from->nb_side_data; i++) {
        const AVPacketSideData *data = &from->side_data[i];
        bool keep = false;
        for (size_t k = 0; k < SH_COUNT(kept); k++)
            keep |= data->type == kept[k];
        const bool matrix = data->type == AV_PKT_DATA_DISPLAYMATRIX;
        if (!keep || is_given(muxer, data->type) || (matrix && !(s->keep_matrix && is_mov(muxer))))
            continue;
        if (add_side_data(to, data) < 0)
            return -1;
        if (matrix && data->size >= 9 * sizeof(int32_t))
            scale_matrix(to->side_data[to->nb_side_data - 1].data, s->scale_x, s->scale_y);
    }
    return 0;
}

/* Matroska's muxer asks for a tag where the others have side data. */
static void tag_stereo(AVStream *to)
{
    size_t size = 0;
    const AVStereo3D *stereo = (const void *)av_stream_get_side_data(to, AV_PKT_DATA_STEREO3D, &size);
    const bool inverted = stereo && size >= sizeof(*stereo) && stereo->flags & AV_STEREO3D_FLAG_INVERT;
    if (!stereo || size < sizeof(*stereo) || av_dict_get(to->metadata, "stereo_mode", NULL, 0))
        return;
    if (stereo->type == AV_STEREO3D_SIDEBYSIDE)
        av_dict_set(&to->metadata, "stereo_mode", inverted ? "right_left" : "left_right", 0);
    else if (stereo->type == AV_STEREO3D_TOPBOTTOM)
        av_dict_set(&to->metadata, "stereo_mode", inverted ? "bottom_top" : "top_bottom", 0);
}

/* ---- tracks ---- */

static void keep_tag(const sh_muxer *muxer, AVCodecParameters *parameters)
{
    const struct AVCodecTag *const *tags = muxer->format->oformat->codec_tag;
    unsigned other;
    if (tags && av_codec_get_id(tags, parameters->codec_tag) != parameters->codec_id &&
        av_codec_get_tag2(tags, parameters->codec_id, &other))
        parameters->codec_tag = 0;
}

static int add_video(sh_muxer *muxer, const AVStream *from, sh_err *err)
{
    const sh_muxer_settings *s = &muxer->settings;
    AVStream *to = avformat_new_stream(muxer->format, NULL);
    if (!to || avcodec_parameters_copy(to->codecpar, s->video) < 0 || copy_side_data(muxer, to, from) < 0 ||
        (from && sh_tags_copy(&to->metadata, from->metadata, true) < 0))
        return no_memory(err);
    keep_tag(muxer, to->codecpar);
    to->time_base = s->time_base;
    to->avg_frame_rate = s->frame_rate.num > 0 ? s->frame_rate : (AVRational){0, 1};
    to->sample_aspect_ratio = to->codecpar->sample_aspect_ratio = s->sample_aspect;
    to->disposition = from ? from->disposition : AV_DISPOSITION_DEFAULT;
    const AVDictionaryEntry *code = av_dict_get(to->metadata, "timecode", NULL, 0);
    if (code && is_mov(muxer) && !sh_timecode_fits(code->value, to->avg_frame_rate))
        av_dict_set(&to->metadata, "timecode", NULL, 0);
    if (muxer->container == SH_MATROSKA)
        tag_stereo(to);
    muxer->video = to;
    return 0;
}

static int add_copy(sh_muxer *muxer, unsigned track, sh_err *err)
{
    const AVStream *from = sh_feed_format(muxer->feed)->streams[track];
    AVStream *to = avformat_new_stream(muxer->format, NULL);
    AVRational clock = from->time_base;
    int status = 0;
    if (!to)
        return no_memory(err);
    if (sh_feed_fate(muxer->feed, track) == SH_TRACK_CONVERTED)
        status = sh_feed_converted(muxer->feed, track, to->codecpar, &clock, err);
    else if (avcodec_parameters_copy(to->codecpar, from->codecpar) < 0)
        return no_memory(err);
    for (int i = 0; i < from->nb_side_data; i++)
        if (add_side_data(to, &from->side_data[i]) < 0)
            return no_memory(err);
    if (sh_tags_copy(&to->metadata, from->metadata,
                     muxer->settings.begin_us != AV_NOPTS_VALUE || muxer->settings.end_us != AV_NOPTS_VALUE) <
        0)
        return no_memory(err);
    keep_tag(muxer, to->codecpar);
    to->time_base = clock;
    to->disposition = from->disposition;
    to->avg_frame_rate = from->avg_frame_rate;
    to->r_frame_rate = from->r_frame_rate;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    return status;
}

static int name_cover(AVStream *to, enum AVCodecID codec)
{
    const char *const kind = codec == AV_CODEC_ID_PNG ? "png" : codec == AV_CODEC_ID_BMP ? "bmp" : "jpeg";
    char name[32], type[32];
    snprintf(name, sizeof(name), "cover.%s", codec == AV_CODEC_ID_MJPEG ? "jpg" : kind);
    snprintf(type, sizeof(type), "image/%s", kind);
    if (!av_dict_get(to->metadata, "filename", NULL, 0) &&
        av_dict_set(&to->metadata, "filename", name, 0) < 0)
        return -1;
    if (!av_dict_get(to->metadata, "mimetype", NULL, 0) &&
        av_dict_set(&to->metadata, "mimetype", type, 0) < 0)
        return -1;
    return 0;
}

/* A cover is a track with one packet in MP4 and an attached file in Matroska. */
static int add_attached(sh_muxer *muxer, const AVStream *from, sh_err *err)
{
    AVStream *to = avformat_new_stream(muxer->format, NULL);
    if (!to || avcodec_parameters_copy(to->codecpar, from->codecpar) < 0 ||
        sh_tags_copy(&to->metadata, from->metadata, false) < 0)
        return no_memory(err);
    to->time_base = from->time_base;
    to->codecpar->codec_tag = 0;
    if (!sh_track_is_cover(from))
        return 0;
    to->disposition = AV_DISPOSITION_ATTACHED_PIC;
    if (muxer->container != SH_MATROSKA)
        return 0;
    av_freep(&to->codecpar->extradata);
    to->codecpar->extradata = av_mallocz((size_t)from->attached_pic.size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!to->codecpar->extradata || name_cover(to, from->codecpar->codec_id) < 0)
        return no_memory(err);
    memcpy(to->codecpar->extradata, from->attached_pic.data, (size_t)from->attached_pic.size);
    to->codecpar->extradata_size = from->attached_pic.size;
    to->codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
    return 0;
}

static int add_tracks(sh_muxer *muxer, sh_err *err)
{
    const AVFormatContext *source = sh_feed_format(muxer->feed);
    int status = 0;
    for (unsigned i = 0; i < muxer->tracks && status == 0; i++) {
        const sh_track_fate fate = sh_feed_fate(muxer->feed, i);
        if (fate > SH_TRACK_CONVERTED)
            continue;
        muxer->track[i] = (int)muxer->format->nb_streams;
        sh_feed_rank(muxer->feed, i, muxer->track[i]);
        status =
            fate == SH_TRACK_REPLACED ? add_video(muxer, source->streams[i], err) : add_copy(muxer, i, err);
    }
    for (int covers = 1; covers >= 0; covers--)
        for (unsigned i = 0; i < muxer->tracks && status == 0; i++)
            if (sh_feed_fate(muxer->feed, i) == SH_TRACK_ATTACHED &&
                sh_track_is_cover(source->streams[i]) == covers)
                status = add_attached(muxer, source->streams[i], err);
    return status;
}

/* ---- times ---- */

/* Only MP4 and MOV have negative times, in an edit list. */
static int choose_origin(sh_muxer *muxer, sh_err *err)
{
    const sh_muxer_settings *s = &muxer->settings;
    const AVFormatContext *source = muxer->feed ? sh_feed_format(muxer->feed) : NULL;
    const bool transport = muxer->container == SH_TRANSPORT;
    int64_t first = AV_NOPTS_VALUE;
    int64_t video = s->first_pts - (transport ? s->delay * s->step : 0);
    int status = muxer->feed ? sh_feed_first(muxer->feed, &first, err) : 0;
    video = av_rescale_q_rnd(video, s->time_base, AV_TIME_BASE_Q, AV_ROUND_DOWN);
    first = first == AV_NOPTS_VALUE || video < first ? video : first;
    /* the clock of a transport stream begins anywhere */
    if (s->begin_us != AV_NOPTS_VALUE)
        muxer->origin_us = s->begin_us;
    else if (source && source->iformat->flags & AVFMT_TS_DISCONT && source->start_time != AV_NOPTS_VALUE &&
             !transport)
        muxer->origin_us = source->start_time;
    if (!is_mov(muxer) && first < muxer->origin_us)
        muxer->origin_us = av_rescale_rnd(first, 1, 1000, AV_ROUND_DOWN) * 1000;
    if (status == 0 && muxer->origin_us != 0)
        sh_channel_log(s->channel, SH_LOG_INFO, "%s: what is at %.6f s of the source is at 0 s here%s",
                       s->name, (double)muxer->origin_us / AV_TIME_BASE,
                       s->begin_us == AV_NOPTS_VALUE && muxer->origin_us < 0
                           ? ", since there are no times before 0 in it; all tracks are moved alike"
                           : "");
    return status;
}

static int copy_chapters(sh_muxer *muxer, const AVFormatContext *from, sh_err *err)
{
    const int64_t start = muxer->settings.begin_us, stop = muxer->settings.end_us;
    if (from->nb_chapters == 0)
        return 0;
    muxer->format->chapters = av_calloc(from->nb_chapters, sizeof(*muxer->format->chapters));
    if (!muxer->format->chapters)
        return no_memory(err);
    for (unsigned i = 0; i < from->nb_chapters; i++) {
        const AVRational clock = from->chapters[i]->time_base;
        const int64_t origin = av_rescale_q(muxer->origin_us, AV_TIME_BASE_Q, clock);
        int64_t begin = from->chapters[i]->start, end = from->chapters[i]->end;
        if (end == AV_NOPTS_VALUE || end < begin)
            end = begin;
        const bool after = stop != AV_NOPTS_VALUE && av_compare_ts(begin, clock, stop, AV_TIME_BASE_Q) >= 0;
        if (after || (start != AV_NOPTS_VALUE && end <= origin))
            continue;
        if (stop != AV_NOPTS_VALUE && av_compare_ts(end, clock, stop, AV_TIME_BASE_Q) > 0)
            end = av_rescale_q(stop, AV_TIME_BASE_Q, clock);
        begin = begin > origin ? begin - origin : 0;
        end = end - origin > begin ? end - origin : begin;
        AVChapter *chapter = av_mallocz(sizeof(*chapter));
        if (!chapter)
            return no_memory(err);
        muxer->format->chapters[muxer->format->nb_chapters++] = chapter;
        *chapter = (AVChapter){.id = from->chapters[i]->id, .time_base = clock, .start = begin, .end = end};
        if (av_dict_copy(&chapter->metadata, from->chapters[i]->metadata, 0) < 0)
            return no_memory(err);
    }
    return 0;
}

int sh_muxer_tracks(sh_muxer *muxer, sh_err *err)
{
    const AVFormatContext *source = muxer->feed ? sh_feed_format(muxer->feed) : NULL;
    muxer->tracks = source ? source->nb_streams : 0;
    muxer->track = calloc(muxer->tracks + 1, sizeof(*muxer->track));
    if (!muxer->track)
        return no_memory(err);
    for (unsigned i = 0; i < muxer->tracks; i++)
        muxer->track[i] = -1;
    int status = source ? add_tracks(muxer, err) : add_video(muxer, NULL, err);
    if (status == 0)
        status = choose_origin(muxer, err);
    if (status == 0 && source)
        status = copy_chapters(muxer, source, err);
    if (status == 0 && source && sh_tags_copy(&muxer->format->metadata, source->metadata, false) < 0)
        status = no_memory(err);
    if (status == 0)
        muxer->form = sh_stored_form_of(muxer->format->oformat, muxer->video->codecpar);
    return status;
}

/* ---- the header ---- */

/* Edit lists count in the movie's clock: one that both tracks' starts are exact in. */
static int64_t movie_clock(const sh_muxer *muxer)
{
    int64_t clock = 1000;
    for (unsigned i = 0; i < muxer->format->nb_streams; i++) {
        const AVStream *track = muxer->format->streams[i];
        int64_t next = track->codecpar->codec_type == AVMEDIA_TYPE_AUDIO ? track->codecpar->sample_rate
                                                                         : track->time_base.den;
        if (next <= 0)
            continue;
        int64_t joint = clock / av_gcd(clock, next) * next;
        if (joint <= 10000000)
            clock = joint;
    }
    return clock;
}

static void choose_options(const sh_muxer *muxer, AVDictionary **options)
{
    const AVFormatContext *source = muxer->feed ? sh_feed_format(muxer->feed) : NULL;
    if (!is_mov(muxer))
        return;
    av_dict_set_int(options, "movie_timescale", movie_clock(muxer), 0);
    av_dict_set_int(options, "moov_size", muxer->room, 0);
    if (source && sh_tags_are_free(source, muxer->settings.video_track, muxer->container))
        av_dict_set(options, "movflags", "+use_metadata_tags", 0);
}

static int write_covers(sh_muxer *muxer, sh_err *err)
{
    const AVFormatContext *source = muxer->feed ? sh_feed_format(muxer->feed) : NULL;
    unsigned to = 0;
    for (unsigned i = 0; i < muxer->tracks; i++)
        to += sh_feed_fate(muxer->feed, i) <= SH_TRACK_CONVERTED ? 1 : 0;
    for (unsigned i = 0; i < muxer->tracks && muxer->container == SH_MP4; i++) {
        if (sh_feed_fate(muxer->feed, i) != SH_TRACK_ATTACHED)
            continue;
        AVPacket *cover = av_packet_clone(&source->streams[i]->attached_pic);
        if (!cover)
            return no_memory(err);
        cover->stream_index = (int)to++;
        cover->pts = cover->dts = 0;
        int error = av_write_frame(muxer->format, cover);
        av_packet_free(&cover);
        if (error < 0)
            return sh_av_fail(err, error, NULL, "%s: the cover of track %u", muxer->settings.name, i);
    }
    return 0;
}

static int open_counts(sh_muxer *muxer, sh_err *err)
{
    const unsigned count = muxer->format->nb_streams;
    muxer->written = calloc(count, sizeof(*muxer->written));
    muxer->last_dts = calloc(count, sizeof(*muxer->last_dts));
    muxer->shift = calloc(count, sizeof(*muxer->shift));
    if (!muxer->written || !muxer->last_dts || !muxer->shift)
        return no_memory(err);
    for (unsigned i = 0; i < count; i++) {
        muxer->last_dts[i] = AV_NOPTS_VALUE;
        muxer->shift[i] =
            av_rescale_q(muxer->origin_us, AV_TIME_BASE_Q, muxer->format->streams[i]->time_base);
    }
    return 0;
}

int sh_muxer_header(sh_muxer *muxer, sh_err *err)
{
    AVDictionary *options = NULL;
    muxer->room = is_mov(muxer) ? sh_muxer_room(muxer) : 0;
    choose_options(muxer, &options);
    int error = avformat_write_header(muxer->format, &options);
    av_dict_free(&options);
    if (muxer->io.failure.status < 0)
        return sh_replay_flush(&muxer->io, err);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s: the header of the file", muxer->settings.name);
    int status = open_counts(muxer, err);
    if (status == 0)
        status = write_covers(muxer, err);
    if (status == 0)
        status = sh_replay_header(&muxer->io, err);
    if (status == 0)
        status = sh_muxer_keep_room(muxer, err);
    return status;
}
