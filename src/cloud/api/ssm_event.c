/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of commands, in the transaction of the change: of an invocation at each change; of a command at each
 * change when it has one invocation, else when the first one begins and when the last one ends. */
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_run.h"
#include "cloud/store/outbox.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_MEMORY = 8 << 20 };

static int queue(sh_cloud *cloud, const char *type, const sh_invocation *row, json_t *detail, sh_err *err)
{
    char id[SH_UUID_TEXT], time[SH_TIME_TEXT];
    const sh_cloud_settings *s = &cloud->settings;
    bool managed = strncmp(row->instance, "mi-", 3) == 0;
    sh_uuid(id);
    sh_time_iso_s(sh_now_ms(cloud->clock), time);
    json_t *node = json_sprintf("arn:aws:%s:%s:%s:%s/%s", managed ? "ssm" : "ec2", s->region, s->account,
                                managed ? "managed-instance" : "instance", row->instance);
    json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[o], s:o}", "version", "0", "id", id,
                              "detail-type", type, "source", "aws.ssm", "account", s->account, "time", time,
                              "region", s->region, "resources", node, "detail", detail);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    int status = text ? sh_outbox_add(cloud->db, text, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for the event of a command");
    free(text);
    json_decref(event);
    return status;
}

static int tell_invocation(sh_cloud *cloud, const sh_invocation *row, sh_err *err)
{
    char requested[SH_TIME_TEXT];
    sh_time_iso_ms(row->requested_ms, requested);
    return queue(cloud, "EC2 Command Invocation Status-change Notification", row,
                 json_pack("{s:s, s:s, s:s, s:s, s:s}", "command-id", row->id, "document-name", row->document,
                           "instance-id", row->instance, "requested-date-time", requested, "status",
                           row->status),
                 err);
}

static int tell_command(sh_cloud *cloud, const sh_invocation *row, sh_err *err)
{
    char requested[SH_TIME_TEXT], expires[SH_TIME_TEXT];
    const char *state, *details;
    sh_invocation_summary n = {0};
    int status = sh_invocation_sum(cloud->db, row->id, &n, err);
    int64_t open = n.pending + n.running + n.cancelling;
    bool first = n.pending == n.total - 1 && n.running == 1;
    if (status < 0 || (n.total > 1 && open > 0 && !first))
        return status;
    json_t *request = json_loads(row->request, 0, NULL);
    sh_ssm_add_up(&n, request, row, &state, &details);
    sh_time_iso_ms(row->requested_ms, requested);
    sh_time_iso_ms(row->expires_ms, expires);
    status = queue(cloud, "EC2 Command Status-change Notification", row,
                   json_pack("{s:s, s:s, s:s, s:O*, s:s, s:s}", "command-id", row->id, "document-name",
                             row->document, "expire-after", expires, "parameters",
                             json_object_get(request, "Parameters"), "requested-date-time", requested,
                             "status", state),
                   err);
    json_decref(request);
    return status;
}

int sh_ssm_changed(sh_cloud *cloud, const char *command, const char *instance, sh_err *err)
{
    sh_invocation row;
    sh_arena *arena = sh_arena_new(ROW_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for the event of a command");
    int status = sh_invocation_get(cloud->db, arena, command, instance, &row, err);
    if (status == 0)
        status = tell_invocation(cloud, &row, err);
    if (status == 0)
        status = tell_command(cloud, &row, err);
    sh_arena_free(arena);
    return status;
}
