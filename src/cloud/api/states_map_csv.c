/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CSV as Step Functions reads it: records end at a new line that is not within quotes; a field in quotes may
 * hold delimiters and new lines, and quotes when they are doubled; a backslash makes the next backslash,
 * quote or delimiter an ordinary character, and is dropped before anything else. */
#include "cloud/api/states_map.h"
#include "base/buf.h"

#include <string.h>

char sh_csv_delimiter(const char *name)
{
    static const struct {
        const char *name;
        char delimiter;
    } rows[] = {{"COMMA", ','}, {"PIPE", '|'}, {"SEMICOLON", ';'}, {"SPACE", ' '}, {"TAB", '\t'}};
    for (size_t i = 0; name && i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].delimiter;
    }
    return ',';
}

typedef struct cursor {
    const char *at, *end;
    char delimiter;
    bool quoted;
} cursor;

/* A character that belongs to the field, or -1 at the end of the field. Escapes give SKIP. */
enum { FIELD_END = -1, SKIP = -2 };

static int next_character(cursor *c)
{
    char here = *c->at++;
    char next = c->at < c->end ? *c->at : '\0';
    if (here == '\\') {
        if (next != '\\' && next != '"' && next != c->delimiter)
            return SKIP;
        c->at++;
        return (unsigned char)next;
    }
    if (here == '"' && c->quoted && next == '"') {
        c->at++;
        return '"';
    }
    if (here == '"') {
        c->quoted = !c->quoted;
        return SKIP;
    }
    if (!c->quoted && (here == c->delimiter || here == '\n')) {
        c->at--;
        return FIELD_END;
    }
    if (!c->quoted && here == '\r' && (next == '\n' || c->at == c->end))
        return SKIP;
    return (unsigned char)here;
}

static json_t *read_field(cursor *c)
{
    sh_buf buf;
    int character;
    sh_buf_init(&buf, SH_FLOW_PAYLOAD_MAX);
    c->quoted = false;
    while (c->at < c->end && (character = next_character(c)) != FIELD_END) {
        if (character != SKIP)
            sh_buf_putc(&buf, (char)character);
    }
    json_t *field = buf.failed ? NULL : json_stringn(sh_buf_cstr(&buf), buf.length);
    if (!field && !buf.failed) /* not UTF-8 */
        field = json_string("");
    sh_buf_free(&buf);
    return field;
}

json_t *sh_csv_record(const char **text, const char *end, char delimiter)
{
    cursor c = {*text, end, delimiter, false};
    json_t *record = json_array();
    for (;;) {
        if (!record || json_array_append_new(record, read_field(&c)) < 0) {
            json_decref(record);
            return NULL;
        }
        if (c.at == c.end)
            break;
        if (*c.at++ == '\n')
            break;
    }
    *text = c.at;
    return record;
}
