/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands in for the evaluator of JSONata until it is there: every expression is refused by name. */
#include "cloud/flow/jsonata.h"
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

WEAK int sh_jsonata_parse(sh_build *build, const char *text, size_t length, const sh_jsonata **out,
                          size_t *position, sh_err *err)
{
    return sh_fail(err, SH_E_FORMAT, "JSONata expressions are not supported yet");
}

WEAK int sh_jsonata_eval(const sh_jsonata *jsonata, const json_t *input, const sh_jsonata_env *env,
                         json_t **out, sh_jsonata_error *error)
{
    return SH_E_UNSUPPORTED;
}

WEAK void sh_jsonata_variables(const sh_jsonata *jsonata, sh_jsonata_visit visit, void *opaque)
{
}

WEAK void sh_jsonata_error_clear(sh_jsonata_error *error)
{
}

WEAK char *sh_jsonata_error_text(const sh_jsonata_error *error)
{
    return strdup("");
}
