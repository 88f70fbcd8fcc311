/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_FRONT_H
#define SH_API_FRONT_H
/* The one HTTP handler of the server: authenticates every request, then gives it to a JSON action (by
 * X-Amz-Target, or MediaConvert's REST paths) or to S3. */
#include "cloud/api/cloud.h"
#include "cloud/http/server.h"
#include "cloud/store/objects.h"

typedef struct sh_front sh_front;

int sh_front_new(sh_front **out, sh_cloud *cloud, sh_err *err);
void sh_front_free(sh_front *front); /* NULL is fine; after the server has stopped */
sh_http_handler sh_front_handler(sh_front *front);

/* The object store of the server, for services that read or publish objects. */
static inline sh_objects sh_cloud_objects(const sh_cloud *cloud)
{
    return (sh_objects){.db = cloud->db,
                        .clock = cloud->clock,
                        .data = cloud->settings.data,
                        .region = cloud->settings.region,
                        .account = cloud->settings.account,
                        .row_max = SH_ROW_MAX};
}

#endif
