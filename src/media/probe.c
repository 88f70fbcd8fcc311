/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/probe.h"
#include "base/size.h"
#include "media/probe_sample.h"

#include <libavutil/display.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sh_hdr_name(sh_hdr hdr)
{
    static const char *const names[] = {"none", "pq", "hdr10", "hdr10+", "hlg"};
    return (size_t)hdr < SH_COUNT(names) ? names[hdr] : "none";
}

const char *sh_scan_name(sh_scan scan)
{
    static const char *const names[] = {"unknown", "progressive", "tff", "bff", "mixed"};
    return (size_t)scan < SH_COUNT(names) ? names[scan] : "unknown";
}

const char *sh_known_name(sh_known known)
{
    static const char *const names[] = {"not known", "index", "header", "time stamps", "bit rate"};
    return (size_t)known < SH_COUNT(names) ? names[known] : "not known";
}

static const void *stream_data(const AVStream *stream, enum AVPacketSideDataType type, size_t least)
{
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, type, &size);
    return data && size >= least ? data : NULL;
}

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
    sh_text_mend(to);
}

static const char *tag_of(const AVDictionary *metadata, const char *key)
{
    const AVDictionaryEntry *entry = av_dict_get(metadata, key, NULL, 0);
    return entry ? entry->value : NULL;
}

/* ---- the container ---- */

static void describe_track(const AVStream *stream, sh_facts_track *track)
{
    const AVCodecParameters *p = stream->codecpar;
    const char *title = tag_of(stream->metadata, "title");
    track->index = stream->index;
    track->type = p->codec_type;
    track->codec = (int)p->codec_id;
    track->disposition = stream->disposition;
    copy_text(track->codec_name, sizeof(track->codec_name),
              p->codec_id == AV_CODEC_ID_NONE ? "" : avcodec_get_name(p->codec_id));
    if (p->codec_tag) {
        char tag[AV_FOURCC_MAX_STRING_SIZE];
        av_fourcc_make_string(tag, p->codec_tag);
        if (strlen(tag) < sizeof(track->tag))
            memcpy(track->tag, tag, strlen(tag) + 1);
        sh_text_mend(track->tag);
    }
    copy_text(track->language, sizeof(track->language), tag_of(stream->metadata, "language"));
    copy_text(track->title, sizeof(track->title), title ? title : tag_of(stream->metadata, "filename"));
    track->channels = p->ch_layout.nb_channels;
    track->sample_rate = p->sample_rate;
}

static void describe_tracks(const sh_source *source, sh_facts *facts)
{
    const AVFormatContext *format = source->format;
    facts->track_count = format->nb_streams;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        const AVStream *stream = format->streams[i];
        if (i < SH_FACTS_TRACKS) {
            describe_track(stream, &facts->tracks[i]);
            facts->tracks[i].chosen = stream == source->video;
        }
        facts->timecode |= tag_of(stream->metadata, "timecode") != NULL ||
                           stream->codecpar->codec_tag == MKTAG('t', 'm', 'c', 'd');
    }
    facts->timecode |= tag_of(format->metadata, "timecode") != NULL;
}

static sh_known duration_known(const AVFormatContext *format)
{
    if (format->duration <= 0)
        return SH_KNOWN_NOT;
    switch (format->duration_estimation_method) {
    case AVFMT_DURATION_FROM_PTS:
        return SH_KNOWN_STAMPS;
    case AVFMT_DURATION_FROM_BITRATE:
        return SH_KNOWN_BITRATE;
    default:
        return SH_KNOWN_HEADER;
    }
}

/* An index lists every packet in the MOV family alone. What it marks as left out, an edit list leaves out. A
 * packet that it places behind the end of the file is missing. */
static void describe_index(const sh_source *source, sh_facts *facts)
{
    AVStream *video = source->video;
    const int entries = avformat_index_get_entries_count(video);
    int64_t missing = 0;
    if (!strstr(source->format->iformat->name, "mov") || entries <= 0)
        return;
    for (int i = 0; i < entries; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(video, i);
        facts->edited_out += entry->flags & AVINDEX_DISCARD_FRAME ? 1 : 0;
        missing += facts->bytes >= 0 && entry->pos + entry->size > facts->bytes ? 1 : 0;
    }
    facts->edit_list = facts->edited_out > 0;
    facts->frames = entries - facts->edited_out;
    facts->frames_known = SH_KNOWN_INDEX;
    if (missing > 0)
        sh_facts_damaged(facts,
                         "the file is cut short: %lld of the %d frames in its index lie behind its end",
                         (long long)missing, entries);
}

static void describe_length(const sh_source *source, sh_facts *facts)
{
    const AVFormatContext *format = source->format;
    facts->bytes = source->io.size;
    facts->duration_us = format->duration > 0 ? format->duration : 0;
    facts->duration_known = duration_known(format);
    facts->start_us = format->start_time != AV_NOPTS_VALUE ? format->start_time : 0;
    facts->first_pts = source->video->start_time;
    facts->chapters = (int)format->nb_chapters;
    facts->programs = (int)format->nb_programs;
    describe_index(source, facts);
    if (facts->frames_known == SH_KNOWN_NOT && source->video->nb_frames > 0) {
        facts->frames = source->video->nb_frames;
        facts->frames_known = SH_KNOWN_HEADER;
    }
}

/* ---- the video track ---- */

/* Of a matrix that first exchanges left and right, if it does, and then turns clockwise. */
static void describe_turn(const AVStream *stream, sh_facts *facts)
{
    const int32_t *matrix = stream_data(stream, AV_PKT_DATA_DISPLAYMATRIX, sizeof(facts->matrix));
    if (!matrix)
        return;
    facts->matrix_told = true;
    memcpy(facts->matrix, matrix, sizeof(facts->matrix));
    double a = matrix[0], b = matrix[1];
    const double c = matrix[3], d = matrix[4];
    facts->mirror = a * d - b * c < 0;
    if (facts->mirror) {
        a = -a;
        b = -b;
    }
    if (a == 0 && b == 0) {
        facts->odd_turn = true;
        return;
    }
    const double degrees = atan2(b, a) * 180 / M_PI;
    const int quarters = (int)lrint(degrees / 90);
    facts->turn = (quarters + 4) % 4 * 90;
    facts->odd_turn = fabs(degrees - 90.0 * quarters) > 1;
}

static void describe_dolby(const AVStream *stream, sh_facts *facts)
{
    const AVDOVIDecoderConfigurationRecord *record =
        stream_data(stream, AV_PKT_DATA_DOVI_CONF, sizeof(*record));
    if (!record)
        return;
    facts->dolby = true;
    facts->dolby_profile = record->dv_profile;
    facts->dolby_compatibility = record->dv_bl_signal_compatibility_id;
}

static void take_mastering(sh_facts *facts, const AVMasteringDisplayMetadata *data)
{
    if (!data || (!data->has_primaries && !data->has_luminance))
        return;
    facts->has_mastering = true;
    facts->mastering = *data;
}

static void take_light(sh_facts *facts, const AVContentLightMetadata *data)
{
    if (!data || (data->MaxCLL == 0 && data->MaxFALL == 0))
        return;
    facts->has_light = true;
    facts->light = *data;
}

static void describe_format(sh_facts *facts, int format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)format);
    static const struct {
        int w, h;
        const char *name;
    } chromas[] = {{0, 0, "4:4:4"}, {1, 0, "4:2:2"}, {1, 1, "4:2:0"},
                   {2, 0, "4:1:1"}, {2, 2, "4:1:0"}, {0, 1, "4:4:0"}};
    facts->format = (enum AVPixelFormat)format;
    if (!d)
        return;
    facts->bits = d->comp[0].depth;
    facts->rgb = d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
    facts->alpha = d->flags & AV_PIX_FMT_FLAG_ALPHA;
    copy_text(facts->chroma, sizeof(facts->chroma), facts->rgb ? "RGB" : d->nb_components < 3 ? "grey" : "");
    for (size_t i = 0; i < SH_COUNT(chromas) && !facts->chroma[0]; i++)
        if (chromas[i].w == d->log2_chroma_w && chromas[i].h == d->log2_chroma_h)
            copy_text(facts->chroma, sizeof(facts->chroma), chromas[i].name);
}

static void describe_video(const sh_source *source, sh_facts *facts)
{
    const AVStream *stream = source->video;
    const AVCodecParameters *p = stream->codecpar;
    facts->video = stream->index;
    facts->codec = (int)p->codec_id;
    copy_text(facts->codec_name, sizeof(facts->codec_name), avcodec_get_name(p->codec_id));
    copy_text(facts->profile, sizeof(facts->profile), avcodec_profile_name(p->codec_id, p->profile));
    facts->level = p->level;
    facts->bitrate = p->bit_rate;
    facts->width = p->width;
    facts->height = p->height;
    facts->time_base = stream->time_base;
    facts->rate_told = av_guess_frame_rate(source->format, source->video, NULL);
    facts->field_order = p->field_order;
    facts->colour_told =
        (sh_colour){p->color_primaries, p->color_trc, p->color_space, p->color_range, p->chroma_location};
    describe_format(facts, p->format);
    describe_turn(stream, facts);
    describe_dolby(stream, facts);
    take_mastering(facts, stream_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
                                      sizeof(AVMasteringDisplayMetadata)));
    take_light(facts, stream_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, sizeof(AVContentLightMetadata)));
}

void sh_facts_describe(const sh_source *source, sh_facts *facts)
{
    copy_text(facts->container, sizeof(facts->container), source->format->iformat->name);
    copy_text(facts->container_name, sizeof(facts->container_name), source->format->iformat->long_name);
    facts->detail_across = facts->detail_down = -1;
    describe_video(source, facts);
    describe_tracks(source, facts);
    describe_length(source, facts);
}

/* ---- a picture ---- */

static const void *frame_data(const AVFrame *frame, enum AVFrameSideDataType type, size_t least)
{
    const AVFrameSideData *data = av_frame_get_side_data(frame, type);
    return data && data->size >= least ? data->data : NULL;
}

#define TAKE(field, given, unset)                                                                            \
    do {                                                                                                     \
        if ((given) != (unset)) {                                                                            \
            differs |= facts->colour_told.field != (unset) && facts->colour_told.field != (given);           \
            facts->colour_told.field = (given);                                                              \
        }                                                                                                    \
    } while (0)

/* What the pictures say counts before what the track says. */
static void take_tags(sh_facts *facts, const AVFrame *frame)
{
    bool differs = false;
    TAKE(primaries, frame->color_primaries, AVCOL_PRI_UNSPECIFIED);
    TAKE(transfer, frame->color_trc, AVCOL_TRC_UNSPECIFIED);
    TAKE(matrix, frame->colorspace, AVCOL_SPC_UNSPECIFIED);
    TAKE(range, frame->color_range, AVCOL_RANGE_UNSPECIFIED);
    TAKE(siting, frame->chroma_location, AVCHROMA_LOC_UNSPECIFIED);
    facts->colour_conflict = differs;
}

void sh_facts_first(const sh_source *source, const AVFrame *frame, sh_facts *facts)
{
    const AVRational sar = av_guess_sample_aspect_ratio(source->format, source->video, (AVFrame *)frame);
    facts->width = frame->width;
    facts->height = frame->height;
    facts->chroma[0] = '\0';
    describe_format(facts, frame->format);
    facts->sar_told = sar.num > 0 && sar.den > 0;
    facts->sar = facts->sar_told ? sar : (AVRational){1, 1};
    av_reduce(&facts->dar.num, &facts->dar.den, (int64_t)frame->width * facts->sar.num,
              (int64_t)frame->height * facts->sar.den, 1024 * 1024);
    take_tags(facts, frame);
}

void sh_facts_side_data(sh_facts *facts, const AVFrame *frame)
{
    take_mastering(facts, frame_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA,
                                     sizeof(AVMasteringDisplayMetadata)));
    take_light(facts, frame_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, sizeof(AVContentLightMetadata)));
    if (frame_data(frame, AV_FRAME_DATA_DYNAMIC_HDR_PLUS, 1))
        facts->hdr = SH_HDR_HDR10P;
    facts->captions |= frame_data(frame, AV_FRAME_DATA_A53_CC, 1) != NULL;
    facts->timecode |= frame_data(frame, AV_FRAME_DATA_S12M_TIMECODE, 1) != NULL;
    if (!facts->dolby && frame_data(frame, AV_FRAME_DATA_DOVI_RPU_BUFFER, 1)) {
        /* Dolby Vision in a stream whose container does not tell: what lies below is what it is tagged as. */
        facts->dolby = true;
        facts->dolby_profile = 0;
    }
}

/* ---- conclusions ---- */

void sh_facts_damaged(sh_facts *facts, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (facts->damages++ == 0) {
        vsnprintf(facts->damage, sizeof(facts->damage), format, arguments);
        sh_text_mend(facts->damage);
    }
    va_end(arguments);
}

static bool flagged_interlaced(const sh_facts *facts)
{
    const sh_facts_fields *f = &facts->fields;
    if (f->flagged > 0)
        return 2 * f->flagged > facts->sampled;
    return facts->sampled == 0 && facts->field_order > AV_FIELD_PROGRESSIVE;
}

static bool flagged_top(const sh_facts *facts)
{
    const sh_facts_fields *f = &facts->fields;
    if (f->flagged > 0)
        return 2 * f->flagged_top >= f->flagged;
    if (facts->field_order > AV_FIELD_PROGRESSIVE)
        return facts->field_order == AV_FIELD_TT || facts->field_order == AV_FIELD_BT;
    return true;
}

static void conclude_scan(sh_facts *facts)
{
    enum { LEAST = 5 };
    const sh_facts_fields *f = &facts->fields;
    const int combed = f->top + f->bottom, clear = combed + f->progressive;
    const int more = f->top > f->bottom ? f->top : f->bottom;
    facts->fields_top = combed >= 3 && 3 * more > 2 * combed ? f->top > f->bottom : flagged_top(facts);
    facts->telecine = f->cadence >= 4 && 5 * f->cadence_hits >= 3 * f->cadence;
    if (clear < LEAST)
        facts->scan = SH_SCAN_UNKNOWN;
    else if (10 * combed <= clear)
        facts->scan = SH_SCAN_PROGRESSIVE;
    else if (3 * combed < 2 * clear)
        facts->scan = SH_SCAN_MIXED;
    else
        facts->scan = facts->fields_top ? SH_SCAN_TOP_FIRST : SH_SCAN_BOTTOM_FIRST;
    if (facts->telecine)
        facts->scan = SH_SCAN_MIXED;
}

static void conclude_colour(sh_facts *facts)
{
    const int codec = facts->codec;
    const sh_colour_hints hints = {
        .format = facts->format,
        .width = facts->width,
        .height = facts->height,
        .rate = facts->rate.num > 0 ? av_q2d(facts->rate) : 0,
        .jpeg = codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_MJPEGB || codec == AV_CODEC_ID_AMV,
        .mpeg1 = codec == AV_CODEC_ID_MPEG1VIDEO,
    };
    sh_colour_settle(&facts->colour_told, &hints, &facts->colour, facts->colour_why);
    if (facts->colour.transfer == AVCOL_TRC_ARIB_STD_B67)
        facts->hdr = SH_HDR_HLG;
    else if (facts->colour.transfer != AVCOL_TRC_SMPTE2084)
        facts->hdr = SH_HDR_NONE;
    else if (facts->hdr != SH_HDR_HDR10P)
        facts->hdr = facts->has_mastering || facts->has_light ? SH_HDR_HDR10 : SH_HDR_PQ;
}

bool sh_facts_interlaced(const sh_facts *facts)
{
    return facts->scan == SH_SCAN_UNKNOWN ? flagged_interlaced(facts) : facts->scan != SH_SCAN_PROGRESSIVE;
}

static void conclude_frames(sh_facts *facts)
{
    if (facts->rate.num <= 0)
        facts->rate = facts->rate_told.num > 0 ? facts->rate_told : (AVRational){0, 1};
    if (facts->frames_known != SH_KNOWN_NOT || facts->rate.num <= 0 || facts->duration_us <= 0)
        return;
    facts->frames = (int64_t)((double)facts->duration_us / AV_TIME_BASE * av_q2d(facts->rate) + 0.5);
    facts->frames_known = facts->duration_known;
}

void sh_facts_conclude(sh_facts *facts)
{
    enum { SOFT = 74 };
    conclude_scan(facts);
    conclude_frames(facts);
    conclude_colour(facts);
    if (sh_facts_interlaced(facts))
        facts->detail_down = -1;
    const double down = facts->detail_down >= 0 ? facts->detail_down : facts->detail_across;
    facts->soft = facts->detail_across >= 0 && 50 * (facts->detail_across + down) <= SOFT;
}

AVRational sh_rate_snap(double rate, AVRational told, double tolerance)
{
    static const AVRational usual[] = {
        {24000, 1001}, {24, 1},       {25, 1},        {30000, 1001}, {30, 1}, {50, 1},
        {60000, 1001}, {60, 1},       {48, 1},        {48000, 1001}, {15, 1}, {10, 1},
        {12, 1},       {25, 2},       {100, 1},       {120, 1},      {20, 1}, {5, 1},
        {15000, 1001}, {12000, 1001}, {120000, 1001}, {240, 1},      {90, 1}, {72, 1},
    };
    const double most = tolerance + 0.0002;
    if (told.num > 0 && told.den > 0 && fabs(av_q2d(told) / rate - 1) <= most)
        return told;
    AVRational best = av_d2q(rate, 100000);
    double distance = most;
    for (size_t i = 0; i < SH_COUNT(usual); i++) {
        const double from = fabs(av_q2d(usual[i]) / rate - 1);
        if (from <= distance) {
            distance = from;
            best = usual[i];
        }
    }
    return best;
}

int sh_probe_first(const sh_source *source, const AVFrame *frame, sh_facts *facts, sh_err *err)
{
    sh_facts *made = calloc(1, sizeof(*made));
    if (!made)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_facts_describe(source, made);
    sh_facts_first(source, frame, made);
    sh_facts_side_data(made, frame);
    made->sampled = 1;
    made->fields.flagged = frame->interlaced_frame ? 1 : 0;
    made->fields.flagged_top = frame->interlaced_frame && frame->top_field_first ? 1 : 0;
    sh_facts_conclude(made);
    *facts = *made;
    free(made);
    return 0;
}
