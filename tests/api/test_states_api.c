/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* State machines, their configurations, versions and aliases; validation. */
#include "test_states_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- machines ---- */

static void test_idempotent_creation(void **state)
{
    bed *b = *state;
    make(b, "m", PASS, "'tags':[{'key':'a','value':'b'}]");
    make(b, "m", PASS, "'tags':[{'key':'c','value':'d'}]"); /* tags and role do not matter */
    json_t *tags = bed_call(b, "states", "ListTagsForResource", "{'resourceArn':'" MACHINE "m'}");
    assert_string_equal(text_of(json_array_get(json_object_get(tags, "tags"), 0), "key"), "a");
    json_decref(tags);
    json_decref(create(b, "m", PASS, "'type':'EXPRESS'"));
    assert_string_equal(b->code, "StateMachineAlreadyExists");
    assert_string_equal(b->message, "State Machine Already Exists: '" MACHINE "m'");
    json_decref(create(b, "m", PASS, "'publish':true"));
    assert_string_equal(b->code, "StateMachineAlreadyExists");
    json_decref(create(b, "m", PASS, "'tracingConfiguration':{'enabled':true}"));
    assert_string_equal(b->code, "StateMachineAlreadyExists");
    json_decref(create(b, "m", PASS, "'versionDescription':'d'"));
    assert_string_equal(b->code, "ValidationException");
    assert_string_equal(b->message, "Version description can only be set when publish is true");
    char name[90];
    memset(name, 'n', 81);
    name[81] = '\0';
    json_decref(create(b, name, PASS, ""));
    assert_string_equal(b->code, "ValidationException");
    assert_non_null(strstr(b->message, "Member must have length less than or equal to 80"));
    name[80] = '\0';
    make(b, name, PASS, "");
    static const char *const bad[] = {"a b", "a<", "a*", "a#", "a/", "a:", "a\x7f", "a\xc2\x85"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        json_decref(create(b, bad[i], PASS, ""));
        assert_string_equal(b->code, "InvalidName");
    }
    make(b, "a-_.+!@é", PASS, "");
}

static void test_updates(void **state)
{
    bed *b = *state;
    make(b, "m", PASS, "");
    json_t *out = bed_call(b, "states", "UpdateStateMachine",
                           "{'stateMachineArn':'" MACHINE "m','roleArn':'" TEST_ROLE "'}");
    assert_non_null(json_object_get(out, "updateDate"));
    assert_null(json_object_get(out, "revisionId")); /* nothing is new */
    json_decref(out);
    out = bed_call(b, "states", "UpdateStateMachine",
                   "{'stateMachineArn':'" MACHINE "m','roleArn':'" TEST_ROLE "2','publish':true,"
                   "'versionDescription':'second'}");
    assert_int_equal(strlen(text_of(out, "revisionId")), 36);
    assert_string_equal(text_of(out, "stateMachineVersionArn"), MACHINE "m:1");
    json_decref(out);
    REFUSED("ValidationException", "", "UpdateStateMachine",
            "{'stateMachineArn':'" MACHINE "m:1','roleArn':'" TEST_ROLE "'}");
    REFUSED("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration",
            "UpdateStateMachine", "{'stateMachineArn':'" MACHINE "m','publish':true}");
    REFUSED("StateMachineDoesNotExist", "State Machine Does Not Exist: '" MACHINE "none'",
            "UpdateStateMachine", "{'stateMachineArn':'" MACHINE "none','roleArn':'" TEST_ROLE "'}");
    json_decref(bed_call(b, "states", "DeleteStateMachine", "{'stateMachineArn':'" MACHINE "none'}"));
    assert_string_equal(b->code, "");
    REFUSED("ValidationException", "", "DeleteStateMachine", "{'stateMachineArn':'" MACHINE "m:1'}");
    REFUSED("ValidationException", "", "DeleteStateMachine", "{'stateMachineArn':'" MACHINE "m/label'}");
}

static json_t *configuration(bed *b, const char *name)
{
    json_t *out = bed_call(b, "states", "DescribeStateMachine", "{'stateMachineArn':'" MACHINE "c'}");
    json_t *found = json_incref(json_object_get(out, name));
    json_decref(out);
    return found;
}

static void assert_configuration(bed *b, const char *name, const char *wanted)
{
    json_t *found = configuration(b, name), *expected = json_loads(quoted(wanted), 0, NULL);
    assert_true(json_equal(found, expected));
    json_decref(found);
    json_decref(expected);
}

#define GROUP                                                                                                \
    "'destinations':[{'cloudWatchLogsLogGroup':{'logGroupArn':'arn:aws:logs:us-east-1:1:log-group:g:*'}}]"

static void test_configurations(void **state)
{
    bed *b = *state;
    static const struct {
        const char *more, *code;
    } bad[] = {
        {"'loggingConfiguration':{'level':'ALL'}", "InvalidLoggingConfiguration"},
        {"'loggingConfiguration':{'level':'LOUD'}", "ValidationException"},
        {"'loggingConfiguration':{'level':'ALL','destinations':[{'cloudWatchLogsLogGroup':{'logGroupArn':'x'}"
         "}]}",
         "InvalidLoggingConfiguration"},
        {"'loggingConfiguration':{'level':1}", "SerializationException"},
        {"'tracingConfiguration':{'enabled':'yes'}", "SerializationException"},
        {"'encryptionConfiguration':{'type':'MINE'}", "ValidationException"},
        {"'encryptionConfiguration':{'kmsKeyId':'k'}", "ValidationException"},
        {"'encryptionConfiguration':{'type':'CUSTOMER_MANAGED_KMS_KEY'}", "InvalidEncryptionConfiguration"},
        {"'encryptionConfiguration':{'type':'AWS_OWNED_KEY','kmsKeyId':'k'}",
         "InvalidEncryptionConfiguration"},
        {"'encryptionConfiguration':{'type':'CUSTOMER_MANAGED_KMS_KEY','kmsKeyId':'k',"
         "'kmsDataKeyReusePeriodSeconds':59}",
         "InvalidEncryptionConfiguration"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        json_decref(create(b, "c", PASS, bad[i].more));
        assert_string_equal(b->code, bad[i].code);
    }
    make(b, "c", PASS, "");
    assert_configuration(b, "loggingConfiguration", "{'level':'OFF','includeExecutionData':false}");
    assert_configuration(b, "tracingConfiguration", "{'enabled':false}");
    assert_configuration(b, "encryptionConfiguration", "{'type':'AWS_OWNED_KEY'}");
    json_decref(bed_call(b, "states", "UpdateStateMachine",
                         "{'stateMachineArn':'" MACHINE "c','loggingConfiguration':{'level':'ERROR'," GROUP
                         "},"
                         "'tracingConfiguration':{'enabled':true},'encryptionConfiguration':{'type':"
                         "'CUSTOMER_MANAGED_KMS_KEY','kmsKeyId':'k'}}"));
    assert_string_equal(b->code, "");
    assert_configuration(b, "loggingConfiguration",
                         "{'level':'ERROR','includeExecutionData':false," GROUP "}");
    assert_configuration(b, "tracingConfiguration", "{'enabled':true}");
    assert_configuration(
        b, "encryptionConfiguration",
        "{'type':'CUSTOMER_MANAGED_KMS_KEY','kmsKeyId':'k','kmsDataKeyReusePeriodSeconds':300}");
}

/* ---- versions and aliases ---- */

static const char *publish(bed *b, const char *name)
{
    return bed_text(
        bed_call(b, "states", "PublishStateMachineVersion", "{'stateMachineArn':'" MACHINE "%s'}", name),
        "stateMachineVersionArn");
}

static void change(bed *b, const char *name, const char *definition)
{
    char arn[256];
    snprintf(arn, sizeof(arn), MACHINE "%s", name);
    json_decref(
        bed_call_json(b, "states", "UpdateStateMachine",
                      json_pack("{s:s, s:s}", "stateMachineArn", arn, "definition", quoted(definition))));
    assert_string_equal(b->code, "");
}

static void test_versions(void **state)
{
    bed *b = *state;
    json_t *out = create(b, "m", PASS, "'publish':true,'versionDescription':'one'");
    assert_string_equal(text_of(out, "stateMachineVersionArn"), MACHINE "m:1");
    json_decref(out);
    out = create(b, "m", PASS, "'publish':true,'versionDescription':'one'");
    assert_string_equal(text_of(out, "stateMachineVersionArn"), MACHINE "m:1");
    json_decref(out);
    assert_string_equal(publish(b, "m"), MACHINE "m:1"); /* nothing has changed */
    change(b, "m", OTHER);
    assert_string_equal(publish(b, "m"), MACHINE "m:2");
    out = bed_call(b, "states", "DescribeStateMachine", "{'stateMachineArn':'" MACHINE "m:1'}");
    assert_string_equal(text_of(out, "stateMachineArn"), MACHINE "m:1");
    assert_string_equal(text_of(out, "definition"), quoted(PASS));
    assert_string_equal(text_of(out, "description"), "one");
    json_decref(out);
    REFUSED("ConflictException",
            "Failed to publish the State Machine version for revision r. The current State",
            "PublishStateMachineVersion", "{'stateMachineArn':'" MACHINE "m','revisionId':'r'}");
    REFUSED("StateMachineDoesNotExist", "State Machine Does Not Exist: '" MACHINE "m:9'",
            "DescribeStateMachine", "{'stateMachineArn':'" MACHINE "m:9'}");
    out = bed_call(b, "states", "ListStateMachineVersions",
                   "{'stateMachineArn':'" MACHINE "m','maxResults':1}");
    const json_t *list = json_object_get(out, "stateMachineVersions");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(text_of(json_array_get(list, 0), "stateMachineVersionArn"), MACHINE "m:2");
    json_t *rest = bed_call(b, "states", "ListStateMachineVersions",
                            "{'stateMachineArn':'" MACHINE "m','nextToken':'%s'}", text_of(out, "nextToken"));
    list = json_object_get(rest, "stateMachineVersions");
    assert_string_equal(text_of(json_array_get(list, 0), "stateMachineVersionArn"), MACHINE "m:1");
    assert_null(json_object_get(rest, "nextToken"));
    json_decref(rest);
    json_decref(out);
    json_decref(
        bed_call(b, "states", "DeleteStateMachineVersion", "{'stateMachineVersionArn':'" MACHINE "m:2'}"));
    json_decref(bed_call(b, "states", "DeleteStateMachineVersion",
                         "{'stateMachineVersionArn':'" MACHINE "m:2'}")); /* again: well */
    assert_string_equal(b->code, "");
    change(b, "m", PASS);
    assert_string_equal(publish(b, "m"), MACHINE "m:3"); /* a number is never used again */
}

static void test_executions_of_versions(void **state)
{
    bed *b = *state;
    make(b, "m", WAIT5, "'publish':true");
    change(b, "m", PASS);
    json_decref(bed_call(b, "states", "CreateStateMachineAlias",
                         "{'name':'PROD','routingConfiguration':[{'stateMachineVersionArn':'" MACHINE
                         "m:1','weight':100}]}"));
    assert_string_equal(b->code, "");
    static const char *const arns[] = {MACHINE "m", MACHINE "m:1", MACHINE "m:PROD"};
    for (size_t i = 0; i < 3; i++)
        json_decref(
            bed_call(b, "states", "StartExecution", "{'stateMachineArn':'%s','name':'e%zu'}", arns[i], i));
    bed_pump(b);
    assert_string_equal(bed_status(b, TEST_ARN "execution:m:e0"), "SUCCEEDED");
    assert_string_equal(bed_status(b, TEST_ARN "execution:m:e1"), "RUNNING");
    json_t *out = bed_call(b, "states", "DescribeExecution", "{'executionArn':'" TEST_ARN "execution:m:e2'}");
    assert_string_equal(text_of(out, "stateMachineArn"), MACHINE "m");
    assert_string_equal(text_of(out, "stateMachineVersionArn"), MACHINE "m:1");
    assert_string_equal(text_of(out, "stateMachineAliasArn"), MACHINE "m:PROD");
    json_decref(out);
    static const size_t counts[] = {3, 2, 1};
    for (size_t i = 0; i < 3; i++) {
        out = bed_call(b, "states", "ListExecutions", "{'stateMachineArn':'%s'}", arns[i]);
        assert_int_equal(json_array_size(json_object_get(out, "executions")), counts[i]);
        json_decref(out);
    }
    out = bed_call(b, "states", "ListExecutions",
                   "{'stateMachineArn':'" MACHINE "m','redriveFilter':'REDRIVEN'}");
    assert_int_equal(json_array_size(json_object_get(out, "executions")), 0);
    json_decref(out);
    json_decref(bed_call(b, "states", "DeleteStateMachine", "{'stateMachineArn':'" MACHINE "m'}"));
    REFUSED("StateMachineDoesNotExist", "", "StartExecution", "{'stateMachineArn':'" MACHINE "m:PROD'}");
    b->now_ms += 5000;
    bed_pump(b);
    assert_string_equal(bed_status(b, TEST_ARN "execution:m:e1"), "SUCCEEDED");
}

static void two_versions(bed *b)
{
    make(b, "m", PASS, "'publish':true");
    change(b, "m", OTHER);
    publish(b, "m");
}

#define ROUTE(NUMBER, WEIGHT) "{'stateMachineVersionArn':'" MACHINE "m:" #NUMBER "','weight':" #WEIGHT "}"

static void test_aliases(void **state)
{
    bed *b = *state;
    two_versions(b);
    const char *made =
        "{'name':'PROD','description':'d','routingConfiguration':[" ROUTE(1, 30) "," ROUTE(2, 70) "]}";
    json_t *out = bed_call(b, "states", "CreateStateMachineAlias", "%s", made);
    assert_string_equal(text_of(out, "stateMachineAliasArn"), MACHINE "m:PROD");
    json_decref(out);
    b->now_ms += 1000;
    out = bed_call(b, "states", "CreateStateMachineAlias", "%s", made);
    assert_true(json_number_value(json_object_get(out, "creationDate")) == 1767225600.0);
    json_decref(out);
    REFUSED("ConflictException", "Failed to create alias because an alias with the same name",
            "CreateStateMachineAlias", "{'name':'PROD','routingConfiguration':[" ROUTE(1, 100) "]}");
    out = bed_call(b, "states", "DescribeStateMachineAlias", "{'stateMachineAliasArn':'" MACHINE "m:PROD'}");
    assert_string_equal(text_of(out, "name"), "PROD");
    assert_string_equal(text_of(out, "description"), "d");
    const json_t *route = json_array_get(json_object_get(out, "routingConfiguration"), 1);
    assert_string_equal(text_of(route, "stateMachineVersionArn"), MACHINE "m:2");
    assert_int_equal(json_integer_value(json_object_get(route, "weight")), 70);
    json_decref(out);
    REFUSED("ConflictException",
            "Version to be deleted must not be referenced by an alias. Current list of aliases "
            "referencing this version: [PROD]",
            "DeleteStateMachineVersion", "{'stateMachineVersionArn':'" MACHINE "m:1'}");
    json_decref(bed_call(b, "states", "UpdateStateMachineAlias",
                         "{'stateMachineAliasArn':'" MACHINE
                         "m:PROD','routingConfiguration':[" ROUTE(2, 100) "]}"));
    assert_string_equal(b->code, "");
    REFUSED("ValidationException", "", "UpdateStateMachineAlias",
            "{'stateMachineAliasArn':'" MACHINE "m:PROD'}");
    out = bed_call(b, "states", "ListStateMachineAliases", "{'stateMachineArn':'" MACHINE "m:1'}");
    assert_int_equal(json_array_size(json_object_get(out, "stateMachineAliases")), 0);
    json_decref(out);
    out = bed_call(b, "states", "ListStateMachineAliases", "{'stateMachineArn':'" MACHINE "m'}");
    assert_int_equal(json_array_size(json_object_get(out, "stateMachineAliases")), 1);
    json_decref(out);
    json_decref(
        bed_call(b, "states", "DeleteStateMachineAlias", "{'stateMachineAliasArn':'" MACHINE "m:PROD'}"));
    REFUSED("ResourceNotFound", "Request references a resource that does not exist.",
            "DescribeStateMachineAlias", "{'stateMachineAliasArn':'" MACHINE "m:PROD'}");
}

static void test_bad_aliases(void **state)
{
    bed *b = *state;
    static const struct {
        const char *name, *routing, *message;
    } rows[] = {
        {"1", ROUTE(1, 100),
         "1 validation error detected: Value '1' at 'name' failed to satisfy constraint: Member must "
         "satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$"},
        {"a b", ROUTE(1, 100), "1 validation error detected: Value 'a b' at 'name'"},
        {"a", "",
         "1 validation error detected: Value '[]' at 'routingConfiguration' failed to satisfy constraint: "
         "Member must have length greater than or equal to 1"},
        {"a", ROUTE(1, 50) "," ROUTE(2, 25) "," ROUTE(3, 25),
         "1 validation error detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn=" MACHINE
         "m:1, weight=50), "},
        {"a", ROUTE(1, 50) "," ROUTE(1, 50),
         "Routing configuration must contain distinct state machine version ARNs. Received: [" MACHINE
         "m:1, " MACHINE "m:1]"},
        {"a", ROUTE(1, 50), "Sum of routing configuration weights must equal 100. Received: [50]"},
        {"a", ROUTE(1, 50) "," ROUTE(2, 51),
         "Sum of routing configuration weights must equal 100. Received: [50, 51]"},
        {"a", ROUTE(1, 101),
         "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed "
         "to satisfy constraint: Member must have value less than or equal to 100"},
        {"a", ROUTE(9, 100),
         "Routing configuration must contain state machine version ARNs. Received: [" MACHINE "m:9]"},
        {"a", "{'stateMachineVersionArn':'" MACHINE "m','weight':100}",
         "Routing configuration must contain state machine version ARNs. Received: [" MACHINE "m]"},
    };
    two_versions(b);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        REFUSED("ValidationException", rows[i].message, "CreateStateMachineAlias",
                "{'name':'%s','routingConfiguration':[%s]}", rows[i].name, rows[i].routing);
}

/* Both versions of an alias are drawn, as often as their weights say, nearly. */
static void test_drawn_versions(void **state)
{
    bed *b = *state;
    int first = 0;
    two_versions(b);
    json_decref(bed_call(b, "states", "CreateStateMachineAlias",
                         "{'name':'A','routingConfiguration':[" ROUTE(1, 50) "," ROUTE(2, 50) "]}"));
    for (int i = 0; i < 200; i++) {
        json_t *out = bed_call(b, "states", "DescribeStateMachine", "{'stateMachineArn':'" MACHINE "m:A'}");
        first += strcmp(text_of(out, "stateMachineArn"), MACHINE "m:1") == 0;
        json_decref(out);
    }
    assert_in_range(first, 30, 170); /* beyond 9 standard deviations */
}

/* ---- validation ---- */

static void test_validation(void **state)
{
    bed *b = *state;
    static const struct {
        const char *more, *definition;
        const char *result;
        size_t count;
        bool truncated;
    } rows[] = {
        {"", PASS, "OK", 0, false},
        {"'type':'EXPRESS',", PASS, "OK", 0, false},
        {"", "{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'X'},'B':{'Type':'Pass','Next':'Y'}}}",
         "FAIL", 2, false},
        {"'maxResults':1,",
         "{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'X'},'B':{'Type':'Pass','Next':'Y'}}}", "FAIL",
         1, true},
        {"", "{", "FAIL", 1, false},
        {"'type':'EXPRESS',",
         "{'StartAt':'A','States':{'A':{'Type':'Task','Resource':'" TEST_ARN "activity:a','End':true}}}",
         "FAIL", 1, false},
        {"",
         "{'StartAt':'A','States':{'A':{'Type':'Task','Resource':'arn:aws:states:::nothing:here','End':true}}"
         "}",
         "FAIL", 1, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[2048];
        snprintf(text, sizeof(text), "{%s'definition':''}", rows[i].more);
        json_t *in = json_loads(quoted(text), 0, NULL);
        json_object_set_new(in, "definition", json_string(quoted(rows[i].definition)));
        json_t *out = bed_call_json(b, "states", "ValidateStateMachineDefinition", in);
        const json_t *list = json_object_get(out, "diagnostics");
        char *shown = json_dumps(out, 0);
        if (strcmp(text_of(out, "result"), rows[i].result) != 0 ||
            json_is_true(json_object_get(out, "truncated")) != rows[i].truncated ||
            (rows[i].truncated ? json_array_size(list) != rows[i].count
                               : json_array_size(list) < rows[i].count))
            fail_msg("row %zu: %s", i, shown);
        free(shown);
        json_decref(out);
    }
    REFUSED("ValidationException", "1 validation error detected: Value 'INFO' at 'severity'",
            "ValidateStateMachineDefinition", "{'definition':'{}','severity':'INFO'}");
    REFUSED("ValidationException", "", "ValidateStateMachineDefinition",
            "{'definition':'{}','maxResults':101}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_idempotent_creation),
        BED(test_updates),
        BED(test_configurations),
        BED(test_versions),
        BED(test_executions_of_versions),
        BED(test_aliases),
        BED(test_bad_aliases),
        BED(test_drawn_versions),
        BED(test_validation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
