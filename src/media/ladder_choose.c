/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_choose.h"
#include "base/size.h"
#include "media/ladder_scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define APART 1.3   /* one step from the next, at least */
#define CEILING 8e6 /* of 1920x1080, 30 pictures a second, H.264 */
#define CEILING_AREA (1920.0 * 1080)
#define CEILING_RATE 30.0
#define RATE_MOST 60.06
#define BUFFER 1.5      /* seconds of the ceiling */
#define BUFFER_FILL 0.5 /* each segment has an encoder of its own */
#define TILE 160        /* longer side of a thumbnail */

typedef struct codec_row {
    const char *encoder, *words;
    double share; /* of H.264's ceiling */
    double crf;
} codec_row;

static const codec_row codecs[] = {
    [SH_LADDER_H264] = {"libx264", "H.264", 1, 21},
    [SH_LADDER_HEVC] = {"libx265", "HEVC", 0.65, 22},
    [SH_LADDER_AV1] = {"libsvtav1", "AV1", 0.55, 30},
};

/* ---- sizes and ceilings ---- */

static int64_t ceiling(int width, int height, AVRational rate, int codec)
{
    const double area = (double)width * height / CEILING_AREA;
    const double speed = rate.num > 0 && rate.den > 0 ? av_q2d(rate) / CEILING_RATE : 1;
    const double bits = CEILING * pow(area, 0.8) * pow(speed, 0.6) * codecs[codec].share;
    return (int64_t)(fmax(bits, 50000) / 1000 + 0.5) * 1000;
}

/* The other side of a picture of this shape whose shorter one is `shorter`; even. */
static int longer(int width, int height, int shorter)
{
    const double shape = width > height ? (double)width / height : (double)height / width;
    return 2 * (int)(shorter * shape / 2 + 0.5);
}

int sh_ladder_steps(sh_ladder_step steps[SH_LADDER_STEPS], int width, int height, AVRational rate, int codec)
{
    static const int sides[] = {2160, 1440, 1080, 720, 540, 360, 240};
    int above = width < height ? width : height, count = 0;
    steps[count++] = (sh_ladder_step){width, height, ceiling(width, height, rate, codec)};
    for (size_t i = 0; i < SH_COUNT(sides) && count < SH_LADDER_STEPS; i++) {
        const int side = sides[i], other = longer(width, height, side);
        if (side * APART > above)
            continue;
        sh_ladder_step *step = &steps[count++];
        step->width = width < height ? side : other;
        step->height = width < height ? other : side;
        step->ceiling = ceiling(step->width, step->height, rate, codec);
        above = side;
    }
    return count;
}

/* ---- the pictures ---- */

/* Apple's rules know no more than 60 pictures a second: of more each second one is shown, or third. 0/1: all.
 */
static AVRational rate_for(const sh_plan *plan)
{
    const double rate = plan->rate.num > 0 && plan->rate.den > 0 ? av_q2d(plan->rate) : 0;
    const int each = (int)ceil(rate / RATE_MOST);
    return each > 1 ? av_div_q(plan->rate, (AVRational){each, 1}) : (AVRational){0, 1};
}

static int add_output(sh_ladder_job *job, int kind, sh_ladder_output **out, sh_err *err)
{
    if (job->output_count == SH_LADDER_OUTPUTS)
        return sh_fail(err, SH_E_LIMIT, "more than %d outputs", SH_LADDER_OUTPUTS);
    *out = &job->outputs[job->output_count++];
    sh_ladder_output_default(*out, kind);
    return 0;
}

static int add_video(sh_ladder_choice *c, const sh_ladder_wish *wish, const sh_ladder_step *step, int codec,
                     bool sdr, sh_err *err)
{
    sh_ladder_job *job = c->job;
    sh_ladder_output *output = NULL;
    if (job->video_count == SH_LADDER_VIDEOS)
        return 0; /* two ladders of eight steps are as many as there is room for */
    sh_ladder_video *v = &job->videos[job->video_count];
    sh_ladder_video_default(v);
    v->width = step->width;
    v->height = step->height;
    v->scaling = SH_LADDER_STRETCH; /* the shape is the picture's but for even sides */
    v->sdr = sdr;
    v->rate = rate_for(c->plan);
    v->bits = codec == SH_LADDER_H264 ? 8 : 0;
    v->encoder.profile =
        codec == SH_LADDER_H264 ? "high" : NULL; /* a CRF of 0 would be lossless, for no player */
    v->gop_seconds = wish->gop_seconds > 0 ? wish->gop_seconds : 2;
    v->encoder.name = codecs[codec].encoder;
    v->encoder.preset = wish->preset;
    v->encoder.crf = wish->crf >= 0 ? wish->crf : codecs[codec].crf;
    v->encoder.max_bitrate = step->ceiling;
    v->encoder.buffer_bits = (int64_t)(BUFFER * (double)step->ceiling);
    v->encoder.buffer_fill = BUFFER_FILL;
    v->encoder.fixed_rate = !c->plan->vfr && c->plan->rate.num > 0;
    int status = add_output(job, SH_LADDER_CMAF, &output, err);
    if (status < 0)
        return status;
    output->video = job->video_count++;
    output->id = v->rate.num > 0 ? SH_LADDER_IS_THINNED : 0;
    return 0;
}

static int check_codec(const sh_ladder_choice *c, const sh_ladder_step *step, int codec, bool deep,
                       sh_err *err)
{
    const sh_encoder_info *info = NULL;
    const sh_encoder_wish wish = {.name = codecs[codec].encoder,
                                  .format = deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P,
                                  .width = step->width,
                                  .height = step->height,
                                  .hdr = c->plan->hdr != SH_HDR_NONE};
    return sh_encoder_choose(&wish, &info, NULL, 0, err);
}

/* One ladder of one codec. Steps that the encoder does not take (too small) are left out, but for the top. */
static int add_ladder(sh_ladder_choice *c, const sh_ladder_wish *wish, const sh_scale_layout *top, int codec,
                      bool sdr, sh_err *err)
{
    sh_ladder_step steps[SH_LADDER_STEPS];
    sh_err small;
    const bool deep = codec != SH_LADDER_H264 && !sdr && c->plan->out_bits > 8;
    const AVRational fewer = rate_for(c->plan);
    int count = sh_ladder_steps(steps, top->width, top->height, fewer.num > 0 ? fewer : c->plan->rate, codec);
    if (wish->most > 0 && count > wish->most)
        count = wish->most;
    int status = check_codec(c, &steps[0], codec, deep, err);
    for (int i = 0; i < count && status == 0; i++) {
        if (i > 0 && check_codec(c, &steps[i], codec, deep, &small) < 0)
            break;
        char what[112];
        snprintf(what, sizeof(what), "%dx%d, %s%s", steps[i].width, steps[i].height, codecs[codec].words,
                 sdr    ? ", SDR"
                 : deep ? ", 10 bits"
                        : "");
        sh_plan_say(c->plan, "ladder", what, "%s; CRF %g, at most %.0f kb/s",
                    i == 0 ? "the picture as it is made" : "scaled down from the same picture",
                    wish->crf >= 0 ? wish->crf : codecs[codec].crf, (double)steps[i].ceiling / 1000);
        status = add_video(c, wish, &steps[i], codec, sdr, err);
    }
    return status;
}

static int add_videos(sh_ladder_choice *c, const sh_ladder_wish *wish, sh_err *err)
{
    const sh_plan *plan = c->plan;
    const bool hdr = plan->hdr != SH_HDR_NONE;
    const int codec = wish->codec != SH_LADDER_ANY ? wish->codec : hdr ? SH_LADDER_HEVC : SH_LADDER_H264;
    sh_scale_layout top;
    int status = sh_scale_lay_out(&top, plan->out_width, plan->out_height, plan->sar, 0, 0,
                                  SH_SCALING_STRETCH, false, err);
    if (status < 0)
        return status;
    if (rate_for(plan).num > 0)
        sh_plan_say(c->plan, "ladder", "pictures left out",
                    "%.3f a second are too many for players; %.3f are shown", av_q2d(plan->rate),
                    av_q2d(rate_for(plan)));
    if (hdr && codec == SH_LADDER_H264) {
        sh_plan_say(c->plan, "ladder", "tone mapped to SDR",
                    "H.264 was asked for, and carries no HDR in Apple's rules");
        return add_ladder(c, wish, &top, codec, true, err);
    }
    if (wish->sdr && !hdr)
        sh_plan_say(c->plan, "ladder", "one ladder", "the source is SDR itself");
    status = add_ladder(c, wish, &top, codec, false, err);
    if (status == 0 && wish->sdr && hdr) {
        sh_ladder_wish other = *wish;
        other.crf = -1; /* numbers of another encoder; x264 has the same presets as x265 */
        if (codec == SH_LADDER_AV1)
            other.preset = NULL;
        if (wish->crf >= 0 || other.preset != wish->preset)
            sh_plan_say(c->plan, "ladder", "SDR at its own quality",
                        "what was asked for is said in words of %s", codecs[codec].words);
        status = add_ladder(c, &other, &top, SH_LADDER_H264, true, err);
    }
    return status;
}

/* ---- sound and text ---- */

static int64_t id_of(const sh_facts_track *track)
{
    static const struct {
        int disposition, flag;
    } flags[] = {
        {AV_DISPOSITION_DEFAULT, SH_LADDER_IS_DEFAULT},
        {AV_DISPOSITION_FORCED, SH_LADDER_IS_FORCED},
        {AV_DISPOSITION_HEARING_IMPAIRED, SH_LADDER_IS_FOR_THE_DEAF},
        {AV_DISPOSITION_CAPTIONS, SH_LADDER_IS_FOR_THE_DEAF},
        {AV_DISPOSITION_VISUAL_IMPAIRED, SH_LADDER_IS_DESCRIPTION},
        {AV_DISPOSITION_DESCRIPTIONS, SH_LADDER_IS_DESCRIPTION},
        {AV_DISPOSITION_COMMENT, SH_LADDER_IS_COMMENTARY},
        {AV_DISPOSITION_DUB, SH_LADDER_IS_DUB},
    };
    int64_t id = (int64_t)(track->index + 1) << 8;
    for (size_t i = 0; i < SH_COUNT(flags); i++)
        if (track->disposition & flags[i].disposition)
            id |= flags[i].flag;
    return id;
}

int sh_ladder_id_flags(int64_t id)
{
    return (int)(id & 255);
}

int sh_ladder_id_track(int64_t id)
{
    return (int)(id >> 8) - 1;
}

static int add_audio(sh_ladder_choice *c, const sh_facts_track *track, sh_err *err)
{
    sh_ladder_job *job = c->job;
    sh_ladder_output *output = NULL;
    if (job->audio_count == SH_LADDER_AUDIOS) {
        sh_plan_say(c->plan, "ladder", "audio track left out", "there is room for %d", SH_LADDER_AUDIOS);
        return 0;
    }
    job->audios[job->audio_count] =
        (sh_ladder_audio){.track = track->index, .bitrate = track->channels == 1 ? 96000 : 128000};
    int status = add_output(job, SH_LADDER_CMAF, &output, err);
    if (status < 0)
        return status;
    output->id = id_of(track);
    output->audios[0] = job->audio_count++;
    output->audio_count = 1;
    return 0;
}

static int add_text(sh_ladder_choice *c, int track, int64_t id, sh_err *err)
{
    sh_ladder_job *job = c->job;
    sh_ladder_output *output = NULL;
    if (job->text_count == SH_LADDER_TEXTS) {
        sh_plan_say(c->plan, "ladder", "text track left out", "there is room for %d", SH_LADDER_TEXTS);
        return 0;
    }
    job->texts[job->text_count] = (sh_ladder_text){.track = track};
    int status = add_output(job, SH_LADDER_VTT, &output, err);
    if (status < 0)
        return status;
    output->id = id;
    output->text = job->text_count++;
    return 0;
}

static bool is_text(int codec)
{
    static const int texts[] = {AV_CODEC_ID_MOV_TEXT, AV_CODEC_ID_SUBRIP, AV_CODEC_ID_WEBVTT,
                                AV_CODEC_ID_ASS,      AV_CODEC_ID_SSA,    AV_CODEC_ID_TEXT};
    for (size_t i = 0; i < SH_COUNT(texts); i++)
        if (texts[i] == codec)
            return true;
    return false;
}

static int add_tracks(sh_ladder_choice *c, const sh_ladder_wish *wish, sh_err *err)
{
    const sh_facts *facts = c->facts;
    const unsigned count = facts->track_count < SH_FACTS_TRACKS ? facts->track_count : SH_FACTS_TRACKS;
    int status = 0;
    for (unsigned i = 0; i < count && status == 0; i++) {
        const sh_facts_track *track = &facts->tracks[i];
        if (track->type == AVMEDIA_TYPE_AUDIO && !wish->no_audio && track->codec != AV_CODEC_ID_NONE)
            status = add_audio(c, track, err);
        else if (track->type == AVMEDIA_TYPE_SUBTITLE && !wish->no_text && is_text(track->codec))
            status = add_text(c, track->index, id_of(track), err);
        else if (track->type == AVMEDIA_TYPE_SUBTITLE && !wish->no_text)
            sh_plan_say(c->plan, "ladder", "subtitle track left out",
                        "track %d, %s: pictures of words, not text", track->index, track->codec_name);
    }
    if (status == 0 && facts->captions && !wish->no_text)
        status = add_text(c, -1, SH_LADDER_IS_FOR_THE_DEAF, err);
    return status;
}

/* ---- thumbnails ---- */

/* About a hundred over the film; not nearer than two seconds. */
static int seconds_apart(double duration)
{
    static const int nice[] = {2, 5, 10, 20, 30};
    for (size_t i = 0; i < SH_COUNT(nice); i++)
        if (duration > 0 && duration <= 100.0 * nice[i])
            return nice[i];
    return duration > 0 ? 60 : 10;
}

static int add_thumbnails(sh_ladder_choice *c, sh_err *err)
{
    sh_ladder_job *job = c->job;
    sh_ladder_output *output = NULL;
    const sh_ladder_video *top = &job->videos[0];
    const double scale = (double)TILE / (top->width > top->height ? top->width : top->height);
    sh_ladder_capture *capture = &job->captures[job->capture_count];
    int width = 2 * (int)(top->width * scale / 2 + 0.5), height = 2 * (int)(top->height * scale / 2 + 0.5);
    *capture = (sh_ladder_capture){.width = width > 2 ? width : 2,
                                   .height = height > 2 ? height : 2,
                                   .scaling = SH_LADDER_STRETCH,
                                   .rate = {1, seconds_apart(c->duration)},
                                   .quality = 75,
                                   .across = SH_LADDER_GRID,
                                   .down = SH_LADDER_GRID};
    int status = add_output(job, SH_LADDER_FRAMES, &output, err);
    if (status == 0)
        output->capture = job->capture_count++;
    return status;
}

int sh_ladder_choose(void *opaque, sh_ladder_choice *choice, sh_err *err)
{
    const sh_ladder_wish *wish = opaque;
    int status = add_videos(choice, wish, err);
    if (status == 0)
        status = add_tracks(choice, wish, err);
    if (status == 0 && !wish->no_thumbnails)
        status = add_thumbnails(choice, err);
    return status;
}
