/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions, delete markers, conditions and what lifecycles delete, on a real folder. */
#include "store_case.h"
#include "cloud/store/object_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

static void versioning(sh_versioning to)
{
    assert_int_equal(sh_bucket_set_versioning(&store, "bucket", to, NULL), 0);
}

/* The id of the version that was written. */
static const char *put_tagged(const char *key, const char *text, const char *tags)
{
    char *id = sh_arena_alloc(arena, SH_VERSION_ID);
    sh_object_new item = {
        .bucket = "bucket", .key = key, .path = stage(text), .tags = tags, .version_id = id};
    assert_int_equal(sh_objects_publish(&store, &item, 1, NULL, NULL), 0);
    return id;
}

static const char *put(const char *key, const char *text)
{
    return put_tagged(key, text, NULL);
}

static const char *delete_version(const char *key, const char *version)
{
    sh_object_doomed *d = sh_arena_alloc(arena, sizeof(*d));
    *d = (sh_object_doomed){.key = key, .version = version};
    assert_int_equal(sh_objects_delete_each(&store, "bucket", d, 1, NULL, NULL), 0);
    return d->version_id;
}

typedef struct lines {
    char text[4000];
} lines;

/* "key:size" or "key:marker", '*' for the latest; common prefixes as they are. */
static int take_line(void *opaque, const sh_object *object, const char *prefix)
{
    lines *l = opaque;
    size_t used = strlen(l->text);
    if (prefix)
        snprintf(l->text + used, sizeof(l->text) - used, "%s ", prefix);
    else if (object->marker)
        snprintf(l->text + used, sizeof(l->text) - used, "%s:-%s ", object->key, object->latest ? "*" : "");
    else
        snprintf(l->text + used, sizeof(l->text) - used, "%s:%d%s ", object->key, (int)object->size,
                 object->latest ? "*" : "");
    return 0;
}

/* All pages of `max`. */
static const char *versions(const char *prefix, const char *delimiter, int max)
{
    lines *l = sh_arena_alloc(arena, sizeof(*l));
    const char *next = "", *version = NULL;
    do {
        sh_versions_query query = {"bucket", prefix, delimiter, next, version, max};
        assert_int_equal(sh_versions_list(&store, &query, take_line, l, arena, &next, &version, NULL), 0);
    } while (next);
    return l->text;
}

static const char *objects(void)
{
    lines *l = sh_arena_alloc(arena, sizeof(*l));
    const char *next;
    sh_list_query query = {"bucket", "", "", "", 1000};
    assert_int_equal(sh_objects_list(&store, &query, take_line, l, arena, &next, NULL), 0);
    return l->text;
}

static int64_t count(const char *sql)
{
    int rows = 0;
    assert_int_equal(sh_db_each(store.db, NULL, sql, sh_count_row, &rows, ""), 0);
    return rows;
}

static int files(void)
{
    glob_t found = {0};
    char pattern[PATH_MAX + 200];
    snprintf(pattern, sizeof(pattern), "%s/objects/*/*", data);
    int status = glob(pattern, 0, NULL, &found);
    int total = status == 0 ? (int)found.gl_pathc : 0;
    globfree(&found);
    return total;
}

static void states(void **state)
{
    sh_object object;
    (void)state;
    assert_string_equal(put("k", "1"), "");
    assert_string_equal(put("k", "22"), "");
    assert_string_equal(versions("", "", 9), "k:2* ");
    versioning(SH_VERSIONING_ENABLED);
    const char *third = put("k", "333");
    assert_true(sh_version_id_valid(third));
    assert_string_equal(versions("", "", 9), "k:3* k:2 ");
    const char *marker = delete_version("k", NULL);
    assert_string_equal(versions("", "", 9), "k:-* k:3 k:2 ");
    assert_string_equal(objects(), "");
    assert_int_equal(sh_object_get(&store, "bucket", "k", arena, &object, NULL), SH_E_NOT_FOUND);
    assert_int_equal(sh_object_get_version(&store, "bucket", "k", NULL, arena, &object, NULL), 0);
    assert_true(object.marker && object.latest && object.versioned);
    assert_string_equal(object.version_id, marker);
    assert_int_equal(sh_object_get_version(&store, "bucket", "k", "null", arena, &object, NULL), 0);
    assert_true(!object.marker && !object.latest && object.size == 2);
    versioning(SH_VERSIONING_SUSPENDED);
    assert_string_equal(put("k", "4444"), "null");
    assert_string_equal(versions("", "", 9), "k:4* k:- k:3 ");
    assert_string_equal(delete_version("k", NULL), "null");
    assert_string_equal(versions("", "", 9), "k:-* k:- k:3 ");
    assert_string_equal(delete_version("k", "null"), "null");
    delete_version("k", marker);
    assert_string_equal(versions("", "", 9), "k:3* ");
    assert_string_equal(objects(), "k:3* ");
    assert_int_equal(files(), 1);
    delete_version("k", third);
    assert_int_equal(files(), 0);
    assert_int_equal(count("SELECT 1 FROM object_versions UNION ALL SELECT 1 FROM objects"), 0);
    assert_int_equal(sh_bucket_set_versioning(&store, "bucket", SH_VERSIONING_NEVER, NULL), SH_E_ARGUMENT);
    assert_int_equal(sh_bucket_set_versioning(&store, "none", SH_VERSIONING_ENABLED, NULL), SH_E_NOT_FOUND);
}

static void ids(void **state)
{
    static const int64_t sequences[] = {1, 255, 256, 1000000, INT64_MAX};
    char id[SH_VERSION_ID], other[SH_VERSION_ID];
    (void)state;
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        assert_int_equal(sh_version_id_make(sequences[i], id, NULL), 0);
        assert_int_equal(sh_version_id_make(sequences[i], other, NULL), 0);
        assert_string_not_equal(id, other);
        assert_int_equal(strlen(id), SH_VERSION_ID - 1);
        assert_true(sh_version_id_valid(id));
        assert_true(sh_version_id_sequence(id) == sequences[i]);
    }
    assert_true(sh_version_id_valid("null"));
    assert_false(sh_version_id_valid(""));
    assert_false(sh_version_id_valid("0123456789012345678901234567890"));
    assert_false(sh_version_id_valid("0123456789012345678901234567890-"));
    assert_int_equal(sh_version_id_sequence("null"), 0);
}

static void lists(void **state)
{
    static const char *const keys[] = {"a/1", "a/2", "b", "c/d/1", "c/e", "ü"};
    (void)state;
    versioning(SH_VERSIONING_ENABLED);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            put(keys[i], round ? "22" : "1");
    delete_version("b", NULL);
    for (int max = 1; max < 15; max++) {
        assert_string_equal(versions("", "", max),
                            "a/1:2* a/1:1 a/2:2* a/2:1 b:-* b:2 b:1 c/d/1:2* c/d/1:1 c/e:2* c/e:1 ü:2* ü:1 ");
        assert_string_equal(versions("", "/", max), "a/ b:-* b:2 b:1 c/ ü:2* ü:1 ");
        assert_string_equal(versions("c/", "/", max), "c/d/ c/e:2* c/e:1 ");
        assert_string_equal(versions("a/2", "", max), "a/2:2* a/2:1 ");
        assert_string_equal(versions("x", "", max), "");
    }
    assert_string_equal(versions("", "", 0), "");
}

static int take_detail(void *opaque, const sh_row *row)
{
    lines *l = opaque;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof(l->text) - used, "%s; ", sh_row_text(row, 3));
    return 0;
}

/* A page may cost what it shows, not what the bucket has. */
static void lists_sort_nothing(void **state)
{
    lines plan = {""};
    (void)state;
    assert_int_equal(
        sh_db_each(store.db, NULL,
                   "EXPLAIN QUERY PLAN " SH_OBJECT_CURRENT
                   " WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR sequence < ?3)"
                   " UNION ALL " SH_OBJECT_OLDER
                   " WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR sequence < ?3) ORDER BY 1, 9 DESC",
                   take_detail, &plan, "ssi", "bucket", "a", (int64_t)1),
        0);
    assert_non_null(strstr(plan.text, "MERGE"));
    if (strstr(plan.text, "TEMP B-TREE") || strstr(plan.text, "SCAN o"))
        fail_msg("%s", plan.text);
}

static void conditions(void **state)
{
    sh_object object;
    (void)state;
    put("k", "data");
    assert_int_equal(sh_object_get(&store, "bucket", "k", arena, &object, NULL), 0);
    const struct {
        sh_object_if condition;
        const char *key;
        int expected;
    } rows[] = {
        {{0}, "k", 0},
        {{.absent = true}, "k", SH_E_CONFLICT},
        {{.absent = true}, "other", 0},
        {{.match = "*"}, "k", 0},
        {{.match = "*"}, "other", SH_E_NOT_FOUND},
        {{.match = object.etag}, "k", 0},
        {{.match = sh_arena_printf(arena, "\"%s\"", object.etag)}, "k", 0},
        {{.match = sh_arena_printf(arena, "\"x\", \"%s\"", object.etag)}, "k", 0},
        {{.match = "\"x\""}, "k", SH_E_CONFLICT},
        {{.has_size = true, .size = 4}, "k", 0},
        {{.has_size = true, .size = 5}, "k", SH_E_CONFLICT},
        {{.has_size = true, .size = 5}, "other", 0},
        {{.has_modified = true, .modified_ms = now + 999}, "k", 0},
        {{.has_modified = true, .modified_ms = now + 1000}, "k", SH_E_CONFLICT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(sh_object_check(&store, "bucket", rows[i].key, &rows[i].condition, NULL),
                         rows[i].expected);
    /* One whose condition does not hold is left, the others go. */
    put("l", "data");
    sh_object_doomed doomed[] = {{.key = "k", .condition = {.match = "x"}},
                                 {.key = "l", .condition = {.match = "*"}},
                                 {.key = "none", .condition = {.match = "*"}}};
    assert_int_equal(sh_objects_delete_each(&store, "bucket", doomed, 3, NULL, NULL), 0);
    assert_int_equal(doomed[0].status, SH_E_CONFLICT);
    assert_int_equal(doomed[1].status, 0);
    assert_int_equal(doomed[2].status, SH_E_NOT_FOUND);
    assert_string_equal(objects(), "k:4* ");
}

static int take_event(void *opaque, const sh_row *row)
{
    char **text = opaque;
    *text = sh_arena_strdup(arena, sh_row_text(row, 0));
    return 0;
}

static void told(const char *type, const char *deletion, const char *version)
{
    char *text = NULL;
    assert_int_equal(sh_db_each(store.db, NULL, "SELECT event FROM outbox", take_event, &text, ""), 0);
    assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM outbox", ""), 0);
    assert_non_null(text);
    assert_non_null(strstr(text, sh_arena_printf(arena, "\"detail-type\":\"%s\"", type)));
    if (deletion)
        assert_non_null(strstr(text, sh_arena_printf(arena, "\"deletion-type\":\"%s\"", deletion)));
    else
        assert_null(strstr(text, "deletion-type"));
    if (version)
        assert_non_null(strstr(text, sh_arena_printf(arena, "\"version-id\":\"%s\"", version)));
    else
        assert_null(strstr(text, "version-id"));
}

static void events(void **state)
{
    (void)state;
    assert_int_equal(sh_bucket_set_eventbridge(&store, "bucket", true, NULL), 0);
    put("k", "1");
    told("Object Created", NULL, NULL);
    delete_version("k", "null");
    told("Object Deleted", "Permanently Deleted", NULL);
    versioning(SH_VERSIONING_ENABLED);
    const char *version = put("k", "1");
    told("Object Created", NULL, version);
    assert_int_equal(
        sh_object_set_tags(&store, "bucket", "k", version, "{\"a\":\"1\"}", NULL, arena, NULL, NULL), 0);
    told("Object Tags Added", NULL, version);
    assert_int_equal(sh_object_set_tags(&store, "bucket", "k", NULL, NULL, NULL, arena, NULL, NULL), 0);
    told("Object Tags Deleted", NULL, version);
    assert_int_equal(sh_object_set_acl(&store, "bucket", "k", NULL, "READ:AllUsers", NULL, arena, NULL, NULL),
                     0);
    told("Object ACL Updated", NULL, version);
    const char *marker = delete_version("k", NULL);
    told("Object Deleted", "Delete Marker Created", marker);
    delete_version("k", version);
    told("Object Deleted", "Permanently Deleted", version);
    delete_version("k", version);
    assert_int_equal(count("SELECT 1 FROM outbox"), 0);
}

static void tags_of_versions(void **state)
{
    sh_object object;
    (void)state;
    versioning(SH_VERSIONING_ENABLED);
    const char *old = put_tagged("k", "1", "{\"v\":\"old\"}");
    put_tagged("k", "2", "{\"v\":\"new\"}");
    assert_int_equal(
        sh_object_set_tags(&store, "bucket", "k", old, "{\"v\":\"set\"}", NULL, arena, &object, NULL), 0);
    assert_string_equal(object.tags, "{\"v\":\"set\"}");
    assert_int_equal(sh_object_get_version(&store, "bucket", "k", old, arena, &object, NULL), 0);
    assert_string_equal(object.tags, "{\"v\":\"set\"}");
    assert_int_equal(sh_object_get(&store, "bucket", "k", arena, &object, NULL), 0);
    assert_string_equal(object.tags, "{\"v\":\"new\"}");
    delete_version("k", object.version_id);
    assert_int_equal(sh_object_get(&store, "bucket", "k", arena, &object, NULL), 0);
    assert_string_equal(object.tags, "{\"v\":\"set\"}");
    delete_version("k", NULL);
    assert_int_equal(sh_object_set_tags(&store, "bucket", "k", NULL, NULL, NULL, arena, NULL, NULL),
                     SH_E_CONFLICT);
    assert_int_equal(sh_object_set_tags(&store, "bucket", "x", NULL, NULL, NULL, arena, NULL, NULL),
                     SH_E_NOT_FOUND);
}

/* ---- lifecycle ---- */

typedef int (*expire_fn)(const sh_objects *, sh_expiry *, const sh_object_cause *, sh_err *);

/* Calls until the end; how many were deleted. */
static int expire(expire_fn fn, sh_expiry expiry)
{
    int calls = 0;
    expiry.bucket = "bucket";
    expiry.prefix = expiry.prefix ? expiry.prefix : "";
    expiry.limit = expiry.limit ? expiry.limit : 2;
    while (!expiry.done) {
        assert_int_equal(fn(&store, &expiry, NULL, NULL), 0);
        assert_true(++calls < 100);
    }
    return (int)expiry.deleted;
}

#define ANY .larger_than = -1, .smaller_than = -1

static void expire_current(void **state)
{
    (void)state;
    put_tagged("a/1", "1", "{\"t\":\"x\",\"u\":\"y\"}");
    put("a/2", "22");
    put("a/3", "333");
    put("b", "4444");
    now += 1000;
    put("a/4", "1");
    assert_int_equal(expire(sh_objects_expire, (sh_expiry){ANY, .before_ms = now, .prefix = "c"}), 0);
    assert_int_equal(expire(sh_objects_expire, (sh_expiry){ANY, .before_ms = now, .tags = "{\"t\":\"z\"}"}),
                     0);
    assert_int_equal(expire(sh_objects_expire, (sh_expiry){ANY, .before_ms = now, .tags = "{\"t\":\"x\"}"}),
                     1);
    assert_string_equal(objects(), "a/2:2* a/3:3* a/4:1* b:4* ");
    assert_int_equal(
        expire(sh_objects_expire, (sh_expiry){.larger_than = 2, .smaller_than = 4, .before_ms = now}), 1);
    assert_string_equal(objects(), "a/2:2* a/4:1* b:4* ");
    versioning(SH_VERSIONING_ENABLED);
    assert_int_equal(expire(sh_objects_expire, (sh_expiry){ANY, .before_ms = now, .prefix = "a/"}), 1);
    assert_string_equal(versions("", "", 99), "a/2:-* a/2:2 a/4:1* b:4* ");
    assert_int_equal(expire(sh_objects_expire, (sh_expiry){ANY, .before_ms = now + 1, .limit = 1}), 2);
    assert_string_equal(objects(), "");
    sh_expiry wrong = {.bucket = "bucket", .prefix = "", .tags = "no JSON", .limit = 1};
    assert_int_equal(sh_objects_expire(&store, &wrong, NULL, NULL), SH_E_ARGUMENT);
}

static void expire_noncurrent(void **state)
{
    (void)state;
    versioning(SH_VERSIONING_ENABLED);
    for (int i = 0; i < 5; i++) {
        put("k", &"12345"[i]);
        put("l", &"12345"[i]);
        now += 1000;
    }
    delete_version("l", NULL);
    assert_string_equal(versions("", "", 99), "k:1* k:2 k:3 k:4 k:5 l:-* l:1 l:2 l:3 l:4 l:5 ");
    /* The oldest ceased to be current one second after it was written. */
    assert_int_equal(expire(sh_objects_expire_noncurrent, (sh_expiry){ANY, .before_ms = START + 1001}), 2);
    assert_string_equal(versions("", "", 99), "k:1* k:2 k:3 k:4 l:-* l:1 l:2 l:3 l:4 ");
    assert_int_equal(
        expire(sh_objects_expire_noncurrent, (sh_expiry){ANY, .before_ms = now + 1, .keep = 2, .limit = 1}),
        3);
    assert_string_equal(versions("", "", 99), "k:1* k:2 k:3 l:-* l:1 l:2 ");
    assert_int_equal(
        expire(sh_objects_expire_noncurrent, (sh_expiry){ANY, .before_ms = now + 1, .prefix = "l"}), 2);
    assert_string_equal(versions("", "", 99), "k:1* k:2 k:3 l:-* ");
    assert_int_equal(files(), 3);
}

static void expire_markers(void **state)
{
    (void)state;
    versioning(SH_VERSIONING_ENABLED);
    put("data-behind", "1");
    delete_version("data-behind", NULL);
    delete_version("twice", NULL);
    delete_version("twice", NULL);
    for (int i = 0; i < 5; i++)
        delete_version(sh_arena_printf(arena, "lone-%d", i), NULL);
    put("zobject", "1");
    now += 1000;
    delete_version("young", NULL);
    assert_int_equal(expire(sh_objects_expire_markers, (sh_expiry){ANY, .before_ms = now}), 5);
    assert_string_equal(versions("", "", 99), "data-behind:-* data-behind:1 twice:-* twice:- young:-* "
                                              "zobject:1* ");
    assert_int_equal(expire(sh_objects_expire_markers, (sh_expiry){ANY, .before_ms = INT64_MAX}), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states),
        TEST(ids),
        TEST(lists),
        TEST(lists_sort_nothing),
        TEST(conditions),
        TEST(events),
        TEST(tags_of_versions),
        TEST(expire_current),
        TEST(expire_noncurrent),
        TEST(expire_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
