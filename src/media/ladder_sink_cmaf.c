/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One track as CMAF. Samples are brought into the form of ISO files and given to stream/cmaf.h with the times
 * that a player sees: pictures tile the segment from its start to its end, so each lasts until the next one
 * in order of display is shown.
 *
 * The number that a fragment carries (mfhd) has to grow from one to the next; the number of the segment's
 * first sample, from 1, does so and is known without the segments before. */
#include "base/size.h"
#include "media/ladder_sink_inner.h"
#include "stream/cmaf.h"

#include <inttypes.h>
#include <libavutil/mastering_display_metadata.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX (1 << 20)
#define DELAY_MAX_MS 100

typedef struct cmaf {
    sh_cmaf_track track;
    sh_buf config;
    sh_buf samples; /* of the segment in hand, converted */
    sh_buf bytes;
    char language[4];
} cmaf;

/* ---- the header ---- */

static uint16_t in_units(AVRational value, int unit)
{
    const double scaled = value.den ? av_q2d(value) * unit + 0.5 : 0;
    return scaled < 0 ? 0 : scaled > UINT16_MAX ? UINT16_MAX : (uint16_t)scaled;
}

static uint32_t luminance(AVRational value)
{
    const double scaled = value.den ? av_q2d(value) * 10000 + 0.5 : 0;
    return scaled < 0 ? 0 : scaled > UINT32_MAX ? UINT32_MAX : (uint32_t)scaled;
}

static void set_mastering(sh_cmaf_track *track, const AVMasteringDisplayMetadata *from)
{
    static const int order[3] = {1, 2, 0}; /* green, blue, red of red, green, blue */
    track->has_mastering = from->has_primaries && from->has_luminance;
    for (int i = 0; i < 3; i++) {
        track->mastering.primary_x[i] = in_units(from->display_primaries[order[i]][0], 50000);
        track->mastering.primary_y[i] = in_units(from->display_primaries[order[i]][1], 50000);
    }
    track->mastering.white_x = in_units(from->white_point[0], 50000);
    track->mastering.white_y = in_units(from->white_point[1], 50000);
    track->mastering.max_luminance = luminance(from->max_luminance);
    track->mastering.min_luminance = luminance(from->min_luminance);
}

static uint16_t clip16(unsigned value)
{
    return value > UINT16_MAX ? UINT16_MAX : (uint16_t)value;
}

static void set_side_data(sh_cmaf_track *track, const sh_sink_track *from)
{
    for (int i = 0; i < from->side_data_count; i++) {
        const AVPacketSideData *data = &from->side_data[i];
        if (data->type == AV_PKT_DATA_MASTERING_DISPLAY_METADATA &&
            data->size >= sizeof(AVMasteringDisplayMetadata))
            set_mastering(track, (const AVMasteringDisplayMetadata *)data->data);
        if (data->type == AV_PKT_DATA_CONTENT_LIGHT_LEVEL && data->size >= sizeof(AVContentLightMetadata)) {
            const AVContentLightMetadata *light = (const AVContentLightMetadata *)data->data;
            track->has_light_level = true;
            track->light_level = (sh_light_level){clip16(light->MaxCLL), clip16(light->MaxFALL)};
        }
    }
}

/* No picture is decoded after more than `from->delay` others that are shown behind it: what these last is the
 * most by which offsets would be below 0. hls.js knows no edit lists: it takes fragments of pictures for
 * later by the delay than the browser does. It lets 0.2 s pass, and loads the same fragment again where it is
 * more. */
static uint32_t delay_of(const sh_sink_track *from)
{
    const int64_t longest = from->longest > from->step ? from->longest : from->step;
    const int64_t most = (int64_t)from->time_base.den * DELAY_MAX_MS / 1000;
    return (uint32_t)(from->delay < 1 ? 0 : longest > most / from->delay ? most : from->delay * longest);
}

static void set_video(sh_cmaf_track *track, const sh_sink_track *from)
{
    const AVCodecParameters *p = from->parameters;
    const bool sar = from->sar.num > 0 && from->sar.den > 0;
    track->kind = SH_CMAF_VIDEO;
    track->width = p->width;
    track->height = p->height;
    track->delay = delay_of(from);
    track->sar_num = sar ? from->sar.num : 1;
    track->sar_den = sar ? from->sar.den : 1;
    track->has_colour = p->color_primaries != AVCOL_PRI_UNSPECIFIED ||
                        p->color_trc != AVCOL_TRC_UNSPECIFIED || p->color_space != AVCOL_SPC_UNSPECIFIED;
    track->colour = (sh_cicp){(int)p->color_primaries, (int)p->color_trc, (int)p->color_space,
                              p->color_range == AVCOL_RANGE_JPEG};
    set_side_data(track, from);
}

static void set_audio(sh_cmaf_track *track, const sh_sink_track *from)
{
    track->kind = SH_CMAF_AUDIO;
    track->channels = from->parameters->ch_layout.nb_channels;
    track->sample_rate = from->parameters->sample_rate;
    track->priming = (uint32_t)from->priming;
}

static int64_t rate_of(int64_t rate)
{
    return rate < 0 ? 0 : rate > UINT32_MAX ? UINT32_MAX : rate;
}

static int describe(sh_sink *sink, cmaf *c, const sh_sink_track *from, sh_err *err)
{
    const AVCodecParameters *p = from->parameters;
    sh_cmaf_track *track = &c->track;
    if (from->time_base.num != 1)
        return sh_fail(err, SH_E_ARGUMENT, "%s: a time base of %d/%d; CMAF counts whole parts of a second",
                       sink->name, from->time_base.num, from->time_base.den);
    track->codec = sh_sink_codec(p->codec_id);
    if (track->codec == SH_CODEC_NONE || !p->extradata || p->extradata_size < 1)
        return sh_fail(err, SH_E_ARGUMENT, "%s: %s%s cannot go into CMAF", sink->name,
                       avcodec_get_name(p->codec_id),
                       track->codec == SH_CODEC_NONE ? "" : " without its parameter sets");
    int status = 0;
    if (track->codec == SH_CODEC_AAC)
        status = sh_buf_append(&c->config, p->extradata, (size_t)p->extradata_size);
    else
        status = sh_config_make(&c->config, track->codec, p->extradata, (size_t)p->extradata_size, err);
    if (status < 0)
        return c->config.failed ? sh_fail(err, SH_E_MEMORY, "memory is short")
                                : sh_err_prefix(err, "%s", sink->name);
    track->config = sink->config = (const uint8_t *)c->config.data;
    track->config_size = sink->config_size = c->config.length;
    track->timescale = (uint32_t)from->time_base.den;
    track->max_bitrate = (uint32_t)rate_of(from->peak);
    track->avg_bitrate = (uint32_t)rate_of(from->bitrate);
    if (strlen(from->language) == 3) {
        memcpy(c->language, from->language, 4);
        track->language = c->language;
    }
    if (sh_sink_is_video(from))
        set_video(track, from);
    else
        set_audio(track, from);
    return 0;
}

static int open_cmaf(sh_sink *sink, const sh_sink_settings *settings, sh_err *err)
{
    if (settings->track_count != 1)
        return sh_fail(err, SH_E_ARGUMENT, "%s: %zu tracks; CMAF has one a file", sink->name,
                       settings->track_count);
    cmaf *c = sink->state = calloc(1, sizeof(*c));
    if (!c)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_buf_init(&c->config, HEADER_MAX);
    sh_buf_init(&c->samples, SH_CMAF_MAX_SEGMENT);
    sh_buf_init(&c->bytes, SH_CMAF_MAX_SEGMENT);
    int status = describe(sink, c, settings->tracks, err);
    if (status == 0) {
        status = sh_cmaf_write_init(&c->bytes, &c->track, err);
        if (status < 0)
            sh_err_prefix(err, "%s", sink->name);
    }
    sh_sink_written written = {.file = SH_SINK_INIT};
    return status < 0 ? status : sh_sink_put(sink, &c->bytes, &written, err);
}

static void close_cmaf(sh_sink *sink)
{
    cmaf *c = sink->state;
    sh_buf_free(&c->config);
    sh_buf_free(&c->samples);
    sh_buf_free(&c->bytes);
    free(c);
}

/* ---- segments ---- */

/* Room for a segment of `count` samples, freed in one. */
typedef struct work {
    sh_cmaf_sample *samples;
    sh_cmaf_fragment *fragments;
    sh_sink_key *keys;
    size_t *offsets; /* of samples in c->samples */
    int64_t *shown;  /* presentation times in order, and the end */
    size_t fragment_count;
} work;

static void free_work(work *w)
{
    free(w->samples);
    free(w->fragments);
    free(w->keys);
    free(w->offsets);
    free(w->shown);
}

static bool make_work(work *w, size_t count)
{
    w->samples = calloc(count, sizeof(*w->samples));
    w->fragments = calloc(count, sizeof(*w->fragments));
    w->keys = calloc(count, sizeof(*w->keys));
    w->offsets = calloc(count, sizeof(*w->offsets));
    w->shown = calloc(count + 1, sizeof(*w->shown));
    w->fragment_count = count;
    return w->samples && w->fragments && w->keys && w->offsets && w->shown;
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* How long the picture shown at `pts` stays. */
static int64_t stays(const work *w, size_t count, int64_t pts)
{
    const int64_t *at = bsearch(&pts, w->shown, count, sizeof(*w->shown), by_time);
    return at ? at[1] - at[0] : 0;
}

static int convert(sh_sink *sink, cmaf *c, work *w, const sh_sink_packets *in, sh_err *err)
{
    sh_buf_clear(&c->samples);
    for (size_t i = 0; i < in->count; i++) {
        const AVPacket *packet = in->packets[i];
        w->offsets[i] = c->samples.length;
        int status = packet->size > 0 ? 0 : sh_fail(err, SH_E_INTERNAL, "it has no bytes");
        if (status == 0 && c->track.kind == SH_CMAF_AUDIO)
            status = sh_buf_append(&c->samples, packet->data, (size_t)packet->size);
        else if (status == 0)
            status = sh_sample_convert(&c->samples, c->track.codec, c->track.config, c->track.config_size,
                                       packet->data, (size_t)packet->size, err);
        if (c->samples.failed)
            return sh_fail(err, SH_E_LIMIT, "%s: a segment of more than %u bytes", sink->name,
                           SH_CMAF_MAX_SEGMENT);
        if (status < 0)
            return sh_err_prefix(err, "%s: packet %" PRId64, sink->name, in->before + (int64_t)i);
        w->samples[i].size = (uint32_t)(c->samples.length - w->offsets[i]);
    }
    return 0;
}

static void set_times(cmaf *c, work *w, const sh_sink_segment_in *segment)
{
    const sh_sink_packets *in = &segment->tracks[0];
    const bool audio = c->track.kind == SH_CMAF_AUDIO;
    for (size_t i = 0; i < in->count; i++)
        w->shown[i] = in->packets[i]->pts + (audio ? c->track.priming : 0);
    const int64_t last = in->packets[in->count - 1]->duration;
    if (audio)
        w->shown[in->count] = w->shown[in->count - 1] + last;
    else
        w->shown[in->count] = segment->end;
    qsort(w->shown, in->count, sizeof(*w->shown), by_time);
    for (size_t i = 0; i < in->count; i++) {
        sh_cmaf_sample *sample = &w->samples[i];
        sample->data = (const uint8_t *)c->samples.data + w->offsets[i];
        sample->pts = in->packets[i]->pts + (audio ? c->track.priming : 0);
        sample->duration = stays(w, in->count, sample->pts);
        sample->sync = in->packets[i]->flags & AV_PKT_FLAG_KEY;
    }
}

static int put_segment(sh_sink *sink, cmaf *c, work *w, const sh_sink_segment_in *segment, sh_err *err)
{
    const size_t count = segment->tracks[0].count;
    sh_sink_written written = {.file = SH_SINK_SEGMENT, .number = segment->number};
    written.start = w->shown[0];
    written.duration = w->shown[count] - w->shown[0];
    written.samples = (int64_t)count;
    if (c->track.kind == SH_CMAF_VIDEO) {
        for (size_t i = 0; i < w->fragment_count; i++)
            w->keys[i] = (sh_sink_key){w->fragments[i].time, (int64_t)w->fragments[i].offset,
                                       (int64_t)w->fragments[i].key_size, (int64_t)w->fragments[i].size};
        written.keys = w->keys;
        written.key_count = w->fragment_count;
    }
    return sh_sink_put(sink, &c->bytes, &written, err);
}

static int segment_cmaf(sh_sink *sink, const sh_sink_segment_in *segment, sh_err *err)
{
    cmaf *c = sink->state;
    const sh_sink_packets *in = &segment->tracks[0];
    work w = {0};
    if (in->count < 1 || in->count > SH_CMAF_MAX_SAMPLES || in->before < 0 ||
        in->before > UINT32_MAX - SH_CMAF_MAX_SAMPLES)
        return sh_fail(err, SH_E_LIMIT, "%s: segment %" PRId64 " has %zu samples; 1 to %d are possible",
                       sink->name, segment->number, in->count, SH_CMAF_MAX_SAMPLES);
    int status = make_work(&w, in->count) ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = convert(sink, c, &w, in, err);
    if (status == 0) {
        set_times(c, &w, segment);
        sh_buf_clear(&c->bytes);
        status = sh_cmaf_write_segment(&c->bytes, &c->track, (uint32_t)in->before + 1, w.samples, in->count,
                                       w.fragments, &w.fragment_count, err);
        if (status < 0)
            sh_err_prefix(err, "%s: segment %" PRId64, sink->name, segment->number);
    }
    if (status == 0)
        status = put_segment(sink, c, &w, segment, err);
    free_work(&w);
    return status;
}

const sh_sink_ops sh_sink_cmaf_ops = {open_cmaf, segment_cmaf, NULL, close_cmaf};
