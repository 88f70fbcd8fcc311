/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of one CMAF header and one CMAF segment, each by itself, and the numbers that are kept of them. At
 * most one finding a rule and file: a writer that goes wrong does so in every sample. */
#include "stream/box.h"
#include "stream/check_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- headers ---- */

static void brands(sh_checker *c, const sh_check_file *file)
{
    static const char known[][5] = {"cmfc", "cmf2", "iso6", "iso7", "iso8", "iso9", "dash", "msdh"};
    const sh_mp4_brands *b = &file->header->ftyp;
    for (size_t i = 0; b->present && i < sizeof(known) / sizeof(known[0]); i++)
        if (sh_mp4_has_brand(b, known[i]))
            return;
    sh_check_find(c, SH_RULE_BRAND, file->name, 0, b->present ? (int64_t)b->offset : 0,
                  b->present ? "ftyp has none of the brands of fragmented files" : "there is no ftyp");
}

static bool header_rules(sh_checker *c, const sh_check_file *file)
{
    const sh_mp4_init *h = file->header;
    const sh_mp4_track *t = &h->tracks[0];
    const char *what = h->track_count == 0    ? "there is no track"
                       : h->track_count > 1   ? "there is more than one track"
                       : !h->fragmented       ? "there is no mvex: the file is not fragmented"
                       : !t->trex.present     ? "there is no trex for the track"
                       : t->table_samples > 0 ? "moov holds samples"
                       : h->has_mdat          ? "there is an mdat"
                       : !t->enabled          ? "the track is not enabled"
                       : t->timescale == 0    ? "the track's timescale is 0"
                                              : NULL;
    if (what)
        sh_check_find(c, SH_RULE_HEADER, file->name, 0,
                      (int64_t)(h->track_count ? t->offset : h->moov_offset), "%s", what);
    if (h->has_pssh || (h->track_count > 0 && t->encrypted))
        sh_check_find(c, SH_RULE_ENCRYPTED, file->name, 0, (int64_t)h->moov_offset, "the track is encrypted");
    return h->track_count == 1 && h->fragmented && t->trex.present && t->timescale > 0 && !t->encrypted;
}

static void edit_rules(sh_checker *c, const sh_check_file *file)
{
    const sh_mp4_track *t = &file->header->tracks[0];
    if (t->edit_count > 1)
        sh_check_find(c, SH_RULE_EDIT, file->name, 0, (int64_t)t->offset, "there are %zu edits",
                      t->edit_count);
    else if (t->edit_count == 1 && (t->edits[0].media_time < 0 || t->edits[0].rate != 0x10000))
        sh_check_find(c, SH_RULE_EDIT, file->name, 0, (int64_t)t->offset,
                      "the edit begins at %" PRId64 ", rate %.2f", t->edits[0].media_time,
                      t->edits[0].rate / 65536.0);
    else if (t->edit_count > 0 && t->codec != SH_CODEC_AAC && sh_mp4_has_brand(&file->header->ftyp, "cmf2"))
        sh_check_find(c, SH_RULE_EDIT, file->name, 0, (int64_t)t->offset,
                      "pictures have an edit list under the brand cmf2");
}

static bool same_ratio(int64_t a, int64_t b, int64_t p, int64_t q)
{
    return a * q == b * p;
}

static void picture_rules(sh_checker *c, const sh_check_file *file, const sh_video_config *v)
{
    const sh_mp4_track *t = &file->header->tracks[0];
    const int64_t at = (int64_t)t->entry_offset;
    const int64_t sar_num = t->has_pasp && t->pasp_v ? t->pasp_h : 1,
                  sar_den = t->has_pasp && t->pasp_v ? t->pasp_v : 1;
    const int64_t shown_width = t->shown_width >> 16, shown_height = t->shown_height >> 16;
    if (t->width != v->width || t->height != v->height)
        sh_check_find(c, SH_RULE_SIZE, file->name, 0, at,
                      "the sample entry says %dx%d, the parameter sets %dx%d", t->width, t->height, v->width,
                      v->height);
    else if (shown_height != v->height ||
             llabs(shown_width * sar_den - (int64_t)v->width * sar_num) > sar_den)
        sh_check_find(c, SH_RULE_SIZE, file->name, 0, (int64_t)t->offset,
                      "tkhd says %" PRId64 "x%" PRId64 ", the pictures are %dx%d", shown_width, shown_height,
                      v->width, v->height);
    if (v->sar_num > 0 && !same_ratio(sar_num, sar_den, v->sar_num, v->sar_den))
        sh_check_find(c, SH_RULE_SAR, file->name, 0, at,
                      "pasp says %" PRId64 ":%" PRId64 ", the parameter sets %d:%d", sar_num, sar_den,
                      v->sar_num, v->sar_den);
    if (t->has_colour && v->colour_told &&
        (t->colour.primaries != v->colour.primaries || t->colour.transfer != v->colour.transfer ||
         t->colour.matrix != v->colour.matrix || t->colour.full_range != v->colour.full_range))
        sh_check_find(c, SH_RULE_COLOUR, file->name, 0, at,
                      "colr says %d/%d/%d %s, the parameter sets %d/%d/%d %s", t->colour.primaries,
                      t->colour.transfer, t->colour.matrix, t->colour.full_range ? "full" : "limited",
                      v->colour.primaries, v->colour.transfer, v->colour.matrix,
                      v->colour.full_range ? "full" : "limited");
}

static bool video_entry(sh_checker *c, sh_check_file *file)
{
    const sh_mp4_track *t = &file->header->tracks[0];
    sh_check_format *f = &file->format;
    sh_video_config v;
    sh_err why = {0};
    char type[5];
    if (sh_video_config_read(&v, t->codec, t->config, t->config_size, &why) < 0 ||
        sh_codecs_string(f->video_codec, sizeof(f->video_codec), t->codec, t->config, t->config_size, &why) <
            0) {
        sh_check_find(c, SH_RULE_ENTRY, file->name, 0, (int64_t)t->entry_offset, "%s", why.message);
        return false;
    }
    f->video = t->codec;
    f->width = v.width;
    f->height = v.height;
    f->sar_num = v.sar_num > 0 ? v.sar_num : t->has_pasp ? (int)t->pasp_h : 1;
    f->sar_den = v.sar_num > 0 ? v.sar_den : t->has_pasp ? (int)t->pasp_v : 1;
    f->bit_depth = v.bit_depth;
    f->colour = v.colour_told ? v.colour : t->has_colour ? t->colour : v.colour;
    sh_fourcc_text(t->entry, type);
    if (strcmp(type, "hev1") == 0 || strcmp(type, "avc3") == 0) {
        memcpy(f->video_codec, type, 4);
        sh_check_find(c, SH_RULE_HVC1, file->name, 0, (int64_t)t->entry_offset, "the sample entry is %s",
                      type);
    }
    picture_rules(c, file, &v);
    return true;
}

static bool audio_entry(sh_checker *c, sh_check_file *file)
{
    const sh_mp4_track *t = &file->header->tracks[0];
    sh_check_format *f = &file->format;
    sh_audio_config a;
    sh_err why = {0};
    if (sh_asc_parse(&a, t->config, t->config_size, &why) < 0 ||
        sh_codecs_string(f->audio_codec, sizeof(f->audio_codec), SH_CODEC_AAC, t->config, t->config_size,
                         &why) < 0) {
        sh_check_find(c, SH_RULE_ENTRY, file->name, 0, (int64_t)t->entry_offset, "%s", why.message);
        return false;
    }
    f->audio = SH_CODEC_AAC;
    f->channels = a.channels > 0 ? a.channels : t->channels;
    f->sample_rate = a.sample_rate;
    f->frame = a.frame;
    if (t->sample_rate > 0 && t->sample_rate != a.sample_rate && t->sample_rate != 2 * a.sample_rate)
        sh_check_find(c, SH_RULE_ENTRY, file->name, 0, (int64_t)t->entry_offset,
                      "the sample entry says %d Hz, the AudioSpecificConfig %d", t->sample_rate,
                      a.sample_rate);
    return true;
}

bool sh_check_measure_init(sh_checker *c, sh_check_file *file, const uint8_t *bytes, size_t size)
{
    sh_err why = {0};
    file->raw = malloc(size);
    file->header = calloc(1, sizeof(*file->header));
    if (!file->raw || !file->header) {
        sh_check_memory(c);
        return false;
    }
    memcpy(file->raw, bytes, size);
    file->raw_size = size;
    if (sh_mp4_read_init(file->header, file->raw, size, &why) < 0) {
        sh_check_find(c, SH_RULE_BOX, file->name, 0, -1, "%s", why.message);
        return false;
    }
    brands(c, file);
    if (!header_rules(c, file))
        return false;
    edit_rules(c, file);
    const sh_mp4_track *t = &file->header->tracks[0];
    memcpy(file->format.language, t->language, sizeof(file->format.language));
    if (t->entries != 1 || t->codec == SH_CODEC_NONE || !t->config) {
        char type[5];
        sh_check_find(c, SH_RULE_ENTRY, file->name, 0, (int64_t)t->entry_offset,
                      "%u sample entries, the first is %s%s", t->entries, sh_fourcc_text(t->entry, type),
                      t->codec == SH_CODEC_NONE ? ", which is not known here"
                      : t->config               ? ""
                                                : " without its configuration");
        return false;
    }
    return t->codec == SH_CODEC_AAC ? audio_entry(c, file) : video_entry(c, file);
}

/* ---- segments ---- */

static void fragment_rules(sh_checker *c, sh_check_file *file, const sh_mp4_segment *s)
{
    uint32_t before = 0;
    for (size_t i = 0; i < s->fragment_count; i++) {
        const sh_mp4_fragment *f = &s->fragments[i];
        const char *what = f->trafs != 1   ? "a moof has not one traf"
                           : f->truns != 1 ? "a traf has not one trun"
                           : !f->base_is_moof || f->base_data_offset
                               ? "tfhd does not say default-base-is-moof"
                           : f->end == 0          ? "no mdat follows the moof"
                           : f->description_other ? "tfhd names another sample entry"
                           : !f->has_tfdt         ? "there is no tfdt"
                                                  : NULL;
        if (what) {
            sh_check_find(c, SH_RULE_FRAGMENT, file->name, 0, (int64_t)f->offset, "%s", what);
            file->torn = !f->has_tfdt;
            break;
        }
    }
    for (size_t i = 0; i < s->fragment_count; before = s->fragments[i++].sequence)
        if (i > 0 && s->fragments[i].sequence <= before) {
            sh_check_find(c, SH_RULE_SEQUENCE, file->name, 0, (int64_t)s->fragments[i].offset,
                          "sequence number %u follows %u", s->fragments[i].sequence, before);
            break;
        }
    for (size_t i = 1; i < s->fragment_count; i++) {
        const sh_mp4_fragment *f = &s->fragments[i], *b = f - 1;
        if (f->tfdt != b->tfdt + b->duration) {
            if (file->torn)
                break;
            file->torn = true;
            sh_check_find(c, SH_RULE_TFDT, file->name, 0, (int64_t)f->offset,
                          "tfdt is %" PRId64 ", the fragment before ends at %" PRId64, f->tfdt,
                          b->tfdt + b->duration);
            break;
        }
    }
}

static void data_rules(sh_checker *c, const sh_check_file *file, const sh_mp4_segment *s)
{
    for (size_t i = 0; i < s->sample_count; i++)
        if (s->samples[i].outside || s->samples[i].size == 0) {
            sh_check_find(c, SH_RULE_DATA, file->name, 0, (int64_t)s->samples[i].offset,
                          "sample %zu (%u bytes) does not lie in the mdat of its fragment", i + 1,
                          s->samples[i].size);
            return;
        }
    if (s->loose > 0)
        sh_check_find(c, SH_RULE_DATA, file->name, 0, -1, "%" PRIu64 " bytes of mdat belong to no sample",
                      s->loose);
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void time_rules(sh_checker *c, const sh_check_file *file, const sh_mp4_segment *s)
{
    int64_t *times = malloc((s->sample_count + 1) * sizeof(*times));
    if (!times) {
        sh_check_memory(c);
        return;
    }
    for (size_t i = 0; i < s->sample_count; i++)
        times[i] = s->samples[i].pts;
    qsort(times, s->sample_count, sizeof(*times), by_time);
    for (size_t i = 0; i < s->sample_count; i++) {
        if (s->samples[i].duration == 0) {
            sh_check_find(c, SH_RULE_SAMPLE_TIME, file->name, 0, (int64_t)s->samples[i].offset,
                          "sample %zu lasts 0 ticks", i + 1);
            break;
        }
        if (i > 0 && times[i] == times[i - 1]) {
            sh_check_find(c, SH_RULE_SAMPLE_TIME, file->name, 0, -1,
                          "two samples are shown at %" PRId64 " ticks", times[i]);
            break;
        }
    }
    free(times);
}

/* What the samples' bytes say against what the boxes say of them. */
static void look_rules(sh_checker *c, const sh_check_file *file, const sh_mp4_segment *s,
                       const uint8_t *bytes)
{
    const sh_mp4_track *t = &file->init->header->tracks[0];
    bool nal = false, flag = false, sets = false;
    for (size_t i = 0; i < s->sample_count; i++) {
        const sh_mp4_sample *m = &s->samples[i];
        sh_sample_look look;
        sh_err why = {0};
        if (m->outside || m->size == 0)
            continue;
        if (sh_sample_look_at(&look, t->codec, t->config, t->config_size, bytes + m->offset, m->size, &why) <
                0 ||
            look.first_coded < 0) {
            if (!nal)
                sh_check_find(c, SH_RULE_NAL, file->name, 0, (int64_t)m->offset, "sample %zu: %s", i + 1,
                              *why.message ? why.message : "it holds no picture");
            nal = true;
            if (i == 0)
                return;
            continue;
        }
        if (i == 0 && !look.idr)
            sh_check_find(c, SH_RULE_IDR, file->name, 0, (int64_t)m->offset,
                          "the first picture is no %s (type %d)",
                          t->codec == SH_CODEC_AV1 ? "shown key frame" : "IDR picture", look.first_coded);
        if (!flag && look.idr != m->sync && !(look.random_access && m->sync) && !(i == 0 && !look.idr)) {
            sh_check_find(c, SH_RULE_SYNC_FLAG, file->name, 0, (int64_t)m->offset,
                          look.idr ? "sample %zu is a key picture and not flagged as one"
                                   : "sample %zu is flagged as a key picture and is none",
                          i + 1);
            flag = true;
        }
        if (!sets && look.sequence_other) {
            sh_check_find(c, SH_RULE_PARAMETER_SETS, file->name, 0, (int64_t)m->offset,
                          "sample %zu brings parameter sets that the sample entry has not", i + 1);
            sets = true;
        }
    }
}

static void video_rules(sh_checker *c, const sh_check_file *file, const sh_mp4_segment *s,
                        const uint8_t *bytes)
{
    look_rules(c, file, s, bytes);
    for (size_t i = 1; i < s->fragment_count; i++) {
        const sh_mp4_fragment *f = &s->fragments[i];
        if (f->count > 0 && !s->samples[f->first].sync) {
            sh_check_find(c, SH_RULE_FRAGMENT_SYNC, file->name, 0, (int64_t)f->offset,
                          "the first sample of the fragment is no key picture");
            break;
        }
    }
    if (s->sample_count > 0 && s->first_pts < s->samples[0].pts)
        sh_check_find(c, SH_RULE_SAP, file->name, 0, -1,
                      "a picture is shown at %" PRId64 " ticks, before the first key picture at %" PRId64,
                      s->first_pts, s->samples[0].pts);
}

static void take_clip(sh_check_clip *clip, const sh_mp4_segment *s, int64_t timescale)
{
    *clip = (sh_check_clip){.there = true,
                            .timescale = timescale,
                            .start = s->start,
                            .duration = s->duration,
                            .first = s->first_pts,
                            /* not the greatest pts and its duration: durations are steps of decoding times */
                            .end = s->first_pts + s->duration,
                            .samples = (int64_t)s->sample_count};
    for (size_t i = 0; i < s->sample_count; i++) {
        const sh_mp4_sample *m = &s->samples[i];
        if (i == 0 || m->pts > clip->last) {
            clip->last = m->pts;
            clip->last_duration = m->duration;
        }
        if (m->duration > 0 && (clip->shortest == 0 || m->duration < clip->shortest))
            clip->shortest = m->duration;
    }
    if (s->sample_count > 0) {
        clip->first_dts = s->samples[0].dts;
        clip->last_dts = s->samples[s->sample_count - 1].dts;
    }
}

static void take_keys(sh_checker *c, sh_check_file *file, const sh_mp4_segment *s)
{
    file->keys = calloc(s->fragment_count + 1, sizeof(*file->keys));
    if (!file->keys) {
        sh_check_memory(c);
        return;
    }
    for (size_t i = 0; i < s->fragment_count; i++) {
        const sh_mp4_fragment *f = &s->fragments[i];
        if (f->count == 0 || !s->samples[f->first].sync)
            continue;
        const sh_mp4_sample *m = &s->samples[f->first];
        file->keys[file->key_count++] =
            (sh_check_key){(int64_t)f->offset, (int64_t)(m->offset + m->size), m->pts};
    }
}

bool sh_check_measure_mp4(sh_checker *c, sh_check_file *file, const uint8_t *bytes, size_t size)
{
    const sh_mp4_track *t = &file->init->header->tracks[0];
    sh_mp4_segment s = {0};
    sh_err why = {0};
    if (sh_mp4_read_segment(&s, t, bytes, size, &why) < 0) {
        sh_check_find(c, SH_RULE_BOX, file->name, 0, -1, "%s", why.message);
        return false;
    }
    const bool video = t->codec != SH_CODEC_AAC;
    if (s.encrypted)
        sh_check_find(c, SH_RULE_ENCRYPTED, file->name, 0, -1, "the segment is encrypted");
    fragment_rules(c, file, &s);
    data_rules(c, file, &s);
    time_rules(c, file, &s);
    if (video && !s.encrypted)
        video_rules(c, file, &s, bytes);
    take_clip(video ? &file->video : &file->audio, &s, t->timescale);
    take_keys(c, file, &s);
    if (s.fragment_count > 0) {
        file->first_sequence = s.fragments[0].sequence;
        file->last_sequence = s.fragments[s.fragment_count - 1].sequence;
    }
    const bool good = s.sample_count > 0;
    sh_mp4_segment_free(&s);
    return good;
}
