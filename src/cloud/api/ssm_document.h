/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_SSM_DOCUMENT_H
#define SH_API_SSM_DOCUMENT_H
/* Documents of one's own: schema 2.2, JSON, steps of aws:runShellScript, parameters of type String and
 * StringList. A command carries its steps with all values put in (request "Steps"), so that a document may
 * go while its commands run. What a document asks for and is not done here is refused when it is made. */
#include "cloud/api/cloud.h"

int sh_ssm_create_document(sh_call *call);
int sh_ssm_get_document(sh_call *call);
int sh_ssm_describe_document(sh_call *call);
int sh_ssm_list_documents(sh_call *call);
int sh_ssm_delete_document(sh_call *call);

/* ---- ssm_steps.c ---- */
/* The steps of a document with these parameters ({"name": ["value"]}); NULL: only looks whether the document
 * is right. *seconds: time-outs of all steps. *err says where the document or a parameter is wrong. */
int sh_ssm_steps(const json_t *content, const json_t *parameters, json_t **steps, int64_t *seconds,
                 sh_err *err);

#endif
