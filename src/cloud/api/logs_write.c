/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/logs.h"

#define PRUNE_LOT 500 /* events a transaction deletes */
#define ARENA_MAX (64 * 1024)

/* In a transaction: the group and the stream, made where they are not there. */
static int find_stream(sh_cloud *cloud, sh_arena *arena, const char *group, const char *stream,
                       int64_t now_ms, sh_log_group *g, sh_log_stream *s, sh_err *err)
{
    sh_log_group fresh = {.name = group, .class = "STANDARD", .created_ms = now_ms};
    int status = sh_log_group_get(cloud->db, arena, group, g, err);
    if (status == SH_E_NOT_FOUND && (status = sh_log_group_create(cloud->db, &fresh, err)) == 0)
        status = sh_log_group_get(cloud->db, arena, group, g, err);
    if (status < 0)
        return status;
    status = sh_log_stream_get(cloud->db, arena, g->id, stream, s, err);
    if (status == SH_E_NOT_FOUND &&
        (status = sh_log_stream_create(cloud->db, g->id, stream, now_ms, err)) == 0)
        status = sh_log_stream_get(cloud->db, arena, g->id, stream, s, err);
    return status;
}

int sh_logs_write(sh_cloud *cloud, const char *group, const char *stream, const sh_log_event *events,
                  size_t count, sh_err *err)
{
    sh_log_group g;
    sh_log_stream s;
    int64_t now_ms = sh_now_ms(cloud->clock);
    sh_arena *arena = sh_arena_new(ARENA_MAX);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a log");
    int status = sh_db_begin(cloud->db, err);
    if (status == 0) {
        status = find_stream(cloud, arena, group, stream, now_ms, &g, &s, err);
        if (status == 0)
            status = sh_log_events_add(cloud->db, g.id, s.id, events, count, now_ms, err);
        if (status == 0)
            status = sh_logs_tell(cloud, group, stream, events, count, err);
        status = sh_db_end(cloud->db, status, err);
    }
    sh_arena_free(arena);
    return status;
}

int sh_logs_prune(sh_cloud *cloud, bool *more, sh_err *err)
{
    int64_t removed;
    int status = sh_log_events_expire(cloud->db, sh_now_ms(cloud->clock), PRUNE_LOT, &removed, err);
    *more = status == 0 && removed == PRUNE_LOT;
    return status;
}
