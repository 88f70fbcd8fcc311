/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STATES_CLIENT_H
#define SH_CLI_STATES_CLIENT_H
/* Asks a Step Functions service (this program's `serve`, or AWS) about an execution. */
#include "base/err.h"
#include <jansson.h>

typedef struct sh_states_service {
    const char *endpoint; /* http://127.0.0.1:9000 */
    const char *region, *key_id, *secret;
} sh_states_service;

typedef struct sh_states_execution {
    json_t *definition; /* text, as a string */
    json_t *status;     /* string */
    json_t *events;     /* array: the whole history */
} sh_states_execution;

/* *out is zeroed first and to be freed in any case. SH_E_IO, SH_E_NOT_FOUND, SH_E_FORMAT, SH_E_MEMORY. */
int sh_states_fetch(const sh_states_service *service, const char *arn, sh_states_execution *out, sh_err *err);
void sh_states_execution_free(sh_states_execution *execution);

#endif
