/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for expressions and the intrinsic functions: an expression, and after a TAB the JSON text that
 * is its $ (and $$). */
#include "fuzz.h"
#include "cloud/flow/expr.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char some_json[] = "{\"a\":[1,2.5,{\"b\":\"c\"},[\"x\",null],1],\"k\":{\"a\":true,\"d\":"
                                "\"\\u00fc\"},\"s\":\"a,b;c\",\"n\":12,"
                                "\"j\":\"{\\\"x\\\":[1]}\",\"b\":\"YWI=\",\"t\":\"{}-{}\"}";

static void evaluate(const sh_expr *expr, json_t *root)
{
    sh_flow_env env = fuzz_env();
    sh_fault fault = {0};
    sh_eval eval = {.input = root, .context = root, .env = &env, .fault = &fault};
    json_t *found = NULL;
    int status = sh_expr_eval(expr, &eval, "f.$", &found);

    if (!status) {
        char *text = sh_flow_text(found);

        assert(found && !fault.error);
        free(text);
        json_decref(found);
    } else if (status == SH_FAULT) {
        assert(fault.error && fault.cause &&
               (!strcmp(fault.error, "States.IntrinsicFailure") || fault.runtime));
    }
    sh_fault_clear(&fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_parts parts;
    sh_build build;
    const sh_expr *expr = NULL;
    json_t *root = NULL;
    sh_err err = {0};

    if (!fuzz_split(&parts, data, size, some_json))
        return 0;
    build = (sh_build){.arena = sh_arena_new(16 * 1024 * 1024), .keep = json_array()};
    if (sh_expr_parse(&build, parts.text, parts.length, &expr, &err)) {
        assert(!expr && err.message[0]);
    } else if (!sh_flow_load(&root, parts.json, parts.json_length, &err)) {
        evaluate(expr, root);
    }
    json_decref(root);
    json_decref(build.keep);
    sh_arena_free(build.arena);
    return 0;
}
