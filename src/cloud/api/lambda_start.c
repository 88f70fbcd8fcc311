/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker is started with. The sandbox shows the code as /var/task, layers as /opt, our bootstrap as
 * /var/runtime, and the AWS SDK for JavaScript, where there is one, as /var/runtime/node_modules (for
 * require, by NODE_PATH) and as /node_modules (for import, which looks into the folders above the file and
 * knows no NODE_PATH); so a function's own modules come first, as on AWS.
 *
 * The environment is AWS's, and AWS_ENDPOINT_URL. The role's keys stand in it as on AWS; they live longer
 * than any invocation, and a worker is replaced before they expire. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/iam.h"
#include "cloud/api/lambda_bootstrap.h"
#include "cloud/api/lambda_work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    WORDS_MAX = 1024,
    ARENA = 1 << 20,
    PROCESSES = 1024, /* and files, as on AWS */
    /* Resident memory is looked at now and then; this holds one that takes very much between two looks. What
     * a runtime reserves and never touches counts here, so it is far above the function's own limit. */
    DATA_TIMES = 2,
    DATA_MORE_MB = 1024,
    FIRST_UID = 1900000000,
    UIDS = 1000000,
    NODE_OLDEST = 18,
    ASK_MS = 5000,
};

/* ---- programs of this machine ---- */

typedef struct runtime {
    const char *name; /* or its beginning */
    enum { NODE, PYTHON, OWN, MISSING } kind;
} runtime;

static const runtime runtimes[] = {
    {"nodejs18.x", NODE},     {"nodejs20.x", NODE},    {"nodejs22.x", NODE},   {"nodejs24.x", NODE},
    {"python3.9", PYTHON},    {"python3.10", PYTHON},  {"python3.11", PYTHON}, {"python3.12", PYTHON},
    {"python3.13", PYTHON},   {"python3.14", PYTHON},  {"provided", OWN},      {"provided.al2", OWN},
    {"provided.al2023", OWN}, {"nodejs16.x", MISSING}, {"python3.8", MISSING}, {"java8.al2", MISSING},
    {"java11", MISSING},      {"java17", MISSING},     {"java21", MISSING},    {"java25", MISSING},
    {"dotnet6", MISSING},     {"dotnet8", MISSING},    {"ruby3.2", MISSING},   {"ruby3.3", MISSING},
    {"ruby3.4", MISSING},     {"go1.x", MISSING},
};

static const runtime *find_runtime(const char *name)
{
    for (size_t i = 0; i < SH_COUNT(runtimes); i++)
        if (strcmp(runtimes[i].name, name) == 0)
            return &runtimes[i];
    return NULL;
}

/* The real path of a program on PATH. */
static bool find_program(const char *name, char path[PATH_MAX])
{
    char candidate[PATH_MAX];
    const char *at = getenv("PATH");
    for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at;) {
        size_t length = strcspn(at, ":");
        if ((size_t)snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, at, name) <
                sizeof(candidate) &&
            access(candidate, X_OK) == 0 && realpath(candidate, path))
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

/* What a program says to --version. */
static void ask_version(const char *path, char *text, size_t size)
{
    const char *const words[] = {path, "--version", NULL};
    int pipe_fds[2], status;
    sh_child child;
    text[0] = '\0';
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return;
    const int fds[] = {-1, pipe_fds[1], -1};
    const sh_child_spec spec = {.program = path, .argv = words, .fds = fds, .fd_count = 3};
    bool started = sh_child_spawn(&child, &spec, NULL) == 0;
    close(pipe_fds[1]);
    if (started) {
        if (sh_child_wait(&child, ASK_MS, &status, NULL) == 1) {
            ssize_t got = read(pipe_fds[0], text, size - 1);
            text[got > 0 ? got : 0] = '\0';
        }
        sh_child_destroy(&child);
    }
    close(pipe_fds[0]);
}

typedef struct found {
    char node[PATH_MAX], python[PATH_MAX];
    int node_major;
} found;

static found programs;
static pthread_once_t searched = PTHREAD_ONCE_INIT;

static void search(void)
{
    char text[64];
    if (find_program("node", programs.node) || find_program("nodejs", programs.node)) {
        ask_version(programs.node, text, sizeof(text));
        if (sscanf(text, "v%d", &programs.node_major) != 1)
            programs.node_major = 0;
    }
    if (!find_program("python3", programs.python))
        programs.python[0] = '\0';
}

int sh_lambda_runtime_check(const char *name, sh_err *err)
{
    const runtime *r = find_runtime(name);
    if (!r)
        return sh_fail(err, SH_E_ARGUMENT, "%s is no runtime of Lambda", name);
    pthread_once(&searched, search);
    if (r->kind == MISSING)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "the runtime %s does not run here: nodejs18.x and later, python3.9 and later, and "
                       "provided.* do",
                       name);
    if (r->kind == NODE && !programs.node[0])
        return sh_fail(err, SH_E_UNSUPPORTED, "the runtime %s needs Node.js: no node was found on PATH",
                       name);
    if (r->kind == NODE && programs.node_major < NODE_OLDEST)
        return sh_fail(err, SH_E_UNSUPPORTED, "the runtime %s needs Node.js %d or later: %s is version %d",
                       name, NODE_OLDEST, programs.node, programs.node_major);
    if (r->kind == PYTHON && !programs.python[0])
        return sh_fail(err, SH_E_UNSUPPORTED, "the runtime %s needs Python: no python3 was found on PATH",
                       name);
    return 0;
}

/* ---- paths of the server ---- */

static char *beside_program(const sh_cloud *cloud, const char *name)
{
    char path[PATH_MAX], *result = NULL;
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    for (int i = 0; i < 2 && !result; i++) {
        if (i == 0)
            path[length > 0 ? length : 0] = '\0';
        else
            snprintf(path, sizeof(path), "%s", cloud->settings.program ? cloud->settings.program : "");
        char *slash = strrchr(path, '/');
        if (!slash)
            continue;
        size_t room = sizeof(path) - (size_t)(slash + 1 - path);
        if ((size_t)snprintf(slash + 1, room, "%s", name) < room && access(path, F_OK) == 0)
            result = realpath(path, NULL);
    }
    return result;
}

static char *find_sdk(const sh_cloud *cloud)
{
    static const char *const places[] = {"sdk/node_modules", "../share/spyhop/sdk/node_modules",
                                         "../../share/spyhop/sdk/node_modules"};
    const char *told = getenv("SPYHOP_SDK");
    char *path = told && *told ? realpath(told, NULL) : NULL;
    for (size_t i = 0; i < SH_COUNT(places) && !path; i++)
        path = beside_program(cloud, places[i]);
    return path;
}

static int place_file(const char *path, const unsigned char *bytes, size_t length, sh_err *err)
{
    sh_buf now;
    sh_buf_init(&now, length + 1);
    bool same =
        sh_file_read(path, &now, NULL) == 0 && now.length == length && memcmp(now.data, bytes, length) == 0;
    sh_buf_free(&now);
    return same ? 0 : sh_file_replace(path, bytes, length, 0644, err);
}

int sh_lambda_paths(sh_lambda *l, sh_err *err)
{
    char path[PATH_MAX], file[PATH_MAX];
    const char *data = l->cloud->settings.data;
    int status;
    if ((size_t)snprintf(path, sizeof(path), "%s/lambda/root", data) >= sizeof(path) ||
        (size_t)snprintf(file, sizeof(file), "%s/lambda/runtime", data) >= sizeof(file))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    if ((status = sh_dir_make(path, 0700, err)) < 0 || (status = sh_dir_make(file, 0755, err)) < 0)
        return status;
    l->root = realpath(path, NULL);
    l->bootstrap = realpath(file, NULL);
    l->helper = beside_program(l->cloud, "spyhop-sandbox");
    l->sdk = find_sdk(l->cloud);
    if (!l->root || !l->bootstrap)
        return sh_fail_errno(err, errno, "cannot find %s", path);
    if (chmod(l->bootstrap, 0755) < 0)
        return sh_fail_errno(err, errno, "cannot open %s to functions", l->bootstrap);
    snprintf(file, sizeof(file), "%s/bootstrap.mjs", l->bootstrap);
    if ((status = place_file(file, sh_lambda_bootstrap_mjs, sh_lambda_bootstrap_mjs_size, err)) < 0)
        return status;
    snprintf(file, sizeof(file), "%s/bootstrap.py", l->bootstrap);
    return place_file(file, sh_lambda_bootstrap_py, sh_lambda_bootstrap_py_size, err);
}

/* ---- a worker ---- */

typedef struct words {
    const char *list[WORDS_MAX + 1];
    size_t count;
    bool failed;
    sh_arena *arena;
} words;

static void add(words *w, const char *text)
{
    if (!text || w->count == WORDS_MAX)
        w->failed = true;
    else
        w->list[w->count++] = text;
}

static void set(words *w, const char *name, const char *value)
{
    add(w, sh_arena_printf(w->arena, "%s=%s", name, value));
}

static void set_number(words *w, const char *name, long value)
{
    add(w, sh_arena_printf(w->arena, "%s=%ld", name, value));
}

static int fail(sh_lambda_worker *worker, int http_status, const char *code, const char *message)
{
    worker->failure = sh_arena_strdup(worker->arena, message);
    worker->failure_code = code;
    worker->failure_status = http_status;
    return SH_E_INTERNAL;
}

/* Takes on the role, for the keys and for the logs. */
static int make_target(sh_lambda *l, sh_lambda_worker *worker, sh_iam_keys *keys)
{
    sh_err err = {0};
    char stream[64];
    unsigned char random[16];
    struct tm day;
    time_t now = (time_t)(sh_now_ms(l->cloud->clock) / 1000);
    sh_arena *arena = sh_arena_new(ARENA);
    sh_lambda_target *target = arena ? sh_arena_alloc(arena, sizeof(*target)) : NULL;
    if (!target || getrandom(random, sizeof(random), 0) != sizeof(random)) {
        sh_arena_free(arena);
        return fail(worker, 500, "ServiceException", "no memory for a worker");
    }
    atomic_init(&target->references, 1);
    target->arena = arena;
    worker->target = target;
    gmtime_r(&now, &day);
    size_t length = strftime(stream, sizeof(stream), "%Y/%m/%d", &day);
    target->stream =
        sh_arena_printf(arena, "%.*s/[%s]%016llx%016llx", (int)length, stream, worker->code.version,
                        *(unsigned long long *)random, *(unsigned long long *)(random + 8));
    target->group = worker->code.log_group ? sh_arena_strdup(arena, worker->code.log_group)
                                           : sh_arena_printf(arena, "/aws/lambda/%s", worker->code.name);
    const sh_iam_taking taking = {
        .role_arn = worker->code.role, .service = "lambda.amazonaws.com", .session_name = worker->code.name};
    int status = sh_caller_by_role(l->cloud, &taking, arena, &target->caller, &err);
    if (status < 0)
        return fail(worker, 403, "AccessDeniedException",
                    "The role defined for the function cannot be assumed by Lambda.");
    status = sh_iam_session_keys(l->cloud, &target->caller, SH_LAMBDA_KEYS_S, worker->arena, keys, &err);
    if (status < 0)
        return fail(worker, 500, "ServiceException", err.message);
    worker->keys_ms = keys->expires_ms;
    return target->stream && target->group ? 0
                                           : fail(worker, 500, "ServiceException", "no memory for a worker");
}

static void set_places(words *w, const sh_lambda_code *code, int node)
{
    set(w, "PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin");
    set(w, "LD_LIBRARY_PATH",
        "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib");
    set(w, "LANG", "en_US.UTF-8");
    set(w, "TZ", ":UTC");
    set(w, "HOME", "/tmp");
    set(w, "LAMBDA_TASK_ROOT", "/var/task");
    set(w, "LAMBDA_RUNTIME_DIR", "/var/runtime");
    set(w, "_HANDLER", code->handler ? code->handler : "");
    add(w, sh_arena_printf(w->arena, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%d", SH_LAMBDA_RUNTIME_PORT));
    add(w, sh_arena_printf(w->arena, "AWS_ENDPOINT_URL=http://127.0.0.1:%d", SH_LAMBDA_ENDPOINT_PORT));
    if (node)
        add(w, sh_arena_printf(w->arena,
                               "NODE_PATH=/opt/nodejs/node%d/node_modules:/opt/nodejs/node_modules:/var/"
                               "runtime/node_modules:/var/runtime:/var/task",
                               node));
}

static void set_identity(words *w, sh_lambda *l, const sh_lambda_worker *worker, const sh_iam_keys *keys)
{
    const sh_lambda_code *code = &worker->code;
    const char *region = l->cloud->settings.region;
    set(w, "AWS_REGION", region);
    set(w, "AWS_DEFAULT_REGION", region);
    set(w, "AWS_ACCESS_KEY_ID", keys->access_key);
    set(w, "AWS_SECRET_ACCESS_KEY", keys->secret_key);
    set(w, "AWS_SESSION_TOKEN", keys->token);
    set(w, "AWS_LAMBDA_FUNCTION_NAME", code->name);
    set(w, "AWS_LAMBDA_FUNCTION_VERSION", code->version);
    set_number(w, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", code->memory_mb);
    set(w, "AWS_LAMBDA_LOG_GROUP_NAME", worker->target->group);
    set(w, "AWS_LAMBDA_LOG_STREAM_NAME", worker->target->stream);
    set(w, "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    set(w, "AWS_EXECUTION_ENV", sh_arena_printf(w->arena, "AWS_Lambda_%s", code->runtime));
    set(w, "_LAMBDA_TELEMETRY_LOG_FD", "3");
    if (code->json_logs)
        set(w, "AWS_LAMBDA_LOG_FORMAT", "JSON");
}

/* What the function's configuration says comes last and replaces what was said before it: getenv() and the
 * runtimes take the first of two, so the earlier one goes. */
static void set_own(words *w, const json_t *environment)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)environment, name, value)
    {
        size_t length = strlen(name), kept = 0;
        for (size_t i = 0; i < w->count; i++)
            if (strncmp(w->list[i], name, length) != 0 || w->list[i][length] != '=')
                w->list[kept++] = w->list[i];
        w->count = kept;
        if (json_is_string(value))
            set(w, name, json_string_value(value));
    }
}

static void add_bind(words *w, const char *from, const char *to)
{
    add(w, from);
    add(w, to);
}

static void list_binds(words *w, const sh_lambda *l, const sh_lambda_code *code, const char *program)
{
    add_bind(w, code->folder, "/var/task");
    add_bind(w, l->bootstrap, "/var/runtime");
    if (l->sdk)
        add_bind(w, l->sdk, "/node_modules");
    if (code->layers && code->layers[0])
        add_bind(w, code->layers[0], "/opt");
    if (program && strncmp(program, "/usr/", 5) != 0) { /* the folder above its bin */
        char *folder = sh_arena_strdup(w->arena, program);
        for (int i = 0; i < 2 && folder; i++) {
            char *slash = strrchr(folder, '/');
            if (slash && slash != folder)
                *slash = '\0';
        }
        add_bind(w, folder, folder);
    }
}

static void list_command(words *w, const sh_lambda_code *code, const runtime *r)
{
    if (r->kind == NODE) {
        add(w, programs.node);
        add(w, "/var/runtime/bootstrap.mjs");
    } else if (r->kind == PYTHON) {
        add(w, programs.python);
        add(w, "-B");
        add(w, "/var/runtime/bootstrap.py");
    } else {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/bootstrap", code->folder);
        bool own = access(path, F_OK) == 0 || !code->layers || !code->layers[0];
        add(w, own ? "/var/task/bootstrap" : "/opt/bootstrap");
    }
}

static int make_pipe(int *reader, int *writer)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    *reader = fds[0];
    *writer = fds[1];
    return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

static int spawn(sh_lambda *l, sh_lambda_worker *worker, const words *environment, sh_err *err)
{
    const runtime *r = find_runtime(worker->code.runtime);
    words *lists = sh_arena_alloc(worker->arena, 2 * sizeof(*lists));
    int writers[2] = {-1, -1};
    if (!lists || !r)
        return sh_fail(err, SH_E_MEMORY, "no memory for a worker");
    words *binds = lists, *command = lists + 1;
    binds->arena = command->arena = worker->arena;
    const char *program = r->kind == NODE ? programs.node : r->kind == PYTHON ? programs.python : NULL;
    list_binds(binds, l, &worker->code, program);
    list_command(command, &worker->code, r);
    if (binds->failed || command->failed)
        return sh_fail(err, SH_E_LIMIT, "the worker's description is too long");
    int status = 0;
    if (make_pipe(&worker->output, &writers[0]) < 0 || make_pipe(&worker->telemetry, &writers[1]) < 0) {
        status = sh_fail_errno(err, errno, "no pipe for a worker");
        goto done;
    }
    const sh_sandbox_spec spec = {.helper = l->helper,
                                  .root = l->root,
                                  .binds = binds->list,
                                  .folder = "/var/task",
                                  .command = command->list,
                                  .environment = environment->list,
                                  .tmp_mb = worker->code.ephemeral_mb > 0 ? worker->code.ephemeral_mb : 512,
                                  .data_mb = DATA_TIMES * worker->code.memory_mb + DATA_MORE_MB,
                                  .processes = PROCESSES,
                                  .files = PROCESSES,
                                  .uid = FIRST_UID + (long)(worker->number % UIDS),
                                  .ports = {SH_LAMBDA_RUNTIME_PORT, SH_LAMBDA_ENDPOINT_PORT},
                                  .output = writers[0],
                                  .telemetry = writers[1]};
    status = sh_sandbox_start(&worker->sandbox, &spec, err);
done:
    for (int i = 0; i < 2; i++)
        if (writers[i] >= 0)
            close(writers[i]);
    return status;
}

int sh_lambda_start(sh_lambda *l, sh_lambda_worker *worker)
{
    sh_err err = {0};
    sh_iam_keys keys;
    if (!l->helper)
        return fail(worker, 500, "ServiceException",
                    "functions cannot run: the program spyhop-sandbox is not beside spyhop-serve");
    if (make_target(l, worker, &keys) < 0)
        return SH_E_INTERNAL;
    words *environment = sh_arena_alloc(worker->arena, sizeof(*environment));
    if (!environment)
        return fail(worker, 500, "ServiceException", "no memory for a worker");
    environment->arena = worker->arena;
    const runtime *r = find_runtime(worker->code.runtime);
    set_places(environment, &worker->code, r && r->kind == NODE ? programs.node_major : 0);
    set_identity(environment, l, worker, &keys);
    set_own(environment, worker->code.environment);
    if (environment->failed)
        return fail(worker, 500, "ServiceException", "no memory for a worker");
    environment->list[environment->count] = NULL;
    worker->started_us = sh_monotonic_us();
    worker->deadline_us =
        worker->started_us + SH_LAMBDA_INIT_MS * 1000ll + (int64_t)worker->code.timeout_s * 1000000;
    if (spawn(l, worker, environment, &err) < 0) {
        sh_log(SH_LOG_ERROR, "lambda", "a worker of %s: %s", worker->code.name, err.message);
        return fail(worker, 500, "ServiceException", err.message);
    }
    return 0;
}
