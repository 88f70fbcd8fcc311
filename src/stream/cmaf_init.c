/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Init segments: ftyp and moov of one track without samples. The movie's timescale is the track's, so that
 * mehd and the edit list need no rounding. */
#include "stream/box.h"
#include "stream/cmaf.h"
#include <inttypes.h>
#include <string.h>

#define MOST_SIDE 16384
#define MOST_ASC 64

static int wrong(sh_err *err, const char *field, int64_t value)
{
    return sh_fail(err, SH_E_ARGUMENT, "CMAF track: %s of %" PRId64 " is not possible", field, value);
}

static int video_check(const sh_cmaf_track *track, sh_err *err)
{
    sh_video_config video;
    const int rc = sh_video_config_read(&video, track->codec, track->config, track->config_size, err);
    if (rc)
        return rc;
    if (track->width < 1 || track->width > MOST_SIDE)
        return wrong(err, "width", track->width);
    if (track->height < 1 || track->height > MOST_SIDE)
        return wrong(err, "height", track->height);
    if (video.width != track->width || video.height != track->height)
        return sh_fail(err, SH_E_ARGUMENT, "CMAF track of %dx%d whose pictures are %dx%d", track->width,
                       track->height, video.width, video.height);
    if (track->sar_num < 0 || track->sar_den < 0 || (track->sar_num == 0) != (track->sar_den == 0))
        return wrong(err, "sample aspect ratio", track->sar_num);
    return track->delay > INT32_MAX ? wrong(err, "delay", track->delay) : 0;
}

static int audio_check(const sh_cmaf_track *track, sh_err *err)
{
    sh_audio_config audio;
    if (track->codec != SH_CODEC_AAC)
        return wrong(err, "codec", track->codec);
    const int rc = sh_asc_parse(&audio, track->config, track->config_size, err);
    if (rc)
        return rc;
    if (track->config_size > MOST_ASC)
        return wrong(err, "size of AudioSpecificConfig", (int64_t)track->config_size);
    if (track->channels < 1 || track->channels > 24)
        return wrong(err, "channels", track->channels);
    if (track->sample_rate < 1)
        return wrong(err, "sample rate", track->sample_rate);
    if (audio.object_type == 2 && (audio.sample_rate != track->sample_rate ||
                                   (audio.channels != 0 && audio.channels != track->channels)))
        return sh_fail(err, SH_E_ARGUMENT,
                       "CMAF track of %d Hz and %d channels whose AudioSpecificConfig tells %d and %d",
                       track->sample_rate, track->channels, audio.sample_rate, audio.channels);
    return 0;
}

static bool language_is_right(const char *language)
{
    return !language || (strlen(language) == 3 && strspn(language, "abcdefghijklmnopqrstuvwxyz") == 3);
}

static int track_check(const sh_cmaf_track *track, sh_err *err)
{
    if (track->timescale == 0)
        return wrong(err, "timescale", 0);
    if (!language_is_right(track->language))
        return sh_fail(err, SH_E_ARGUMENT, "CMAF track: the language is not three lower-case letters");
    if (track->kind == SH_CMAF_VIDEO)
        return video_check(track, err);
    return audio_check(track, err);
}

/* Media time at which the presentation begins. */
static uint32_t skipped(const sh_cmaf_track *track)
{
    return track->kind == SH_CMAF_VIDEO ? track->delay : track->priming;
}

/* ISO 23000-19, 7.7: in cmf2 pictures have no edit list. */
static void put_ftyp(sh_buf *out, const sh_cmaf_track *track)
{
    const size_t place = sh_box_open(out, SH_FOURCC('f', 't', 'y', 'p'));
    sh_buf_puts(out, "iso6");
    sh_put_u32(out, 0);
    sh_buf_puts(out, "iso6cmfc");
    if (track->kind != SH_CMAF_VIDEO || track->delay == 0)
        sh_buf_puts(out, "cmf2");
    if (track->codec == SH_CODEC_AV1)
        sh_buf_puts(out, "av01");
    sh_box_close(out, place);
}

static void put_matrix(sh_buf *out)
{
    for (int i = 0; i < 9; i++)
        sh_put_u32(out, i == 8 ? 0x40000000u : i % 4 == 0 ? 0x10000u : 0);
}

static void put_mvhd(sh_buf *out, const sh_cmaf_track *track)
{
    const size_t place = sh_box_open_full(out, SH_FOURCC('m', 'v', 'h', 'd'), 0, 0);
    sh_put_zero(out, 8); /* times of creation and change: none, so that the same film is the same bytes */
    sh_put_u32(out, track->timescale);
    sh_put_u32(out, 0);
    sh_put_u32(out, 0x10000);
    sh_put_u16(out, 0x100);
    sh_put_zero(out, 10);
    put_matrix(out);
    sh_put_zero(out, 24);
    sh_put_u32(out, 2); /* next track */
    sh_box_close(out, place);
}

static uint32_t shown_width(const sh_cmaf_track *track)
{
    const uint64_t width = (uint64_t)track->width << 16;
    if (track->sar_num == 0)
        return (uint32_t)width;
    const uint64_t shown = width * (uint64_t)track->sar_num / (uint64_t)track->sar_den;
    return shown > UINT32_MAX ? UINT32_MAX : (uint32_t)shown;
}

static void put_tkhd(sh_buf *out, const sh_cmaf_track *track)
{
    const bool video = track->kind == SH_CMAF_VIDEO;
    const size_t place = sh_box_open_full(out, SH_FOURCC('t', 'k', 'h', 'd'), 0, 7);
    sh_put_zero(out, 8);
    sh_put_u32(out, 1);
    sh_put_zero(out, 4 + 4 + 8 + 4); /* reserved, duration, reserved, layer and alternate group */
    sh_put_u16(out, video ? 0 : 0x100);
    sh_put_u16(out, 0);
    put_matrix(out);
    sh_put_u32(out, video ? shown_width(track) : 0);
    sh_put_u32(out, video ? (uint32_t)track->height << 16 : 0);
    sh_box_close(out, place);
}

/* One edit, from that media time to the end. */
static void put_edits(sh_buf *out, const sh_cmaf_track *track)
{
    if (skipped(track) == 0)
        return;
    const size_t edts = sh_box_open(out, SH_FOURCC('e', 'd', 't', 's'));
    const size_t elst = sh_box_open_full(out, SH_FOURCC('e', 'l', 's', 't'), 1, 0);
    sh_put_u32(out, 1);
    sh_put_u64(out, 0);
    sh_put_u64(out, skipped(track));
    sh_put_u32(out, 0x10000);
    sh_box_close(out, elst);
    sh_box_close(out, edts);
}

static void put_media_headers(sh_buf *out, const sh_cmaf_track *track)
{
    const char *language = track->language ? track->language : "und";
    const size_t mdhd = sh_box_open_full(out, SH_FOURCC('m', 'd', 'h', 'd'), 0, 0);
    sh_put_zero(out, 8);
    sh_put_u32(out, track->timescale);
    sh_put_u32(out, 0);
    sh_put_u16(out,
               (uint16_t)((language[0] - 0x60) << 10 | (language[1] - 0x60) << 5 | (language[2] - 0x60)));
    sh_put_u16(out, 0);
    sh_box_close(out, mdhd);
    const size_t hdlr = sh_box_open_full(out, SH_FOURCC('h', 'd', 'l', 'r'), 0, 0);
    sh_put_u32(out, 0);
    sh_buf_puts(out, track->kind == SH_CMAF_VIDEO ? "vide" : "soun");
    sh_put_zero(out, 12);
    sh_buf_puts(out, track->name ? track->name : "Spyhop");
    sh_put_u8(out, 0);
    sh_box_close(out, hdlr);
}

static void put_data_reference(sh_buf *out)
{
    const size_t dinf = sh_box_open(out, SH_FOURCC('d', 'i', 'n', 'f'));
    const size_t dref = sh_box_open_full(out, SH_FOURCC('d', 'r', 'e', 'f'), 0, 0);
    sh_put_u32(out, 1);
    sh_box_close(out, sh_box_open_full(out, SH_FOURCC('u', 'r', 'l', ' '), 0, 1));
    sh_box_close(out, dref);
    sh_box_close(out, dinf);
}

static void put_btrt(sh_buf *out, const sh_cmaf_track *track)
{
    if (track->buffer_size == 0 && track->max_bitrate == 0 && track->avg_bitrate == 0)
        return;
    const size_t place = sh_box_open(out, SH_FOURCC('b', 't', 'r', 't'));
    sh_put_u32(out, track->buffer_size);
    sh_put_u32(out, track->max_bitrate);
    sh_put_u32(out, track->avg_bitrate);
    sh_box_close(out, place);
}

static void put_colour(sh_buf *out, const sh_cicp *colour)
{
    const size_t place = sh_box_open(out, SH_FOURCC('c', 'o', 'l', 'r'));
    sh_buf_puts(out, "nclx");
    sh_put_u16(out, (uint16_t)colour->primaries);
    sh_put_u16(out, (uint16_t)colour->transfer);
    sh_put_u16(out, (uint16_t)colour->matrix);
    sh_put_u8(out, colour->full_range ? 0x80 : 0);
    sh_box_close(out, place);
}

static void put_hdr(sh_buf *out, const sh_cmaf_track *track)
{
    const sh_mastering *m = &track->mastering;
    if (track->has_mastering) {
        const size_t place = sh_box_open(out, SH_FOURCC('m', 'd', 'c', 'v'));
        for (int i = 0; i < 3; i++) {
            sh_put_u16(out, m->primary_x[i]);
            sh_put_u16(out, m->primary_y[i]);
        }
        sh_put_u16(out, m->white_x);
        sh_put_u16(out, m->white_y);
        sh_put_u32(out, m->max_luminance);
        sh_put_u32(out, m->min_luminance);
        sh_box_close(out, place);
    }
    if (track->has_light_level) {
        const size_t place = sh_box_open(out, SH_FOURCC('c', 'l', 'l', 'i'));
        sh_put_u16(out, track->light_level.max_content);
        sh_put_u16(out, track->light_level.max_average);
        sh_box_close(out, place);
    }
}

static void put_video_entry(sh_buf *out, const sh_cmaf_track *track)
{
    static const uint32_t entries[] = {[SH_CODEC_AVC] = SH_FOURCC('a', 'v', 'c', '1'),
                                       [SH_CODEC_HEVC] = SH_FOURCC('h', 'v', 'c', '1'),
                                       [SH_CODEC_AV1] = SH_FOURCC('a', 'v', '0', '1')};
    static const uint32_t records[] = {[SH_CODEC_AVC] = SH_FOURCC('a', 'v', 'c', 'C'),
                                       [SH_CODEC_HEVC] = SH_FOURCC('h', 'v', 'c', 'C'),
                                       [SH_CODEC_AV1] = SH_FOURCC('a', 'v', '1', 'C')};
    const size_t entry = sh_box_open(out, entries[track->codec]);
    sh_put_zero(out, 6);
    sh_put_u16(out, 1);
    sh_put_zero(out, 16);
    sh_put_u16(out, (uint16_t)track->width);
    sh_put_u16(out, (uint16_t)track->height);
    sh_put_u32(out, 0x480000); /* 72 dots an inch, as all write */
    sh_put_u32(out, 0x480000);
    sh_put_u32(out, 0);
    sh_put_u16(out, 1);
    sh_put_zero(out, 32); /* compressor's name */
    sh_put_u16(out, 24);
    sh_put_u16(out, 0xffff);
    const size_t record = sh_box_open(out, records[track->codec]);
    sh_buf_append(out, track->config, track->config_size);
    sh_box_close(out, record);
    if (track->has_colour)
        put_colour(out, &track->colour);
    const size_t pasp = sh_box_open(out, SH_FOURCC('p', 'a', 's', 'p'));
    sh_put_u32(out, track->sar_num ? (uint32_t)track->sar_num : 1);
    sh_put_u32(out, track->sar_num ? (uint32_t)track->sar_den : 1);
    sh_box_close(out, pasp);
    put_hdr(out, track);
    put_btrt(out, track);
    sh_box_close(out, entry);
}

/* ISO 14496-1, 7.2.6: descriptors one inside the other, each shorter than 128 bytes. */
static void put_esds(sh_buf *out, const sh_cmaf_track *track)
{
    const uint8_t asc = (uint8_t)track->config_size;
    const size_t place = sh_box_open_full(out, SH_FOURCC('e', 's', 'd', 's'), 0, 0);
    sh_put_u8(out, 3);
    sh_put_u8(out, (uint8_t)(3 + 2 + 13 + 2 + asc + 3));
    sh_put_u16(out, 0);
    sh_put_u8(out, 0);
    sh_put_u8(out, 4);
    sh_put_u8(out, (uint8_t)(13 + 2 + asc));
    sh_put_u8(out, 0x40); /* MPEG-4 audio */
    sh_put_u8(out, 0x15); /* an audio stream */
    sh_put_u24(out, track->buffer_size > 0xffffff ? 0xffffff : track->buffer_size);
    sh_put_u32(out, track->max_bitrate);
    sh_put_u32(out, track->avg_bitrate);
    sh_put_u8(out, 5);
    sh_put_u8(out, asc);
    sh_buf_append(out, track->config, asc);
    sh_put_u8(out, 6);
    sh_put_u8(out, 1);
    sh_put_u8(out, 2);
    sh_box_close(out, place);
}

static void put_audio_entry(sh_buf *out, const sh_cmaf_track *track)
{
    const size_t entry = sh_box_open(out, SH_FOURCC('m', 'p', '4', 'a'));
    sh_put_zero(out, 6);
    sh_put_u16(out, 1);
    sh_put_zero(out, 8);
    sh_put_u16(out, (uint16_t)track->channels);
    sh_put_u16(out, 16);
    sh_put_u32(out, 0);
    sh_put_u32(out, track->sample_rate > 0xffff ? 0 : (uint32_t)track->sample_rate << 16);
    put_esds(out, track);
    put_btrt(out, track);
    sh_box_close(out, entry);
}

static void put_sample_table(sh_buf *out, const sh_cmaf_track *track)
{
    const size_t stbl = sh_box_open(out, SH_FOURCC('s', 't', 'b', 'l'));
    const size_t stsd = sh_box_open_full(out, SH_FOURCC('s', 't', 's', 'd'), 0, 0);
    sh_put_u32(out, 1);
    (track->kind == SH_CMAF_VIDEO ? put_video_entry : put_audio_entry)(out, track);
    sh_box_close(out, stsd);
    static const uint32_t empty[] = {SH_FOURCC('s', 't', 't', 's'), SH_FOURCC('s', 't', 's', 'c'),
                                     SH_FOURCC('s', 't', 's', 'z'), SH_FOURCC('s', 't', 'c', 'o')};
    for (size_t i = 0; i < 4; i++) {
        const size_t table = sh_box_open_full(out, empty[i], 0, 0);
        sh_put_zero(out, empty[i] == SH_FOURCC('s', 't', 's', 'z') ? 8 : 4);
        sh_box_close(out, table);
    }
    sh_box_close(out, stbl);
}

static void put_trak(sh_buf *out, const sh_cmaf_track *track)
{
    const bool video = track->kind == SH_CMAF_VIDEO;
    const size_t trak = sh_box_open(out, SH_FOURCC('t', 'r', 'a', 'k'));
    put_tkhd(out, track);
    put_edits(out, track);
    const size_t mdia = sh_box_open(out, SH_FOURCC('m', 'd', 'i', 'a'));
    put_media_headers(out, track);
    const size_t minf = sh_box_open(out, SH_FOURCC('m', 'i', 'n', 'f'));
    const size_t head = video ? sh_box_open_full(out, SH_FOURCC('v', 'm', 'h', 'd'), 0, 1)
                              : sh_box_open_full(out, SH_FOURCC('s', 'm', 'h', 'd'), 0, 0);
    sh_put_zero(out, video ? 8 : 4);
    sh_box_close(out, head);
    put_data_reference(out);
    put_sample_table(out, track);
    sh_box_close(out, minf);
    sh_box_close(out, mdia);
    sh_box_close(out, trak);
}

static void put_mvex(sh_buf *out, const sh_cmaf_track *track)
{
    const size_t mvex = sh_box_open(out, SH_FOURCC('m', 'v', 'e', 'x'));
    if (track->duration > 0) {
        const size_t mehd = sh_box_open_full(out, SH_FOURCC('m', 'e', 'h', 'd'), 1, 0);
        sh_put_u64(out, track->duration);
        sh_box_close(out, mehd);
    }
    const size_t trex = sh_box_open_full(out, SH_FOURCC('t', 'r', 'e', 'x'), 0, 0);
    sh_put_u32(out, 1);
    sh_put_u32(out, 1);
    sh_put_zero(out, 12); /* every fragment brings its own defaults */
    sh_box_close(out, trex);
    sh_box_close(out, mvex);
}

int sh_cmaf_write_init(sh_buf *out, const sh_cmaf_track *track, sh_err *err)
{
    const int rc = track_check(track, err);
    if (rc)
        return rc;
    put_ftyp(out, track);
    const size_t moov = sh_box_open(out, SH_FOURCC('m', 'o', 'o', 'v'));
    put_mvhd(out, track);
    put_trak(out, track);
    put_mvex(out, track);
    sh_box_close(out, moov);
    return out->failed ? sh_fail(err, SH_E_MEMORY, "no memory for an init segment") : 0;
}
