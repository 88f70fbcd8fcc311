/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small bodies: bytes that are rows of the database. Where they lie, that they go with what names them, and
 * that readers cannot tell. */
#include "store_case.h"
#include "base/file.h"
#include "cloud/store/bodies.h"
#include "cloud/store/fsck.h"
#include "cloud/store/multipart.h"
#include "cloud/store/take.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX = 100 };

static int set_up_rows(void **state)
{
    int status = set_up(state);
    store.row_max = MAX;
    return status;
}

static void reopen(void)
{
    sh_db_close(store.db);
    open_store();
    store.row_max = MAX;
}

static int64_t bodies(void)
{
    int64_t count = -1;
    assert_int_equal(sh_db_each(store.db, NULL, "SELECT count(*) FROM bodies", sh_take_number, &count, ""),
                     0);
    return count;
}

static int put(const char *key, const char *text)
{
    sh_object_new item = {.bucket = "bucket", .key = key, .bytes = text, .length = strlen(text)};
    return sh_objects_publish(&store, &item, 1, NULL, NULL);
}

static const char *long_text(size_t length)
{
    char *text = sh_arena_alloc(arena, length + 1);
    memset(text, 'x', length);
    text[length] = '\0';
    return text;
}

static const char *name_of(const char *key)
{
    sh_object object;
    assert_int_equal(sh_object_get(&store, "bucket", key, arena, &object, NULL), 0);
    return object.file;
}

static void where_bytes_lie(void **state)
{
    sh_object object;
    const void *bytes;
    int fd;
    (void)state;
    sh_object_new items[] = {
        {.bucket = "bucket", .key = "bytes", .bytes = "hello", .length = 5},
        {.bucket = "bucket", .key = "none"},
        {.bucket = "bucket", .key = "most", .path = stage(long_text(MAX))},
        {.bucket = "bucket", .key = "more", .path = stage(long_text(MAX + 1))},
    };
    assert_int_equal(sh_objects_publish(&store, items, 4, NULL, NULL), 0);
    assert_int_equal(bodies(), 3);
    assert_int_equal(object_files(), 1);
    assert_int_equal(count_in("tmp"), 0);
    assert_string_equal(content("bytes"), "hello");
    assert_string_equal(content("none"), "");
    assert_string_equal(content("most"), long_text(MAX));
    assert_string_equal(content("more"), long_text(MAX + 1));
    assert_int_equal(
        sh_object_read_version(&store, "bucket", "bytes", NULL, arena, &object, &fd, &bytes, NULL), 0);
    assert_int_equal(fd, -1);
    assert_memory_equal(bytes, "hello", 5);
    assert_string_equal(object.etag, "5d41402abc4b2a76b9719d911017c592");
    assert_true(sh_body_name(object.file));
    assert_int_equal(
        sh_object_read_version(&store, "bucket", "none", "null", arena, &object, &fd, &bytes, NULL), 0);
    assert_int_equal(fd, -1);
    assert_non_null(bytes);
    assert_string_equal(object.etag, "d41d8cd98f00b204e9800998ecf8427e");
    assert_int_equal(
        sh_object_read_version(&store, "bucket", "more", NULL, arena, &object, &fd, &bytes, NULL), 0);
    assert_true(fd >= 0);
    assert_null(bytes);
    close(fd);
    assert_false(sh_body_name(object.file));
    reopen();
    assert_string_equal(content("bytes"), "hello");
    assert_int_equal(bodies(), 3);
}

/* Nothing is left of what was replaced, deleted or refused, and no id comes twice. */
static void bodies_go_with_their_objects(void **state)
{
    (void)state;
    assert_int_equal(put("k", "one"), 0);
    const char *first = name_of("k");
    assert_int_equal(put("k", "two"), 0);
    assert_int_equal(bodies(), 1);
    assert_string_not_equal(name_of("k"), first);
    sh_object_new refused = {
        .bucket = "bucket", .key = "k", .bytes = "three", .length = 5, .condition = {.absent = true}};
    assert_int_equal(sh_objects_publish(&store, &refused, 1, NULL, NULL), SH_E_CONFLICT);
    refused.path = stage("three");
    assert_int_equal(sh_objects_publish(&store, &refused, 1, NULL, NULL), SH_E_CONFLICT);
    assert_int_equal(access(refused.path, F_OK), 0); /* what was not published stays */
    assert_int_equal(bodies(), 1);
    assert_string_equal(content("k"), "two");
    assert_int_equal(put("k", long_text(MAX + 1)), 0);
    const char *second = name_of("k");
    sh_object_new large = {.bucket = "bucket", .key = "k", .path = stage(long_text(MAX + 1))};
    assert_int_equal(sh_objects_publish(&store, &large, 1, NULL, NULL), 0);
    assert_int_equal(bodies(), 0);
    assert_int_equal(object_files(), 1);
    assert_int_equal(sh_object_delete(&store, "bucket", "k", NULL, NULL), 0);
    assert_int_equal(object_files(), 0);
    assert_int_equal(put("k", "one"), 0);
    assert_true(strcmp(name_of("k"), second) > 0);
    assert_int_equal(sh_object_delete(&store, "bucket", "k", NULL, NULL), 0);
    assert_int_equal(bodies(), 0);
}

static void a_reader_keeps_what_it_opened(void **state)
{
    char text[8] = "";
    sh_object object;
    int fd;
    (void)state;
    assert_int_equal(put("k", "kept"), 0);
    assert_int_equal(sh_object_open(&store, "bucket", "k", arena, &object, &fd, NULL), 0);
    assert_int_equal(sh_object_delete(&store, "bucket", "k", NULL, NULL), 0);
    assert_int_equal(read(fd, text, sizeof(text) - 1), 4);
    assert_string_equal(text, "kept");
    close(fd);
}

static void versions(void **state)
{
    static const char *const texts[] = {"one", "two", "three"};
    char ids[3][SH_VERSION_ID];
    sh_object object;
    const void *bytes;
    int fd;
    (void)state;
    assert_int_equal(sh_bucket_set_versioning(&store, "bucket", SH_VERSIONING_ENABLED, NULL), 0);
    for (int i = 0; i < 3; i++) {
        sh_object_new item = {.bucket = "bucket",
                              .key = "k",
                              .bytes = texts[i],
                              .length = strlen(texts[i]),
                              .version_id = ids[i]};
        assert_int_equal(sh_objects_publish(&store, &item, 1, NULL, NULL), 0);
    }
    assert_int_equal(bodies(), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            sh_object_read_version(&store, "bucket", "k", ids[i], arena, &object, &fd, &bytes, NULL), 0);
        assert_memory_equal(bytes, texts[i], strlen(texts[i]));
    }
    sh_object_doomed gone[] = {{.key = "k", .version = ids[2]}, {.key = "k", .version = ids[0]}};
    assert_int_equal(sh_objects_delete_each(&store, "bucket", gone, 2, NULL, NULL), 0);
    assert_int_equal(bodies(), 1);
    assert_string_equal(content("k"), "two"); /* which became the current one again */
    sh_object_doomed marker = {.key = "k"}, last = {.key = "k", .version = ids[1]};
    assert_int_equal(sh_objects_delete_each(&store, "bucket", &marker, 1, NULL, NULL), 0);
    assert_int_equal(bodies(), 1);
    assert_null(content("k"));
    assert_int_equal(sh_object_read_version(&store, "bucket", "k", NULL, arena, &object, &fd, &bytes, NULL),
                     0);
    assert_true(object.marker);
    assert_null(bytes);
    assert_int_equal(fd, -1);
    assert_int_equal(sh_objects_delete_each(&store, "bucket", &last, 1, NULL, NULL), 0);
    assert_int_equal(bodies(), 0);
}

static void parts(void **state)
{
    char id[SH_UPLOAD_ID_MAX], path[SH_STAGE_PATH];
    sh_upload upload = {.bucket = "bucket", .key = "joined"};
    sh_part one = {.number = 1, .etag = "e1", .size = MAX + 1}, two = {.number = 2, .etag = "e2", .size = 3},
            *found;
    size_t count;
    (void)state;
    assert_int_equal(sh_upload_create(&store, &upload, id, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &one, stage(long_text(MAX + 1)), NULL, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &two, NULL, "old", NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &two, NULL, "end", NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, "none", &two, NULL, "end", NULL), SH_E_NOT_FOUND);
    assert_int_equal(bodies(), 1);
    assert_int_equal(object_files(), 1);
    assert_int_equal(sh_upload_parts(&store, id, 0, 100, arena, &found, &count, NULL), 0);
    assert_int_equal(sh_upload_join(&store, found, count, path, NULL), 0);
    sh_object_new item = {.bucket = "bucket", .key = "joined", .path = path, .etag = "whole-2"};
    assert_int_equal(sh_upload_complete(&store, id, &item, NULL, NULL), 0);
    assert_string_equal(content("joined") + MAX + 1, "end");
    assert_int_equal(bodies(), 0);
    assert_int_equal(object_files(), 1);
    assert_int_equal(sh_upload_create(&store, &upload, id, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &two, NULL, "end", NULL), 0);
    assert_int_equal(sh_upload_parts(&store, id, 0, 100, arena, &found, &count, NULL), 0);
    assert_int_equal(sh_upload_join(&store, found, count, path, NULL), 0);
    assert_int_equal(sh_upload_complete(&store, id, &item, NULL, NULL), 0);
    assert_string_equal(content("joined"), "end");
    assert_int_equal(bodies(), 1);
    assert_int_equal(object_files(), 0);
    assert_int_equal(sh_upload_create(&store, &upload, id, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &two, NULL, "end", NULL), 0);
    assert_int_equal(sh_upload_abort(&store, id, NULL), 0);
    assert_int_equal(bodies(), 1);
    assert_int_equal(count_in("tmp"), 0);
}

/* What one transaction takes into memory is bounded: the rest are files. */
static void not_all_at_once(void **state)
{
    enum { LENGTH = 64 << 10, COUNT = 2 * SH_INCOMING_MAX / LENGTH };
    static sh_object_new items[COUNT];
    const char *text = long_text(LENGTH);
    (void)state;
    store.row_max = LENGTH;
    for (int i = 0; i < COUNT; i++) {
        items[i] = (sh_object_new){
            .bucket = "bucket", .key = sh_arena_printf(arena, "k%03d", i), .path = stage(text), .etag = "e"};
    }
    assert_int_equal(sh_objects_publish(&store, items, COUNT, NULL, NULL), 0);
    assert_int_equal(bodies(), SH_INCOMING_MAX / LENGTH);
    assert_int_equal(object_files(), COUNT - SH_INCOMING_MAX / LENGTH);
    assert_int_equal(count_in("tmp"), 0);
}

static void shared(void **state)
{
    char path[SH_STAGE_PATH];
    sh_object from;
    (void)state;
    sh_object_new large = {.bucket = "bucket", .key = "large", .path = stage(long_text(MAX + 1))};
    assert_int_equal(sh_objects_publish(&store, &large, 1, NULL, NULL), 0);
    assert_int_equal(put("small", "few"), 0);
    for (int i = 0; i < 2; i++) {
        const char *key = i ? "large" : "small";
        assert_int_equal(sh_object_get(&store, "bucket", key, arena, &from, NULL), 0);
        assert_int_equal(sh_object_share(&store, &from, path, NULL), 0);
        sh_object_new copy = {.bucket = "bucket", .key = "copy", .path = path, .etag = from.etag};
        assert_int_equal(sh_objects_publish(&store, &copy, 1, NULL, NULL), 0);
        assert_int_equal(sh_object_delete(&store, "bucket", key, NULL, NULL), 0);
        assert_string_equal(content("copy"), i ? long_text(MAX + 1) : "few");
    }
    assert_int_equal(count_in("tmp"), 0);
}

typedef struct found {
    char kinds[512];
} found;

static void on_problem(void *opaque, const sh_fsck_problem *problem)
{
    found *f = opaque;
    size_t used = strlen(f->kinds);
    snprintf(f->kinds + used, sizeof(f->kinds) - used, "%s%s;", problem->kind, problem->repaired ? "+" : "");
}

static const char *fsck(bool repair, sh_fsck *f)
{
    static found f_found;
    f_found = (found){""};
    *f = (sh_fsck){.repair = repair, .scrub = true, .problem = on_problem, .opaque = &f_found};
    assert_int_equal(sh_fsck_run(&store, f, NULL), 0);
    return f_found.kinds;
}

static void damage(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d"};
    char path[PATH_MAX + 32];
    sh_fsck f;
    sh_buf text;
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(put(keys[i], "bytes"), 0);
    assert_string_equal(fsck(false, &f), "");
    assert_int_equal(f.objects, 4);
    assert_int_equal(f.bodies, 4);
    assert_int_equal(f.bytes, 20);
    assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM bodies WHERE id = 1", ""), 0);
    assert_int_equal(sh_db_run(store.db, NULL, "UPDATE bodies SET bytes = x'00' WHERE id = 2", ""), 0);
    assert_int_equal(
        sh_db_run(store.db, NULL, "UPDATE bodies SET bytes = CAST('bites' AS BLOB) WHERE id = 3", ""), 0);
    assert_int_equal(sh_db_run(store.db, NULL, "INSERT INTO bodies VALUES (77, CAST('spare' AS BLOB))", ""),
                     0);
    assert_string_equal(fsck(false, &f), "missing;size;bytes;orphan;");
    assert_string_equal(fsck(true, &f), "missing;size;bytes;orphan+;");
    assert_string_equal(fsck(true, &f), "missing;size;bytes;");
    snprintf(path, sizeof(path), "%s/lost/body-77", data);
    sh_buf_init(&text, 100);
    assert_int_equal(sh_file_read(path, &text, NULL), 0);
    assert_int_equal(text.length, 5);
    sh_buf_free(&text);
    assert_null(content("a"));
    assert_int_equal(
        sh_db_run(store.db, NULL, "UPDATE objects SET file = 'row/0000000000000001x' WHERE key = 'a'", ""),
        0);
    assert_non_null(strstr(fsck(false, &f), "row;"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(where_bytes_lie, set_up_rows, tear_down),
        cmocka_unit_test_setup_teardown(bodies_go_with_their_objects, set_up_rows, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_keeps_what_it_opened, set_up_rows, tear_down),
        cmocka_unit_test_setup_teardown(versions, set_up_rows, tear_down),
        cmocka_unit_test_setup_teardown(parts, set_up_rows, tear_down),
        cmocka_unit_test_setup_teardown(not_all_at_once, set_up_rows, tear_down),
        cmocka_unit_test_setup_teardown(shared, set_up_rows, tear_down),
        cmocka_unit_test_setup_teardown(damage, set_up_rows, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
