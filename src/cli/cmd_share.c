/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop share`: asks a server for an address under which a folder of a bucket can be read for a while. */
#include "base/buf.h"
#include "base/file.h"
#include "base/size.h"
#include "cli/commands.h"
#include "cli/env.h"

#include <curl/curl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MOST = 16 << 20, CREDENTIALS_MOST = 65536, KEY_MOST = 256, ID_LENGTH = 16 };

typedef struct words {
    const char *what; /* s3://bucket/prefix */
    const char *endpoint, *region, *revoke;
    bool list, help;
    int64_t seconds;
    char key_id[KEY_MOST], secret[KEY_MOST];
} words;

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop share [OPTION]... s3://BUCKET/PREFIX\n"
        "       spyhop share [OPTION]... --list | --revoke ID\n\n"
        "Prints an address under which everything below PREFIX (a folder) can be read until it expires: add\n"
        "the name of a playlist to it, and a player finds the segments, too. Whoever has it may read; "
        "nobody\n"
        "may write. It gives what the keys that made it may read.\n\n"
        "  --expires TIME   seconds, or a number with m, h or d (1h); a year at most\n"
        "  --list           the shares that these keys made, and those that have expired lately\n"
        "  --revoke ID      ends one at once\n"
        "  --endpoint URL   the server (http://127.0.0.1:9000)\n"
        "  --region NAME    its region (us-east-1)\n"
        "  --help           this text\n\n"
        "The keys are those of SPYHOP_ACCESS_KEY_ID and SPYHOP_SECRET_ACCESS_KEY, else AWS_ACCESS_KEY_ID "
        "and\n"
        "AWS_SECRET_ACCESS_KEY, else of [default] in AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials).\n"
        "AWS_ENDPOINT_URL and AWS_DEFAULT_REGION stand in for the options; AWS_CA_BUNDLE names the\n"
        "certificates that an https server is held against.\n");
}

/* "90", "30m", "12h", "7d". */
static bool read_time(const char *text, int64_t *seconds)
{
    static const char units[] = "smhd";
    static const int64_t factors[] = {1, 60, 3600, 86400};
    size_t length = strlen(text);
    const char *unit = length ? strchr(units, text[length - 1]) : NULL;
    int64_t number;
    if (!sh_parse_i64(text, length - (unit != NULL), 1, 366 * (int64_t)86400, &number))
        return false;
    *seconds = number * (unit ? factors[unit - units] : 1);
    return *seconds <= 366 * (int64_t)86400;
}

static bool read_option(words *w, int option, const char *value)
{
    switch (option) {
    case 'x':
        if (read_time(value, &w->seconds))
            return true;
        fprintf(stderr, "spyhop share: --expires \"%s\" is no time like 90, 30m, 12h or 7d, up to a year\n",
                value);
        return false;
    case 'l':
        w->list = true;
        return true;
    case 'r':
        w->revoke = value;
        if (strlen(value) == ID_LENGTH && strspn(value, "0123456789abcdef") == ID_LENGTH)
            return true;
        fprintf(stderr, "spyhop share: --revoke \"%s\" is no id as --list shows it\n", value);
        return false;
    case 'e':
        w->endpoint = value;
        return true;
    case 'g':
        w->region = value;
        return true;
    case 'h':
        w->help = true;
        return true;
    default:
        return false;
    }
}

static bool read_words(words *w, int argc, char **argv)
{
    static const struct option list[] = {{"expires", 1, NULL, 'x'}, {"list", 0, NULL, 'l'},
                                         {"revoke", 1, NULL, 'r'},  {"endpoint", 1, NULL, 'e'},
                                         {"region", 1, NULL, 'g'},  {"help", 0, NULL, 'h'},
                                         {NULL, 0, NULL, 0}};
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, "h", list, NULL)) != -1)
        if (!read_option(w, option, optarg))
            return false;
    if (w->help)
        return true;
    int wanted = (argc > optind) + w->list + (w->revoke != NULL);
    if (wanted != 1 || argc > optind + 1) {
        fprintf(stderr, "spyhop share: one of s3://BUCKET/PREFIX, --list and --revoke is needed\n");
        return false;
    }
    w->what = argc > optind ? argv[optind] : NULL;
    if (w->what && (strncmp(w->what, "s3://", 5) != 0 || !w->what[5] || w->what[5] == '/')) {
        fprintf(stderr, "spyhop share: %s is not s3://BUCKET/PREFIX\n", w->what);
        return false;
    }
    return true;
}

/* ---- keys ---- */

/* The value of "name = value" under [default]; false when there is none. */
static bool take_value(const char *text, const char *name, char *value)
{
    bool in_default = false;
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\r\n \t");
        if (*line == '[')
            in_default = strncmp(line, "[default]", 9) == 0;
        if (!in_default || strncmp(line, name, length) != 0)
            continue;
        const char *equals = line + length + strspn(line + length, " \t");
        if (*equals != '=')
            continue;
        equals += 1 + strspn(equals + 1, " \t");
        size_t count = strcspn(equals, " \t\r\n");
        if (count == 0 || count >= KEY_MOST)
            return false;
        memcpy(value, equals, count);
        value[count] = '\0';
        return true;
    }
    return false;
}

static int read_credentials(words *w, sh_err *err)
{
    char path[PATH_MAX];
    sh_buf file;
    const char *named = sh_env_or("AWS_SHARED_CREDENTIALS_FILE", NULL, NULL);
    snprintf(path, sizeof(path), "%s%s", named ? named : sh_env_or("HOME", NULL, ""),
             named ? "" : "/.aws/credentials");
    sh_buf_init(&file, CREDENTIALS_MOST);
    int status = sh_file_read(path, &file, err);
    if (status < 0)
        status = sh_err_prefix(err, "no keys in the environment");
    else if (!take_value(sh_buf_cstr(&file), "aws_access_key_id", w->key_id) ||
             !take_value(sh_buf_cstr(&file), "aws_secret_access_key", w->secret))
        status = sh_fail(err, SH_E_FORMAT,
                         "%s has no aws_access_key_id and aws_secret_access_key under [default]", path);
    if (file.data)
        OPENSSL_cleanse(file.data, file.length);
    sh_buf_free(&file);
    return status;
}

static int find_keys(words *w, sh_err *err)
{
    const char *id = sh_env_or("SPYHOP_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", NULL);
    const char *secret = sh_env_or("SPYHOP_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", NULL);
    if (!id || !secret)
        return read_credentials(w, err);
    if (strlen(id) >= KEY_MOST || strlen(secret) >= KEY_MOST)
        return sh_fail(err, SH_E_LIMIT, "a key is longer than %d bytes", KEY_MOST - 1);
    snprintf(w->key_id, KEY_MOST, "%s", id);
    snprintf(w->secret, KEY_MOST, "%s", secret);
    return 0;
}

/* ---- the server ---- */

static size_t take(char *bytes, size_t size, size_t count, void *opaque)
{
    return sh_buf_append(opaque, bytes, size * count) < 0 ? 0 : size * count;
}

/* Sends it, signed; what comes back is in *answer. */
static CURLcode perform(CURL *curl, const words *w, const char *url, const char *method, const char *body,
                        struct curl_slist *fields, sh_buf *answer, char *fault)
{
    char user[2 * KEY_MOST + 2], signer[128];
    const char *bundle = sh_env_or("AWS_CA_BUNDLE", NULL, NULL);
    snprintf(user, sizeof(user), "%s:%s", w->key_id, w->secret);
    snprintf(signer, sizeof(signer), "aws:amz:%s:spyhop", w->region);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    if (bundle)
        curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, signer);
    curl_easy_setopt(curl, CURLOPT_USERPWD, user);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, fault);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    CURLcode result = curl_easy_perform(curl);
    OPENSSL_cleanse(user, sizeof(user));
    return result;
}

/* *out: the answer, NULL when it has no body; owned. */
static int ask(const words *w, const char *method, const char *path, const char *body, json_t **out,
               sh_err *err)
{
    char fault[CURL_ERROR_SIZE] = "", url[2048];
    long code = 0;
    int status = 0;
    sh_buf answer;
    json_t *json = NULL;
    CURL *curl = curl_easy_init();
    struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: application/json");
    size_t length = strlen(w->endpoint);
    sh_buf_init(&answer, ANSWER_MOST);
    if (!curl || !fields) {
        status = sh_fail(err, SH_E_MEMORY, "no memory");
        goto done;
    }
    while (length && w->endpoint[length - 1] == '/')
        length--;
    snprintf(url, sizeof(url), "%.*s%s", (int)length, w->endpoint, path);
    CURLcode result = perform(curl, w, url, method, body, fields, &answer, fault);
    if (result != CURLE_OK) {
        status = sh_fail(err, SH_E_IO, "%s: %s", w->endpoint, *fault ? fault : curl_easy_strerror(result));
        goto done;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    json = json_loadb(sh_buf_cstr(&answer), answer.length, 0, NULL);
    const char *message = json_string_value(json_object_get(json, "message"));
    if (code < 200 || code > 299)
        status = sh_fail(err, SH_E_DENIED, "%s (status %ld)", message ? message : "the server refuses", code);
    if (status == 0) {
        *out = json;
        json = NULL;
    }
done:
    json_decref(json);
    curl_slist_free_all(fields);
    curl_easy_cleanup(curl);
    sh_buf_free(&answer);
    return status;
}

static const char *member(const json_t *share, const char *name)
{
    const char *value = json_string_value(json_object_get(share, name));
    return value ? value : "";
}

static void print_address(const words *w, const json_t *share)
{
    size_t length = strlen(w->endpoint);
    while (length && w->endpoint[length - 1] == '/')
        length--;
    printf("%.*s%s\n", (int)length, w->endpoint, member(share, "path"));
}

static int make(const words *w, sh_err *err)
{
    const char *bucket = w->what + 5, *slash = strchr(bucket, '/');
    json_t *answer = NULL;
    json_t *question =
        json_pack("{s:s%, s:s, s:I}", "bucket", bucket, slash ? (size_t)(slash - bucket) : strlen(bucket),
                  "prefix", slash ? slash + 1 : "", "expires", (json_int_t)w->seconds);
    char *body = question ? json_dumps(question, JSON_COMPACT) : NULL;
    int status = body ? ask(w, "POST", "/_spyhop/shares", body, &answer, err)
                      : sh_fail(err, SH_E_ARGUMENT, "%s is not UTF-8", w->what);
    if (status == 0) {
        print_address(w, answer);
        fprintf(stderr, "until %s; end it with: spyhop share --revoke %s\n", member(answer, "expires"),
                member(answer, "id"));
    }
    free(body);
    json_decref(question);
    json_decref(answer);
    return status;
}

static int list(const words *w, sh_err *err)
{
    json_t *answer = NULL, *share;
    size_t i;
    int status = ask(w, "GET", "/_spyhop/shares", NULL, &answer, err);
    if (status < 0)
        return status;
    json_array_foreach(json_object_get(answer, "shares"), i, share)
    {
        printf("%s  %s  s3://%s/%s\n  ", member(share, "id"), member(share, "expires"),
               member(share, "bucket"), member(share, "prefix"));
        print_address(w, share);
    }
    json_decref(answer);
    return 0;
}

static int revoke(const words *w, sh_err *err)
{
    char path[64];
    json_t *answer = NULL;
    snprintf(path, sizeof(path), "/_spyhop/shares/%s", w->revoke);
    int status = ask(w, "DELETE", path, NULL, &answer, err);
    json_decref(answer);
    return status;
}

int sh_cmd_share(int argc, char **argv)
{
    words w = {.endpoint = sh_env_or("AWS_ENDPOINT_URL", NULL, "http://127.0.0.1:9000"),
               .region = sh_env_or("AWS_DEFAULT_REGION", "AWS_REGION", "us-east-1"),
               .seconds = 3600};
    sh_err err = {0};
    if (!read_words(&w, argc, argv)) {
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    if (w.help) {
        usage(stdout);
        return SH_EXIT_OK;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = find_keys(&w, &err);
    if (status == 0)
        status = w.what ? make(&w, &err) : w.list ? list(&w, &err) : revoke(&w, &err);
    OPENSSL_cleanse(w.secret, sizeof(w.secret));
    if (status < 0) {
        fprintf(stderr, "spyhop share: %s\n", err.message);
        return SH_EXIT_FAILED;
    }
    return SH_EXIT_OK;
}
