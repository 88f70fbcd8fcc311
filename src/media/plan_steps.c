/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/plan_steps.h"
#include "base/size.h"

#include <inttypes.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

/* ---- Dolby Vision ---- */

/* Whether what lies below the enhancement is a picture by itself. Profile 5's, and 10 with compatibility 0,
 * is in a colour space of Dolby's own. Without a record the pictures' tags have to tell. */
static bool has_base(const sh_facts *facts)
{
    if (facts->dolby_profile == 0)
        return facts->colour_told.transfer != AVCOL_TRC_UNSPECIFIED;
    if (facts->dolby_profile == 5)
        return false;
    return facts->dolby_compatibility != 0 || facts->dolby_profile == 7 || facts->dolby_profile == 4;
}

int sh_plan_refuse(plan_making *m)
{
    const sh_facts *facts = m->facts;
    if (!facts->dolby)
        return 0;
    if (!has_base(facts))
        return sh_fail(
            m->err, SH_E_UNSUPPORTED,
            "Dolby Vision profile %d%s: its colours are of Dolby's own kind (IPT-PQ-C2) and only a licensed "
            "decoder makes a picture of them; a version of profile 8, HDR10 or SDR is needed",
            facts->dolby_profile ? facts->dolby_profile : 5,
            facts->dolby_profile ? "" : " (as it seems: the file does not say)");
    /* Where the track has a record of it, the container's losses name it. */
    if (facts->dolby_profile == 0 || !m->muxer)
        sh_plan_lose(m->plan, "Dolby Vision: its dynamic metadata is dropped; the base layer (%s) stays",
                     facts->hdr == SH_HDR_NONE ? "SDR" : sh_hdr_name(facts->hdr));
    return 0;
}

/* ---- interlace ---- */

static void describe_fields(const sh_facts *facts, char *text, size_t size)
{
    const sh_facts_fields *f = &facts->fields;
    const int combed = f->top + f->bottom, clear = combed + f->progressive;
    const char *flags = f->flagged == 0                        ? "progressive"
                        : 10 * f->flagged < 9 * facts->sampled ? "partly interlaced"
                        : 2 * f->flagged_top >= f->flagged     ? "interlaced, top field first"
                                                               : "interlaced, bottom field first";
    if (facts->scan == SH_SCAN_UNKNOWN)
        snprintf(text, size, "too little moves in the sample to tell (%d of %d frames); flagged %s", clear,
                 f->compared, flags);
    else
        snprintf(text, size, "measured: %d of %d frames that move are combed; flagged %s", combed, clear,
                 flags);
}

/* Flags that agree with what was measured tell frame by frame which are interlaced. */
static bool flags_tell(const sh_facts *facts)
{
    const sh_facts_fields *f = &facts->fields;
    const int combed = f->top + f->bottom, clear = combed + f->progressive;
    if (facts->scan != SH_SCAN_MIXED || f->flagged == 0 || f->flagged == facts->sampled || clear == 0)
        return false;
    const int apart = 100 * f->flagged / facts->sampled - 100 * combed / clear;
    return apart > -15 && apart < 15;
}

static void say_telecine(plan_making *m)
{
    const sh_facts *facts = m->facts;
    if (facts->telecine && !m->options->telecine)
        sh_plan_say(m->plan, "telecine", "not reversed",
                    "3:2 pulldown in %d of %d tested runs of frames: --telecine gives back the film's frames",
                    facts->fields.cadence_hits, facts->fields.cadence);
    if (!m->options->telecine)
        return;
    sh_plan_say(m->plan, "telecine", "reversed: four frames of five",
                facts->telecine ? "asked for; 3:2 pulldown in %d of %d tested runs of frames"
                                : "asked for, though only %d of %d tested runs of frames have 3:2 pulldown",
                facts->fields.cadence_hits, facts->fields.cadence);
}

int sh_plan_scan(plan_making *m)
{
    const sh_facts *facts = m->facts;
    sh_plan *plan = m->plan;
    const sh_deinterlace asked = m->options->deinterlace;
    const bool interlaced = sh_facts_interlaced(facts);
    char why[200], what[112];
    describe_fields(facts, why, sizeof(why));
    plan->telecine = m->options->telecine;
    plan->top_field_first = facts->fields_top;
    plan->deinterlace = asked != SH_DEINTERLACE_AUTO ? asked
                        : interlaced                 ? SH_DEINTERLACE_FRAME
                                                     : SH_DEINTERLACE_OFF;
    if (plan->telecine && plan->deinterlace == SH_DEINTERLACE_FIELD)
        return sh_fail(m->err, SH_E_ARGUMENT,
                       "--telecine gives frames back and --deinterlace field makes one of each field: they "
                       "exclude each other");
    if (plan->telecine && facts->bits > 8)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "--telecine works on 8 bits; this file has %d", facts->bits);
    plan->only_flagged =
        plan->deinterlace == SH_DEINTERLACE_FRAME && asked == SH_DEINTERLACE_AUTO && flags_tell(facts);
    const char *order = facts->fields_top ? "top" : "bottom";
    if (plan->deinterlace == SH_DEINTERLACE_OFF)
        snprintf(what, sizeof(what), "%s", interlaced ? "left interlaced" : "nothing to do");
    else if (plan->deinterlace == SH_DEINTERLACE_FIELD)
        snprintf(what, sizeof(what), "deinterlaced, a frame for each field, %s first", order);
    else
        snprintf(what, sizeof(what), "%sdeinterlaced, a frame a frame, %s field first",
                 plan->telecine       ? "what stays combed is "
                 : plan->only_flagged ? "frames that are flagged are "
                                      : "",
                 order);
    sh_plan_say(plan, "interlace", what, "%s%s", asked != SH_DEINTERLACE_AUTO ? "asked for; " : "", why);
    say_telecine(m);
    return 0;
}

/* ---- time ---- */

void sh_plan_time(plan_making *m)
{
    const sh_facts *facts = m->facts;
    sh_plan *plan = m->plan;
    char what[112] = "time stamps kept";
    plan->time_base = facts->time_base;
    plan->rate = facts->rate;
    plan->vfr = facts->vfr;
    plan->frames = facts->frames;
    if (plan->deinterlace == SH_DEINTERLACE_FIELD) {
        plan->time_base = av_mul_q(facts->time_base, (AVRational){1, 2});
        plan->rate = av_mul_q(facts->rate, (AVRational){2, 1});
        plan->frames *= 2;
    } else if (plan->telecine) {
        plan->rate = av_mul_q(facts->rate, (AVRational){4, 5});
        plan->frames = plan->frames / 5 * 4 + plan->frames % 5;
    }
    if (plan->rate.num > 0)
        snprintf(what, sizeof(what), "%.3f frames a second%s", av_q2d(plan->rate),
                 facts->vfr ? " on average, time stamps kept" : "");
    sh_plan_say(
        plan, "rate", what, "%s",
        facts->fields.repeats > 0 ? "soft telecine: the film's frames are there, their times alternate"
        : facts->vfr              ? "the source's frame rate varies"
        : plan->rate.num == facts->rate.num && plan->rate.den == facts->rate.den ? "as the source"
                                                                                 : "follows from the above");
    if (facts->edit_list)
        sh_plan_say(plan, "edit list", "honoured",
                    "%" PRId64 " frames that it hides are left out, the list is written anew",
                    facts->edited_out);
}

/* ---- colour ---- */

static const char *range_name(enum AVColorRange range)
{
    return range == AVCOL_RANGE_JPEG ? "full range" : "limited range";
}

void sh_plan_colour(plan_making *m)
{
    const sh_facts *facts = m->facts;
    sh_plan *plan = m->plan;
    char name[80], what[112];
    plan->colour = facts->colour;
    plan->hdr = facts->hdr;
    plan->has_mastering = facts->has_mastering;
    plan->has_light = facts->has_light;
    plan->mastering = facts->mastering;
    plan->light = facts->light;
    plan->hdr10plus = facts->hdr == SH_HDR_HDR10P;
    plan->captions = facts->captions;
    sh_colour_name(&plan->colour, name);
    snprintf(what, sizeof(what), "%s, %s", name, range_name(plan->colour.range));
    sh_plan_say(plan, "colour", what, "%s%s%s", facts->colour_why[0] ? "assumed: " : "as tagged",
                facts->colour_why,
                facts->colour_conflict ? "; the container says otherwise, the pictures' own tags count" : "");
    if (plan->hdr == SH_HDR_NONE)
        return;
    snprintf(what, sizeof(what), "%s kept", sh_hdr_name(plan->hdr));
    sh_plan_say(plan, "hdr", what, "%s%s%s%s", plan->has_mastering ? "mastering display" : "",
                plan->has_mastering && plan->has_light ? ", " : "", plan->has_light ? "light level" : "",
                plan->hdr10plus                            ? ", dynamic metadata frame by frame"
                : !plan->has_mastering && !plan->has_light ? "there is no metadata beside the tags"
                                                           : "");
}

/* ---- the rest ---- */

void sh_plan_shape(plan_making *m)
{
    const sh_plan *plan = m->plan;
    char what[112];
    const bool same = av_cmp_q(plan->sar, m->facts->sar) == 0;
    snprintf(what, sizeof(what), "pixels of %d:%d", plan->sar.num, plan->sar.den);
    sh_plan_say(m->plan, "shape", what, "%s",
                same ? "as the source: shown in the same shape"
                     : "keeps the shape in which the picture is shown");
}

void sh_plan_advise(plan_making *m)
{
    const sh_facts *facts = m->facts;
    sh_plan *plan = m->plan;
    char what[112];
    if (plan->restore)
        sh_plan_say(plan, "restore", "a network cleans pictures before they are enlarged", "asked for");
    if (plan->grain > 0) {
        snprintf(what, sizeof(what), "of deviation %g is added", plan->grain);
        sh_plan_say(plan, "grain", what, "asked for");
    }
    if (facts->captions && plan->captions)
        sh_plan_say(plan, "captions", "CEA-608/708 kept", "they lie within the pictures' data");
    if (facts->size_changes > 0)
        sh_plan_say(plan, "size", "of the first frame throughout",
                    "%d frames of the sample have another size or format", facts->size_changes);
    if (facts->damages > 0)
        sh_plan_say(plan, "damage",
                    m->options->accept_damage ? "accepted" : "ends the work; --accept-damage goes on",
                    "%d in the sample; %s", facts->damages, facts->damage);
    if (facts->soft)
        sh_plan_say(plan, "advice", "enlarged before, or out of focus",
                    "the picture fills %.0f%% of its width and %.0f%% of its height with detail: scaled down "
                    "first, it would gain more",
                    100 * facts->detail_across, 100 * facts->detail_down);
}

/* ---- canonical text ---- */

static void put_rational(sh_buf *text, const char *name, AVRational value)
{
    sh_buf_printf(text, "%s=%d/%d\n", name, value.num, value.den);
}

static void put_hdr(sh_buf *text, const sh_plan *plan)
{
    sh_buf_printf(text, "hdr=%s\nhdr10plus=%d\ncaptions=%d\n", sh_hdr_name(plan->hdr), plan->hdr10plus,
                  plan->captions);
    if (plan->has_mastering) {
        const AVMasteringDisplayMetadata *d = &plan->mastering;
        sh_buf_printf(text, "mastering=%d,%d", d->has_primaries, d->has_luminance);
        for (int i = 0; i < 6; i++)
            sh_buf_printf(text, ",%d/%d", d->display_primaries[i / 2][i % 2].num,
                          d->display_primaries[i / 2][i % 2].den);
        sh_buf_printf(text, ",%d/%d,%d/%d,%d/%d,%d/%d\n", d->white_point[0].num, d->white_point[0].den,
                      d->white_point[1].num, d->white_point[1].den, d->min_luminance.num,
                      d->min_luminance.den, d->max_luminance.num, d->max_luminance.den);
    }
    if (plan->has_light)
        sh_buf_printf(text, "light=%u,%u\n", plan->light.MaxCLL, plan->light.MaxFALL);
}

/* Numbers with a fraction are put as whole thousandths: no locale. */
static long thousandths(double value)
{
    return (long)(value * 1000 + (value < 0 ? -0.5 : 0.5));
}

int sh_plan_text(const sh_plan *plan, sh_buf *text)
{
    sh_buf_printf(text, "source=%dx%d %s\n", plan->width, plan->height, av_get_pix_fmt_name(plan->format));
    sh_buf_printf(text, "deinterlace=%d\nonly_flagged=%d\ntop_field_first=%d\ntelecine=%d\n",
                  (int)plan->deinterlace, plan->only_flagged, plan->top_field_first, plan->telecine);
    sh_buf_printf(text, "turn=%d\nmirror=%d\nkeep_matrix=%d\nwork=%dx%d\n", plan->turn, plan->mirror,
                  plan->keep_matrix, plan->work_width, plan->work_height);
    put_rational(text, "time_base", plan->time_base);
    put_rational(text, "rate", plan->rate);
    sh_buf_printf(text, "vfr=%d\nscale=%d\nrestore=%d\ngrain=%ld\n", plan->vfr, plan->scale, plan->restore,
                  thousandths(plan->grain));
    sh_buf_printf(text, "out=%dx%d %s\n", plan->out_width, plan->out_height,
                  av_get_pix_fmt_name(plan->out_format));
    put_rational(text, "sar", plan->sar);
    sh_buf_printf(text, "colour=%d,%d,%d,%d,%d\n", plan->colour.primaries, plan->colour.transfer,
                  plan->colour.matrix, plan->colour.range, plan->colour.siting);
    put_hdr(text, plan);
    sh_buf_printf(text, "encoder=%s\ncrf=%ld\npreset=%s\npiece=%d\n", plan->encoder, thousandths(plan->crf),
                  plan->preset, plan->piece_frames);
    return text->failed ? SH_E_MEMORY : 0;
}
