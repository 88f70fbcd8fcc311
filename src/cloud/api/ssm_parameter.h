/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_SSM_PARAMETER_H
#define SH_API_SSM_PARAMETER_H
/* Parameter Store: what the files ssm_parameter*.c share. */
#include "cloud/api/args.h"
#include "cloud/store/parameters.h"

#define SH_PARAMETER_NAME_MAX 2048
#define SH_PARAMETER_VALUE_MAX 8192 /* characters, of the tier Advanced */

/* The name in "NAME", "NAME:SELECTOR" or an ARN of a parameter of this account; *selector: a version or a
 * label, NULL when there is none. In the arena. */
int sh_parameter_name(sh_call *call, const char *given, const char **name, const char **selector);
/* The parameter that a name with its selector means. SH_E_NOT_FOUND without an error of the call: no such
 * name. SH_E_ARGUMENT with one: no such version, a bad name. */
int sh_parameter_find(sh_call *call, const char *given, sh_parameter *out, const char **selector);
/* The "Parameter" of GetParameter, its value opened when `decrypt`. NULL: sh_call_fail was called. */
json_t *sh_parameter_json(sh_call *call, const sh_parameter *p, bool decrypt, const char *selector);
/* "ParameterMetadata"; `history` adds Value (opened when decrypt) and Labels. */
json_t *sh_parameter_meta(sh_call *call, const sh_parameter *p, bool history, bool decrypt);
int sh_parameter_missing(sh_call *call); /* ParameterNotFound */

/* ---- actions ---- */
int sh_ssm_put_parameter(sh_call *call); /* ssm_parameter_put.c */
int sh_ssm_delete_parameter(sh_call *call);
int sh_ssm_delete_parameters(sh_call *call);
int sh_ssm_label_parameter(sh_call *call); /* ssm_parameter_label.c */
int sh_ssm_unlabel_parameter(sh_call *call);
int sh_ssm_add_tags(sh_call *call);
int sh_ssm_remove_tags(sh_call *call);
int sh_ssm_list_tags(sh_call *call);
int sh_ssm_get_parameter(sh_call *call); /* ssm_parameter.c */
int sh_ssm_get_parameters(sh_call *call);
int sh_ssm_get_by_path(sh_call *call); /* ssm_parameter_list.c */
int sh_ssm_describe_parameters(sh_call *call);
int sh_ssm_parameter_history(sh_call *call);

#endif
