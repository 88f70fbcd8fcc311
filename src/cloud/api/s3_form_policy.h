/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_FORM_POLICY_H
#define SH_API_S3_FORM_POLICY_H
/* The policy of an upload by a browser's form ("Creating a POST policy", S3 API reference): a JSON document
 * of who made the page, which the fields of the form have to fit. Pure. */
#include "base/arena.h"
#include "base/err.h"
#include "cloud/http/head.h"
#include <stdint.h>

typedef struct sh_form_limits {
    int64_t min, max; /* of content-length-range; 0 and INT64_MAX when there is none */
} sh_form_limits;

/* policy: as it came, in base64. fields: of the form, before the file. SH_E_FORMAT: the document is malformed
 * (InvalidPolicyDocument); SH_E_DENIED: the form does not fit it, or its time is over (AccessDenied);
 * err->message is S3's sentence. */
int sh_form_policy_check(const char *policy, const sh_http_field *fields, size_t count, int64_t now_ms,
                         sh_arena *arena, sh_form_limits *limits, sh_err *err);

#endif
