/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/hls.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MICRO 1000000
#define TIMESCALE_MAX 1000000000

/* ---- names ---- */

static bool is_plain(unsigned char c)
{
    return isalnum(c) || strchr("-._~!$&'()*+,;=@", c);
}

int sh_uri_encode(sh_buf *out, const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if (*c < 0x80 && is_plain(*c))
            sh_buf_putc(out, (char)*c);
        else
            sh_buf_printf(out, "%%%02X", *c);
    }
    return out->failed ? SH_E_MEMORY : 0;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int sh_uri_decode(char *name, size_t size, const char *uri, size_t length, sh_err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)uri[i];
        if (c == '%') {
            if (i + 2 >= length || hex(uri[i + 1]) < 0 || hex(uri[i + 2]) < 0)
                return sh_fail(err, SH_E_FORMAT, "the URI has a '%%' without two hexadecimal digits");
            c = (unsigned char)(hex(uri[i + 1]) << 4 | hex(uri[i + 2]));
            i += 2;
            if (c == 0 || c == '/')
                return sh_fail(err, SH_E_FORMAT, "the URI hides a '/' or a zero byte");
        } else if (c < 0x80 && !is_plain(c)) {
            return sh_fail(err, SH_E_FORMAT,
                           "the URI has the character 0x%02x, which leads out of the folder or is "
                           "not allowed",
                           c);
        }
        if (used + 1 >= size)
            return sh_fail(err, SH_E_LIMIT, "the URI is longer than %zu bytes", size - 1);
        name[used++] = (char)c;
    }
    name[used] = '\0';
    if (used == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return sh_fail(err, SH_E_FORMAT, "the URI names no file");
    return 0;
}

/* ---- numbers ---- */

static int64_t divide_up(__int128 a, int64_t b)
{
    __int128 result = (a + b - 1) / b;
    return result > INT64_MAX ? INT64_MAX : (int64_t)result;
}

static int64_t to_micro(int64_t ticks, int64_t timescale)
{
    return (int64_t)(((__int128)ticks * MICRO + timescale / 2) / timescale);
}

int64_t sh_hls_duration(const sh_rendition *r)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->segment_count; i++)
        sum += r->segments[i].duration;
    return sum;
}

/* Whole seconds, rounded; at least 1. */
static int64_t rounded(const sh_rendition *r, size_t i)
{
    int64_t seconds = (to_micro(r->segments[i].duration, r->timescale) + MICRO / 2) / MICRO;
    return seconds > 0 ? seconds : 1;
}

static int64_t target_duration(const sh_rendition *r, int durations)
{
    int64_t target = 1;
    for (size_t i = 0; i < r->segment_count; i++) {
        int64_t seconds =
            durations == SH_HLS_INTEGER ? rounded(r, i) : divide_up(r->segments[i].duration, r->timescale);
        target = seconds > target ? seconds : target;
    }
    return target;
}

int64_t sh_hls_peak_of(const sh_segment *segments, size_t count, int64_t timescale, int64_t shortest,
                       int64_t longest)
{
    int64_t peak = 0;
    for (size_t i = 0; i < count; i++) {
        __int128 bytes = 0;
        int64_t ticks = 0;
        for (size_t j = i; j < count && ticks + segments[j].duration <= longest; j++) {
            ticks += segments[j].duration;
            bytes += segments[j].bytes;
            int64_t rate = ticks >= shortest ? divide_up(bytes * 8 * timescale, ticks) : 0;
            peak = rate > peak ? rate : peak;
        }
    }
    return peak;
}

int64_t sh_hls_peak_rate(const sh_rendition *r)
{
    const int64_t target = target_duration(r, SH_HLS_DECIMAL) * r->timescale;
    int64_t peak =
        sh_hls_peak_of(r->segments, r->segment_count, r->timescale, (target + 1) / 2, target + target / 2);
    return peak > 0 ? peak : sh_hls_average_rate(r);
}

int64_t sh_hls_average_rate(const sh_rendition *r)
{
    __int128 bytes = 0;
    for (size_t i = 0; i < r->segment_count; i++)
        bytes += r->segments[i].bytes;
    return divide_up(bytes * 8 * r->timescale, sh_hls_duration(r));
}

static int check(const sh_rendition *r, sh_err *err)
{
    if (r->segment_count == 0 || r->timescale <= 0 || r->timescale > TIMESCALE_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "%s: no segments, or a clock of %" PRId64 " ticks a second",
                       r->playlist, r->timescale);
    for (size_t i = 0; i < r->segment_count; i++)
        if (r->segments[i].duration <= 0 || r->segments[i].bytes <= 0 ||
            r->segments[i].duration > INT64_MAX / 2 / (int64_t)r->segment_count)
            return sh_fail(err, SH_E_ARGUMENT, "%s: segment %zu has %" PRId64 " ticks and %" PRId64 " bytes",
                           r->playlist, i + 1, r->segments[i].duration, r->segments[i].bytes);
    return 0;
}

/* ---- playlists ---- */

/* The written durations: ends are rounded, durations are differences of ends, so errors do not add up. */
typedef struct writer {
    const sh_rendition *r;
    int64_t ticks, micro, whole;
} writer;

static int64_t next_micro(writer *w, size_t i)
{
    w->ticks += w->r->segments[i].duration;
    int64_t end = to_micro(w->ticks, w->r->timescale), duration = end - w->micro;
    w->micro = end;
    return duration;
}

int sh_hls_write_media(sh_buf *out, const sh_rendition *r, int durations, sh_err *err)
{
    writer w = {.r = r};
    int status = check(r, err);
    if (status < 0)
        return status;
    sh_buf_printf(out,
                  "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:%" PRId64
                  "\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n",
                  target_duration(r, durations));
    for (size_t i = 0; i < r->segment_count; i++) {
        int64_t micro = next_micro(&w, i);
        if (durations == SH_HLS_INTEGER)
            sh_buf_printf(out, "#EXTINF:%" PRId64 ",\n", rounded(r, i));
        else
            sh_buf_printf(out, "#EXTINF:%" PRId64 ".%06" PRId64 ",\n", micro / MICRO, micro % MICRO);
        sh_uri_encode(out, r->segments[i].name);
        sh_buf_putc(out, '\n');
    }
    sh_buf_puts(out, "#EXT-X-ENDLIST\n");
    return out->failed ? sh_fail(err, SH_E_LIMIT, "%s: the playlist is too large", r->playlist) : 0;
}

static void write_variant(sh_buf *out, const sh_rendition *r)
{
    sh_buf_printf(out, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64 ",CODECS=\"%s\"",
                  sh_hls_peak_rate(r), sh_hls_average_rate(r), r->codecs);
    if (r->width > 0 && r->height > 0)
        sh_buf_printf(out, ",RESOLUTION=%dx%d", r->width, r->height);
    if (r->rate_num > 0 && r->rate_den > 0) {
        int64_t milli = ((int64_t)r->rate_num * 1000 + r->rate_den / 2) / r->rate_den;
        sh_buf_printf(out, ",FRAME-RATE=%" PRId64 ".%03" PRId64, milli / 1000, milli % 1000);
    }
    sh_buf_putc(out, '\n');
    sh_uri_encode(out, r->playlist);
    sh_buf_putc(out, '\n');
}

int sh_hls_write_master(sh_buf *out, const sh_rendition *renditions, size_t count, sh_err *err)
{
    sh_buf_puts(out, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for (size_t i = 0; i < count; i++) {
        int status = check(&renditions[i], err);
        if (status < 0)
            return status;
        write_variant(out, &renditions[i]);
    }
    if (count == 0)
        return sh_fail(err, SH_E_ARGUMENT, "a stream without renditions");
    return out->failed ? sh_fail(err, SH_E_LIMIT, "the master playlist is too large") : 0;
}

/* ---- codecs ---- */

static int add(char *codecs, size_t size, const char *text, sh_err *err)
{
    size_t used = strlen(codecs);
    int length = snprintf(codecs + used, size - used, "%s%s", used ? "," : "", text);
    if (length < 0 || used + (size_t)length >= size) {
        codecs[used] = '\0';
        return sh_fail(err, SH_E_LIMIT, "CODECS is longer than %zu characters", size - 1);
    }
    return 0;
}

int sh_codecs_add_avc(char *codecs, size_t size, const uint8_t *sps, size_t sps_size, sh_err *err)
{
    char text[16];
    if (sps_size < 4 || (sps[0] & 0x1F) != 7)
        return sh_fail(err, SH_E_FORMAT, "the H.264 track has no sequence parameter set");
    snprintf(text, sizeof(text), "avc1.%02x%02x%02x", sps[1], sps[2], sps[3]);
    return add(codecs, size, text, err);
}

int sh_codecs_add_aac(char *codecs, size_t size, const uint8_t *config, size_t config_size, sh_err *err)
{
    char text[16];
    int type = config_size >= 2 ? config[0] >> 3 : 0;
    if (type == 31) /* an escape: six more bits */
        type = 32 + ((config[0] & 7) << 3 | config[1] >> 5);
    if (type == 0)
        return sh_fail(err, SH_E_FORMAT, "the AAC track has no AudioSpecificConfig");
    snprintf(text, sizeof(text), "mp4a.40.%d", type);
    return add(codecs, size, text, err);
}
