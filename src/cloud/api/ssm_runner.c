/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the node's commands. The rows say what is to be done and the folders (cloud/jobs/command.h) what has
 * happened; the runner compares them, whether it has just started or has been here all along, so a restart
 * needs no code of its own:
 *
 *   Pending     a worker is free: the row becomes InProgress in a transaction, then its supervisor is started
 *   InProgress  a supervisor lives: watch it. It left a result: take it. It is gone without one: the command
 *               is lost, Failed. It never began (we died in between): start it
 *   Cancelling  the same, and its supervisor is told
 *
 * A command therefore begins at most once: its supervisor puts running.json on disk before the script's first
 * instruction. The runner waits in one poll for wake-ups and for the ends of supervisors; nothing blocks it.
 */
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/bell.h"
#include "cloud/api/ssm.h"
#include "cloud/jobs/command.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SLOTS 64
#define MAX_ROWS 1000 /* looked at in one scan; those after them wait their turn anyway */
#define SOON_MS 50
#define RETRY_MS 1000
#define PRUNE_MS 3600000
#define CLOCK_MS 30000 /* the wall clock may be set meanwhile */
#define START_RETRY_MS 5000

typedef struct slot {
    char id[40];
    pid_t pid; /* of a child of ours; 0: adopted */
    int pidfd;
    bool told; /* to cancel */
} slot;

typedef struct runner {
    sh_cloud *cloud;
    sh_node node;
    sh_bell bell;
    slot slots[MAX_SLOTS];
    size_t count;
    int64_t look_ms;  /* wall clock: when to look again without a wake-up; INT64_MAX: never */
    int64_t prune_ms; /* wall clock */
} runner;

static void look_at(runner *r, int64_t ms)
{
    if (ms < r->look_ms)
        r->look_ms = ms;
}

static int64_t now(const runner *r)
{
    return sh_now_ms(r->cloud->clock);
}

static slot *find(runner *r, const char *id)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->slots[i].id, id) == 0)
            return &r->slots[i];
    return NULL;
}

static void add_slot(runner *r, const char *id, pid_t pid, int pidfd)
{
    slot *s = &r->slots[r->count++];
    *s = (slot){.pid = pid, .pidfd = pidfd};
    snprintf(s->id, sizeof(s->id), "%s", id);
}

static void drop_slot(runner *r, slot *s)
{
    if (s->pid > 0)
        waitpid(s->pid, NULL, WNOHANG);
    close(s->pidfd);
    *s = r->slots[--r->count];
}

/* Writes what *change says to the row, whatever open status it has. */
static int settle_row(runner *r, const sh_invocation *change, sh_err *err)
{
    sh_invocation row;
    sh_arena *arena = sh_arena_new(4 << 20);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a command's row");
    int status = sh_db_begin(r->cloud->db, err);
    if (status < 0)
        goto done;
    status = sh_invocation_get(r->cloud->db, arena, change->id, change->instance, &row, err);
    if (status == 0) {
        const char *before = row.status;
        row.status = change->status;
        row.details = change->details;
        row.code = change->code;
        row.start_ms = change->start_ms ? change->start_ms : row.start_ms;
        row.end_ms = change->end_ms;
        row.out = change->out;
        row.err = change->err;
        status = sh_invocation_save(r->cloud->db, &row, before, err);
    }
    status = sh_db_end(r->cloud->db, status, err);
done:
    sh_arena_free(arena);
    return status;
}

static void tell_waiters(runner *r)
{
    sh_cloud_wake(r->cloud, SH_WAKE_FLOWS | SH_WAKE_EVENTS);
}

static int settle(runner *r, const sh_invocation *change, sh_err *err)
{
    int status = settle_row(r, change, err);
    if (status == 0)
        tell_waiters(r);
    return status;
}

/* An end that we know without a result: not delivered, lost, could not be started, cancelled before it began.
 */
static int settle_as(runner *r, const sh_invocation *row, const char *status, const char *details, int code,
                     const char *message, sh_err *err)
{
    sh_invocation change = {.id = row->id,
                            .instance = row->instance,
                            .status = status,
                            .details = details,
                            .code = code,
                            .end_ms = now(r),
                            .out = "",
                            .err = message};
    return settle(r, &change, err);
}

/* ---- the result of a supervisor ---- */

static void take_status(const sh_command_result *result, sh_invocation *change)
{
    static const char *const statuses[] = {"Success", "TimedOut", "Cancelled", "Failed"};
    static const char *const details[] = {"Success", "ExecutionTimedOut", "Cancelled", "Failed"};
    change->status = statuses[result->end];
    change->details = details[result->end];
    if (result->end == SH_COMMAND_EXITED && result->code != 0)
        change->status = change->details = "Failed";
    change->code = result->code;
    change->start_ms = result->start_ms;
    change->end_ms = result->end_ms;
}

static void add_line(sh_buf *text, const char *line)
{
    if (text->length > 0 && text->data[text->length - 1] != '\n')
        sh_buf_putc(text, '\n');
    sh_buf_puts(text, line);
}

/* Standard error as AWS's agent leaves it: what the script wrote, then what became of it. */
static int read_error_text(const char *folder, const sh_command_result *result, sh_buf *text, sh_err *err)
{
    char line[64];
    int status = sh_command_output(folder, "stderr", SH_SSM_ERR_CHARACTERS, text, err);
    if (status < 0)
        return status;
    if (result->message[0])
        add_line(text, result->message);
    if (result->code != 0) {
        snprintf(line, sizeof(line), "failed to run commands: exit status %d", result->code);
        add_line(text, line);
    }
    return text->failed ? sh_fail(err, SH_E_MEMORY, "no memory for a command's output") : 0;
}

typedef struct settlement {
    runner *r;
    const sh_invocation *change;
} settlement;

static int settle_with(void *opaque, sh_err *err)
{
    const settlement *s = opaque;
    return settle_row(s->r, s->change, err);
}

/* The whole output goes to its bucket in the transaction that settles the row: a crash between them would
 * have it published, and its events sent, twice. */
static int deliver(runner *r, const sh_invocation *row, sh_invocation *change, sh_buf *text, sh_err *err)
{
    sh_err why = {0};
    settlement s = {r, change};
    change->err = sh_buf_cstr(text);
    int status = sh_node_deliver_output(&r->node, row, settle_with, &s, &why);
    if (status > 0) {
        tell_waiters(r);
        return 0;
    }
    if (status < 0) {
        sh_log(SH_LOG_WARNING, "ssm", "command %s: its output did not reach its bucket: %s", row->id,
               why.message);
        add_line(text, "the output could not be written to its bucket: ");
        sh_buf_puts(text, why.message);
        change->err = sh_buf_cstr(text);
    }
    return settle(r, change, err);
}

static int finish(runner *r, const sh_invocation *row, const char *folder, sh_err *err)
{
    sh_command_result result;
    sh_buf out, error;
    sh_invocation change = {.id = row->id, .instance = row->instance};
    sh_buf_init(&out, SH_SSM_OUT_CHARACTERS * 4);
    sh_buf_init(&error, SH_SSM_ERR_CHARACTERS * 4 + 4096);
    int status = sh_command_read_result(folder, &result, err);
    if (status == 0)
        status = sh_command_output(folder, "stdout", SH_SSM_OUT_CHARACTERS, &out, err);
    if (status == 0)
        status = read_error_text(folder, &result, &error, err);
    if (status < 0)
        goto done;
    take_status(&result, &change);
    change.out = sh_buf_cstr(&out);
    status = deliver(r, row, &change, &error, err);
    if (status == 0)
        sh_log(SH_LOG_INFO, "ssm", "command %s: %s", row->id, change.details);
done:
    sh_buf_free(&out);
    sh_buf_free(&error);
    return status;
}

static int lose(runner *r, const sh_invocation *row, sh_err *err)
{
    char marker[64];
    snprintf(marker, sizeof(marker), "SPYHOP_COMMAND_ID=%s", row->id);
    int killed = sh_strays_kill(marker);
    sh_log(SH_LOG_WARNING, "ssm", "command %s: its supervisor is gone; %d processes of it were ended",
           row->id, killed);
    return settle_as(
        r, row, "Failed", "Terminated", 137,
        "the command's supervisor ended before the command did (killed, or the machine restarted); "
        "what it had done stays as it is",
        err);
}

/* ---- starting ---- */

static char *join_script(const json_t *request)
{
    const json_t *commands = json_object_get(json_object_get(request, "Parameters"), "commands");
    size_t index;
    const json_t *line;
    sh_buf text;
    sh_buf_init(&text, 4 << 20);
    json_array_foreach(commands, index, line)
    {
        sh_buf_append(&text, json_string_value(line), json_string_length(line));
        sh_buf_putc(&text, '\n');
    }
    return sh_buf_take(&text, NULL);
}

static int start(runner *r, const sh_invocation *row, const char *folder, sh_arena *arena, sh_err *err)
{
    json_t *request = json_loads(row->request, 0, NULL);
    const json_t *parameters = json_object_get(request, "Parameters");
    const char *where = json_string_value(json_array_get(json_object_get(parameters, "workingDirectory"), 0));
    char *script = join_script(request);
    sh_child child = SH_CHILD_NONE;
    sh_command_spec spec = {.script = script,
                            .folder = where && *where ? where : r->node.work,
                            .timeout_s = json_integer_value(json_object_get(request, "ExecutionTimeout")),
                            .program = r->cloud->settings.program,
                            .environment = sh_node_environment(&r->node, row->id, arena, err)};
    int status = spec.environment ? 0 : err->status;
    if (status == 0 && !script)
        status = sh_fail(err, SH_E_MEMORY, "no memory for a command");
    if (status == 0 && !spec.program)
        status = sh_fail(err, SH_E_INTERNAL, "the server does not know its own program");
    if (status == 0)
        status = sh_command_start(folder, &spec, &child, err);
    if (status == 0)
        add_slot(r, row->id, child.pid, child.pidfd);
    free(script);
    json_decref(request);
    return status;
}

/* `brief` may be a row without its request. */
static int launch(runner *r, const sh_invocation *brief, const char *folder, sh_err *err)
{
    sh_invocation row;
    sh_err why = {0};
    sh_arena *arena = sh_arena_new(8 << 20);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a command");
    int status = sh_invocation_get(r->cloud->db, arena, brief->id, brief->instance, &row, err);
    if (status < 0)
        goto done;
    status = start(r, &row, folder, arena, &why);
    if (status == SH_E_CONFLICT) { /* a supervisor lives there: watch it */
        look_at(r, now(r) + SOON_MS);
        status = 0;
    } else if (status < 0) {
        sh_log(SH_LOG_ERROR, "ssm", "command %s: %s", row.id, why.message);
        status = settle_as(r, &row, "Failed", "Failed", 1, why.message, err);
    }
done:
    sh_arena_free(arena);
    return status;
}

static int begin(runner *r, const sh_invocation *row, const char *folder, sh_err *err)
{
    sh_invocation change = *row;
    if (now(r) >= row->deliver_by_ms)
        return settle_as(r, row, "TimedOut", "DeliveryTimedOut", -1,
                         "the node was busy until the delivery time-out", err);
    if (r->count >= SH_SSM_WORKERS) {
        look_at(r, row->deliver_by_ms);
        return 0;
    }
    change.status = change.details = "InProgress";
    change.start_ms = now(r);
    int status = sh_invocation_save(r->cloud->db, &change, "Pending", err);
    if (status < 0)
        return status == SH_E_CONFLICT ? 0 : status; /* cancelled in between */
    sh_log(SH_LOG_INFO, "ssm", "command %s: begins", row->id);
    sh_cloud_wake(r->cloud, SH_WAKE_FLOWS);
    return launch(r, &change, folder, err);
}

/* ---- what is InProgress or Cancelling ---- */

/* ours: its supervisor was a child of ours and has just ended. */
static int take_up(runner *r, const sh_invocation *row, const char *folder, bool ours, sh_err *err)
{
    sh_command_state state;
    int pidfd;
    int status = sh_command_look(folder, &state, &pidfd, err);
    if (status < 0)
        return status;
    switch (state) {
    case SH_COMMAND_DONE:
        return finish(r, row, folder, err);
    case SH_COMMAND_LOST:
        return lose(r, row, err);
    case SH_COMMAND_RUNNING:
        if (pidfd >= 0 && r->count < MAX_SLOTS)
            add_slot(r, row->id, 0, pidfd);
        else
            look_at(r, now(r) + SOON_MS);
        return 0;
    case SH_COMMAND_NEVER:
        if (strcmp(row->status, "Cancelling") == 0)
            return settle_as(r, row, "Cancelled", "Cancelled", -1, "", err);
        if (ours)
            return settle_as(r, row, "Failed", "Failed", 1,
                             "the command's supervisor could not begin: is the disk full, or memory short?",
                             err);
        return r->count < MAX_SLOTS ? launch(r, row, folder, err) : 0;
    }
    return 0;
}

/* Reads the row anew, whole, and takes it up. */
static int revisit(runner *r, const char *id, const char *folder, bool ours, sh_err *err)
{
    sh_invocation row;
    sh_arena *arena = sh_arena_new(8 << 20);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a command");
    int status = sh_invocation_get(r->cloud->db, arena, id, r->cloud->settings.instance_id, &row, err);
    if (status == 0)
        status = take_up(r, &row, folder, ours, err);
    sh_arena_free(arena);
    return status;
}

static int cancel(runner *r, slot *s, const char *folder, sh_err *err)
{
    sh_command_state state;
    int pidfd;
    if (s->told)
        return 0;
    int status = sh_command_look(folder, &state, &pidfd, err);
    if (status < 0 || state != SH_COMMAND_RUNNING)
        return status; /* its end is on the way to us */
    if (pidfd < 0) {   /* does not listen yet */
        look_at(r, now(r) + SOON_MS);
        return 0;
    }
    status = sh_command_cancel(pidfd, err);
    s->told = status == 0;
    close(pidfd);
    return status;
}

static int consider(runner *r, const sh_invocation *row, sh_err *err)
{
    char folder[PATH_MAX];
    int status = sh_node_folder(&r->node, row->id, folder, sizeof(folder), err);
    if (status < 0)
        return status;
    if (strcmp(row->status, "Pending") == 0)
        return begin(r, row, folder, err);
    if (!find(r, row->id) && (status = revisit(r, row->id, folder, false, err)) < 0)
        return status;
    slot *s = find(r, row->id);
    return s && strcmp(row->status, "Cancelling") == 0 ? cancel(r, s, folder, err) : 0;
}

/* ---- the rows ---- */

typedef struct rows {
    sh_arena *arena;
    sh_invocation list[MAX_ROWS];
    size_t count;
} rows;

static int collect(void *opaque, const sh_invocation *row)
{
    rows *all = opaque;
    sh_invocation *to = &all->list[all->count++];
    *to = *row;
    to->id = sh_arena_strdup(all->arena, row->id);
    to->instance = sh_arena_strdup(all->arena, row->instance);
    to->status = sh_arena_strdup(all->arena, row->status);
    to->request = to->document = to->comment = to->details = to->out = to->err = "";
    if (!to->id || !to->instance || !to->status)
        return SH_E_MEMORY;
    return all->count == MAX_ROWS;
}

/* Rows are collected first: looking at one changes the table. */
static void scan(runner *r)
{
    sh_err err = {0};
    rows *all = calloc(1, sizeof(*all));
    if (all)
        all->arena = sh_arena_new(1 << 20);
    int status = all && all->arena ? 0 : sh_fail(&err, SH_E_MEMORY, "no memory for the open commands");
    r->look_ms = INT64_MAX;
    if (status == 0)
        status = sh_invocation_each_open(r->cloud->db, r->cloud->settings.instance_id, collect, all, &err);
    for (size_t i = 0; status == 0 && i < all->count; i++) {
        if (consider(r, &all->list[i], &err) < 0) {
            sh_log(SH_LOG_ERROR, "ssm", "command %s: %s", all->list[i].id, err.message);
            look_at(r, now(r) + RETRY_MS);
        }
    }
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "ssm", "%s", err.message[0] ? err.message : sh_status_name(status));
        look_at(r, now(r) + RETRY_MS);
    }
    if (all)
        sh_arena_free(all->arena);
    free(all);
}

/* ---- forgetting ---- */

typedef struct old {
    char ids[256][40];
    size_t count;
} old;

static int collect_old(void *opaque, const char *id)
{
    old *o = opaque;
    snprintf(o->ids[o->count], sizeof(o->ids[0]), "%s", id);
    return ++o->count == 256;
}

static void prune(runner *r)
{
    old o = {.count = 0};
    sh_err err = {0};
    char folder[PATH_MAX];
    int64_t days =
        r->cloud->settings.keep_commands_days ? r->cloud->settings.keep_commands_days : SH_SSM_KEEP_DAYS;
    int64_t before = now(r) - days * 86400000;
    if (now(r) < r->prune_ms)
        return;
    r->prune_ms = now(r) + PRUNE_MS;
    int status = sh_invocation_each_ended(r->cloud->db, before, collect_old, &o, &err);
    for (size_t i = 0; status == 0 && i < o.count; i++) {
        status = sh_node_folder(&r->node, o.ids[i], folder, sizeof(folder), &err);
        if (status == 0)
            status = sh_dir_remove(folder, &err);
        if (status == 0)
            status = sh_invocation_delete(r->cloud->db, o.ids[i], &err);
    }
    if (status < 0)
        sh_log(SH_LOG_WARNING, "ssm", "cannot remove old commands: %s", err.message);
}

/* ---- the loop ---- */

/* A supervisor has ended: its row is settled now, so that no scan takes it for one that never began. */
static void end_slot(runner *r, slot *s)
{
    char folder[PATH_MAX];
    char id[sizeof(s->id)];
    bool ours = s->pid > 0;
    sh_err err = {0};
    snprintf(id, sizeof(id), "%s", s->id);
    drop_slot(r, s);
    int status = sh_node_folder(&r->node, id, folder, sizeof(folder), &err);
    if (status == 0)
        status = revisit(r, id, folder, ours, &err);
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "ssm", "command %s: %s", id, err.message);
        look_at(r, now(r) + RETRY_MS);
    }
}

static int timeout_of(const runner *r)
{
    if (r->look_ms == INT64_MAX)
        return PRUNE_MS;
    int64_t left = r->look_ms - now(r);
    return left < 0 ? 0 : left > CLOCK_MS ? CLOCK_MS : (int)left;
}

static void wait_for_news(runner *r)
{
    struct pollfd ready[MAX_SLOTS + 1] = {{.fd = r->bell.fd, .events = POLLIN}};
    size_t count = r->count;
    for (size_t i = 0; i < count; i++)
        ready[i + 1] = (struct pollfd){.fd = r->slots[i].pidfd, .events = POLLIN};
    if (poll(ready, (nfds_t)count + 1, timeout_of(r)) <= 0)
        return;
    for (size_t i = count; i-- > 0;) /* from the end: a dropped slot is replaced by the last */
        if (ready[i + 1].revents)
            end_slot(r, &r->slots[i]);
}

/* Until the folders of the node are there, as they cannot be on a full disk. */
static int prepare(runner *r)
{
    sh_err err = {0};
    int status;
    while ((status = sh_node_prepare(&r->node, r->cloud, &err)) < 0) {
        sh_log(SH_LOG_ERROR, "ssm", "commands cannot be run yet: %s", err.message);
        if (!sh_cloud_wait(r->cloud, 0, sh_monotonic_us() / 1000 + START_RETRY_MS))
            break;
    }
    return status;
}

int sh_commands_run(sh_cloud *cloud)
{
    runner r = {.cloud = cloud, .look_ms = INT64_MAX};
    sh_err err = {0};
    if (!cloud->settings.in_process)
        return 0;
    int status = prepare(&r);
    if (status < 0)
        return status;
    status = sh_bell_open(&r.bell, cloud, SH_WAKE_COMMANDS, &err);
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "ssm", "commands cannot be run: %s", err.message);
        sh_node_free(&r.node);
        return status;
    }
    while (sh_bell_take(&r.bell)) {
        prune(&r);
        scan(&r);
        wait_for_news(&r);
    }
    while (r.count > 0) /* their commands go on, and are found again */
        close(r.slots[--r.count].pidfd);
    sh_bell_close(&r.bell);
    sh_node_free(&r.node);
    return 0;
}
