/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The services that speak the Query protocol. */
#include "cloud/api/query.h"

#include <string.h>

const sh_query_service *const sh_query_services[] = {
    &sh_query_iam,
    &sh_query_sts,
    &sh_query_ec2,
    NULL,
};

const sh_query_service *sh_query_find(const char *service)
{
    for (size_t i = 0; service && sh_query_services[i]; i++)
        if (strcmp(sh_query_services[i]->service->name, service) == 0)
            return sh_query_services[i];
    return NULL;
}
