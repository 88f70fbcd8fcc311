/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for JSONPath: a path, and after a TAB the JSON text to apply it to. */
#include "fuzz.h"
#include "cloud/flow/path.h"
#include <assert.h>
#include <stdlib.h>

static const char some_json[] = "{\"a\":[1,2.5,{\"b\":\"c\"},[\"x\",null]],\"k\":{\"a\":true,\"d-e\":"
                                "\"\\u00fc\"},\"s\":\"text\",\"l\":[{\"id\":1,"
                                "\"n\":null},{\"id\":2,\"on\":false},{\"id\":\"2\"}]}";

static void check_put(const sh_path *path, json_t *root)
{
    json_t *value = json_integer(7), *whole = NULL, *found = NULL;
    int status = sh_path_put(path, root, value, &whole);

    if (!status) { /* what was written there is found there */
        assert(!sh_path_get(path, whole, &found) && json_equal(found, value));
        json_decref(found);
        json_decref(whole);
    } else {
        assert(status == SH_E_CONFLICT);
    }
    json_decref(value);
}

static void apply(const sh_path *path, json_t *root)
{
    json_t *found = NULL;
    int status = sh_path_get(path, root, &found);
    sh_buf why;

    if (!status) {
        char *text = sh_flow_text(found);

        assert(text || json_is_array(found));
        free(text);
        json_decref(found);
    } else {
        assert(status == SH_E_NOT_FOUND || status == SH_E_LIMIT);
        sh_buf_init(&why, SH_FLOW_TEXT_MAX);
        sh_path_why(path, root, &why);
        sh_buf_free(&why);
    }
    if (sh_path_is_reference(path))
        check_put(path, root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_parts parts;
    sh_build build;
    const sh_path *path = NULL;
    json_t *root = NULL;
    sh_err err = {0};

    if (!fuzz_split(&parts, data, size, some_json))
        return 0;
    build = (sh_build){.arena = sh_arena_new(16 * 1024 * 1024), .keep = json_array()};
    if (sh_path_parse(&build, parts.text, parts.length, &path, &err)) {
        assert(!path && err.message[0]);
    } else if (!sh_flow_load(&root, parts.json, parts.json_length, &err)) {
        apply(path, root);
    }
    json_decref(root);
    json_decref(build.keep);
    sh_arena_free(build.arena);
    return 0;
}
