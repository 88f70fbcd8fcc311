/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_REFUSAL_H
#define TESTS_ENGINE_REFUSAL_H
/* Files that must be refused, as ways to spoil a good one. Include cmocka.h before. */
#include "netmodel.h"
#include <spyhop/spyhop.h>

/* 1 -> 4 convolution 3x3 named t0, then a shuffle to the output: what the cases spoil. */
void small_net(nm_model *net);
int small_parse(const nm_model *net, spyhop_model **model, spyhop_error *error);

/* Each case spoils the small network; the refusal has that status and those words in its message. */
typedef struct bad_case {
    const char *what;
    void (*spoil)(nm_model *net);
    int status;
    const char *words;
} bad_case;
void check_refusals(const bad_case *cases, size_t count);

#endif
