/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The resource of a Task:
 *   arn:PARTITION:states:[REGION]:[ACCOUNT]:aws-sdk:SERVICE:ACTION[.waitForTaskToken]
 *   arn:PARTITION:states:[REGION]:[ACCOUNT]:SERVICE:ACTION[.sync[:2]|.waitForTaskToken]
 *   arn:PARTITION:states:REGION:ACCOUNT:activity:NAME
 *   arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER] */
#include "cloud/flow/reader.h"
#include <stdio.h>
#include <string.h>

enum { ARN_PARTS = 6, MAX_ARN = 1024 };

static bool split(const char *arn, const char *parts[ARN_PARTS], size_t lengths[ARN_PARTS])
{
    for (int i = 0; i < ARN_PARTS; i++) {
        const char *colon = i < ARN_PARTS - 1 ? strchr(arn, ':') : arn + strlen(arn);

        if (!colon)
            return false;
        parts[i] = arn;
        lengths[i] = (size_t)(colon - arn);
        arn = colon + 1;
    }
    return lengths[ARN_PARTS - 1] > 0;
}

static bool word(const char *text, size_t length, const char *wanted)
{
    return length == strlen(wanted) && !memcmp(text, wanted, length);
}

static bool plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", text[i]) || !text[i])
            return false;
    return length > 0;
}

static bool read_pattern(const char *text, sh_flow_pattern *out)
{
    static const struct {
        const char *text;
        sh_flow_pattern pattern;
    } rows[] = {{"", SH_FLOW_REQUEST_RESPONSE},
                {".sync", SH_FLOW_SYNC},
                {".sync:2", SH_FLOW_SYNC_2},
                {".waitForTaskToken", SH_FLOW_TASK_TOKEN}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (!strcmp(rows[i].text, text)) {
            *out = rows[i].pattern;
            return true;
        }
    return false;
}

static bool read_integration(sh_build *build, const char *text, sh_flow_resource *out, char *why, size_t size)
{
    const char *colon, *dot;

    out->kind = SH_FLOW_OPTIMIZED;
    if (!strncmp(text, "aws-sdk:", 8)) {
        out->kind = SH_FLOW_AWS_SDK;
        text += 8;
    }
    colon = strchr(text, ':');
    if (!colon || !plain(text, (size_t)(colon - text))) {
        snprintf(why, size, "SERVICE:ACTION expected at '%.100s'", text);
        return false;
    }
    dot = colon + 1 + strcspn(colon + 1, ".");
    if (!plain(colon + 1, (size_t)(dot - colon - 1))) {
        snprintf(why, size, "an action in letters and digits expected at '%.100s'", colon + 1);
        return false;
    }
    if (!read_pattern(dot, &out->pattern)) {
        snprintf(why, size, "unknown pattern '%.100s': .sync, .sync:2 or .waitForTaskToken", dot);
        return false;
    }
    if (out->kind == SH_FLOW_AWS_SDK && (out->pattern == SH_FLOW_SYNC || out->pattern == SH_FLOW_SYNC_2)) {
        snprintf(why, size, "aws-sdk integrations have no .sync pattern");
        return false;
    }
    out->service = sh_arena_strndup(build->arena, text, (size_t)(colon - text));
    out->action = sh_arena_strndup(build->arena, colon + 1, (size_t)(dot - colon - 1));
    return true;
}

bool sh_resource_parse(sh_build *build, const char *arn, sh_flow_resource *out, char *why, size_t size)
{
    const char *parts[ARN_PARTS];
    size_t lengths[ARN_PARTS];
    sh_flow_resource made = {.arn = arn};

    snprintf(why, size, "arn:aws:states:::…, an activity or a Lambda function expected");
    if (strlen(arn) > MAX_ARN || !split(arn, parts, lengths) || !word(parts[0], lengths[0], "arn"))
        return false;
    if (word(parts[2], lengths[2], "lambda")) {
        if (strncmp(parts[5], "function:", 9) || !parts[5][9])
            return false;
        made.kind = SH_FLOW_LAMBDA;
        made.service = "lambda";
        made.action = "invoke";
    } else if (!word(parts[2], lengths[2], "states")) {
        return false;
    } else if (!strncmp(parts[5], "activity:", 9)) {
        if (!parts[5][9])
            return false;
        made.kind = SH_FLOW_ACTIVITY;
        made.service = "states";
        made.action = "activity";
    } else if (!read_integration(build, parts[5], &made, why, size)) {
        return false;
    }
    *out = made;
    return true;
}
