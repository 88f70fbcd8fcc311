/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of decisions.json and refused.json (docs of their form: README.md beside them), and what a table
 * cannot say: words, limits, and that any bytes are read or refused. */
#include "cloud/policy/policy.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS_MAX = 16, VALUES_MAX = 16, POLICIES_MAX = 8 };

static const char *folder;
static const char *const reasons[] = {
    [SH_POLICY_ALLOWED] = "allow",
    [SH_POLICY_DENIED_IDENTITY] = "deny identity",
    [SH_POLICY_DENIED_BOUNDARY] = "deny boundary",
    [SH_POLICY_DENIED_SESSION] = "deny session",
    [SH_POLICY_DENIED_RESOURCE] = "deny resource",
    [SH_POLICY_NO_IDENTITY] = "no identity",
    [SH_POLICY_NO_BOUNDARY] = "no boundary",
    [SH_POLICY_NO_SESSION] = "no session",
    [SH_POLICY_NO_RESOURCE] = "no resource",
};

static json_t *table(const char *name)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    json_t *rows = json_load_file(path, 0, &error);
    if (!rows)
        fail_msg("%s: line %d: %s", path, error.line, error.text);
    return rows;
}

static sh_policy *policy_of(const char *about, sh_policy_kind kind, const json_t *document)
{
    sh_policy *policy = NULL;
    sh_err err = {0};
    char *text = json_dumps(document, 0);
    if (sh_policy_parse(&policy, kind, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", about, err.message);
    free(text);
    return policy;
}

static sh_policy *one_of(const char *about, const json_t *row, const char *name, sh_policy_kind kind)
{
    const json_t *document = json_object_get(row, name);
    return document ? policy_of(about, kind, document) : NULL;
}

/* ---- requests ---- */

typedef struct keys {
    sh_policy_key list[KEYS_MAX];
    const char *values[KEYS_MAX][VALUES_MAX];
    size_t count;
} keys;

static void read_keys(keys *out, const json_t *from)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)from, name, value)
    {
        sh_policy_key *key = &out->list[out->count];
        assert_true(out->count < KEYS_MAX);
        key->name = name;
        key->values = out->values[out->count];
        key->count = json_is_array(value) ? json_array_size(value) : 1;
        for (size_t i = 0; i < key->count; i++)
            out->values[out->count][i] =
                json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
        out->count++;
    }
}

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int ask(const char *about, const sh_policy_set *set, const json_t *caller, const json_t *row)
{
    keys k = {0};
    const char *wanted = json_string_value(json_array_get(row, 2));
    read_keys(&k, json_array_get(row, 3));
    const sh_policy_request request = {
        .action = json_string_value(json_array_get(row, 0)),
        .resource = json_string_value(json_array_get(row, 1)),
        .caller = {member(caller, "arn"), member(caller, "role"), member(caller, "account"),
                   member(caller, "service")},
        .keys = k.list,
        .key_count = k.count,
    };
    const char *got = reasons[sh_policy_decide(set, &request)];
    if (strcmp(got, wanted) == 0)
        return 0;
    char *text = json_dumps(row, 0);
    print_error("%s: %s: %s\n", about, text, got);
    free(text);
    return 1;
}

static size_t asked;

static int ask_all(const json_t *row)
{
    const char *about = member(row, "about");
    const json_t *identity = json_object_get(row, "identity"), *caller = json_object_get(row, "caller");
    sh_policy *policies[POLICIES_MAX] = {0};
    json_t *one;
    size_t i;
    int wrong = 0;
    sh_policy_set set = {.identity = (const sh_policy *const *)policies,
                         .identity_count =
                             json_is_array(identity) ? json_array_size(identity) : identity != NULL,
                         .root = json_is_true(json_object_get(row, "root"))};
    for (i = 0; i < set.identity_count; i++)
        policies[i] = policy_of(about, SH_POLICY_IDENTITY,
                                json_is_array(identity) ? json_array_get(identity, i) : identity);
    sh_policy *boundary = one_of(about, row, "boundary", SH_POLICY_IDENTITY);
    sh_policy *session = one_of(about, row, "session", SH_POLICY_IDENTITY);
    sh_policy *resource = one_of(about, row, "resource", SH_POLICY_RESOURCE);
    if (!resource)
        resource = one_of(about, row, "trust", SH_POLICY_TRUST);
    set.boundary = boundary;
    set.session = session;
    set.resource = resource;
    json_array_foreach(json_object_get(row, "asks"), i, one)
    {
        wrong += ask(about, &set, caller, one);
        asked++;
    }
    for (i = 0; i < set.identity_count; i++)
        sh_policy_free(policies[i]);
    sh_policy_free(boundary);
    sh_policy_free(session);
    sh_policy_free(resource);
    return wrong;
}

/* ---- tests ---- */

static void every_decision_is_as_documented(void **state)
{
    json_t *rows = table("decisions.json"), *row;
    size_t i;
    int wrong = 0;
    json_array_foreach(rows, i, row)
    {
        wrong += ask_all(row);
    }
    json_decref(rows);
    assert_int_equal(wrong, 0);
    print_message("%zu requests\n", asked);
    assert_true(asked >= 300);
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const kinds[] = {"identity", "resource", "trust"};
    json_t *rows = table("refused.json"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *says = json_string_value(json_array_get(row, 2));
        const json_t *document = json_array_get(row, 1);
        char *text = json_is_string(document) ? strdup(json_string_value(document)) : json_dumps(document, 0);
        int kind = 0;
        while (strcmp(kinds[kind], json_string_value(json_array_get(row, 0))) != 0)
            kind++;
        sh_policy *policy = NULL;
        sh_err err = {0};
        if (sh_policy_parse(&policy, (sh_policy_kind)kind, text, strlen(text), &err) != SH_E_FORMAT ||
            !strstr(err.message, says))
            fail_msg("%s: \"%s\" does not say \"%s\"", text, err.message, says);
        assert_null(policy);
        free(text);
    }
    assert_true(i >= 30);
    json_decref(rows);
}

static void sentences_are_those_of_aws(void **state)
{
    char text[1024];
    sh_policy_request request = {.action = "s3:GetObject",
                                 .resource = "arn:aws:s3:::films/a.mp4",
                                 .caller = {.arn = "arn:aws:iam::123456789012:user/ada"}};
    sh_policy_sentence(text, sizeof(text), SH_POLICY_NO_IDENTITY, &request);
    assert_string_equal(
        text, "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:GetObject on "
              "resource: \"arn:aws:s3:::films/a.mp4\" because no identity-based policy allows the "
              "s3:GetObject action");
    sh_policy_sentence(text, sizeof(text), SH_POLICY_DENIED_RESOURCE, &request);
    assert_string_equal(
        text, "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:GetObject on "
              "resource: \"arn:aws:s3:::films/a.mp4\" with an explicit deny in a resource-based "
              "policy");
    request.action = "ssm:SendCommand";
    request.resource = "arn:aws:ssm:us-east-1::document/AWS-RunShellScript";
    sh_policy_sentence(text, sizeof(text), SH_POLICY_NO_BOUNDARY, &request);
    assert_string_equal(
        text, "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: "
              "ssm:SendCommand on resource: arn:aws:ssm:us-east-1::document/AWS-RunShellScript because "
              "no permissions boundary allows the ssm:SendCommand action");
    request.resource = "*";
    assert_int_equal(
        sh_policy_sentence(text, 10, SH_POLICY_NO_SESSION, &request),
        strlen("User: arn:aws:iam::123456789012:user/ada is not authorized to perform: ssm:SendCommand "
               "because no session policy allows the ssm:SendCommand action"));
}

static void a_statement_is_named(void **state)
{
    static const char text[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Read\",\"Effect\":"
                               "\"Allow\",\"Action\":\"s3:Get*\","
                               "\"Resource\":\"*\"},{\"Sid\":\"Never\",\"Effect\":\"Deny\",\"Action\":\"s3:"
                               "GetObjectAcl\",\"Resource\":"
                               "\"*\"}]}";
    sh_policy *policy = NULL;
    const char *sid = "";
    sh_policy_request request = {.action = "s3:GetObject", .resource = "arn:aws:s3:::b/k"};
    assert_int_equal(sh_policy_parse(&policy, SH_POLICY_IDENTITY, text, strlen(text), NULL), 0);
    assert_int_equal(sh_policy_says(policy, &request, &sid), SH_POLICY_ALLOW);
    assert_string_equal(sid, "Read");
    request.action = "s3:GetObjectAcl";
    assert_int_equal(sh_policy_says(policy, &request, &sid), SH_POLICY_DENY);
    assert_string_equal(sid, "Never");
    request.action = "s3:PutObject";
    assert_int_equal(sh_policy_says(policy, &request, &sid), SH_POLICY_SILENT);
    assert_null(sid);
    sh_policy_free(policy);
}

/* The worst pattern for going back: as many stars as fit, and a text that all but matches. */
static void patterns_take_no_time(void **state)
{
    char pattern[2001], text[8001];
    for (int i = 0; i < 2000; i += 2)
        memcpy(pattern + i, "a*", 2);
    pattern[1999] = 'b';
    pattern[2000] = '\0';
    memset(text, 'a', 8000);
    text[8000] = '\0';
    assert_false(sh_policy_glob(pattern, text, false));
    text[7999] = 'b';
    assert_true(sh_policy_glob(pattern, text, false));
    assert_true(sh_policy_glob("S3:get?bject", "s3:GetObject", true));
    assert_false(sh_policy_glob("", "x", false));
    assert_true(sh_policy_glob("*", "", false));
}

static void limits_hold(void **state)
{
    char *text = malloc(SH_POLICY_MAX + 2);
    sh_policy *policy = NULL;
    sh_err err = {0};
    memset(text, ' ', SH_POLICY_MAX + 1);
    assert_int_equal(sh_policy_parse(&policy, SH_POLICY_IDENTITY, text, SH_POLICY_MAX + 1, &err), SH_E_LIMIT);
    memset(text, '[', 1000);
    assert_int_equal(sh_policy_parse(&policy, SH_POLICY_IDENTITY, text, 1000, &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "nested"));
    free(text);
}

/* Every document of the tables with a byte changed or cut off is read or refused. */
static void changed_bytes_do_no_harm(void **state)
{
    json_t *rows = table("decisions.json"), *row;
    size_t i, read = 0, refused = 0;
    uint32_t random = 1;
    json_array_foreach(rows, i, row)
    {
        const json_t *document = json_object_get(row, "resource");
        if (!document)
            document = json_object_get(row, "identity");
        char *text = document ? json_dumps(document, 0) : strdup("{}");
        const size_t length = strlen(text);
        for (int k = 0; k < 400; k++) {
            sh_policy *policy = NULL;
            random = random * 1664525u + 1013904223u;
            const size_t at = random % length;
            const char before = text[at];
            text[at] = (char)(random >> 24);
            const bool cut = k % 8 == 0;
            if (sh_policy_parse(&policy, (sh_policy_kind)(k % 3), text, cut ? at : length, NULL) == 0)
                read++;
            else
                refused++;
            sh_policy_free(policy);
            text[at] = before;
        }
        free(text);
    }
    json_decref(rows);
    assert_true(read > 0 && refused > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_decision_is_as_documented), cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(sentences_are_those_of_aws),      cmocka_unit_test(a_statement_is_named),
        cmocka_unit_test(patterns_take_no_time),           cmocka_unit_test(limits_hold),
        cmocka_unit_test(changed_bytes_do_no_harm),
    };
    folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
