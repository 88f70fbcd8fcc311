/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LAMBDA_WORK_H
#define SH_API_LAMBDA_WORK_H
/* Shared by the files that run functions:
 *
 *   lambda_run.c      who gets which worker; what the rest of the server calls
 *   lambda_worker.c   a worker's life: start, deadlines, memory, end; the runner
 *   lambda_start.c    what a worker is started with: runtime, environment, keys, folders
 *   lambda_runtime.c  the Runtime API that workers call
 *   lambda_report.c   how an invocation ends: its result, its last lines of log
 *   lambda_log.c      lines of log, and their way to CloudWatch Logs
 *
 * One mutex guards the table and all workers in it. `done` of an invocation is called without it. A worker is
 * made by whoever submits and is started, watched and freed by the runner's thread alone; requests of the
 * Runtime API find it by its number, so that one that comes late finds nothing. */
#include "base/buf.h"
#include "cloud/api/caller.h"
#include "cloud/api/lambda_run.h"
#include "cloud/http/server.h"
#include "cloud/jobs/sandbox.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SH_LAMBDA_RUNTIME_PORT = 9001,
    SH_LAMBDA_ENDPOINT_PORT = 9000,
    SH_LAMBDA_INIT_MS = 10000,    /* for the start of a runtime, beside the function's own time-out */
    SH_LAMBDA_IDLE_MS = 300000,   /* an idle worker is kept so long */
    SH_LAMBDA_WATCH_MS = 100,     /* between looks at the memory of busy workers */
    SH_LAMBDA_IDLE_CPU_MS = 5000, /* processor time that a worker may use while it is idle */
    SH_LAMBDA_STEAL_MS = 300,     /* a worker that answered has so long to ask for the next invocation */
    SH_LAMBDA_KEYS_S = 6 * 3600,  /* life of a role's keys */
    SH_LAMBDA_KEYS_REST_S = 1200, /* a worker whose keys live shorter than this takes nothing more */
    SH_LAMBDA_LINE_MAX = 256 * 1024 - 26,
};

/* Where the lines of a worker go. Lives as long as any of its lines. */
typedef struct sh_lambda_target {
    atomic_int references;
    sh_arena *arena;
    const char *group, *stream;
    sh_caller caller; /* the role: what it may write */
    bool refused;     /* said already; touched by the thread of logs only */
} sh_lambda_target;

typedef struct sh_lambda_job {
    sh_arena *arena; /* of everything here, itself included */
    sh_lambda_done_fn done;
    void *opaque;
    const char *request_id, *invoked_arn, *client_context, *trace_id;
    const void *payload;
    size_t length;
    bool tail, reserved;
} sh_lambda_job;

typedef enum sh_lambda_state {
    SH_WORKER_WANTED,   /* the runner is to start it */
    SH_WORKER_STARTING, /* its runtime has not yet asked for an invocation */
    SH_WORKER_IDLE,     /* a request for the next invocation waits, or comes soon */
    SH_WORKER_BUSY,     /* it has an invocation */
    SH_WORKER_ENDING,   /* killed; its process is to be reaped */
} sh_lambda_state;

typedef enum sh_lambda_why { SH_WHY_NONE, SH_WHY_TIME, SH_WHY_MEMORY, SH_WHY_RETIRED } sh_lambda_why;

typedef struct sh_lambda_worker {
    struct sh_lambda_worker *next;
    uint64_t number;
    sh_arena *arena;
    sh_lambda_code code; /* copied */
    char *environment;   /* JSON text or NULL */
    sh_lambda_state state;
    sh_lambda_why why; /* it was killed */
    bool retired;      /* ends once it is idle */
    bool initialised, started, reaped;
    sh_lambda_job *job;
    bool delivered;           /* the job was handed to the runtime */
    sh_http_request *waiting; /* for the next invocation */
    sh_sandbox sandbox;
    pid_t first;
    int listeners[2], output, telemetry; /* -1: none */
    int64_t started_us, init_us;         /* init_us -1: not measured, or already told */
    int64_t given_us, deadline_us;       /* of the job once delivered, else of the start */
    int64_t idle_us, idle_cpu_us;        /* since when, and what it had used by then */
    int64_t keys_ms;                     /* when the role's keys expire */
    int64_t memory;                      /* most bytes seen */
    const char *failure;                 /* why it could not start: words, in the arena */
    const char *failure_code;
    int failure_status;
    sh_lambda_target *target;
    sh_buf line, frame; /* of stdout, and of the telemetry */
    size_t logged;      /* bytes of log of this invocation */
    size_t dropped;
    char tail[SH_LAMBDA_TAIL];
    size_t tail_length;
} sh_lambda_worker;

struct sh_lambda_log;

typedef struct sh_lambda {
    sh_cloud *cloud;
    pthread_mutex_t mutex;
    sh_lambda_worker *workers;
    uint64_t last;
    int live;     /* workers in the list */
    int running;  /* jobs of functions without reserved concurrency */
    int reserved; /* in all */
    bool stopping;
    int epoll, bell;
    int64_t idle_looked_us;                /* when the memory of idle workers was looked at; the runner's */
    char *helper, *root, *bootstrap, *sdk; /* paths; sdk NULL: there is none */
    sh_http_server *runtime, *endpoint;    /* the second is not ours */
    struct sh_lambda_log *log;
} sh_lambda;

/* ---- lambda_run.c ---- */
sh_lambda_worker *sh_lambda_find(sh_lambda *l, uint64_t number); /* mutex held */
void sh_lambda_ring(sh_lambda *l);                               /* the runner is to look again */
void sh_lambda_job_free(sh_lambda_job *job);
void sh_lambda_worker_free(sh_lambda_worker *worker);

/* ---- lambda_start.c ---- */
/* Fills worker->target and starts the sandbox, or fills worker->failure. On the runner's thread, without the
 * mutex: nobody else touches a worker that is WANTED. */
int sh_lambda_start(sh_lambda *l, sh_lambda_worker *worker);
int sh_lambda_paths(sh_lambda *l, sh_err *err);

/* ---- lambda_runtime.c ---- */
int sh_lambda_runtime_open(sh_lambda *l, sh_err *err);
/* Mutex held: hands the worker's job to the request that waits, if there are both. */
void sh_lambda_deliver(sh_lambda_worker *worker);

/* ---- lambda_report.c: how a job ends. Mutex held; it is given up while `done` runs ---- */
void sh_lambda_succeed(sh_lambda *l, sh_lambda_worker *worker, sh_lambda_result *result);
/* type: "Sandbox.Timedout"; message: printf-style. */
void sh_lambda_fail(sh_lambda *l, sh_lambda_worker *worker, const char *type, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Nothing ran: an error of Invoke. */
void sh_lambda_refuse(sh_lambda *l, sh_lambda_worker *worker);
void sh_lambda_say_start(sh_lambda_worker *worker, sh_lambda *l);

/* ---- lambda_log.c ---- */
int sh_lambda_log_open(sh_lambda *l, sh_err *err); /* with its thread */
void sh_lambda_log_close(sh_lambda *l);            /* writes what there is */
void sh_lambda_target_release(sh_lambda_target *target);
/* Mutex held. Reads what the worker wrote, at most so many bytes; false at the end of its output. */
bool sh_lambda_log_read(sh_lambda *l, sh_lambda_worker *worker, bool telemetry, size_t most);
void sh_lambda_log_say(sh_lambda *l, sh_lambda_worker *worker, const char *text, size_t length);
void sh_lambda_log_flush(sh_lambda *l, sh_lambda_worker *worker); /* a line without an end, too */

#endif
