/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_FRONT_CALL_H
#define SH_API_FRONT_CALL_H
/* One request on its way through the front, shared by front*.c. It lives in the request's arena. */
#include "cloud/api/front.h"
#include "cloud/api/hold.h"
#include "cloud/api/query.h"
#include "cloud/api/s3.h"
#include "cloud/api/wire.h"
#include "cloud/http/sigv2.h"
#include "cloud/http/sigv4.h"

struct sh_front {
    sh_cloud *cloud;
};

typedef struct front_call {
    sh_front *front;
    sh_http_request *http;
    const sh_http_head *head;
    sh_sigv4 claim;      /* version 0: nobody signed */
    sh_sigv2 old;        /* of claim.version 2 */
    sh_auth_fault fault; /* of reading the claim */
    const char *message;
    sh_caller caller; /* once authenticated */
    sh_s3 *s3;        /* NULL: an action of another service */
    const char *host_bucket;
    const sh_service *service;     /* of an action, with its call, whose answer may come later */
    const sh_query_service *query; /* NULL: JSON */
    const sh_action *action;
    json_t *in;
    sh_call later;
    sh_wire wire; /* of a REST call; head NULL: it is none */
    sh_hold hold;
} front_call;

/* ---- front_auth.c ---- */
/* Who claims to sign, into call->claim, call->old and call->fault. */
void sh_front_read_claim(front_call *call);
/* Whose key signed, into call->caller, and its secret. */
sh_auth_fault sh_front_find_caller(front_call *call, const char **secret, const char **message);
/* The whole of it. payload_hash: what stands for the body in the canonical request. */
sh_auth_fault sh_front_authenticate(front_call *call, const char *payload_hash, bool s3, const char *service,
                                    const char **message);
/* The fields of call->caller that come from the request and not from a key. */
void sh_front_fill_caller(front_call *call);
/* S3's answer to a fault, with what S3 tells beside the sentence. */
void sh_front_refuse_s3(front_call *call, sh_auth_fault fault, const char *message);

/* ---- front_action.c ---- */
void sh_front_begin_action(front_call *call); /* the head is there: strangers are refused, the body is kept */
void sh_front_finish_action(front_call *call); /* the body is there, or a call put aside was let go */
void sh_front_end_action(front_call *call);    /* releases what the call has; it may be called again */

#endif
