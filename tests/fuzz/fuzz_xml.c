/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for XML: what can be read is written again, and read the same. */
#include "fuzz.h"
#include "cloud/http/xml.h"

#include <string.h>

static void put(sh_buf *out, const sh_xml *node)
{
    sh_xml_open(out, node->name);
    sh_xml_escape(out, node->text);
    for (const sh_xml *child = node->child; child; child = child->next)
        put(out, child);
    sh_xml_close(out, node->name);
}

static void same(const sh_xml *a, const sh_xml *b)
{
    for (; a && b; a = a->next, b = b->next) {
        CHECK(strcmp(a->name, b->name) == 0 && strcmp(a->text, b->text) == 0);
        same(a->child, b->child);
    }
    CHECK(!a && !b);
}

/* What stands behind a prefix may be no name by itself ("a:1"). */
static bool names_stand_alone(const sh_xml *node)
{
    for (; node; node = node->next) {
        char c = node->name[0];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_')
            return false;
        if (!names_stand_alone(node->child))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sh_arena *arena = sh_arena_new(16 << 20);
    sh_xml *root = NULL, *again = NULL;
    sh_err err = {0};
    sh_buf out;
    CHECK(arena);
    char *text = fuzz_text(data, size); /* a parser of bytes: it gets no NUL to lean on */
    int status = sh_xml_parse(text, size, arena, &root, &err);
    CHECK(status == 0 || err.message[0]);
    sh_buf_init(&out, 16 << 20);
    if (status == 0) {
        CHECK(root);
        const char *found = sh_xml_text(root, "Key");
        CHECK(!found || sh_xml_child(root, "Key"));
        if (root->child)
            sh_xml_next(root->child, root->child->name);
        sh_xml_begin(&out);
        put(&out, root);
        CHECK(out.failed || !names_stand_alone(root) ||
              sh_xml_parse(sh_buf_cstr(&out), out.length, arena, &again, NULL) == 0);
        if (again)
            same(root, again);
        sh_buf_clear(&out);
        sh_xml_put(&out, "a", root->text);
        sh_xml_put_int(&out, "b", (long long)size);
    }
    sh_buf_free(&out);
    free(text);
    sh_arena_free(arena);
    return 0;
}
