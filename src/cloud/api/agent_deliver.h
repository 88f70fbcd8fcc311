/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_AGENT_DELIVER_H
#define SH_API_AGENT_DELIVER_H
#include "cloud/api/cloud.h"
#include "cloud/store/commands.h"
#include "cloud/store/objects.h"

/* Brings the whole streams that came before a report to the bucket and the log group that SendCommand named,
 * in one transaction with `with`. 1: done. 0: there is nothing to bring, and `with` was not called. On
 * failure nothing has changed. */
int sh_agent_deliver(sh_cloud *cloud, const sh_invocation *row, const json_t *steps, sh_object_with_fn with,
                     void *opaque, sh_err *err);
/* The key of a step's stream in its bucket: PREFIX/COMMAND/INSTANCE/awsrunShellScript/STEP/STREAM. free().
 * NULL: it goes nowhere (or memory is short). */
char *sh_ssm_step_key(const sh_invocation *row, const json_t *request, const char *step, const char *stream);

#endif
