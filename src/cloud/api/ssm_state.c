/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a command's rows, whoever makes them: each in one transaction with what follows from it. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/agent.h"
#include "cloud/api/ssm_run.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_MEMORY = 8 << 20 };

bool sh_ssm_is_open(const char *status)
{
    static const char *const open[] = {"Pending", "InProgress", "Delayed", "Cancelling"};
    for (size_t i = 0; i < SH_COUNT(open); i++)
        if (strcmp(open[i], status) == 0)
            return true;
    return false;
}

int sh_ssm_save(sh_cloud *cloud, const sh_invocation *row, const char *expected, sh_err *err)
{
    int status = sh_db_begin(cloud->db, err);
    if (status < 0)
        return status;
    status = sh_invocation_save(cloud->db, row, expected, err);
    if (status == 0 && !sh_ssm_is_open(row->status))
        status = sh_handout_delete(cloud->db, row->id, row->instance, err);
    if (status == 0)
        status = sh_ssm_changed(cloud, row->id, row->instance, err);
    status = sh_db_end(cloud->db, status, err);
    if (status == 0)
        sh_cloud_wake(cloud, SH_WAKE_FLOWS | SH_WAKE_EVENTS | SH_WAKE_NODES);
    return status;
}

static int end_row(sh_cloud *cloud, sh_arena *arena, const sh_invocation *end, const char *message,
                   sh_err *err)
{
    sh_invocation row;
    int status = sh_invocation_get(cloud->db, arena, end->id, end->instance, &row, err);
    if (status < 0 || !sh_ssm_is_open(row.status))
        return status;
    const char *before = row.status;
    row.status = end->status;
    row.details = end->details;
    row.code = end->code;
    row.end_ms = sh_now_ms(cloud->clock);
    row.out = "";
    row.err = message;
    sh_log(SH_LOG_INFO, "ssm", "command %s on %s: %s%s%s", row.id, row.instance, row.details,
           *message ? ": " : "", message);
    return sh_ssm_save(cloud, &row, before, err);
}

int sh_ssm_end(sh_cloud *cloud, const char *command, const char *instance, const char *status,
               const char *details, int code, const char *message, sh_err *err)
{
    const sh_invocation end = {
        .id = command, .instance = instance, .status = status, .details = details, .code = code};
    sh_arena *arena = sh_arena_new(ROW_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a command");
    int result = sh_db_begin(cloud->db, err);
    if (result == 0)
        result = sh_db_end(cloud->db, end_row(cloud, arena, &end, message, err), err);
    sh_arena_free(arena);
    return result;
}

/* ---- MaxConcurrency and MaxErrors ---- */

int64_t sh_ssm_share(const json_t *request, const char *name, int64_t fallback, int64_t total, int64_t least)
{
    int64_t number;
    const char *text = json_string_value(json_object_get(request, name));
    size_t length = text ? strlen(text) : 0;
    bool percent = length > 0 && text[length - 1] == '%';
    if (length == 0 || !sh_parse_i64(text, length - percent, 0, 9999999, &number))
        return fallback;
    number = percent ? total * number / 100 : number;
    return number < least ? least : number;
}

typedef struct held_back {
    sh_cloud *cloud;
    sh_arena *arena;
    const char *command;
    const char *instances[64];
    size_t count;
} held_back;

static int collect_pending(void *opaque, const sh_invocation *row)
{
    held_back *h = opaque;
    if (strcmp(row->status, "Pending") != 0)
        return 0;
    if (!(h->instances[h->count++] = sh_arena_strdup(h->arena, row->instance)))
        return SH_E_MEMORY;
    return h->count == SH_COUNT(h->instances);
}

static int end_held_back(sh_cloud *cloud, const char *command, sh_arena *arena, sh_err *err)
{
    held_back h = {.cloud = cloud, .arena = arena, .command = command};
    const sh_invocation_query query = {.id = command, .status = "Pending", .limit = SH_COUNT(h.instances)};
    int status = sh_invocation_list(cloud->db, &query, collect_pending, &h, err);
    for (size_t i = 0; status == 0 && i < h.count; i++)
        status =
            sh_ssm_end(cloud, command, h.instances[i], "Failed", "Terminated", -1,
                       "more nodes failed than MaxErrors allows: the command was not sent to this one", err);
    return status;
}

int sh_ssm_may_begin(sh_cloud *cloud, const char *command, sh_arena *arena, bool *go, sh_err *err)
{
    sh_invocation row;
    sh_invocation_counts counts;
    int status = sh_invocation_count(cloud->db, command, &counts, err);
    if (status == 0 && counts.total <= 1) {
        *go = true;
        return 0;
    }
    if (status == 0)
        status = sh_invocation_get(cloud->db, arena, command, NULL, &row, err);
    if (status < 0)
        return status;
    json_t *request = json_loads(row.request, 0, NULL);
    int64_t most = sh_ssm_share(request, "MaxConcurrency", 50, counts.total, 1);
    int64_t errors = sh_ssm_share(request, "MaxErrors", 0, counts.total, 0);
    json_decref(request);
    *go = counts.failed <= errors && counts.running < most;
    return counts.failed > errors ? end_held_back(cloud, command, arena, err) : 0;
}
