/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_CHAINMAKE_H
#define TESTS_ENGINE_CHAINMAKE_H
/* Models of the form that chain.h wants, with random weights, made as graphs and not as files. */
#include "engine/context.h"

typedef struct chain_form {
    int scale, channels, inner; /* inner: convolutions between the first and the last */
    int float_last;             /* the last weights are no integers */
    int loud;                   /* weights of the middle are the largest there are, with pairs past 128 */
    uint32_t seed;
    int mirrors; /* beyond its border the picture is its mirror image, and not its border */
} chain_form;

/* To be freed with spyhop_model_free. Failures are cmocka's. */
spyhop_model *chain_model(const chain_form *form);

#endif
