/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions of objects that are not current: older ones, and delete markers. The table objects has the current
 * object of a key; a write with versioning moves it here and a new row takes its place. A key whose latest
 * version is a delete marker has no row in objects. Both tables draw their sequence from the same counter, so
 * the highest one of a key is its latest version, and no order has to be kept up. */
#include "cloud/store/object_files.h"
#include "cloud/store/objects.h"
#include "cloud/store/schema.h"

const char sh_schema_object_versions[] =
    "CREATE TABLE IF NOT EXISTS object_versions (bucket TEXT NOT NULL REFERENCES buckets (name),"
    " key TEXT NOT NULL, sequence INTEGER NOT NULL, version_id TEXT NOT NULL,"
    " marker INTEGER NOT NULL DEFAULT 0, file TEXT UNIQUE, size INTEGER NOT NULL DEFAULT 0,"
    " etag TEXT NOT NULL DEFAULT '', content_type TEXT NOT NULL DEFAULT '',"
    " headers TEXT NOT NULL DEFAULT '{}', checksum TEXT, modified_ms INTEGER NOT NULL, tags TEXT, acl TEXT,"
    " parts TEXT, storage TEXT, noncurrent_ms INTEGER, PRIMARY KEY (bucket, key, sequence DESC))"
    " WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS object_versions_by_id ON object_versions (bucket, key, version_id);";
