/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stream_report.h"
#include "cli/stream_tracks.h"
#include "media/ladder_choose.h"
#include "media/ledger.h"

#include <jansson.h>
#include <spyhop/spyhop.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_MAX ((size_t)16 << 20)

static void put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value ? value : json_null());
}

static json_t *colour_json(const sh_colour *c)
{
    return json_pack("{s:i,s:i,s:i,s:b}", "primaries", (int)c->primaries, "transfer", (int)c->transfer,
                     "matrix", (int)c->matrix, "full_range", c->range == AVCOL_RANGE_JPEG);
}

static const char *codec_name(int codec)
{
    return codec == AV_CODEC_ID_HEVC ? "hvc1" : codec == AV_CODEC_ID_AV1 ? "av01" : "avc1";
}

/* Every picture that was made; where some are left out by plan, those that were encoded. */
static int64_t planned_frames(const sh_ladder_result *r)
{
    for (size_t i = 0; i < r->track_count; i++)
        if (r->tracks[i].video >= 0 && sh_ladder_id_flags(r->tracks[i].id) & SH_LADDER_IS_THINNED)
            return r->tracks[i].pictures;
    return r->frames;
}

static void add_track(json_t *plan, const sh_ladder_result *r, const sh_ladder_track *t)
{
    const sh_ladder_file file = {
        .kind = t->kind, .video = t->video, .audio = t->audio, .text = t->text, .capture = t->capture};
    char name[SH_STREAM_NAME];
    sh_stream_folder_of(&file, name);
    if (t->segment_count == 0)
        return;
    if (t->kind == SH_LADDER_FRAMES)
        put(plan, "thumbnails",
            json_pack("{s:s,s:I,s:i,s:i}", "name", name, "pictures", (json_int_t)t->tiles, "width", t->width,
                      "height", t->height));
    else if (t->kind == SH_LADDER_VTT)
        json_array_append_new(json_object_get(plan, "text"),
                              json_pack("{s:s,s:s}", "name", name, "language", t->language));
    else if (t->video >= 0)
        json_array_append_new(json_object_get(plan, "video"),
                              json_pack("{s:s,s:I,s:i,s:i,s:s,s:i,s:o}", "name", name, "frames",
                                        (json_int_t)planned_frames(r), "width", t->width, "height", t->height,
                                        "codec", codec_name(t->codec), "bits", t->bits, "colour",
                                        colour_json(&t->colour)));
    else
        json_array_append_new(json_object_get(plan, "audio"),
                              json_pack("{s:s,s:i,s:i,s:s}", "name", name, "channels", t->channels,
                                        "sample_rate", t->sample_rate, "language", t->language));
}

static json_t *stills_json(const sh_stills *stills, sh_still_kind kind)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < stills->count; i++)
        if (stills->list[i].kind == kind)
            json_array_append_new(runs, json_pack("[f,f]", (double)stills->list[i].from / 1e6,
                                                  (double)stills->list[i].to / 1e6));
    return runs;
}

static json_t *plan_json(const sh_ladder_result *r)
{
    json_t *plan = json_pack("{s:I,s:f,s:[],s:[],s:[]}", "frames", (json_int_t)planned_frames(r), "duration",
                             r->duration, "video", "audio", "text");
    put(plan, "source",
        json_pack("{s:o,s:o}", "black", stills_json(&r->stills, SH_STILL_BLACK), "frozen",
                  stills_json(&r->stills, SH_STILL_FROZEN)));
    for (size_t i = 0; plan && i < r->track_count; i++)
        add_track(plan, r, &r->tracks[i]);
    return plan;
}

static int dump(sh_buf *out, json_t *value, size_t flags, sh_err *err)
{
    char *text = value ? json_dumps(value, flags) : NULL;
    int status = text ? sh_buf_puts(out, text) : SH_E_MEMORY;
    free(text);
    json_decref(value);
    return status < 0 ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}

int sh_stream_report_plan(sh_buf *out, const sh_ladder_result *result, sh_err *err)
{
    return dump(out, plan_json(result), JSON_COMPACT, err);
}

static json_t *ledger_json(const sh_ladder_result *r)
{
    const sh_report_sums *s = &r->sums;
    json_t *to = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "frames_in", (json_int_t)s->frames_in,
                           "frames_out", (json_int_t)r->frames, "packets_lost", (json_int_t)s->packets_lost,
                           "checked", (json_int_t)r->checked, "redone", (json_int_t)r->redone, "damages",
                           (json_int_t)r->damages, "not_made_twice", (json_int_t)s->duplicates);
    for (int i = 0; to && i < SH_FATES; i++)
        put(to, sh_fate_name(i), json_integer(s->fates[i]));
    return to;
}

/* "what: value" lines as an object. */
static json_t *settings_json(const char *lines)
{
    json_t *to = json_object();
    for (const char *line = lines; line && *line;) {
        const size_t length = strcspn(line, "\n"), colon = strcspn(line, ":");
        if (colon + 2 <= length) {
            char key[100];
            snprintf(key, sizeof(key), "%.*s", (int)colon, line);
            put(to, key, json_stringn(line + colon + 2, length - colon - 2));
        }
        line += length + (line[length] == '\n');
    }
    return to;
}

static json_t *check_json(const sh_stream_report *report, sh_err *err)
{
    sh_buf text;
    json_t *made = NULL;
    sh_buf_init(&text, CHECK_MAX);
    if (sh_stream_report_json(&text, report, "", err) == 0)
        made = json_loads(sh_buf_cstr(&text), 0, NULL);
    sh_buf_free(&text);
    return made;
}

int sh_stream_report_write(sh_buf *out, const sh_stream_certificate *c, sh_err *err)
{
    json_t *known = c->result->facts ? json_loads(c->result->facts, 0, NULL) : NULL;
    json_t *to = json_object();
    put(to, "spyhop", json_string(spyhop_version()));
    put(to, "version", json_string(c->version));
    put(to, "source", json_string(c->source));
    put(to, "settings", settings_json(c->settings));
    put(to, "plan", plan_json(c->result));
    put(to, "facts", json_incref(json_object_get(known, "facts")));
    put(to, "decisions", json_incref(json_object_get(known, "plan")));
    put(to, "ledger", ledger_json(c->result));
    put(to, "check", check_json(c->check, err));
    json_decref(known);
    int status = dump(out, to, JSON_INDENT(1), err);
    return status == 0 ? sh_buf_putc(out, '\n') : status;
}
