/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/cloud.h"

static const sh_action actions[] = {
    {NULL, NULL},
};

const sh_service sh_service_events = {"events", "AWSEvents", "1.1", actions};

int sh_events_run(sh_cloud *cloud)
{
    while (sh_cloud_wait(cloud, SH_WAKE_EVENTS, -1))
        continue;
    return 0;
}
