/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_WIRE_H
#define SH_API_WIRE_H
/* What a REST call is beside its JSON: header fields, a body that is not the API's, an answer with a status
 * and fields of its own. An action that finds call->wire NULL was called from inside the server. */
#include "cloud/http/head.h"

enum { SH_WIRE_FIELDS = 8 };

typedef struct sh_wire {
    const sh_http_head *head;
    const char *body; /* of a route whose body is raw; borrowed */
    size_t length;
    int status;         /* of a good answer */
    const void *answer; /* instead of call->out; in the call's arena */
    size_t answer_length;
    const char *type; /* Content-Type of `answer` */
    struct {
        const char *name, *value;
    } fields[SH_WIRE_FIELDS]; /* of the answer */
    size_t field_count;
} sh_wire;

static inline void sh_wire_field(sh_wire *wire, const char *name, const char *value)
{
    if (value && wire->field_count < SH_WIRE_FIELDS) {
        wire->fields[wire->field_count].name = name;
        wire->fields[wire->field_count++].value = value;
    }
}

#endif
