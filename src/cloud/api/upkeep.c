/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread that sleeps most of the time. Of a scrub, the setting "scrub" keeps when its round began and how
 * far it came: {"began": ms, "after": file, "files": …, "bad": …}, written once a minute; a round that is
 * through has "ended". */
#include "cloud/api/upkeep.h"
#include "base/log.h"
#include "cloud/api/front.h"
#include "cloud/api/logs.h"
#include "cloud/store/object_files.h"
#include "cloud/store/scrub.h"
#include "cloud/store/settings.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 5000, SAVE_MS = 60000, SWEEP = 256, REST_MS = 250 };
#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)

typedef struct upkeep {
    sh_cloud *cloud;
    sh_objects objects;
    sh_scrub_round round;
    int64_t began_ms, ended_ms; /* of the round, wall clock; ended 0: it goes on */
    int64_t saved_ms;           /* monotonic */
    int64_t logs_ms;            /* when old log events are to go, monotonic */
    int64_t ahead;              /* bytes read since the last rest */
} upkeep;

static int64_t steady_ms(void)
{
    return sh_monotonic_us() / 1000;
}

/* ---- what outlives the server ---- */

static int64_t number_of(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(state, name));
}

static void load(upkeep *u)
{
    sh_buf text;
    sh_buf_init(&text, 4096);
    if (sh_settings_get(u->cloud->db, "scrub", &text, NULL) == 0) {
        json_t *state = json_loads(sh_buf_cstr(&text), 0, NULL);
        const char *after = json_string_value(json_object_get(state, "after"));
        u->began_ms = number_of(state, "began");
        u->ended_ms = number_of(state, "ended");
        u->round.files = number_of(state, "files");
        u->round.bytes = number_of(state, "bytes");
        u->round.bad = number_of(state, "bad");
        snprintf(u->round.after, sizeof(u->round.after), "%s", after ? after : "");
        json_decref(state);
    }
    sh_buf_free(&text);
}

static void save(upkeep *u)
{
    sh_err err = {0};
    json_t *state =
        json_pack("{s:I, s:I, s:s, s:I, s:I, s:I}", "began", (json_int_t)u->began_ms, "ended",
                  (json_int_t)u->ended_ms, "after", u->round.after, "files", (json_int_t)u->round.files,
                  "bytes", (json_int_t)u->round.bytes, "bad", (json_int_t)u->round.bad);
    char *text = state ? json_dumps(state, JSON_COMPACT) : NULL;
    if (text && sh_settings_set(u->cloud->db, "scrub", text, &err) < 0)
        sh_log(SH_LOG_WARNING, "scrub", "where the scrub is was not kept: %s", err.message);
    free(text);
    json_decref(state);
    u->saved_ms = steady_ms();
}

/* ---- scrub ---- */

/* A rest after each quarter of a second's bytes. */
static bool pace(void *opaque, size_t length)
{
    upkeep *u = opaque;
    u->ahead += (int64_t)length;
    if (u->ahead < SH_SCRUB_RATE / (1000 / REST_MS))
        return true;
    u->ahead = 0;
    return sh_cloud_wait(u->cloud, 0, steady_ms() + REST_MS);
}

static void on_bad(void *opaque, const sh_scrub_row *row, sh_scrub_verdict verdict)
{
    (void)opaque;
    sh_log(SH_LOG_ERROR, "scrub", "s3://%s/%s%s%s (%s%s): %s", row->bucket ? row->bucket : "?",
           row->key ? row->key : "?", row->kind == 'o' ? "" : " ", row->kind == 'o' ? "" : row->version,
           sh_scrub_folder(row), row->file, sh_scrub_says(verdict));
}

static bool due(const upkeep *u, int64_t now_ms)
{
    return u->began_ms == 0 || now_ms - u->began_ms >= SH_SCRUB_DAYS * DAY_MS || now_ms < u->began_ms;
}

static void scrub(upkeep *u)
{
    sh_err err = {0};
    int64_t now_ms = sh_now_ms(u->cloud->clock);
    if (u->ended_ms || u->began_ms == 0) {
        if (!due(u, now_ms))
            return;
        u->round = (sh_scrub_round){.files = 0};
        u->began_ms = now_ms;
        u->ended_ms = 0;
    }
    int status = sh_scrub_go_on(&u->objects, &u->round, pace, on_bad, u, &err);
    if (status < 0 && status != SH_E_CANCELLED)
        sh_log(SH_LOG_WARNING, "scrub", "files were not read, to be tried again: %s", err.message);
    if (u->round.done) {
        u->ended_ms = sh_now_ms(u->cloud->clock);
        sh_log(u->round.bad ? SH_LOG_ERROR : SH_LOG_INFO, "scrub", "read %lld files, %lld bytes: %lld wrong",
               (long long)u->round.files, (long long)u->round.bytes, (long long)u->round.bad);
    }
    if (u->round.done || steady_ms() - u->saved_ms >= SAVE_MS || sh_cloud_stopping(u->cloud))
        save(u);
}

static void sweep(upkeep *u)
{
    sh_err err = {0};
    bool more = true;
    while (more && !sh_cloud_stopping(u->cloud))
        if (sh_garbage_sweep(&u->objects, SWEEP, &more, &err) < 0) {
            sh_log(SH_LOG_WARNING, "upkeep", "files were not removed, to be tried again: %s", err.message);
            return;
        }
}

/* Log events that their groups keep no longer, once an hour. */
static void prune_logs(upkeep *u)
{
    sh_err err = {0};
    bool more = true;
    if (steady_ms() < u->logs_ms)
        return;
    while (more && !sh_cloud_stopping(u->cloud))
        if (sh_logs_prune(u->cloud, &more, &err) < 0) {
            sh_log(SH_LOG_WARNING, "upkeep", "old log events were not removed, to be tried again: %s",
                   err.message);
            break;
        }
    u->logs_ms = steady_ms() + HOUR_MS;
}

int sh_upkeep_run(sh_cloud *cloud)
{
    upkeep u = {.cloud = cloud, .objects = sh_cloud_objects(cloud), .saved_ms = steady_ms()};
    load(&u);
    while (sh_cloud_wait(cloud, 0, steady_ms() + LOOK_MS)) {
        sweep(&u);
        prune_logs(&u);
        do
            scrub(&u);
        while (!u.ended_ms && !sh_cloud_stopping(cloud) && sh_cloud_wait(cloud, 0, steady_ms() + REST_MS));
    }
    return 0;
}
