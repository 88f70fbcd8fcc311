/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fuzz driver of the ONNX reader: bytes go in, and whatever they are, the reader answers or refuses; what
 * it takes also runs on a small picture. With -DSH_FUZZ and clang's -fsanitize=fuzzer it is libFuzzer's
 * target; otherwise a program that runs a corpus made here: every truncation of small networks, flipped bits,
 * and damaged lengths. */
#include "netmodel.h"
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_onnx: %s\n", what);
        abort();
    }
}

static void run_small(const spyhop_model *model)
{
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_settings settings;
    spyhop_context *context = NULL;
    spyhop_plane in[3], out[3];
    static uint8_t from[3][7 * 5], to[3][7 * 5 * 64];
    spyhop_settings_default(&settings);
    settings.threads = 1;
    require(spyhop_model_describe(model, &info) == SPYHOP_OK, "a model that cannot be described");
    require(info.scale >= 1 && info.scale <= 8 && (info.channels == 1 || info.channels == 3),
            "a model out of bounds");
    if (info.macs_per_pixel > 1000000 || spyhop_open(&context, model, &settings, NULL) < 0)
        return;
    for (int c = 0; c < info.channels; c++) {
        in[c] = (spyhop_plane){from[c], 7, 7, 5, 8};
        out[c] = (spyhop_plane){to[c], 7 * info.scale, 7 * info.scale, 5 * info.scale, 8};
    }
    require(spyhop_run_planes(context, in, out, info.channels, NULL) == SPYHOP_OK,
            "a model that opens and fails");
    spyhop_close(&context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    int status = spyhop_model_parse(&model, data, size, &error);
    require((status == SPYHOP_OK) == (model != NULL), "a status that does not go with its model");
    require(status == SPYHOP_OK || error.message[0], "a refusal without words");
    if (model)
        run_small(model);
    spyhop_model_free(&model);
    return 0;
}

#ifndef SH_FUZZ
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
