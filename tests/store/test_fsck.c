/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A data folder damaged in each way: what fsck says, what it mends, what a backup keeps. */
#include "store_case.h"
#include "base/file.h"
#include "cloud/store/backup.h"
#include "cloud/store/fsck.h"
#include "cloud/store/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char told[4000]; /* "kind what+" or "kind what-" a line; + for repaired */

static void put(const char *key, const char *text)
{
    sh_object_new item = {.bucket = "bucket", .key = key, .path = stage(text)};
    assert_int_equal(sh_objects_publish(&store, &item, 1, NULL, NULL), 0);
}

/* Path of the file behind a key. */
static const char *file_of(const char *key)
{
    sh_object object;
    assert_int_equal(sh_object_get(&store, "bucket", key, arena, &object, NULL), 0);
    return sh_arena_printf(arena, "%s/objects/%s", data, object.file);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sh_fd_write(fd, text, strlen(text), NULL), 0);
    close(fd);
}

static void note(void *opaque, const sh_fsck_problem *p)
{
    (void)opaque;
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%s %s%s\n", p->kind, p->what, p->repaired ? "+" : "-");
}

static sh_fsck check(bool repair, bool scrub)
{
    sh_err err = {0};
    sh_fsck f = {.repair = repair, .scrub = scrub, .problem = note};
    told[0] = '\0';
    if (sh_fsck_run(&store, &f, &err) < 0)
        fail_msg("%s", err.message);
    return f;
}

static void is_clean(void)
{
    sh_fsck f = check(false, true);
    assert_string_equal(told, "");
    assert_int_equal(f.problems, 0);
}

static void nothing_is_wrong(void **state)
{
    (void)state;
    put("a", "some bytes");
    put("b", "");
    put("a", "other bytes");
    sh_fsck f = check(false, true);
    assert_string_equal(told, "");
    assert_int_equal(f.objects, 2);
    assert_int_equal(f.files, 2);
    assert_int_equal(f.bytes, 11);
    assert_int_equal(f.unverified, 0);
}

static void files_missing_short_and_wrong(void **state)
{
    (void)state;
    put("missing", "1");
    put("short", "22");
    put("wrong", "333");
    put("good", "4444");
    assert_int_equal(unlink(file_of("missing")), 0);
    write_file(file_of("short"), "2");
    write_file(file_of("wrong"), "3x3");
    sh_fsck f = check(true, false);
    assert_int_equal(f.problems, 2);
    assert_int_equal(f.repaired, 0); /* what is lost is not made unseen */
    assert_non_null(strstr(told, "missing s3://bucket/missing-\n"));
    assert_non_null(strstr(told, "size s3://bucket/short-\n"));
    f = check(false, true);
    assert_int_equal(f.problems, 3);
    assert_non_null(strstr(told, "bytes s3://bucket/wrong-\n"));
}

/* The entity tag is the MD5 of the parts' MD5s ("ab", "c"): both are read as long as the row says. */
static void objects_of_parts(void **state)
{
    sh_object_new item = {.bucket = "bucket",
                          .key = "film",
                          .etag = "d833159094d1d7ad96ffcc78414e3682-2",
                          .path = stage("abc"),
                          .parts = "[[1,2,null],[7,1,null]]"};
    (void)state;
    assert_int_equal(sh_objects_publish(&store, &item, 1, NULL, NULL), 0);
    sh_fsck f = check(false, true);
    assert_string_equal(told, "");
    assert_int_equal(f.unverified, 0);
    write_file(file_of("film"), "abd");
    check(false, true);
    assert_string_equal(told, "bytes s3://bucket/film-\n");
    assert_int_equal(sh_db_run(store.db, NULL, "UPDATE objects SET parts = '[[1,2],[7,9]]'", ""), 0);
    f = check(false, true);
    assert_int_equal(f.unverified, 1);
}

static void orphans_and_strays(void **state)
{
    char path[PATH_MAX + 100], lost[PATH_MAX + 100];
    (void)state;
    put("a", "some bytes");
    snprintf(path, sizeof(path), "%s/objects/7f/7f000000000000000000000000000000", data);
    snprintf(lost, sizeof(lost), "%s/lost/7f000000000000000000000000000000", data);
    write_file(path, "of nobody");
    snprintf(path, sizeof(path), "%s/objects/7f/notes.txt", data);
    write_file(path, "stray");
    check(false, false);
    assert_string_equal(told,
                        "stray objects/7f/notes.txt-\norphan objects/7f/7f000000000000000000000000000000-\n");
    sh_fsck f = check(true, false);
    assert_int_equal(f.problems, 2);
    assert_int_equal(f.repaired, 2);
    assert_int_equal(access(lost, F_OK), 0);
    is_clean();
}

/* What the next start ends is no fault. */
static void files_under_way(void **state)
{
    char path[PATH_MAX + 100];
    (void)state;
    put("a", "some bytes");
    snprintf(path, sizeof(path), "%s/objects/7f/7f000000000000000000000000000000", data);
    write_file(path, "not committed");
    snprintf(path, sizeof(path), "%s/tmp/7f000000000000000000000000000000", data);
    write_file(path, "not committed");
    assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM objects", ""), 0);
    is_clean();
}

static void make_upload(char *id)
{
    sh_upload upload = {.bucket = "bucket", .key = "film"};
    sh_part part = {.number = 1, .etag = "8d777f385d3dfec8815d20f7496026dc", .size = 4};
    assert_int_equal(sh_upload_create(&store, &upload, id, NULL), 0);
    assert_int_equal(sh_upload_put_part(&store, id, &part, stage("data"), NULL, NULL), 0);
}

static void parts(void **state)
{
    char id[SH_UPLOAD_ID_MAX];
    sh_part *list;
    size_t count;
    (void)state;
    make_upload(id);
    is_clean();
    assert_int_equal(sh_upload_parts(&store, id, 0, 10, arena, &list, &count, NULL), 0);
    assert_int_equal(unlink(sh_arena_printf(arena, "%s/objects/%s", data, list[0].file)), 0);
    check(true, false);
    assert_non_null(strstr(told, "missing s3://bucket/film upload "));
    assert_non_null(strstr(told, " part 1+\n"));
    is_clean();
    assert_int_equal(sh_upload_parts(&store, id, 0, 10, arena, &list, &count, NULL), 0);
    assert_int_equal(count, 0);
}

static void parts_of_no_upload(void **state)
{
    char id[SH_UPLOAD_ID_MAX];
    (void)state;
    make_upload(id);
    assert_int_equal(sh_db_run(store.db, NULL, "PRAGMA foreign_keys = OFF", ""), 0);
    assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM uploads", ""), 0);
    check(true, false);
    assert_string_equal(told, "part 1 parts+\n");
    is_clean();
}

static void rows_that_cannot_be(void **state)
{
    static const char *const wrong[] = {
        "UPDATE objects SET headers = '{' WHERE key = 'a'",
        "UPDATE objects SET file = '../../etc/passwd' WHERE key = 'a'",
        "UPDATE objects SET size = -1 WHERE key = 'a'",
        "UPDATE objects SET key = '' WHERE key = 'a'",
        ("INSERT INTO object_versions (bucket, key, sequence, version_id, file, modified_ms)"
         " SELECT bucket, key, sequence + 1, 'x', NULL, 0 FROM objects WHERE key = 'a'"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        put("a", "some bytes");
        is_clean();
        assert_int_equal(sh_db_run(store.db, NULL, wrong[i], ""), 0);
        sh_fsck f = check(true, false);
        if (f.problems == f.repaired || !strstr(told, "row "))
            fail_msg("%s: %s", wrong[i], told);
        assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM objects", ""), 0);
        assert_int_equal(sh_db_run(store.db, NULL, "DELETE FROM object_versions", ""), 0);
        sh_db_close(store.db);
        open_store();
        check(true, false); /* files that the row no longer named */
    }
}

static void locked(void **state)
{
    int fd, other;
    (void)state;
    assert_int_equal(sh_data_lock(data, &fd, NULL), 0);
    assert_int_equal(sh_data_lock(data, &other, NULL), SH_E_CONFLICT);
    close(fd);
}

/* ---- backup ---- */

static void reopen_in(const char *folder)
{
    sh_db_close(store.db);
    snprintf(data, sizeof(data), "%s", folder);
    open_store();
}

static void backup_and_restore(bool link)
{
    char copy[PATH_MAX], again[PATH_MAX], extra[PATH_MAX + 16];
    sh_backup b = {.link = link};
    sh_err err = {0};
    snprintf(copy, sizeof(copy), "%s/copy", root);
    snprintf(again, sizeof(again), "%s/again", root);
    put("a", "some bytes");
    put("folder/b", "");
    snprintf(extra, sizeof(extra), "%s/credentials", data);
    write_file(extra, "keys");
    if (sh_backup_make(data, copy, &sh_clock_system, &b, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(b.files, 2);
    assert_int_equal(b.damages, 0);
    put("a", "written afterwards");
    assert_int_equal(sh_backup_make(data, copy, &sh_clock_system, &b, &err), SH_E_CONFLICT);
    assert_int_equal(sh_backup_restore(copy, data, &b, &err), SH_E_CONFLICT);
    if (sh_backup_restore(copy, again, &b, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(b.damages, 0);
    reopen_in(again);
    is_clean();
    assert_string_equal(content("a"), "some bytes");
    assert_string_equal(content("folder/b"), "");
    snprintf(extra, sizeof(extra), "%s/credentials", data);
    assert_int_equal(access(extra, F_OK), 0);
    snprintf(extra, sizeof(extra), "%s/BACKUP", data);
    assert_int_not_equal(access(extra, F_OK), 0);
}

static void by_copy(void **state)
{
    (void)state;
    backup_and_restore(false);
}

static void by_link(void **state)
{
    (void)state;
    backup_and_restore(true);
}

static void of_a_damaged_folder(void **state)
{
    char copy[PATH_MAX], again[PATH_MAX];
    sh_backup b = {0}, r = {0};
    (void)state;
    snprintf(copy, sizeof(copy), "%s/copy", root);
    snprintf(again, sizeof(again), "%s/again", root);
    put("missing", "1");
    put("wrong", "333");
    put("good", "4444");
    assert_int_equal(unlink(file_of("missing")), 0);
    write_file(file_of("wrong"), "3x3");
    assert_int_equal(sh_backup_make(data, copy, &sh_clock_system, &b, NULL), 0);
    assert_int_equal(b.damages, 1);
    assert_int_equal(sh_backup_restore(copy, again, &r, NULL), 0);
    assert_int_equal(r.damages, 2);
    reopen_in(again);
    assert_string_equal(content("good"), "4444");
}

static void of_what_is_none(void **state)
{
    char copy[PATH_MAX], again[PATH_MAX];
    sh_backup b = {0};
    (void)state;
    snprintf(copy, sizeof(copy), "%s/copy", root);
    snprintf(again, sizeof(again), "%s/again", root);
    assert_int_equal(sh_backup_make(again, copy, &sh_clock_system, &b, NULL), SH_E_NOT_FOUND);
    assert_int_not_equal(access(copy, F_OK), 0);
    assert_int_equal(sh_backup_restore(data, again, &b, NULL), SH_E_FORMAT);
    assert_int_not_equal(access(again, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_wrong),
        TEST(files_missing_short_and_wrong),
        TEST(objects_of_parts),
        TEST(orphans_and_strays),
        TEST(files_under_way),
        TEST(parts),
        TEST(parts_of_no_upload),
        TEST(rows_that_cannot_be),
        TEST(locked),
        TEST(by_copy),
        TEST(by_link),
        TEST(of_a_damaged_folder),
        TEST(of_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
