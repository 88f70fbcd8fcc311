/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A token is the base64 of
 *   1 byte version, 8 bytes execution, 8 bytes time of its start, 8 bytes task, the name of the activity if
 * the task is one's, and 32 bytes HMAC-SHA-256 of all that; numbers with the highest byte first. The time of
 * the start keeps apart two executions that had the same number one after the other. */
#include "cloud/api/states_token.h"
#include "base/buf.h"
#include "cloud/api/args.h"
#include "cloud/http/digest.h"
#include "cloud/store/settings.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

enum {
    VERSION = 1,
    HEAD = 25,
    MAC = 32,
    NAME_MAX_BYTES = 320, /* 80 characters */
    BYTES_MAX = HEAD + NAME_MAX_BYTES + MAC,
    TOKEN_MAX = 2048,
    ERROR_MAX = 256,
    CAUSE_MAX = 32768,
};
#define KEY_NAME "task-token-key"

/* ---- the key ---- */

static int make_key(sh_cloud *cloud, sh_err *err)
{
    char text[2 * sizeof(cloud->token_key) + 1];
    if (RAND_bytes(cloud->token_key, sizeof(cloud->token_key)) != 1)
        return sh_fail(err, SH_E_INTERNAL, "the system gives no randomness");
    sh_hex(cloud->token_key, sizeof(cloud->token_key), text);
    int status = sh_settings_set(cloud->db, KEY_NAME, text, err);
    OPENSSL_cleanse(text, sizeof(text));
    return status;
}

static int read_key(sh_cloud *cloud, const char *text, sh_err *err)
{
    long length = 0;
    unsigned char *bytes = OPENSSL_hexstr2buf(text, &length);
    bool good = bytes && length == (long)sizeof(cloud->token_key);
    if (good)
        memcpy(cloud->token_key, bytes, sizeof(cloud->token_key));
    OPENSSL_free(bytes);
    return good ? 0 : sh_fail(err, SH_E_FORMAT, "the setting %s of the data folder is damaged", KEY_NAME);
}

int sh_token_key_load(sh_cloud *cloud, sh_err *err)
{
    sh_buf text;
    sh_buf_init(&text, 1024);
    int status = sh_settings_get(cloud->db, KEY_NAME, &text, err);
    if (status == SH_E_NOT_FOUND)
        status = make_key(cloud, err);
    else if (status == 0)
        status = read_key(cloud, sh_buf_cstr(&text), err);
    sh_buf_free(&text);
    return status;
}

/* ---- tokens ---- */

static void put_number(unsigned char *to, int64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)((uint64_t)number >> (56 - 8 * i));
}

static int64_t get_number(const unsigned char *from)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | from[i];
    return (int64_t)number;
}

static bool sign(const sh_cloud *cloud, const unsigned char *bytes, size_t size, unsigned char mac[MAC])
{
    unsigned length = 0;
    return HMAC(EVP_sha256(), cloud->token_key, sizeof(cloud->token_key), bytes, size, mac, &length) &&
           length == MAC;
}

void sh_token_write(const sh_cloud *cloud, int64_t execution, int64_t started_ms, int64_t task,
                    const char *activity, char *text)
{
    unsigned char bytes[BYTES_MAX] = {VERSION};
    size_t name = activity ? strnlen(activity, NAME_MAX_BYTES) : 0;
    put_number(bytes + 1, execution);
    put_number(bytes + 9, started_ms);
    put_number(bytes + 17, task);
    memcpy(bytes + HEAD, activity ? activity : "", name);
    if (!sign(cloud, bytes, HEAD + name, bytes + HEAD + name)) {
        text[0] = '\0'; /* no memory in the library: a token that nobody can use */
        return;
    }
    sh_base64(bytes, HEAD + name + MAC, text);
}

typedef struct token {
    int64_t execution, started_ms, task;
    char activity[NAME_MAX_BYTES + 1]; /* "": none */
} token;

static bool read_token(const sh_cloud *cloud, const char *text, token *out)
{
    unsigned char bytes[BYTES_MAX], mac[MAC];
    int size = sh_base64_decode(text, strlen(text), bytes, sizeof(bytes)) - MAC;
    if (size < HEAD || bytes[0] != VERSION || !sign(cloud, bytes, (size_t)size, mac) ||
        CRYPTO_memcmp(mac, bytes + size, MAC) != 0)
        return false;
    *out = (token){get_number(bytes + 1), get_number(bytes + 9), get_number(bytes + 17), ""};
    memcpy(out->activity, bytes + HEAD, (size_t)size - HEAD);
    return true;
}

/* ---- news ---- */

static json_t *old_news(const sh_wait *wait)
{
    json_t *news = NULL;
    if (!wait->news)
        return json_object();
    return sh_flow_load(&news, wait->news, strlen(wait->news), NULL) == 0 ? news : NULL;
}

int sh_news_add(sh_cloud *cloud, const sh_wait *wait, const char *name, json_t *value, sh_err *err)
{
    json_t *news = old_news(wait);
    char *text = NULL;
    int status = 0;
    if (json_object_get(news, "answer"))
        status = sh_fail(err, SH_E_NOT_FOUND, "that task has its answer");
    if (json_object_set_new(news, name, value) < 0 || (status == 0 && !(text = sh_flow_text(news))))
        status = sh_fail(err, SH_E_MEMORY, "no memory for what came for a task");
    if (status == 0)
        status = sh_wait_tell(cloud->db, wait->execution, wait->task, text, sh_now_ms(cloud->clock), err);
    free(text);
    json_decref(news);
    if (status == 0)
        sh_cloud_wake(cloud, SH_WAKE_FLOWS);
    return status;
}

static void add_event(sh_news *news, sh_flow_event event)
{
    news->events[news->count++] = event;
}

static void read_answer(sh_news *news, const json_t *answer, int64_t task)
{
    const json_t *output = json_object_get(answer, "output");
    news->ended = true;
    if (output)
        add_event(news, (sh_flow_event){.kind = SH_FLOW_TASK_SUCCEEDED, .task = task, .output = output});
    else
        add_event(news, (sh_flow_event){.kind = SH_FLOW_TASK_FAILED,
                                        .task = task,
                                        .error = json_string_value(json_object_get(answer, "error")),
                                        .cause = json_string_value(json_object_get(answer, "cause"))});
}

int sh_news_read(const char *text, int64_t task, sh_news *out, sh_err *err)
{
    sh_news news = {0};
    int status = sh_flow_load(&news.value, text ? text : "{}", text ? strlen(text) : 2, err);
    if (status < 0)
        return status;
    const json_t *started = json_object_get(news.value, "started");
    const json_t *submitted = json_object_get(news.value, "submitted");
    const json_t *answer = json_object_get(news.value, "answer");
    if (started)
        add_event(
            &news,
            (sh_flow_event){.kind = SH_FLOW_TASK_STARTED, .task = task, .cause = json_string_value(started)});
    if (submitted)
        add_event(&news, (sh_flow_event){.kind = SH_FLOW_TASK_SUBMITTED, .task = task, .output = submitted});
    if (json_object_get(news.value, "beat"))
        add_event(&news, (sh_flow_event){.kind = SH_FLOW_TASK_HEARTBEAT, .task = task});
    if (answer)
        read_answer(&news, answer, task);
    *out = news;
    return 0;
}

void sh_news_clear(sh_news *news)
{
    json_decref(news->value);
    *news = (sh_news){0};
}

/* ---- actions ---- */

static int say(sh_call *call, const token *t, const char *name, json_t *value, sh_err *err)
{
    sh_wait wait;
    int status = sh_wait_get(call->cloud->db, call->arena, t->execution, t->started_ms, t->task, &wait, err);
    if (status == 0)
        return sh_news_add(call->cloud, &wait, name, value, err);
    json_decref(value);
    return status;
}

static int need_token(sh_call *call, token *out)
{
    const char *text;
    int status = sh_arg_need(call, "taskToken", TOKEN_MAX, &text);
    if (status == 0 && !read_token(call->cloud, text, out))
        status = sh_call_fail(call, 400, "InvalidToken", "Invalid Token: 'Invalid token'");
    return status;
}

static int refuse_closed(sh_call *call, const token *t)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    if (!t->activity[0])
        return sh_call_fail(call, 400, "TaskTimedOut",
                            "Task Timed Out: 'Provided task does not exist anymore'");
    return sh_call_fail(call, 400, "TaskTimedOut", "Task Timed Out: 'arn:aws:states:%s:%s:activity:%s'",
                        s->region, s->account, t->activity);
}

/* Says something about the task of a token; the value is taken. */
static int tell(sh_call *call, token t, const char *name, json_t *value)
{
    int status;
    sh_err err = {SH_E_MEMORY, "no memory for what came for a task"};
    if (!value)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_db_begin(call->cloud->db, &err)) < 0) {
        json_decref(value);
        return sh_call_fail_internal(call, &err);
    }
    status = sh_db_end(call->cloud->db, say(call, &t, name, value, &err), &err);
    if (status == SH_E_NOT_FOUND)
        return refuse_closed(call, &t);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

int sh_states_task_success(sh_call *call)
{
    const char *text;
    token t;
    json_t *output = NULL;
    sh_err err = {0};
    int status = sh_arg_need(call, "output", SH_FLOW_PAYLOAD_MAX, &text);
    if (status < 0 || (status = need_token(call, &t)) < 0)
        return status;
    if (sh_flow_load(&output, text, strlen(text), &err) < 0)
        return err.status == SH_E_MEMORY
                   ? sh_call_fail_internal(call, &err)
                   : sh_call_fail(call, 400, "InvalidOutput", "Invalid Output: '%s'", err.message);
    return tell(call, t, "answer", json_pack("{s:o}", "output", output));
}

static bool put_text(json_t *object, const char *name, const char *text)
{
    return !text || json_object_set_new(object, name, json_string(text)) == 0;
}

int sh_states_task_failure(sh_call *call)
{
    const char *error, *cause;
    token t;
    int status = sh_arg_text(call, "error", ERROR_MAX, &error);
    if (status < 0 || (status = sh_arg_text(call, "cause", CAUSE_MAX, &cause)) < 0 ||
        (status = need_token(call, &t)) < 0)
        return status;
    json_t *answer = json_object();
    if (!put_text(answer, "error", error) || !put_text(answer, "cause", cause)) {
        json_decref(answer);
        answer = NULL;
    }
    return tell(call, t, "answer", answer);
}

int sh_states_task_heartbeat(sh_call *call)
{
    token t;
    int status = need_token(call, &t);
    return status < 0 ? status : tell(call, t, "beat", json_true());
}

const char *sh_token_machine(sh_cloud *cloud, const char *text, sh_arena *arena)
{
    token t;
    sh_execution execution;
    sh_err err = {0};
    if (!read_token(cloud, text, &t))
        return NULL;
    int status = sh_execution_by_id(cloud->db, arena, t.execution, &execution, &err);
    return status == 0 ? execution.machine_arn : NULL;
}
