/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "jsonwork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);
    free(copy);
    assert_non_null(value);
    return value;
}

void json_change(json_t *root, const char *path, const char *value)
{
    char step[64];
    for (path++;;) {
        size_t length = strcspn(path, "/");
        memcpy(step, path, length);
        step[length] = '\0';
        if (path[length] == '\0')
            break;
        root = json_is_array(root) ? json_array_get(root, (size_t)strtoul(step, NULL, 10))
                                   : json_object_get(root, step);
        assert_non_null(root);
        path += length + 1;
    }
    if (!value)
        json_object_del(root, step);
    else if (json_is_array(root))
        json_array_append_new(root, json_of(value));
    else
        json_object_set_new(root, step, json_of(value));
}
