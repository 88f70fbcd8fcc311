/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_XML_H
#define SH_HTTP_XML_H
/* XML as AWS's REST services use it: elements with text, no attributes that matter, no mixed content.
 * Documents with a DOCTYPE are refused, so no entity can grow. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef struct sh_xml {
    const char *name; /* without namespace prefix */
    const char *text; /* of the element itself, "" when it has none */
    struct sh_xml *child;
    struct sh_xml *next;
} sh_xml;

enum { SH_XML_DEPTH_MAX = 16 };

/* Everything is in the arena. SH_E_FORMAT with line and column in the message. */
int sh_xml_parse(const char *text, size_t length, sh_arena *arena, sh_xml **root, sh_err *err);
const sh_xml *sh_xml_child(const sh_xml *node, const char *name); /* first of that name, or NULL */
const char *sh_xml_text(const sh_xml *node, const char *name);    /* text of that child, or NULL */
const sh_xml *sh_xml_next(const sh_xml *node, const char *name);  /* next sibling of that name */

void sh_xml_begin(sh_buf *out); /* the XML declaration */
void sh_xml_open(sh_buf *out, const char *name);
void sh_xml_close(sh_buf *out, const char *name);
/* <name>escaped text</name>. Characters that XML 1.0 cannot hold even escaped (most control characters) are
 * written as numeric references, as S3 does. */
void sh_xml_put(sh_buf *out, const char *name, const char *text);
void sh_xml_put_int(sh_buf *out, const char *name, long long value);
void sh_xml_escape(sh_buf *out, const char *text);

#endif
