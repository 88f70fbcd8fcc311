/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_H
#define SH_MEDIA_LADDER_H
/* A file to the files of adaptive streams, in one pass and one confined child process: `spyhop stream`,
 * `spyhop transcode` and MediaConvert's worker.
 *
 *     read, prepare -> enlarge (a network, or nothing) -+-> video 0: scale -> encode -> decode back -+
 *                                                       +-> video 1: scale -> encode -> decode back -+->
 * commit
 *                                                       +-> captures: scale -> JPEG -----------------+
 *     audio 0, 1 ...: decode -> AAC ------------------------------------------------------------------+
 *     text 0, 1 ...: cues ----------------------------------------------------------------------------+
 *
 * What is made is said in three steps: *renditions* (videos, audios, texts: what is encoded, each once),
 * *captures* (pictures taken out of the film), and *outputs*: which renditions go into which kind of file. A
 * rendition may go into several outputs.
 *
 * Segments. A border is the first picture at or after n * segment length from the first picture; what would
 * be shorter than min_last at the end belongs to the segment before, and no segment has fewer than two
 * pictures. The borders are the same pictures in all videos. The commit takes a segment when all videos have
 * it and it has decoded back, takes audio and text up to its end, and writes the files: it is also what a
 * crash can take away at most, where there is a journal.
 *
 * Time 0 of the presentation is the earlier of the first picture and the first audio sample; of a part of a
 * film (options.start) the first picture.
 *
 * The parent makes the names: the child asks for files by what they are (sh_ladder_file), and the caller's
 * `open` gives a descriptor. A file that is asked for again (after a crash, or where a segment had to be made
 * again) is to be opened empty. Nothing is ever renamed or removed here.
 *
 * All structs are plain data; strings and arrays inside are borrowed during sh_ladder_make unless said
 * otherwise. */
#include "base/err.h"
#include "media/encode.h"
#include "media/options.h"
#include "media/plan.h"
#include "media/report.h"
#include "media/still.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SH_LADDER_VIDEOS = 16,
    SH_LADDER_AUDIOS = 16,
    SH_LADDER_TEXTS = 32,
    SH_LADDER_CAPTURES = 8,
    SH_LADDER_OUTPUTS = 64,
    SH_LADDER_OUTPUT_AUDIOS = 8,
    SH_LADDER_CONFIG = 2048,
    SH_LADDER_SEGMENTS_MAX = 99999
};

/* ---- what is encoded ---- */

typedef enum sh_ladder_scaling {
    SH_LADDER_FIT,     /* the whole picture, black bars where the shape differs */
    SH_LADDER_STRETCH, /* exactly the size, whatever becomes of the shape */
    SH_LADDER_FILL     /* no bars: what is outside is cut off */
} sh_ladder_scaling;

typedef struct sh_ladder_video {
    int width, height; /* even. Both 0: as it comes; one 0: by the picture's shape. Pixels become square */
    int scaling;       /* SH_LADDER_*, when both are given */
    bool sdr;          /* HDR is tone mapped to BT.709, 8 bits; without effect on SDR */
    AVRational rate;   /* frames are left out or repeated to come to it; 0/1: the source's. One for all */
    /* name, preset, crf, rate control, gop_frames or gop_seconds below, profile, level, ... as encode.h says.
     * Set here, whatever stands in it: size, format, time base, rate, SAR, colour, threads, piece_frames,
     * global_header, tag, delimiters, mastering and light level. */
    sh_encoder_settings encoder;
    double gop_seconds; /* > 0: gop_frames by the rate. Both 0: one group a segment */
    int bits;           /* 8 or 10; 0: as the source has, within what the codec takes */
} sh_ladder_video;

typedef struct sh_ladder_audio {
    int track; /* of the file, from 0 (all kinds are counted); -1: the default one */
    int64_t bitrate;
    int channels;     /* 1, 2, 6; 0: the source's, at most 2 */
    int sample_rate;  /* 0: the source's where AAC has it, else 48000 */
    char language[4]; /* ISO 639-2; "": the source's */
} sh_ladder_audio;

typedef struct sh_ladder_text {
    int track;        /* of the file, from 0; -1: CEA-608 in the pictures */
    char language[4]; /* "": the source's */
} sh_ladder_text;

typedef struct sh_ladder_capture {
    int width, height; /* as in sh_ladder_video; of one picture */
    int scaling;
    AVRational rate; /* pictures a second that are taken: 1/10: one every ten seconds. The first picture is */
    int64_t most;    /* 0: no end */
    int quality;     /* of JPEG, 1 to 100 */
    int across, down; /* > 1: so many pictures to a sprite sheet; else one a file */
} sh_ladder_capture;

/* ---- where it goes ---- */

typedef enum sh_ladder_kind {
    SH_LADDER_CMAF,   /* one track (a video or an audio): init file, segments */
    SH_LADDER_TS,     /* MPEG-2 TS: segments, a video and audios interleaved */
    SH_LADDER_MP4,    /* one file, index at its front; a video and audios */
    SH_LADDER_VTT,    /* one text: WebVTT segments, and the whole in one file */
    SH_LADDER_FRAMES, /* one capture: JPEG files */
    SH_LADDER_KINDS
} sh_ladder_kind;

typedef struct sh_ladder_output {
    int kind;
    int video, text, capture; /* index of the rendition, -1: none */
    int audios[SH_LADDER_OUTPUT_AUDIOS];
    int audio_count;
    int64_t
        mpegts; /* VTT: time 0 of the presentation on the 90 kHz clock of the group's TS segments; 0: CMAF */
    int64_t id; /* the caller's, handed back */
} sh_ladder_output;

typedef enum sh_ladder_role {
    SH_LADDER_INIT,    /* of CMAF: number 0 */
    SH_LADDER_SEGMENT, /* number from 1; also each JPEG of FRAMES, each sprite sheet */
    SH_LADDER_WHOLE,   /* the one file of MP4, the whole text of VTT: number 0. To be opened to read, too */
    SH_LADDER_WORK,    /* of sprite sheets: what is needed until the end, and to be removed then. To be opened
                        * to read, too, and with what a run before has left in it. Number 0 */
    SH_LADDER_ROLES
} sh_ladder_role;

typedef struct sh_ladder_file {
    int output;                      /* index */
    int kind;                        /* of it: SH_LADDER_CMAF ... */
    int video, audio, text, capture; /* the rendition that it holds (the first of each kind), -1: none */
    int role;
    int64_t number;
    int64_t id; /* of the output */
} sh_ladder_file;

/* ---- the job ---- */

struct sh_ladder_choice;
struct sh_ladder_progress;
struct sh_ladder_result;

typedef struct sh_ladder_job {
    const char *input; /* path; shown in messages too */
    int input_fd;      /* -1: `input` is opened; else borrowed, seekable */
    /* model and restore (paths; model NULL: no network), deinterlace, telecine, start, duration,
     * accept_damage, threads, cpu, precision, large, no_sandbox, grain, to_width, to_height; the rest is not
     * looked at. Rotation is always put into the pictures. */
    sh_upscale_options options;
    int turn; /* clockwise degrees instead of what the file says; -1: as it says */

    double segment_seconds, min_last_seconds;
    bool whole; /* each video is one encoder's work from beginning to end (VARIABLE and CONSTANT ask for it);
                 * else each segment has its own, and can be made again or gone on behind */

    sh_ladder_video videos[SH_LADDER_VIDEOS];
    sh_ladder_audio audios[SH_LADDER_AUDIOS];
    sh_ladder_text texts[SH_LADDER_TEXTS];
    sh_ladder_capture captures[SH_LADDER_CAPTURES];
    sh_ladder_output outputs[SH_LADDER_OUTPUTS];
    int video_count, audio_count, text_count, capture_count, output_count;
    /* NULL, or called once, in the child, when the file has been looked at: fills or changes the renditions,
     * captures and outputs above (strings that it puts there are to live for ever). A pure function. It may
     * add words by sh_plan_say(choice->plan, "ladder", ...). */
    int (*choose)(void *opaque, struct sh_ladder_choice *choice, sh_err *err);

    /* A journal (journal.h), open to read and write, and locked by the caller; -1: none, nothing is gone on
     * with. Not with `whole`. */
    int journal_fd;
    bool anew; /* what the journal has does not count; else another job's journal is SH_E_CONFLICT */

    /* All in the parent, from sh_ladder_make's thread. Any may be NULL but `open`. */
    /* An empty descriptor to write to (WHOLE: and to read), which is closed here; or SH_E_*. */
    int (*open)(void *opaque, const sh_ladder_file *file, sh_err *err);
    /* The names of all files opened so far are to outlive a crash: syncs the folders. */
    int (*sync)(void *opaque, sh_err *err);
    /* A file of a run before, to read, for checking what the journal says; or SH_E_*. */
    int (*reopen)(void *opaque, const sh_ladder_file *file, sh_err *err);
    void (*progress)(void *opaque, const struct sh_ladder_progress *progress);
    void (*log)(void *opaque, int level, const char *text); /* SH_LOG_*; warnings among them */
    /* `result` so far: its tracks are complete but for the segments to come. Called when the tracks are
     * known, and when segments have been committed. Borrowed during the call. */
    void (*growing)(void *opaque, const struct sh_ladder_result *result);
    void *opaque;
} sh_ladder_job;

typedef struct sh_ladder_choice {
    sh_ladder_job *job;    /* of the child */
    const sh_facts *facts; /* of the file */
    sh_plan *plan;   /* of the picture before the renditions: out_width x out_height, rate, colour, hdr */
    double duration; /* seconds, 0: not known */
} sh_ladder_choice;

/* No renditions; segments of 6 s, min_last 1 s, one piece a segment, no journal; options' defaults. */
void sh_ladder_job_default(sh_ladder_job *job);
/* A video of x264 with the defaults of encode.h, gop_seconds 2, everything else as the source has it. */
void sh_ladder_video_default(sh_ladder_video *video);
/* An empty output of this kind: no rendition in it. */
void sh_ladder_output_default(sh_ladder_output *output, int kind);

typedef enum sh_ladder_phase { SH_LADDER_PROBING, SH_LADDER_MAKING, SH_LADDER_FINISHING } sh_ladder_phase;

typedef struct sh_ladder_progress {
    int phase;
    int64_t decoded, encoded; /* pictures before the renditions; encoded by the slowest of all videos */
    int64_t expected;         /* 0: not known */
    int64_t resumed;          /* pictures that earlier runs have done; they are counted in */
    int64_t committed;        /* pictures that no crash can take away */
    int64_t segments;         /* committed */
    int64_t bytes;            /* of committed segments */
    double fraction;          /* 0 to 1; 0 when not known */
} sh_ladder_progress;

/* ---- the result ---- */

typedef struct sh_ladder_key { /* a closed group in a CMAF segment */
    int64_t offset;            /* of its moof in the file */
    int64_t key_size;          /* from there to the end of the key picture's sample */
    int64_t size;              /* of moof and mdat */
    int64_t time;              /* of the key picture, ticks of the track */
} sh_ladder_key;

typedef struct sh_ladder_segment {
    int64_t number;          /* from 1 */
    int64_t start, duration; /* presentation time, ticks of the track */
    int64_t bytes, samples;  /* pictures, AAC frames, cues */
    uint32_t crc;            /* CRC32C of the file */
    size_t first_key;        /* in the track's keys */
    int key_count;
} sh_ladder_segment;

/* One for each output, in their order. */
typedef struct sh_ladder_track {
    int kind;                        /* of the output */
    int video, audio, text, capture; /* as in sh_ladder_file */
    int64_t id;
    /* Ticks a second. Of what holds a video: the numerator of its frame rate, times a whole number while
     * below 1000, where the rate is constant, else the time base of the source. Of audio alone: its sample
     * rate. VTT, captures: 1000 */
    int timescale;
    int priming; /* CMAF audio: samples in front of the presentation; times of segments count them (tfdt) */
    /* the video in it; codec AV_CODEC_ID_NONE: none */
    int codec; /* enum AVCodecID */
    int width, height;
    AVRational rate; /* of pictures; 0/1: VFR, not known */
    bool vfr;
    sh_colour colour;
    sh_hdr hdr;
    int bits;
    uint8_t config[SH_LADDER_CONFIG]; /* avcC, hvcC or av1C payload; an AudioSpecificConfig where there is no
                                       * video */
    size_t config_size;
    /* the (first) audio in it */
    bool has_audio;
    int channels, sample_rate;
    int64_t audio_bitrate;    /* as asked of the encoder */
    uint8_t audio_config[64]; /* AudioSpecificConfig */
    size_t audio_config_size;
    int across, down; /* of captures; > 1: sprite sheets, of pictures of width x height at `rate` */
    int64_t tiles;    /* in all sheets */
    char language[4]; /* of the audio or text */
    int64_t init_bytes, whole_bytes; /* of those files, 0: none */
    sh_ladder_segment *segments;     /* owned by the result */
    size_t segment_count;
    sh_ladder_key *keys; /* owned by the result */
    size_t key_count;
    int64_t pictures, first,
        duration; /* of all segments; first: presentation time of the first sample. MP4 too */
} sh_ladder_track;

#define SH_LADDER_STILL_US 250000

typedef struct sh_ladder_result {
    sh_ladder_track *tracks; /* owned */
    size_t track_count;
    char *facts;     /* owned: JSON text {"facts": facts_json.h, "plan": the same}. NULL until it is known */
    double duration; /* of the presentation, seconds */
    int64_t frames;  /* pictures before the renditions */
    int64_t width, height, out_width, out_height; /* of the source; of the enlarged picture */
    sh_report_sums sums;                          /* what became of the source's frames */
    int64_t redone;                               /* segments that were made again */
    int64_t checked;                              /* pictures that were decoded back and found right */
    int64_t damages, warnings;
    sh_stills stills; /* owned: where the source itself is black or stands still; microseconds from the first
                       * picture on, each at least SH_LADDER_STILL_US long */
    bool resumed;
    double seconds; /* that it took */
} sh_ladder_result;

/* 0, or SH_E_*: *result is then untouched. SH_E_CANCELLED after sh_media_cancel; with a journal the segment
 * in hand is finished if that takes seconds. */
int sh_ladder_make(sh_ladder_result *result, const sh_ladder_job *job, sh_err *err);
void sh_ladder_result_free(sh_ladder_result *result); /* what it owns; all-zero is fine */

#endif
