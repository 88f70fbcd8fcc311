/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for policies: a document, and after TABs an action, a resource and the keys of a request as
 * JSON. What a policy says by itself agrees with what is decided when it is the only one. */
#include "fuzz.h"
#include "cloud/policy/policy.h"

#include <jansson.h>
#include <string.h>

enum { KEYS_MAX = 16, VALUES_MAX = 8 };

typedef struct keys {
    sh_policy_key list[KEYS_MAX];
    const char *values[KEYS_MAX][VALUES_MAX];
    size_t count;
} keys;

static void read_keys(keys *out, json_t *from)
{
    const char *name;
    json_t *value, *item;
    size_t i;
    json_object_foreach(from, name, value)
    {
        sh_policy_key *key = &out->list[out->count];
        if (out->count == KEYS_MAX)
            return;
        *key = (sh_policy_key){.name = name, .values = out->values[out->count]};
        if (json_is_string(value))
            out->values[out->count][key->count++] = json_string_value(value);
        json_array_foreach(value, i, item)
        {
            if (key->count < VALUES_MAX && json_is_string(item))
                out->values[out->count][key->count++] = json_string_value(item);
        }
        out->count++;
    }
}

static void decide(const sh_policy *policy, sh_policy_kind kind, const sh_policy_request *request)
{
    char sentence[2048];
    const char *sid = NULL;
    const sh_policy *const list[] = {policy};
    sh_policy_set set = {.identity = list, .identity_count = kind == SH_POLICY_IDENTITY ? 1 : 0};
    if (kind != SH_POLICY_IDENTITY)
        set.resource = policy;
    sh_policy_reason reason = sh_policy_decide(&set, request);
    sh_policy_effect effect = sh_policy_says(policy, request, &sid);
    if (effect == SH_POLICY_DENY)
        CHECK(reason == SH_POLICY_DENIED_IDENTITY || reason == SH_POLICY_DENIED_RESOURCE);
    if (kind == SH_POLICY_IDENTITY)
        CHECK((reason == SH_POLICY_ALLOWED) == (effect == SH_POLICY_ALLOW));
    set.boundary = policy;
    set.session = policy;
    sh_policy_decide(&set, request);
    if (reason != SH_POLICY_ALLOWED)
        CHECK(sh_policy_sentence(sentence, sizeof(sentence), reason, request) > 0);
    sh_policy_mentions(policy, "s3:Exis");
}

static char *take_part(char **at)
{
    char *part = *at;
    *at += strcspn(*at, "\t");
    if (**at)
        *(*at)++ = '\0';
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *at = text;
    const char *document = take_part(&at), *action = take_part(&at), *resource = take_part(&at);
    json_t *given = json_loads(take_part(&at), 0, NULL);
    keys k = {0};
    if (json_is_object(given))
        read_keys(&k, given);
    sh_policy_request request = {
        .action = *action ? action : "s3:GetObject",
        .resource = *resource ? resource : "arn:aws:s3:::films/a/b",
        .caller = {.arn = "arn:aws:iam::123456789012:user/ada", .account = "123456789012"},
        .keys = k.list,
        .key_count = k.count};
    for (int kind = SH_POLICY_IDENTITY; kind <= SH_POLICY_TRUST; kind++) {
        sh_policy *policy = NULL;
        sh_err err = {0};
        int status = sh_policy_parse(&policy, (sh_policy_kind)kind, document, strlen(document), &err);
        CHECK(status == 0 ? policy != NULL : err.message[0] && !policy);
        if (policy)
            decide(policy, (sh_policy_kind)kind, &request);
        sh_policy_free(policy);
    }
    json_decref(given);
    free(text);
    return 0;
}
