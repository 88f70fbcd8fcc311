/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/mux.h"
#include "base/log.h"
#include "base/size.h"
#include "media/media.h"
#include "media/sandbox.h"

#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <string.h>
#include <strings.h>

typedef struct ending {
    const char *ending, *muxer;
} ending;

static const ending endings[] = {
    {"mp4", "mp4"}, {"m4v", "mp4"}, {"mov", "mov"}, {"mkv", "matroska"}, {"ts", "mpegts"}, {"m2ts", "mpegts"},
};

const AVOutputFormat *sh_mux_find(const char *path, sh_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    char shown[SH_SHOWN];
    for (size_t i = 0; dot && i < SH_COUNT(endings); i++)
        if (strcasecmp(dot + 1, endings[i].ending) == 0)
            return av_guess_format(endings[i].muxer, NULL, NULL);
    sh_fail(err, SH_E_ARGUMENT, "%s: the output's name must end in .mp4, .m4v, .mov, .mkv, .ts or .m2ts",
            sh_shown_path(path, shown));
    return NULL;
}

static bool is_mov(const sh_mux *mux)
{
    return strcmp(mux->format->oformat->name, "mp4") == 0 || strcmp(mux->format->oformat->name, "mov") == 0;
}

/* ---- tracks ---- */

/* Keys that describe the old file and not what is in it. */
static void copy_metadata(AVDictionary **to, const AVDictionary *from)
{
    static const char *const of_the_file[] = {"major_brand", "minor_version", "compatible_brands", "encoder",
                                              "rotate"};
    av_dict_copy(to, from, 0);
    for (size_t i = 0; i < SH_COUNT(of_the_file); i++)
        av_dict_set(to, of_the_file[i], NULL, 0);
}

/* MPEG-TS takes any codec as private data, which nobody can play. */
static bool transport_holds(enum AVCodecID codec)
{
    static const enum AVCodecID held[] = {
        AV_CODEC_ID_AAC,  AV_CODEC_ID_MP2,          AV_CODEC_ID_MP3,
        AV_CODEC_ID_AC3,  AV_CODEC_ID_EAC3,         AV_CODEC_ID_DTS,
        AV_CODEC_ID_OPUS, AV_CODEC_ID_DVB_SUBTITLE, AV_CODEC_ID_DVB_TELETEXT};
    for (size_t i = 0; i < SH_COUNT(held); i++)
        if (held[i] == codec)
            return true;
    return false;
}

static bool container_holds(const sh_mux *mux, const AVStream *from)
{
    const enum AVMediaType type = from->codecpar->codec_type;
    const enum AVCodecID codec = from->codecpar->codec_id;
    const bool matroska = strcmp(mux->format->oformat->name, "matroska") == 0;
    if (from->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return is_mov(mux);
    if (type == AVMEDIA_TYPE_ATTACHMENT)
        return matroska;
    if (type != AVMEDIA_TYPE_AUDIO && type != AVMEDIA_TYPE_SUBTITLE)
        return false;
    if (strcmp(mux->format->oformat->name, "mpegts") == 0)
        return transport_holds(codec);
    /* Matroska has a form for whatever a WAV file may hold, which the query does not know */
    return (matroska && type == AVMEDIA_TYPE_AUDIO) ||
           avformat_query_codec(mux->format->oformat, codec, FF_COMPLIANCE_NORMAL) == 1;
}

static int copy_side_data(AVStream *to, const AVStream *from, bool doubled)
{
    for (int i = 0; i < from->nb_side_data; i++) {
        const AVPacketSideData *data = &from->side_data[i];
        uint8_t *copy = av_stream_new_side_data(to, data->type, data->size);
        if (!copy)
            return AVERROR(ENOMEM);
        memcpy(copy, data->data, data->size);
        /* The matrix moves the turned picture back into view by its own size: entries 6 and 7. */
        if (doubled && data->type == AV_PKT_DATA_DISPLAYMATRIX && data->size >= 9 * sizeof(int32_t)) {
            int32_t *matrix = (int32_t *)(void *)copy;
            for (int k = 6; k < 8; k++)
                if (matrix[k] > INT32_MIN / 2 && matrix[k] < INT32_MAX / 2)
                    matrix[k] *= 2;
        }
    }
    return 0;
}

static void keep_tag(const sh_mux *mux, AVCodecParameters *parameters)
{
    const struct AVCodecTag *const *tags = mux->format->oformat->codec_tag;
    unsigned other;
    if (tags && av_codec_get_id(tags, parameters->codec_tag) != parameters->codec_id &&
        av_codec_get_tag2(tags, parameters->codec_id, &other))
        parameters->codec_tag = 0;
}

/* The muxer would refuse the whole header, and not say for which track. */
static int check_known(const AVStream *from, const char *input, sh_err *err)
{
    const AVCodecParameters *p = from->codecpar;
    if (p->codec_type != AVMEDIA_TYPE_AUDIO ||
        (p->codec_id != AV_CODEC_ID_NONE && p->sample_rate > 0 && p->ch_layout.nb_channels > 0))
        return 0;
    return sh_fail(
        err, SH_E_UNSUPPORTED,
        "%s: track %d (audio, %s) cannot be copied: its codec, sample rate or channels are not known, mostly "
        "because nothing of it is near the start of the file; leave it out first (ffmpeg -i IN -map 0 -map "
        "-0:%d -c copy OUT)",
        input, from->index, avcodec_get_name(p->codec_id), from->index);
}

static int add_copy(sh_mux *mux, const AVStream *from, sh_err *err)
{
    AVStream *to = avformat_new_stream(mux->format, NULL);
    if (!to || avcodec_parameters_copy(to->codecpar, from->codecpar) < 0 ||
        copy_side_data(to, from, false) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    keep_tag(mux, to->codecpar);
    to->time_base = from->time_base;
    to->disposition = from->disposition;
    to->avg_frame_rate = from->avg_frame_rate;
    to->r_frame_rate = from->r_frame_rate;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    copy_metadata(&to->metadata, from->metadata);
    mux->track[from->index] = to->index;
    return 0;
}

static int add_video(sh_mux *mux, const sh_source *source, const AVCodecContext *encoder, sh_err *err)
{
    const AVStream *from = source->video;
    AVStream *to = avformat_new_stream(mux->format, NULL);
    if (!to || avcodec_parameters_from_context(to->codecpar, encoder) < 0 ||
        copy_side_data(to, from, true) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    to->codecpar->codec_tag = 0;
    to->time_base = encoder->time_base;
    to->disposition = from->disposition;
    to->avg_frame_rate = from->avg_frame_rate;
    to->sample_aspect_ratio = encoder->sample_aspect_ratio;
    copy_metadata(&to->metadata, from->metadata);
    mux->track[from->index] = to->index;
    mux->video = to;
    return 0;
}

static int refuse_or_drop(const sh_mux *mux, const AVStream *from, sh_err *err)
{
    const char *kind = av_get_media_type_string(from->codecpar->codec_type);
    const char *codec = avcodec_get_name(from->codecpar->codec_id);
    if (from->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "track %d is %s audio, which %s cannot hold; nothing is re-encoded: choose an output ending "
            "in .mkv",
            from->index, codec, mux->format->oformat->name);
    sh_channel_log(mux->channel, SH_LOG_WARNING, "track %d (%s, %s) is left out: %s", from->index,
                   kind ? kind : "unknown", codec,
                   from->codecpar->codec_type == AVMEDIA_TYPE_VIDEO ? "one video track is upscaled"
                                                                    : "the container cannot hold it");
    return 0;
}

static int add_tracks(sh_mux *mux, const sh_source *source, const AVCodecContext *encoder, sh_err *err)
{
    int status = 0;
    mux->tracks = source->format->nb_streams;
    mux->track = av_malloc_array(mux->tracks, sizeof(*mux->track));
    mux->clock = av_malloc_array(mux->tracks, sizeof(*mux->clock));
    if (!mux->track || !mux->clock)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (unsigned i = 0; i < mux->tracks; i++)
        mux->track[i] = -1;
    for (unsigned i = 0; i < mux->tracks && status == 0; i++) {
        const AVStream *from = source->format->streams[i];
        mux->clock[i] = from->time_base;
        if (from == source->video)
            status = add_video(mux, source, encoder, err);
        else if ((status = check_known(from, source->name, err)) == 0)
            status = container_holds(mux, from) ? add_copy(mux, from, err) : refuse_or_drop(mux, from, err);
    }
    return status;
}

static int copy_chapters(sh_mux *mux, const AVFormatContext *from, sh_err *err)
{
    if (from->nb_chapters == 0)
        return 0;
    mux->format->chapters = av_calloc(from->nb_chapters, sizeof(*mux->format->chapters));
    if (!mux->format->chapters)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (unsigned i = 0; i < from->nb_chapters; i++) {
        AVChapter *chapter = av_mallocz(sizeof(*chapter));
        if (!chapter)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        *chapter = *from->chapters[i];
        chapter->metadata = NULL;
        av_dict_copy(&chapter->metadata, from->chapters[i]->metadata, 0);
        mux->format->chapters[mux->format->nb_chapters++] = chapter;
    }
    return 0;
}

/* ---- the container ---- */

/* The MOV muxer reads its own file back to move the index to the front. */
static int reread_open(AVFormatContext *format, AVIOContext **out, const char *url, int flags,
                       AVDictionary **options)
{
    sh_mux *mux = format->opaque;
    if (flags & AVIO_FLAG_WRITE || mux->reread.context)
        return AVERROR(EACCES);
    int error = sh_fdio_open(&mux->reread, mux->io.fd, false);
    if (error == 0)
        *out = mux->reread.context;
    return error;
}

static int reread_close(AVFormatContext *format, AVIOContext *io)
{
    sh_mux *mux = format->opaque;
    sh_fdio_close(&mux->reread);
    return 0;
}

/* Edit lists count in the movie's clock: one that both tracks' starts are exact in. */
static int64_t movie_clock(const sh_mux *mux)
{
    int64_t clock = 1000;
    for (unsigned i = 0; i < mux->format->nb_streams; i++) {
        const AVStream *track = mux->format->streams[i];
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

static int write_header(sh_mux *mux, sh_err *err)
{
    AVDictionary *options = NULL;
    if (is_mov(mux)) {
        av_dict_set(&options, "movflags", "+faststart", 0);
        av_dict_set_int(&options, "movie_timescale", movie_clock(mux), 0);
        mux->format->avoid_negative_ts = 0;
    }
    int error = avformat_write_header(mux->format, &options);
    av_dict_free(&options);
    if (error < 0)
        return sh_av_fail(err, error, &mux->io, "%s: the header of the file", mux->name);
    return 0;
}

static void warn_of_rounding(const sh_mux *mux, const sh_source *source)
{
    AVRational from = source->video->time_base, to = mux->video->time_base;
    /* exact when a source tick is a whole number of ticks here */
    if ((int64_t)from.num * to.den % ((int64_t)from.den * to.num) != 0)
        sh_channel_log(
            mux->channel, SH_LOG_WARNING,
            "%s counts time in 1/%d s and the source in %d/%d s: time stamps are rounded; .mp4 keeps them",
            mux->format->oformat->name, to.den / to.num, from.num, from.den);
}

int sh_mux_open(sh_mux *mux, int fd, const AVOutputFormat *muxer, const sh_source *source,
                const AVCodecContext *encoder, sh_err *err)
{
    int status = 0;
    int error = sh_fdio_open(&mux->io, fd, true);
    if (error >= 0)
        error = avformat_alloc_output_context2(&mux->format, muxer, NULL, NULL);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s", mux->name);
    mux->format->pb = mux->io.context;
    mux->format->opaque = mux;
    mux->format->io_open = reread_open;
    mux->format->io_close2 = reread_close;
    mux->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    status = add_tracks(mux, source, encoder, err);
    if (status == 0)
        status = copy_chapters(mux, source->format, err);
    if (status == 0) {
        copy_metadata(&mux->format->metadata, source->format->metadata);
        status = write_header(mux, err);
    }
    if (status == 0)
        warn_of_rounding(mux, source);
    return status;
}

static int write_packet(sh_mux *mux, AVPacket *packet, sh_err *err)
{
    const AVStream *track = mux->format->streams[packet->stream_index];
    const int64_t at = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    const double time = at != AV_NOPTS_VALUE ? (double)at * av_q2d(track->time_base) : 0;
    packet->pos = -1;
    int error = av_interleaved_write_frame(mux->format, packet);
    if (error < 0 && mux->io.error)
        return sh_av_fail(err, error, &mux->io, "%s", mux->name);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s: %s packet at %.3f s of its track %d (%s)", mux->name,
                          at == AV_NOPTS_VALUE ? "a timeless" : "the", time, track->index,
                          avcodec_get_name(track->codecpar->codec_id));
    return 0;
}

static void warn_of_late(sh_mux *mux, unsigned from)
{
    if (from < mux->late)
        return;
    mux->late = from + 1;
    sh_channel_log(
        mux->channel, SH_LOG_WARNING,
        "track %u begins after the start of the file, when the tracks of the new file are fixed: it is "
        "left out",
        from);
}

int sh_mux_copy(sh_mux *mux, AVPacket *packet, sh_err *err)
{
    unsigned from = (unsigned)packet->stream_index;
    if (from >= mux->tracks || mux->track[from] < 0) {
        if (from >= mux->tracks)
            warn_of_late(mux, from);
        av_packet_unref(packet);
        return 0;
    }
    av_packet_rescale_ts(packet, mux->clock[from], mux->format->streams[mux->track[from]]->time_base);
    packet->stream_index = mux->track[from];
    return write_packet(mux, packet, err);
}

int sh_mux_video(sh_mux *mux, AVPacket *packet, AVRational time_base, sh_err *err)
{
    av_packet_rescale_ts(packet, time_base, mux->video->time_base);
    packet->stream_index = mux->video->index;
    mux->frames++;
    return write_packet(mux, packet, err);
}

int sh_mux_finish(sh_mux *mux, sh_err *err)
{
    /* the index moves to the front, and everything behind it by its length: 1 MB/s is a slow disk */
    sh_channel_patience(mux->channel, SH_SANDBOX_PATIENCE_MS / 1000 + (double)mux->io.size / 1e6);
    int error = av_write_trailer(mux->format);
    if (error >= 0 && mux->io.error)
        error = AVERROR(mux->io.error);
    if (error < 0)
        return sh_av_fail(err, error, &mux->io, "%s", mux->name);
    return 0;
}

void sh_mux_close(sh_mux *mux)
{
    if (mux->format) {
        mux->format->pb = NULL;
        avformat_free_context(mux->format);
        mux->format = NULL;
    }
    sh_fdio_close(&mux->reread);
    sh_fdio_close(&mux->io);
    av_freep(&mux->track);
    av_freep(&mux->clock);
}
