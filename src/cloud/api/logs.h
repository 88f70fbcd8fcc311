/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LOGS_H
#define SH_API_LOGS_H
/* CloudWatch Logs: what the files logs*.c share, and how other services write.
 *
 *   logs.c          the table of actions; groups, their retention and tags
 *   logs_streams.c  streams
 *   logs_events.c   events: put, get, filter
 *   logs_write.c    lines of other services; what is too old goes
 *   logs_subscription.c  subscription filters
 *   logs_pattern.c, logs_match.c  filter patterns */
#include "cloud/api/cloud.h"
#include "cloud/store/logs.h"

#define SH_LOG_NAME_MAX 512
#define SH_LOG_MESSAGE_MAX (1024 * 1024) /* bytes */

/* ---- for other services ---- */
/* Appends messages to a stream of a group, both of which are made when they are not there. In a transaction
 * of the caller or one of its own. */
int sh_logs_write(sh_cloud *cloud, const char *group, const char *stream, const sh_log_event *events,
                  size_t count, sh_err *err);
/* The name in "arn:aws:logs:…:log-group:NAME:*" (or without ":*"), in the arena; NULL: it is no such ARN. */
const char *sh_logs_group_of(sh_arena *arena, const char *arn);
/* Deletes some of what groups keep no longer; *more: there may be more of it. */
int sh_logs_prune(sh_cloud *cloud, bool *more, sh_err *err);

/* ---- shared by logs*.c; all return 0 or what sh_call_fail gave ---- */
int sh_logs_text(sh_call *call, const char *name, size_t max, const char **out);
int sh_logs_need(sh_call *call, const char *name, size_t max, const char **out);
int sh_logs_int(sh_call *call, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *out);
int sh_logs_refuse(sh_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The group that logGroupName, or logGroupIdentifier (a name or an ARN), names. */
int sh_logs_need_group(sh_call *call, sh_log_group *out);
int sh_logs_need_stream(sh_call *call, const sh_log_group *group, sh_log_stream *out);
int sh_logs_fail(sh_call *call, int status, const sh_err *err, const char *what); /* NOT_FOUND, CONFLICT … */
/* "arn:aws:logs:REGION:ACCOUNT:log-group:NAME", in the arena. */
const char *sh_logs_arn(const sh_call *call, const char *group);

/* ---- actions ---- */
int sh_logs_create_stream(sh_call *call);
int sh_logs_delete_stream(sh_call *call);
int sh_logs_describe_streams(sh_call *call);
int sh_logs_put_events(sh_call *call);
int sh_logs_get_events(sh_call *call);
int sh_logs_filter_events(sh_call *call);
int sh_logs_test_pattern(sh_call *call);
int sh_logs_put_subscription(sh_call *call); /* logs_subscription.c */
int sh_logs_describe_subscriptions(sh_call *call);
int sh_logs_delete_subscription(sh_call *call);
/* In the transaction that writes the events: those that are subscribed to are sent. */
int sh_logs_tell(sh_cloud *cloud, const char *group, const char *stream, const sh_log_event *events,
                 size_t count, sh_err *err);

#endif
