/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a stream asks of an encoder beyond a piece (encode.h): its rate and its key frames, in the terms that
 * all wrappers of libavcodec share, and the judgement of the packets that come. */
#include "media/encode_row.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_SECONDS 1.5
#define BUFFER_FILL 0.9
#define RATE_MIN 1000
#define RATE_MAX INT64_C(1152000000)
#define GOP_MAX 100000

static int check_rate(const char *what, int64_t rate, sh_err *err)
{
    if (rate >= RATE_MIN && rate <= RATE_MAX)
        return 0;
    return sh_fail(err, SH_E_ARGUMENT, "%s of %" PRId64 " bits a second: from %d to %" PRId64 " is possible",
                   what, rate, RATE_MIN, RATE_MAX);
}

static int check_rates(const sh_encoder_settings *s, sh_err *err)
{
    int status = 0;
    if (s->rate_control != SH_ENCODER_QUALITY)
        status = check_rate("a rate", s->bitrate, err);
    if (status == 0 && s->max_bitrate != 0)
        status = check_rate("a ceiling", s->max_bitrate, err);
    if (status == 0 && s->rate_control == SH_ENCODER_VARIABLE && s->max_bitrate != 0 &&
        s->max_bitrate < s->bitrate)
        status =
            sh_fail(err, SH_E_ARGUMENT, "a ceiling of %" PRId64 " bits a second for an average of %" PRId64,
                    s->max_bitrate, s->bitrate);
    if (status == 0 &&
        (s->buffer_bits < 0 || s->buffer_bits > INT_MAX || s->buffer_fill < 0 || s->buffer_fill > 1))
        status = sh_fail(err, SH_E_ARGUMENT, "a buffer of %" PRId64 " bits, full to %g", s->buffer_bits,
                         s->buffer_fill);
    return status;
}

int sh_encoder_check_stream(const sh_encoder_settings *s, sh_err *err)
{
    if (s->gop_frames == 0) {
        if (s->rate_control != SH_ENCODER_QUALITY || s->max_bitrate != 0 || s->piece_frames == 0)
            return sh_fail(err, SH_E_ARGUMENT,
                           "a piece has constant quality and an end; streams have other rates");
        return 0;
    }
    if (s->gop_frames < 0 || s->gop_frames > GOP_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "key frames %d frames apart: from 1 to %d is possible",
                       s->gop_frames, GOP_MAX);
    return check_rates(s, err);
}

int64_t sh_encoder_ceiling(const sh_encoder_settings *s)
{
    return s->rate_control == SH_ENCODER_CONSTANT ? s->bitrate : s->max_bitrate;
}

double sh_encoder_fill(const sh_encoder_settings *s)
{
    return s->buffer_fill > 0 ? s->buffer_fill : BUFFER_FILL;
}

void sh_encoder_steer(AVCodecContext *codec, const sh_encoder_settings *s)
{
    const int64_t ceiling = sh_encoder_ceiling(s);
    const double buffer = s->buffer_bits > 0 ? (double)s->buffer_bits : BUFFER_SECONDS * (double)ceiling;
    if (s->rate_control != SH_ENCODER_QUALITY)
        codec->bit_rate = s->bitrate;
    if (ceiling > 0) {
        codec->rc_max_rate = ceiling;
        codec->rc_buffer_size = buffer < INT_MAX ? (int)buffer : INT_MAX;
        codec->rc_initial_buffer_occupancy = (int)(codec->rc_buffer_size * sh_encoder_fill(s));
    }
    if (s->rate_control == SH_ENCODER_CONSTANT)
        codec->rc_min_rate = s->bitrate;
    if (s->b_frames >= 0)
        codec->max_b_frames = s->b_frames;
    if (s->references > 0)
        codec->refs = s->references;
}

int sh_encoder_judge(sh_encoder_groups *g, const sh_encoder_settings *s, const char *title, bool start,
                     bool key, int64_t pts, sh_err *err)
{
    const char *what = NULL;
    if (g->packets == 0 && !start)
        what = "begins without a key frame";
    else if (key && !start)
        what = "gives no key frame where one was asked for";
    else if (!start && g->since + 1 >= s->gop_frames)
        what = "makes a group of pictures longer than was asked for";
    else if (!start && pts < g->first)
        what = "shows a picture before the key frame that it follows";
    else if (start && g->packets > 0 && pts <= g->last)
        what = "shows a key frame before a picture of the group before";
    if (what)
        return sh_fail(err, SH_E_INTERNAL,
                       "%s %s (packet %" PRId64 " of a stream); an option given with -o may do that", title,
                       what, g->packets + 1);
    g->since = start ? 0 : g->since + 1;
    g->first = start ? pts : g->first;
    g->last = g->packets == 0 || pts > g->last ? pts : g->last;
    g->packets++;
    return 0;
}

/* ---- settings that outlive the call ---- */

static char *copy_text(const char *text, bool *short_of_memory)
{
    char *copy = text ? strdup(text) : NULL;
    *short_of_memory |= text && !copy;
    return copy;
}

int sh_encoder_keep(sh_encoder_settings *kept, const sh_encoder_settings *s, sh_err *err)
{
    bool failed = false;
    char **options = s->option_count > 0 ? calloc(s->option_count, sizeof(*options)) : NULL;
    *kept = *s;
    kept->options = (const char *const *)options;
    kept->option_count = options ? s->option_count : 0;
    kept->name = copy_text(s->name, &failed);
    kept->preset = copy_text(s->preset, &failed);
    kept->profile = copy_text(s->profile, &failed);
    kept->level = copy_text(s->level, &failed);
    for (size_t i = 0; options && i < s->option_count; i++)
        options[i] = copy_text(s->options[i], &failed);
    if (!failed && (options || s->option_count == 0))
        return 0;
    sh_encoder_let_go(kept);
    return sh_fail(err, SH_E_MEMORY, "memory is short");
}

void sh_encoder_let_go(sh_encoder_settings *kept)
{
    for (size_t i = 0; kept->options && i < kept->option_count; i++)
        free((void *)(uintptr_t)kept->options[i]);
    free((void *)(uintptr_t)kept->options);
    free((void *)(uintptr_t)kept->name);
    free((void *)(uintptr_t)kept->preset);
    free((void *)(uintptr_t)kept->profile);
    free((void *)(uintptr_t)kept->level);
    kept->options = NULL;
    kept->option_count = 0;
    kept->name = kept->preset = kept->profile = kept->level = NULL;
}
