/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer of an action as a state machine sees it: names in PascalCase and in order, times in their form,
 * and for the integrations that Step Functions calls through version 1 of the SDK what that says of the HTTP
 * answer.
 */
#include "base/clock.h"
#include "base/size.h"
#include "cloud/api/keys.h"
#include "cloud/api/states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 253402300799.0 /* end of the year 9999 */

static void dates(json_t *value, bool iso);

static void date_member(json_t *object, const char *name, json_t *value, bool iso)
{
    static const char *const names[] = {
        "RequestedDateTime", "ExpiresAfter", "CreatedAt",   "SubmitTime", "StartTime",
        "FinishTime",        "Timestamp",    "StartDate",   "StopDate",   "CreationDate",
        "UpdateDate",        "LastUpdated",  "CreatedDate",
    };
    char text[SH_TIME_TEXT];
    bool known = false;
    for (size_t i = 0; i < SH_COUNT(names); i++)
        known |= strcmp(name, names[i]) == 0;
    if (!known || !json_is_number(value) || !(json_number_value(value) >= 0) ||
        json_number_value(value) > SECONDS_MAX)
        return;
    int64_t ms = (int64_t)(json_number_value(value) * 1000.0 + 0.5);
    sh_time_iso_ms(ms, text);
    json_object_set_new(object, name, iso ? json_string(text) : json_integer(ms));
}

/* Times of answers, numbers of seconds, as a state machine sees them: ISO text from the SDK integrations,
 * whole milliseconds from the optimized ones. Changes value, which is a copy of our own. */
static void dates(json_t *value, bool iso)
{
    size_t index;
    const char *name;
    json_t *member;
    void *next;
    json_array_foreach(value, index, member) dates(member, iso);
    json_object_foreach_safe(value, next, name, member)
    {
        dates(member, iso);
        date_member(value, name, member, iso);
    }
}

/* ---- order ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *in_order(json_t *value);

static int add_in_order(json_t *out, json_t *object, const char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *member = in_order(json_object_get(object, names[i]));
        if (json_object_set_new(out, names[i], member) < 0)
            return -1;
    }
    return 0;
}

static json_t *object_in_order(json_t *object)
{
    const char *name;
    json_t *member;
    size_t count = 0;
    const char **names = calloc(json_object_size(object) + 1, sizeof(*names));
    json_t *out = names ? json_object() : NULL;
    if (out) {
        json_object_foreach(object, name, member) names[count++] = name;
        qsort(names, count, sizeof(*names), by_name);
        if (add_in_order(out, object, names, count) < 0) {
            json_decref(out);
            out = NULL;
        }
    }
    free(names);
    return out;
}

static json_t *array_in_order(json_t *array)
{
    size_t index;
    json_t *member, *out = json_array();
    json_array_foreach(array, index, member)
    {
        if (json_array_append_new(out, in_order(member)) < 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

/* A copy with the members of all objects by their names. NULL: no memory. */
static json_t *in_order(json_t *value)
{
    if (json_is_object(value))
        return object_in_order(value);
    if (json_is_array(value))
        return array_in_order(value);
    return json_incref(value);
}

json_t *sh_answer_present(const json_t *answer, bool iso)
{
    json_t *upper = sh_case_upper(answer);
    dates(upper, iso);
    json_t *ordered = upper ? in_order(upper) : NULL;
    json_decref(upper);
    return ordered;
}

/* ---- the HTTP answer ---- */

int sh_answer_metadata(json_t *output, const json_t *answer, const char *type, int64_t now_ms)
{
    char id[SH_UUID_TEXT], date[SH_TIME_TEXT], length[32];
    char *text = sh_flow_text(answer);
    if (!text)
        return SH_E_MEMORY;
    sh_uuid(id);
    sh_time_http(now_ms, date);
    snprintf(length, sizeof(length), "%zu", strlen(text));
    free(text);
    json_t *http = json_pack("{s:{s:[s], s:[s], s:[s], s:[s], s:[s]}, s:{s:s, s:s, s:s, s:s, s:s}, s:i}",
                             "AllHttpHeaders", "Connection", "keep-alive", "x-amzn-RequestId", id,
                             "Content-Length", length, "Date", date, "Content-Type", type, "HttpHeaders",
                             "Connection", "keep-alive", "Content-Length", length, "Content-Type", type,
                             "Date", date, "x-amzn-RequestId", id, "HttpStatusCode", 200);
    int failed = json_object_set_new(output, "SdkHttpMetadata", http);
    failed |= json_object_set_new(output, "SdkResponseMetadata", json_pack("{s:s}", "RequestId", id));
    return failed ? SH_E_MEMORY : 0;
}
