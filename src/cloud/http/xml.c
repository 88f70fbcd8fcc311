/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/xml.h"

#include <expat.h>
#include <string.h>

typedef struct level {
    sh_xml *node;
    sh_xml **tail; /* where its next child goes */
    sh_buf text;
} level;

typedef struct reader {
    XML_Parser parser;
    sh_arena *arena;
    level levels[SH_XML_DEPTH_MAX + 1]; /* [0] holds the root */
    int depth;
    sh_xml *root;
    const char *why; /* stopped by us */
} reader;

enum { TEXT_MAX = 1 << 20 };

static void stop(reader *r, const char *why)
{
    r->why = why;
    XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *opaque, const XML_Char *name, const XML_Char **attributes)
{
    reader *r = opaque;
    const char *colon = strrchr(name, ':');
    (void)attributes;
    if (r->depth == SH_XML_DEPTH_MAX) {
        stop(r, "elements are nested too deeply");
        return;
    }
    if (colon && !colon[1]) {
        stop(r, "an element has a prefix and no name");
        return;
    }
    sh_xml *node = sh_arena_alloc(r->arena, sizeof(*node));
    if (node)
        node->name = sh_arena_strdup(r->arena, colon ? colon + 1 : name);
    if (!node || !node->name) {
        stop(r, "the document is too large");
        return;
    }
    *r->levels[r->depth].tail = node;
    r->levels[r->depth].tail = &node->next;
    level *child = &r->levels[++r->depth];
    child->node = node;
    child->tail = &node->child;
    sh_buf_clear(&child->text);
}

static void on_end(void *opaque, const XML_Char *name)
{
    reader *r = opaque;
    (void)name;
    if (r->why) /* expat ends an empty element even after it was stopped */
        return;
    level *current = &r->levels[r->depth--];
    current->node->text = sh_arena_strndup(r->arena, sh_buf_cstr(&current->text), current->text.length);
    if (!current->node->text)
        stop(r, "the document is too large");
}

static void on_text(void *opaque, const XML_Char *text, int length)
{
    reader *r = opaque;
    if (!r->why && sh_buf_append(&r->levels[r->depth].text, text, (size_t)length) < 0)
        stop(r, "a text is too long");
}

static void on_doctype(void *opaque, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                       int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    stop(opaque, "a DOCTYPE is not allowed");
}

int sh_xml_parse(const char *text, size_t length, sh_arena *arena, sh_xml **root, sh_err *err)
{
    int status = 0;
    reader r = {.arena = arena};
    if (length > INT32_MAX)
        return sh_fail(err, SH_E_LIMIT, "the XML is too long");
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser)
        return sh_fail(err, SH_E_MEMORY, "no memory for XML");
    for (int i = 0; i <= SH_XML_DEPTH_MAX; i++)
        sh_buf_init(&r.levels[i].text, TEXT_MAX);
    r.levels[0].tail = &r.root;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    if (XML_Parse(r.parser, text, (int)length, 1) != XML_STATUS_OK)
        status = sh_fail(err, SH_E_FORMAT, "line %lu, column %lu: %s", XML_GetCurrentLineNumber(r.parser),
                         XML_GetCurrentColumnNumber(r.parser) + 1,
                         r.why ? r.why : XML_ErrorString(XML_GetErrorCode(r.parser)));
    else
        *root = r.root;
    for (int i = 0; i <= SH_XML_DEPTH_MAX; i++)
        sh_buf_free(&r.levels[i].text);
    XML_ParserFree(r.parser);
    return status;
}

static const sh_xml *find(const sh_xml *node, const char *name)
{
    for (; node; node = node->next)
        if (strcmp(node->name, name) == 0)
            return node;
    return NULL;
}

const sh_xml *sh_xml_child(const sh_xml *node, const char *name)
{
    return node ? find(node->child, name) : NULL;
}

const sh_xml *sh_xml_next(const sh_xml *node, const char *name)
{
    return node ? find(node->next, name) : NULL;
}

const char *sh_xml_text(const sh_xml *node, const char *name)
{
    const sh_xml *child = sh_xml_child(node, name);
    return child ? child->text : NULL;
}

void sh_xml_begin(sh_buf *out)
{
    sh_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

void sh_xml_open(sh_buf *out, const char *name)
{
    sh_buf_printf(out, "<%s>", name);
}

/* An opening tag may carry attributes: the name ends at the first blank. */
void sh_xml_close(sh_buf *out, const char *name)
{
    sh_buf_printf(out, "</%.*s>", (int)strcspn(name, " "), name);
}

void sh_xml_escape(sh_buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '&')
            sh_buf_puts(out, "&amp;");
        else if (c == '<')
            sh_buf_puts(out, "&lt;");
        else if (c == '>')
            sh_buf_puts(out, "&gt;");
        else if (c == '"')
            sh_buf_puts(out, "&quot;");
        else if (c < 0x20 || c == 0x7F)
            sh_buf_printf(out, "&#x%x;", c);
        else
            sh_buf_putc(out, (char)c);
    }
}

void sh_xml_put(sh_buf *out, const char *name, const char *text)
{
    sh_xml_open(out, name);
    sh_xml_escape(out, text);
    sh_xml_close(out, name);
}

void sh_xml_put_int(sh_buf *out, const char *name, long long value)
{
    sh_buf_printf(out, "<%s>%lld</%s>", name, value, name);
}
