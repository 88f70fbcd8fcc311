/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a call of an API destination is made of: the destination's address with its stars filled, query,
 * headers and body with what the connection and the target add, and who we are.
 *
 * Beside what AWS sends there is a signature, so that the receiver knows that the event is ours and whole:
 *
 *   Spyhop-Signature: t=1700000000,v1=HEX    HMAC-SHA256 over "1700000000." and the body
 *
 * Its key is the connection's secret (ApiKeyValue, or Password). A connection whose ApiKeyName is
 * "Spyhop-Signature" sends the signature only: its key never travels. */
#include "cloud/api/authorize.h"
#include "cloud/api/events.h"
#include "cloud/api/iam_inner.h"
#include "cloud/flow/flow.h"
#include "cloud/http/digest.h"
#include "cloud/store/eventparts.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 64
#define URL_MAX 8192
#define SIGNATURE "Spyhop-Signature"

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- secrets ---- */

static const char *bound_name(sh_arena *arena, const char *connection)
{
    return sh_arena_printf(arena, "events/connection/%s", connection);
}

const char *sh_events_seal(const sh_cloud *cloud, sh_arena *arena, const char *connection, const char *secret)
{
    size_t length = strlen(secret), sealed_length = length + SH_IAM_SEAL_EXTRA;
    const char *name = bound_name(arena, connection);
    unsigned char *sealed = sh_arena_alloc(arena, sealed_length);
    char *text = sh_arena_alloc(arena, (sealed_length + 2) / 3 * 4 + 1);
    if (!name || !sealed || !text || sh_iam_seal(cloud, name, secret, length, sealed, NULL) < 0)
        return NULL;
    sh_base64(sealed, sealed_length, text);
    return text;
}

const char *sh_events_unseal(const sh_cloud *cloud, sh_arena *arena, const char *connection,
                             const char *sealed)
{
    size_t room = strlen(sealed) + 1;
    const char *name = bound_name(arena, connection);
    unsigned char *bytes = sh_arena_alloc(arena, room);
    char *plain = sh_arena_alloc(arena, room);
    int length = name && bytes && plain ? sh_base64_decode(sealed, strlen(sealed), bytes, room) : -1;
    if (length < SH_IAM_SEAL_EXTRA ||
        sh_iam_unseal(cloud, name, bytes, (size_t)length, (unsigned char *)plain, NULL) < 0)
        return NULL;
    plain[length - SH_IAM_SEAL_EXTRA] = '\0';
    return plain;
}

/* ---- addresses ---- */

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t length = strlen(names[i]);
        if (strncasecmp(host, names[i], length) == 0 && (!host[length] || strchr(":/?", host[length])))
            return true;
    }
    return false;
}

const char *sh_events_web_refuses(const char *url)
{
    size_t host = strcspn(url, ":") + 3;
    bool https = strncmp(url, "https://", 8) == 0, http = strncmp(url, "http://", 7) == 0;
    if (!https && !http)
        return "it begins with https:// (or with http:// and the loopback's address)";
    if (url[strspn(url,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]!$&'()*+,;=%")])
        return "it has characters that an address has not";
    if (strcspn(url + host, "/?#") == 0 || memchr(url + host, '@', strcspn(url + host, "/?#")))
        return "it names no host, or a user";
    return https || is_loopback(url + host) ? NULL : "http:// is for the loopback only: use https://";
}

static void put_encoded(sh_buf *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *text; text++) {
        if (strchr(plain, *text))
            sh_buf_putc(out, *text);
        else
            sh_buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

/* ---- one call ---- */

typedef struct making {
    const sh_event_delivery *d;
    json_t *destination, *connection, *auth; /* as they are kept; auth with its secrets */
    const char **headers;
    size_t count;
    const char *why; /* it cannot be made */
    bool failed;     /* memory */
} making;

/* A value of HttpParameters: as it stands, or what a path finds in the event. */
static const char *value_of(making *m, const char *given)
{
    sh_buf out;
    const char *made = NULL;
    json_t *target, *found = NULL;
    const sh_event_context context = {.event = m->d->event, .rule_name = "", .rule_arn = ""};
    if (given[0] != '$' || (given[1] != '.' && given[1] != '['))
        return given;
    target = json_pack("{s:s}", "InputPath", given);
    sh_buf_init(&out, URL_MAX);
    if (target && sh_target_input(target, &context, &out, NULL) == 0)
        found = json_loads(sh_buf_cstr(&out), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (json_is_string(found))
        made = sh_arena_strdup(m->d->arena, json_string_value(found));
    else if (found && !json_is_object(found) && !json_is_array(found))
        made = sh_arena_strdup(m->d->arena, sh_buf_cstr(&out));
    sh_buf_free(&out);
    json_decref(found);
    json_decref(target);
    return made ? made : "";
}

static void add_header(making *m, const char *name, const char *value)
{
    static const char *const own[] = {"host", "content-length", "connection", "transfer-encoding",
                                      "te",   "trailer",        "upgrade",    "expect"};
    if (strpbrk(name, "\r\n: ") || strpbrk(value, "\r\n"))
        m->why = "a header of the call has more than one line";
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strcasecmp(name, own[i]) == 0)
            m->why = "a header of the call is one that HTTP makes itself";
    if (m->why || m->count == HEADERS_MAX)
        return;
    /* an empty value is "Name;" to libcurl */
    const char *line = sh_arena_printf(m->d->arena, *value ? "%s: %s" : "%s;", name, value);
    m->failed |= !line;
    m->headers[m->count++] = line;
}

static void add_headers(making *m)
{
    const char *name;
    json_t *value;
    size_t index;
    const json_t *own = json_object_get(json_object_get(m->d->target, "HttpParameters"), "HeaderParameters");
    json_object_foreach((json_t *)own, name, value)
    {
        if (json_is_string(value))
            add_header(m, name, value_of(m, json_string_value(value)));
    }
    json_array_foreach(
        json_object_get(json_object_get(m->auth, "InvocationHttpParameters"), "HeaderParameters"), index,
        value)
    {
        if (text_of(value, "Key") && text_of(value, "Value"))
            add_header(m, text_of(value, "Key"), text_of(value, "Value"));
    }
}

static void add_query(sh_buf *url, char *separator, const char *name, const char *value)
{
    sh_buf_putc(url, *separator);
    put_encoded(url, name);
    sh_buf_putc(url, '=');
    put_encoded(url, value);
    *separator = '&';
}

static const char *make_url(making *m)
{
    sh_buf url;
    const char *endpoint = text_of(m->destination, "InvocationEndpoint"), *name, *made = NULL;
    const json_t *parameters = json_object_get(m->d->target, "HttpParameters");
    const json_t *stars = json_object_get(parameters, "PathParameterValues");
    size_t index, star = 0;
    json_t *value;
    char separator = strchr(endpoint, '?') ? '&' : '?';
    sh_buf_init(&url, URL_MAX);
    for (const char *p = endpoint; *p; p++) {
        const char *given = *p == '*' ? json_string_value(json_array_get(stars, star++)) : NULL;
        if (given)
            put_encoded(&url, value_of(m, given));
        else if (*p == '*')
            m->why = "the destination's address has more stars than PathParameterValues";
        else
            sh_buf_putc(&url, *p);
    }
    json_object_foreach(json_object_get(parameters, "QueryStringParameters"), name, value)
    {
        if (json_is_string(value))
            add_query(&url, &separator, name, value_of(m, json_string_value(value)));
    }
    json_array_foreach(
        json_object_get(json_object_get(m->auth, "InvocationHttpParameters"), "QueryStringParameters"), index,
        value)
    {
        if (text_of(value, "Key") && text_of(value, "Value"))
            add_query(&url, &separator, text_of(value, "Key"), text_of(value, "Value"));
    }
    if (!url.failed)
        made = sh_arena_strdup(m->d->arena, sh_buf_cstr(&url));
    else
        m->why = "the address of the call is too long";
    sh_buf_free(&url);
    return made;
}

/* The input, with the connection's BodyParameters in it where it is an object. */
static const char *make_body(making *m)
{
    const json_t *more =
        json_object_get(json_object_get(m->auth, "InvocationHttpParameters"), "BodyParameters");
    json_t *body = NULL, *item;
    size_t index;
    if (json_array_size(more) == 0 || sh_flow_load(&body, m->d->input, strlen(m->d->input), NULL) < 0 ||
        !json_is_object(body)) {
        json_decref(body);
        return m->d->input;
    }
    json_array_foreach(more, index, item)
    {
        if (text_of(item, "Key") && text_of(item, "Value"))
            json_object_set(body, text_of(item, "Key"), json_object_get(item, "Value"));
    }
    char *text = sh_flow_text(body);
    const char *made = text ? sh_arena_strdup(m->d->arena, text) : NULL;
    free(text);
    json_decref(body);
    return made;
}

static void sign(making *m, const char *secret, const char *body)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    long long seconds = (long long)(m->d->now_ms / 1000);
    const char *text = sh_arena_printf(m->d->arena, "%lld.%s", seconds, body);
    if (!text || !HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, strlen(text),
                       mac, &length)) {
        m->failed = true;
        return;
    }
    sh_hex(mac, length, hex);
    const char *value = sh_arena_printf(m->d->arena, "t=%lld,v1=%s", seconds, hex);
    m->failed |= !value;
    add_header(m, SIGNATURE, value ? value : "");
}

static void authorize(making *m, const char *body)
{
    const json_t *basic = json_object_get(m->auth, "BasicAuthParameters");
    const json_t *key = json_object_get(m->auth, "ApiKeyAuthParameters");
    const char *user = text_of(basic, "Username"), *password = text_of(basic, "Password");
    const char *name = text_of(key, "ApiKeyName"), *secret = text_of(key, "ApiKeyValue");
    if (name && secret) {
        if (strcasecmp(name, SIGNATURE) != 0)
            add_header(m, name, secret);
        sign(m, secret, body);
    } else if (user && password) {
        const char *both = sh_arena_printf(m->d->arena, "%s:%s", user, password);
        char *text = both ? sh_arena_alloc(m->d->arena, (strlen(both) + 2) / 3 * 4 + 1) : NULL;
        if (text)
            sh_base64((const unsigned char *)both, strlen(both), text);
        const char *value = text ? sh_arena_printf(m->d->arena, "Basic %s", text) : NULL;
        m->failed |= !value;
        add_header(m, "Authorization", value ? value : "");
        sign(m, password, body);
    } else {
        m->why = "the connection has no authorization";
    }
}

static json_t *load_part(const making *m, const char *kind, const char *arn, const char *member,
                         const char **name)
{
    const char *text, *slash = arn ? strchr(arn, '/') : NULL;
    *name = slash ? sh_arena_strndup(m->d->arena, slash + 1, strcspn(slash + 1, "/")) : NULL;
    if (!*name || sh_part_get(m->d->cloud->db, m->d->arena, kind, *name, &text, NULL) < 0)
        return NULL;
    json_t *value = json_loads(text, JSON_ALLOW_NUL, NULL);
    const char *own = text_of(value, member);
    if (own && strcmp(own, arn) == 0)
        return value;
    json_decref(value);
    return NULL;
}

static const char *load(making *m, sh_web_call *call)
{
    const char *name;
    m->destination = load_part(m, SH_PART_DESTINATION, text_of(m->d->target, "Arn"), "ApiDestinationArn",
                               &call->destination);
    if (!m->destination)
        return "there is no such API destination";
    m->connection =
        load_part(m, SH_PART_CONNECTION, text_of(m->destination, "ConnectionArn"), "ConnectionArn", &name);
    const char *sealed = text_of(m->connection, "sealed");
    const char *plain = sealed ? sh_events_unseal(m->d->cloud, m->d->arena, name, sealed) : NULL;
    if (!plain)
        return "the API destination's connection is gone, or its secret cannot be read";
    m->auth = json_loads(plain, JSON_ALLOW_NUL, NULL);
    OPENSSL_cleanse((char *)plain, strlen(plain));
    call->limit = json_integer_value(json_object_get(m->destination, "InvocationRateLimitPerSecond"));
    return m->auth ? NULL : "the connection as it is kept cannot be read";
}

static void make(making *m, sh_web_call *call)
{
    const char *id = text_of(m->d->event, "id");
    call->method = sh_arena_strdup(m->d->arena, text_of(m->destination, "HttpMethod"));
    call->url = make_url(m);
    call->body = make_body(m);
    m->failed |= !call->url || !call->body || !call->method;
    add_header(m, "User-Agent", "Amazon/EventBridge/ApiDestinations");
    add_header(m, "Content-Type", "application/json; charset=utf-8");
    add_header(m, "Spyhop-Event", id && !strpbrk(id, "\r\n") ? id : "");
    add_headers(m);
    if (!m->failed)
        authorize(m, call->body);
    call->headers = m->headers;
}

int sh_events_web_call(const sh_event_delivery *d, sh_web_call *call, sh_event_outcome *out, sh_err *err)
{
    making m = {.d = d, .headers = sh_arena_alloc(d->arena, (HEADERS_MAX + 1) * sizeof(char *))};
    *call = (sh_web_call){0};
    if (m.headers) {
        memset(m.headers, 0, (HEADERS_MAX + 1) * sizeof(char *));
        m.why = load(&m, call);
        if (!m.why)
            make(&m, call);
    }
    if (m.why)
        out->reason = m.why;
    json_decref(m.destination);
    json_decref(m.connection);
    json_decref(m.auth);
    return !m.why && (m.failed || !m.headers) ? sh_fail(err, SH_E_MEMORY, "no memory for a call") : 0;
}
