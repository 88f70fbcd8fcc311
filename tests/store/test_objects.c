/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object store on a real folder: what is visible after success, failure and a crash. */
#include "store_case.h"
#include "cloud/store/multipart.h"
#include "cloud/store/object_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int put(const char *key, const char *text)
{
    sh_object_new item = {.bucket = "bucket", .key = key, .path = stage(text)};
    return sh_objects_publish(&store, &item, 1, NULL, NULL);
}

static void put_get_replace_delete(void **state)
{
    sh_object object;
    sh_err err = {0};
    int fd;
    char text[10] = "";
    (void)state;
    now = START + 123;
    assert_int_equal(put("k", "first"), 0);
    assert_int_equal(sh_object_open(&store, "bucket", "k", arena, &object, &fd, NULL), 0);
    assert_string_equal(object.etag, "8b04d5e3775d298e78455efc5ca404d5");
    assert_string_equal(object.content_type, "binary/octet-stream");
    assert_int_equal(object.modified_ms, now);
    int64_t before = object.sequence;
    assert_int_equal(put("k", "second"), 0);
    assert_string_equal(content("k"), "second");
    assert_int_equal(read(fd, text, 9), 5); /* a reader keeps what it opened */
    assert_string_equal(text, "first");
    close(fd);
    assert_int_equal(object_files(), 1);
    assert_int_equal(sh_object_get(&store, "bucket", "k", arena, &object, NULL), 0);
    assert_true(object.sequence > before);
    assert_int_equal(sh_object_delete(&store, "bucket", "k", NULL, NULL), 0);
    assert_int_equal(sh_object_delete(&store, "bucket", "k", NULL, NULL), 0);
    assert_int_equal(sh_object_get(&store, "bucket", "k", arena, &object, &err), SH_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "s3://bucket/k"));
    assert_int_equal(object_files(), 0);
    assert_int_equal(count_in("tmp"), 0);
}

static void many_or_none(void **state)
{
    char folder[SH_STAGE_PATH];
    (void)state;
    assert_int_equal(put("old", "old"), 0);
    assert_int_equal(put("taken", "taken"), 0);
    sh_object_new items[] = {
        {.bucket = "bucket", .key = "old", .path = stage("new")},
        {.bucket = "bucket", .key = "other", .path = stage("other")},
        {.bucket = "bucket", .key = "taken", .path = stage("more"), .condition = {.absent = true}}};
    assert_int_equal(sh_objects_publish(&store, items, 3, NULL, NULL), SH_E_CONFLICT);
    assert_string_equal(content("old"), "old");
    assert_null(content("other"));
    assert_int_equal(object_files(), 2);
    items[0].path = stage("new");
    items[1].path = stage("other");
    items[2] = (sh_object_new){.bucket = "nowhere", .key = "x", .path = stage("x")};
    assert_int_equal(sh_objects_publish(&store, items, 3, NULL, NULL), SH_E_NOT_FOUND);
    items[0].path = stage("new");
    items[1].path = "/tmp/there is no such file";
    assert_int_equal(sh_objects_publish(&store, items, 2, NULL, NULL), SH_E_NOT_FOUND);
    assert_string_equal(content("old"), "old");
    items[1].path = stage("other");
    assert_int_equal(sh_objects_publish(&store, items, 2, NULL, NULL), 0);
    assert_string_equal(content("old"), "new");
    assert_string_equal(content("other"), "other");
    assert_int_equal(object_files(), 3);
    /* The same key twice: the last one stays. */
    sh_object_new twice[] = {{.bucket = "bucket", .key = "twice", .path = stage("1")},
                             {.bucket = "bucket", .key = "twice", .path = stage("2")}};
    assert_int_equal(sh_objects_publish(&store, twice, 2, NULL, NULL), 0);
    assert_string_equal(content("twice"), "2");
    assert_int_equal(object_files(), 4);
    assert_int_equal(sh_stage_folder(&store, "job", folder, NULL), 0);
    assert_int_equal(access(folder, W_OK), 0);
    assert_int_equal(sh_stage_folder(&store, "../job", folder, NULL), SH_E_ARGUMENT);
}

static void keys_have_limits(void **state)
{
    char key[SH_OBJECT_KEY_MAX + 2];
    (void)state;
    memset(key, 'k', sizeof(key));
    key[SH_OBJECT_KEY_MAX + 1] = '\0';
    assert_int_equal(put(key, "x"), SH_E_LIMIT);
    key[SH_OBJECT_KEY_MAX] = '\0';
    assert_int_equal(put(key, "x"), 0);
    assert_string_equal(content(key), "x");
    assert_int_equal(put("", "x"), SH_E_LIMIT);
}

static int take_event(void *opaque, const sh_row *row)
{
    char **text = opaque;
    *text = sh_arena_strdup(arena, sh_row_text(row, 0));
    return 0;
}

static const char *last_event(void)
{
    char *text = NULL;
    assert_int_equal(sh_db_each(store.db, NULL, "SELECT event FROM outbox", take_event, &text, ""), 0);
    assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM outbox", ""), 0);
    return text;
}

static void events(void **state)
{
    static const char *const parts[] = {"\"detail-type\":\"Object Created\"",
                                        "\"source\":\"aws.s3\"",
                                        "\"account\":\"012345678901\"",
                                        "\"time\":\"2023-11-14T22:13:20Z\"",
                                        "\"region\":\"eu-west-1\"",
                                        "\"resources\":[\"arn:aws:s3:::bucket\"]",
                                        "\"bucket\":{\"name\":\"bucket\"}",
                                        "\"key\":\"a b/+ü\"",
                                        "\"size\":4",
                                        "\"etag\":\"8d777f385d3dfec8815d20f7496026dc\"",
                                        "\"reason\":\"CopyObject\"",
                                        "\"request-id\":\"r1\"",
                                        "\"requester\":\"me\"",
                                        "\"source-ip-address\":\"10.1.2.3\"",
                                        "\"version\":\"0\""};
    sh_object_cause cause = {"CopyObject", "r1", "me", "10.1.2.3"};
    sh_object_new item = {.bucket = "bucket", .key = "a b/+ü", .path = stage("data")};
    (void)state;
    assert_int_equal(put("silent", "x"), 0);
    assert_null(last_event());
    assert_int_equal(sh_bucket_set_eventbridge(&store, "bucket", true, NULL), 0);
    assert_int_equal(sh_bucket_set_eventbridge(&store, "nowhere", true, NULL), SH_E_NOT_FOUND);
    assert_int_equal(sh_objects_publish(&store, &item, 1, &cause, NULL), 0);
    const char *event = last_event();
    assert_non_null(event);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(event, parts[i]))
            fail_msg("no %s in %s", parts[i], event);
    assert_int_equal(sh_object_delete(&store, "bucket", "a b/+ü", NULL, NULL), 0);
    event = last_event();
    assert_non_null(strstr(event, "\"detail-type\":\"Object Deleted\""));
    assert_non_null(strstr(event, "\"deletion-type\":\"Permanently Deleted\""));
    assert_int_equal(sh_object_delete(&store, "bucket", "a b/+ü", NULL, NULL), 0);
    assert_null(last_event());
}

static void make_file(const char *folder, const char *name)
{
    char path[PATH_MAX + 300];
    snprintf(path, sizeof(path), "%s/%s/%s", data, folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void reopen(void)
{
    sh_db_close(store.db);
    open_store();
}

static void start_after_a_crash(void **state)
{
    (void)state;
    assert_int_equal(put("kept", "kept"), 0);
    stage("half an upload");
    make_file("objects/7f", "7f000000000000000000000000000000"); /* killed before the commit */
    make_file("tmp", "7f000000000000000000000000000000");
    make_file("tmp", "7f000000000000000000000000000001"); /* before it was in objects/ */
    assert_int_equal(object_files(), 2);
    reopen();
    assert_int_equal(object_files(), 1);
    assert_int_equal(count_in("tmp"), 0);
    assert_string_equal(content("kept"), "kept");
}

/* Killed between the commit and the end of the file's name in tmp. */
static void start_after_a_commit(void **state)
{
    sh_object object;
    (void)state;
    assert_int_equal(put("kept", "kept"), 0);
    assert_int_equal(sh_object_get(&store, "bucket", "kept", arena, &object, NULL), 0);
    make_file("tmp", object.file + 3);
    reopen();
    assert_int_equal(count_in("tmp"), 0);
    assert_string_equal(content("kept"), "kept");
}

/* Killed between the commit of a deletion and the unlinking of the file. */
static void start_after_a_deletion(void **state)
{
    (void)state;
    assert_int_equal(put("kept", "kept"), 0);
    assert_int_equal(put("gone", "gone"), 0);
    assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM objects WHERE key = 'gone'", ""), 0);
    assert_int_equal(object_files(), 2);
    reopen();
    assert_int_equal(object_files(), 1);
    assert_string_equal(content("kept"), "kept");
}

/* A data folder of a version that staged without names in tmp is looked through once. */
static void start_after_an_upgrade(void **state)
{
    (void)state;
    assert_int_equal(put("kept", "kept"), 0);
    make_file("objects/7f", "7f000000000000000000000000000000");
    reopen();
    assert_int_equal(object_files(), 2);
    assert_int_equal(
        sh_db_run(store.db, NULL, "DELETE FROM settings WHERE name = 'files_staged_by_link'", ""), 0);
    reopen();
    assert_int_equal(object_files(), 1);
    assert_string_equal(content("kept"), "kept");
}

static void a_pin_keeps_files(void **state)
{
    int pin, other;
    bool more;
    (void)state;
    assert_int_equal(put("a", "first"), 0);
    assert_int_equal(sh_object_files_pin(&store, &pin, NULL), 0);
    assert_int_equal(sh_object_files_pin(&store, &other, NULL), SH_E_CONFLICT);
    assert_int_equal(put("a", "second"), 0);
    assert_int_equal(sh_object_delete(&store, "bucket", "a", NULL, NULL), 0);
    assert_int_equal(object_files(), 2);
    assert_int_equal(sh_garbage_sweep(&store, 100, &more, NULL), 0);
    assert_int_equal(object_files(), 2);
    sh_object_files_unpin(&store, pin);
    assert_int_equal(sh_garbage_sweep(&store, 1, &more, NULL), 0);
    assert_true(more);
    assert_int_equal(object_files(), 1);
    assert_int_equal(sh_garbage_sweep(&store, 100, &more, NULL), 0);
    assert_false(more);
    assert_int_equal(object_files(), 0);
}

typedef struct lines {
    char text[2000];
} lines;

static int take_line(void *opaque, const sh_object *object, const char *prefix)
{
    lines *l = opaque;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof(l->text) - used, "%s ", prefix ? prefix : object->key);
    return 0;
}

/* All pages of `max`, a '|' after each. */
static const char *listed(const char *prefix, const char *delimiter, const char *after, int max)
{
    lines *l = sh_arena_alloc(arena, sizeof(*l));
    const char *next = after;
    do {
        sh_list_query query = {"bucket", prefix, delimiter, next, max};
        assert_int_equal(sh_objects_list(&store, &query, take_line, l, arena, &next, NULL), 0);
        strncat(l->text, "|", 2);
    } while (next);
    return l->text;
}

static void listings(void **state)
{
    static const char *const keys[] = {"a/1", "a/2", "a/b/3", "b", "c/1", "ü", "~"};
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(put(keys[i], ""), 0);
    assert_string_equal(listed("", "", "", 100), "a/1 a/2 a/b/3 b c/1 ~ ü |");
    assert_string_equal(listed("", "", "", 3), "a/1 a/2 a/b/3 |b c/1 ~ |ü |");
    assert_string_equal(listed("", "", "a/2", 100), "a/b/3 b c/1 ~ ü |");
    assert_string_equal(listed("", "/", "", 100), "a/ b c/ ~ ü |");
    assert_string_equal(listed("", "/", "", 1), "a/ |b |c/ |~ |ü |");
    assert_string_equal(listed("", "/", "", 2), "a/ b |c/ ~ |ü |");
    assert_string_equal(listed("a/", "/", "", 2), "a/1 a/2 |a/b/ |");
    assert_string_equal(listed("a/", "/", "a/1", 5), "a/2 a/b/ |");
    assert_string_equal(listed("a", "", "b", 5), "|");
    assert_string_equal(listed("", "2", "", 5), "a/1 a/2 a/b/3 b c/1 |~ ü |");
    assert_string_equal(listed("x", "", "", 5), "|");
    assert_string_equal(listed("", "", "", 0), "|");
}

static void buckets(void **state)
{
    static const char *const good[] = {"abc", "a.b-c", "0ab",
                                       "a1234567890123456789012345678901234567890123456789012345678901"};
    static const char *const bad[] = {"ab",
                                      "Abc",
                                      "a_b",
                                      "-abc",
                                      "abc-",
                                      "a..b",
                                      "1.2.3.4",
                                      "xn--abc",
                                      "abc-s3alias",
                                      "a b",
                                      "a12345678901234567890123456789012345678901234567890123456789012345"};
    sh_bucket bucket;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(sh_bucket_name_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sh_bucket_name_valid(bad[i]));
    assert_int_equal(sh_bucket_create(&store, "bucket", "eu-west-1", NULL), SH_E_CONFLICT);
    assert_int_equal(sh_bucket_get(&store, "nowhere", &bucket, NULL), SH_E_NOT_FOUND);
    assert_int_equal(sh_bucket_delete(&store, "nowhere", NULL), SH_E_NOT_FOUND);
    assert_int_equal(put("k", "x"), 0);
    assert_int_equal(sh_bucket_delete(&store, "bucket", NULL), SH_E_CONFLICT);
    assert_int_equal(sh_object_delete(&store, "bucket", "k", NULL, NULL), 0);
    assert_int_equal(sh_bucket_delete(&store, "bucket", NULL), 0);
    assert_int_equal(put("k", "x"), SH_E_NOT_FOUND);
    assert_int_equal(object_files(), 0);
}

static void multipart(void **state)
{
    char id[SH_UPLOAD_ID_MAX], path[SH_STAGE_PATH];
    sh_upload upload = {.bucket = "bucket", .key = "joined", .content_type = "video/mp4"}, found;
    sh_part one = {.number = 1, .etag = "e1", .size = 5}, two = {.number = 2, .etag = "e2", .size = 6},
            *parts;
    size_t count;
    (void)state;
    assert_int_equal(sh_upload_create(&store, &upload, id, NULL), 0);
    assert_int_equal(sh_upload_get(&store, "bucket", "joined", id, arena, &found, NULL), 0);
    assert_string_equal(found.content_type, "video/mp4");
    assert_int_equal(sh_upload_get(&store, "bucket", "other", id, arena, &found, NULL), SH_E_NOT_FOUND);
    assert_int_equal(sh_upload_put_part(&store, id, &two, stage("wrong!"), NULL, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &two, stage(" world"), NULL, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &one, stage("hello"), NULL, NULL), 0);
    assert_int_equal(object_files(), 2);
    assert_int_equal(sh_upload_put_part(&store, "none", &one, stage("hello"), NULL, NULL), SH_E_NOT_FOUND);
    assert_int_equal(object_files(), 2);
    sh_db_close(store.db);
    open_store(); /* parts outlive a crash */
    assert_int_equal(sh_upload_parts(&store, id, 0, 100, arena, &parts, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(parts[0].number, 1);
    assert_int_equal(sh_upload_join(&store, parts, count, path, NULL), 0);
    sh_object_new item = {.bucket = "bucket", .key = "joined", .path = path, .etag = "whole-2"};
    assert_int_equal(sh_upload_complete(&store, id, &item, NULL, NULL), 0);
    assert_string_equal(content("joined"), "hello world");
    assert_int_equal(object_files(), 1);
    assert_int_equal(sh_upload_abort(&store, id, NULL), SH_E_NOT_FOUND);
    assert_int_equal(sh_upload_create(&store, &upload, id, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &one, stage("hello"), NULL, NULL), 0);
    sh_upload *uploads;
    assert_int_equal(sh_uploads_list(&store, "bucket", "jo", "", "", 10, arena, &uploads, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(uploads[0].id, id);
    assert_int_equal(sh_upload_abort(&store, id, NULL), 0);
    assert_int_equal(object_files(), 1);
    assert_int_equal(count_in("tmp"), 0);
}

/* What was settled at the beginning comes back; the ids of later uploads are higher. */
static void uploads_keep_what_was_settled(void **state)
{
    char first[SH_UPLOAD_ID_MAX], second[SH_UPLOAD_ID_MAX];
    sh_upload upload = {.bucket = "bucket",
                        .key = "k",
                        .headers = "{\"expires\":\"0\"}",
                        .checksum = "crc32 composite",
                        .tags = "{\"a\":\"b\"}",
                        .acl = "{}",
                        .storage = "STANDARD_IA"},
              found;
    (void)state;
    assert_int_equal(sh_upload_create(&store, &upload, first, NULL), 0);
    /* in the same millisecond */
    assert_int_equal(sh_upload_create(&store, &upload, second, NULL), 0);
    assert_true(strcmp(first, second) < 0);
    assert_int_equal(sh_upload_get(&store, "bucket", "k", first, arena, &found, NULL), 0);
    assert_null(found.content_type);
    assert_string_equal(found.headers, upload.headers);
    assert_string_equal(found.checksum, upload.checksum);
    assert_string_equal(found.tags, upload.tags);
    assert_string_equal(found.acl, upload.acl);
    assert_string_equal(found.storage, upload.storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(put_get_replace_delete),
        TEST(many_or_none),
        TEST(keys_have_limits),
        TEST(events),
        TEST(start_after_a_crash),
        TEST(start_after_a_commit),
        TEST(start_after_a_deletion),
        TEST(start_after_an_upgrade),
        TEST(a_pin_keeps_files),
        TEST(listings),
        TEST(buckets),
        TEST(multipart),
        TEST(uploads_keep_what_was_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
