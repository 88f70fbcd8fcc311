/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for JSONata: an expression, and after a TAB the JSON text that is its input. */
#include "fuzz.h"
#include "cloud/flow/jsonata.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char some_json[] =
    "{\"a\":1,\"b\":\"text\",\"c\":[1,2,3,4,5],\"d\":{\"x\":1,\"y\":{\"z\":[{\"k\":1,\"v\":\"p\"},{\"k\":2,"
    "\"v\":\"q\"}]}},\"n\":null,\"t\":true,\"nested\":[[1,2],[3,[4,5]],6],\"objs\":[{\"o\":{\"z\":1},\"n\":"
    "\"one\",\"p\":[{\"q\":1},{\"q\":2}]},{\"o\":{\"z\":2},\"n\":\"two\",\"p\":[{\"q\":3}]}],\"s\":\"a grey "
    "whale dives\",\"u\":\"\\u00fcn\\ud83d\\ude00\",\"Show\":{\"Season\":[{\"SeasonID\":\"s1\",\"Episode\":[{"
    "\"Key\":\"k\",\"Minutes\":42.5,\"Views\":2}]}]}}";

static void count(void *opaque, const char *name, const char *path, size_t position)
{
    (void)position;
    *(size_t *)opaque += strlen(name) + (path ? strlen(path) : 0);
}

static void evaluate(const sh_jsonata *jsonata, const json_t *input)
{
    sh_flow_env flow_env = fuzz_env();
    sh_jsonata_env env = {.env = &flow_env, .steps = 20000};
    sh_jsonata_error error = {0};
    json_t *found = NULL;
    int status = sh_jsonata_eval(jsonata, input, &env, &found, &error);

    assert(status == 0 || status == SH_FAULT);
    if (!status && found) {
        char *text = sh_flow_text(found);

        free(text);
        json_decref(found);
    } else if (status == SH_FAULT) {
        char *text = sh_jsonata_error_text(&error);
        json_t *utf8 = json_string(text);

        assert(!found && text && *text && utf8);
        json_decref(utf8);
        free(text);
    }
    sh_jsonata_error_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_parts parts;
    sh_build build;
    const sh_jsonata *jsonata = NULL;
    json_t *input = NULL;
    size_t position = 0, seen = 0;
    sh_err err = {0};

    if (!fuzz_split(&parts, data, size, some_json))
        return 0;
    build = (sh_build){.arena = sh_arena_new(16 * 1024 * 1024), .keep = json_array()};
    if (sh_jsonata_parse(&build, parts.text, parts.length, &jsonata, &position, &err)) {
        assert(!jsonata && err.message[0] && position <= size);
    } else if (!sh_flow_load(&input, parts.json, parts.json_length, &err)) {
        sh_jsonata_variables(jsonata, count, &seen);
        evaluate(jsonata, input);
    }
    json_decref(input);
    json_decref(build.keep);
    sh_arena_free(build.arena);
    return 0;
}
