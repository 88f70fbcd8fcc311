/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_CORS_H
#define SH_API_S3_CORS_H
/* Cross-origin requests of browsers (CORSConfiguration of a bucket). */
#include "cloud/api/cloud.h"
#include "cloud/http/server.h"

struct sh_s3;

/* A request with Origin gets the fields of the first rule of the bucket that fits, whatever becomes of it, so
 * that a page may read an error, too. To be called as soon as the bucket is known and before any answer, also
 * before the request is authenticated. Does nothing without an Origin, a bucket or a rule. */
void sh_s3_cors_fields(sh_cloud *cloud, sh_http_request *http, const char *bucket);
/* Answers a preflight: OPTIONS, which nobody signs. bucket: NULL when the request names none. True: it was
 * one and is answered. False: the method is another one. */
bool sh_s3_cors_preflight(sh_cloud *cloud, sh_http_request *http, const char *bucket);

typedef struct sh_cors sh_cors;
/* From the text as it is kept (the XML of the client, checked). */
int sh_cors_parse(sh_cors **out, const char *text, sh_err *err);
void sh_cors_free(sh_cors *cors); /* NULL is fine */

#endif
