/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report: how a command ended on its node. The first one counts; what comes for a row that has ended
 * changes nothing. Only what was handed to a node is taken from it.
 *
 * The whole output goes to its bucket in the transaction that settles the row: a crash between them would
 * have it published, and its events sent, twice. */
#include "base/buf.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/agent_deliver.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_run.h"
#include "cloud/store/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 256, MESSAGE_MAX = 2048 };

/* ---- how it ended ---- */

typedef struct ending {
    const char *name; /* as agents say it */
    const char *status, *details;
} ending;

static const ending endings[] = {
    {"exited", "Success", "Success"},        {"timed_out", "TimedOut", "ExecutionTimedOut"},
    {"cancelled", "Cancelled", "Cancelled"}, {"unable", "Failed", "Failed"},
    {"lost", "Failed", "Terminated"},        {"skipped", "Success", "Success"},
};

static const ending *ending_of(const json_t *in)
{
    const char *name = json_string_value(json_object_get(in, "end"));
    for (size_t i = 0; name && i < SH_COUNT(endings); i++)
        if (strcmp(endings[i].name, name) == 0)
            return &endings[i];
    return NULL;
}

static void take_end(const json_t *in, const char **status, const char **details, int64_t *code)
{
    static const char failed[] = "Failed";
    const ending *end = ending_of(in);
    *code = json_integer_value(json_object_get(in, "code"));
    *status = end ? end->status : failed;
    *details = end ? end->details : failed;
    if (end == &endings[0] && *code != 0)
        *status = *details = failed;
}

/* 0: not said, or a time that cannot be. */
static int64_t time_of(const json_t *in, const char *name, int64_t now_ms)
{
    int64_t ms = json_integer_value(json_object_get(in, name));
    return ms > 0 && ms < now_ms + SH_AGENT_WINDOW_MS ? ms : 0;
}

/* The first characters of a text. */
static void add_cut(sh_buf *to, const char *text, size_t characters)
{
    size_t length = 0, seen = 0;
    for (; text[length]; length++)
        if (((unsigned char)text[length] & 0xc0) != 0x80 && ++seen > characters)
            break;
    sh_buf_append(to, text, length);
}

static void add_line(sh_buf *text, const char *line)
{
    if (text->length > 0 && text->data[text->length - 1] != '\n')
        sh_buf_putc(text, '\n');
    sh_buf_puts(text, line);
}

static const char *text_of(const json_t *in, const char *name)
{
    const char *text = json_string_value(json_object_get(in, name));
    return text ? text : "";
}

/* Standard error as AWS's agent leaves it: what the script wrote, then what became of it. */
static void put_error_text(const json_t *step, sh_buf *text)
{
    char line[64];
    int64_t code = json_integer_value(json_object_get(step, "code"));
    const char *message = text_of(step, "message");
    add_cut(text, text_of(step, "stderr"), SH_SSM_ERR_CHARACTERS);
    if (*message && strlen(message) <= MESSAGE_MAX)
        add_line(text, message);
    if (code != 0) {
        snprintf(line, sizeof(line), "failed to run commands: exit status %lld", (long long)code);
        add_line(text, line);
    }
}

/* ---- settling ---- */

typedef struct settlement {
    sh_agent_ask *ask;
    const char *before; /* the row's status */
    sh_invocation *row;
    const json_t *steps;
    int64_t now_ms;
} settlement;

static int put_step(const settlement *s, size_t number, const json_t *in, sh_err *err)
{
    sh_buf out, error;
    sh_step step = {.number = (int64_t)number,
                    .name = text_of(in, "name"),
                    .plugin = SH_SSM_PLUGIN,
                    .start_ms = time_of(in, "start_ms", s->now_ms),
                    .end_ms = time_of(in, "end_ms", s->now_ms)};
    sh_buf_init(&out, SH_SSM_OUT_CHARACTERS * 4);
    sh_buf_init(&error, SH_SSM_ERR_CHARACTERS * 4 + 2 * MESSAGE_MAX);
    take_end(in, &step.status, &step.details, &step.code);
    add_cut(&out, text_of(in, "stdout"), SH_SSM_OUT_CHARACTERS);
    put_error_text(in, &error);
    step.out = sh_buf_cstr(&out);
    step.err = sh_buf_cstr(&error);
    int status = out.failed || error.failed
                     ? sh_fail(err, SH_E_MEMORY, "no memory for a step's output")
                     : sh_step_put(s->ask->cloud->db, s->row->id, s->row->instance, &step, err);
    sh_buf_free(&out);
    sh_buf_free(&error);
    return status;
}

static int settle(void *opaque, sh_err *err)
{
    const settlement *s = opaque;
    size_t index;
    const json_t *step;
    sh_db *db = s->ask->cloud->db;
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    json_array_foreach(s->steps, index, step)
    {
        if (status == 0)
            status = put_step(s, index, step, err);
    }
    if (status == 0)
        status = sh_ssm_save(s->ask->cloud, s->row, s->before, err);
    return sh_db_end(db, status, err);
}

/* A command of one step shows that step's streams; one of several shows them step by step only. */
static void show_streams(const settlement *s, sh_buf *out, sh_buf *error)
{
    const json_t *in = json_object_get(s->ask->in, "message") ? s->ask->in : NULL;
    if (json_array_size(s->steps) == 1) {
        const json_t *step = json_array_get(s->steps, 0);
        add_cut(out, text_of(step, "stdout"), SH_SSM_OUT_CHARACTERS);
        put_error_text(step, error);
    }
    const char *message = in ? text_of(in, "message") : "";
    if (*message && strlen(message) <= MESSAGE_MAX && !strstr(sh_buf_cstr(error), message))
        add_line(error, message);
}

/* What could not be brought to its bucket or group is said in the row; the command ended all the same. */
static int deliver(settlement *s, sh_buf *error, sh_err *err)
{
    sh_err why = {0};
    int status = sh_agent_deliver(s->ask->cloud, s->row, s->steps, settle, s, &why);
    if (status > 0)
        return 0;
    if (status == SH_E_CONFLICT)
        return sh_fail(err, status, "%s", why.message);
    if (status < 0) {
        sh_log(SH_LOG_WARNING, "ssm", "command %s: its output did not reach its place: %s", s->row->id,
               why.message);
        add_line(error, "the output could not be written to its place: ");
        sh_buf_puts(error, why.message);
        s->row->err = sh_buf_cstr(error);
    }
    return settle(s, err);
}

static int finish(settlement *s, sh_err *err)
{
    sh_buf out, error;
    sh_buf_init(&out, SH_SSM_OUT_CHARACTERS * 4);
    sh_buf_init(&error, SH_SSM_ERR_CHARACTERS * 4 + 8 * MESSAGE_MAX);
    show_streams(s, &out, &error);
    take_end(s->ask->in, &s->row->status, &s->row->details, &s->row->code);
    int64_t started_ms = time_of(s->ask->in, "start_ms", s->now_ms);
    s->row->start_ms = started_ms ? started_ms : s->row->start_ms;
    s->row->end_ms = time_of(s->ask->in, "end_ms", s->now_ms);
    if (!s->row->end_ms)
        s->row->end_ms = s->now_ms;
    s->row->out = sh_buf_cstr(&out);
    s->row->err = sh_buf_cstr(&error);
    int status = out.failed || error.failed ? sh_fail(err, SH_E_MEMORY, "no memory for an output")
                                            : deliver(s, &error, err);
    if (status == 0)
        sh_log(SH_LOG_INFO, "ssm", "command %s on %s: %s", s->row->id, s->row->instance, s->row->details);
    sh_buf_free(&out);
    sh_buf_free(&error);
    return status;
}

/* ---- the request ---- */

static bool is_report(const json_t *in)
{
    size_t index;
    const json_t *step, *steps = json_object_get(in, "steps");
    if (!ending_of(in) || !json_is_array(steps) || json_array_size(steps) > STEPS_MAX)
        return false;
    json_array_foreach(steps, index, step)
    {
        const char *name = json_string_value(json_object_get(step, "name"));
        if (!ending_of(step) || !name || strlen(name) > 256)
            return false;
    }
    return true;
}

static void answer(sh_agent_ask *ask, const char *state)
{
    sh_agent_answer(ask, json_pack("{s:s}", "state", state));
}

static bool is_handed(sh_agent_ask *ask, const sh_invocation *row)
{
    sh_err err = {0};
    sh_handout delivery;
    return sh_handout_get(ask->cloud->db, ask->arena, row->id, row->instance, &delivery, &err) == 0;
}

static void take(sh_agent_ask *ask, sh_invocation *row)
{
    sh_err err = {0};
    settlement s = {.ask = ask,
                    .before = row->status,
                    .row = row,
                    .steps = json_object_get(ask->in, "steps"),
                    .now_ms = sh_now_ms(ask->cloud->clock)};
    int status = finish(&s, &err);
    if (status < 0 && status != SH_E_CONFLICT) {
        sh_log(SH_LOG_ERROR, "agent", "command %s: %s", row->id, err.message);
        sh_agent_refuse(ask, 503, "InternalError", "the report could not be kept");
        return;
    }
    if (status == 0 && sh_agent_outputs_remove(ask->cloud, row->id, row->instance, &err) < 0)
        sh_log(SH_LOG_WARNING, "agent", "command %s: %s", row->id, err.message);
    if (status == SH_E_CONFLICT) { /* it was cancelled this moment: the report comes again */
        sh_agent_refuse(ask, 503, "Busy", "the command changes at this moment");
        return;
    }
    sh_agent_wake(ask->cloud, NULL);
    answer(ask, "settled");
}

void sh_agent_report(sh_agent_ask *ask)
{
    sh_err err = {0};
    sh_invocation row;
    const char *id = text_of(ask->in, "command_id");
    if (!is_report(ask->in)) {
        sh_agent_refuse(ask, 400, "BadRequest", "the report is not as the protocol has it");
        return;
    }
    int status = sh_invocation_get(ask->cloud->db, ask->arena, id, ask->node, &row, &err);
    if (status == SH_E_NOT_FOUND || (status == 0 && sh_ssm_is_open(row.status) && !is_handed(ask, &row))) {
        sh_agent_distrust(ask, "it reports on command %.64s, which it was not given", id);
        sh_agent_refuse(ask, 400, "NotHanded", "command %.64s was not handed to node %s", id, ask->node);
    } else if (status < 0) {
        sh_log(SH_LOG_ERROR, "agent", "command %.64s: %s", id, err.message);
        sh_agent_refuse(ask, 503, "InternalError", "the command could not be looked up");
    } else if (!sh_ssm_is_open(row.status)) {
        answer(ask, "settled");
    } else {
        take(ask, &row);
    }
}
