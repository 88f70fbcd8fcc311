/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/facts_json.h"

#include <libavutil/pixdesc.h>
#include <stdio.h>

/* A value that could not be made stands as null; whoever dumps it notices where memory is short. */
static void put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value ? value : json_null());
}

static json_t *text(const char *value)
{
    json_t *made = value && *value ? json_string(value) : NULL;
    return made ? made : json_null();
}

static json_t *ratio(AVRational value, char between)
{
    char words[40];
    if (value.num <= 0 || value.den <= 0)
        return json_null();
    snprintf(words, sizeof(words), "%d%c%d", value.num, between, value.den);
    return json_string(words);
}

static json_t *real_or_null(double value, bool known)
{
    return known ? json_real(value) : json_null();
}

static json_t *count_or_null(int64_t value)
{
    return value > 0 ? json_integer(value) : json_null();
}

static json_t *name_of_colour(const char *name, bool told)
{
    return told ? text(name) : json_null();
}

static json_t *colour_json(const sh_colour *c)
{
    json_t *to = json_object();
    put(to, "primaries",
        name_of_colour(av_color_primaries_name(c->primaries), c->primaries != AVCOL_PRI_UNSPECIFIED));
    put(to, "transfer",
        name_of_colour(av_color_transfer_name(c->transfer), c->transfer != AVCOL_TRC_UNSPECIFIED));
    put(to, "matrix", name_of_colour(av_color_space_name(c->matrix), c->matrix != AVCOL_SPC_UNSPECIFIED));
    put(to, "range",
        c->range == AVCOL_RANGE_JPEG   ? json_string("full")
        : c->range == AVCOL_RANGE_MPEG ? json_string("limited")
                                       : json_null());
    put(to, "siting",
        name_of_colour(av_chroma_location_name(c->siting), c->siting != AVCHROMA_LOC_UNSPECIFIED));
    return to;
}

static json_t *mastering_json(bool has, const AVMasteringDisplayMetadata *m)
{
    if (!has)
        return json_null();
    json_t *to = json_object();
    static const char *const names[] = {"red", "green", "blue"};
    for (int i = 0; i < 3 && m->has_primaries; i++)
        put(to, names[i],
            json_pack("[f,f]", av_q2d(m->display_primaries[i][0]), av_q2d(m->display_primaries[i][1])));
    if (m->has_primaries)
        put(to, "white", json_pack("[f,f]", av_q2d(m->white_point[0]), av_q2d(m->white_point[1])));
    if (m->has_luminance) {
        put(to, "min_luminance", json_real(av_q2d(m->min_luminance)));
        put(to, "max_luminance", json_real(av_q2d(m->max_luminance)));
    }
    return to;
}

static json_t *light_json(bool has, const AVContentLightMetadata *light)
{
    if (!has)
        return json_null();
    return json_pack("{s:I,s:I}", "max_cll", (json_int_t)light->MaxCLL, "max_fall",
                     (json_int_t)light->MaxFALL);
}

/* ---- facts ---- */

static json_t *file_json(const sh_facts *f)
{
    json_t *to = json_object();
    put(to, "container", text(f->container));
    put(to, "container_name", text(f->container_name));
    put(to, "bytes", f->bytes >= 0 ? json_integer(f->bytes) : json_null());
    put(to, "duration", real_or_null((double)f->duration_us / AV_TIME_BASE, f->duration_us > 0));
    put(to, "duration_by", json_string(sh_known_name(f->duration_known)));
    put(to, "start", json_real((double)f->start_us / AV_TIME_BASE));
    put(to, "frames", count_or_null(f->frames));
    put(to, "frames_by", json_string(sh_known_name(f->frames_known)));
    put(to, "edit_list", json_boolean(f->edit_list));
    put(to, "frames_edited_out", json_integer(f->edited_out));
    put(to, "chapters", json_integer(f->chapters));
    put(to, "programs", json_integer(f->programs));
    put(to, "timecode", json_boolean(f->timecode));
    return to;
}

static json_t *video_json(const sh_facts *f)
{
    json_t *to = json_object();
    const double tick = av_q2d(f->time_base);
    put(to, "track", json_integer(f->video));
    put(to, "codec", text(f->codec_name));
    put(to, "profile", text(f->profile));
    put(to, "level", f->level > 0 ? json_integer(f->level) : json_null());
    put(to, "bitrate", count_or_null(f->bitrate));
    put(to, "width", json_integer(f->width));
    put(to, "height", json_integer(f->height));
    put(to, "pixel_format", text(av_get_pix_fmt_name(f->format)));
    put(to, "bits", json_integer(f->bits));
    put(to, "chroma", text(f->chroma));
    put(to, "alpha", json_boolean(f->alpha));
    put(to, "sar", ratio(f->sar, ':'));
    put(to, "sar_told", json_boolean(f->sar_told));
    put(to, "dar", ratio(f->dar, ':'));
    put(to, "rotation", json_integer(f->turn));
    put(to, "mirrored", json_boolean(f->mirror));
    put(to, "rotation_by_quarters", json_boolean(!f->odd_turn));
    put(to, "rate", ratio(f->rate, '/'));
    put(to, "rate_told", ratio(f->rate_told, '/'));
    put(to, "vfr", json_boolean(f->vfr));
    put(to, "step_min", real_or_null((double)f->step_min * tick, f->step_max > 0));
    put(to, "step_max", real_or_null((double)f->step_max * tick, f->step_max > 0));
    put(to, "gaps", json_integer(f->stamp_gaps));
    put(to, "time_base", ratio(f->time_base, '/'));
    put(to, "captions", json_boolean(f->captions));
    return to;
}

static json_t *scan_json(const sh_facts *f)
{
    const sh_facts_fields *n = &f->fields;
    json_t *to = json_object();
    put(to, "interlaced", json_boolean(sh_facts_interlaced(f)));
    put(to, "measured", json_string(sh_scan_name(f->scan)));
    put(to, "top_field_first", json_boolean(f->fields_top));
    put(to, "telecine", json_boolean(f->telecine));
    put(to, "soft_telecine", json_boolean(n->repeats > 0));
    put(to, "frames_compared", json_integer(n->compared));
    put(to, "frames_progressive", json_integer(n->progressive));
    put(to, "frames_top_first", json_integer(n->top));
    put(to, "frames_bottom_first", json_integer(n->bottom));
    put(to, "frames_flagged", json_integer(n->flagged));
    put(to, "frames_flagged_top", json_integer(n->flagged_top));
    put(to, "cadence_runs", json_integer(n->cadence));
    put(to, "cadence_hits", json_integer(n->cadence_hits));
    return to;
}

static json_t *colours_json(const sh_facts *f)
{
    json_t *to = json_object();
    put(to, "tagged", colour_json(&f->colour_told));
    put(to, "taken", colour_json(&f->colour));
    put(to, "assumed", text(f->colour_why));
    put(to, "conflict", json_boolean(f->colour_conflict));
    return to;
}

static json_t *hdr_json(const sh_facts *f)
{
    json_t *to = json_object();
    put(to, "kind", json_string(sh_hdr_name(f->hdr)));
    put(to, "mastering_display", mastering_json(f->has_mastering, &f->mastering));
    put(to, "light_level", light_json(f->has_light, &f->light));
    put(to, "dolby_vision",
        f->dolby
            ? json_pack("{s:i,s:i}", "profile", f->dolby_profile, "compatibility", f->dolby_compatibility)
            : json_null());
    return to;
}

static json_t *dispositions(int disposition)
{
    json_t *list = json_array();
    for (int bit = 0; bit < 31; bit++) {
        const char *name = disposition & 1 << bit ? av_disposition_to_string(1 << bit) : NULL;
        if (name)
            json_array_append_new(list, json_string(name));
    }
    return list;
}

static json_t *track_json(const sh_facts_track *track)
{
    json_t *to = json_object();
    const char *type = av_get_media_type_string((enum AVMediaType)track->type);
    put(to, "index", json_integer(track->index));
    put(to, "type", json_string(type ? type : "unknown"));
    put(to, "codec", text(track->codec_name));
    put(to, "tag", text(track->tag));
    put(to, "language", text(track->language));
    put(to, "title", text(track->title));
    put(to, "dispositions", dispositions(track->disposition));
    put(to, "channels", count_or_null(track->channels));
    put(to, "sample_rate", count_or_null(track->sample_rate));
    put(to, "upscaled", json_boolean(track->chosen));
    return to;
}

static json_t *tracks_json(const sh_facts *f)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < f->track_count && i < SH_FACTS_TRACKS; i++)
        json_array_append_new(list, track_json(&f->tracks[i]));
    return list;
}

static json_t *sample_json(const sh_facts *f)
{
    json_t *to = json_object();
    put(to, "places", json_integer(f->places));
    put(to, "frames", json_integer(f->sampled));
    put(to, "time_stamps", json_integer(f->stamps));
    put(to, "time_stamps_missing", json_integer(f->stamps_missing));
    put(to, "time_stamps_backward", json_integer(f->stamps_backward));
    put(to, "size_changes", json_integer(f->size_changes));
    put(to, "duplicates", json_integer(f->duplicates));
    put(to, "duplicates_of", json_integer(f->duplicates_compared));
    put(to, "detail_across", real_or_null(f->detail_across, f->detail_across >= 0));
    put(to, "detail_down", real_or_null(f->detail_down, f->detail_down >= 0));
    put(to, "enlarged_before", json_boolean(f->soft));
    put(to, "damages", json_integer(f->damages));
    put(to, "damage", text(f->damage));
    return to;
}

json_t *sh_facts_json(const sh_facts *facts)
{
    json_t *to = json_object();
    put(to, "file", file_json(facts));
    put(to, "video", video_json(facts));
    put(to, "scan", scan_json(facts));
    put(to, "colour", colours_json(facts));
    put(to, "hdr", hdr_json(facts));
    put(to, "tracks", tracks_json(facts));
    put(to, "track_count", json_integer(facts->track_count));
    put(to, "sample", sample_json(facts));
    return to;
}

/* ---- plan ---- */

static json_t *notes_json(const sh_plan *plan)
{
    json_t *list = json_array();
    for (int i = 0; i < plan->note_count; i++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "topic", plan->notes[i].topic, "what",
                                              plan->notes[i].what, "why", plan->notes[i].why));
    return list;
}

static json_t *losses_json(const sh_plan *plan)
{
    json_t *list = json_array();
    for (int i = 0; i < plan->loss_count; i++)
        json_array_append_new(list, json_string(plan->losses[i]));
    return list;
}

json_t *sh_plan_json(const sh_plan *plan)
{
    static const char *const deinterlaces[] = {"auto", "off", "frame", "field"};
    json_t *to = json_object();
    put(to, "notes", notes_json(plan));
    put(to, "losses", losses_json(plan));
    put(to, "deinterlace", json_string(deinterlaces[(unsigned)plan->deinterlace % 4]));
    put(to, "top_field_first", json_boolean(plan->top_field_first));
    put(to, "telecine", json_boolean(plan->telecine));
    put(to, "turn", json_integer(plan->turn));
    put(to, "mirror", json_boolean(plan->mirror));
    put(to, "keep_rotation", json_boolean(plan->keep_matrix));
    put(to, "scale", json_integer(plan->scale));
    put(to, "restore", json_boolean(plan->restore));
    put(to, "grain", json_real(plan->grain));
    put(to, "width", json_integer(plan->out_width));
    put(to, "height", json_integer(plan->out_height));
    put(to, "sar", ratio(plan->sar, ':'));
    put(to, "rate", ratio(plan->rate, '/'));
    put(to, "vfr", json_boolean(plan->vfr));
    put(to, "frames", count_or_null(plan->frames));
    put(to, "pixel_format", text(av_get_pix_fmt_name(plan->out_format)));
    put(to, "bits", json_integer(plan->out_bits));
    put(to, "colour", colour_json(&plan->colour));
    put(to, "hdr", json_string(sh_hdr_name(plan->hdr)));
    put(to, "captions", json_boolean(plan->captions));
    put(to, "encoder", text(plan->encoder));
    put(to, "crf", json_real(plan->crf));
    put(to, "preset", text(plan->preset));
    put(to, "piece_frames", json_integer(plan->piece_frames));
    return to;
}
