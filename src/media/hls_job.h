/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_HLS_JOB_H
#define SH_MEDIA_HLS_JOB_H
/* One rendition of an HLS stream: a file in, MPEG-TS segments out, with the numbers that the playlists are
 * written from.
 *
 * The picture is decoded, brought to the size that is asked for, and encoded as H.264 with an IDR picture at
 * every segment boundary; the default audio track becomes AAC. A boundary is the first picture at or after
 * start + n * segment length. Each segment starts with PAT and PMT and with that IDR, and can be decoded
 * alone. Time stamps run on from one segment to the next on one 90 kHz clock, whose zero is chosen so that
 * nothing is negative. Decoding and encoding run in a child process without network, files or the right to
 * start programs; this process opens the files for it.
 *
 * How the parts call each other:
 *   service (cloud/api/mediaconvert) -- checks the job with cloud/jobs/mc_settings.h, fetches the input to a
 *       local file, makes an empty folder, and runs the program
 *           spyhop mediaconvert-worker        with one JSON document on stdin, ended by end of file:
 *           {"settings": <Settings of the job, camelCase>, "input": "/path/of/local/file", "out_dir":
 * "/path"} It answers on stdout with one JSON object a line:
 *           {"type":"progress","percent":42,"frames":105,"phase":"TRANSCODING"}
 *           {"type":"warning","message":"…"}
 *       and, as the last line, exactly one of
 *           {"type":"result","duration_ms":12000,"frames":300,
 *            "files":[{"name":"a_mod_00001.ts","bytes":1,"content_type":"video/MP2T","role":"segment"},…],
 *            "outputs":[{"playlist":"a_mod.m3u8","width":1280,"height":720,"duration_ms":12000,"frames":300,
 *                        "bandwidth":1,"average_bandwidth":1}]}
 *           {"type":"error","code":1010,"message":"…"}
 *       with exit code 0 for a result, 1 for an error (also in words on stderr), 2 for a call that is wrong,
 * 130 when stopped by SIGTERM or SIGINT. `files` stands in the order of publication: segments, variant
 *       playlists, master playlist last; names hold no '/'. They are in out_dir and were checked
 *       (stream/hls_check.h) before "result" is written. After an error out_dir holds nothing of ours; after
 * a kill -9 it may, and whoever made the folder removes it. worker (cli/cmd_mediaconvert.c) -- reads the
 * settings, calls sh_hls_make once an output, writes the playlists with stream/hls_write.h, checks them,
 * reports.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_HLS_CLOCK 90000 /* ticks a second of every time here */

enum { SH_HLS_RATE_QUALITY, SH_HLS_RATE_CBR, SH_HLS_RATE_VBR };
enum { SH_HLS_SCALE_FIT, SH_HLS_SCALE_STRETCH }; /* FIT: whole picture, black bars */

typedef struct sh_hls_video {
    int width, height;   /* 0: the source's (made even); one of them 0: by the source's shape */
    int scaling;         /* SH_HLS_SCALE_* when both are given */
    int rate;            /* SH_HLS_RATE_* */
    double crf;          /* QUALITY: 0 to 51 */
    int64_t bitrate;     /* CBR, VBR: average, bits a second */
    int64_t max_bitrate; /* peak, bits a second; 0: none (VBR: 1.5 x bitrate) */
    int64_t buffer_bits; /* decoder buffer; 0: 2 s of the peak */
    double gop_seconds;  /* longest distance of key pictures in seconds, or 0 */
    int gop_frames;      /* the same in pictures; both 0: 2 s */
    bool scene_cuts;     /* key pictures at scene changes too */
    int b_frames;        /* -1: the preset's */
    int references;      /* -1: the preset's */
    const char *profile; /* "baseline", "main", "high" */
    const char *level;   /* "4.1"; NULL: what the stream needs */
    const char *preset;  /* of x264 */
} sh_hls_video;

typedef struct sh_hls_audio {
    bool wanted;
    int64_t bitrate;
    int channels; /* 1, 2 or 6 */
    int sample_rate;
} sh_hls_audio;

typedef struct sh_hls_progress {
    int64_t frames;  /* encoded so far */
    double fraction; /* 0..1 of the source's duration; 0 when unknown */
} sh_hls_progress;

typedef struct sh_hls_job {
    const char *input;          /* path */
    const char *out_dir;        /* existing folder */
    const char *segment_prefix; /* segments are <prefix>_00001.ts, … */
    int64_t segment_ticks;      /* wanted length of a segment, SH_HLS_CLOCK */
    int64_t min_segment_ticks;  /* a last segment shorter than this is joined to the one before it */
    sh_hls_video video;
    sh_hls_audio audio;
    int threads; /* 0: one for each CPU */
    void (*progress)(void *opaque, const sh_hls_progress *progress);
    void (*warning)(void *opaque, const char *message); /* what was converted or left out, in words */
    void *opaque;
} sh_hls_job;

typedef struct sh_hls_segment {
    char name[300];
    int64_t start;    /* presentation time of its first picture, ticks */
    int64_t duration; /* to the next segment's first picture, or to the end of the stream; ticks */
    int64_t bytes;
    int64_t frames;
} sh_hls_segment;

typedef struct sh_hls_result {
    sh_hls_segment *segments;
    size_t segment_count;
    int64_t frames_decoded, frames_encoded;
    int width, height;
    int sar_num, sar_den;    /* 1:1 when the source says nothing */
    int rate_num, rate_den;  /* frames a second: the source's nominal rate */
    uint8_t sps[4];          /* first bytes of the real SPS: NAL header, profile, constraints, level */
    bool audio;              /* false: the source has none, or none was wanted */
    uint8_t audio_config[8]; /* the real AudioSpecificConfig */
    size_t audio_config_size;
    int64_t first_pts; /* of the pictures, ticks */
    int64_t duration;  /* to the end of the last picture, or of longer audio that fits in the last segment */
} sh_hls_result;

/* Makes the segments. On success *result is filled (sh_hls_result_free). On failure no segment is left in
 * out_dir. Fails with SH_E_FORMAT for an input that is no video or is damaged, SH_E_CANCELLED when
 * sh_media_cancel was called, SH_E_FULL for a full disk. */
int sh_hls_make(sh_hls_result *result, const sh_hls_job *job, sh_err *err);
void sh_hls_result_free(sh_hls_result *result);

#endif
