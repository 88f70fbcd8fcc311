/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What deliveries need outside the transaction: calls of API destinations, and dead letters. One thread has
 * up to SLOTS calls under way, a few of one destination, so that a dead one holds up nobody else. A row stays
 * until its call has been answered: after a crash it is called again (at least once; Spyhop-Event tells the
 * receiver which one it is).
 *
 * A dead letter is an object PREFIX/DATE/RULE/NAME.json in the bucket of DeadLetterConfig: the event, with
 * why in its metadata, as AWS has it in the attributes of a message. events.amazonaws.com (or the target's
 * role) needs s3:PutObject there. */
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/authorize.h"
#include "cloud/api/bell.h"
#include "cloud/api/events.h"
#include "cloud/api/front.h"
#include "cloud/api/s3_rules.h"
#include "cloud/flow/flow.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 32, SLOTS_OF_ONE = 8, ROWS = 256, CALL_MS = 5000, ANSWER_MAX = 200, LOOK_MS = 60000 };
#define MEMORY (16u << 20)
#define RETRY_MS 1000

typedef struct flight {
    CURL *easy; /* NULL: free */
    struct curl_slist *headers;
    sh_arena *arena;
    sh_dispatch d;
    const char *destination;
    int64_t limit; /* calls a second */
    sh_buf answer;
    char error[CURL_ERROR_SIZE];
} flight;

/* Calls of a destination in this second. */
typedef struct pace {
    char destination[65];
    int64_t second, count, limit;
} pace;

typedef struct outside {
    sh_cloud *cloud;
    sh_bell bell;
    CURLM *multi; /* made for the first call */
    flight flights[SLOTS];
    pace paces[64]; /* by the name's digest: two that share one share its pace */
    size_t busy;
    int64_t looked_ms; /* wall clock: the last look */
    bool paced;        /* a destination has had its calls of this second */
} outside;

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- a row in memory of its own ---- */

static int keep(sh_dispatch *d, sh_arena *arena)
{
    const char **texts[] = {&d->event, &d->rule, &d->target_id, &d->target, &d->reason, &d->line, &d->trace};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (*texts[i] && !(*texts[i] = sh_arena_strdup(arena, *texts[i])))
            return SH_E_MEMORY;
    }
    return 0;
}

static int settle(outside *o, const sh_dispatch *d, const sh_event_outcome *out, int64_t retry_after_ms)
{
    sh_err err = {0};
    int status = sh_db_begin(o->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(o->cloud->db, sh_events_settle(o->cloud, d, out, retry_after_ms, &err), &err);
    if (status < 0)
        sh_log(SH_LOG_ERROR, "events", "rule %s, target %s: what became of it could not be written: %s",
               d->rule, d->target_id, err.message);
    if (d->line)
        sh_cloud_wake(o->cloud, SH_WAKE_EVENTS);
    return status;
}

/* ---- calls ---- */

static size_t take_answer(char *bytes, size_t one, size_t length, void *opaque)
{
    flight *f = opaque;
    size_t room = ANSWER_MAX - f->answer.length;
    sh_buf_append(&f->answer, bytes, length < room ? length : room);
    return one * length;
}

static void release(flight *f)
{
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    sh_buf_free(&f->answer);
    sh_arena_free(f->arena);
    *f = (flight){0};
}

static int set_options(flight *f, const sh_web_call *web)
{
    CURL *e = f->easy;
    bool plain = strncmp(web->url, "http:", 5) == 0, bodyless = strcmp(web->method, "HEAD") == 0;
    for (const char *const *h = web->headers; *h; h++) {
        struct curl_slist *longer = curl_slist_append(f->headers, *h);
        if (!longer)
            return SH_E_MEMORY;
        f->headers = longer;
    }
    int failed = curl_easy_setopt(e, CURLOPT_URL, web->url) ||
                 curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") ||
                 curl_easy_setopt(e, CURLOPT_PROXY, "") || curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) ||
                 curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)CALL_MS) ||
                 curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers) ||
                 curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->error) ||
                 curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer) ||
                 curl_easy_setopt(e, CURLOPT_WRITEDATA, f) || curl_easy_setopt(e, CURLOPT_PRIVATE, f);
    if (!failed && strcmp(web->method, "GET") == 0)
        failed = curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    else if (!failed && bodyless)
        failed = curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    else if (!failed)
        failed = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, web->method) ||
                 curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(web->body)) ||
                 curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, web->body);
    return failed ? SH_E_MEMORY : 0;
}

/* May the target's role call it? */
static int may_call(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err)
{
    sh_caller session = {0};
    const char *sentence;
    const sh_asked asked = {.action = "events:InvokeApiDestination", .resource = text_of(d->target, "Arn")};
    int status = sh_events_take_role(d, &session, out, err);
    if (status < 0 || out->reason)
        return status;
    status = sh_authorize(d->cloud, &session, &asked, d->arena, &sentence, err);
    if (status != SH_E_DENIED)
        return status;
    out->reason = sh_arena_printf(d->arena, "AccessDeniedException: %s", sentence);
    return out->reason ? 0 : SH_E_MEMORY;
}

static int prepare(const sh_event_delivery *given, flight *f, sh_web_call *web, sh_event_outcome *out,
                   sh_err *err)
{
    sh_buf input;
    sh_event_delivery d = *given;
    const char *slash = strrchr(d.rule, '/');
    const sh_event_context context = {.event = d.event,
                                      .rule_name = slash ? slash + 1 : d.rule,
                                      .rule_arn = d.rule_arn,
                                      .ingested_ms = f->d.first_ms};
    int status = may_call(&d, out, err);
    if (status < 0 || out->reason)
        return status;
    sh_buf_init(&input, 2 * SH_EVENT_BYTES);
    if (sh_target_input(d.target, &context, &input, err) < 0) {
        out->reason = sh_arena_strdup(d.arena, err->message);
    } else {
        d.input = sh_arena_strdup(d.arena, sh_buf_cstr(&input));
        status = d.input ? sh_events_web_call(&d, web, out, err) : SH_E_MEMORY;
    }
    sh_buf_free(&input);
    return status;
}

static int make_flight(outside *o, flight *f, sh_event_outcome *out, sh_err *err)
{
    sh_web_call web = {0};
    json_t *event = json_loads(f->d.event, JSON_ALLOW_NUL, NULL);
    json_t *target = json_loads(f->d.target, JSON_ALLOW_NUL, NULL);
    const sh_event_delivery d = {.cloud = o->cloud,
                                 .arena = f->arena,
                                 .event = event,
                                 .rule = f->d.rule,
                                 .rule_arn = sh_events_rule_arn(o->cloud, f->arena, f->d.rule),
                                 .target_id = f->d.target_id,
                                 .target = target,
                                 .now_ms = sh_now_ms(o->cloud->clock)};
    int status = event && target && d.rule_arn ? prepare(&d, f, &web, out, err) : SH_E_MEMORY;
    if (status == 0 && !out->reason) {
        f->destination = web.destination;
        f->limit = web.limit;
        f->easy = curl_easy_init();
        status = f->easy ? set_options(f, &web) : SH_E_MEMORY;
    }
    if (status == 0 && !out->reason && curl_multi_add_handle(o->multi, f->easy) != CURLM_OK)
        status = SH_E_MEMORY;
    json_decref(target);
    json_decref(event);
    return status;
}

static const char *destination_name(const sh_dispatch *d, sh_arena *arena)
{
    json_t *target = json_loads(d->target, JSON_ALLOW_NUL, NULL);
    const char *arn = text_of(target, "Arn"), *slash = arn ? strchr(arn, '/') : NULL;
    const char *name = slash ? sh_arena_strndup(arena, slash + 1, strcspn(slash + 1, "/")) : "";
    json_decref(target);
    return name;
}

static size_t flying_to(const outside *o, const char *destination)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++)
        count += o->flights[i].easy && strcmp(o->flights[i].destination, destination) == 0;
    return count;
}

static bool is_flying(const outside *o, int64_t id)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (o->flights[i].easy && o->flights[i].d.id == id)
            return true;
    return false;
}

static pace *pace_of(outside *o, const char *destination)
{
    unsigned sum = 0;
    int64_t second = sh_monotonic_us() / 1000000;
    for (const char *p = destination; *p; p++)
        sum = sum * 31 + (unsigned char)*p;
    pace *found = &o->paces[sum % 64];
    if (found->second != second || strcmp(found->destination, destination) != 0) {
        int64_t limit = strcmp(found->destination, destination) == 0 ? found->limit : 0;
        *found = (pace){.second = second, .limit = limit};
        snprintf(found->destination, sizeof(found->destination), "%s", destination);
    }
    return found;
}

/* Whether the destination may be called once more now. */
static bool has_room(outside *o, const char *destination)
{
    const pace *p = pace_of(o, destination);
    bool paced = p->limit && p->count >= p->limit;
    o->paced |= paced;
    return !paced && flying_to(o, destination) < SLOTS_OF_ONE;
}

static flight *free_flight(outside *o)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (!o->flights[i].easy)
            return &o->flights[i];
    return NULL;
}

/* Starts the call, or settles it at once when it cannot be made. */
static void call(outside *o, const sh_dispatch *row)
{
    flight *f = free_flight(o);
    sh_event_outcome out = {0};
    sh_err err = {0};
    if (!f || (!o->multi && !(o->multi = curl_multi_init())))
        return;
    *f = (flight){.arena = sh_arena_new(MEMORY), .d = *row};
    sh_buf_init(&f->answer, ANSWER_MAX + 1);
    const char *name = f->arena && keep(&f->d, f->arena) == 0 ? destination_name(row, f->arena) : NULL;
    if (name && !has_room(o, name)) {
        release(f);
        return;
    }
    int status = name ? make_flight(o, f, &out, &err) : SH_E_MEMORY;
    if (status == 0 && !out.reason) {
        pace *p = pace_of(o, f->destination);
        p->limit = f->limit;
        p->count++;
        o->busy++;
        return;
    }
    if (status < 0)
        out = (sh_event_outcome){err.message[0] ? err.message : sh_status_name(status), true};
    settle(o, row, &out, 0);
    release(f);
}

static bool try_again(long code)
{
    return code == 401 || code == 407 || code == 409 || code == 429 || code >= 500;
}

static void land(outside *o, flight *f, CURLcode result)
{
    long code = 0;
    curl_off_t after = 0;
    char reason[512];
    sh_event_outcome out = {0};
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &after);
    if (result != CURLE_OK && result != CURLE_WRITE_ERROR) {
        snprintf(reason, sizeof(reason), "%s: %s",
                 result == CURLE_OPERATION_TIMEDOUT ? "TimedOut" : "ConnectionFailure",
                 f->error[0] ? f->error : curl_easy_strerror(result));
        out = (sh_event_outcome){reason, true};
    } else if (code < 200 || code > 299) {
        snprintf(reason, sizeof(reason), "HTTP%ld: %s", code, sh_buf_cstr(&f->answer));
        sh_text_mend(reason);
        out = (sh_event_outcome){reason, try_again(code)};
    }
    curl_multi_remove_handle(o->multi, f->easy);
    settle(o, &f->d, &out, after > 0 && after < 86400 ? (int64_t)after * 1000 : 0);
    release(f);
    o->busy--;
}

static void land_all(outside *o)
{
    int running, left;
    CURLMsg *message;
    if (!o->multi)
        return;
    curl_multi_perform(o->multi, &running);
    while ((message = curl_multi_info_read(o->multi, &left))) {
        char *f = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &f);
        land(o, (flight *)f, result);
    }
}

/* ---- dead letters ---- */

typedef struct letter {
    const sh_event_delivery *d;
    const sh_dispatch *row;
    char bucket[SH_BUCKET_NAME_MAX + 1];
    const char *key, *headers;
} letter;

static int may_put(const letter *l, sh_err *err)
{
    sh_caller caller = {.service = SH_EVENTS_SERVICE};
    const char *sentence = "", *account = l->d->cloud->settings.account;
    const sh_bucket_rules *rules = NULL;
    sh_event_outcome out = {0};
    sh_policy_key keys[] = {{"aws:SourceArn", &l->d->rule_arn, 1}, {"aws:SourceAccount", &account, 1}};
    int status = sh_bucket_rules_get(l->d->cloud, l->bucket, &rules, err);
    if (status < 0)
        return status;
    sh_asked asked = {.action = "s3:PutObject",
                      .resource = sh_arena_printf(l->d->arena, "arn:aws:s3:::%s/%s", l->bucket, l->key),
                      .resource_policy = rules->policy,
                      .keys = keys,
                      .key_count = 2};
    status = asked.resource ? sh_authorize(l->d->cloud, &caller, &asked, l->d->arena, &sentence, err)
                            : SH_E_MEMORY;
    if (status == SH_E_DENIED && text_of(l->d->target, "RoleArn") &&
        sh_events_take_role(l->d, &caller, &out, err) == 0 && !out.reason)
        status = sh_authorize(l->d->cloud, &caller, &asked, l->d->arena, &sentence, err);
    sh_bucket_rules_release(rules);
    return status == SH_E_DENIED ? sh_fail(err, SH_E_DENIED, "%s", sentence) : status;
}

/* As the attributes of a message in a queue of AWS. */
static const char *make_headers(const letter *l, int64_t attempts)
{
    const char *reason = l->row->reason ? l->row->reason : "", *colon = strstr(reason, ": ");
    size_t code = colon && (size_t)(colon - reason) < 64 ? (size_t)(colon - reason) : 0;
    char message[1024];
    snprintf(message, sizeof(message), "%.900s", code ? colon + 2 : reason);
    for (char *p = message; *p; p++)
        if ((unsigned char)*p < 32 || (unsigned char)*p > 126)
            *p = ' ';
    json_t *made =
        json_pack("{s:o, s:s, s:o, s:s, s:s*}", "x-amz-meta-error_code",
                  code ? json_stringn(reason, code) : json_string("INTERNAL_ERROR"),
                  "x-amz-meta-error_message", message, "x-amz-meta-retry_attempts",
                  json_sprintf("%lld", (long long)(attempts > 0 ? attempts - 1 : 0)), "x-amz-meta-rule_arn",
                  l->d->rule_arn, "x-amz-meta-target_arn", text_of(l->d->target, "Arn"));
    char *text = made ? sh_flow_text(made) : NULL;
    const char *copy = text ? sh_arena_strdup(l->d->arena, text) : NULL;
    free(text);
    json_decref(made);
    return copy;
}

static int publish(const letter *l, sh_err *err)
{
    static const sh_object_cause cause = {.reason = "PutObject", .requester = SH_EVENTS_SERVICE};
    sh_objects objects = sh_cloud_objects(l->d->cloud);
    char path[4096] = "", name[81];
    size_t length = strlen(l->row->event);
    sh_object_new item = {.bucket = l->bucket,
                          .key = l->key,
                          .bytes = l->row->event,
                          .length = length,
                          .content_type = "application/json",
                          .headers = l->headers};
    int status = 0;
    if (length > objects.row_max) {
        snprintf(name, sizeof(name), "letter-%lld", (long long)l->row->id);
        snprintf(path, sizeof(path), "%s/tmp/%s", objects.data, name);
        status = sh_file_replace(path, l->row->event, length, 0600, err);
        item.path = path;
        item.bytes = NULL;
        item.length = 0;
    }
    const char *before = sh_trace_set(l->row->trace);
    if (status == 0)
        status = sh_objects_publish(&objects, &item, 1, &cause, err);
    sh_trace_set(before);
    if (*path)
        unlink(path);
    return status;
}

static int place(letter *l, sh_err *err)
{
    char name[81], date[SH_TIME_TEXT];
    const char *id = text_of(l->d->event, "id");
    const char *arn = text_of(json_object_get(l->d->target, "DeadLetterConfig"), "Arn");
    const char *at = arn ? strstr(arn, ":::") : NULL, *prefix = at ? strchr(at + 3, '/') : NULL;
    size_t length = at ? strcspn(at + 3, "/") : 0;
    if (length == 0 || length >= sizeof(l->bucket))
        return sh_fail(err, SH_E_ARGUMENT, "DeadLetterConfig names no bucket");
    memcpy(l->bucket, at + 3, length);
    l->bucket[length] = '\0';
    sh_time_iso_s(l->row->first_ms, date);
    sh_events_delivery_name(id ? id : "", l->row->rule, l->row->target_id, name);
    size_t end = prefix ? strlen(prefix + 1) : 0;
    l->key = sh_arena_printf(l->d->arena, "%s%s%.10s/%s/%s.json", prefix ? prefix + 1 : "",
                             end && prefix[end] != '/' ? "/" : "", date, l->row->rule, name);
    l->headers = make_headers(l, l->row->attempts);
    return l->key && l->headers ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a dead letter");
}

static int write_letter(outside *o, const sh_dispatch *row, sh_arena *arena, sh_err *err)
{
    json_t *event = json_loads(row->event, JSON_ALLOW_NUL, NULL);
    json_t *target = json_loads(row->target, JSON_ALLOW_NUL, NULL);
    const sh_event_delivery d = {.cloud = o->cloud,
                                 .arena = arena,
                                 .event = event,
                                 .rule = row->rule,
                                 .rule_arn = sh_events_rule_arn(o->cloud, arena, row->rule),
                                 .target_id = row->target_id,
                                 .target = target,
                                 .now_ms = sh_now_ms(o->cloud->clock)};
    letter l = {.d = &d, .row = row};
    int status = d.rule_arn ? place(&l, err) : sh_fail(err, SH_E_MEMORY, "no memory for a dead letter");
    if (status == 0)
        status = may_put(&l, err);
    if (status == 0)
        status = publish(&l, err);
    if (status == 0)
        sh_log(SH_LOG_INFO, "events", "rule %s, target %s: a dead letter is s3://%s/%s", row->rule,
               row->target_id, l.bucket, l.key);
    json_decref(target);
    json_decref(event);
    return status;
}

static void bury(outside *o, const sh_dispatch *row)
{
    sh_err err = {0}, why = {0};
    sh_arena *arena = sh_arena_new(MEMORY);
    const char *reason = row->reason ? row->reason : "";
    int status = arena ? write_letter(o, row, arena, &why) : SH_E_MEMORY;
    if (status == SH_E_FULL || status == SH_E_IO || status == SH_E_MEMORY) {
        sh_log(SH_LOG_WARNING, "events", "rule %s, target %s: its dead letter is to be tried again: %s",
               row->rule, row->target_id, why.message);
        status = sh_dispatch_retry(o->cloud->db, row->id, row->attempts,
                                   sh_now_ms(o->cloud->clock) + 10 * RETRY_MS, reason, &err);
    } else {
        if (status < 0) {
            sh_log(SH_LOG_ERROR, "events", "rule %s, target %s: its dead letter cannot be written: %s",
                   row->rule, row->target_id, why.message);
            reason = sh_arena_printf(arena, "%s; and the dead letter could not be written: %s", reason,
                                     why.message);
        }
        status = sh_dispatch_end(o->cloud->db, row, reason ? reason : "", SH_LANE_INSIDE, 0, &err);
    }
    if (status == 0) {
        sh_cloud_wake(o->cloud, SH_WAKE_EVENTS); /* of the object */
    } else {
        sh_log(SH_LOG_ERROR, "events", "a dead letter's row: %s", err.message);
    }
    sh_arena_free(arena);
}

/* ---- the loop ---- */

typedef struct due {
    sh_arena *arena;
    sh_dispatch rows[ROWS];
    size_t count;
} due;

static int take_due(void *opaque, const sh_dispatch *row)
{
    due *d = opaque;
    d->rows[d->count] = *row;
    return keep(&d->rows[d->count++], d->arena);
}

static int look(outside *o, sh_err *err)
{
    int64_t now_ms = sh_now_ms(o->cloud->clock);
    due *d = calloc(1, sizeof(*d));
    int status = SH_E_MEMORY;
    o->paced = false;
    o->looked_ms = now_ms;
    if (d && (d->arena = sh_arena_new((size_t)ROWS * 4 * SH_EVENT_BYTES)))
        status = sh_dispatch_due(o->cloud->db, true, now_ms, ROWS, take_due, d, err);
    for (size_t i = 0; status == 0 && i < d->count && !sh_cloud_stopping(o->cloud); i++) {
        if (d->rows[i].lane == SH_LANE_DEAD)
            bury(o, &d->rows[i]);
        else if (o->busy < SLOTS && !is_flying(o, d->rows[i].id))
            call(o, &d->rows[i]);
    }
    sh_arena_free(d ? d->arena : NULL);
    free(d);
    return status;
}

static int wait_ms(outside *o)
{
    sh_err err = {0};
    int64_t next_ms = -1, now_ms = sh_now_ms(o->cloud->clock);
    if (sh_dispatch_next(o->cloud->db, true, o->looked_ms, &next_ms, &err) < 0) /* also since the last look */
        return RETRY_MS;
    if (o->paced)
        return RETRY_MS / 4;
    if (next_ms < 0)
        return LOOK_MS;
    if (next_ms <= now_ms)
        return 1;
    return next_ms - now_ms > LOOK_MS ? LOOK_MS : (int)(next_ms - now_ms) + 1;
}

static void wait_for_news(outside *o, int timeout)
{
    struct curl_waitfd bell = {.fd = o->bell.fd, .events = CURL_WAIT_POLLIN};
    struct pollfd alone = {.fd = o->bell.fd, .events = POLLIN};
    if (o->busy)
        curl_multi_poll(o->multi, &bell, 1, timeout, NULL);
    else
        poll(&alone, 1, timeout);
}

int sh_events_outside_run(sh_cloud *cloud)
{
    sh_err err = {0};
    outside *o = calloc(1, sizeof(*o));
    int status = o ? 0 : SH_E_MEMORY;
    if (status == 0) {
        o->cloud = cloud;
        status = sh_bell_open(&o->bell, cloud, SH_WAKE_OUTSIDE, &err);
    }
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "events", "API destinations cannot be called: %s", err.message);
        free(o);
        return status;
    }
    do {
        err = (sh_err){0};
        status = look(o, &err);
        if (status < 0)
            sh_log(SH_LOG_ERROR, "events", "API destinations stand still, to be tried again: %s",
                   err.message);
        wait_for_news(o, status < 0 ? RETRY_MS : wait_ms(o));
        land_all(o);
    } while (sh_bell_take(&o->bell));
    for (size_t i = 0; i < SLOTS; i++) {
        if (o->flights[i].easy) {
            curl_multi_remove_handle(o->multi, o->flights[i].easy);
            release(&o->flights[i]);
        }
    }
    curl_multi_cleanup(o->multi);
    sh_bell_close(&o->bell);
    free(o);
    return 0;
}
