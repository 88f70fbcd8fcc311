/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IAM from inside: what is sealed, what is kept and for how long, sessions of roles, and many threads at
 * once. Actions and their errors are tested from outside (tests/blackbox/test_iam.py, test_sts.py). */
#include "cloud/api/iam_cache.h"
#include "test_cloud_help.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ALLOW(action)                                                                                        \
    "{\\'Version\\':\\'2012-10-17\\',\\'Statement\\':[{\\'Effect\\':\\'Allow\\',\\'Action\\':\\'" action     \
    "\\',\\'Resource\\':\\'*\\'}]}"
#define ROLE "arn:aws:iam::123456789012:role/"

static void must(bed *b, json_t *answer)
{
    if (!answer)
        fail_msg("%s: %s", b->code, b->message);
    json_decref(answer);
}

/* A user with an access key: its id and secret. */
static void make_user(bed *b, const char *name, char id[64], char secret[64])
{
    must(b, bed_call(b, "iam", "CreateUser", "{'UserName': '%s'}", name));
    json_t *made = bed_call(b, "iam", "CreateAccessKey", "{'UserName': '%s'}", name);
    json_t *key = json_object_get(made, "AccessKey");
    snprintf(id, 64, "%s", json_string_value(json_object_get(key, "AccessKeyId")));
    snprintf(secret, 64, "%s", json_string_value(json_object_get(key, "SecretAccessKey")));
    json_decref(made);
}

static void make_role(bed *b, const char *name, const char *principal, const char *condition)
{
    json_t *in = json_pack("{s:s, s:o}", "RoleName", name, "AssumeRolePolicyDocument",
                           json_sprintf("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\","
                                        "\"Principal\":%s,\"Action\":\"sts:AssumeRole\"%s}}",
                                        principal, condition));
    must(b, bed_call_json(b, "iam", "CreateRole", in));
}

static sh_key_state by_key(bed *b, sh_arena *arena, const char *id, const char *token, sh_caller *out)
{
    sh_err err = {0};
    const char *secret;
    return sh_caller_by_key(b->cloud, id, token, arena, out, &secret, &err);
}

static size_t count_policies(bed *b, const sh_caller *caller)
{
    sh_iam_grant grant;
    sh_err err = {0};
    assert_int_equal(sh_iam_policies(b->cloud, caller, &grant, &err), 0);
    size_t count = grant.set.identity_count;
    sh_iam_release(&grant);
    return count;
}

/* ---- secrets ---- */

static void test_seal(void **state)
{
    bed *b = *state;
    sh_err err = {0};
    struct stat st;
    char path[128];
    unsigned char sealed[5 + SH_IAM_SEAL_EXTRA], plain[8] = {0};
    assert_int_equal(sh_iam_seal(b->cloud, "AKIA1", "words", 5, sealed, &err), 0);
    assert_int_equal(sh_iam_unseal(b->cloud, "AKIA1", sealed, sizeof(sealed), plain, &err), 0);
    assert_memory_equal(plain, "words", 5);
    assert_int_equal(sh_iam_unseal(b->cloud, "AKIA2", sealed, sizeof(sealed), plain, &err), SH_E_DENIED);
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        assert_int_equal(sh_iam_unseal(b->cloud, "AKIA1", sealed, sizeof(sealed), plain, &err), SH_E_DENIED);
        sealed[i] ^= 1;
    }
    for (size_t length = 0; length < sizeof(sealed); length++)
        assert_int_equal(sh_iam_unseal(b->cloud, "AKIA1", sealed, length, plain, &err), SH_E_DENIED);
    snprintf(path, sizeof(path), "%s/iam.key", b->folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 32);
    bed_restart(b);
    assert_int_equal(sh_iam_unseal(b->cloud, "AKIA1", sealed, sizeof(sealed), plain, &err), 0);
}

static void test_lost_key_file(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller caller;
    char id[64], secret[64], path[128];
    make_user(b, "ann", id, secret);
    assert_int_equal(by_key(b, arena, id, NULL, &caller), SH_KEY_GOOD);
    snprintf(path, sizeof(path), "%s/iam.key", b->folder);
    assert_int_equal(remove(path), 0);
    bed_restart(b);
    assert_int_equal(by_key(b, arena, id, NULL, &caller), SH_KEY_UNKNOWN);
    must(b, bed_call(b, "iam", "DeleteAccessKey", "{'UserName': 'ann', 'AccessKeyId': '%s'}", id));
    FILE *file = fopen(path, "w");
    fputs("short", file);
    fclose(file);
    sh_cloud_close(b->cloud);
    b->cloud = NULL;
    sh_err err = {0};
    sh_cloud *other = NULL;
    sh_cloud_settings settings = {.data = b->folder};
    assert_int_equal(sh_cloud_open(&other, &settings, &sh_clock_system, &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "5 bytes and not 32"));
    sh_arena_free(arena);
}

/* ---- keys ---- */

static void test_by_key(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller caller;
    const char *secret_found;
    sh_err err = {0};
    char id[64], secret[64], long_id[400];
    make_user(b, "ann", id, secret);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sh_caller_by_key(b->cloud, id, NULL, arena, &caller, &secret_found, &err),
                         SH_KEY_GOOD);
        assert_string_equal(secret_found, secret);
        assert_string_equal(caller.arn, "arn:aws:iam::123456789012:user/ann");
        assert_string_equal(caller.access_key, id);
        assert_false(caller.root);
    }
    assert_int_equal(by_key(b, arena, id, "token", &caller), SH_KEY_BAD_TOKEN);
    memset(long_id, 'A', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = '\0';
    const char *const unknown[] = {
        "", "AKIA", "AKIAAAAAAAAAAAAAAAAA", "ASIAAAAAAAAAAAAAAAAA", long_id, "AKIA'; DROP TABLE iam_keys"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(by_key(b, arena, unknown[i], NULL, &caller), SH_KEY_UNKNOWN);
    assert_int_equal(by_key(b, arena, b->cloud->access_key, NULL, &caller), SH_KEY_GOOD);
    assert_true(caller.root);
    assert_int_equal(by_key(b, arena, b->cloud->access_key, "token", &caller), SH_KEY_BAD_TOKEN);
    sh_arena_free(arena);
}

static int64_t last_used(bed *b, const char *id)
{
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_iam_key key;
    sh_err err = {0};
    assert_int_equal(sh_iam_key_get(b->cloud->db, arena, id, &key, &err), 0);
    int64_t used = key.used_ms;
    sh_arena_free(arena);
    return used;
}

static void test_last_used(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller caller;
    char id[64], secret[64];
    make_user(b, "ann", id, secret);
    assert_int_equal(by_key(b, arena, id, NULL, &caller), SH_KEY_GOOD);
    int64_t first = b->now_ms;
    assert_int_equal(last_used(b, id), 0);
    sh_iam_used(b->cloud, &caller, "s3");
    assert_int_equal(last_used(b, id), first);
    b->now_ms += 59000;
    sh_iam_used(b->cloud, &caller, "s3");
    assert_int_equal(last_used(b, id), first);
    b->now_ms += 1000;
    sh_iam_used(b->cloud, &caller, "s3");
    assert_int_equal(last_used(b, id), first + 60000);
    sh_arena_free(arena);
}

/* ---- what is kept ---- */

static void test_generation(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller caller;
    sh_iam_grant one, two;
    sh_err err = {0};
    char id[64], secret[64];
    make_user(b, "ann", id, secret);
    assert_int_equal(by_key(b, arena, id, NULL, &caller), SH_KEY_GOOD);
    assert_int_equal(count_policies(b, &caller), 0);
    must(b, bed_call(b, "iam", "PutUserPolicy",
                     "{'UserName':'ann','PolicyName':'p','PolicyDocument':'" ALLOW("s3:*") "'}"));
    assert_int_equal(sh_iam_policies(b->cloud, &caller, &one, &err), 0);
    assert_int_equal(sh_iam_policies(b->cloud, &caller, &two, &err), 0);
    assert_int_equal(one.set.identity_count, 1);
    assert_ptr_equal(one.set.identity, two.set.identity);
    must(b, bed_call(b, "iam", "DeleteUserPolicy", "{'UserName':'ann','PolicyName':'p'}"));
    assert_int_equal(count_policies(b, &caller), 0);
    /* what is held lives on */
    sh_policy_request request = {
        .action = "s3:GetObject", .resource = "arn:aws:s3:::b/k", .caller = {.arn = caller.arn}};
    assert_int_equal(sh_policy_decide(&one.set, &request), SH_POLICY_ALLOWED);
    sh_iam_release(&one);
    sh_iam_release(&two);
    sh_iam_release(&two);
    must(b, bed_call(b, "iam", "DeleteAccessKey", "{'UserName':'ann','AccessKeyId':'%s'}", id));
    must(b, bed_call(b, "iam", "DeleteUser", "{'UserName':'ann'}"));
    assert_int_equal(sh_iam_policies(b->cloud, &caller, &one, &err), SH_E_NOT_FOUND);
    sh_arena_free(arena);
}

static void test_rolled_back(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller caller;
    sh_err err = {0};
    char id[64], secret[64];
    make_user(b, "ann", id, secret);
    assert_int_equal(by_key(b, arena, id, NULL, &caller), SH_KEY_GOOD);
    assert_int_equal(sh_db_begin(b->cloud->db, &err), 0);
    must(b, bed_call(b, "iam", "PutUserPolicy",
                     "{'UserName':'ann','PolicyName':'p','PolicyDocument':'" ALLOW("*") "'}"));
    assert_int_equal(count_policies(b, &caller), 1);
    assert_int_equal(sh_db_end(b->cloud->db, SH_E_CANCELLED, &err), SH_E_CANCELLED);
    assert_int_equal(count_policies(b, &caller), 0);
    sh_arena_free(arena);
}

static void test_nobody(void **state)
{
    bed *b = *state;
    sh_caller anonymous = {.arn = NULL};
    sh_caller far = {.arn = "arn:aws:iam::999999999999:user/x", .account = "999999999999", .id = "AIDAX"};
    sh_iam_grant grant;
    sh_err err = {0};
    assert_int_equal(count_policies(b, &anonymous), 0);
    assert_int_equal(sh_iam_policies(b->cloud, &far, &grant, &err), 0);
    assert_false(grant.set.root);
    assert_int_equal(grant.key_count, 0);
    sh_iam_release(&grant);
}

/* ---- roles ---- */

static int take(bed *b, sh_arena *arena, const char *role, const char *service, const char *source,
                sh_caller *out)
{
    sh_err err = {0};
    sh_iam_taking taking = {
        .role_arn = role, .service = service, .session_name = "name", .source_arn = source};
    return sh_caller_by_role(b->cloud, &taking, arena, out, &err);
}

static void test_by_role(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller c;
    make_role(b, "plain", "{\"Service\":\"states.amazonaws.com\"}", "");
    make_role(b, "regional", "{\"Service\":[\"states.us-east-1.amazonaws.com\",\"lambda.amazonaws.com\"]}",
              "");
    make_role(b, "careful", "{\"Service\":\"states.amazonaws.com\"}",
              ",\"Condition\":{\"ArnLike\":{\"aws:SourceArn\":\"arn:aws:states:*:*:stateMachine:one\"},"
              "\"StringEquals\":{\"aws:SourceAccount\":\"123456789012\"}}");
    assert_int_equal(take(b, arena, ROLE "plain", "states.amazonaws.com", NULL, &c), 0);
    assert_string_equal(c.arn, "arn:aws:sts::123456789012:assumed-role/plain/name");
    assert_string_equal(c.role_arn, ROLE "plain");
    assert_non_null(strstr(c.id, ":name"));
    assert_int_equal(c.session_ms, b->now_ms);
    assert_int_equal(take(b, arena, ROLE "regional", "states.amazonaws.com", NULL, &c), 0);
    assert_int_equal(take(b, arena, ROLE "regional", "lambda.amazonaws.com", NULL, &c), 0);
    assert_int_equal(take(b, arena, ROLE "regional", "ssm.amazonaws.com", NULL, &c), SH_E_DENIED);
    assert_int_equal(take(b, arena, ROLE "careful", "states.amazonaws.com", NULL, &c), SH_E_DENIED);
    assert_int_equal(take(b, arena, ROLE "careful", "states.amazonaws.com", TEST_ARN "stateMachine:two", &c),
                     SH_E_DENIED);
    assert_int_equal(take(b, arena, ROLE "careful", "states.amazonaws.com", TEST_ARN "stateMachine:one", &c),
                     0);
    assert_int_equal(take(b, arena, ROLE "none", "states.amazonaws.com", NULL, &c), SH_E_NOT_FOUND);
    assert_int_equal(take(b, arena, ROLE "path/plain", "states.amazonaws.com", NULL, &c), SH_E_NOT_FOUND);
    const char *const bad[] = {"", "plain", "arn:aws:iam::123456789012:user/plain",
                               "arn:aws:iam::12:role/plain", ROLE};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(take(b, arena, bad[i], "states.amazonaws.com", NULL, &c), SH_E_ARGUMENT);
    assert_int_equal(take(b, arena, "arn:aws:iam::999999999999:role/r", "states.amazonaws.com", NULL, &c), 0);
    assert_string_equal(c.account, "999999999999");
    assert_int_equal(count_policies(b, &c), 0);
    sh_arena_free(arena);
}

static void test_session_names(void **state)
{
    bed *b = *state;
    static const char *const rows[][2] = {
        {NULL, "--"},
        {"", "--"},
        {"x", "x-"},
        {"a b/c", "a-b-c"},
        {"k\xc3\xa9y", "k--y"},
        {"a+b=c,d.e@f-g_h", "a+b=c,d.e@f-g_h"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123"},
    };
    sh_arena *arena = sh_arena_new(1 << 20);
    make_role(b, "plain", "{\"Service\":\"states.amazonaws.com\"}", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sh_caller c;
        sh_err err = {0};
        sh_iam_taking taking = {
            .role_arn = ROLE "plain", .service = "states.amazonaws.com", .session_name = rows[i][0]};
        assert_int_equal(sh_caller_by_role(b->cloud, &taking, arena, &c, &err), 0);
        assert_string_equal(strrchr(c.arn, '/') + 1, rows[i][1]);
    }
    sh_arena_free(arena);
}

static const char *key_of(const sh_iam_grant *grant, const char *name)
{
    for (size_t i = 0; i < grant->key_count; i++)
        if (strcmp(grant->keys[i].name, name) == 0)
            return grant->keys[i].values[0];
    return "";
}

static void test_keys_of_a_session(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller c;
    sh_iam_grant grant;
    sh_err err = {0};
    make_role(b, "plain", "{\"Service\":\"states.amazonaws.com\"}", "");
    must(b, bed_call(b, "iam", "TagRole",
                     "{'RoleName':'plain','Tags':[{'Key':'team','Value':'role'},{'Key':'x','Value':'y'}]}"));
    assert_int_equal(take(b, arena, ROLE "plain", "states.amazonaws.com", NULL, &c), 0);
    c.session_policy = "{\"Tags\":{\"team\":\"film\"}}";
    assert_int_equal(sh_iam_policies(b->cloud, &c, &grant, &err), 0);
    assert_string_equal(key_of(&grant, "aws:PrincipalArn"), ROLE "plain");
    assert_string_equal(key_of(&grant, "aws:PrincipalAccount"), "123456789012");
    assert_string_equal(key_of(&grant, "aws:PrincipalType"), "AssumedRole");
    assert_string_equal(key_of(&grant, "aws:userid"), c.id);
    assert_string_equal(key_of(&grant, "aws:TokenIssueTime"), "2026-01-01T00:00:00Z");
    assert_string_equal(key_of(&grant, "aws:PrincipalTag/team"), "film"); /* the session's goes first */
    assert_string_equal(key_of(&grant, "aws:PrincipalTag/x"), "y");
    assert_null(grant.set.session);
    sh_iam_release(&grant);
    sh_arena_free(arena);
}

static void test_session_keys(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller c, found;
    sh_iam_keys keys, other;
    sh_err err = {0};
    char changed[4096];
    make_role(b, "node", "{\"Service\":\"ec2.amazonaws.com\"}", "");
    assert_int_equal(take(b, arena, ROLE "node", "ec2.amazonaws.com", NULL, &c), 0);
    assert_int_equal(sh_iam_session_keys(b->cloud, &c, 900, arena, &keys, &err), 0);
    assert_int_equal(sh_iam_session_keys(b->cloud, &c, 900, arena, &other, &err), 0);
    assert_int_equal(keys.expires_ms, b->now_ms + 900000);
    assert_int_equal(strlen(keys.access_key), 20);
    assert_int_equal(strlen(keys.secret_key), 40);
    assert_int_equal(by_key(b, arena, keys.access_key, NULL, &found), SH_KEY_UNKNOWN);
    assert_int_equal(by_key(b, arena, keys.access_key, other.token, &found), SH_KEY_BAD_TOKEN);
    for (size_t i = 0; keys.token[i]; i += 7) {
        snprintf(changed, sizeof(changed), "%s", keys.token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(by_key(b, arena, keys.access_key, changed, &found), SH_KEY_BAD_TOKEN);
        changed[i] = '\0';
        assert_int_equal(by_key(b, arena, keys.access_key, changed, &found), SH_KEY_BAD_TOKEN);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(by_key(b, arena, keys.access_key, keys.token, &found), SH_KEY_GOOD);
        assert_string_equal(found.arn, c.arn);
        assert_string_equal(found.role_arn, c.role_arn);
        assert_string_equal(found.id, c.id);
        assert_false(found.root);
        bed_restart(b);
    }
    b->now_ms += 899999;
    assert_int_equal(by_key(b, arena, keys.access_key, keys.token, &found), SH_KEY_GOOD);
    b->now_ms += 1;
    assert_int_equal(by_key(b, arena, keys.access_key, keys.token, &found), SH_KEY_EXPIRED);
    b->now_ms -= 1;
    must(b, bed_call(b, "iam", "DeleteRole", "{'RoleName':'node'}"));
    assert_int_equal(by_key(b, arena, keys.access_key, keys.token, &found), SH_KEY_UNKNOWN);
    sh_arena_free(arena);
}

/* A document of the older version has no variables, also where it becomes part of a session's policy. */
static void test_merge(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_err err = {0};
    const char *documents[] = {"{\"Version\":\"2008-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":"
                               "\"s3:*\",\"Resource\":\"arn:aws:s3:::${aws:username}\"}}",
                               "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":"
                               "\"sqs:*\",\"Resource\":\"*\"}]}"};
    static const struct {
        const char *action, *resource;
        sh_policy_effect effect;
    } rows[] = {{"s3:GetObject", "arn:aws:s3:::${aws:username}", SH_POLICY_ALLOW},
                {"s3:GetObject", "arn:aws:s3:::ann", SH_POLICY_SILENT},
                {"sqs:SendMessage", "*", SH_POLICY_ALLOW},
                {"sns:Publish", "*", SH_POLICY_SILENT}};
    const char *name[] = {"ann"};
    sh_policy_key key = {"aws:username", name, 1};
    sh_policy *policy = NULL;
    const char *merged = sh_iam_merge(arena, documents, 2, &err);
    assert_non_null(merged);
    assert_int_equal(sh_policy_parse(&policy, SH_POLICY_IDENTITY, merged, strlen(merged), &err), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sh_policy_request request = {
            .action = rows[i].action, .resource = rows[i].resource, .keys = &key, .key_count = 1};
        assert_int_equal(sh_policy_says(policy, &request, NULL), rows[i].effect);
    }
    sh_policy_free(policy);
    policy = NULL;
    merged = sh_iam_merge(arena, NULL, 0, &err);
    assert_int_equal(sh_policy_parse(&policy, SH_POLICY_IDENTITY, merged, strlen(merged), &err), 0);
    sh_policy_free(policy);
    sh_arena_free(arena);
    (void)b;
}

/* ---- from the beginning ---- */

static void test_seeded_once(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_err err = {0};
    const char *arn = NULL;
    assert_int_equal(sh_iam_profile_role(b->cloud, SH_IAM_NODE_PROFILE, arena, &arn, &err), 0);
    assert_string_equal(arn, ROLE SH_IAM_NODE_PROFILE);
    assert_int_equal(sh_iam_profile_role(b->cloud, "none", arena, &arn, &err), SH_E_NOT_FOUND);
    must(b, bed_call(b, "iam", "RemoveRoleFromInstanceProfile",
                     "{'InstanceProfileName':'SpyhopNode','RoleName':'SpyhopNode'}"));
    assert_int_equal(sh_iam_profile_role(b->cloud, SH_IAM_NODE_PROFILE, arena, &arn, &err), SH_E_NOT_FOUND);
    must(b, bed_call(b, "iam", "DeleteInstanceProfile", "{'InstanceProfileName':'SpyhopNode'}"));
    bed_restart(b);
    assert_null(bed_call(b, "iam", "GetInstanceProfile", "{'InstanceProfileName':'SpyhopNode'}"));
    assert_string_equal(b->code, "NoSuchEntity");
    must(b, bed_call(b, "iam", "GetRole", "{'RoleName':'MediaConvert_Default_Role'}"));
    sh_arena_free(arena);
}

static void test_policies_of_aws(void **state)
{
    (void)state;
    for (const sh_aws_policy *p = sh_aws_policies; p->name; p++) {
        sh_policy *policy = NULL;
        sh_err err = {0};
        if (sh_policy_parse(&policy, SH_POLICY_IDENTITY, p->document, strlen(p->document), &err) < 0)
            fail_msg("%s: %s", p->name, err.message);
        sh_policy_free(policy);
        assert_true(p == sh_aws_policies || strcmp(p[-1].name, p->name) < 0);
        assert_int_equal(strlen(p->id), 21);
        assert_true(sh_iam_document_size(p->document) <= SH_IAM_POLICY_SIZE);
        for (const sh_aws_policy *other = sh_aws_policies; other < p; other++)
            assert_string_not_equal(other->id, p->id);
    }
}

/* Every row of the table answers, or says what is wrong; none does so by a failure of the server. */
static void test_every_action(void **state)
{
    bed *b = *state;
    static const char *const inputs[] = {
        "{}",
        "{'UserName':'x','GroupName':'x','RoleName':'x','InstanceProfileName':'x','PolicyName':'x',"
        "'PolicyArn':'arn:aws:iam::123456789012:policy/x','PolicyDocument':'{}','VersionId':'v1','Tags':[],"
        "'AccessKeyId':'AKIAAAAAAAAAAAAAAAAA','Status':'Active','TagKeys':[],'MaxItems':'7','Marker':'Pg=='}",
        "{'UserName':7,'GroupName':[],'RoleName':{},'InstanceProfileName':true,'PolicyName':null,'PolicyArn':"
        "1.5,"
        "'PolicyDocument':[],'VersionId':{},'Tags':'x','TagKeys':7,'MaxItems':'x','Marker':7,'AccessKeyId':{}"
        "}",
        "{'MaxItems':5,'Marker':'Pjk5OTk5','PolicyInputList':['{}', "
        "7],'ActionNames':[7],'Tags':[7,{}],'TagKeys':[7]}",
        "{'RoleArn':'arn:aws:iam::123456789012:role/"
        "x','RoleSessionName':'xx','Tags':[{'Key':'a'}],'Policy':'x'}",
    };
    const sh_service *const services[] = {&sh_service_iam, &sh_service_sts};
    for (size_t s = 0; s < 2; s++)
        for (const sh_action *action = services[s]->actions; action->name; action++)
            for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
                json_decref(bed_call(b, services[s]->name, action->name, "%s", inputs[i]));
                if (strcmp(b->code, "ServiceFailure") == 0 || strcmp(b->code, "InternalServerError") == 0)
                    fail_msg("%s %s: %s", action->name, inputs[i], b->message);
            }
}

/* ---- threads ---- */

typedef struct racing {
    bed *b;
    sh_caller caller;
    char key[64];
    atomic_bool stop;
    atomic_int rounds;
} racing;

static void *race(void *opaque)
{
    racing *r = opaque;
    while (!atomic_load(&r->stop)) {
        sh_arena *arena = sh_arena_new(1 << 16);
        sh_caller caller;
        sh_iam_grant grant;
        sh_err err = {0};
        const char *secret;
        if (sh_caller_by_key(r->b->cloud, r->key, NULL, arena, &caller, &secret, &err) != SH_KEY_GOOD ||
            sh_iam_policies(r->b->cloud, &caller, &grant, &err) < 0 || grant.set.identity_count > 1)
            abort();
        sh_iam_used(r->b->cloud, &caller, "s3");
        sh_iam_release(&grant);
        sh_arena_free(arena);
        atomic_fetch_add(&r->rounds, 1);
    }
    return NULL;
}

static void test_threads(void **state)
{
    racing r = {.b = *state};
    pthread_t threads[4];
    char secret[64];
    make_user(r.b, "ann", r.key, secret);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &r), 0);
    for (int i = 0; i < 30 || atomic_load(&r.rounds) < 2000; i++) {
        must(r.b, bed_call(r.b, "iam", "PutUserPolicy",
                           "{'UserName':'ann','PolicyName':'p','PolicyDocument':'" ALLOW("*") "'}"));
        must(r.b, bed_call(r.b, "iam", "DeleteUserPolicy", "{'UserName':'ann','PolicyName':'p'}"));
    }
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static double time_of(bed *b, const sh_caller *caller)
{
    enum { ROUNDS = 100000 };
    struct timespec from, to;
    sh_iam_grant grant;
    sh_err err = {0};
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(sh_iam_policies(b->cloud, caller, &grant, &err), 0);
        sh_iam_release(&grant);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / ROUNDS;
}

/* Says how long it takes, and holds it to what no machine needs. */
static void test_cheap(void **state)
{
    bed *b = *state;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_caller user, session;
    char id[64], secret[64];
    make_user(b, "ann", id, secret);
    make_role(b, "plain", "{\"Service\":\"states.amazonaws.com\"}", "");
    assert_int_equal(by_key(b, arena, id, NULL, &user), SH_KEY_GOOD);
    assert_int_equal(take(b, arena, ROLE "plain", "states.amazonaws.com", NULL, &session), 0);
    double of_user = time_of(b, &user), of_session = time_of(b, &session);
    print_message("policies of a user: %.0f ns, of a session: %.0f ns\n", of_user, of_session);
    assert_true(of_user < 100000 && of_session < 100000);
    sh_arena_free(arena);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_seal),          ROW(test_lost_key_file),     ROW(test_by_key),       ROW(test_last_used),
        ROW(test_generation),    ROW(test_rolled_back),       ROW(test_nobody),       ROW(test_by_role),
        ROW(test_session_names), ROW(test_keys_of_a_session), ROW(test_session_keys), ROW(test_merge),
        ROW(test_seeded_once),   ROW(test_policies_of_aws),   ROW(test_every_action), ROW(test_threads),
        ROW(test_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
