/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LOGS_POLICY_H
#define SH_API_LOGS_POLICY_H
/* Resource policies of CloudWatch Logs: by them services may write into log groups without a role. */
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"

int sh_logs_put_resource_policy(sh_call *call);
int sh_logs_describe_resource_policies(sh_call *call);
int sh_logs_delete_resource_policy(sh_call *call);

/* May the caller (a session, or a service without one) write lines into the group? source_arn: for whom. 0,
 * SH_E_DENIED with the sentence, or another error. */
int sh_logs_may_write(sh_cloud *cloud, const sh_caller *caller, const char *group, const char *source_arn,
                      sh_arena *arena, const char **sentence, sh_err *err);

#endif
