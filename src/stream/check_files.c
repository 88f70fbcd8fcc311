/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of a stream: each is read once, measured, and remembered as numbers. */
#include "stream/check_inner.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    return strcmp(((const sh_check_file *)a)->key, ((const sh_check_file *)b)->key);
}

static void free_file(void *opaque)
{
    sh_check_file *f = opaque;
    if (!f)
        return;
    free(f->key);
    free(f->name);
    free(f->header);
    free(f->raw);
    free(f->keys);
    free(f->cues);
    free(f);
}

void sh_check_files_free(sh_checker *c)
{
    tdestroy(c->files, free_file);
    c->files = NULL;
    free(c->last_name);
    c->last_name = NULL;
    sh_buf_free(&c->last);
}

/* ---- bytes ---- */

static void tell_fetch(sh_checker *c, int status, const sh_err *why, const char *manifest, int64_t line)
{
    if (status == SH_E_MEMORY)
        sh_check_memory(c);
    else if (status == SH_E_CANCELLED)
        c->status = c->status < 0 ? c->status : sh_fail(c->err, status, "%s", why->message);
    else
        sh_check_find(c, SH_RULE_AVAILABLE, manifest, line, -1, "%s", why->message);
}

const sh_buf *sh_check_bytes(sh_checker *c, const char *manifest, int64_t line, const char *name, bool quiet)
{
    sh_fetched info;
    if (c->last_name && strcmp(c->last_name, name) == 0)
        return &c->last;
    free(c->last_name);
    c->last_name = NULL;
    if (c->options->cancelled && c->options->cancelled(c->options->cancelled_opaque) && c->status == 0)
        c->status = sh_fail(c->err, SH_E_CANCELLED, "interrupted");
    if (c->status < 0)
        return NULL;
    const int status = sh_fetch_read(c->fetch, name, &c->last, &info, &c->why);
    if (status < 0) {
        if (!quiet)
            tell_fetch(c, status, &c->why, manifest, line);
        return NULL;
    }
    if (info.redirects > 0 && !quiet)
        sh_check_find(c, SH_RULE_REDIRECT, manifest, line, -1, "%s is reached through %d redirect%s", name,
                      info.redirects, info.redirects == 1 ? "" : "s");
    c->report->files++;
    c->report->bytes += (int64_t)c->last.length;
    c->last_name = strdup(name);
    if (!c->last_name)
        sh_check_memory(c);
    return &c->last;
}

/* ---- the tree of files ---- */

static sh_check_file *enter(sh_checker *c, const char *name, const char *key, bool *is_new)
{
    sh_check_file *file = calloc(1, sizeof(*file));
    if (!file || !(file->key = strdup(key)) || !(file->name = strdup(name))) {
        free_file(file);
        sh_check_memory(c);
        return NULL;
    }
    sh_check_file **slot = tsearch(file, &c->files, by_key);
    if (!slot) {
        free_file(file);
        sh_check_memory(c);
        return NULL;
    }
    *is_new = *slot == file;
    if (!*is_new)
        free_file(file);
    return *slot;
}

static bool resolve(sh_checker *c, char *name, const char *manifest, int64_t line, const char *uri,
                    size_t length)
{
    sh_err why = {0};
    if (sh_fetch_resolve(c->fetch, name, manifest, uri, length, &why) == 0)
        return true;
    sh_check_find(c, SH_RULE_URI, manifest, line, -1, "%s", why.message);
    return false;
}

/* The file entered under its name and range, and, when it is new, its bytes cut to the range. */
static sh_check_file *take(sh_checker *c, const char *manifest, int64_t line, const char *uri, size_t length,
                           int64_t from, int64_t size, const uint8_t **bytes, size_t *count)
{
    char name[SH_FETCH_NAME], key[SH_FETCH_NAME + 64];
    bool is_new;
    *bytes = NULL;
    if (!resolve(c, name, manifest, line, uri, length))
        return NULL;
    if (size < 0)
        snprintf(key, sizeof(key), "%s", name);
    else
        snprintf(key, sizeof(key), "%s\n%" PRId64 "+%" PRId64, name, from, size);
    sh_check_file *file = enter(c, name, key, &is_new);
    if (!file || !is_new)
        return file;
    const sh_buf *whole = sh_check_bytes(c, manifest, line, name, false);
    if (!whole)
        return file;
    if (size >= 0 && (from > (int64_t)whole->length || size > (int64_t)whole->length - from)) {
        sh_check_find(c, SH_RULE_BYTERANGE, manifest, line, -1,
                      "bytes %" PRId64 " to %" PRId64 " of %s, which has %zu", from, from + size, name,
                      whole->length);
        return file;
    }
    file->there = true;
    *bytes = (const uint8_t *)sh_buf_cstr(whole) + (size < 0 ? 0 : from);
    *count = size < 0 ? whole->length : (size_t)size;
    file->bytes = (int64_t)*count;
    if (*count == 0) {
        sh_check_find(c, SH_RULE_AVAILABLE, manifest, line, -1, "%s is empty", name);
        file->there = false;
        *bytes = NULL;
    }
    return file;
}

sh_check_file *sh_check_init(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                             size_t length, int64_t from, int64_t size)
{
    const uint8_t *bytes;
    size_t count;
    sh_check_file *file = take(c, manifest, line, uri, length, from, size, &bytes, &count);
    if (file && bytes) {
        file->kind = SH_FILE_INIT;
        file->good = sh_check_measure_init(c, file, bytes, count);
    }
    return file;
}

sh_check_file *sh_check_media(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                              size_t length, int64_t from, int64_t size, sh_check_file *init)
{
    const uint8_t *bytes;
    size_t count;
    sh_check_file *file = take(c, manifest, line, uri, length, from, size, &bytes, &count);
    if (!file || !bytes)
        return file;
    if (init) {
        file->kind = SH_FILE_MP4;
        file->init = init;
        file->good = init->good && sh_check_measure_mp4(c, file, bytes, count);
    } else if (count >= 8 && (memcmp(bytes + 4, "styp", 4) == 0 || memcmp(bytes + 4, "moof", 4) == 0 ||
                              memcmp(bytes + 4, "sidx", 4) == 0 || memcmp(bytes + 4, "ftyp", 4) == 0)) {
        file->kind = SH_FILE_MP4;
        sh_check_find(c, SH_RULE_MAP, manifest, line, -1, "%s is fMP4, and no EXT-X-MAP stands before it",
                      file->name);
    } else {
        file->kind = SH_FILE_TS;
        file->good = sh_check_measure_ts(c, file, bytes, count);
    }
    return file;
}

sh_check_file *sh_check_text(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                             size_t length)
{
    const uint8_t *bytes;
    size_t count;
    sh_check_file *file = take(c, manifest, line, uri, length, 0, -1, &bytes, &count);
    if (file && bytes) {
        file->kind = SH_FILE_VTT;
        file->good = sh_check_measure_vtt(c, file, (const char *)bytes, count);
    }
    return file;
}

sh_check_file *sh_check_known(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                              size_t length)
{
    const uint8_t *bytes;
    size_t count;
    return take(c, manifest, line, uri, length, 0, -1, &bytes, &count);
}

/* ---- transport streams ---- */

static sh_rule rule_of(sh_ts_fault_kind kind)
{
    switch (kind) {
    case SH_TS_FAULT_TABLES:
        return SH_RULE_TS_TABLES;
    case SH_TS_FAULT_STREAMS:
        return SH_RULE_TS_STREAMS;
    case SH_TS_FAULT_CONTINUITY:
        return SH_RULE_TS_CONTINUITY;
    case SH_TS_FAULT_PES:
        return SH_RULE_TS_PES;
    case SH_TS_FAULT_TIME:
        return SH_RULE_TS_TIME;
    case SH_TS_FAULT_PCR:
        return SH_RULE_TS_PCR;
    case SH_TS_FAULT_SCRAMBLED:
        return SH_RULE_ENCRYPTED;
    default:
        return SH_RULE_TS_PACKET;
    }
}

static void take_clip(sh_check_clip *clip, const sh_ts_stream *s)
{
    if (s->units == 0)
        return;
    clip->there = true;
    clip->timescale = SH_CHECK_TICKS;
    clip->start = clip->first_dts = s->first_dts;
    clip->last_dts = s->last_dts;
    clip->first = s->first;
    clip->last = clip->end = s->last;
    clip->last_duration = s->lasts;
    clip->samples = s->units;
    clip->shortest = s->shortest;
}

/* An H.264 or H.265 access unit's first picture: 1 a key picture with its parameter sets, 0 not, and what it
 * is. */
static int look_annexb(sh_check_file *file, const sh_ts_stream *s)
{
    const sh_codec codec = s->type == 0x24 ? SH_CODEC_HEVC : SH_CODEC_AVC;
    sh_buf config;
    sh_video_config told;
    bool idr = false;
    sh_buf_init(&config, 1 << 16);
    for (size_t i = 0; i + 3 < s->head_length && !idr; i++) {
        if (s->head[i] != 0 || s->head[i + 1] != 0 || s->head[i + 2] != 1)
            continue;
        const int type = codec == SH_CODEC_AVC ? s->head[i + 3] & 0x1F : s->head[i + 3] >> 1 & 0x3F;
        if (codec == SH_CODEC_AVC ? type >= 1 && type <= 5 : type < 32) {
            idr = codec == SH_CODEC_AVC ? type == 5 : type == 19 || type == 20;
            break;
        }
    }
    if (sh_config_make(&config, codec, s->head, s->head_length, NULL) == 0 &&
        sh_video_config_read(&told, codec, (const uint8_t *)config.data, config.length, NULL) == 0) {
        sh_check_format *f = &file->format;
        f->video = codec;
        f->width = told.width;
        f->height = told.height;
        f->sar_num = told.sar_num;
        f->sar_den = told.sar_den;
        f->bit_depth = told.bit_depth;
        f->colour = told.colour;
        sh_codecs_string(f->video_codec, sizeof(f->video_codec), codec, (const uint8_t *)config.data,
                         config.length, NULL);
    }
    sh_buf_free(&config);
    return idr;
}

static void look_adts(sh_check_file *file, const sh_ts_stream *s)
{
    const uint8_t *p = s->head;
    if (s->type != 0x0F || s->head_length < SH_TS_ADTS_HEAD || sh_ts_adts_rate(p) == 0)
        return;
    sh_check_format *f = &file->format;
    f->audio = SH_CODEC_AAC;
    f->sample_rate = sh_ts_adts_rate(p);
    f->channels = (p[2] & 1) << 2 | p[3] >> 6;
    f->frame = 1024;
    snprintf(f->audio_codec, sizeof(f->audio_codec), "mp4a.40.%d", (p[2] >> 6) + 1);
}

/* The reader of the rendition a segment belongs to goes on from the segment before: one is kept as long as
 * segments of the same folder and playlist come in order. */
bool sh_check_measure_ts(sh_checker *c, sh_check_file *file, const uint8_t *bytes, size_t size)
{
    sh_ts_reader *ts = c->ts;
    const bool fine = sh_ts_reader_segment(ts, bytes, size);
    if (!fine)
        sh_check_find(c, rule_of(ts->fault.kind), file->name, 0, ts->fault.byte, "%s", ts->fault.words);
    const bool broken = ts->fault.kind != SH_TS_FAULT_NONE;
    if (broken)
        sh_ts_reader_break(ts);
    if (ts->audio.units > 0)
        look_adts(file, &ts->audio);
    if (ts->video.units > 0 && !look_annexb(file, &ts->video) && !broken)
        sh_check_find(c, SH_RULE_IDR, file->name, 0, -1, "the first picture is no IDR picture");
    else if (ts->video.units > 0 && !file->format.width && !broken)
        sh_check_find(c, SH_RULE_IDR, file->name, 0, -1,
                      "the first picture has no parameter sets (SPS, PPS) that can be read before it");
    take_clip(&file->video, &ts->video);
    take_clip(&file->audio, &ts->audio);
    return !broken && (file->video.there || file->audio.there);
}
