/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifecycles with a clock that the test moves, and notifications to functions: both against the real store.
 */
#include "test_cloud_help.h"

#include "cloud/api/front.h"
#include "cloud/api/s3_acl.h"
#include "cloud/api/s3_lifecycle.h"
#include "cloud/store/buckets.h"
#include "cloud/store/multipart.h"
#include "cloud/store/notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY ((int64_t)24 * 3600 * 1000)
#define RULE(body) "<LifecycleConfiguration><Rule>" body "</Rule></LifecycleConfiguration>"
#define ON "<ID>r</ID><Status>Enabled</Status>"
#define DAYS(n) "<Expiration><Days>" #n "</Days></Expiration>"

static void put_object(bed *b, const char *key, const char *text, const char *tags)
{
    int fd;
    char path[SH_STAGE_PATH];
    sh_objects objects = sh_cloud_objects(b->cloud);
    assert_int_equal(sh_stage_file(&objects, path, &fd, NULL), 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    sh_object_new item = {.bucket = "films", .key = key, .path = path, .tags = tags};
    assert_int_equal(sh_objects_publish(&objects, &item, 1, NULL, NULL), 0);
}

static bool is_there(bed *b, const char *key)
{
    sh_object object;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_objects objects = sh_cloud_objects(b->cloud);
    int status = sh_object_get(&objects, "films", key, arena, &object, NULL);
    sh_arena_free(arena);
    return status == 0;
}

static void pump(bed *b)
{
    sh_err err = {0};
    int64_t next_ms = 0;
    if (sh_lifecycle_pump(b->cloud, &next_ms, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(next_ms > b->now_ms && next_ms <= b->now_ms + DAY && next_ms % DAY == 0);
}

static void set_rules(bed *b, const char *text)
{
    sh_objects objects = sh_cloud_objects(b->cloud);
    assert_int_equal(sh_bucket_config_set(&objects, "films", "lifecycle", text, NULL), 0);
}

static int setup(void **state)
{
    if (bed_setup(state) != 0)
        return -1;
    bed *b = *state;
    sh_objects objects = sh_cloud_objects(b->cloud);
    if (sh_objects_recover(&objects, NULL) < 0) /* makes the folders */
        return -1;
    return sh_bucket_create(&objects, "films", "us-east-1", NULL);
}

static void due_days_end_at_midnight(void **state)
{
    (void)state;
    const int64_t midnight = 20000 * DAY;
    assert_int_equal(sh_lifecycle_due(midnight + 1, 1), midnight + 2 * DAY);
    assert_int_equal(sh_lifecycle_due(midnight + DAY - 1, 3), midnight + 4 * DAY);
    assert_int_equal(sh_lifecycle_due(midnight, 1), midnight + DAY);
    assert_true(sh_lifecycle_due(midnight, INT64_MAX / 1000) == INT64_MAX);
}

static void objects_expire_when_they_are_due(void **state)
{
    bed *b = *state;
    b->now_ms += 3600 * 1000; /* at one o'clock */
    set_rules(b, RULE(ON "<Filter><Prefix>old/</Prefix></Filter>" DAYS(2)));
    put_object(b, "old/a", "1", NULL);
    put_object(b, "new/a", "1", NULL);
    pump(b);
    assert_true(is_there(b, "old/a"));
    b->now_ms += 2 * DAY; /* two days and an hour after midnight: not before the next midnight */
    pump(b);
    assert_true(is_there(b, "old/a"));
    b->now_ms += 22 * 3600 * 1000;
    pump(b);
    assert_true(is_there(b, "old/a"));
    b->now_ms += 3600 * 1000; /* midnight */
    pump(b);
    assert_false(is_there(b, "old/a"));
    assert_true(is_there(b, "new/a"));
}

static void filters_choose(void **state)
{
    bed *b = *state;
    set_rules(b, RULE(ON "<Filter><And><Prefix>f/</Prefix><Tag><Key>keep</Key><Value>no</Value></Tag>"
                         "<ObjectSizeGreaterThan>2</ObjectSizeGreaterThan>"
                         "<ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>" DAYS(1)));
    put_object(b, "f/gone", "123", "{\"keep\":\"no\",\"other\":\"x\"}");
    put_object(b, "f/small", "12", "{\"keep\":\"no\"}");
    put_object(b, "f/large", "12345", "{\"keep\":\"no\"}");
    put_object(b, "f/kept", "123", "{\"keep\":\"yes\"}");
    put_object(b, "f/bare", "123", NULL);
    put_object(b, "elsewhere", "123", "{\"keep\":\"no\"}");
    b->now_ms += 3 * DAY;
    pump(b);
    assert_false(is_there(b, "f/gone"));
    assert_true(is_there(b, "f/small") && is_there(b, "f/large") && is_there(b, "f/kept"));
    assert_true(is_there(b, "f/bare") && is_there(b, "elsewhere"));
}

static void a_disabled_rule_does_nothing(void **state)
{
    bed *b = *state;
    set_rules(b, RULE("<ID>r</ID><Status>Disabled</Status><Prefix></Prefix>" DAYS(1)));
    put_object(b, "k", "1", NULL);
    b->now_ms += 10 * DAY;
    pump(b);
    assert_true(is_there(b, "k"));
}

static void a_date_takes_everything(void **state)
{
    bed *b = *state;
    set_rules(b, RULE(ON "<Filter/><Expiration><Date>2026-01-03T00:00:00.000Z</Date></Expiration>"));
    put_object(b, "k", "1", NULL);
    pump(b);
    assert_true(is_there(b, "k"));
    b->now_ms += 2 * DAY;
    put_object(b, "young", "1", NULL);
    pump(b);
    assert_false(is_there(b, "k"));
    assert_false(is_there(b, "young"));
}

enum { MANY = 520 }; /* more than the runner takes at once */

static void put_many(bed *b)
{
    sh_objects objects = sh_cloud_objects(b->cloud);
    sh_arena *arena = sh_arena_new(16 << 20);
    sh_object_new *items = sh_arena_alloc(arena, MANY * sizeof(*items));
    for (int i = 0; i < MANY; i++) {
        int fd;
        char *path = sh_arena_alloc(arena, SH_STAGE_PATH);
        assert_int_equal(sh_stage_file(&objects, path, &fd, NULL), 0);
        close(fd);
        items[i] = (sh_object_new){.bucket = "films", .key = sh_arena_printf(arena, "k%d", i), .path = path};
    }
    assert_int_equal(sh_objects_publish(&objects, items, MANY, NULL, NULL), 0);
    sh_arena_free(arena);
}

static void many_objects_expire(void **state)
{
    bed *b = *state;
    set_rules(b, RULE(ON "<Filter/>" DAYS(1)));
    put_many(b);
    b->now_ms += 2 * DAY;
    put_object(b, "young", "", NULL);
    pump(b);
    assert_false(is_there(b, "k0"));
    assert_false(is_there(b, "k519"));
    assert_true(is_there(b, "young"));
}

static size_t upload_count(bed *b)
{
    size_t count;
    sh_upload *uploads;
    sh_objects objects = sh_cloud_objects(b->cloud);
    sh_arena *arena = sh_arena_new(1 << 20);
    assert_int_equal(sh_uploads_list(&objects, "films", "", "", "", 100, arena, &uploads, &count, NULL), 0);
    sh_arena_free(arena);
    return count;
}

static void uploads_that_are_not_completed_end(void **state)
{
    bed *b = *state;
    char id[SH_UPLOAD_ID_MAX];
    sh_objects objects = sh_cloud_objects(b->cloud);
    sh_upload old = {.bucket = "films", .key = "up/a", .headers = "{}"};
    sh_upload other = {.bucket = "films", .key = "other", .headers = "{}"};
    set_rules(b, RULE(ON "<Filter><Prefix>up/</Prefix></Filter><AbortIncompleteMultipartUpload>"
                         "<DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"));
    assert_int_equal(sh_upload_create(&objects, &old, id, NULL), 0);
    assert_int_equal(sh_upload_create(&objects, &other, id, NULL), 0);
    pump(b);
    assert_int_equal(upload_count(b), 2);
    b->now_ms += DAY;
    pump(b);
    assert_int_equal(upload_count(b), 1);
}

static int count_version(void *opaque, const sh_object *object, const char *prefix)
{
    (void)object, (void)prefix;
    ++*(size_t *)opaque;
    return 0;
}

static void versions_expire(void **state)
{
    bed *b = *state;
    sh_objects objects = sh_cloud_objects(b->cloud);
    size_t count = 0;
    const char *next, *next_version;
    sh_arena *arena = sh_arena_new(1 << 20);
    assert_int_equal(sh_bucket_set_versioning(&objects, "films", SH_VERSIONING_ENABLED, NULL), 0);
    set_rules(b, RULE(ON "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                         "<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"
                         "</NoncurrentVersionExpiration>"));
    for (int i = 0; i < 4; i++)
        put_object(b, "k", "1", NULL);
    b->now_ms += 2 * DAY;
    pump(b);
    sh_versions_query query = {"films", "", "", "", NULL, 100};
    assert_int_equal(
        sh_versions_list(&objects, &query, count_version, &count, arena, &next, &next_version, NULL), 0);
    assert_int_equal(count, 2); /* the current one and one more */
    sh_arena_free(arena);
}

static void a_lifecycle_says_when(void **state)
{
    sh_lifecycle *lifecycle;
    const sh_lifecycle_rule *rule;
    (void)state;
    const char *text = "<LifecycleConfiguration><Rule><ID>slow</ID><Status>Enabled</Status><Filter/>" DAYS(
        10) "</Rule><Rule><ID>fast</ID><Status>Enabled</Status><Filter><Prefix>tmp/</Prefix></"
            "Filter>" DAYS(2) "</Rule></LifecycleConfiguration>";
    sh_object a = {.key = "tmp/a", .modified_ms = 20000 * DAY + 1};
    sh_object c = {.key = "c", .modified_ms = 20000 * DAY + 1};
    assert_int_equal(sh_lifecycle_parse(&lifecycle, text, NULL), 0);
    assert_int_equal(sh_lifecycle_expiry(lifecycle, &a, &rule), 20003 * DAY);
    assert_string_equal(rule->id, "fast");
    assert_int_equal(sh_lifecycle_expiry(lifecycle, &c, &rule), 20011 * DAY);
    assert_string_equal(rule->id, "slow");
    sh_lifecycle_free(lifecycle);
    sh_err err = {0};
    assert_int_equal(sh_lifecycle_parse(&lifecycle, "<Broken", &err), SH_E_FORMAT);
}

/* ---- notifications ---- */

typedef struct heard {
    int count;
    int64_t id;
    char function[128];
    char event[2048];
} heard;

static int hear(void *opaque, const sh_notice *notice)
{
    heard *h = opaque;
    assert_true(notice->created_ms > 0);
    h->count++;
    h->id = notice->id;
    snprintf(h->function, sizeof(h->function), "%s", notice->function);
    snprintf(h->event, sizeof(h->event), "%s", notice->event);
    return 0;
}

static heard listen_to(bed *b)
{
    heard h = {0};
    assert_int_equal(sh_notices_list(b->cloud->db, 100, hear, &h, NULL), 0);
    return h;
}

static void functions_are_told(void **state)
{
    bed *b = *state;
    sh_objects objects = sh_cloud_objects(b->cloud);
    const char *text =
        "{\"functions\":[{\"id\":\"films\",\"arn\":\"arn:f\",\"events\":[\"s3:ObjectCreated:*\"],"
        "\"prefix\":\"in/\",\"suffix\":\".mp4\"},"
        "{\"id\":\"gone\",\"arn\":\"arn:g\",\"events\":[\"s3:ObjectRemoved:Delete\"]}]}";
    assert_int_equal(sh_bucket_set_notification(&objects, "films", false, true, text, NULL), 0);
    put_object(b, "in/other.txt", "1", NULL);
    put_object(b, "out/film.mp4", "1", NULL);
    assert_int_equal(listen_to(b).count, 0);
    put_object(b, "in/a film.mp4", "12", NULL);
    heard h = listen_to(b);
    assert_int_equal(h.count, 1);
    assert_string_equal(h.function, "arn:f");
    assert_non_null(strstr(h.event, "\"eventName\":\"ObjectCreated:Put\""));
    assert_non_null(strstr(h.event, "\"key\":\"in/a+film.mp4\",\"size\":2"));
    assert_non_null(strstr(h.event, "\"configurationId\":\"films\""));
    assert_int_equal(sh_notices_remove(b->cloud->db, h.id, NULL), 0);
    assert_int_equal(sh_object_delete(&objects, "films", "in/a film.mp4", NULL, NULL), 0);
    h = listen_to(b);
    assert_int_equal(h.count, 1);
    assert_string_equal(h.function, "arn:g");
    assert_int_equal(sh_bucket_set_notification(&objects, "films", false, false, NULL, NULL), 0);
    put_object(b, "in/b.mp4", "12", NULL);
    assert_int_equal(listen_to(b).count, 1);
}

/* ---- rules of a bucket ---- */

static void rules_follow_changes(void **state)
{
    bed *b = *state;
    const sh_bucket_rules *one, *two;
    sh_objects objects = sh_cloud_objects(b->cloud);
    assert_int_equal(sh_bucket_rules_get(b->cloud, "films", &one, NULL), 0);
    assert_int_equal(sh_bucket_rules_get(b->cloud, "films", &two, NULL), 0);
    assert_ptr_equal(one, two); /* not read twice */
    sh_bucket_rules_release(two);
    assert_true(one->block.policy && one->block.acls && one->block.ignore && one->block.restrict_buckets);
    assert_int_equal(one->ownership, SH_OWNERSHIP_ENFORCED);
    assert_int_equal(sh_bucket_config_set(&objects, "films", "block", NULL, NULL), 0);
    assert_int_equal(sh_bucket_rules_get(b->cloud, "films", &two, NULL), 0);
    assert_false(two->block.policy);
    assert_true(one->block.policy); /* who holds it keeps what he has */
    sh_bucket_rules_release(one);
    sh_bucket_rules_release(two);
    assert_int_equal(sh_bucket_delete(&objects, "films", NULL), 0);
    assert_int_equal(sh_bucket_rules_get(b->cloud, "films", &two, NULL), SH_E_NOT_FOUND);
    sh_err err = {0};
    assert_int_equal(sh_bucket_config_set(&objects, "films", "block", "x", &err), SH_E_NOT_FOUND);
}

static void a_broken_configuration_is_an_error(void **state)
{
    bed *b = *state;
    sh_err err = {0};
    const sh_bucket_rules *rules;
    sh_objects objects = sh_cloud_objects(b->cloud);
    assert_int_equal(sh_bucket_config_set(&objects, "films", "policy", "{", NULL), 0);
    assert_true(sh_bucket_rules_get(b->cloud, "films", &rules, &err) < 0);
    assert_non_null(strstr(err.message, "films"));
}

static void acls_let_in(void **state)
{
    (void)state;
    const sh_caller nobody = {0}, user = {.arn = "arn:aws:iam::123456789012:user/u"};
    const char *acl = "FULL_CONTROL:0123 READ:AllUsers WRITE:AuthenticatedUsers";
    assert_true(sh_acl_allows(acl, &nobody, SH_ACL_READ));
    assert_false(sh_acl_allows(acl, &nobody, SH_ACL_WRITE));
    assert_true(sh_acl_allows(acl, &user, SH_ACL_WRITE));
    assert_false(sh_acl_allows(acl, &user, SH_ACL_READ_ACP));
    assert_false(sh_acl_allows(NULL, &user, SH_ACL_READ));
    assert_false(sh_acl_allows("", &user, SH_ACL_READ));
    assert_true(sh_acl_allows("FULL_CONTROL:AllUsers", &nobody, SH_ACL_WRITE_ACP));
    assert_true(sh_acl_is_public(acl));
    assert_false(sh_acl_is_public("FULL_CONTROL:0123"));
    sh_bucket_rules rules = {.acl = acl, .ownership = SH_OWNERSHIP_WRITER};
    assert_true(sh_acl_allows_here(&rules, acl, &nobody, SH_ACL_READ));
    rules.block.ignore = true;
    assert_false(sh_acl_allows_here(&rules, acl, &nobody, SH_ACL_READ));
    rules = (sh_bucket_rules){.acl = acl, .ownership = SH_OWNERSHIP_ENFORCED};
    assert_false(sh_acl_allows_here(&rules, acl, &nobody, SH_ACL_READ));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_days_end_at_midnight),
        cmocka_unit_test(a_lifecycle_says_when),
        cmocka_unit_test(acls_let_in),
        cmocka_unit_test_setup_teardown(objects_expire_when_they_are_due, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(filters_choose, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_disabled_rule_does_nothing, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_date_takes_everything, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(many_objects_expire, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(uploads_that_are_not_completed_end, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(versions_expire, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(functions_are_told, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(rules_follow_changes, setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_broken_configuration_is_an_error, setup, bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
