/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_LOGS_H
#define SH_STORE_LOGS_H
/* Log groups, streams and events of CloudWatch Logs. Events are read by time: those of a stream, or those of
 * a group. An event's row is its id, which grows with every event of the server, so (time, id) orders all.
 * Functions are thread-safe; strings of lists are borrowed until the function given returns. */
#include "base/arena.h"
#include "base/err.h"
#include "cloud/store/db.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_log_group {
    int64_t id;
    const char *name;
    const char *class; /* "STANDARD", "INFREQUENT_ACCESS" */
    int64_t created_ms;
    int64_t retention_days; /* 0: for ever */
    int64_t bytes;          /* of all its events, as AWS counts: 26 more for each */
} sh_log_group;

typedef struct sh_log_stream {
    int64_t id;
    const char *name;
    int64_t created_ms;
    int64_t first_ms, last_ms; /* of its events; -1: it has none */
    int64_t taken_ms;          /* when the last ones came; -1: none did */
} sh_log_stream;

typedef struct sh_log_event {
    int64_t id;
    const char *stream; /* NULL where the stream was named */
    int64_t time_ms, taken_ms;
    const char *message;
} sh_log_event;

typedef int (*sh_log_group_fn)(void *opaque, const sh_log_group *group); /* non-zero ends */
typedef int (*sh_log_stream_fn)(void *opaque, const sh_log_stream *stream);
typedef int (*sh_log_event_fn)(void *opaque, const sh_log_event *event);

/* ---- groups ---- */
int sh_log_group_create(sh_db *db, const sh_log_group *group, sh_err *err); /* SH_E_CONFLICT: it is there */
int sh_log_group_get(sh_db *db, sh_arena *arena, const char *name, sh_log_group *out, sh_err *err);
/* With its streams and events. SH_E_NOT_FOUND. */
int sh_log_group_delete(sh_db *db, const char *name, sh_err *err);
int sh_log_group_set_retention(sh_db *db, const char *name, int64_t days, sh_err *err); /* SH_E_NOT_FOUND */
/* In order of names after `after`, those that begin with `prefix`. */
int sh_log_groups_list(sh_db *db, const char *prefix, const char *after, int64_t limit, sh_log_group_fn fn,
                       void *opaque, sh_err *err);
/* Tags as a JSON object; NULL in *text: none. */
int sh_log_group_tags(sh_db *db, sh_arena *arena, int64_t group, const char **text, sh_err *err);
int sh_log_group_set_tags(sh_db *db, int64_t group, const char *text, sh_err *err);

/* ---- streams ---- */
int sh_log_stream_create(sh_db *db, int64_t group, const char *name, int64_t now_ms, sh_err *err);
int sh_log_stream_get(sh_db *db, sh_arena *arena, int64_t group, const char *name, sh_log_stream *out,
                      sh_err *err);
int sh_log_stream_delete(sh_db *db, int64_t group, const char *name, sh_err *err);
/* In order of names (after `after`), or of the time of the last event (the first `skip` left out). */
int sh_log_streams_by_name(sh_db *db, int64_t group, const char *prefix, const char *after, bool descending,
                           int64_t limit, sh_log_stream_fn fn, void *opaque, sh_err *err);
int sh_log_streams_by_time(sh_db *db, int64_t group, int64_t skip, bool descending, int64_t limit,
                           sh_log_stream_fn fn, void *opaque, sh_err *err);

/* ---- events ---- */
/* Appends them in one transaction; group and stream are told how many bytes and times there are now. */
int sh_log_events_add(sh_db *db, int64_t group, int64_t stream, const sh_log_event *events, size_t count,
                      int64_t now_ms, sh_err *err);
/* Events of a stream with from_ms <= time < until_ms, after (or, downwards, before) the place (time, id). */
typedef struct sh_log_range {
    int64_t from_ms, until_ms;
    int64_t time_ms, id; /* the place */
    bool downwards;
    int64_t limit;
} sh_log_range;
int sh_log_stream_events(sh_db *db, int64_t stream, const sh_log_range *range, sh_log_event_fn fn,
                         void *opaque, sh_err *err);
/* The same, upwards, of all streams of a group whose names begin with `prefix`. */
int sh_log_group_events(sh_db *db, int64_t group, const char *prefix, const sh_log_range *range,
                        sh_log_event_fn fn, void *opaque, sh_err *err);

/* Deletes at most `limit` events that are older than their group keeps them; *removed: how many. */
int sh_log_events_expire(sh_db *db, int64_t now_ms, int64_t limit, int64_t *removed, sh_err *err);

#endif
