/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/mpd_read.h"
#include "base/buf.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE "urn:mpeg:dash:schema:mpd:2011"
#define ARENA_MOST (256U << 20)
#define DEPTH_MOST 24
#define NODES_MOST 1000000
#define TEXT_MOST 65536

typedef struct building {
    XML_Parser parser;
    sh_mpd *mpd;
    sh_mpd_node *at;
    size_t depth, nodes;
    sh_buf text; /* of the innermost element */
    const char *problem;
} building;

static void stop(building *b, const char *problem)
{
    if (!b->problem) {
        b->problem = problem;
        b->mpd->fault_line = (int64_t)XML_GetCurrentLineNumber(b->parser);
    }
    XML_StopParser(b->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *bar = strrchr(name, '|');
    return bar ? bar + 1 : name;
}

static bool is_foreign(const char *name)
{
    const char *bar = strrchr(name, '|');
    return !bar || (size_t)(bar - name) != strlen(NAMESPACE) ||
           memcmp(name, NAMESPACE, strlen(NAMESPACE)) != 0;
}

static void add_attributes(building *b, sh_mpd_node *node, const XML_Char **list)
{
    for (; list[0]; list += 2) {
        if (strchr(list[0], '|'))
            continue;
        sh_mpd_attribute *a = sh_arena_alloc(b->mpd->arena, sizeof(*a));
        if (!a || !(a->name = sh_arena_strdup(b->mpd->arena, list[0])) ||
            !(a->value = sh_arena_strdup(b->mpd->arena, list[1]))) {
            stop(b, "it is too large");
            return;
        }
        a->next = node->attributes;
        node->attributes = a;
    }
}

static void on_start(void *opaque, const XML_Char *name, const XML_Char **attributes)
{
    building *b = opaque;
    if (b->depth++ == DEPTH_MOST || b->nodes++ == NODES_MOST) {
        stop(b, "elements lie too deep, or are too many");
        return;
    }
    sh_mpd_node *node = sh_arena_alloc(b->mpd->arena, sizeof(*node));
    if (!node || !(node->name = sh_arena_strdup(b->mpd->arena, local_name(name)))) {
        stop(b, "it is too large");
        return;
    }
    node->foreign = is_foreign(name);
    node->line = (int64_t)XML_GetCurrentLineNumber(b->parser);
    node->text = "";
    node->parent = b->at;
    if (!b->at)
        b->mpd->root = node;
    else if (b->at->last)
        b->at->last->next = node;
    else
        b->at->child = node;
    if (b->at)
        b->at->last = node;
    b->at = node;
    sh_buf_clear(&b->text);
    add_attributes(b, node, attributes);
}

static void on_end(void *opaque, const XML_Char *name)
{
    building *b = opaque;
    if (b->text.length > 0 && !b->at->child) {
        const char *text = sh_arena_strndup(b->mpd->arena, sh_buf_cstr(&b->text), b->text.length);
        if (!text || b->text.failed)
            stop(b, "it is too large");
        else
            b->at->text = text;
    }
    sh_buf_clear(&b->text);
    b->at = b->at->parent;
    b->depth--;
}

static void on_text(void *opaque, const XML_Char *text, int length)
{
    building *b = opaque;
    if (sh_buf_append(&b->text, text, (size_t)length) < 0)
        stop(b, "an element's text is too long");
}

static void on_doctype(void *opaque, const XML_Char *name, const XML_Char *system, const XML_Char *public_id,
                       int internal)
{
    stop(opaque, "there is a document type declaration");
}

int sh_mpd_read(sh_mpd *out, const char *text, size_t length, sh_err *err)
{
    *out = (sh_mpd){.arena = sh_arena_new(ARENA_MOST)};
    building b = {.parser = XML_ParserCreateNS("UTF-8", '|'), .mpd = out};
    int status = 0;
    sh_buf_init(&b.text, TEXT_MOST);
    if (!out->arena || !b.parser) {
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
        goto done;
    }
    XML_SetUserData(b.parser, &b);
    XML_SetElementHandler(b.parser, on_start, on_end);
    XML_SetCharacterDataHandler(b.parser, on_text);
    XML_SetStartDoctypeDeclHandler(b.parser, on_doctype);
    if (length > INT32_MAX || XML_Parse(b.parser, text, (int)length, 1) != XML_STATUS_OK) {
        if (!b.problem)
            out->fault_line = (int64_t)XML_GetCurrentLineNumber(b.parser);
        status = sh_fail(err, SH_E_FORMAT, "%s",
                         b.problem ? b.problem : XML_ErrorString(XML_GetErrorCode(b.parser)));
    }
done:
    if (b.parser)
        XML_ParserFree(b.parser);
    sh_buf_free(&b.text);
    return status;
}

void sh_mpd_free(sh_mpd *mpd)
{
    if (mpd)
        sh_arena_free(mpd->arena);
}

const char *sh_mpd_get(const sh_mpd_node *node, const char *name)
{
    for (const sh_mpd_attribute *a = node ? node->attributes : NULL; a; a = a->next)
        if (strcmp(a->name, name) == 0)
            return a->value;
    return NULL;
}

const sh_mpd_node *sh_mpd_child(const sh_mpd_node *node, const char *name, const sh_mpd_node *after)
{
    const sh_mpd_node *n = after ? after->next : node ? node->child : NULL;
    while (n && (n->foreign || strcmp(n->name, name) != 0))
        n = n->next;
    return n;
}

/* ---- values ---- */

bool sh_mpd_duration(const char *text, double *seconds)
{
    static const struct {
        char unit;
        bool time;
        double seconds;
    } units[] = {{'Y', false, 31536000}, {'M', false, 2592000}, {'D', false, 86400},
                 {'H', true, 3600},      {'M', true, 60},       {'S', true, 1}};
    double sum = 0;
    size_t unit = 0;
    bool time = false, any = false;
    if (*text++ != 'P')
        return false;
    while (*text) {
        if (*text == 'T' && !time) {
            time = true;
            any = false;
            text++;
            continue;
        }
        char *end;
        if (*text < '0' || *text > '9')
            return false;
        const double value = strtod(text, &end);
        while (unit < 6 && (units[unit].unit != *end || units[unit].time != time))
            unit++;
        if (unit == 6 || (memchr(text, '.', (size_t)(end - text)) && *end != 'S') ||
            memchr(text, 'e', (size_t)(end - text)) || memchr(text, 'x', (size_t)(end - text)))
            return false;
        sum += value * units[unit++].seconds;
        text = end + 1;
        any = true;
    }
    *seconds = sum;
    return any;
}

bool sh_mpd_ratio(const char *text, char separator, int64_t *num, int64_t *den)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    const long long a = strtoll(text, &end, 10);
    long long b = 1;
    if (*end == separator) {
        const char *from = end + 1;
        if (*from < '0' || *from > '9')
            return false;
        b = strtoll(from, &end, 10);
    }
    if (*end || b < 1 || a < 0 || a > INT32_MAX || b > INT32_MAX)
        return false;
    *num = a;
    *den = b;
    return true;
}
