/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mc_make.h"
#include "base/clock.h"
#include "base/log.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct maker {
    const sh_mc_work_order *order;
    sh_mc_plan *plan;
    sh_ladder_result results[SH_MC_PASSES];
    size_t pass; /* that is made */
    int percent; /* told */
    char phase[16];
} maker;

int sh_mc_code(int status)
{
    switch (status) {
    case SH_E_FORMAT:
    case SH_E_NOT_FOUND:
        return SH_MC_CODE_INPUT;
    case SH_E_ARGUMENT:
    case SH_E_UNSUPPORTED:
    case SH_E_LIMIT:
        return SH_MC_CODE_SETTINGS;
    default:
        return SH_MC_CODE_INTERNAL;
    }
}

/* ---- what the ladder says ---- */

static void tell(maker *m, int percent, int64_t frames, const char *phase)
{
    if (percent == m->percent && strcmp(phase, m->phase) == 0)
        return;
    m->percent = percent;
    snprintf(m->phase, sizeof(m->phase), "%s", phase);
    if (m->order->progress)
        m->order->progress(m->order->opaque, percent, frames, phase);
}

static void on_progress(void *opaque, const sh_ladder_progress *progress)
{
    maker *m = opaque;
    double part = ((double)m->pass + progress->fraction) / (double)m->plan->pass_count;
    tell(m, (int)(99 * (part > 1 ? 1 : part)), progress->encoded,
         progress->phase == SH_LADDER_PROBING && m->pass == 0 ? "PROBING" : "TRANSCODING");
}

static void on_log(void *opaque, int level, const char *text)
{
    const maker *m = opaque;
    if (level <= SH_LOG_WARNING && m->order->warning)
        m->order->warning(m->order->opaque, text);
}

static void on_probe_log(void *opaque, int level, const char *text)
{
    on_log(opaque, level, text);
}

static const char *name_of(maker *m, sh_mc_item *item, const sh_ladder_file *file, sh_err *err)
{
    if (file->role == SH_LADDER_INIT)
        return item->init;
    if (file->role == SH_LADDER_WHOLE)
        return item->whole;
    if (!item->keep_segments)
        return NULL;
    return sh_mc_item_segment(m->plan, item, file->number, sh_now_ms(&sh_clock_system), err);
}

/* What no manifest names goes nowhere. */
static int on_open(void *opaque, const sh_ladder_file *file, sh_err *err)
{
    maker *m = opaque;
    char path[PATH_MAX];
    if (file->id < 0 || (size_t)file->id >= m->plan->item_count)
        return sh_fail(err, SH_E_INTERNAL, "a file of no output");
    sh_mc_item *item = &m->plan->items[file->id];
    sh_err why = {0};
    const char *name = name_of(m, item, file, &why);
    if (!name && why.status < 0)
        return sh_fail(err, why.status, "%s", why.message);
    int length = name ? snprintf(path, sizeof(path), "%s/%s", m->order->folders[item->group], name)
                      : snprintf(path, sizeof(path), "/dev/null");
    if (length < 0 || length >= PATH_MAX)
        return sh_fail(err, SH_E_LIMIT, "the path of \"%.80s\" is too long", name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? sh_fail_errno(err, errno, "cannot make %s", name) : fd;
}

/* ---- the work ---- */

static int make_pass(maker *m, sh_err *err)
{
    sh_ladder_job *ladder = &m->plan->ladders[m->pass];
    ladder->input = m->order->input;
    ladder->input_fd = -1;
    ladder->options.input = m->order->input;
    ladder->open = on_open;
    ladder->progress = on_progress;
    ladder->log = on_log;
    ladder->opaque = m;
    return sh_ladder_make(&m->results[m->pass], ladder, err);
}

int sh_mc_make(sh_mc_made *made, sh_mc_plan **plan, const sh_mc_work_order *order, int *code, sh_err *err)
{
    maker m = {.order = order, .percent = -1};
    sh_mc_source source;
    tell(&m, 0, 0, "PROBING");
    int status = sh_mc_source_look(&source, order->input, order->job, on_probe_log, &m, err);
    *code = sh_mc_code(status);
    if (status == 0) {
        status =
            sh_mc_plan_make(&m.plan, order->job, &source, order->time_ms, order->warning, order->opaque, err);
        *code = status == SH_E_NOT_FOUND ? SH_MC_CODE_SETTINGS : sh_mc_code(status);
    }
    for (m.pass = 0; status == 0 && m.pass < m.plan->pass_count; m.pass++) {
        status = make_pass(&m, err);
        *code = sh_mc_code(status);
    }
    if (status == 0) {
        tell(&m, 99, m.results[0].frames, "TRANSCODING");
        status =
            sh_mc_made_finish(made, m.plan, m.results, order->folders, order->warning, order->opaque, err);
        *code = SH_MC_CODE_INTERNAL;
    }
    for (size_t i = 0; i < SH_MC_PASSES; i++)
        sh_ladder_result_free(&m.results[i]);
    if (status < 0)
        sh_mc_plan_free(m.plan);
    else
        *plan = m.plan;
    if (status == 0)
        m.plan->source = NULL;
    return status;
}
