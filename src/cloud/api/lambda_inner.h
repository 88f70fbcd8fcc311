/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LAMBDA_INNER_H
#define SH_API_LAMBDA_INNER_H
/* What the files lambda*.c that hold the table of functions share:
 *
 *   lambda.c             the table of actions and of routes
 *   lambda_name.c        which function, version or alias a call names; ARNs; what is kept of them
 *   lambda_config.c      reading and checking a function's configuration
 *   lambda_code.c        where its code comes from
 *   lambda_unpack.c      zip archives
 *   lambda_function.c    create, update, get, list, delete
 *   lambda_version.c     versions
 *   lambda_alias.c       aliases
 *   lambda_permission.c  resource policies
 *   lambda_settings.c    concurrency, event invoke configurations, tags, account settings
 *   lambda_invoke.c      Invoke
 *   lambda_send.c        asynchronous invocations: into the queue
 *   lambda_queue.c       out of it: the runner, retries, notifications of buckets
 *   lambda_destination.c destinations
 *   lambda_task.c        tasks of state machines
 *
 * A version's body is the JSON of FunctionConfiguration without what is made anew for each answer (name,
 * ARN), with "Folder" beside it: the folder of its code in DATA/functions/NAME. */
#include "cloud/api/args.h"
#include "cloud/api/lambda.h"
#include "cloud/api/lambda_run.h"
#include "cloud/api/wire.h"
#include "cloud/store/functions.h"

#define SH_FN_LATEST "$LATEST"
#define SH_FN_SYNC_MAX 6291456 /* bytes of a request, as AWS */
#define SH_FN_EVENT_MAX 1048576
#define SH_FN_UNZIPPED_MAX 262144000
#define SH_FN_ZIPPED_MAX 52428800

/* ---- lambda_name.c ---- */
typedef struct sh_fn_name {
    const char *name;
    const char *qualifier; /* NULL: none */
} sh_fn_name;

/* A name, partial or whole ARN, with or without qualifier, of this region and account. */
bool sh_fn_split(const sh_cloud *cloud, sh_arena *arena, const char *text, sh_fn_name *out);
/* Members FunctionName and Qualifier. Fails the call. */
int sh_fn_read_name(sh_call *call, sh_fn_name *out);
/* The same of a function that has to be there. */
int sh_fn_need(sh_call *call, sh_fn_name *out);
/* NULL: no memory. */
const char *sh_fn_arn(const sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier);
int sh_fn_not_found(sh_call *call, const char *name, const char *qualifier);
int sh_fn_bad(sh_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A part, parsed into *body (owned). SH_E_NOT_FOUND. */
int sh_fn_load(sh_cloud *cloud, sh_arena *arena, sh_fn_kind kind, const char *name, const char *id,
               json_t **body, sh_err *err);
int sh_fn_save(sh_cloud *cloud, sh_fn_kind kind, const char *name, const char *id, int64_t place,
               const json_t *body, sh_err *err);

typedef struct sh_fn_version {
    const char *name, *qualifier; /* as asked for; NULL: none */
    const char *number;           /* "$LATEST", "3" */
    json_t *body;                 /* owned */
    int64_t reserved;             /* -1: none */
} sh_fn_version;

/* The version that is meant; an alias is followed, by weight. SH_E_NOT_FOUND. */
int sh_fn_find(sh_cloud *cloud, sh_arena *arena, const sh_fn_name *name, sh_fn_version *out, sh_err *err);
/* In a call: 404 when there is none. */
int sh_fn_need_version(sh_call *call, const sh_fn_name *name, sh_fn_version *out);
/* What runs: strings in the arena or borrowed from version->body. */
int sh_fn_code(sh_cloud *cloud, sh_arena *arena, const sh_fn_version *version, sh_lambda_code *out,
               sh_err *err);
/* RevisionId of the input, if it is there, has to be the one that is kept. */
int sh_fn_check_revision(sh_call *call, const json_t *body);
void sh_fn_new_revision(sh_call *call, json_t *body);
/* Workers of older revisions end. */
void sh_fn_retire(sh_call *call, const char *name);
/* Number of Marker, MaxItems. */
int sh_fn_read_page(sh_call *call, const char **marker, int64_t *limit);

/* ---- lambda_config.c ---- */
/* FunctionConfiguration, to be sent. NULL: no memory. */
json_t *sh_fn_json(const sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier,
                   const json_t *body);
/* Takes what the input says into body, checked; `created`: what has to be there is. */
int sh_fn_read_config(sh_call *call, json_t *body, bool created);

/* ---- lambda_code.c ---- */
/* The code that the input's `code` (Code of CreateFunction, the input of UpdateFunctionCode) names is
 * unpacked; Folder, CodeSha256 and CodeSize of body are set. */
int sh_fn_read_code(sh_call *call, const json_t *code, const char *name, json_t *body, bool keep);
/* Folders that no version names go. At the start, when nothing runs. */
void sh_fn_sweep(sh_cloud *cloud);
/* "DATA/functions/NAME/FOLDER" in the arena; NULL: no memory. */
const char *sh_fn_folder(const sh_cloud *cloud, sh_arena *arena, const char *name, const char *folder);

/* ---- lambda_unpack.c ---- */
/* Unpacks an archive into the new folder. SH_E_FORMAT: it is none, or names what it may not; SH_E_LIMIT: more
 * than SH_FN_UNZIPPED_MAX bytes, or too many files. *total: bytes. */
int sh_fn_unpack(const void *zip, size_t length, const char *folder, int64_t *total, sh_err *err);

/* ---- lambda_permission.c ---- */
struct sh_policy;
/* The parsed resource policy of a function or qualifier; NULL in *out: none. */
int sh_fn_policy(sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier,
                 struct sh_policy **out, sh_err *err);
/* May `caller`, or, when it is NULL, the service, invoke it? 0, or SH_E_DENIED with *sentence. */
int sh_fn_permit(sh_cloud *cloud, const sh_fn_name *function, const sh_caller *caller, const char *service,
                 const char *source_arn, sh_arena *arena, const char **sentence, sh_err *err);

/* ---- lambda_settings.c ---- */
typedef struct sh_fn_rules {
    int64_t retries, age_s;
    const char *on_success, *on_failure; /* ARNs in the arena or NULL */
} sh_fn_rules;
int sh_fn_invoke_rules(sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier,
                       sh_fn_rules *out, sh_err *err);
void sh_fn_tell_reserved(sh_cloud *cloud); /* sh_lambda_reserve of the sum */

/* ---- lambda_send.c ---- */
/* Queues an invocation that is allowed; request_id NULL: one is made. context may be NULL. */
int sh_fn_enqueue(sh_cloud *cloud, const sh_fn_name *function, const char *request_id, const void *payload,
                  size_t length, const json_t *context, sh_err *err);

/* ---- lambda_queue.c ---- */
/* What is under way, by two numbers: an item of the queue (id, 0), a task (execution, task + 1). False: it is
 * under way already, or memory is short. */
bool sh_fn_flight_begin(sh_cloud *cloud, int64_t a, int64_t b);
bool sh_fn_flight_known(sh_cloud *cloud, int64_t a, int64_t b);
void sh_fn_flight_end(sh_cloud *cloud, int64_t a, int64_t b);
/* ---- lambda_task.c ---- */
/* Submits the tasks of executions that wait. */
int sh_fn_tasks_pump(sh_cloud *cloud, sh_err *err);

/* ---- lambda_destination.c ---- */
typedef struct sh_fn_ended {
    const sh_fn_queued *item;
    const char *condition;          /* "Success", "RetriesExhausted", "EventAgeExceeded" */
    const sh_lambda_result *result; /* NULL: it never ran */
    const char *version;            /* executed; NULL */
    const char *role;               /* of the function; NULL */
} sh_fn_ended;
/* In the transaction that takes the item out of the queue: its record goes to the destination, if there is
 * one. What cannot be delivered is logged. */
int sh_fn_destine(sh_cloud *cloud, const sh_fn_ended *ended, const sh_fn_rules *rules, sh_err *err);

/* ---- actions ---- */
int sh_fn_create(sh_call *call);
int sh_fn_get_function(sh_call *call);
int sh_fn_get_configuration(sh_call *call);
int sh_fn_update_code(sh_call *call);
int sh_fn_update_configuration(sh_call *call);
int sh_fn_delete_function(sh_call *call);
int sh_fn_list(sh_call *call);
int sh_fn_publish(sh_call *call);
int sh_fn_list_versions(sh_call *call);
int sh_fn_create_alias(sh_call *call);
int sh_fn_get_alias(sh_call *call);
int sh_fn_update_alias(sh_call *call);
int sh_fn_delete_alias(sh_call *call);
int sh_fn_list_aliases(sh_call *call);
int sh_fn_add_permission(sh_call *call);
int sh_fn_remove_permission(sh_call *call);
int sh_fn_get_policy(sh_call *call);
int sh_fn_put_concurrency(sh_call *call);
int sh_fn_get_concurrency(sh_call *call);
int sh_fn_delete_concurrency(sh_call *call);
int sh_fn_put_invoke_config(sh_call *call);
int sh_fn_update_invoke_config(sh_call *call);
int sh_fn_get_invoke_config(sh_call *call);
int sh_fn_delete_invoke_config(sh_call *call);
int sh_fn_list_invoke_configs(sh_call *call);
int sh_fn_tag(sh_call *call);
int sh_fn_untag(sh_call *call);
int sh_fn_list_tags(sh_call *call);
int sh_fn_account_settings(sh_call *call);
int sh_fn_invoke(sh_call *call);
int sh_fn_invoke_stream(sh_call *call);
/* In a transaction: a version of $LATEST, the last one when nothing changed since. *number in the arena. */
int sh_fn_publish_version(sh_call *call, const char *name, const char **number);

#endif
