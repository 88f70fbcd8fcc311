/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/condition.h"
#include "base/etag.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool digits(const char *text, size_t length, int64_t *out)
{
    return length > 0 && text[0] != '-' && sh_parse_i64(text, length, 0, INT64_MAX, out);
}

sh_range_kind sh_range_parse(const char *text, int64_t size, int64_t *first, int64_t *length)
{
    int64_t from = 0, to = INT64_MAX;
    if (!text || strncmp(text, "bytes=", 6) != 0)
        return SH_RANGE_WHOLE;
    text += 6;
    const char *dash = strchr(text, '-');
    if (!dash || strchr(text, ','))
        return SH_RANGE_WHOLE;
    size_t left = (size_t)(dash - text), right = strlen(dash + 1);
    if ((left && !digits(text, left, &from)) || (right && !digits(dash + 1, right, &to)) || (!left && !right))
        return SH_RANGE_WHOLE;
    if (!left) { /* the last `to` bytes */
        if (to == 0 || size == 0)
            return SH_RANGE_UNSATISFIED;
        from = to < size ? size - to : 0;
        to = size - 1;
    }
    if (to < from)
        return SH_RANGE_WHOLE;
    if (from >= size)
        return SH_RANGE_UNSATISFIED;
    if (to > size - 1)
        to = size - 1;
    *first = from;
    *length = to - from + 1;
    return SH_RANGE_PART;
}

static int month_of(const char *name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncmp(months + 3 * i, name, 3) == 0)
            return i;
    return -1;
}

bool sh_http_date_parse(const char *text, int64_t *ms)
{
    struct tm tm = {0};
    char month[4] = "";
    int year, used = 0;
    const char *comma = strchr(text, ',');
    const char *day = comma ? comma + 1 : text;
    if (comma &&
        sscanf(day, " %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &year, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &used) == 6 &&
        used > 0) {
        tm.tm_year = year - 1900;
    } else if (comma &&
               sscanf(day, " %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &year, &tm.tm_hour,
                      &tm.tm_min, &tm.tm_sec, &used) == 6 &&
               used > 0) {
        tm.tm_year = year < 70 ? year + 100 : year;
    } else if (!comma &&
               sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm.tm_mday, &tm.tm_hour,
                      &tm.tm_min, &tm.tm_sec, &year, &used) == 6 &&
               used > 0) {
        tm.tm_year = year - 1900;
    } else {
        return false;
    }
    tm.tm_mon = month_of(month);
    if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60 || tm.tm_hour < 0 || tm.tm_min < 0 || tm.tm_sec < 0)
        return false;
    *ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

static const char *field(const sh_http_head *head, const char *prefix, const char *name)
{
    char text[64];
    snprintf(text, sizeof(text), "%s%s", prefix, name);
    return sh_http_field_get(head, text);
}

int sh_precondition(const sh_http_head *head, const char *prefix, const char *etag, int64_t modified_ms,
                    const char **failed)
{
    const char *match = field(head, prefix, "if-match");
    const char *none = field(head, prefix, "if-none-match");
    const char *since = field(head, prefix, "if-modified-since");
    const char *unmodified = field(head, prefix, "if-unmodified-since");
    int64_t second = modified_ms / 1000 * 1000;
    int64_t ms;
    if (match ? !sh_etag_listed(match, etag, true)
              : unmodified && sh_http_date_parse(unmodified, &ms) && second > ms) {
        *failed = match ? "If-Match" : "If-Unmodified-Since";
        return 412;
    }
    if (none ? sh_etag_listed(none, etag, true) : since && sh_http_date_parse(since, &ms) && second <= ms) {
        *failed = none ? "If-None-Match" : "If-Modified-Since";
        return 304;
    }
    return 0;
}
