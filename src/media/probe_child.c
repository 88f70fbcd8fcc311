/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/probe_child.h"
#include "media/avlog.h"
#include "media/facts_json.h"
#include "media/media.h"
#include "media/mux.h"
#include "media/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct probing {
    const sh_probe_child *child;
    const sh_upscale_options *options;
    int channel;
    char name[SH_SHOWN];
    spyhop_model *model, *restore;
    spyhop_model_info info, restore_info;
    const AVOutputFormat *muxer; /* NULL: Y4M */
    sh_facts facts;
    sh_plan plan;
    sh_err refused; /* status 0: there is a plan */
    sh_estimate estimate;
    bool estimated;
} probing;

static int read_model(const void *bytes, size_t size, const char *path, spyhop_model **model,
                      spyhop_model_info *info, sh_err *err)
{
    char name[SH_SHOWN];
    spyhop_error error;
    int status = spyhop_model_parse(model, bytes, size, &error);
    if (status < 0)
        return sh_fail(err, status, "model %s: %s", sh_shown_path(path, name), error.message);
    info->size = sizeof(*info);
    spyhop_model_describe(*model, info);
    return 0;
}

static int read_models(probing *p, sh_err *err)
{
    const sh_probe_child *child = p->child;
    int status = 0;
    if (p->options->model)
        status = read_model(child->model, child->model_size, p->options->model, &p->model, &p->info, err);
    else
        p->info = (spyhop_model_info){
            .scale = 1, .channels = 1, .name = ""}; /* the picture stays as large as it is */
    if (status == 0 && child->restore)
        status = read_model(child->restore, child->restore_size, p->options->restore, &p->restore,
                            &p->restore_info, err);
    return status;
}

/* Where none was named: the container that the source is in, if it is one of those that are written, else
 * Matroska, which holds most. */
static int choose_container(probing *p, const sh_source *source, sh_err *err)
{
    const AVDictionaryEntry *brand = av_dict_get(source->format->metadata, "major_brand", NULL, 0);
    const char *name = "out.mkv";
    if (strstr(source->format->iformat->name, "mov"))
        name = brand && strncmp(brand->value, "qt", 2) == 0 ? "out.mov" : "out.mp4";
    p->muxer = p->child->muxer;
    if (!p->muxer && !p->child->y4m)
        p->muxer = sh_mux_find(name, err);
    return p->muxer || p->child->y4m ? 0 : SH_E_INTERNAL;
}

static int look(probing *p, sh_err *err)
{
    sh_source source = {.name = p->name, .channel = p->channel, .accept_damage = true};
    int status = sh_probe_open(&source, p->child->input, &p->facts, err);
    if (status < 0)
        return status;
    status = choose_container(p, &source, err);
    if (status == 0 && sh_plan_make(&p->facts, p->options, &p->info, p->muxer, &p->plan, &p->refused) == 0)
        sh_plan_add_container(&p->plan, &source, p->muxer);
    sh_source_close(&source);
    return status;
}

/* An estimate that fails is left out: the facts and the plan are what was asked for. */
static void try_some(probing *p)
{
    sh_err err = {0};
    const sh_estimate_job job = {.fd = p->child->input,
                                 .channel = p->channel,
                                 .name = p->name,
                                 .facts = &p->facts,
                                 .plan = &p->plan,
                                 .options = p->options,
                                 .muxer = p->muxer,
                                 .model = p->model,
                                 .restore = p->restore,
                                 .macs_per_pixel = p->info.macs_per_pixel + p->restore_info.macs_per_pixel};
    if (p->refused.status < 0 || !p->child->job->estimate)
        return;
    p->estimated = sh_estimate_make(&job, &p->estimate, &err) == 0;
    if (!p->estimated)
        sh_plan_say(&p->plan, "estimate", "none", "the trial failed: %s", err.message);
}

static json_t *estimate_json(const probing *p)
{
    const sh_estimate *e = &p->estimate;
    if (!p->estimated)
        return json_null();
    return json_pack("{s:o,s:o,s:I,s:i,s:f,s:f,s:f}", "seconds",
                     e->seconds >= 0 ? json_real(e->seconds) : json_null(), "bytes",
                     e->bytes >= 0 ? json_integer(e->bytes) : json_null(), "frames", (json_int_t)e->frames,
                     "sampled", e->sampled, "decode_ms", 1e3 * e->decode, "engine_ms", 1e3 * e->engine,
                     "encode_ms", 1e3 * e->encode);
}

static json_t *whole(const probing *p)
{
    json_t *facts = sh_facts_json(&p->facts);
    json_t *to = json_pack("{s:s,s:s,s:s,s:{s:s,s:i,s:I}}", "type", "probe", "input", p->name, "output",
                           p->muxer ? p->muxer->name : "y4m", "model", "name", p->info.name, "scale",
                           p->info.scale, "macs_per_pixel", (json_int_t)p->info.macs_per_pixel);
    const bool good =
        to && facts && json_object_update(to, facts) == 0 &&
        json_object_set_new(to, "plan", p->refused.status ? json_null() : sh_plan_json(&p->plan)) == 0 &&
        json_object_set_new(to, "refused",
                            p->refused.status ? json_string(p->refused.message) : json_null()) == 0 &&
        json_object_set_new(to, "estimate", estimate_json(p)) == 0;
    json_decref(facts);
    if (good)
        return to;
    json_decref(to);
    return NULL;
}

static int send(const probing *p, sh_err *err)
{
    json_t *object = whole(p);
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    size_t left = text ? strlen(text) : 0;
    int status = text ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short for the report");
    for (const char *at = text; status == 0 && left > 0;) {
        sh_message message = {.kind = SH_MSG_DATA};
        const size_t length = left < sizeof(message.text) - 1 ? left : sizeof(message.text) - 1;
        memcpy(message.text, at, length);
        message.number[0] = (int64_t)length;
        if (sh_channel_send(p->channel, &message) < 0)
            status = sh_fail(err, SH_E_IO, "the report cannot be handed over");
        at += length;
        left -= length;
    }
    free(text);
    json_decref(object);
    return status;
}

int sh_probe_child_main(void *opaque, int channel, sh_err *err)
{
    probing *p = calloc(1, sizeof(*p));
    if (!p)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    p->child = opaque;
    p->options = p->child->job->options;
    p->channel = channel;
    sh_shown_path(p->options->input, p->name);
    sh_avlog_start(channel);
    int status = read_models(p, err);
    if (status == 0)
        status = look(p, err);
    if (status == 0) {
        try_some(p);
        status = send(p, err);
    }
    sh_avlog_stop();
    spyhop_model_free(&p->model);
    spyhop_model_free(&p->restore);
    free(p);
    return status;
}
