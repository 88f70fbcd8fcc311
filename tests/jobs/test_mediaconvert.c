/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MediaConvert jobs through their actions. This program is the worker, too, and does what the input's first
 * word says: makes files, fails, dies, hangs, lies. */
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/cloud.h"
#include "cloud/api/front.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ROLE "arn:aws:iam::000000000000:role/MediaConvert_Default_Role"

static char self[PATH_MAX];
static char data[] = "/tmp/spyhop-test-mc-XXXXXX";
static sh_cloud *cloud;
static sh_arena *keys; /* of strings that a test compares */

/* ---- the worker ---- */

static int put_file(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file)
        return -1;
    fputs(text, file);
    return fclose(file);
}

static int make_files(const char *folder, const char *lie)
{
    printf("{\"type\":\"progress\",\"percent\":40,\"phase\":\"TRANSCODING\"}\n"
           "{\"type\":\"warning\",\"message\":\"the source has no sound\"}\n");
    if (put_file(folder, "a_00001.ts", "segment") < 0 || put_file(folder, "a.m3u8", "variant") < 0 ||
        put_file(folder, "b.m3u8", "master") < 0)
        return 1;
    printf("{\"type\":\"result\",\"duration_ms\":12000,\"frames\":300,\"files\":["
           "{\"name\":\"%s\",\"bytes\":7,\"content_type\":\"video/MP2T\",\"role\":\"segment\"},"
           "{\"name\":\"a.m3u8\",\"bytes\":7,\"content_type\":\"application/vnd.apple.mpegurl\"},"
           "{\"name\":\"b.m3u8\",\"bytes\":6,\"content_type\":\"application/vnd.apple.mpegurl\"}],"
           "\"outputs\":[{\"playlist\":\"a.m3u8\",\"width\":64,\"height\":36,\"duration_ms\":12000}]}\n",
           lie ? lie : "a_00001.ts");
    return 0;
}

static int work(void)
{
    char word[256] = "";
    json_error_t where;
    json_t *job = json_loadf(stdin, 0, &where);
    const char *folder = json_string_value(json_object_get(job, "out_dir"));
    const char *input = json_string_value(json_object_get(job, "input"));
    FILE *file = input ? fopen(input, "r") : NULL;
    if (!folder || !file || !fgets(word, sizeof(word), file))
        return 2;
    fclose(file);
    int status = 0;
    if (strcmp(word, "good") == 0) {
        status = make_files(folder, NULL);
    } else if (strcmp(word, "lie") == 0) {
        status = make_files(folder, "../../../credentials");
    } else if (strcmp(word, "missing") == 0) {
        status = make_files(folder, "not-there.ts");
    } else if (strcmp(word, "bad") == 0) {
        printf("{\"type\":\"error\",\"code\":1010,\"message\":\"not a video\"}\n");
        status = 1;
    } else if (strcmp(word, "crash") == 0) {
        fprintf(stderr, "about to die\n");
        fflush(stderr);
        abort();
    } else if (strncmp(word, "count ", 6) == 0) { /* a line for each time that it is made */
        FILE *count = fopen(word + 6, "a");
        if (!count || fputs("made\n", count) < 0 || fclose(count) != 0)
            return 3;
        status = make_files(folder, "not-there.ts");
    } else { /* a pipe to hang on: says that it is there, then waits */
        int fd = open(word, O_RDWR);
        if (write(fd, "h", 1) == 1)
            pause();
    }
    json_decref(job);
    return status;
}

/* ---- the server ---- */

static void open_cloud(void)
{
    sh_err err = {0};
    sh_cloud_settings settings = {.data = data, .program = self};
    if (sh_cloud_open(&cloud, &settings, &sh_clock_system, &err) < 0)
        fail_msg("%s", err.message);
    sh_objects objects = sh_cloud_objects(cloud);
    if (sh_objects_recover(&objects, &err) < 0 || sh_cloud_start(cloud, "http://127.0.0.1:1", &err) < 0)
        fail_msg("%s", err.message);
}

static json_t *call(const char *name, json_t *in)
{
    sh_call c = {
        .cloud = cloud, .arena = sh_arena_new(16 << 20), .now_ms = sh_now_ms(cloud->clock), .in = in};
    const sh_action *action = sh_action_find(&sh_service_mediaconvert, name);
    assert_non_null(in);
    assert_non_null(action);
    json_t *answer = action->fn(&c) == 0 ? c.out : json_sprintf("%s %s", c.error.code, c.error.message);
    sh_arena_free(c.arena);
    json_decref(in);
    return answer;
}

static void refused(const char *start, const char *name, json_t *in)
{
    json_t *answer = call(name, in);
    assert_true(json_is_string(answer));
    if (strncmp(json_string_value(answer), start, strlen(start)) != 0)
        fail_msg("%s", json_string_value(answer));
    json_decref(answer);
}

static void put_object(const char *key, const char *text)
{
    char path[SH_STAGE_PATH];
    int fd;
    sh_err err = {0};
    sh_objects objects = sh_cloud_objects(cloud);
    assert_int_equal(sh_stage_file(&objects, path, &fd, &err), 0);
    assert_int_equal(sh_fd_write(fd, text, strlen(text), &err), 0);
    close(fd);
    sh_object_new item = {.bucket = "in-bucket", .key = key, .path = path};
    assert_int_equal(sh_objects_publish(&objects, &item, 1, NULL, &err), 0);
}

/* "" when there is no such object. */
static const char *object(const char *key)
{
    int fd;
    char *text = sh_arena_alloc(keys, 64);
    sh_object found;
    sh_err err = {0};
    sh_objects objects = sh_cloud_objects(cloud);
    if (sh_object_open(&objects, "out-bucket", key, keys, &found, &fd, &err) < 0)
        return "";
    assert_true(read(fd, text, 63) >= 0);
    close(fd);
    return text;
}

static json_t *settings(const char *input, const char *destination)
{
    return json_pack("{s:[{s:s}], s:[{s:s, s:{s:s, s:{s:s, s:i, s:i}}, s:[{s:s, s:{s:s, s:{}},"
                     " s:{s:{s:s, s:{s:s, s:i}}}}]}]}",
                     "inputs", "fileInput", input, "outputGroups", "name", "Apple HLS", "outputGroupSettings",
                     "type", "HLS_GROUP_SETTINGS", "hlsGroupSettings", "destination", destination,
                     "segmentLength", 10, "minSegmentLength", 0, "outputs", "nameModifier", "_x",
                     "containerSettings", "container", "M3U8", "m3u8Settings", "videoDescription",
                     "codecSettings", "codec", "H_264", "h264Settings", "rateControlMode", "QVBR",
                     "maxBitrate", 5000000);
}

static json_t *request(const char *input, const char *destination)
{
    return json_pack("{s:s, s:o}", "role", ROLE, "settings", settings(input, destination));
}

static const char *create(json_t *in)
{
    json_t *answer = call("CreateJob", in);
    if (json_is_string(answer))
        fail_msg("%s", json_string_value(answer));
    const char *id =
        sh_arena_strdup(keys, json_string_value(json_object_get(json_object_get(answer, "job"), "id")));
    json_decref(answer);
    return id;
}

static json_t *get(const char *id)
{
    json_t *answer = call("GetJob", json_pack("{s:s}", "id", id));
    json_t *job = json_incref(json_object_get(answer, "job"));
    json_decref(answer);
    return job;
}

static json_t *wait_for(const char *id)
{
    int64_t limit = sh_monotonic_us() + 60000000;
    for (;;) {
        json_t *job = get(id);
        const char *status = json_string_value(json_object_get(job, "status"));
        if (strcmp(status, "SUBMITTED") != 0 && strcmp(status, "PROGRESSING") != 0)
            return job;
        json_decref(job);
        assert_true(sh_monotonic_us() < limit);
        usleep(5000);
    }
}

static const char *text(const json_t *job, const char *name)
{
    const char *value = json_string_value(json_object_get(job, name));
    return value ? value : "";
}

/* How often the runner has said that an end could not be written. */
static atomic_int owed;

static void listen_to_log(void *opaque, int level, const char *area, const char *message)
{
    if (strstr(message, "its end could not be written"))
        atomic_fetch_add(&owed, 1);
    else if (level <= SH_LOG_ERROR)
        fprintf(stderr, "%s: %s\n", area, message);
}

/* ---- tests ---- */

static void a_good_job_is_published(void **state)
{
    put_object("clip.mp4", "good");
    const char *id = create(request("s3://in-bucket/clip.mp4", "s3://out-bucket/hls/clip.mp4/"));
    json_t *job = wait_for(id);
    assert_string_equal(text(job, "status"), "COMPLETE");
    assert_string_equal(object("hls/clip.mp4/a_00001.ts"), "segment");
    assert_string_equal(object("hls/clip.mp4/b.m3u8"), "master");
    const json_t *output = json_array_get(
        json_object_get(json_array_get(json_object_get(job, "outputGroupDetails"), 0), "outputDetails"), 0);
    assert_int_equal(json_integer_value(json_object_get(output, "durationInMs")), 12000);
    const json_t *warnings = json_object_get(json_object_get(job, "messages"), "warning");
    assert_int_equal(json_array_size(warnings), 1);
    assert_int_equal(json_integer_value(json_object_get(job, "jobPercentComplete")), 100);
    assert_non_null(json_object_get(json_object_get(job, "timing"), "finishTime"));
    json_decref(job);
}

/* What a bad input makes of a job, and that nothing of it is left. */
static void fails(const char *word, int code, const char *message)
{
    char key[64], uri[128];
    snprintf(key, sizeof(key), "%s.mp4", word);
    snprintf(uri, sizeof(uri), "s3://in-bucket/%s", key);
    put_object(key, word);
    json_t *job = wait_for(create(request(uri, "s3://out-bucket/failed/")));
    assert_string_equal(text(job, "status"), "ERROR");
    assert_int_equal(json_integer_value(json_object_get(job, "errorCode")), code);
    if (!strstr(text(job, "errorMessage"), message))
        fail_msg("%s", text(job, "errorMessage"));
    assert_string_equal(object("failed/a.m3u8"), "");
    json_decref(job);
}

static void a_bad_job_says_why(void **state)
{
    fails("bad", 1010, "not a video");
    fails("crash", 1999, "about to die");
    fails("lie", 1999, "named a file");
    fails("missing", 3450, "not-there.ts");
}

static void a_missing_input_or_bucket_is_an_error(void **state)
{
    json_t *job = wait_for(create(request("s3://in-bucket/not-there.mp4", "s3://out-bucket/x/")));
    assert_string_equal(text(job, "status"), "ERROR");
    assert_int_equal(json_integer_value(json_object_get(job, "errorCode")), 1404);
    assert_non_null(
        strstr(text(job, "errorMessage"), "Unable to open input file [s3://in-bucket/not-there.mp4]"));
    json_decref(job);
    job = wait_for(create(request("s3://in-bucket/clip.mp4", "s3://no-such-bucket/x/")));
    assert_int_equal(json_integer_value(json_object_get(job, "errorCode")), 3450);
    assert_non_null(strstr(text(job, "errorMessage"), "s3://no-such-bucket/x/"));
    json_decref(job);
}

/* Starts a job that hangs; returns when its worker does. */
static const char *begin_hanging(const char *name, char *path, int *fd)
{
    char uri[64], byte;
    snprintf(path, PATH_MAX, "%s/%s", data, name);
    assert_int_equal(mkfifo(path, 0600), 0);
    *fd = open(path, O_RDWR | O_CLOEXEC);
    put_object(name, path);
    snprintf(uri, sizeof(uri), "s3://in-bucket/%s", name);
    const char *id = create(request(uri, "s3://out-bucket/hung/"));
    assert_int_equal(read(*fd, &byte, 1), 1);
    return id;
}

static void cancel_ends_a_job(void **state)
{
    char path[PATH_MAX];
    int fd;
    const char *id = begin_hanging("hang-1", path, &fd);
    const char *waiting = create(request("s3://in-bucket/clip.mp4", "s3://out-bucket/never/"));
    json_t *job = get(id);
    assert_string_equal(text(job, "status"), "PROGRESSING");
    json_decref(job);
    json_decref(call("CancelJob", json_pack("{s:s}", "id", waiting)));
    json_decref(call("CancelJob", json_pack("{s:s}", "id", id)));
    refused("ConflictException", "CancelJob", json_pack("{s:s}", "id", id));
    job = get(id);
    assert_string_equal(text(job, "status"), "CANCELED");
    json_decref(job);
    job = wait_for(
        create(request("s3://in-bucket/clip.mp4", "s3://out-bucket/after/"))); /* the worker is free */
    assert_string_equal(text(job, "status"), "COMPLETE");
    json_decref(job);
    assert_string_equal(object("never/a.m3u8"), "");
    close(fd);
}

/* The server ends in the middle of a job; the next one makes it from the beginning. */
static void a_new_server_begins_again(void **state)
{
    char path[PATH_MAX], byte;
    int fd;
    const char *id = begin_hanging("hang-2", path, &fd);
    sh_cloud_close(cloud);
    open_cloud();
    assert_int_equal(read(fd, &byte, 1), 1);
    put_object("hang-2", "good"); /* too late: this job reads the file it has opened */
    json_t *job = get(id);
    assert_string_equal(text(job, "status"), "PROGRESSING");
    json_decref(job);
    sh_cloud_close(cloud);
    open_cloud();
    job = wait_for(id);
    assert_string_equal(text(job, "status"), "COMPLETE");
    assert_string_equal(object("hung/b.m3u8"), "master");
    json_decref(job);
    close(fd);
}

static json_t *with(const char *name, json_t *value)
{
    json_t *in = request("s3://in-bucket/clip.mp4", "s3://out-bucket/x/");
    json_object_set_new(in, name, value);
    return in;
}

/* A job whose ERROR cannot be written is not made again for it. */
static void an_owed_end_is_written_later(void **state)
{
    char path[128], word[256];
    struct stat st;
    int64_t limit = sh_monotonic_us() + 60000000;
    snprintf(path, sizeof(path), "%s/made", data);
    snprintf(word, sizeof(word), "count %s", path);
    put_object("count.mp4", word);
    assert_int_equal(sh_db_run(cloud->db, NULL,
                               "CREATE TRIGGER no_end BEFORE UPDATE ON mcjobs WHEN NEW.status = 'ERROR'"
                               " BEGIN SELECT RAISE(ABORT, 'no end'); END",
                               ""),
                     0);
    const char *id = create(request("s3://in-bucket/count.mp4", "s3://out-bucket/failed/"));
    while (atomic_load(&owed) < 2 && sh_monotonic_us() < limit)
        usleep(5000);
    json_t *job = get(id);
    assert_int_equal(sh_db_run(cloud->db, NULL, "DROP TRIGGER no_end", ""), 0);
    assert_string_equal(text(job, "status"), "PROGRESSING");
    json_decref(job);
    job = wait_for(id);
    assert_string_equal(text(job, "status"), "ERROR");
    assert_int_equal(json_integer_value(json_object_get(job, "errorCode")), 3450);
    json_decref(job);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 5);
    assert_true(atomic_load(&owed) >= 2);
    fails("bad", 1010, "not a video"); /* jobs go on */
}

static void refuses_what_is_wrong(void **state)
{
    refused("BadRequestException /role", "CreateJob", with("role", json_string("me")));
    refused("BadRequestException /role", "CreateJob", with("role", json_null()));
    refused("BadRequestException /settings", "CreateJob", with("settings", json_null()));
    refused("BadRequestException /outputGroups", "CreateJob",
            with("settings", json_pack("{s:[{s:s}], s:[{s:i}]}", "inputs", "fileInput", "s3://in-bucket/x",
                                       "outputGroups", "name", 1)));
    refused("BadRequestException /other", "CreateJob", with("other", json_true()));
    refused("BadRequestException", "CreateJob", with("priority", json_integer(51)));
    refused("NotFoundException", "CreateJob", with("queue", json_string("Fast")));
    refused("NotFoundException", "GetJob", json_pack("{s:s}", "id", "1700000000000-abcdef"));
    refused("BadRequestException", "ListJobs", json_pack("{s:s}", "status", "DONE"));
}

static void a_token_makes_one_job(void **state)
{
    const char *id = create(with("clientRequestToken", json_string("token-1")));
    assert_string_equal(create(with("clientRequestToken", json_string("token-1"))), id);
    json_t *other = request("s3://in-bucket/clip.mp4", "s3://out-bucket/y/");
    json_object_set_new(other, "clientRequestToken", json_string("token-1"));
    refused("ConflictException", "CreateJob", other);
    json_decref(wait_for(id));
}

static void lists_in_pages_and_orders(void **state)
{
    json_t *answer = call("ListJobs", json_pack("{s:i, s:s}", "maxResults", 2, "order", "ASCENDING"));
    assert_int_equal(json_array_size(json_object_get(answer, "jobs")), 2);
    json_t *next = json_pack("{s:i, s:s, s:O}", "maxResults", 2, "order", "ASCENDING", "nextToken",
                             json_object_get(answer, "nextToken"));
    json_t *page = call("ListJobs", next);
    const json_t *a = json_array_get(json_object_get(answer, "jobs"), 1);
    const json_t *b = json_array_get(json_object_get(page, "jobs"), 0);
    assert_true(json_number_value(json_object_get(b, "createdAt")) >=
                json_number_value(json_object_get(a, "createdAt")));
    assert_string_not_equal(text(a, "id"), text(b, "id"));
    json_decref(answer);
    json_decref(page);
    answer = call("ListJobs", json_pack("{s:s}", "status", "CANCELED"));
    assert_int_equal(json_array_size(json_object_get(answer, "jobs")), 2);
    json_decref(answer);
}

static const char *routed(const char *method, const char *path, const char *query, json_t *in)
{
    const sh_action *action = sh_mediaconvert_route(method, path, query, in);
    return action ? action->name : "";
}

static void paths_find_actions(void **state)
{
    json_t *in = json_object();
    assert_string_equal(routed("POST", "/2017-08-29/jobs", NULL, in), "CreateJob");
    assert_string_equal(routed("GET", "/2017-08-29/jobs", "status=COMPLETE&maxResults=5&nextToken=a%2Bb", in),
                        "ListJobs");
    assert_string_equal(text(in, "status"), "COMPLETE");
    assert_string_equal(text(in, "nextToken"), "a+b");
    assert_int_equal(json_integer_value(json_object_get(in, "maxResults")), 5);
    assert_string_equal(routed("GET", "/2017-08-29/jobs/17%2D-a", "", in), "GetJob");
    assert_string_equal(text(in, "id"), "17--a");
    assert_string_equal(routed("DELETE", "/2017-08-29/jobs/1", NULL, in), "CancelJob");
    assert_string_equal(routed("POST", "/2017-08-29/endpoints", NULL, in), "DescribeEndpoints");
    assert_string_equal(routed("GET", "/2017-08-29/queues/Default", NULL, in), "GetQueue");
    assert_string_equal(routed("GET", "/2017-08-29/jobs/", NULL, in), "");
    assert_string_equal(routed("GET", "/2017-08-29/jobs/1/2", NULL, in), "");
    assert_string_equal(routed("PUT", "/2017-08-29/jobs", NULL, in), "");
    assert_string_equal(routed("GET", "/jobs", NULL, in), "");
    json_decref(in);
}

static void the_queue_is_described(void **state)
{
    json_t *answer = call("ListQueues", json_object());
    const json_t *queue = json_array_get(json_object_get(answer, "queues"), 0);
    assert_string_equal(text(queue, "arn"), "arn:aws:mediaconvert:us-east-1:000000000000:queues/Default");
    json_decref(answer);
    refused("NotFoundException", "GetQueue", json_pack("{s:s}", "name", "Fast"));
    answer = call("DescribeEndpoints", json_object());
    assert_string_equal(text(json_array_get(json_object_get(answer, "endpoints"), 0), "url"),
                        "http://127.0.0.1:1");
    json_decref(answer);
}

static int begin_all(void **state)
{
    sh_err err = {0};
    keys = sh_arena_new(16 << 20);
    if (!keys || !mkdtemp(data))
        return -1;
    open_cloud();
    sh_objects objects = sh_cloud_objects(cloud);
    return sh_bucket_create(&objects, "in-bucket", "us-east-1", &err) < 0 ||
           sh_bucket_create(&objects, "out-bucket", "us-east-1", &err) < 0;
}

static int end_all(void **state)
{
    sh_cloud_close(cloud);
    sh_arena_free(keys);
    return sh_dir_remove(data, NULL);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "mediaconvert-worker") == 0)
        return work();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_job_is_published),
        cmocka_unit_test(a_bad_job_says_why),
        cmocka_unit_test(a_missing_input_or_bucket_is_an_error),
        cmocka_unit_test(cancel_ends_a_job),
        cmocka_unit_test(a_new_server_begins_again),
        cmocka_unit_test(an_owed_end_is_written_later),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(a_token_makes_one_job),
        cmocka_unit_test(lists_in_pages_and_orders),
        cmocka_unit_test(paths_find_actions),
        cmocka_unit_test(the_queue_is_described),
    };
    sh_log_level(SH_LOG_ERROR);
    sh_log_set(listen_to_log, NULL);
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    return length <= 0 ? 1 : cmocka_run_group_tests(tests, begin_all, end_all);
}
