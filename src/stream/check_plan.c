/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream against what it was meant to be (check.h says what a plan is), and what its decoded pictures say.
 */
#include "stream/check_inner.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUN_SLACK 0.25 /* seconds by which runs in source and stream may differ at either end */

/* ---- decoding ---- */

typedef struct part_reader {
    sh_checker *c;
    const sh_check_track *track;
} part_reader;

static int read_part(void *opaque, size_t index, const uint8_t **bytes, size_t *size, sh_err *err)
{
    const part_reader *r = opaque;
    const sh_check_track *t = r->track;
    if (t->init && index == 0) {
        *bytes = t->init->raw;
        *size = t->init->raw_size;
        return 0;
    }
    const sh_check_segment *s = &t->segments[index - (t->init ? 1 : 0)];
    const sh_buf *whole = s->file ? sh_check_bytes(r->c, t->manifest, s->line, s->file->name, false) : NULL;
    if (!whole)
        return sh_fail(err, SH_E_NOT_FOUND, "segment %zu is not there", index);
    const size_t from = s->length >= 0 ? (size_t)s->from : 0;
    const size_t length = s->length >= 0 ? (size_t)s->length : whole->length;
    if (from > whole->length || length > whole->length - from)
        return sh_fail(err, SH_E_FORMAT, "segment %zu reaches past its file", index);
    *bytes = (const uint8_t *)sh_buf_cstr(whole) + from;
    *size = length;
    return 0;
}

static const json_t *plan_runs(const json_t *plan, const char *name)
{
    return json_object_get(json_object_get(plan, "source"), name);
}

/* Whether the source has a run of the kind that holds [from, to] within the slack. Runs are in order, those
 * asked for too, so *at only goes up. */
static bool source_has(const json_t *runs, size_t *at, double from, double to)
{
    while (*at < json_array_size(runs) &&
           json_number_value(json_array_get(json_array_get(runs, *at), 1)) < to - RUN_SLACK)
        ++*at;
    return *at < json_array_size(runs) &&
           json_number_value(json_array_get(json_array_get(runs, *at), 0)) <= from + RUN_SLACK;
}

static void run_rules(sh_checker *c, const sh_check_track *t, sh_rule rule, const json_t *runs,
                      const sh_stream_run *found, size_t count)
{
    if (!json_is_array(runs))
        return;
    for (size_t i = 0, at = 0; i < count; i++)
        if (!source_has(runs, &at, found[i].from, found[i].to))
            sh_check_find(c, rule, t->name, 0, -1, "%s from %.3f to %.3f s; the source has no such run there",
                          rule == SH_RULE_PLAN_BLACK ? "black" : "frozen", found[i].from, found[i].to);
}

static void decode_track(sh_checker *c, const sh_check_track *t, const json_t *plan)
{
    part_reader reader = {c, t};
    const sh_stream_track_bytes bytes = {t->name, !t->init, t->count + (t->init ? 1 : 0), read_part, &reader};
    sh_stream_decoded *d = calloc(1, sizeof(*d));
    sh_err why = {0};
    if (!d) {
        sh_check_memory(c);
        return;
    }
    const int status = c->options->decode(c->options->decode_opaque, &bytes, d, &why);
    if (status == SH_E_FORMAT || status == SH_E_NOT_FOUND)
        sh_check_find(c, SH_RULE_DECODE, t->name, 0, -1, "%s", why.message);
    else if (status < 0)
        c->status = c->status < 0 ? c->status : sh_fail(c->err, status, "%s", why.message);
    else if (d->damaged > 0)
        sh_check_find(c, SH_RULE_DECODE, t->name, 0, -1, "%" PRId64 " pictures are damaged", d->damaged);
    else if (d->frames != t->samples)
        sh_check_find(c, SH_RULE_DECODE_COUNT, t->name, 0, -1,
                      "%" PRId64 " pictures came out of the decoder, %" PRId64 " samples went in", d->frames,
                      t->samples);
    if (status == 0) {
        run_rules(c, t, SH_RULE_PLAN_BLACK, plan_runs(plan, "black"), d->black, d->black_count);
        run_rules(c, t, SH_RULE_PLAN_FROZEN, plan_runs(plan, "frozen"), d->frozen, d->frozen_count);
    }
    free(d);
}

/* ---- what a plan may be ---- */

/* A key of the plan or of an object in it; 'i' whole number, 's' string, 'o' object, 'l' list. Keys that are
 * not here say nothing to the checker. */
typedef struct plan_key {
    const char *name;
    char kind;
} plan_key;

static const plan_key plan_keys[] = {{"frames", 'i'}, {"video", 'l'},  {"audio", 'l'}, {"text", 'l'},
                                     {"colour", 'o'}, {"source", 'o'}, {NULL, 0}};
static const plan_key row_keys[] = {
    {"name", 's'},   {"frames", 'i'},   {"width", 'i'},       {"height", 'i'},   {"codec", 's'},
    {"colour", 'o'}, {"channels", 'i'}, {"sample_rate", 'i'}, {"language", 's'}, {NULL, 0}};
static const plan_key colour_keys[] = {
    {"primaries", 'i'}, {"transfer", 'i'}, {"matrix", 'i'}, {"full_range", 'b'}, {NULL, 0}};
static const plan_key source_keys[] = {{"black", 'l'}, {"frozen", 'l'}, {NULL, 0}};

static bool is_of_kind(const json_t *value, char kind)
{
    switch (kind) {
    case 'i':
        return json_is_integer(value);
    case 's':
        return json_is_string(value);
    case 'b':
        return json_is_boolean(value);
    case 'o':
        return json_is_object(value);
    default:
        return json_is_array(value);
    }
}

static const char *kind_words(char kind)
{
    return kind == 'i'   ? "a whole number"
           : kind == 's' ? "a string"
           : kind == 'b' ? "true or false"
           : kind == 'o' ? "an object"
                         : "a list";
}

/* The number of known keys in the object `where`, or an error. */
static int check_keys(const json_t *object, const plan_key *keys, const char *where, sh_err *err)
{
    int known = 0;
    if (!json_is_object(object))
        return sh_fail(err, SH_E_FORMAT, "the plan: %s has to be an object", where);
    for (; keys->name; keys++) {
        const json_t *value = json_object_get(object, keys->name);
        if (!value || json_is_null(value))
            continue;
        if (!is_of_kind(value, keys->kind))
            return sh_fail(err, SH_E_FORMAT, "the plan: %s in %s has to be %s", keys->name, where,
                           kind_words(keys->kind));
        known++;
    }
    return known;
}

static int check_colour(const json_t *object, const char *where, sh_err *err)
{
    const json_t *colour = json_object_get(object, "colour");
    return json_is_object(colour) ? check_keys(colour, colour_keys, where, err) : 0;
}

static int check_rows(const json_t *plan, const char *key, sh_err *err)
{
    size_t i;
    json_t *row;
    char where[64];
    int status = 0;
    json_array_foreach(json_object_get(plan, key), i, row)
    {
        snprintf(where, sizeof(where), "%s[%zu]", key, i);
        status = check_keys(row, row_keys, where, err);
        if (status >= 0)
            status = check_colour(row, where, err);
        if (status < 0)
            return status;
    }
    return 0;
}

static int check_runs(const json_t *source, const char *key, sh_err *err)
{
    size_t i;
    json_t *run;
    double before = -1;
    json_array_foreach(json_object_get(source, key), i, run)
    {
        if (json_array_size(run) != 2 || !json_is_number(json_array_get(run, 0)) ||
            !json_is_number(json_array_get(run, 1)))
            return sh_fail(err, SH_E_FORMAT, "the plan: source.%s[%zu] has to be [from, to] in seconds", key,
                           i);
        if (json_number_value(json_array_get(run, 1)) < before)
            return sh_fail(err, SH_E_FORMAT, "the plan: source.%s[%zu] ends before the one in front of it",
                           key, i);
        before = json_number_value(json_array_get(run, 1));
    }
    return 0;
}

/* A plan that cannot be understood, or that says nothing, is no plan that a stream keeps to. */
static int check_shape(const json_t *plan, sh_err *err)
{
    static const char *const lists[] = {"video", "audio", "text"};
    const json_t *source = json_object_get(plan, "source");
    int status = check_keys(plan, plan_keys, "the plan", err);
    if (status == 0)
        return sh_fail(
            err, SH_E_FORMAT,
            "the plan says nothing that can be checked: it has none of frames, video, audio, text, "
            "colour and source");
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && status >= 0; i++)
        status = check_rows(plan, lists[i], err);
    if (status >= 0)
        status = check_colour(plan, "the plan", err);
    if (status >= 0 && json_is_object(source))
        status = check_keys(source, source_keys, "source", err);
    if (status >= 0)
        status = check_runs(source, "black", err);
    return status >= 0 ? check_runs(source, "frozen", err) : status;
}

static json_t *load(sh_checker *c)
{
    json_error_t error;
    sh_err why = {0};
    if (!c->options->plan)
        return NULL;
    json_t *root = json_loadb(c->options->plan, c->options->plan_length, JSON_REJECT_DUPLICATES, &error);
    json_t *inner = json_object_get(root, "plan"), *plan = inner ? inner : root;
    int status = !root ? sh_fail(&why, SH_E_FORMAT, "the plan, line %d column %d: %s", error.line,
                                 error.column, error.text)
                       : check_shape(plan, &why);
    if (status >= 0)
        json_incref(plan);
    else if (c->status == 0)
        c->status = sh_fail(c->err, status, "%s", why.message);
    json_decref(root);
    return status >= 0 ? plan : NULL;
}

/* The tracks of HLS; of DASH where there is no HLS. */
static bool counts(const sh_checker *c, const sh_check_track *t)
{
    return t->dash != c->saw_hls && !t->iframes;
}

void sh_check_decode_all(sh_checker *c)
{
    json_t *plan = load(c);
    for (size_t i = 0; i < c->track_count && c->status == 0; i++)
        if (counts(c, c->tracks[i]) && c->tracks[i]->video && c->tracks[i]->measured)
            decode_track(c, c->tracks[i], plan);
    json_decref(plan);
}

/* ---- tracks ---- */

static bool is_kind(const sh_check_track *t, char kind)
{
    return kind == 'v' ? t->video : kind == 'a' ? t->audio && !t->video : t->text || t->declared == 't';
}

static size_t count_kind(const sh_checker *c, char kind)
{
    size_t n = 0;
    for (size_t i = 0; i < c->track_count; i++)
        n += counts(c, c->tracks[i]) && is_kind(c->tracks[i], kind);
    return n;
}

static const sh_check_track *planned(const sh_checker *c, char kind, const json_t *row, size_t index)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    size_t n = 0;
    for (size_t i = 0; i < c->track_count; i++) {
        const sh_check_track *t = c->tracks[i];
        if (!counts(c, t) || !is_kind(t, kind))
            continue;
        if (name ? strcmp(t->folder, name) == 0 : n == index)
            return t;
        n++;
    }
    return NULL;
}

static void number_rule(sh_checker *c, sh_rule rule, const sh_check_track *t, const json_t *row,
                        const char *key, int64_t measured)
{
    const json_t *wanted = json_object_get(row, key);
    if (json_is_integer(wanted) && json_integer_value(wanted) != measured)
        sh_check_find(c, rule, t->name, 0, -1, "%s is %" PRId64 ", planned were %" PRId64, key, measured,
                      (int64_t)json_integer_value(wanted));
}

static void colour_rule(sh_checker *c, const sh_check_track *t, const json_t *colour)
{
    const sh_cicp *k = &t->format.colour;
    const json_t *full = json_object_get(colour, "full_range");
    if (!json_is_object(colour))
        return;
    number_rule(c, SH_RULE_PLAN_COLOUR, t, colour, "primaries", k->primaries);
    number_rule(c, SH_RULE_PLAN_COLOUR, t, colour, "transfer", k->transfer);
    number_rule(c, SH_RULE_PLAN_COLOUR, t, colour, "matrix", k->matrix);
    if (json_is_boolean(full) && json_is_true(full) != k->full_range)
        sh_check_find(c, SH_RULE_PLAN_COLOUR, t->name, 0, -1, "the range is %s, planned was %s",
                      k->full_range ? "full" : "limited", json_is_true(full) ? "full" : "limited");
}

static void video_rules(sh_checker *c, const sh_check_track *t, const json_t *row, const json_t *plan)
{
    const json_t *colour = json_object_get(row, "colour");
    const char *codec = json_string_value(json_object_get(row, "codec"));
    number_rule(c, SH_RULE_PLAN_FRAMES, t, json_object_get(row, "frames") ? row : plan, "frames", t->samples);
    number_rule(c, SH_RULE_PLAN_PICTURE, t, row, "width", t->format.width);
    number_rule(c, SH_RULE_PLAN_PICTURE, t, row, "height", t->format.height);
    if (codec && strncmp(t->format.video_codec, codec, strlen(codec)) != 0)
        sh_check_find(c, SH_RULE_PLAN_PICTURE, t->name, 0, -1, "the codec is %s, planned was %s",
                      t->format.video_codec, codec);
    colour_rule(c, t, colour ? colour : json_object_get(plan, "colour"));
}

static void audio_rules(sh_checker *c, const sh_check_track *t, const json_t *row)
{
    const char *language = json_string_value(json_object_get(row, "language"));
    number_rule(c, SH_RULE_PLAN_AUDIO, t, row, "channels", t->format.channels);
    number_rule(c, SH_RULE_PLAN_AUDIO, t, row, "sample_rate", t->format.sample_rate);
    if (language && strlen(language) == 3 && t->init && strcmp(t->format.language, language) != 0)
        sh_check_find(c, SH_RULE_PLAN_AUDIO, t->name, 0, -1, "the language is %s, planned was %s",
                      t->format.language, language);
}

static void list_rules(sh_checker *c, const json_t *plan, const char *key, char kind)
{
    const json_t *list = json_object_get(plan, key);
    size_t i;
    json_t *row;
    if (!json_is_array(list)) {
        for (i = 0; kind == 'v' && i < c->track_count; i++)
            if (counts(c, c->tracks[i]) && c->tracks[i]->video)
                video_rules(c, c->tracks[i], NULL, plan);
        return;
    }
    if (json_array_size(list) != count_kind(c, kind))
        sh_check_find(c, SH_RULE_PLAN_TRACKS, "", 0, -1, "there are %zu tracks of %s, planned were %zu",
                      count_kind(c, kind), key, json_array_size(list));
    json_array_foreach((json_t *)list, i, row)
    {
        const sh_check_track *t = planned(c, kind, row, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        if (!t && name && json_array_size(list) == count_kind(c, kind))
            sh_check_find(c, SH_RULE_PLAN_TRACKS, "", 0, -1, "there is no track %s", name);
        if (t && kind == 'v')
            video_rules(c, t, row, plan);
        else if (t && kind == 'a')
            audio_rules(c, t, row);
    }
}

void sh_check_plan(sh_checker *c)
{
    json_t *plan = load(c);
    if (!plan)
        return;
    list_rules(c, plan, "video", 'v');
    list_rules(c, plan, "audio", 'a');
    list_rules(c, plan, "text", 't');
    json_decref(plan);
}
