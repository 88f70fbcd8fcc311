/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_FORM_H
#define SH_HTTP_FORM_H
/* multipart/form-data (RFC 7578), as browsers send a form with a file. A push parser: bytes in any pieces,
 * parts out as events; nothing but the head of a part and a partial delimiter is ever kept. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct sh_form_part {
    const char *name;
    const char *filename; /* NULL: not a file */
    const char *type;     /* its Content-Type, or NULL */
} sh_form_part;

/* A negative status ends the parsing with that status. */
typedef struct sh_form_events {
    void *opaque;
    int (*begin)(void *opaque, const sh_form_part *part); /* strings are valid during the call */
    int (*bytes)(void *opaque, const void *bytes, size_t length);
    int (*end)(void *opaque);
} sh_form_events;

enum { SH_FORM_BOUNDARY_MAX = 200, SH_FORM_HEAD_MAX = 16384 };

typedef struct sh_form sh_form;

/* Whether the Content-Type is multipart/form-data. */
bool sh_form_is(const char *content_type);
/* SH_E_FORMAT: there is no fit boundary in the Content-Type. */
int sh_form_new(sh_form **out, const char *content_type, const sh_form_events *events, sh_err *err);
void sh_form_free(sh_form *form); /* NULL is fine */
/* SH_E_FORMAT: not this format. */
int sh_form_push(sh_form *form, const void *bytes, size_t length, sh_err *err);
/* At the end of the body: SH_E_FORMAT if it was cut short. */
int sh_form_finish(const sh_form *form, sh_err *err);

#endif
