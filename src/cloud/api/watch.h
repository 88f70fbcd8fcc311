/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_WATCH_H
#define SH_API_WATCH_H
/* Watching the server: a log of its requests, counters for Prometheus, and what is wrong with it. Nothing
 * here ever holds a key, a signature, a token or a query: of a request the path alone is written, of an
 * object no name but its bucket's goes into a counter. */
#include "base/buf.h"
#include "cloud/api/cloud.h"
#include "cloud/http/server.h"

typedef struct sh_watch sh_watch;

typedef struct sh_watch_options {
    const char *access_log; /* path, "-": standard error, NULL: none */
    bool json;
} sh_watch_options;

int sh_watch_new(sh_watch **out, const sh_watch_options *options, sh_err *err);
void sh_watch_free(sh_watch *watch); /* NULL is fine */
/* Opens the access log again, after it was moved away. On failure it goes on with the one it has. */
int sh_watch_reopen(sh_watch *watch, sh_err *err);

/* Log lines of the program as JSON objects on standard error: {"time","level","area","message"}. */
void sh_watch_json_log(void);

void sh_watch_began(sh_watch *watch);                               /* in begin() of a handler */
void sh_watch_observe(void *watch, const sh_http_request *request); /* of sh_http_options */

/* Appends the counters and what can be measured now, as Prometheus' text format (version 0.0.4). */
int sh_watch_metrics(sh_watch *watch, sh_cloud *cloud, sh_buf *out, sh_err *err);
/* Appends a JSON object {"status":"ok"|"failing","checks":{NAME:"ok"|what is wrong}}. False: failing. */
bool sh_watch_health(sh_cloud *cloud, sh_buf *out);

/* ---- inside: watch_count.c ---- */
typedef struct sh_counters sh_counters;
sh_counters *sh_counters_new(void); /* NULL: no memory */
void sh_counters_free(sh_counters *counters);
void sh_counters_add(sh_counters *counters, const sh_http_record *record, int64_t took_us);
void sh_counters_write(sh_counters *counters, sh_buf *out);

#endif
