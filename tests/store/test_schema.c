/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A database of each earlier version (schema/N.sql has its tables) is opened: afterwards it has the columns,
 * keys, indexes and triggers of a new one, and the rows it had. The argument is that folder. */
#include "base/clock.h"
#include "base/file.h"
#include "cloud/store/objects.h"
#include "cloud/store/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *schemas;
static char folder[] = "/tmp/spyhop-schema-XXXXXX";

/* What was there to be kept. */
static const char rows[] =
    "INSERT INTO settings (name, value) VALUES ('kept', 'yes');"
    "INSERT INTO buckets (name, region, created_ms, eventbridge) VALUES ('bucket', 'eu-west-1', 1, 1);"
    "INSERT INTO objects (bucket, key, file, size, etag, content_type, headers, modified_ms) VALUES"
    " ('bucket', 'key', '00/00000000000000000000000000000000', 4, '8d777f385d3dfec8815d20f7496026dc',"
    " 'text/plain', '{}', 5);"
    "INSERT INTO uploads (id, bucket, key, headers, created_ms) VALUES ('up', 'bucket', 'film', '{}', 6);"
    "INSERT INTO parts (upload, number, file, size, etag, modified_ms) VALUES"
    " ('up', 1, '00/00000000000000000000000000000001', 0, 'd41d8cd98f00b204e9800998ecf8427e', 7);";

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* One line for each column, index and trigger, whatever the order of columns is. */
static char *layout(const char *path)
{
    static const char sql[] =
        "SELECT group_concat(line, char(10)) FROM (SELECT line FROM ("
        "SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' ||"
        " coalesce(c.dflt_value, '-') || ' ' || c.pk AS line FROM sqlite_schema t, pragma_table_info(t.name) "
        "c"
        " WHERE t.type = 'table' "
        "UNION ALL SELECT 'key ' || t.name || '.' || f.\"from\" || ' ' || f.\"table\" FROM sqlite_schema t,"
        " pragma_foreign_key_list(t.name) f WHERE t.type = 'table' "
        "UNION ALL SELECT 'index ' || t.name || ' ' || i.\"unique\" || ' ' || coalesce(i.partial, 0) || ' ' "
        "||"
        " (SELECT group_concat(x.name, ',') FROM pragma_index_info(i.name) x) FROM sqlite_schema t,"
        " pragma_index_list(t.name) i WHERE t.type = 'table' "
        "UNION ALL SELECT 'trigger ' || name || ' ' || sql FROM sqlite_schema WHERE type = 'trigger')"
        " ORDER BY line)";
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    char *text = strdup((const char *)sqlite3_column_text(statement, 0));
    assert_non_null(text);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return text;
}

static void same_layout(const char *expected, const char *got, int version)
{
    const char *e = expected, *g = got;
    while (*e && *g) {
        size_t a = strcspn(e, "\n"), b = strcspn(g, "\n");
        if (a != b || memcmp(e, g, a) != 0)
            fail_msg("from version %d: a new database has\n  %.*s\nhere is\n  %.*s", version, (int)a, e,
                     (int)b, g);
        e += a + (e[a] == '\n');
        g += b + (g[b] == '\n');
    }
    assert_string_equal(e, g);
}

static void make_old(const char *path, int version)
{
    char source[PATH_MAX], pragma[64];
    sh_buf sql;
    sh_buf_init(&sql, 4 << 20);
    snprintf(source, sizeof(source), "%s/%d.sql", schemas, version);
    assert_int_equal(sh_file_read(source, &sql, NULL), 0);
    run_sql(path, sh_buf_cstr(&sql));
    run_sql(path, rows);
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version);
    run_sql(path, pragma);
    sh_buf_free(&sql);
}

static void open_and_close(const char *path)
{
    sh_db *db = NULL;
    sh_err err = {0};
    if (sh_db_open(&db, path, &err) < 0)
        fail_msg("%s", err.message);
    sh_db_close(db);
}

static void keeps_its_rows(const char *path)
{
    sh_objects objects = {
        .clock = &sh_clock_system, .data = folder, .region = "eu-west-1", .account = "012345678901"};
    sh_arena *arena = sh_arena_new(16 << 20);
    sh_object object;
    sh_bucket bucket;
    assert_int_equal(sh_db_open(&objects.db, path, NULL), 0);
    assert_int_equal(sh_bucket_get(&objects, "bucket", &bucket, NULL), 0);
    assert_true(bucket.eventbridge);
    assert_int_equal(bucket.versioning, 0);
    assert_int_equal(sh_object_get(&objects, "bucket", "key", arena, &object, NULL), 0);
    assert_int_equal(object.size, 4);
    assert_string_equal(object.version_id, "null");
    assert_int_equal(sh_object_delete(&objects, "bucket", "key", NULL, NULL), 0);
    sh_db_close(objects.db);
    sh_arena_free(arena);
}

static void from_every_version(void **state)
{
    char fresh[64], old[64];
    (void)state;
    snprintf(fresh, sizeof(fresh), "%s/fresh.db", folder);
    open_and_close(fresh);
    char *expected = layout(fresh);
    for (int version = 1; version < SH_SCHEMA_VERSION; version++) {
        snprintf(old, sizeof(old), "%s/%d.db", folder, version);
        make_old(old, version);
        open_and_close(old);
        char *got = layout(old);
        same_layout(expected, got, version);
        free(got);
        open_and_close(old); /* nothing is done twice */
        keeps_its_rows(old);
    }
    free(expected);
}

static void of_a_later_version(void **state)
{
    char path[64], pragma[64];
    sh_db *db = NULL;
    sh_err err = {0};
    (void)state;
    snprintf(path, sizeof(path), "%s/later.db", folder);
    open_and_close(path);
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", SH_SCHEMA_VERSION + 1);
    run_sql(path, pragma);
    assert_int_equal(sh_db_open(&db, path, &err), SH_E_UNSUPPORTED);
    assert_null(db);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_every_version),
        cmocka_unit_test(of_a_later_version),
    };
    if (argc != 2 || !mkdtemp(folder))
        return 2;
    schemas = argv[1];
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sh_dir_remove(folder, NULL);
    return failed;
}
