/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/dash_xml.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sh_utf8_length(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    int length = *c < 0x80 ? 1 : *c < 0xC2 ? 0 : *c < 0xE0 ? 2 : *c < 0xF0 ? 3 : *c < 0xF5 ? 4 : 0;
    for (int i = 1; i < length; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) || (c[0] == 0xF0 && c[1] < 0x90) ||
        (c[0] == 0xF4 && c[1] > 0x8F))
        return 0;
    return length;
}

static void put_escaped(sh_buf *out, const char *text)
{
    while (*text) {
        int length = sh_utf8_length(text);
        const unsigned char c = (unsigned char)*text;
        if (length == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F)
            sh_buf_puts(out, "\xEF\xBF\xBD");
        else if (strchr("&<>\"'\t\n\r", c))
            sh_buf_printf(out, "&#%d;", c);
        else
            sh_buf_append(out, text, (size_t)length);
        text += length > 0 ? length : 1;
    }
}

static void finish_head(sh_dash_xml *x)
{
    if (x->head)
        sh_buf_putc(x->out, '>');
    x->head = false;
}

static void indent(sh_dash_xml *x)
{
    sh_buf_printf(x->out, "\n%*s", x->depth * 2, "");
}

void sh_dash_xml_init(sh_dash_xml *x, sh_buf *out)
{
    *x = (sh_dash_xml){.out = out};
    sh_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
}

void sh_dash_xml_open(sh_dash_xml *x, const char *name)
{
    finish_head(x);
    if (x->depth == SH_DASH_XML_DEPTH)
        abort(); /* elements nest by our own calls */
    indent(x);
    sh_buf_printf(x->out, "<%s", name);
    x->names[x->depth++] = name;
    x->head = true;
    x->written = false;
}

void sh_dash_xml_close(sh_dash_xml *x)
{
    const char *name = x->names[--x->depth];
    if (x->head) {
        sh_buf_puts(x->out, "/>");
    } else {
        if (!x->written)
            indent(x);
        sh_buf_printf(x->out, "</%s>", name);
    }
    x->head = x->written = false;
    if (x->depth == 0)
        sh_buf_putc(x->out, '\n');
}

void sh_dash_xml_attribute(sh_dash_xml *x, const char *name, const char *value)
{
    sh_buf_printf(x->out, " %s=\"", name);
    put_escaped(x->out, value);
    sh_buf_putc(x->out, '"');
}

void sh_dash_xml_format(sh_dash_xml *x, const char *name, const char *format, ...)
{
    char value[512];
    va_list list;
    va_start(list, format);
    vsnprintf(value, sizeof(value), format, list);
    va_end(list);
    sh_dash_xml_attribute(x, name, value);
}

void sh_dash_xml_number(sh_dash_xml *x, const char *name, int64_t value)
{
    sh_buf_printf(x->out, " %s=\"%" PRId64 "\"", name, value);
}

void sh_dash_xml_text(sh_dash_xml *x, const char *text)
{
    finish_head(x);
    put_escaped(x->out, text);
    x->written = true;
}
