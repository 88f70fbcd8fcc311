/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FLOW_FUZZ_H
#define TESTS_FLOW_FUZZ_H
/* What the fuzz drivers share. Each is a target of libFuzzer (tests/fuzz/states.sh), and with
 * tests/fuzz/main.c a test: it runs every line of its corpus, every prefix of each, and a fixed run of random
 * changes to them. */
#include "cloud/flow/flow.h"
#include <stddef.h>
#include <stdint.h>

/* One input: a text that need not end in NUL. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A world for steps: a clock that stands, randomness and digests that repeat. */
sh_flow_env fuzz_env(void);

/* An input of two parts: a text, and after a TAB the JSON text that goes with it. */
typedef struct fuzz_parts {
    const char *text, *json;
    size_t length, json_length;
} fuzz_parts;

/* json: in place of one that is not there. False when the input is not UTF-8, which a definition is before
 * any part of it is looked at. */
bool fuzz_split(fuzz_parts *parts, const uint8_t *data, size_t size, const char *json);

#endif
