/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that really run, in their sandbox: what they see, what they are told, and how each way to end
 * badly ends. Needs Node.js, and namespaces; where the machine has neither, there is nothing to test. */
#include "base/file.h"
#include "cloud/api/lambda_run.h"
#include "cloud/http/server.h"
#include "test_cloud_help.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROLE "arn:aws:iam::123456789012:role/function"

typedef struct world {
    sh_cloud *cloud;
    char folder[64];
    pthread_t runner;
    sh_http_server *endpoint;
} world;

static world w;

/* ---- what a function calls ---- */

static void nothing(void *opaque, sh_http_request *request)
{
    (void)opaque, (void)request;
}

static void hello(void *opaque, sh_http_request *request)
{
    (void)opaque;
    sh_http_answer(request, 200, "hello", 5);
}

/* ---- a server ---- */

static void *run(void *opaque)
{
    return (void *)(intptr_t)sh_lambda_runner(opaque);
}

static void act(const char *service, const char *action, json_t *in)
{
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_call call = {.cloud = w.cloud,
                    .arena = arena,
                    .principal = test_root.arn,
                    .caller = &test_root,
                    .now_ms = sh_now_ms(w.cloud->clock),
                    .in = in};
    const sh_action *found = sh_action_find(sh_service_find(service), action);
    if (found->fn(&call) < 0)
        fail_msg("%s: %s", action, call.error.message);
    json_decref(call.out);
    json_decref(in);
    sh_arena_free(arena);
}

static void make_role(void)
{
    act("iam", "CreateRole",
        json_pack(
            "{s:s, s:s}", "RoleName", "function", "AssumeRolePolicyDocument",
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
            "\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}"));
    act("iam", "PutRolePolicy",
        json_pack("{s:s, s:s, s:s}", "RoleName", "function", "PolicyName", "logs", "PolicyDocument",
                  "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"logs:*\","
                  "\"Resource\":\"*\"}]}"));
}

static int setup(void **state)
{
    sh_err err = {0};
    (void)state;
    snprintf(w.folder, sizeof(w.folder), "/tmp/spyhop-test-XXXXXX");
    if (!mkdtemp(w.folder) || chmod(w.folder, 0755) < 0)
        return -1;
    char data[96];
    snprintf(data, sizeof(data), "%s/data", w.folder);
    const sh_cloud_settings settings = {
        .data = data, .account = "123456789012", .program = getenv("SPYHOP_SANDBOX"), .functions_at_once = 4};
    const sh_http_options options = {.threads = 2};
    const sh_http_handler handler = {.begin = nothing, .finish = hello, .end = nothing};
    if (sh_cloud_open(&w.cloud, &settings, &sh_clock_system, &err) < 0 ||
        sh_http_open(&w.endpoint, &options, &handler, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    make_role();
    sh_lambda_serve(w.cloud, w.endpoint);
    return pthread_create(&w.runner, NULL, run, w.cloud);
}

static int teardown(void **state)
{
    (void)state;
    sh_lambda_serve(w.cloud, NULL);
    sh_lambda_stop(w.cloud);
    pthread_join(w.runner, NULL);
    sh_http_stop(w.endpoint, 100);
    sh_cloud_close(w.cloud);
    sh_dir_remove(w.folder, NULL);
    return 0;
}

/* ---- functions ---- */

typedef struct ended {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool done;
    char code[64], error[64], type[128], log[SH_LAMBDA_TAIL + 1];
    char *payload;
    sh_lambda_result result; /* numbers only */
} ended;

static void keep(void *opaque, const sh_lambda_result *result)
{
    ended *e = opaque;
    pthread_mutex_lock(&e->mutex);
    snprintf(e->code, sizeof(e->code), "%s", result->code ? result->code : "");
    snprintf(e->error, sizeof(e->error), "%s", result->function_error ? result->function_error : "");
    snprintf(e->type, sizeof(e->type), "%s",
             result->error_type     ? result->error_type
             : result->content_type ? result->content_type
                                    : "");
    snprintf(e->log, sizeof(e->log), "%.*s", (int)result->log_tail_length, result->log_tail);
    e->payload = strndup(result->payload, result->length);
    e->result = *result;
    e->done = true;
    pthread_cond_signal(&e->condition);
    pthread_mutex_unlock(&e->mutex);
}

static const char *folder_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", w.folder, name);
    return path;
}

static void write_code(const char *name, const char *file, const char *text)
{
    char path[256];
    assert_int_equal(sh_dir_make(folder_of(name), 0755, NULL), 0);
    chmod(folder_of(name), 0755);
    snprintf(path, sizeof(path), "%s/%s", folder_of(name), file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
}

static sh_lambda_invocation of(const char *name, const char *payload)
{
    return (sh_lambda_invocation){.code = {.name = name,
                                           .version = "$LATEST",
                                           .revision = "1",
                                           .folder = folder_of(name),
                                           .runtime = "nodejs20.x",
                                           .handler = "index.handler",
                                           .role = ROLE,
                                           .memory_mb = 256,
                                           .timeout_s = 10,
                                           .reserved = -1},
                                  .request_id = "6f1d1c1e-0000-4000-8000-000000000001",
                                  .invoked_arn = "arn:aws:lambda:us-east-1:123456789012:function:f",
                                  .payload = payload,
                                  .length = strlen(payload),
                                  .tail = true};
}

static void submit(const sh_lambda_invocation *invocation, ended *e)
{
    sh_err err = {0};
    sh_lambda_invocation one = *invocation;
    *e = (ended){0};
    pthread_mutex_init(&e->mutex, NULL);
    pthread_cond_init(&e->condition, NULL);
    one.done = keep;
    one.opaque = e;
    if (sh_lambda_submit(w.cloud, &one, &err) < 0)
        fail_msg("%s", err.message);
}

static void wait_for(ended *e)
{
    pthread_mutex_lock(&e->mutex);
    while (!e->done)
        pthread_cond_wait(&e->condition, &e->mutex);
    pthread_mutex_unlock(&e->mutex);
}

static void invoke(const sh_lambda_invocation *invocation, ended *e)
{
    submit(invocation, e);
    wait_for(e);
}

static void run_code(const char *name, const char *code, const char *payload, ended *e)
{
    write_code(name, "index.mjs", code);
    sh_lambda_invocation one = of(name, payload);
    invoke(&one, e);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in: %s", part, text);
}

static void has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" in: %s", part, text);
}

/* ---- tests ---- */

static void answers(void **state)
{
    (void)state;
    ended e;
    run_code(
        "echo",
        "let calls = 0;\n"
        "export const handler = async (event, context) => { console.log('two\\nlines');\n"
        "  return { event, calls: ++calls, name: context.functionName, arn: context.invokedFunctionArn,\n"
        "    left: context.getRemainingTimeInMillis() > 8000, env: process.env }; };\n",
        "{\"a\":1}", &e);
    assert_string_equal(e.code, "");
    assert_string_equal(e.error, "");
    has(e.payload,
        "{\"event\":{\"a\":1},\"calls\":1,\"name\":\"echo\",\"arn\":\"arn:aws:lambda:us-east-1:123456789012"
        ":function:f\",\"left\":true,");
    has(e.payload, "\"AWS_ENDPOINT_URL\":\"http://127.0.0.1:9000\"");
    has(e.payload, "\"AWS_LAMBDA_FUNCTION_MEMORY_SIZE\":\"256\"");
    has(e.payload, "\"AWS_ACCESS_KEY_ID\":\"ASIA");
    has(e.log, "START RequestId: 6f1d1c1e-0000-4000-8000-000000000001 Version: $LATEST\n");
    has(e.log, "\tINFO\ttwo\nlines\n");
    has(e.log, "END RequestId: 6f1d1c1e-0000-4000-8000-000000000001\nREPORT RequestId: ");
    has(e.log, "Memory Size: 256 MB\tMax Memory Used: ");
    has(e.log, "Init Duration: ");
    free(e.payload);
    sh_lambda_invocation again = of("echo", "{}");
    invoke(&again, &e);
    has(e.payload, "\"calls\":2");
    has_not(e.log, "Init Duration");
    free(e.payload);
    sh_lambda_retire(w.cloud, "echo", NULL);
    invoke(&again, &e);
    has(e.payload, "\"calls\":1");
    free(e.payload);
}

static void fails(void **state)
{
    (void)state;
    static const struct {
        const char *name, *code, *type, *payload, *log;
    } cases[] = {
        {"throws", "export const handler = async () => { throw new RangeError('no'); };", "RangeError",
         "{\"errorType\":\"RangeError\",\"errorMessage\":\"no\",\"trace\":[\"RangeError: no\"",
         "ERROR\tInvoke Error"},
        {"syntax", "export const handler = async () => {", "Runtime.UserCodeSyntaxError",
         "SyntaxError: ", "START"},
        {"absent", "import 'nowhere'; export const handler = 1;", "Runtime.ImportModuleError",
         "Cannot find package 'nowhere'", "START"},
        {"nameless", "export const other = 1;", "Runtime.HandlerNotFound",
         "index.handler is undefined or not exported", "START"},
        {"exits", "export const handler = async () => process.exit(3);", "Runtime.ExitError",
         "Error: Runtime exited with error: exit status 3\"", "Error Type: Runtime.ExitError"},
        {"killed", "export const handler = async () => process.kill(process.pid, 'SIGKILL');",
         "Runtime.ExitError", "Error: Runtime exited with error: signal: killed\"", "REPORT"},
        {"rejects", "export const handler = () => new Promise(() => { Promise.reject(new Error('late')); });",
         "Runtime.UnhandledPromiseRejection", "Error: late", "Unhandled Promise Rejection"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ended e;
        run_code(cases[i].name, cases[i].code, "{}", &e);
        assert_string_equal(e.error, "Unhandled");
        assert_string_equal(e.type, cases[i].type);
        has(e.payload, cases[i].payload);
        has(e.log, cases[i].log);
        has(e.log, "REPORT RequestId");
        free(e.payload);
    }
}

static void is_stopped(void **state)
{
    (void)state;
    ended e;
    write_code("sleeps", "index.mjs",
               "export const handler = async (event) => { while (event.busy); "
               "await new Promise((f) => setTimeout(f, 60000)); };");
    sh_lambda_invocation one = of("sleeps", "{\"busy\":true}");
    one.code.timeout_s = 1;
    invoke(&one, &e);
    assert_string_equal(e.type, "Sandbox.Timedout");
    has(e.payload, "\"errorMessage\":\"RequestId: 6f1d1c1e-0000-4000-8000-000000000001 Error: Task timed out "
                   "after 1.00 seconds\"");
    has(e.log, " Task timed out after 1.00 seconds\n");
    assert_in_range(e.result.duration_us, 1000000, 1500000);
    free(e.payload);
    write_code("leaks", "index.mjs",
               "export const handler = async () => { const all = []; "
               "for (;;) { all.push(Buffer.alloc(4 << 20, 1)); "
               "await new Promise((f) => setTimeout(f, 4)); } };");
    one = of("leaks", "{}");
    invoke(&one, &e);
    assert_string_equal(e.type, "Runtime.ExitError");
    has(e.payload, "signal: killed");
    has(e.log, "Max Memory Used: 256 MB");
    free(e.payload);
}

static void is_bounded(void **state)
{
    (void)state;
    ended e;
    run_code(
        "forks",
        "import { spawnSync } from 'node:child_process'; import fs from 'node:fs';\n"
        "export const handler = async () => {\n"
        "  spawnSync('/bin/sh', ['-c', 'mkfifo /tmp/f; i=0; while [ $i -lt 1500 ]; do (read x < /tmp/f) & "
        "i=$((i+1)); done'], { stdio: ['ignore', 'ignore', fs.openSync('/tmp/words', 'w')] });\n"
        "  return fs.readFileSync('/tmp/words', 'utf8'); };",
        "{}", &e);
    has(e.payload, "Cannot fork");
    free(e.payload);
    run_code("floods",
             "export const handler = async () => { const line = 'x'.repeat(100000);\n"
             "  for (let i = 0; i < 400; i++) console.log(line); return 'said'; };",
             "{}", &e);
    assert_string_equal(e.payload, "\"said\"");
    has(e.log, " bytes of log were not kept");
    free(e.payload);
}

static void sees_nothing(void **state)
{
    (void)state;
    ended e;
    run_code("looks",
             "import fs from 'node:fs'; import http from 'node:http'; import net from 'node:net';\n"
             "import os from 'node:os';\n"
             "const reach = (host, port) => new Promise((f) => { const s = net.connect({host, port, timeout: "
             "500});\n"
             "  s.on('connect', () => f('open')); s.on('error', (e) => f(e.code)); s.on('timeout', () => "
             "f('late')); });\n"
             "const tried = (fn) => { try { fn(); return 'done'; } catch (e) { return e.code; } };\n"
             "export const handler = async (event) => {\n"
             "  fs.writeFileSync('/tmp/own', 'x');\n"
             "  const hello = await new Promise((f) => http.get(process.env.AWS_ENDPOINT_URL, (a) => "
             "a.on('data', \n"
             "    (d) => f(String(d)))));\n"
             "  return { hello, root: fs.readdirSync('/').join(), data: fs.existsSync(event.data), uid: "
             "process.getuid() !== 0,\n"
             "    code: tried(() => fs.writeFileSync('/var/task/new', 'x')), usr: tried(() => "
             "fs.writeFileSync('/usr/new', 'x')),\n"
             "    full: tried(() => fs.writeFileSync('/tmp/big', Buffer.alloc(80 << 20))),\n"
             "    net: Object.keys(os.networkInterfaces()).join(), out: await reach('1.1.1.1', 53) }; };",
             "{\"data\":\"/tmp\"}", &e);
    free(e.payload);
    sh_lambda_invocation one = of("looks", "{\"data\":\"/home\"}");
    one.code.ephemeral_mb = 64;
    one.code.revision = "2";
    invoke(&one, &e);
    has(e.payload, "\"hello\":\"hello\"");
    has(e.payload, "\"data\":false,\"uid\":true,\"code\":\"EROFS\",\"usr\":\"EROFS\",\"full\":\"ENOSPC\"");
    has(e.payload, "\"net\":\"lo\",\"out\":\"ENETUNREACH\"");
    has_not(e.payload, "home");
    free(e.payload);
}

static void streams(void **state)
{
    (void)state;
    ended e;
    run_code("streams",
             "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n"
             "  if (event.http) stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });\n"
             "  stream.write('one '); stream.write('two'); if (event.bad) throw new Error('midway'); "
             "stream.end(); });",
             "{}", &e);
    assert_string_equal(e.payload, "one two");
    assert_true(e.result.streamed);
    free(e.payload);
    sh_lambda_invocation one = of("streams", "{\"http\":true}");
    invoke(&one, &e);
    assert_string_equal(e.payload, "{\"statusCode\":201}"); /* eight zeros follow */
    assert_int_equal(e.result.length, 18 + 8 + 7);
    assert_string_equal(e.type, "application/vnd.awslambda.http-integration-response");
    free(e.payload);
    one = of("streams", "{\"bad\":true}");
    invoke(&one, &e);
    assert_string_equal(e.error, "Unhandled");
    assert_string_equal(e.type, "Error");
    free(e.payload);
}

static void runs_others(void **state)
{
    (void)state;
    ended e;
    write_code(
        "own", "bootstrap",
        "#!/bin/sh\n"
        "exec node -e '\n"
        "const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/`;\n"
        "(async () => { for (;;) { const next = await fetch(api + \"next\");\n"
        "  const id = next.headers.get(\"lambda-runtime-aws-request-id\");\n"
        "  console.log(\"plain line\");\n"
        "  await fetch(api + id + \"/response\", { method: \"POST\", body: await next.text() }); } })()'\n");
    sh_lambda_invocation one = of("own", "[1,2]");
    one.code.runtime = "provided.al2023";
    one.code.handler = "";
    invoke(&one, &e);
    assert_string_equal(e.payload, "[1,2]");
    has(e.log, "plain line\n");
    free(e.payload);
    write_code("bare", "nothing", "");
    one.code.name = "bare";
    one.code.folder = folder_of("bare");
    invoke(&one, &e);
    assert_string_equal(e.type, "Runtime.InvalidEntrypoint");
    has(e.payload, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
    free(e.payload);
    write_code("snake", "app.py",
               "def handler(event, context):\n    print('said')\n    return {'got': event, 'n': "
               "context.function_name}\n"
               "def bad(event, context):\n    raise KeyError('k')\n");
    one = of("snake", "{\"x\":[1]}");
    one.code.runtime = "python3.11";
    one.code.handler = "app.handler";
    invoke(&one, &e);
    assert_string_equal(e.payload, "{\"got\": {\"x\": [1]}, \"n\": \"snake\"}");
    has(e.log, "said\n");
    free(e.payload);
    one.code.handler = "app.bad";
    one.code.revision = "2";
    invoke(&one, &e);
    assert_string_equal(e.type, "KeyError");
    free(e.payload);
    one.code.runtime = "ruby3.3";
    invoke(&one, &e);
    assert_string_equal(e.code, "InvalidRuntimeException");
    free(e.payload);
}

/* The runtime client that AWS gives to its users, where SPYHOP_RIC names a folder with it (npm install
 * aws-lambda-ric). */
static void runs_ric(void **state)
{
    (void)state;
    ended e;
    const char *ric[] = {getenv("SPYHOP_RIC"), NULL};
    if (!ric[0])
        skip();
    write_code("ric", "bootstrap",
               "#!/bin/sh\nexec node /opt/node_modules/aws-lambda-ric/bin/index.mjs \"$_HANDLER\"\n");
    write_code("ric", "index.mjs",
               "export const handler = async (event, context) => { console.log('two\\nlines');\n"
               "  if (event.bad) throw new TypeError('no'); return [event, context.functionName]; };\n"
               "export const streams = awslambda.streamifyResponse(async (event, stream) => {\n"
               "  stream.write('one '); stream.write('two'); stream.end(); });\n");
    sh_lambda_invocation one = of("ric", "{\"a\":1}");
    one.code.runtime = "provided.al2023";
    one.code.layers = ric;
    invoke(&one, &e);
    assert_string_equal(e.payload, "[{\"a\":1},\"ric\"]");
    has(e.log, "\tINFO\ttwo\nlines\n");
    free(e.payload);
    one = of("ric", "{\"bad\":1}");
    one.code.runtime = "provided.al2023";
    one.code.layers = ric;
    invoke(&one, &e);
    assert_string_equal(e.type, "TypeError");
    has(e.payload, "{\"errorType\":\"TypeError\",\"errorMessage\":\"no\",\"trace\":[");
    free(e.payload);
    one.code.handler = "index.streams";
    one.code.revision = "2";
    invoke(&one, &e);
    assert_string_equal(e.payload, "one two");
    assert_true(e.result.streamed);
    free(e.payload);
}

static void is_throttled(void **state)
{
    (void)state;
    ended e[6];
    int refused = 0;
    write_code("waits", "index.mjs",
               "export const handler = async (event) => { await new Promise((f) => setTimeout(f, event)); "
               "return event; };");
    sh_lambda_invocation one = of("waits", "700");
    for (int i = 0; i < 6; i++)
        submit(&one, &e[i]);
    assert_int_equal(sh_lambda_free_places(w.cloud, "other", -1), 0);
    assert_int_equal(sh_lambda_free_places(w.cloud, "other", 1), 1);
    for (int i = 0; i < 6; i++) {
        wait_for(&e[i]);
        refused += strcmp(e[i].code, "TooManyRequestsException") == 0;
        free(e[i].payload);
    }
    assert_int_equal(refused, 2); /* four at once */
    assert_int_equal(sh_lambda_free_places(w.cloud, "other", -1), 4);
    one.code.reserved = 0;
    invoke(&one, &e[0]);
    assert_string_equal(e[0].code, "TooManyRequestsException");
    free(e[0].payload);
    one = of("waits", "1");
    one.code.role = "arn:aws:iam::123456789012:role/none";
    one.code.revision = "9";
    invoke(&one, &e[0]);
    assert_string_equal(e[0].code, "AccessDeniedException");
    free(e[0].payload);
}

int main(void)
{
    sh_err err = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),     cmocka_unit_test(fails),        cmocka_unit_test(is_stopped),
        cmocka_unit_test(is_bounded),  cmocka_unit_test(sees_nothing), cmocka_unit_test(streams),
        cmocka_unit_test(runs_others), cmocka_unit_test(runs_ric),     cmocka_unit_test(is_throttled),
    };
    if (sh_lambda_runtime_check("nodejs20.x", &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
