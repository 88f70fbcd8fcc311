/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PLAN_H
#define SH_MEDIA_PLAN_H
/* What will be done to a file, and why: the one place where facts and options become decisions. `probe`
 * prints it, `upscale` carries it out; neither decides anything by itself.
 *
 * A plan is a pure function of facts, options, model, output format and the encoders that this machine has.
 * Its canonical text (sh_plan_text) has every field that bears on the result's bytes, one a line, and is part
 * of what a resumed job is recognised by. Plain data: strings are arrays, nothing is owned.
 *
 * The order of the work, and which fields each step reads:
 *
 *     decode -> deinterlace or telecine -> mirror, turn      prepare: width x height becomes work_width x
 *                                                            work_height
 *     -> restore -> model                                    scale times that
 *     -> scale down, grain                                   finish: out_width x out_height, out_format
 *     -> encode -> mux                                       encoder..., colour, hdr..., sar, keep_matrix
 *
 * Size. Without --to it is the model's, brought within 4K (3840x2160, either way up; pictures of up to
 * 4096x2160 stay) unless --large. to_height alone is a name (1080p, 4k as 2160): the largest picture of the
 * same shape within a box of 16:9 of that height, the box standing upright where the picture is shown
 * upright. to_width alone: that wide, the height of the same shape. Both: exactly that (as stored; with a
 * turn that is kept as a tag, as shown), and where the shape differs the pixels' shape makes up for it. Sizes
 * are even where the format's chroma needs it. More than the model makes is refused, never interpolated.
 *
 * Pixels' shape (sar) is that of the result: turned with the picture, corrected as above, so that the
 * displayed shape is the source's. */
#include "base/buf.h"
#include "media/options.h"
#include "media/probe.h"
#include <libavformat/avformat.h>
#include <spyhop/spyhop.h>

enum { SH_PLAN_NOTES = 48, SH_PLAN_LOSSES = 64 };

typedef struct sh_plan_note {
    char topic[16]; /* "interlace", "colour", "size", ... the row's name in tables and JSON */
    char what[112]; /* what is done: "kept", "deinterlaced, a frame a frame (top field first)" */
    char why[240];  /* "92 of 97 frames that move comb; flagged so as well" */
} sh_plan_note;

typedef struct sh_plan {
    /* the picture as decoded */
    int width, height;
    enum AVPixelFormat format;
    /* prepare */
    sh_deinterlace deinterlace; /* OFF, FRAME or FIELD; never AUTO */
    bool only_flagged;          /* FRAME: frames that say they are progressive stay as they are */
    bool top_field_first;
    bool telecine;    /* reverse 3:2: four frames come of five */
    int turn;         /* degrees clockwise, into the picture: 0, 90, 180, 270 */
    bool mirror;      /* left and right exchanged, before the turn */
    bool keep_matrix; /* the display matrix goes into the result's header, as it is; turn is then 0 */
    int work_width, work_height; /* after all that; also what the model gets */
    /* time: of prepared pictures, and of the result */
    AVRational time_base; /* the source's; half of it with FIELD */
    AVRational rate;      /* 0/1: not known. Doubled with FIELD, 4/5 with telecine. Of a VFR file: the mean */
    bool vfr;
    int64_t frames; /* estimate of what comes out, 0: not known. Not part of the text */
    /* engine */
    int scale;
    bool restore; /* a model of scale 1 goes in front */
    double grain;
    /* result */
    int out_width, out_height;
    enum AVPixelFormat out_format; /* planar YUV, 8 or 10 bits; the encoder takes it */
    int out_bits;
    AVRational sar;
    sh_colour colour; /* settled: nothing unspecified but siting where chroma is whole */
    sh_hdr hdr;       /* as the result will have it */
    bool has_mastering, has_light;
    AVMasteringDisplayMetadata mastering;
    AVContentLightMetadata light;
    bool hdr10plus; /* dynamic metadata goes along, frame by frame */
    bool captions;  /* CEA-608/708 goes along, frame by frame */
    /* encoder */
    char encoder[32]; /* a name of libavcodec's; never "auto" */
    int codec;        /* enum AVCodecID */
    double crf;       /* given, or the default of that encoder; CQ with NVENC */
    char preset[32];  /* likewise */
    int piece_frames; /* 2 or more */
    /* words */
    int note_count, loss_count;
    int losses_more; /* that had no room; the last line of losses says so */
    sh_plan_note notes[SH_PLAN_NOTES];
    char losses[SH_PLAN_LOSSES][200]; /* each needs --allow-loss; the last says how many more there are */
} sh_plan;

/* model: the one that enlarges; its macs_per_pixel decides on the length of pieces. muxer NULL: Y4M.
 * SH_E_ARGUMENT: the options contradict the file or each other (a size larger than the model makes, an
 * encoder that the container does not take). SH_E_UNSUPPORTED: the file cannot be done rightly (Dolby Vision
 * profile 5). SH_E_LIMIT: too large. *plan is untouched on failure.
 *
 * Losses of the picture (alpha, bits) are in plan->losses already; those of the container are added by the
 * caller with sh_plan_add_container or sh_plan_lose. Whether losses are allowed is the caller's to check.
 */
int sh_plan_make(const sh_facts *facts, const sh_upscale_options *options, const spyhop_model_info *model,
                 const AVOutputFormat *muxer, sh_plan *plan, sh_err *err);
void sh_plan_lose(sh_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sh_plan_say(sh_plan *plan, const char *topic, const char *what, const char *why, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds what `muxer` cannot hold of the source's tracks and metadata (tracks.h) to the plan's losses and
 * notes. Not for Y4M, which sh_plan_make knows to hold nothing but pictures. */
void sh_plan_add_container(sh_plan *plan, const sh_source *source, const AVOutputFormat *muxer);

/* Appends the canonical text: "name=value\n" for each field above but the words and `frames`, in a fixed
 * order and without locale. SH_E_MEMORY when the buffer is full. */
int sh_plan_text(const sh_plan *plan, sh_buf *text);

#endif
