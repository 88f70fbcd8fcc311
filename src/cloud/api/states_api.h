/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_API_H
#define SH_API_STATES_API_H
/* Step Functions: what the actions on machines, versions, aliases and executions share.
 *
 *   states_target.c         what the ARN of a machine, a version or an alias names
 *   states_start.c          StartExecution, and what it shares with StartSyncExecution
 *   states_express.c        executions of express machines: the actions and the runner
 *   states_express_run.c    one of them, in memory
 *   states_version.c        versions
 *   states_alias.c          aliases
 *   states_config.c         logging, tracing and encryption configurations
 *   states_validate.c       checks of definitions
 *   states_test.c           TestState */
#include "cloud/api/states.h"
#include "cloud/store/versions.h"

/* ---- states_target.c ---- */
typedef struct sh_target {
    sh_machine machine;                  /* with the definition that is meant */
    const char *qualifier;               /* as in the ARN; NULL: none */
    sh_version version;                  /* number 0: of the machine itself */
    const char *version_arn, *alias_arn; /* NULL: none */
} sh_target;
/* The machine (with its current revision), version or alias. One of the versions of an alias is drawn by
 * weight. Fails the call with InvalidArn, StateMachineDoesNotExist, or, for the label of a Map state,
 * ValidationException. */
int sh_states_target(sh_call *call, const char *arn, sh_target *out);
/* Only the machine itself: a qualified ARN is refused with ValidationException. */
int sh_states_unqualified(sh_call *call, const char *arn, sh_machine *out);
/* Cuts the ARN of a version or alias into the machine's ARN and the qualifier (in the call's arena). Fails
 * with InvalidArn when there is none. */
int sh_states_split(sh_call *call, const char *arn, const char **machine_arn, const char **qualifier);
/* True when the qualifier is a version's number. */
bool sh_states_number(const char *qualifier, int64_t *number);
const char *sh_states_qualified_arn(sh_call *call, const char *machine_arn, const char *qualifier);
const char *sh_states_version_arn(sh_call *call, const char *machine_arn, int64_t number);

/* ---- states_start.c ---- */
typedef struct sh_start {
    sh_target target;
    const char *arn; /* of the execution */
    const char *name, *input, *trace_header;
} sh_start;
/* Reads and checks what both start actions take; gives a name if there is none. */
int sh_states_read_start(sh_call *call, sh_start *start);
/* "input" or another text of JSON: "{}" when it is not there. */
int sh_states_read_json(sh_call *call, const char *member, const char **text);
/* includedData: true for METADATA_ONLY. */
int sh_states_metadata_only(sh_call *call, bool *only);
/* An optional text of at most max characters that is one of the names (NULL-terminated). */
int sh_states_enum(sh_call *call, const char *member, const char *const *names, const char **out);
/* "Value '…' at 'name' failed to satisfy constraint: …" */
int sh_states_refuse(sh_call *call, const char *member, const char *value, const char *constraint);

/* ---- states_express.c ---- */
int sh_states_start_sync(sh_call *call);
/* StartExecution of an express machine. */
int sh_express_start(sh_call *call, const sh_start *start);
/* StartSyncExecution for a task, which waits for its subject, the execution's ARN, of this service:
 * sh_wait_notify names it when it has ended. NULL: call->error says why not. */
#define SH_EXPRESS_SERVICE "express"
const char *sh_express_start_awaited(sh_call *call);
/* The answer of StartSyncExecution for that subject, once: a new reference. */
int sh_express_take(sh_cloud *cloud, sh_arena *arena, const char *arn, json_t **out, sh_err *err);
/* Nobody asks for that any more. */
void sh_express_abandon(sh_cloud *cloud, const char *arn);
struct sh_express_table *sh_express_new(void); /* NULL: no memory */
void sh_express_stop(struct sh_express_table *table);
void sh_express_free(struct sh_express_table *table);
int sh_express_runner(sh_cloud *cloud);
/* Does all that is due; *next_ms is when there is more, -1: never. */
int sh_express_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err);

/* ---- states_validate.c ---- */
/* Fails the call with InvalidDefinition. type: "STANDARD" or "EXPRESS". */
int sh_states_check_definition(sh_call *call, const char *definition, const char *type);

/* ---- states_config.c ---- */
typedef struct sh_configs {
    const char *logging, *tracing, *encryption; /* JSON text; NULL: not given */
} sh_configs;
int sh_states_read_configs(sh_call *call, sh_configs *out);
void sh_states_put_configs(int *failed, json_t *out, const sh_machine *machine);

/* ---- states_version.c, states_alias.c: actions ---- */
int sh_states_publish(sh_call *call);
int sh_states_list_versions(sh_call *call);
int sh_states_delete_version(sh_call *call);
/* A version of the machine's current revision, that which there is already or a new one. Within a
 * transaction. */
int sh_states_publish_version(sh_call *call, const sh_machine *machine, const char *description,
                              sh_version *out);
/* "publish" and "versionDescription" of CreateStateMachine and UpdateStateMachine. */
int sh_states_read_publish(sh_call *call, bool *publish, const char **description);
int sh_states_create_alias(sh_call *call);
int sh_states_update_alias(sh_call *call);
int sh_states_describe_alias(sh_call *call);
int sh_states_list_aliases(sh_call *call);
int sh_states_delete_alias(sh_call *call);

/* ---- states_test.c: action ---- */
int sh_states_test(sh_call *call);

#endif
