/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of a job's files. */
#include "base/size.h"
#include "cli/mc_plan.h"
#include "cli/mc_plan_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int short_of_memory(sh_err *err)
{
    return sh_fail(err, SH_E_MEMORY, "memory is short");
}

/* Keeps text in the plan's arena and frees it. */
static const char *keep(sh_mc_plan *plan, char *text)
{
    const char *kept = text ? sh_arena_strdup(plan->arena, text) : NULL;
    free(text);
    return kept;
}

static const sh_mc_output *output_of(const sh_mc_plan *plan, const sh_mc_item *item)
{
    return &plan->job->outputs[item->output];
}

static bool numbered(const sh_mc_plan *plan, const sh_mc_item *item)
{
    return plan->job->groups[item->group].kind == SH_MC_DASH &&
           strstr(output_of(plan, item)->name_modifier, "$Number$") != NULL;
}

/* BASE MOD, and the step of an automatic ladder; number: what $Number$ becomes. */
static const char *stem_of(sh_mc_plan *plan, const sh_mc_item *item, const char *number, sh_err *err)
{
    sh_mc_values values = item->values;
    char *modifier = NULL, step[16] = "";
    values.number = number;
    if (sh_mc_expand(&modifier, output_of(plan, item)->name_modifier, &values, err) < 0)
        return NULL;
    if (item->step)
        snprintf(step, sizeof(step), "_%d", item->step);
    const char *stem = sh_arena_printf(plan->arena, "%s%s%s", plan->places[item->group].base, modifier, step);
    free(modifier);
    return stem;
}

static bool too_long(const char *name, sh_err *err)
{
    if (name && strlen(name) <= 255)
        return false;
    if (name)
        sh_fail(err, SH_E_LIMIT, "a file's name would have %zu bytes; at most 255 are possible",
                strlen(name));
    else
        short_of_memory(err);
    return true;
}

int sh_mc_item_names(sh_mc_plan *plan, sh_mc_item *item, sh_err *err)
{
    const sh_mc_output *o = output_of(plan, item);
    const sh_mc_group *g = &plan->job->groups[item->group];
    sh_arena *arena = plan->arena;
    item->stem = stem_of(plan, item, "", err);
    if (!item->stem)
        return err && err->message[0] ? SH_E_ARGUMENT : short_of_memory(err);
    if (g->hls)
        item->playlist = sh_arena_printf(arena, "%s.m3u8", item->stem);
    if (g->hls && o->iframes && o->video >= 0)
        item->iframes = sh_arena_printf(arena, "%s_I-Frame.m3u8", item->stem);
    if ((g->kind == SH_MC_CMAF || g->kind == SH_MC_DASH) && o->text < 0)
        item->init = sh_arena_printf(arena, "%sinit.%s", item->stem, o->extension);
    if ((g->kind == SH_MC_FILES && o->capture < 0) || (o->text >= 0 && g->dash))
        item->whole = sh_arena_printf(arena, "%s.%s", item->stem, o->extension);
    item->keep_segments = g->kind != SH_MC_FILES ? !(o->text >= 0 && !g->hls) : o->capture >= 0;
    return too_long(item->stem, err) ? SH_E_LIMIT : 0;
}

/* ---- segments ---- */

static const char *make_name(sh_mc_plan *plan, const sh_mc_item *item, int64_t number, int64_t now_ms,
                             sh_err *err)
{
    const sh_mc_output *o = output_of(plan, item);
    sh_mc_values values = item->values;
    char text[24], *modifier = NULL;
    if (numbered(plan, item)) {
        snprintf(text, sizeof(text), "%" PRId64, number);
        const char *stem = stem_of(plan, item, text, err);
        return stem ? sh_arena_printf(plan->arena, "%s.%s", stem, o->extension) : NULL;
    }
    if (o->capture >= 0)
        return sh_arena_printf(plan->arena, "%s.%07" PRId64 ".%s", item->stem, number - 1, o->extension);
    if (plan->job->groups[item->group].kind != SH_MC_HLS) {
        size_t length = strlen(item->stem);
        return sh_arena_printf(plan->arena, "%s%s%09" PRId64 ".%s", item->stem,
                               length && item->stem[length - 1] == '_' ? "" : "_", number, o->extension);
    }
    values.time_ms = now_ms;
    if (sh_mc_expand(&modifier, o->segment_modifier, &values, err) < 0)
        return NULL;
    const char *kept = keep(plan, modifier);
    return kept
               ? sh_arena_printf(plan->arena, "%s%s_%05" PRId64 ".%s", item->stem, kept, number, o->extension)
               : NULL;
}

const char *sh_mc_item_segment(sh_mc_plan *plan, sh_mc_item *item, int64_t number, int64_t now_ms,
                               sh_err *err)
{
    if (number < 1 || number > SH_LADDER_SEGMENTS_MAX * INT64_C(100)) {
        sh_fail(err, SH_E_LIMIT, "segment %" PRId64 " is more than there can be", number);
        return NULL;
    }
    if ((size_t)number > item->name_count) {
        size_t count = (size_t)number + 64;
        char **grown = reallocarray(item->names, count, sizeof(*grown));
        if (!grown) {
            short_of_memory(err);
            return NULL;
        }
        memset(grown + item->name_count, 0, (count - item->name_count) * sizeof(*grown));
        item->names = grown;
        item->name_count = count;
    }
    char **name = &item->names[number - 1];
    if (!*name)
        *name = (char *)make_name(plan, item, number, now_ms, err);
    return !*name || too_long(*name, err) ? NULL : *name;
}

/* ---- collisions ---- */

typedef struct named {
    const sh_mc_place *place;
    const char *name;
} named;

static int compare(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = strcmp(x->place->bucket, y->place->bucket);
    if (order == 0)
        order = strcmp(x->place->prefix, y->place->prefix);
    return order ? order : strcmp(x->name, y->name);
}

static void add(named *list, size_t *count, const sh_mc_place *place, const char *name)
{
    if (name)
        list[(*count)++] = (named){place, name};
}

int sh_mc_plan_check_names(const sh_mc_plan *plan, sh_err *err)
{
    size_t count = 0, room = 6 * plan->item_count + 2 * plan->job->group_count;
    named *list = calloc(room + 1, sizeof(*list));
    char **masters = calloc(2 * plan->job->group_count + 1, sizeof(*masters));
    int status = list && masters ? 0 : short_of_memory(err);
    for (size_t i = 0; i < plan->job->group_count && status == 0; i++) {
        const sh_mc_group *g = &plan->job->groups[i];
        if ((g->hls && asprintf(&masters[2 * i], "%s.m3u8", plan->places[i].base) < 0) ||
            (g->dash && asprintf(&masters[2 * i + 1], "%s.mpd", plan->places[i].base) < 0))
            status = short_of_memory(err);
        add(list, &count, &plan->places[i], masters[2 * i]);
        add(list, &count, &plan->places[i], masters[2 * i + 1]);
    }
    for (size_t i = 0; i < plan->item_count && status == 0; i++) {
        const sh_mc_item *item = &plan->items[i];
        const sh_mc_place *place = &plan->places[item->group];
        add(list, &count, place, item->playlist);
        add(list, &count, place, item->iframes);
        add(list, &count, place, item->init);
        add(list, &count, place, item->whole);
        add(list, &count, place, item->keep_segments && item->name_count ? item->names[0] : NULL);
    }
    if (status == 0)
        qsort(list, count, sizeof(*list), compare);
    for (size_t i = 1; i < count && status == 0; i++)
        if (compare(&list[i - 1], &list[i]) == 0)
            status = sh_fail(err, SH_E_ARGUMENT, "two outputs have the file \"%s%s\"", list[i].place->prefix,
                             list[i].name);
    for (size_t i = 0; masters && i < 2 * plan->job->group_count; i++)
        free(masters[i]);
    free(masters);
    free(list);
    return status;
}
