/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_DASH_XML_H
#define SH_STREAM_DASH_XML_H
/* A small writer of XML over a bounded buffer: elements nest by calls, attributes follow the element they
 * belong to, values are escaped here, names are our own constants. What XML 1.0 cannot hold (control
 * characters, bytes that are no UTF-8) becomes U+FFFD. An element without content closes itself. */
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

#define SH_DASH_XML_DEPTH 16

typedef struct sh_dash_xml {
    sh_buf *out;
    const char *names[SH_DASH_XML_DEPTH]; /* of the open elements */
    int depth;
    bool head;    /* the innermost one's start tag is still open */
    bool written; /* ... and text follows it: no line break before its end tag */
} sh_dash_xml;

/* Begins with the XML declaration. */
void sh_dash_xml_init(sh_dash_xml *x, sh_buf *out);
void sh_dash_xml_open(sh_dash_xml *x, const char *name);
void sh_dash_xml_close(sh_dash_xml *x);
void sh_dash_xml_attribute(sh_dash_xml *x, const char *name, const char *value);
void sh_dash_xml_format(sh_dash_xml *x, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sh_dash_xml_number(sh_dash_xml *x, const char *name, int64_t value);
void sh_dash_xml_text(sh_dash_xml *x, const char *text);

/* Length of the UTF-8 character (without surrogates and what is too long) that `text` begins with; 0: none.
 */
int sh_utf8_length(const char *text);

#endif
