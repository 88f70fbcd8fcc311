/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_MAP_H
#define SH_API_STATES_MAP_H
/* Distributed Map states: what the files states_map*.c share, and what others call.
 *
 *   states_map.c         a run from its start to its end, all of it rows
 *   states_map_runner.c  what is not done in the transactions of executions: reading, many starts, aborting
 *   states_map_read.c    items from the state's input or from objects; items to children
 *   states_map_csv.c     records of CSV text
 *   states_map_gunzip.c  compressed files of an inventory
 *   states_map_write.c   results, as the state's result or as objects
 *   states_map_api.c     DescribeMapRun and its like
 *
 * A run is a row (store/maps.h). Its children are made once, before the first of them starts, and each is
 * started in the transaction that marks it so: whatever happens, none is started twice. A child that ends
 * counts itself in its last transaction and starts the next in line there. */
#include "cloud/api/states.h"
#include "cloud/store/maps.h"
#include "cloud/store/objects.h"

#define SH_MAP_SERVICE "mapRun" /* of sh_wait_notify */

/* ---- states_map.c: called by the runs of executions, within their transactions ---- */
/* The task of a distributed Map state begins: the answer says what to wait for. */
int sh_map_start(sh_cloud *cloud, sh_arena *arena, const sh_execution *execution,
                 const sh_definition *definition, const char *state_name, const json_t *parameters,
                 sh_task_answer *answer, sh_err *err);
/* How the run has ended. */
int sh_map_outcome(sh_cloud *cloud, sh_arena *arena, const char *arn, sh_task_answer *answer, sh_err *err);
/* Nobody waits for the run any more. */
void sh_map_cancel(sh_cloud *cloud, const char *arn);
/* An execution has ended. Does nothing when it is no child of a run. */
int sh_map_execution_ended(sh_cloud *cloud, const sh_execution *execution, sh_err *err);

/* ---- states_map.c: for the other files ---- */
/* Starts at most `most` children as far as there is room, and ends the run when all have ended. Changes and
 * saves the row. */
int sh_map_advance(sh_cloud *cloud, sh_map_run *run, int64_t most, sh_err *err);
bool sh_map_has_room(const sh_map_run *run); /* for one more child */
/* The run has failed; error and cause are borrowed. Saves the row. */
int sh_map_fail(sh_cloud *cloud, sh_map_run *run, const char *error, const char *cause, sh_err *err);
/* It has ended as its row says. Saves the row and tells the parent. */
int sh_map_done(sh_cloud *cloud, sh_map_run *run, sh_err *err);

/* A fault of the run: names in the arena of whoever gives it. */
typedef struct sh_map_fault {
    const char *error, *cause;
} sh_map_fault;

/* ---- states_map_read.c ---- */
/* Reads all items and makes the children's rows; *items and *children: how many. Returns 0 (fault->error set:
 * the run fails with it) or SH_E_*. Not in a transaction. */
int sh_map_read(sh_cloud *cloud, sh_arena *arena, const sh_map_run *run, int64_t *items, int64_t *children,
                sh_map_fault *fault, sh_err *err);

/* ---- states_map_csv.c ---- */
/* Fields of the next record from *text on, which is moved behind it; NULL: memory is short. An array of
 * strings. */
json_t *sh_csv_record(const char **text, const char *end, char delimiter);
char sh_csv_delimiter(const char *name); /* "PIPE" -> '|'; ',' for NULL */

/* ---- states_map_gunzip.c ---- */
/* Unpacks the gzip file fd into *out, a file without a name at its start, for the caller to close.
 * SH_E_FORMAT, SH_E_LIMIT (1 GiB unpacked): the message says what is wrong with it. */
int sh_map_gunzip(const sh_objects *objects, int fd, int *out, int64_t *size, sh_err *err);

/* ---- states_map_write.c ---- */
/* The run's result as JSON text, of at most `most` bytes: SH_E_LIMIT when it is longer. */
int sh_map_result_text(sh_cloud *cloud, const sh_map_run *run, const json_t *parameters, size_t most,
                       char **text, sh_err *err);
/* Writes the results as objects and ends the run, in one transaction. Not in one itself. */
int sh_map_write(sh_cloud *cloud, sh_arena *arena, sh_map_run *run, sh_map_fault *fault, sh_err *err);

/* ---- states_map_runner.c ---- */
/* Does all that is to be done now. */
int sh_maps_pump(sh_cloud *cloud, sh_err *err);
int sh_maps_run(sh_cloud *cloud); /* the runner's thread */

/* ---- states_map_api.c: actions ---- */
int sh_states_describe_map_run(sh_call *call);
int sh_states_list_map_runs(sh_call *call);
int sh_states_update_map_run(sh_call *call);
/* ListExecutions with a mapRunArn. */
int sh_states_list_map_executions(sh_call *call);
/* Adds mapRunArn (and, in DescribeStateMachineForExecution, label) of an execution that is a child. */
void sh_states_put_map(int *failed, sh_call *call, int64_t execution, bool label);

#endif
