/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_ERROR_H
#define SH_CLOUD_FLOW_JSONATA_ERROR_H
/* The messages of JSONata by code, with the parts that they quote. */
#include <stddef.h>

/* What fills {{token}}, {{value}}, {{value2}}, {{index}}, {{type}} of a message. The texts of values are JSON
 * already where they are not `token`, `type` or `value_text`, which are put into quotes. */
typedef struct jv_error_parts {
    const char *token, *type;
    const char *value_text;     /* quoted as a string */
    const char *bare_token;     /* a number, put as it is */
    const char *value, *value2; /* JSON */
    size_t index;
} jv_error_parts;

/* Writes the message, cut to size at a character. */
void jv_error_show(char *text, size_t size, const char *code, const jv_error_parts *parts);

#endif
