/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_SCHEMA_H
#define SH_STORE_SCHEMA_H
/* Each file that owns tables has its CREATE statements in a constant named here; schema.c lists them in
 * order. */
extern const char sh_schema_settings[];        /* settings.c: server settings, by name */
extern const char sh_schema_objects[];         /* objects.c: buckets, objects, multipart uploads */
extern const char sh_schema_buckets[];         /* buckets.c: what is configured of a bucket */
extern const char sh_schema_object_versions[]; /* object_versions.c: versions that are not current */
extern const char sh_schema_notices[];         /* notices.c: notifications of buckets to functions */
extern const char sh_schema_outbox[];          /* outbox.c: events waiting for delivery, rules, targets */
extern const char sh_schema_flows[];           /* flows.c: state machines, executions, history */
extern const char sh_schema_commands[];        /* commands.c: SSM commands and invocations */
extern const char sh_schema_mcjobs[];          /* mcjobs.c: MediaConvert jobs */
extern const char sh_schema_mckept[];          /* mckept.c: its queues, presets, job templates */
extern const char sh_schema_activities[];      /* activities.c: activities of Step Functions */
extern const char sh_schema_versions[];        /* versions.c: versions and aliases of state machines */
extern const char sh_schema_express[];         /* express.c: executions of express state machines */
extern const char sh_schema_parameters[];      /* parameters.c: Parameter Store */
extern const char sh_schema_logs[];            /* logs.c: groups, streams and events of CloudWatch Logs */
extern const char sh_schema_maps[];            /* maps.c: runs of distributed Map states */
extern const char sh_schema_iam[];             /* iam.c: users, groups, roles, policies, access keys */
extern const char sh_schema_files[];           /* recover.c: files to unlink; after all that name files */
extern const char sh_schema_bodies[];          /* bodies.c: bytes of small objects; likewise */

extern const char sh_schema_gauges[]; /* gauges.c: indexes for counting; after flows */
extern const char sh_schema_shares[]; /* shares.c: folders of buckets shared by a token */

extern const char sh_schema_steps_of_commands[]; /* steps.c: how the steps of invocations ended */
extern const char sh_schema_log_filters[];       /* log_filters.c: subscription filters of log groups */
extern const char sh_schema_functions[];         /* functions.c: functions of Lambda, queued invocations */
extern const char sh_schema_nodes[];             /* nodes.c: nodes, activations, what was handed to nodes */

extern const char sh_schema_documents[];  /* documents.c: documents of Run Command */
extern const char sh_schema_eventparts[]; /* eventparts.c: buses, connections, schedules of events */

extern const char *const sh_schema_all[]; /* NULL-terminated */
#define SH_SCHEMA_VERSION 5
/* What brings a database of version i to i + 1, before the CREATE statements. */
extern const char *const sh_schema_steps[SH_SCHEMA_VERSION];

#endif
