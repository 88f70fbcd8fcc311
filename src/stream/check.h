/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_CHECK_H
#define SH_STREAM_CHECK_H
/* The checker of streams: reads an HLS and/or DASH stream as a strict player would, from a folder or over
 * HTTP, and says which rule is broken, where, and by how much. It asks nothing of the writer: every number is
 * taken from the bytes (boxes, transport packets, parameter sets), and the manifests are held against them.
 *
 * Rules are rows of one table (check_rules.inc, described in docs/check.md): a name, the clause of the
 * specification it comes from, a severity. A finding is a rule, a file, a line or a byte, and words with the
 * two values that differ. A stream may have many findings; reading goes on after each as far as it makes
 * sense, so that one fault is one finding and not fifty.
 *
 * The folder holds no decoder. Where frames are to be decoded (counted, black and frozen runs), the caller
 * gives a function that does (sh_stream_decode).
 *
 * What is checked is never trusted: sizes, depths, counts and redirects are bounded; a URL leads to http and
 * https only, and a folder's stream to files in that folder only (no absolute path, no "..", no symbolic
 * link). */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sh_stream_severity {
    SH_STREAM_ERROR,   /* a MUST is broken, or a player will go wrong: not published */
    SH_STREAM_WARNING, /* a SHOULD is broken */
} sh_stream_severity;

typedef struct sh_stream_rule {
    const char *id;     /* "apple-bandwidth-peak"; never changes once released */
    const char *clause; /* "Apple HLS Authoring 1.27" */
    sh_stream_severity severity;
    const char *demand; /* what has to be, in one sentence */
} sh_stream_rule;

/* All rules; *count of them. Static. */
const sh_stream_rule *sh_stream_rules(size_t *count);
/* NULL: there is none of that name. */
const sh_stream_rule *sh_stream_rule_find(const char *id);

/* Where the stream is. */
typedef struct sh_stream_source {
    const char *location; /* a folder, or an http(s) URL: of a manifest, or of a folder (ends in '/') */
    /* Manifests relative to it (HLS multivariant or media playlist, MPD). count 0: those that are found: in a
     * folder every *.mpd and every multivariant *.m3u8 at the top (or every *.m3u8 where none is
     * multivariant); at a URL that ends in '/' index.m3u8 and index.mpd; else the URL itself. */
    const char *const *manifests;
    size_t manifest_count;
} sh_stream_source;

/* ---- decoding, done by the caller ---- */

/* One track's bytes in decoding order, handed to the decoder part by part: part 0 of a CMAF track is its
 * initialisation segment, then come the segments. */
typedef struct sh_stream_track_bytes {
    const char *name; /* of its playlist or representation */
    bool transport;   /* MPEG-2 TS, no initialisation segment */
    size_t parts;
    /* Bytes stay the callee's and valid until the next call. */
    int (*part)(void *opaque, size_t index, const uint8_t **bytes, size_t *size, sh_err *err);
    void *opaque;
} sh_stream_track_bytes;

typedef struct sh_stream_run { /* seconds from the track's first picture */
    double from, to;
} sh_stream_run;

#define SH_STREAM_RUNS 65536

typedef struct sh_stream_decoded {
    int64_t frames; /* shown */
    int64_t damaged;
    size_t black_count, frozen_count; /* at most SH_STREAM_RUNS; further runs are joined to the last */
    sh_stream_run black[SH_STREAM_RUNS], frozen[SH_STREAM_RUNS]; /* each at least half a second long */
} sh_stream_decoded;

/* Decodes a video track. 0, or a status: SH_E_FORMAT becomes a finding, others end the check. */
typedef int sh_stream_decode(void *opaque, const sh_stream_track_bytes *track, sh_stream_decoded *out,
                             sh_err *err);

/* ---- options ---- */

/* A plan is JSON: an object, or one with it under "plan" (the stream.json that `spyhop stream` stores). All
 * keys are optional; those present are held against the stream:
 *   "frames": N                 pictures of every video track
 *   "video": [{"name": "v0"     the folder or playlist name (without suffix) of the track, else by order
 *              "frames": N, "width": W, "height": H, "codec": "avc1"|"hvc1"|"av01",
 *              "colour": {"primaries": 1, "transfer": 1, "matrix": 1, "full_range": false}}]
 *   "audio": [{"name", "channels", "sample_rate", "language"}]
 *   "text":  [{"name", "language"}]
 *   "colour": {...}             of every video track that has none of its own
 *   "source": {"black": [[from, to], ...], "frozen": [[from, to], ...]}   seconds, what the source has itself
 * A list names all tracks of its kind: one more or less in the stream is a finding. */
typedef struct sh_stream_check_options {
    const char *plan; /* JSON text, NULL: none */
    size_t plan_length;
    bool same_bytes;          /* HLS and DASH have to name the same files; else only where they share one */
    bool strict;              /* also what an author may leave out: I-frame playlists, several rates */
    bool growing;             /* EVENT playlists and dynamic MPDs are fine (a live preview) */
    int64_t file_most;        /* bytes of one file; 0: 1 GiB */
    int seconds;              /* for one request; 0: 60 */
    sh_stream_decode *decode; /* NULL: nothing is decoded */
    void *decode_opaque;
    bool (*cancelled)(void *opaque); /* NULL, or asked between files */
    void *cancelled_opaque;
} sh_stream_check_options;

/* ---- the report ---- */

typedef struct sh_stream_finding {
    const sh_stream_rule *rule;
    char *file;   /* relative to the location, or a URL */
    int64_t line; /* 1.., 0: none */
    int64_t byte; /* -1: none */
    char *words;  /* one line */
} sh_stream_finding;

typedef struct sh_stream_checked { /* one track */
    char *name;                    /* "v0/index.m3u8", "index.mpd#v0" */
    char kind;        /* 'v' video, 'a' audio, 'm' both in one, 't' text, 'i' I-frames, 'p' pictures */
    char codecs[136]; /* from the bytes */
    int width, height;
    size_t segments;
    int64_t samples;       /* pictures, or audio access units */
    int64_t bytes;         /* of the segments */
    double seconds;        /* by the bytes' own clock */
    int64_t peak, average; /* bit/s, measured */
} sh_stream_checked;

typedef struct sh_stream_report {
    sh_stream_finding *findings;
    size_t count, capacity;
    size_t errors, warnings; /* all, those of which too many came to be kept among them */
    size_t dropped;          /* findings not kept: more than 32 of one rule */
    sh_stream_checked *tracks;
    size_t track_count;
    char **manifests; /* read */
    size_t manifest_count;
    size_t files; /* read, and their bytes */
    int64_t bytes;
} sh_stream_report;

/* *report: all-zero. 0: the stream was read, see report->errors; negative: it could not be (no such folder,
 * memory, a host that does not answer, a plan that is no JSON, cancelled). A missing or broken file of the
 * stream is a finding, not a status. */
int sh_stream_check(sh_stream_report *report, const sh_stream_source *source,
                    const sh_stream_check_options *options, sh_err *err);
void sh_stream_report_free(sh_stream_report *report); /* NULL is fine; all-zero again */

/* Appends the report as JSON: {"location", "errors", "warnings", "manifests": [], "tracks": [],
 * "findings": [{"rule", "clause", "severity", "demand", "file", "line"?, "byte"?, "words"}]}. */
int sh_stream_report_json(sh_buf *out, const sh_stream_report *report, const char *location, sh_err *err);
/* Appends the report as a table for people. */
int sh_stream_report_text(sh_buf *out, const sh_stream_report *report, const char *location);
/* The first error in one line, for a job's message: "apple-idr (Apple HLS Authoring 7.4): v0/seg_00002.m4s
 * byte 812: …; and 3 more". */
void sh_stream_report_line(const sh_stream_report *report, char *line, size_t size);

#endif
