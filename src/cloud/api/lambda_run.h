/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LAMBDA_RUN_H
#define SH_API_LAMBDA_RUN_H
/* Where functions run: workers, each one process tree in a sandbox (jobs/sandbox.h), that fetch invocations
 * from the Runtime API of AWS Lambda (2018-06-01) and answer there. This file knows nothing of the table of
 * functions: who asks says what to run (lambda*.c), and hears of the end through a callback.
 *
 * A worker serves one invocation at a time, of one revision of a function. It is kept when it is idle, for a
 * while; it goes when another function needs its place, when its function's revision is retired, or before
 * its role's keys expire. At most SH_LAMBDA_AT_ONCE (cloud->settings.functions_at_once) invocations run at
 * once; a function with reserved concurrency runs at most so many, and always finds so many free.
 *
 * What has no place is refused at once, with code TooManyRequestsException, and whoever queues tries again
 * when SH_WAKE_FUNCTIONS is woken, which happens each time a place becomes free. Nothing is queued here. */
#include "cloud/api/cloud.h"

enum {
    SH_LAMBDA_AT_ONCE = 32,          /* invocations at once, when the settings do not say */
    SH_LAMBDA_TAIL = 4096,           /* bytes of log in an answer, as AWS */
    SH_LAMBDA_PAYLOAD_MAX = 6291556, /* bytes of a request or response, as AWS */
    SH_LAMBDA_STREAM_MAX = 20 << 20, /* bytes of a streamed response */
    SH_LAMBDA_LOG_MAX = 8 << 20,     /* bytes of log an invocation may make; the rest is counted, and said */
};

/* A version of a function. Borrowed for the call it is given to. */
typedef struct sh_lambda_code {
    const char *name;          /* "trigger" */
    const char *version;       /* "$LATEST", "3" */
    const char *revision;      /* changes with code and configuration: a worker is of one revision only. The
                                  same text for the same version until then (RevisionId) */
    const char *folder;        /* unpacked code, absolute, readable by everybody, never written again */
    const char *const *layers; /* folders of layers, in their order, NULL-terminated; NULL: none */
    const char *runtime;       /* "nodejs20.x", "provided.al2023", "python3.12" */
    const char *handler;       /* "index.handler"; may be "" for provided.* */
    const char *role;          /* ARN; its keys are the function's */
    const json_t *environment; /* object of texts; NULL: none */
    int memory_mb;             /* 128 to 10240 */
    int timeout_s;             /* 1 to 900 */
    int ephemeral_mb;          /* of /tmp; 0: 512 */
    int reserved;              /* ReservedConcurrentExecutions; -1: none */
    const char *log_group;     /* LoggingConfig.LogGroup; NULL: "/aws/lambda/NAME" */
    bool json_logs;            /* LoggingConfig.LogFormat is "JSON" */
} sh_lambda_code;

/* How an invocation ended. Everything is borrowed until the callback returns. */
typedef struct sh_lambda_result {
    const char *code;           /* NULL: it ran. Else an error of Invoke ("InvalidRuntimeException",
                                   "TooManyRequestsException", "AccessDeniedException" …), and nothing ran */
    int http_status;            /* of `code`: 429, 502 … */
    const char *message;        /* of `code` */
    const char *function_error; /* "Unhandled" when the function failed, NULL when it succeeded; the payload
                                   is then {"errorMessage":…,"errorType":…,"trace":[…]} */
    const char *error_type;     /* of a failure: "Error", "Sandbox.Timedout", "Runtime.ExitError" … */
    const void *payload;
    size_t length;
    const char *content_type; /* of the payload */
    bool streamed;            /* the runtime answered in streaming mode */
    const char *log_tail;     /* the last SH_LAMBDA_TAIL bytes, not encoded; "" unless `tail` was wanted */
    size_t log_tail_length;
    int64_t duration_us, billed_ms, init_us; /* init_us: -1 for a warm worker */
    int max_memory_mb;
} sh_lambda_result;

/* Called exactly once for each sh_lambda_submit that returned 0, on a thread of the workers (or on the
 * caller's own, inside sh_lambda_submit, for what cannot run). It may start a transaction and call
 * sh_lambda_submit, but must not wait for another invocation. */
typedef void (*sh_lambda_done_fn)(void *opaque, const sh_lambda_result *result);

typedef struct sh_lambda_invocation {
    sh_lambda_code code;
    const char *request_id;  /* a UUID */
    const char *invoked_arn; /* as it was called, with its qualifier: Lambda-Runtime-Invoked-Function-Arn */
    const void *payload;     /* copied; NULL with length 0 is "{}" */
    size_t length;
    const char *client_context; /* JSON text, decoded; NULL: none */
    const char *trace_id;       /* X-Ray header; NULL: one is made */
    bool tail;                  /* the log's end is wanted in the result */
    sh_lambda_done_fn done;
    void *opaque;
} sh_lambda_invocation;

/* Runs it. 0: `done` is or was called with what became of it. Negative: memory, or the server ends; `done` is
 * not called. */
int sh_lambda_submit(sh_cloud *cloud, const sh_lambda_invocation *invocation, sh_err *err);

/* How many more invocations of the function (by name) would find a place now. */
int sh_lambda_free_places(sh_cloud *cloud, const char *name, int reserved);
/* Workers of the function whose revision is none of `kept` (NULL-terminated; NULL: all) end: the idle ones
 * now, the others after their invocation. */
void sh_lambda_retire(sh_cloud *cloud, const char *name, const char *const *kept);
/* Sum of what functions reserve (GetAccountSettings, PutFunctionConcurrency): kept here, since the places
 * that others may take depend on it. Called at the start and after each change. */
void sh_lambda_reserve(sh_cloud *cloud, int reserved_in_all);
/* SH_LAMBDA_AT_ONCE or what the settings say: ConcurrentExecutions of the account. */
int sh_lambda_limit(const sh_cloud *cloud);
/* Whether a function of this runtime could run here: SH_E_UNSUPPORTED with what is missing ("no Node.js of
 * version 20 or later was found on PATH"). SH_E_ARGUMENT: no such runtime. */
int sh_lambda_runtime_check(const char *runtime, sh_err *err);

/* ---- life: called by cloud.c and by who opens the HTTP server ---- */

struct sh_http_server;
int sh_lambda_open(sh_cloud *cloud, sh_err *err); /* cloud->lambda; starts no thread */
/* What functions reach as AWS_ENDPOINT_URL: connections out of a sandbox are handed to this server, which
 * must not be one of TLS. Before the first submit. */
void sh_lambda_serve(sh_cloud *cloud, struct sh_http_server *plain);
void sh_lambda_stop(sh_cloud *cloud);  /* the runner is to end, and all workers with it */
int sh_lambda_runner(sh_cloud *cloud); /* the runner: starts, watches and ends workers */
void sh_lambda_close(sh_cloud *cloud); /* after the runners ended; NULL is fine */

#endif
