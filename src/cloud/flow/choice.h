/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_CHOICE_H
#define SH_CLOUD_FLOW_CHOICE_H
/* The rules of a Choice. An operator is one row of a table in choice.c. */
#include "cloud/flow/model.h"

/* Whether the rule holds for eval->input. 0, SH_FAULT or SH_E_*. */
int sh_rule_eval(const sh_rule *rule, const sh_eval *eval, bool *out);

#endif
