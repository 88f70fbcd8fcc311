/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_HLS_H
#define SH_STREAM_HLS_H
/* HLS playlists written from measured numbers (RFC 8216, VOD).
 *
 * A rendition is a run of segments on one clock: durations are whole ticks, so a sum has no error, and are
 * turned into decimal seconds only when written, rounded from the running sum so that written durations add
 * up to the written whole within one unit of the last digit. Bit rates are what the segments' sizes and
 * durations say: BANDWIDTH is the highest rate of any run of segments that is half to one and a half target
 * durations long (RFC 8216, 4.1), so that a last segment of one picture does not count alone;
 * AVERAGE-BANDWIDTH is all bytes over all time.
 * CODECS comes from the bytes of the stream. */
#include "base/buf.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

typedef struct sh_segment {
    const char *name; /* of the file beside the playlist; any bytes but '/' and NUL */
    int64_t duration; /* ticks, > 0 */
    int64_t bytes;    /* > 0 */
} sh_segment;

typedef struct sh_rendition {
    const char *playlist; /* file name of its playlist */
    const sh_segment *segments;
    size_t segment_count; /* > 0 */
    int64_t timescale;    /* ticks a second */
    int width, height;
    int rate_num, rate_den; /* frames a second; 0/1 when not known: FRAME-RATE is then left out */
    char codecs[64];        /* "avc1.4d401f,mp4a.40.2" */
} sh_rendition;

enum { SH_HLS_DECIMAL, SH_HLS_INTEGER };

/* Appends the playlist. durations: SH_HLS_*. SH_E_ARGUMENT when the rendition is not as it must be. */
int sh_hls_write_media(sh_buf *out, const sh_rendition *rendition, int durations, sh_err *err);
int sh_hls_write_master(sh_buf *out, const sh_rendition *renditions, size_t count, sh_err *err);

/* Bits a second, rounded up. The highest of the runs of segments that are shortest to longest ticks long, 0
 * where there is none. */
int64_t sh_hls_peak_of(const sh_segment *segments, size_t count, int64_t timescale, int64_t shortest,
                       int64_t longest);
/* Of a stream without such a run: the average. */
int64_t sh_hls_peak_rate(const sh_rendition *rendition);
int64_t sh_hls_average_rate(const sh_rendition *rendition);
int64_t sh_hls_duration(const sh_rendition *rendition); /* ticks */

/* Appends ",avc1.PPCCLL" (without the comma where codecs is empty) from an SPS that begins with its NAL
 * header. */
int sh_codecs_add_avc(char *codecs, size_t size, const uint8_t *sps, size_t sps_size, sh_err *err);
/* Appends "mp4a.40.N" from an AudioSpecificConfig. */
int sh_codecs_add_aac(char *codecs, size_t size, const uint8_t *config, size_t config_size, sh_err *err);

/* A file name as a relative URI, percent-encoded; and back. Decoding refuses what is no plain file name
 * beside the playlist: schemes, folders, "..", queries, control characters. */
int sh_uri_encode(sh_buf *out, const char *name);
int sh_uri_decode(char *name, size_t size, const char *uri, size_t length, sh_err *err);

#endif
