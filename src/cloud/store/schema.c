/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/schema.h"
#include <stddef.h>

const char *const sh_schema_all[] = {
    sh_schema_settings,
    sh_schema_objects,
    sh_schema_object_versions,
    sh_schema_buckets,
    sh_schema_notices,
    sh_schema_outbox,
    sh_schema_flows,
    sh_schema_commands,
    sh_schema_mcjobs,
    sh_schema_mckept,
    sh_schema_activities,
    sh_schema_versions,
    sh_schema_express,
    sh_schema_maps,
    sh_schema_logs,
    sh_schema_parameters,
    sh_schema_iam,
    sh_schema_files,
    sh_schema_bodies,
    sh_schema_gauges,
    sh_schema_shares,
    sh_schema_nodes,
    sh_schema_functions,
    sh_schema_log_filters,
    sh_schema_steps_of_commands,
    sh_schema_eventparts,
    sh_schema_documents,
    NULL,
};

/* A database of version 0 is a new one, which the CREATE statements make. */
const char *const sh_schema_steps[SH_SCHEMA_VERSION] = {
    "",
    "ALTER TABLE mcjobs ADD COLUMN queue TEXT NOT NULL DEFAULT 'Default';"
    "ALTER TABLE mcjobs ADD COLUMN settings TEXT;",
    "ALTER TABLE waits ADD COLUMN queued INTEGER;"
    "ALTER TABLE waits ADD COLUMN news TEXT;"
    "ALTER TABLE executions ADD COLUMN wall_ms INTEGER;"
    "ALTER TABLE executions ADD COLUMN redrive_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE executions ADD COLUMN redriven_ms INTEGER;"
    "ALTER TABLE executions ADD COLUMN redrive_token TEXT;"
    "ALTER TABLE revisions ADD COLUMN encryption TEXT;"
    "ALTER TABLE machines ADD COLUMN last_version INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE executions ADD COLUMN version_arn TEXT;"
    "ALTER TABLE executions ADD COLUMN alias_arn TEXT;"
    "ALTER TABLE executions ADD COLUMN trace_header TEXT;",
    "ALTER TABLE buckets ADD COLUMN versioning INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE objects ADD COLUMN version_id TEXT NOT NULL DEFAULT 'null';"
    "ALTER TABLE objects ADD COLUMN tags TEXT;"
    "ALTER TABLE objects ADD COLUMN acl TEXT;"
    "ALTER TABLE objects ADD COLUMN parts TEXT;"
    "ALTER TABLE objects ADD COLUMN storage TEXT;"
    "ALTER TABLE uploads ADD COLUMN tags TEXT;"
    "ALTER TABLE uploads ADD COLUMN acl TEXT;"
    "ALTER TABLE uploads ADD COLUMN storage TEXT;",
    "DROP TRIGGER IF EXISTS objects_deleted;"
    "DROP TRIGGER IF EXISTS objects_replaced;"
    "DROP TRIGGER IF EXISTS object_versions_deleted;"
    "DROP TRIGGER IF EXISTS parts_deleted;"
    "DROP TRIGGER IF EXISTS parts_replaced;"
    "CREATE TABLE IF NOT EXISTS notices (id INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL,"
    " event TEXT NOT NULL, created_ms INTEGER NOT NULL);" /* versions before 4 had none */
    "ALTER TABLE notices ADD COLUMN trace TEXT;"
    "DROP INDEX IF EXISTS invocations_open;"
    "ALTER TABLE outbox ADD COLUMN bus TEXT;"
    "ALTER TABLE outbox ADD COLUMN rule TEXT;"
    "ALTER TABLE outbox ADD COLUMN trace TEXT;"
    "ALTER TABLE outbox ADD COLUMN forwarded INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE deliveries ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE deliveries ADD COLUMN line TEXT;"
    "ALTER TABLE deliveries ADD COLUMN trace TEXT;",
};
