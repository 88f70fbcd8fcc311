/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_H
#define SH_API_STATES_H
/* Step Functions inside: what states*.c share. */
#include "cloud/api/cloud.h"

struct sh_flow_cache;
int sh_flow_cache_new(struct sh_flow_cache **out, sh_err *err);
void sh_flow_cache_free(struct sh_flow_cache *cache); /* NULL is fine */

#endif
