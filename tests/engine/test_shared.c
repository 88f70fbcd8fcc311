/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that knows the public header and the shared library alone, as anybody's would. */
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    spyhop_model *model = NULL;
    spyhop_error error;
    if (strcmp(spyhop_version(), "0.1.0") != 0 || spyhop_cpu_detect() < SPYHOP_CPU_C)
        return 1;
    if (spyhop_model_parse(&model, "\x3a\x7f", 2, &error) != SPYHOP_E_FORMAT || model)
        return 1;
    puts(error.message);
    return 0;
}
