/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_ETAG_H
#define SH_BASE_ETAG_H
#include <stdbool.h>

/* Whether one of the entity tags of a list (RFC 9110, section 13.1: with or without quotes, comma between) is
 * `etag`, which has no quotes; "*" is any. weak: a tag W/"..." counts by its text. */
bool sh_etag_listed(const char *list, const char *etag, bool weak);

#endif
