/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small configurations of buckets: public access block, ownership controls, tags, encryption; and the answers
 * for those that no bucket here has (website, replication ...). */
#include "cloud/api/s3_config.h"
#include "cloud/http/head.h"
#include "cloud/store/buckets.h"

#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 4 << 20, BUCKET_TAGS = 50, TAG_KEY = 128, TAG_VALUE = 256 };

/* ---- what all share ---- */

static void put_tree(sh_buf *out, const sh_xml *node)
{
    sh_xml_open(out, node->name);
    for (const sh_xml *child = node->child; child; child = child->next)
        put_tree(out, child);
    if (!node->child)
        sh_xml_escape(out, node->text);
    sh_xml_close(out, node->name);
}

const char *sh_s3_xml_text(const sh_xml *root, sh_arena *arena)
{
    sh_buf out;
    sh_buf_init(&out, TEXT_MAX);
    put_tree(&out, root);
    const char *text = out.failed ? NULL : sh_arena_strndup(arena, sh_buf_cstr(&out), out.length);
    sh_buf_free(&out);
    return text;
}

void sh_s3_answer_kept(sh_s3 *s3, const char *text)
{
    sh_buf out;
    size_t name = strcspn(text + 1, ">");
    sh_buf_init(&out, SH_S3_ANSWER_MAX);
    sh_xml_begin(&out);
    sh_buf_printf(&out, "<%.*s " SH_S3_XMLNS "%s", (int)name, text + 1, text + 1 + name);
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_answer_kept_or(sh_s3 *s3, const char *text, const char *code, const char *message)
{
    if (text)
        sh_s3_answer_kept(s3, text);
    else
        sh_s3_fail(s3, 404, code, "%s", message);
}

void sh_s3_keep(sh_s3 *s3, const char *kind, const char *value, int status)
{
    sh_err err = {0};
    if (sh_bucket_config_set(&s3->objects, s3->bucket, kind, value, &err) < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_s3_answer_empty(s3, status);
}

void sh_s3_keep_xml(sh_s3 *s3, const char *kind, const sh_xml *root, int status)
{
    const char *text = sh_s3_xml_text(root, s3->arena);
    if (text)
        sh_s3_keep(s3, kind, text, status);
    else
        sh_s3_fail(s3, 400, "MaxMessageLengthExceeded", "Your request was too large.");
}

void sh_s3_malformed(sh_s3 *s3, const char *reason)
{
    sh_s3_fail(s3, 400, "MalformedXML",
               "The XML you provided was not well-formed or did not validate against our published schema: "
               "%s",
               reason);
}

void sh_s3_bad_argument(sh_s3 *s3, const char *name, const char *value, const char *message)
{
    const sh_s3_detail details[] = {{"ArgumentName", name}, {"ArgumentValue", value}};
    sh_s3_fail_with(s3, 400, "InvalidArgument", details, 2, "%s", message);
}

bool sh_s3_only_children(sh_s3 *s3, const sh_xml *node, const char *const *names)
{
    for (const sh_xml *child = node->child; child; child = child->next) {
        bool known = false;
        for (const char *const *name = names; *name && !known; name++)
            known = strcmp(*name, child->name) == 0;
        if (!known) {
            const char *reason =
                sh_arena_printf(s3->arena, "<%.60s> has no <%.60s>", node->name, child->name);
            sh_s3_malformed(s3, reason ? reason : "an unknown element");
            return false;
        }
    }
    return true;
}

bool sh_s3_need_digest(sh_s3 *s3)
{
    if (sh_http_field_get(s3->head, "content-md5"))
        return true;
    for (size_t i = 0; i < s3->head->field_count; i++)
        if (strncasecmp(s3->head->fields[i].name, "x-amz-checksum-", 15) == 0)
            return true;
    if (sh_http_field_get(s3->head, "x-amz-trailer"))
        return true;
    sh_s3_fail(s3, 400, "InvalidRequest",
               "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    return false;
}

/* ---- tags ---- */

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static const char *tag_fault(const sh_xml *tag)
{
    const char *key = sh_xml_text(tag, "Key");
    const char *value = sh_xml_text(tag, "Value");
    if (!key || !value)
        return NULL;
    if (!*key || characters(key) > TAG_KEY)
        return "The TagKey you have provided is invalid";
    if (characters(value) > TAG_VALUE)
        return "The TagValue you have provided is invalid";
    if (strncasecmp(key, "aws:", 4) == 0)
        return "System tags cannot be added/updated by requester";
    for (const sh_xml *other = sh_xml_next(tag, "Tag"); other; other = sh_xml_next(other, "Tag")) {
        const char *same = sh_xml_text(other, "Key");
        if (same && strcmp(same, key) == 0)
            return "Cannot provide multiple Tags with the same key";
    }
    return "";
}

bool sh_s3_tag_set_good(sh_s3 *s3, const sh_xml *set, size_t most)
{
    static const char *const only[] = {"Tag", NULL}, *const parts[] = {"Key", "Value", NULL};
    size_t count = 0;
    if (!sh_s3_only_children(s3, set, only))
        return false;
    for (const sh_xml *tag = set->child; tag; tag = tag->next) {
        if (++count > most) {
            sh_s3_fail(s3, 400, "BadRequest", "Bucket tag count cannot be greater than %zu", most);
            return false;
        }
        if (!sh_s3_only_children(s3, tag, parts))
            return false;
        const char *fault = tag_fault(tag);
        if (!fault)
            sh_s3_malformed(s3, "a <Tag> has a <Key> and a <Value>");
        else if (*fault)
            sh_s3_fail(s3, 400, "InvalidTag", "%s", fault);
        if (!fault || *fault)
            return false;
    }
    return true;
}

void sh_s3_put_bucket_tagging(sh_s3 *s3)
{
    static const char *const only[] = {"TagSet", NULL};
    if (!sh_s3_need_rules(s3) || !sh_s3_need_digest(s3))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "Tagging");
    if (!root || !sh_s3_only_children(s3, root, only))
        return;
    const sh_xml *set = sh_xml_child(root, "TagSet");
    if (!set || set->next)
        sh_s3_malformed(s3, "<Tagging> has one <TagSet>");
    else if (sh_s3_tag_set_good(s3, set, BUCKET_TAGS))
        sh_s3_keep_xml(s3, "tagging", root, 204);
}

void sh_s3_get_bucket_tagging(sh_s3 *s3)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules)
        sh_s3_answer_kept_or(s3, rules->tagging_text, "NoSuchTagSet", "The TagSet does not exist");
}

void sh_s3_delete_bucket_tagging(sh_s3 *s3)
{
    sh_s3_keep(s3, "tagging", NULL, 204);
}

/* ---- public access block ---- */

void sh_s3_put_public_block(sh_s3 *s3)
{
    static const char *const names[] = {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy",
                                        "RestrictPublicBuckets", NULL};
    sh_buf out;
    if (!sh_s3_need_rules(s3))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "PublicAccessBlockConfiguration");
    if (!root || !sh_s3_only_children(s3, root, names))
        return;
    sh_buf_init(&out, 4096);
    sh_xml_open(&out, "PublicAccessBlockConfiguration");
    for (const char *const *name = names; *name; name++) {
        const char *text = sh_xml_text(root, *name);
        bool on = text && strcasecmp(text, "true") == 0;
        if (text && !on && strcasecmp(text, "false") != 0) {
            sh_buf_free(&out);
            sh_s3_malformed(s3, "a switch is true or false");
            return;
        }
        sh_xml_put(&out, *name, on ? "true" : "false");
    }
    sh_xml_close(&out, "PublicAccessBlockConfiguration");
    sh_s3_keep(s3, "block", sh_buf_cstr(&out), 200);
    sh_buf_free(&out);
}

void sh_s3_get_public_block(sh_s3 *s3)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules)
        sh_s3_answer_kept_or(s3, rules->block_text, "NoSuchPublicAccessBlockConfiguration",
                             "The public access block configuration was not found");
}

void sh_s3_delete_public_block(sh_s3 *s3)
{
    sh_s3_keep(s3, "block", NULL, 204);
}

/* ---- ownership controls ---- */

void sh_s3_put_ownership(sh_s3 *s3)
{
    static const char *const only[] = {"Rule", NULL}, *const parts[] = {"ObjectOwnership", NULL};
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    const sh_xml *root = rules ? sh_s3_need_xml(s3, "OwnershipControls") : NULL;
    if (!root || !sh_s3_only_children(s3, root, only))
        return;
    const sh_xml *rule = root->child;
    const char *value = sh_xml_text(rule, "ObjectOwnership");
    if (!rule || rule->next || !value)
        sh_s3_malformed(s3, "<OwnershipControls> has one <Rule> with an <ObjectOwnership>");
    else if (!sh_s3_only_children(s3, rule, parts))
        return;
    else if (!sh_s3_ownership_known(value))
        sh_s3_malformed(s3, "<ObjectOwnership> is BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter");
    else if (strcmp(value, "BucketOwnerEnforced") == 0 && rules->acl)
        sh_s3_fail(s3, 400, "InvalidBucketAclWithObjectOwnership",
                   "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
    else
        sh_s3_keep_xml(s3, "ownership", root, 200);
}

bool sh_s3_ownership_known(const char *value)
{
    return strcmp(value, "BucketOwnerEnforced") == 0 || strcmp(value, "BucketOwnerPreferred") == 0 ||
           strcmp(value, "ObjectWriter") == 0;
}

void sh_s3_get_ownership(sh_s3 *s3)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules)
        sh_s3_answer_kept_or(s3, rules->ownership_text, "OwnershipControlsNotFoundError",
                             "The bucket ownership controls were not found");
}

void sh_s3_delete_ownership(sh_s3 *s3)
{
    sh_s3_keep(s3, "ownership", NULL, 204);
}

/* ---- encryption ---- */

/* S3 encrypts with keys of its own by default, and cannot be told not to; here the bytes are as safe as the
 * disk is. What can be asked for is that default. */
static const char sse_s3[] = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
                             "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
                             "<BucketKeyEnabled>false</BucketKeyEnabled></Rule>"
                             "</ServerSideEncryptionConfiguration>";

void sh_s3_put_encryption(sh_s3 *s3)
{
    static const char *const only[] = {"Rule", NULL};
    static const char *const parts[] = {"ApplyServerSideEncryptionByDefault", "BucketKeyEnabled",
                                        "BlockedEncryptionTypes", NULL};
    if (!sh_s3_need_rules(s3))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "ServerSideEncryptionConfiguration");
    if (!root || !sh_s3_only_children(s3, root, only))
        return;
    const sh_xml *rule = root->child;
    const sh_xml *standard = sh_xml_child(rule, "ApplyServerSideEncryptionByDefault");
    const char *algorithm = sh_xml_text(standard, "SSEAlgorithm");
    if (!rule || rule->next || !algorithm)
        sh_s3_malformed(s3, "one <Rule> with an <SSEAlgorithm>");
    else if (!sh_s3_only_children(s3, rule, parts))
        return;
    else if (strcmp(algorithm, "aws:kms") == 0 || strcmp(algorithm, "aws:kms:dsse") == 0)
        sh_s3_fail(s3, 501, "NotImplemented",
                   "Encryption with keys of KMS (SSEAlgorithm %.20s) is not implemented", algorithm);
    else if (strcmp(algorithm, "AES256") != 0)
        sh_s3_malformed(s3, "<SSEAlgorithm> is AES256, aws:kms or aws:kms:dsse");
    else if (sh_xml_child(standard, "KMSMasterKeyID"))
        sh_s3_fail(s3, 400, "InvalidArgument",
                   "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or "
                   "aws:kms:dsse");
    else
        sh_s3_keep_xml(s3, "encryption", root, 200);
}

void sh_s3_get_encryption(sh_s3 *s3)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules)
        sh_s3_answer_kept(s3, rules->encryption_text ? rules->encryption_text : sse_s3);
}

void sh_s3_delete_encryption(sh_s3 *s3)
{
    sh_s3_keep(s3, "encryption", NULL, 204);
}

/* ---- what no bucket here has ---- */

typedef struct absent {
    const char *subresource;
    const char *code; /* NULL: `text` is the answer */
    const char *text;
} absent;

static const absent absents[] = {
    {"requestPayment", NULL,
     "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"},
    {"logging", NULL, "<BucketLoggingStatus></BucketLoggingStatus>"},
    {"accelerate", NULL, "<AccelerateConfiguration></AccelerateConfiguration>"},
    {"website", "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"},
    {"replication", "ReplicationConfigurationNotFoundError", "The replication configuration was not found"},
    {"object-lock", "ObjectLockConfigurationNotFoundError",
     "Object Lock configuration does not exist for this bucket"},
    {"analytics", NULL,
     "<ListBucketAnalyticsConfigurationsResult><IsTruncated>false</IsTruncated>"
     "</ListBucketAnalyticsConfigurationsResult>"},
    {"inventory", NULL,
     "<ListInventoryConfigurationsResult><IsTruncated>false</IsTruncated>"
     "</ListInventoryConfigurationsResult>"},
    {"metrics", NULL,
     "<ListMetricsConfigurationsResult><IsTruncated>false</IsTruncated></ListMetricsConfigurationsResult>"},
    {"intelligent-tiering", NULL,
     "<ListBucketIntelligentTieringConfigurationsOutput><IsTruncated>false</IsTruncated>"
     "</ListBucketIntelligentTieringConfigurationsOutput>"},
};

static const absent *absent_of(const sh_s3 *s3)
{
    for (size_t i = 0; i < sizeof(absents) / sizeof(absents[0]); i++)
        if (sh_http_param_has(s3->head, absents[i].subresource))
            return &absents[i];
    return NULL;
}

void sh_s3_get_absent(sh_s3 *s3)
{
    const absent *row = absent_of(s3);
    if (!row || !sh_s3_need_rules(s3))
        return;
    if (sh_http_param_has(s3->head, "id"))
        sh_s3_fail(s3, 404, "NoSuchConfiguration", "The specified configuration does not exist.");
    else if (row->code)
        sh_s3_fail(s3, 404, row->code, "%s", row->text);
    else
        sh_s3_answer_kept(s3, row->text);
}

/* Putting what a bucket has anyway is fine. */
void sh_s3_put_absent(sh_s3 *s3)
{
    static const char *const good[][3] = {
        {"requestPayment", "Payer", "BucketOwner"},
        {"logging", NULL, NULL},
        {"accelerate", "Status", "Suspended"},
    };
    const absent *row = absent_of(s3);
    const sh_xml *root = NULL;
    sh_xml *node;
    if (!row || !sh_s3_need_rules(s3))
        return;
    if (sh_xml_parse(s3->body, s3->body_length, s3->arena, &node, NULL) == 0)
        root = node;
    for (size_t i = 0; root && i < sizeof(good) / sizeof(good[0]); i++) {
        const char *value = good[i][1] ? sh_xml_text(root, good[i][1]) : NULL;
        if (strcmp(row->subresource, good[i][0]) == 0 &&
            (good[i][1] ? value && strcmp(value, good[i][2]) == 0 : !root->child)) {
            sh_s3_answer_empty(s3, 200);
            return;
        }
    }
    sh_s3_fail(s3, 501, "NotImplemented",
               "A header or query you provided implies functionality that is not implemented: %s with \"%s\"",
               s3->head->method, row->subresource);
}

void sh_s3_delete_absent(sh_s3 *s3)
{
    if (sh_s3_need_rules(s3))
        sh_s3_answer_empty(s3, 204);
}
