/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event "Step Functions Execution Status Change", of standard executions, in the transaction of the
 * change. Nobody wants it on most servers, and then it is not made. */
#include "cloud/api/args.h"
#include "cloud/api/events.h"
#include "cloud/api/keys.h"
#include "cloud/api/states_event.h"
#include "cloud/flow/flow.h"

#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX (248 * 1024) /* bytes of input and output, as JSON text in a string */

static size_t escaped_length(const char *text)
{
    size_t length = text ? 2 : 0;
    for (; text && *text; text++)
        length += *text == '"' || *text == '\\' ? 2 : (unsigned char)*text < 32 ? 6 : 1;
    return length;
}

static void put_payload(int *failed, json_t *detail, const char *name, const char *details, const char *text,
                        bool included)
{
    sh_put(failed, detail, name, text && included ? json_string(text) : json_null());
    sh_put(failed, detail, details, text ? json_pack("{s:b}", "included", included) : json_null());
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static void put_redrive(int *failed, json_t *detail, const sh_execution *e)
{
    bool none = strcmp(e->status, "RUNNING") == 0 || strcmp(e->status, "SUCCEEDED") == 0;
    bool child = strchr(e->machine_arn, '/') != NULL;
    sh_put(failed, detail, "redriveCount", json_integer(e->redrive_count));
    sh_put(failed, detail, "redriveDate", e->redrive_count > 0 ? json_integer(e->redriven_ms) : json_null());
    sh_put_text(failed, detail, "redriveStatus",
                none    ? "NOT_REDRIVABLE"
                : child ? "REDRIVABLE_BY_MAP_RUN"
                        : "REDRIVABLE");
    sh_put(failed, detail, "redriveStatusReason",
           none ? json_sprintf("Execution is %s and cannot be redriven", e->status) : json_null());
}

static json_t *make_detail(const sh_execution *e)
{
    int failed = 0;
    bool ended = strcmp(e->status, "RUNNING") != 0;
    const char *output = strcmp(e->status, "SUCCEEDED") == 0 ? e->output : NULL;
    size_t in = escaped_length(e->input), out = escaped_length(output);
    json_t *detail = json_object();
    sh_put_text(&failed, detail, "executionArn", e->arn);
    sh_put_text(&failed, detail, "stateMachineArn", e->machine_arn);
    sh_put_text(&failed, detail, "stateMachineVersionArn", e->version_arn);
    sh_put_text(&failed, detail, "stateMachineAliasArn", e->alias_arn);
    sh_put_text(&failed, detail, "name", e->name);
    sh_put_text(&failed, detail, "status", e->status);
    sh_put(&failed, detail, "startDate", json_integer(e->started_ms));
    sh_put(&failed, detail, "stopDate", ended ? json_integer(e->stopped_ms) : json_null());
    put_payload(&failed, detail, "input", "inputDetails", e->input, in + out <= PAYLOAD_MAX);
    put_payload(&failed, detail, "output", "outputDetails", output, out <= PAYLOAD_MAX);
    sh_put(&failed, detail, "error", text_or_null(ended ? e->error : NULL));
    sh_put(&failed, detail, "cause", text_or_null(ended ? e->cause : NULL));
    put_redrive(&failed, detail, e);
    if (failed) {
        json_decref(detail);
        return NULL;
    }
    return detail;
}

int sh_states_announce(sh_cloud *cloud, const sh_execution *e, sh_err *err)
{
    char id[SH_UUID_TEXT], time[SH_TIME_TEXT];
    if (!sh_events_states_wanted(cloud))
        return 0;
    sh_uuid(id);
    sh_time_iso_s(sh_now_ms(cloud->clock), time);
    json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:o}", "version", "0", "id", id,
                              "detail-type", "Step Functions Execution Status Change", "source", "aws.states",
                              "account", cloud->settings.account, "time", time, "region",
                              cloud->settings.region, "resources", e->arn, "detail", make_detail(e));
    char *text = event ? sh_flow_text(event) : NULL;
    const sh_outbox_entry entry = {.event = text, .trace = e->trace_header};
    int status = text ? sh_outbox_put(cloud->db, &entry, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for the event of an execution");
    free(text);
    json_decref(event);
    if (status == 0)
        sh_cloud_wake(cloud, SH_WAKE_EVENTS);
    return status;
}
