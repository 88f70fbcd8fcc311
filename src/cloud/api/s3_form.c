/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PostObject ("POST Object" and "Browser-based uploads", S3 API reference). Fields come before the file, so
 * that everything is decided when the file begins: who signed the policy, whether the fields fit it, what the
 * key is, whether the caller may put it. Only then a file is staged and bytes go to it as they come. From
 * then on the fields stand as those of a PutObject's head (s3->head is replaced), and what makes an object of
 * a PUT makes one of a form. */
#include "cloud/api/s3_form.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/api/s3_form_policy.h"
#include "cloud/http/form.h"
#include "cloud/http/sigv2.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELDS_BYTES_MAX = 20 * 1024, FIELDS_MAX = 200 };

typedef struct sh_s3_form {
    sh_s3 *s3;
    sh_form *parser;
    sh_http_field fields[FIELDS_MAX + 1]; /* the last: bucket */
    size_t count;
    size_t bytes;     /* of names and values */
    sh_buf value;     /* of the field that is coming */
    const char *name; /* its name; NULL: the part is not kept */
    bool in_file, had_file;
    sh_form_limits limits;
    sh_sigv4 claim;
    sh_caller caller;
    sh_http_head head;
} sh_s3_form;

static const char *field(const sh_s3_form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcasecmp(f->fields[i].name, name) == 0)
            return f->fields[i].value;
    return NULL;
}

static bool argument(sh_s3 *s3, const char *name, const char *value, const char *message)
{
    sh_s3_detail details[] = {{"ArgumentName", name}, {"ArgumentValue", value}};
    sh_s3_fail_with(s3, 400, "InvalidArgument", details, 2, "%s", message);
    return false;
}

static bool no_field(sh_s3 *s3, const char *name)
{
    const char *message = sh_arena_printf(s3->arena,
                                          "Bucket POST must contain a field named '%s'.  If it is specified, "
                                          "please check the order of the fields.",
                                          name);
    return argument(s3, name, "", message ? message : "");
}

/* ---- who signed ---- */

static bool find_caller(sh_s3_form *f, const char **secret)
{
    sh_s3 *s3 = f->s3;
    sh_err err = {0};
    sh_s3_detail key = {"AWSAccessKeyId", f->claim.access_key};
    sh_s3_detail token = {"Token-0", f->claim.token};
    switch (sh_caller_by_key(s3->cloud, f->claim.access_key, f->claim.token, s3->arena, &f->caller, secret,
                             &err)) {
    case SH_KEY_GOOD:
        f->caller.source_ip = s3->caller->source_ip;
        f->caller.user_agent = s3->caller->user_agent;
        f->caller.referer = s3->caller->referer;
        f->caller.secure = s3->caller->secure;
        return true;
    case SH_KEY_UNKNOWN:
        sh_s3_fail_with(s3, 403, "InvalidAccessKeyId", &key, 1,
                        "The AWS Access Key Id you provided does not exist in our records.");
        return false;
    case SH_KEY_BAD_TOKEN:
        sh_s3_fail_with(s3, 400, "InvalidToken", &token, 1,
                        "The provided token is malformed or otherwise invalid.");
        return false;
    case SH_KEY_EXPIRED:
        sh_s3_fail_with(s3, 400, "ExpiredToken", &token, 1, "The provided token has expired.");
        return false;
    default:
        sh_s3_fail_store(s3, &err);
        return false;
    }
}

static bool compare(sh_s3_form *f, const char *expected, const char *policy)
{
    const char *given = f->claim.signature;
    if (strlen(given) == strlen(expected) && CRYPTO_memcmp(given, expected, strlen(expected)) == 0)
        return true;
    sh_s3_detail details[] = {
        {"AWSAccessKeyId", f->claim.access_key}, {"StringToSign", policy}, {"SignatureProvided", given}};
    sh_s3_fail_with(f->s3, 403, "SignatureDoesNotMatch", details, 3, "%s", SH_SIGV4_MISMATCH);
    return false;
}

static bool check_version_2(sh_s3_form *f, const char *policy)
{
    char expected[SH_SIGV2_TEXT];
    const char *secret = NULL;
    f->claim.version = 2;
    f->claim.access_key = field(f, "AWSAccessKeyId");
    f->claim.signature = field(f, "signature");
    if (!f->claim.access_key)
        return no_field(f->s3, "AWSAccessKeyId");
    if (!f->claim.signature)
        return no_field(f->s3, "signature");
    if (!find_caller(f, &secret))
        return false;
    if (strlen(secret) > SH_SIGV4_SECRET_MAX || !sh_sigv2_sign(secret, policy, strlen(policy), expected)) {
        sh_s3_fail(f->s3, 500, "InternalError", "We encountered an internal error: no memory");
        return false;
    }
    return compare(f, expected, policy);
}

/* The credential's scope and the fields that belong to it. */
static bool read_version_4(sh_s3_form *f)
{
    sh_s3 *s3 = f->s3;
    const char *algorithm = field(f, "x-amz-algorithm");
    const char *credential = field(f, "x-amz-credential");
    const char *stamp = field(f, "x-amz-date");
    f->claim.version = 4;
    f->claim.signature = field(f, "x-amz-signature");
    if (!algorithm || strcmp(algorithm, "AWS4-HMAC-SHA256") != 0)
        return algorithm ? argument(s3, "X-Amz-Algorithm", algorithm,
                                    "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
                         : no_field(s3, "X-Amz-Algorithm");
    if (!credential)
        return no_field(s3, "X-Amz-Credential");
    if (!stamp)
        return no_field(s3, "X-Amz-Date");
    if (!f->claim.signature)
        return no_field(s3, "X-Amz-Signature");
    if (!sh_sigv4_credential_parse(&f->claim, s3->arena, credential))
        return argument(
            s3, "X-Amz-Credential", credential,
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
            "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
    if (!sh_sigv4_stamp_parse(stamp, &f->claim.time_ms))
        return argument(s3, "X-Amz-Date", stamp,
                        "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    if (strcmp(f->claim.region, s3->cloud->settings.region) != 0 || strcmp(f->claim.service, "s3") != 0)
        return argument(s3, "X-Amz-Credential", credential,
                        "Error parsing the X-Amz-Credential parameter; its region or service is wrong");
    f->claim.stamp = stamp;
    return true;
}

static bool check_version_4(sh_s3_form *f, const char *policy)
{
    char expected[65];
    const char *secret = NULL;
    if (!read_version_4(f) || !find_caller(f, &secret))
        return false;
    if (!sh_sigv4_key(secret, f->claim.date, f->claim.region, f->claim.service, f->claim.key) ||
        !sh_sigv4_sign(f->claim.key, policy, strlen(policy), expected)) {
        sh_s3_fail(f->s3, 500, "InternalError", "We encountered an internal error: no memory");
        return false;
    }
    OPENSSL_cleanse(f->claim.key, sizeof(f->claim.key));
    return compare(f, expected, policy);
}

/* A form without a policy is anybody's. */
static bool authenticate(sh_s3_form *f)
{
    const char *policy = field(f, "policy");
    bool new_kind =
        field(f, "x-amz-signature") || field(f, "x-amz-algorithm") || field(f, "x-amz-credential");
    bool old_kind = field(f, "signature") || field(f, "AWSAccessKeyId");
    f->claim = (sh_sigv4){.form = true, .payload = "UNSIGNED-PAYLOAD", .payload_kind = SH_PAYLOAD_UNSIGNED};
    f->claim.token = field(f, "x-amz-security-token");
    f->claim.date = f->claim.region = f->claim.stamp = f->claim.signed_fields = f->claim.signature = "";
    f->caller = (sh_caller){.source_ip = f->s3->caller->source_ip,
                            .user_agent = f->s3->caller->user_agent,
                            .referer = f->s3->caller->referer,
                            .secure = f->s3->caller->secure};
    if (!policy && (new_kind || old_kind))
        return no_field(f->s3, "policy");
    if (policy && !(new_kind ? check_version_4(f, policy) : check_version_2(f, policy)))
        return false;
    f->s3->claim = &f->claim;
    f->s3->caller = &f->caller;
    return true;
}

/* ---- what the form says ---- */

static bool check_policy(sh_s3_form *f)
{
    sh_err err = {0};
    const char *policy = field(f, "policy");
    f->limits = (sh_form_limits){0, INT64_MAX};
    if (!policy)
        return true;
    f->fields[f->count] = (sh_http_field){"bucket", f->s3->bucket};
    int status = sh_form_policy_check(policy, f->fields, f->count + 1, sh_now_ms(f->s3->cloud->clock),
                                      f->s3->arena, &f->limits, &err);
    if (status == SH_E_FORMAT)
        sh_s3_fail(f->s3, 400, "InvalidPolicyDocument", "%s", err.message);
    else if (status == SH_E_DENIED)
        sh_s3_fail(f->s3, 403, "AccessDenied", "%s", err.message);
    else if (status < 0)
        sh_s3_fail_store(f->s3, &err);
    return status == 0;
}

/* What a path on the sender's disk ends with. */
static const char *base_name(const char *filename)
{
    const char *slash = strrchr(filename, '/'), *back = strrchr(filename, '\\');
    const char *last = slash > back ? slash : back;
    return last ? last + 1 : filename;
}

static const char *with_filename(sh_arena *arena, const char *text, const char *filename)
{
    static const char mark[] = "${filename}";
    const char *at = strstr(text, mark);
    if (!at)
        return text;
    return sh_arena_printf(arena, "%.*s%s%s", (int)(at - text), text, base_name(filename),
                           at + sizeof(mark) - 1);
}

static bool settle_key(sh_s3_form *f, const char *filename)
{
    sh_s3 *s3 = f->s3;
    bool good = true;
    for (size_t i = 0; i < f->count && good; i++)
        if (strcasecmp(f->fields[i].name, "policy") != 0) {
            f->fields[i].value = with_filename(s3->arena, f->fields[i].value, filename);
            good = f->fields[i].value != NULL;
        }
    const char *key = good ? field(f, "key") : NULL;
    if (!good)
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    else if (!key)
        good = no_field(s3, "key");
    else if (!*key)
        good = argument(s3, "key", "", "User key must have a length greater than 0.");
    else if (!sh_utf8_valid(key, strlen(key)))
        good = argument(s3, "key", "", "The key is not UTF-8.");
    else if (strlen(key) > SH_OBJECT_KEY_MAX) {
        sh_s3_fail(s3, 400, "KeyTooLongError", "Your key is too long");
        good = false;
    }
    if (good)
        s3->key = key;
    return good;
}

/* The form's <Tagging> as the field x-amz-tagging has it. NULL: malformed, or no memory. */
static const char *tagging_of(sh_s3 *s3, const char *text)
{
    sh_xml *root;
    const char *out = "";
    if (sh_xml_parse(text, strlen(text), s3->arena, &root, NULL) < 0 || strcmp(root->name, "Tagging") != 0)
        return NULL;
    const sh_xml *set = sh_xml_child(root, "TagSet");
    for (const sh_xml *tag = sh_xml_child(set, "Tag"); tag && out; tag = sh_xml_next(tag, "Tag")) {
        const char *key = sh_xml_text(tag, "Key"), *value = sh_xml_text(tag, "Value");
        key = key ? sh_http_encode(s3->arena, key, strlen(key), false) : NULL;
        value = value ? sh_http_encode(s3->arena, value, strlen(value), false) : "";
        if (!key || !value)
            return NULL;
        out = sh_arena_printf(s3->arena, "%s%s%s=%s", out, *out ? "&" : "", key, value);
    }
    return set ? out : NULL;
}

/* Fields that a PutObject may have in its head. */
static bool belongs(const char *name)
{
    static const char *const own[] = {"x-amz-signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date",
                                      "x-amz-security-token"};
    static const char *const kept[] = {"content-type",     "cache-control",    "content-disposition",
                                       "content-encoding", "content-language", "expires"};
    for (size_t i = 0; i < SH_COUNT(own); i++)
        if (strcasecmp(own[i], name) == 0)
            return false;
    for (size_t i = 0; i < SH_COUNT(kept); i++)
        if (strcasecmp(kept[i], name) == 0)
            return true;
    return strncasecmp(name, "x-amz-", 6) == 0;
}

static bool make_head(sh_s3_form *f)
{
    sh_s3 *s3 = f->s3;
    sh_http_head *head = &f->head;
    *head = (sh_http_head){.method = s3->head->method, .path = s3->head->path, .query = ""};
    head->fields = sh_arena_alloc(s3->arena, (f->count + 1) * sizeof(*head->fields));
    if (!head->fields) {
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
        return false;
    }
    for (size_t i = 0; i < f->count; i++) {
        sh_http_field one = f->fields[i];
        if (strcasecmp(one.name, "acl") == 0) {
            one.name = "x-amz-acl";
        } else if (strcasecmp(one.name, "tagging") == 0) {
            one.name = "x-amz-tagging";
            one.value = tagging_of(s3, one.value);
            if (!one.value) {
                sh_s3_fail(
                    s3, 400, "MalformedXML",
                    "The XML you provided was not well-formed or did not validate against our published "
                    "schema");
                return false;
            }
        } else if (!belongs(one.name)) {
            continue;
        }
        head->fields[head->field_count++] = one;
    }
    s3->head = head;
    return true;
}

static bool allowed(sh_s3_form *f)
{
    static const char *const more[][2] = {{"x-amz-acl", "s3:PutObjectAcl"},
                                          {"x-amz-tagging", "s3:PutObjectTagging"}};
    sh_s3 *s3 = f->s3;
    sh_err err = {0};
    const char *sentence = "Access Denied";
    int status = sh_s3_may(s3, "s3:PutObject", s3->key, NULL, &sentence, &err);
    for (size_t i = 0; i < SH_COUNT(more) && status == 0; i++)
        if (sh_http_field_get(s3->head, more[i][0]))
            status = sh_s3_may(s3, more[i][1], s3->key, NULL, &sentence, &err);
    if (status == SH_E_DENIED)
        sh_s3_fail(s3, 403, "AccessDenied", "%s", sentence);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    return status == 0;
}

/* ---- parts ---- */

static int begin_file(sh_s3_form *f, const char *filename)
{
    int64_t most = sh_http_content_length(f->s3->http);
    f->had_file = f->in_file = true;
    bool good = authenticate(f) && settle_key(f, filename) && check_policy(f) && make_head(f) && allowed(f) &&
                sh_s3_meta_supported(f->s3) && sh_s3_receive_open(f->s3, most);
    return good ? 0 : SH_E_CANCELLED;
}

static int on_begin(void *opaque, const sh_form_part *part)
{
    sh_s3_form *f = opaque;
    f->name = NULL;
    if (f->had_file)
        return 0; /* what comes after the file counts for nothing */
    if (strcasecmp(part->name, "file") == 0)
        return begin_file(f, part->filename ? part->filename : "");
    f->bytes += strlen(part->name);
    sh_buf_clear(&f->value);
    f->name = f->count < FIELDS_MAX ? sh_arena_strdup(f->s3->arena, part->name) : NULL;
    if (f->name)
        return 0;
    sh_s3_fail(f->s3, 400, "MaxPostPreDataLengthExceeded",
               "Your POST request fields preceding the upload file was too large.");
    return SH_E_CANCELLED;
}

static int on_file_bytes(sh_s3_form *f, const void *bytes, size_t length)
{
    sh_s3 *s3 = f->s3;
    int64_t most = f->limits.max < SH_S3_OBJECT_MAX ? f->limits.max : SH_S3_OBJECT_MAX;
    if (s3->receiver.size + (int64_t)length > most) {
        const char *size = sh_arena_printf(s3->arena, "%lld", (long long)sh_http_content_length(s3->http));
        const char *limit = sh_arena_printf(s3->arena, "%lld", (long long)most);
        sh_s3_detail details[] = {{"ProposedSize", size}, {"MaxSizeAllowed", limit}};
        sh_s3_fail_with(s3, 400, "EntityTooLarge", details, 2,
                        "Your proposed upload exceeds the maximum allowed size");
        return SH_E_CANCELLED;
    }
    return sh_s3_receive_bytes(s3, bytes, length) ? 0 : SH_E_CANCELLED;
}

static int on_bytes(void *opaque, const void *bytes, size_t length)
{
    sh_s3_form *f = opaque;
    if (f->in_file)
        return on_file_bytes(f, bytes, length);
    if (!f->name)
        return 0;
    f->bytes += length;
    if (f->bytes <= FIELDS_BYTES_MAX && sh_buf_append(&f->value, bytes, length) == 0)
        return 0;
    sh_s3_fail(f->s3, 400, "MaxPostPreDataLengthExceeded",
               "Your POST request fields preceding the upload file was too large.");
    return SH_E_CANCELLED;
}

static int on_end(void *opaque)
{
    sh_s3_form *f = opaque;
    f->in_file = false;
    if (!f->name)
        return 0;
    const char *value = sh_arena_strdup(f->s3->arena, sh_buf_cstr(&f->value));
    if (!value)
        return SH_E_MEMORY;
    if (strlen(value) != f->value.length) {
        argument(f->s3, f->name, "", "A field of the form has a NUL.");
        return SH_E_CANCELLED;
    }
    f->fields[f->count++] = (sh_http_field){f->name, value};
    f->name = NULL;
    return 0;
}

static void on_form(void *opaque, sh_http_request *request, const void *bytes, size_t length)
{
    sh_s3_form *f = opaque;
    sh_err err = {0};
    (void)request;
    int status = sh_form_push(f->parser, bytes, length, &err);
    if (status < 0 && !sh_http_answered(f->s3->http))
        sh_s3_fail(f->s3, status == SH_E_MEMORY ? 500 : 400,
                   status == SH_E_MEMORY ? "InternalError" : "MalformedPOSTRequest",
                   "The body of your POST request is not well-formed multipart/form-data. %s", err.message);
}

/* ---- the operation ---- */

void sh_s3_post_object_begin(sh_s3 *s3)
{
    sh_bucket bucket;
    sh_err err = {0};
    const char *type = sh_http_field_get(s3->head, "content-type");
    if (!sh_form_is(type)) {
        sh_s3_detail detail = {"Condition", "Bucket POST must be of the enclosure-type multipart/form-data"};
        sh_s3_fail_with(s3, 412, "PreconditionFailed", &detail, 1,
                        "At least one of the pre-conditions you specified did not hold");
        return;
    }
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    if (sh_http_content_length(s3->http) < 0) {
        sh_s3_fail(s3, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
        return;
    }
    sh_s3_form *f = calloc(1, sizeof(*f));
    int status = f ? 0 : sh_fail(&err, SH_E_MEMORY, "no memory for a form");
    if (status == 0) {
        s3->form = f;
        f->s3 = s3;
        sh_buf_init(&f->value, FIELDS_BYTES_MAX);
        sh_form_events events = {.opaque = f, .begin = on_begin, .bytes = on_bytes, .end = on_end};
        status = sh_form_new(&f->parser, type, &events, &err);
    }
    if (status == SH_E_FORMAT)
        sh_s3_fail(s3, 400, "MalformedPOSTRequest",
                   "The body of your POST request is not well-formed multipart/form-data. %s", err.message);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_http_sink_body(s3->http, on_form, f);
}

static const char *location_of(sh_s3 *s3)
{
    const char *host = sh_http_field_get(s3->head, "host");
    const char *key = sh_http_encode(s3->arena, s3->key, strlen(s3->key), true);
    host = host ? host : sh_http_field_get(sh_http_request_head(s3->http), "host");
    bool by_host = strcmp(sh_http_request_head(s3->http)->path, "/") == 0;
    if (!key || !host)
        return NULL;
    return sh_arena_printf(s3->arena, "%s://%s/%s%s%s", s3->caller->secure ? "https" : "http", host,
                           by_host ? "" : s3->bucket, by_host ? "" : "/", key);
}

static void answer_created(sh_s3 *s3, const char *location)
{
    sh_buf out;
    sh_buf_init(&out, 64 * 1024);
    sh_xml_begin(&out);
    sh_xml_open(&out, "PostResponse");
    sh_xml_put(&out, "Location", location ? location : "");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "Key", s3->key);
    sh_s3_put_etag(&out, s3->receiver.etag);
    sh_xml_close(&out, "PostResponse");
    sh_http_add_field(s3->http, "Content-Type", "application/xml");
    sh_http_add_field(s3->http, "x-amz-request-id", sh_http_request_id(s3->http));
    sh_http_answer(s3->http, 201, sh_buf_cstr(&out), out.length);
    sh_buf_free(&out);
}

/* Where the browser goes then, with what became of the upload; NULL: it stays. */
static const char *redirect_of(sh_s3_form *f)
{
    sh_arena *arena = f->s3->arena;
    const char *to = field(f, "success_action_redirect");
    to = to ? to : field(f, "redirect");
    if (!to || (strncasecmp(to, "http://", 7) != 0 && strncasecmp(to, "https://", 8) != 0))
        return NULL; /* not an address: as if it were not there */
    const char *key = sh_http_encode(arena, f->s3->key, strlen(f->s3->key), false);
    return key ? sh_arena_printf(arena, "%s%cbucket=%s&key=%s&etag=%%22%s%%22", to,
                                 strchr(to, '?') ? '&' : '?', f->s3->bucket, key, f->s3->receiver.etag)
               : NULL;
}

static void answer_form(sh_s3_form *f)
{
    sh_s3 *s3 = f->s3;
    const char *wanted = field(f, "success_action_status");
    const char *redirect = redirect_of(f);
    const char *location = redirect ? redirect : location_of(s3);
    sh_s3_field_quoted(s3, "ETag", s3->receiver.etag);
    if (location)
        sh_http_add_field(s3->http, "Location", location);
    if (redirect)
        sh_s3_answer_empty(s3, 303);
    else if (wanted && strcmp(wanted, "201") == 0)
        answer_created(s3, location);
    else
        sh_s3_answer_empty(s3, wanted && strcmp(wanted, "200") == 0 ? 200 : 204);
}

static bool big_enough(sh_s3_form *f)
{
    sh_s3 *s3 = f->s3;
    if (s3->receiver.size >= f->limits.min)
        return true;
    const char *size = sh_arena_printf(s3->arena, "%lld", (long long)s3->receiver.size);
    const char *limit = sh_arena_printf(s3->arena, "%lld", (long long)f->limits.min);
    sh_s3_detail details[] = {{"ProposedSize", size}, {"MinSizeAllowed", limit}};
    sh_s3_fail_with(s3, 400, "EntityTooSmall", details, 2,
                    "Your proposed upload is smaller than the minimum allowed size");
    return false;
}

static bool write_object(sh_s3 *s3)
{
    sh_object_new draft = {0};
    return sh_s3_draft(s3, &draft) && sh_s3_write(s3, "PostObject", &draft);
}

void sh_s3_post_object(sh_s3 *s3)
{
    sh_err err = {0};
    sh_s3_form *f = s3->form;
    if (sh_form_finish(f->parser, &err) < 0) {
        sh_s3_fail(s3, 400, "MalformedPOSTRequest",
                   "The body of your POST request is not well-formed multipart/form-data. %s", err.message);
        return;
    }
    if (!f->had_file) {
        argument(s3, "file", "0", "POST requires exactly one file upload per request.");
        return;
    }
    s3->receiver.expected = s3->receiver.size;
    if (big_enough(f) && sh_s3_receive_finish(s3) && write_object(s3))
        answer_form(f);
}

void sh_s3_form_end(sh_s3_form *form)
{
    if (!form)
        return;
    sh_form_free(form->parser);
    sh_buf_free(&form->value);
    free(form);
}
