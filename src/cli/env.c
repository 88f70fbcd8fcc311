/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/env.h"

#include <stdlib.h>

const char *sh_env_or(const char *first, const char *second, const char *otherwise)
{
    const char *value = getenv(first);
    if (!value || !*value)
        value = second ? getenv(second) : NULL;
    return value && *value ? value : otherwise;
}
