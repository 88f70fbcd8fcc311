/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/states.h"

static const sh_action actions[] = {
    {NULL, NULL},
};

const sh_service sh_service_states = {"states", "AWSStepFunctions", "1.0", actions};

int sh_flows_run(sh_cloud *cloud)
{
    while (sh_cloud_wait(cloud, SH_WAKE_FLOWS, -1))
        continue;
    return 0;
}

struct sh_flow_cache {
    int unused;
};

int sh_flow_cache_new(struct sh_flow_cache **out, sh_err *err)
{
    static struct sh_flow_cache cache;
    *out = &cache;
    return 0;
}

void sh_flow_cache_free(struct sh_flow_cache *cache)
{
}
