/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_TEXT_H
#define SH_CLOUD_FLOW_JSONATA_TEXT_H
/* Characters and numbers as JavaScript shows them. Texts are UTF-8 with their length; half a surrogate pair
 * may stand in them as three bytes. */
#include "base/buf.h"
#include <stdint.h>

/* At most 4 bytes; returns how many. */
size_t sh_jv_put_utf8(char *out, uint32_t character);
/* The character at *at, which moves behind it. Wrong bytes count as one character each. */
uint32_t sh_jv_next(const char *text, size_t length, size_t *at);
size_t sh_jv_characters(const char *text, size_t length);
/* The byte at which the n-th character starts; length when there are fewer. */
size_t sh_jv_offset(const char *text, size_t length, size_t n);
/* By UTF-16 units, as < does in JavaScript. */
int sh_jv_compare(const char *a, size_t a_length, const char *b, size_t b_length);
/* String(number); "Infinity" and "NaN" included. `out` holds 32 bytes. */
void sh_jv_number_text(double number, char out[32]);
/* Rounded to 15 significant digits. */
double sh_jv_round15(double number);
/* Appends a JSON string with JavaScript's escapes. */
void sh_jv_quote(sh_buf *buf, const char *text, size_t length);
/* Simple case mapping of one character (Latin, Greek, Cyrillic, Armenian, Georgian excepted; by towlower's
 * rules but of no locale). */
uint32_t sh_jv_lower(uint32_t character);
uint32_t sh_jv_upper(uint32_t character);

#endif
