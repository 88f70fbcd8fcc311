/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_SSM_DOCUMENT_H
#define SH_API_SSM_DOCUMENT_H
/* Documents of one's own: schema 2.2, JSON, steps of aws:runShellScript, parameters of type String and
 * StringList. A command carries its steps with all values put in (request "Steps"), so that a document may
 * go while its commands run. What a document asks for and is not done here is refused when it is made. */
#include "cloud/api/cloud.h"
#include "cloud/store/documents.h"

int sh_ssm_create_document(sh_call *call);
int sh_ssm_get_document(sh_call *call);
int sh_ssm_describe_document(sh_call *call);
int sh_ssm_list_documents(sh_call *call);
int sh_ssm_delete_document(sh_call *call);
/* ssm_document_version.c */
int sh_ssm_update_document(sh_call *call);
int sh_ssm_update_default(sh_call *call);
int sh_ssm_list_versions(sh_call *call);

/* What is shared. A version is "$DEFAULT" (NULL, too), "$LATEST" or a number; version_name: NULL, or that of
 * the version. AWS-RunShellScript is found, too, in its version 1. Refuses what is not there. */
int sh_ssm_find_document(sh_call *call, const char *name, const char *version, const char *version_name,
                         sh_document *row);
bool sh_ssm_built_in(const char *name);
/* VersionName and DocumentFormat, and what is not done here; the content, and its hash into row. */
int sh_ssm_read_content(sh_call *call, sh_document *row);
int sh_ssm_describe(sh_call *call, const char *member, const sh_document *row);

/* ---- ssm_steps.c ---- */
/* The steps of a document with these parameters ({"name": ["value"]}); NULL: only looks whether the document
 * is right. *seconds: time-outs of all steps. *err says where the document or a parameter is wrong. */
int sh_ssm_steps(const json_t *content, const json_t *parameters, json_t **steps, int64_t *seconds,
                 sh_err *err);

#endif
