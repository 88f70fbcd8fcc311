/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fuzz driver of the ONNX reader: bytes go in, and whatever they are, hostile_try holds the engine to
 * what it owes them. As it is built for the tests, a program that runs a corpus made here: every truncation
 * of small networks, flipped bits, and damaged lengths. With -DSH_FUZZ libFuzzer's target, which changes
 * fields of the file's tree as often as bytes: tests/fuzz/onnx.sh builds and runs it. */
#include "hostile.h"
#include "netmodel.h"
#include "pbtree.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hostile_try(data, size, (uint32_t)size);
    return 0;
}

#ifdef SH_FUZZ
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    setenv("SPYHOP_ORT", "", 1);
    return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maximum);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maximum, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maximum, unsigned int seed)
{
    pb_tree tree;
    pb_change changes[PB_CHANGES];
    uint32_t state = seed | 1;
    sh_arena *scratch = sh_arena_new((size_t)64 << 20);
    sh_buf out;
    sh_buf_init(&out, maximum);
    int whole = pb_read(&tree, data, size) && tree.count > 0 && scratch && nm_next(&state) % 2;
    if (whole)
        pb_write(&tree, changes, pb_random_changes(&tree, changes, &state, scratch), &out);
    whole = whole && !out.failed && out.length;
    if (whole)
        memcpy(data, out.data, out.length);
    size = whole ? out.length : LLVMFuzzerMutate(data, size, maximum);
    sh_buf_free(&out);
    sh_arena_free(scratch);
    pb_free(&tree);
    return size;
}
#else
static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_onnx: %s\n", what);
        abort();
    }
}

/* The bytes are copied to memory of exactly their length, so that a sanitizer sees a read past them. */
static void try_bytes(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + !size);
    require(copy != NULL, "out of memory");
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void try_network(const nm_model *net, int truncate, int flips, uint32_t seed)
{
    sh_buf file;
    sh_buf_init(&file, 1 << 20);
    nm_write(net, &file);
    require(!file.failed, "out of memory");
    uint8_t *bytes = (uint8_t *)file.data;
    for (size_t size = 0; truncate && size <= file.length; size++)
        try_bytes(bytes, size);
    for (int i = 0; i < flips; i++) {
        size_t at = nm_next(&seed) % file.length, other = nm_next(&seed) % file.length;
        uint8_t was = bytes[at], was_other = bytes[other];
        bytes[at] ^= (uint8_t)(1 << nm_next(&seed) % 8);
        if (i % 3 == 0)
            bytes[other] = (uint8_t)(nm_next(&seed) >> 8);
        try_bytes(bytes, file.length);
        bytes[other] = was_other;
        bytes[at] = was;
    }
    sh_buf_free(&file);
}

int main(void)
{
    nm_model net;
    setenv("SPYHOP_ORT", "", 1); /* what the engine lacks is refused, and not run elsewhere */
    nm_random(&net, 12);
    try_network(&net, 1, 5000, 1);
    nm_free(&net);
    for (uint32_t seed = 1000; seed < 1100; seed++) {
        nm_random(&net, seed);
        try_network(&net, seed % 50 == 0, 100, seed);
        nm_free(&net);
    }
    nm_fast(&net, 0, 1);
    try_network(&net, 1, 3000, 2);
    nm_free(&net);
    puts("fuzz_onnx: every input was answered");
    return 0;
}
#endif
