/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: bench_policy [ROUNDS]
 * Decisions a second on one core: a policy of ten statements with wildcards, a variable and conditions, asked
 * for what its last statement allows, for what its first denies, and for what none of them names. */
#include "base/clock.h"
#include "cloud/policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENTS = 10, DECISIONS = 200000, SHAPES = 3 };

static sh_policy *make(void)
{
    char text[8192];
    size_t at = 0;
    sh_policy *policy = NULL;
    sh_err err = {0};
    at += (size_t)snprintf(
        text, sizeof(text),
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"s3:Delete*\","
        "\"Resource\":\"arn:aws:s3:::films/archive/*\"}");
    for (int i = 1; i < STATEMENTS; i++)
        at += (size_t)snprintf(
            text + at, sizeof(text) - at,
            ",{\"Effect\":\"Allow\",\"Action\":[\"s3:Get*\",\"s3:ListBucket\"],\"Resource\":"
            "\"arn:aws:s3:::films/%d/${aws:username}/*\",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":"
            "\"10.0.0.0/8\"},\"StringLike\":{\"aws:UserAgent\":\"aws-cli/*\"}}}",
            i);
    snprintf(text + at, sizeof(text) - at, "]}");
    if (sh_policy_parse(&policy, SH_POLICY_IDENTITY, text, strlen(text), &err) < 0) {
        fprintf(stderr, "bench_policy: %s\n", err.message);
        exit(1);
    }
    return policy;
}

static double decide(const sh_policy *policy, const char *action, const char *resource,
                     sh_policy_reason wanted)
{
    static const char *const user[] = {"ada"}, *const ip[] = {"10.1.2.3"}, *const agent[] = {"aws-cli/2.9"};
    const sh_policy_key keys[] = {
        {"aws:username", user, 1}, {"aws:SourceIp", ip, 1}, {"aws:UserAgent", agent, 1}};
    const sh_policy_set set = {.identity = &policy, .identity_count = 1};
    const sh_policy_request request = {.action = action,
                                       .resource = resource,
                                       .caller = {.arn = "arn:aws:iam::123456789012:user/ada"},
                                       .keys = keys,
                                       .key_count = 3};
    const int64_t begin = sh_monotonic_us();
    for (int i = 0; i < DECISIONS; i++)
        if (sh_policy_decide(&set, &request) != wanted)
            exit(1);
    return DECISIONS * 1e6 / (double)(sh_monotonic_us() - begin);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *what, *action, *resource;
        sh_policy_reason reason;
    } shapes[SHAPES] = {
        {"allowed by the last of ten", "s3:GetObject", "arn:aws:s3:::films/9/ada/a.mp4", SH_POLICY_ALLOWED},
        {"denied by the first", "s3:DeleteObject", "arn:aws:s3:::films/archive/a.mp4",
         SH_POLICY_DENIED_IDENTITY},
        {"named by none", "ssm:SendCommand", "*", SH_POLICY_NO_IDENTITY},
    };
    const int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    sh_policy *policy = make();
    for (int i = 0; i < SHAPES; i++) {
        double least = 0, most = 0;
        for (int k = 0; k < rounds; k++) {
            const double rate = decide(policy, shapes[i].action, shapes[i].resource, shapes[i].reason);
            least = k == 0 || rate < least ? rate : least;
            most = rate > most ? rate : most;
        }
        printf("%-28s %9.0f to %.0f decisions a second\n", shapes[i].what, least, most);
    }
    sh_policy_free(policy);
    return 0;
}
