/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_CLOUD_H
#define SH_API_CLOUD_H
/* The server as its services see it, and what an action of a service is.
 *
 * An action is a function from a JSON object to a JSON object: CreateStateMachine, SendCommand, CreateJob. It
 * stands as one row in the table of its service. The JSON front end (X-Amz-Target, and the REST paths of
 * MediaConvert) and the service integrations of Step Functions (arn:aws:states:::aws-sdk:ssm:sendCommand)
 * find it in the same table, so a call means the same whichever way it comes.
 *
 * An action changes nothing but the database, in a transaction; what must then happen (run a command, make a
 * stream) is done by a runner that finds the rows. So a state machine can call an action inside the
 * transaction of its own step, and a crash at any point leaves either both or neither. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cloud/store/db.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Who is to look at the database again. */
enum {
    SH_WAKE_EVENTS = 1 << 0,     /* deliverer of the outbox */
    SH_WAKE_FLOWS = 1 << 1,      /* executions: a task ended, a new execution, a timer */
    SH_WAKE_COMMANDS = 1 << 2,   /* runner of SSM commands */
    SH_WAKE_MCJOBS = 1 << 3,     /* runner of MediaConvert jobs */
    SH_WAKE_EFFECTS = 1 << 4,    /* calls of tasks that are more than a change of the database */
    SH_WAKE_MAPS = 1 << 10,      /* runs of distributed Map states */
    SH_WAKE_LIFECYCLE = 1 << 11, /* s3_expire.c */
    SH_WAKE_FUNCTIONS = 1 << 18, /* whoever has invocations waiting for a place (lambda_run.h) */
    SH_WAKE_OUTSIDE = 1 << 20,   /* events_outside.c: calls of API destinations, dead letters */
    SH_WAKE_NODES = 1 << 17,     /* ssm_watch.c */
    SH_WAKE_AGENT = 1 << 16,     /* agent_own.c: nobody does, but for the end of the server */
    SH_WAKE_NOTICES = SH_WAKE_EVENTS | SH_WAKE_FUNCTIONS, /* whoever is told of changes of objects */
};

typedef struct sh_cloud_settings {
    const char *data;         /* folder of everything; made if missing */
    const char *region;       /* "us-east-1" by default */
    const char *account;      /* 12 digits, a string */
    const char *instance_id;  /* of the built-in node, "i-…" */
    const char *program;      /* absolute path of the spyhop program, for children */
    const char *models;       /* folder of models or NULL */
    const char *agent;        /* absolute path of spyhop-agent; NULL: the built-in node has no agent */
    const char *node_network; /* "server" (NULL) or "open": what commands of the built-in node reach */
    int functions_at_once;    /* invocations; 0: SH_LAMBDA_AT_ONCE */
    int keep_executions_days; /* after their end; 0: 90 */
    int keep_commands_days;   /* after their end; 0: 30 */
    bool json_log;            /* what the agent of the built-in node logs is JSON, too */
    bool ssm_race;            /* a command is not found in its first second, as can happen on AWS */
    bool open_buckets;   /* new buckets take ACLs and block nothing, as AWS made them before April 2023 */
    const char *domains; /* "example.com,example.org": names below which hosts are buckets, or NULL */
} sh_cloud_settings;

typedef struct sh_cloud {
    sh_db *db;
    const sh_clock *clock;
    sh_cloud_settings settings; /* strings owned by the sh_cloud */
    char *endpoint;             /* "http://127.0.0.1:9000", set before runners start */
    char *node_endpoint;        /* what commands of the built-in node call; NULL: the same */
    char *access_key;           /* the root key pair; the secret is never logged */
    char *secret_key;
    int64_t steady_base_ms, steady_offset_ms; /* steady.c */
    unsigned char token_key[32];              /* states_token.c: signs the tokens of tasks */
    struct sh_wakeups *wakeups;
    struct sh_lambda *lambda;      /* lambda_run.h */
    struct sh_fn_flights *flights; /* lambda_queue.c: invocations that are under way */
    struct sh_flow_cache *flows;   /* states_cache.c: parsed definitions */
    struct sh_holds *holds;        /* hold.c: calls whose answer comes later */
    struct sh_agents *agents;      /* agent.h: nodes that ask for work */
    /* base64url of the SHA-256 of the server's public key, 44 bytes ("": none); NULL: no TLS */
    void (*tls_pin)(char *text);
    struct sh_express_table *express; /* states_express.c */
    struct sh_iam *iam;               /* iam.h */
    struct sh_rules_cache *rules;     /* s3_rules.h */
    uint64_t rules_looked;            /* events_trace.c */
    bool states_wanted;
} sh_cloud;

/* Tells the runners named by SH_WAKE_* bits that there may be work. Call after the transaction has committed,
 * or from inside it: a runner waits for the database's lock, so it sees the committed rows. Thread-safe. */
void sh_cloud_wake(sh_cloud *cloud, unsigned who);
/* Waits until one of `who` is woken, `until_ms` (monotonic milliseconds; -1: for ever) or the end of the
 * server. False: end. */
bool sh_cloud_wait(sh_cloud *cloud, unsigned who, int64_t until_ms);
bool sh_cloud_stopping(const sh_cloud *cloud);
unsigned sh_cloud_lost(const sh_cloud *cloud); /* runners that ended although the server goes on */

/* An AWS error: code as AWS has it, HTTP status, message in words. */
typedef struct sh_aws_error {
    const char *code; /* static or from the call's arena; NULL: none */
    int http_status;  /* 400 unless the service says otherwise */
    const char *message;
} sh_aws_error;

typedef struct sh_call {
    sh_cloud *cloud;
    sh_arena *arena;                /* lives as long as the call */
    const char *principal;          /* ARN of who calls: a user, or the role of a state machine */
    const struct sh_caller *caller; /* caller.h */
    int64_t now_ms;
    const json_t *in;     /* an object, borrowed */
    json_t *out;          /* an object, made by the action; owned by the caller of the action */
    sh_aws_error error;   /* set when the action failed */
    struct sh_wire *wire; /* wire.h; NULL: no REST call */
    struct sh_hold *hold; /* hold.h; NULL: the caller cannot wait for an answer */
    void *kept;           /* what an action that is called again wants to find; the action frees it with its
                             answer */
    void (*forget)(sh_cloud *cloud, void *kept); /* frees it when the client went away before that */
} sh_call;

/* Returns 0 with call->out set, SH_CALL_LATER (hold.h), or a negative SH_E_* with call->error set. */
typedef int (*sh_action_fn)(sh_call *call);

typedef struct sh_action {
    const char *name; /* "SendCommand" */
    sh_action_fn fn;
} sh_action;

typedef struct sh_service {
    const char *name; /* as in IAM actions, SigV4 scopes and aws-sdk integrations: "ssm", "states" (sfn),
                         "events", "mediaconvert" */
    const char
        *target_prefix; /* of X-Amz-Target: "AmazonSSM", "AWSStepFunctions", "AWSEvents"; NULL: REST paths */
    const char *json_version; /* "1.0" or "1.1" */
    const sh_action *actions; /* ends with a row whose name is NULL */
} sh_service;

/* All services, NULL-terminated. The aws-sdk name "sfn" finds "states", "eventbridge" finds "events". */
extern const sh_service *const sh_services[];
const sh_service *sh_service_find(const char *name);
/* Action names are found without regard to the case of the first letter ("sendCommand"). */
const sh_action *sh_action_find(const sh_service *service, const char *name);

extern const sh_service sh_service_states;       /* states*.c */
extern const sh_service sh_service_events;       /* events.c */
extern const sh_service sh_service_ssm;          /* ssm.c */
extern const sh_service sh_service_mediaconvert; /* mediaconvert.c */
extern const sh_service sh_service_logs;         /* logs.c */
/* Routes of MediaConvert: finds the action of a REST call and merges path and query values into *in (an
 * object): "POST /2017-08-29/jobs" -> CreateJob. NULL when there is no such route. */
const sh_action *sh_mediaconvert_route(const char *method, const char *path, const char *query, json_t *in);

/* Sets call->error (printf-style message in the call's arena) and returns SH_E_ARGUMENT. */
int sh_call_fail(sh_call *call, int http_status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Turns an internal failure into the service's answer: InternalServerError 500 (or ServiceUnavailable 503 for
 * a full disk) with the reason in the log, and returns err->status. */
int sh_call_fail_internal(sh_call *call, const sh_err *err);

/* Runners. Each is a thread that loops on sh_cloud_wait until the server ends. */
int sh_flows_run(sh_cloud *cloud);          /* states_runner.c: steps executions */
int sh_events_run(sh_cloud *cloud);         /* events_deliver.c: delivers the outbox */
int sh_events_outside_run(sh_cloud *cloud); /* events_outside.c */
int sh_nodes_run(sh_cloud *cloud);          /* ssm_watch.c */
int sh_mcjobs_run(sh_cloud *cloud);         /* mediaconvert_runner.c */

/* Opens the data folder, the database and the keys, without starting anything. */
int sh_cloud_open(sh_cloud **out, const sh_cloud_settings *settings, const sh_clock *clock, sh_err *err);
/* Starts the runners (first picking up what a crash left) once `endpoint` is known. */
int sh_cloud_start(sh_cloud *cloud, const char *endpoint, sh_err *err);
/* Ends the runners and waits for them. */
void sh_cloud_close(sh_cloud *cloud); /* NULL is fine */

#endif
