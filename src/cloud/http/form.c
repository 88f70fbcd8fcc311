/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The delimiter is CR LF "--" boundary, and the first may stand at the very start: the stream is read as if a
 * CR LF came before it. A boundary holds no CR, so that a partial match of the delimiter can only be the
 * start of another one at its next CR: what was matched is data then, and nothing needs to be looked at
 * twice. */
#include "cloud/http/form.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef enum place {
    IN_PREAMBLE, /* before the first delimiter */
    IN_AFTER,    /* behind a delimiter: "--", blanks, line end */
    IN_HEAD,     /* of a part */
    IN_DATA,
    IN_EPILOGUE,
} place;

struct sh_form {
    sh_form_events events;
    char delimiter[SH_FORM_BOUNDARY_MAX + 5];
    size_t length;  /* of the delimiter */
    size_t matched; /* bytes of it that were seen last */
    size_t unreal;  /* of these: a line end that was only imagined */
    place place;
    char after[2]; /* what came behind a delimiter */
    size_t after_length;
    sh_buf head;
};

static const char type_name[] = "multipart/form-data";

bool sh_form_is(const char *content_type)
{
    size_t length = sizeof(type_name) - 1;
    return content_type && strncasecmp(content_type, type_name, length) == 0 &&
           (content_type[length] == '\0' || content_type[length] == ';' || content_type[length] == ' ');
}

/* ---- parameters: name=token or name="text" ---- */

static size_t take_quoted(const char *at, char *out, size_t size, size_t *used)
{
    const char *from = at++;
    while (*at && *at != '"') {
        if (*at == '\\' && at[1] == '"')
            at++;
        if (*used + 1 < size)
            out[(*used)++] = *at;
        at++;
    }
    return (size_t)(at - from) + (*at == '"');
}

/* The parameter of that name in "…; a=b; c=\"d\"" as a text of its own; false: there is none, or it is
 * longer. */
static bool parameter(const char *text, const char *name, char *out, size_t size)
{
    const char *at = text + strcspn(text, ";");
    while (*at == ';') {
        size_t used = 0;
        at += 1 + strspn(at + 1, " \t");
        size_t length = strcspn(at, "=;");
        bool found = strlen(name) == length && strncasecmp(at, name, length) == 0;
        at += length;
        if (*at == '=' && at[1] == '"') {
            at += 1 + take_quoted(at + 1, out, size, &used);
        } else if (*at == '=') {
            size_t token = strcspn(++at, "; \t");
            used = token < size ? token : size - 1;
            memcpy(out, at, used);
            at += token;
        }
        out[used] = '\0';
        if (found)
            return used + 1 < size;
        at += strcspn(at, ";");
    }
    return false;
}

int sh_form_new(sh_form **out, const char *content_type, const sh_form_events *events, sh_err *err)
{
    char boundary[SH_FORM_BOUNDARY_MAX];
    if (!content_type || !parameter(content_type, "boundary", boundary, sizeof(boundary)) || !*boundary ||
        strpbrk(boundary, "\r\n"))
        return sh_fail(err, SH_E_FORMAT, "the Content-Type of a form needs a boundary of 1 to %d characters",
                       SH_FORM_BOUNDARY_MAX - 2);
    sh_form *form = calloc(1, sizeof(*form));
    if (!form)
        return sh_fail(err, SH_E_MEMORY, "no memory for a form");
    form->events = *events;
    memcpy(form->delimiter, "\r\n--", 4);
    memcpy(form->delimiter + 4, boundary, strlen(boundary));
    form->length = 4 + strlen(boundary);
    form->matched = form->unreal = 2; /* as if a line end came before */
    sh_buf_init(&form->head, SH_FORM_HEAD_MAX);
    *out = form;
    return 0;
}

void sh_form_free(sh_form *form)
{
    if (!form)
        return;
    sh_buf_free(&form->head);
    free(form);
}

/* ---- heads ---- */

/* The value of a field of the head (lines ended by "\n"), without its blanks; false: it is not there. */
static bool head_field(const char *head, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    for (const char *at = head; *at;) {
        size_t line = strcspn(at, "\n");
        if (line > length && strncasecmp(at, name, length) == 0 && at[length] == ':') {
            const char *from = at + length + 1;
            const char *end = at + line;
            from += strspn(from, " \t");
            while (end > from && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
                end--;
            size_t used = end > from ? (size_t)(end - from) : 0;
            if (used >= size)
                return false;
            memcpy(out, from, used);
            out[used] = '\0';
            return true;
        }
        at += line + (at[line] == '\n');
    }
    return false;
}

static int end_head(sh_form *form, sh_err *err)
{
    char disposition[4096], name[1024], filename[2048], type[1024];
    const char *head = sh_buf_cstr(&form->head);
    if (strlen(head) != form->head.length)
        return sh_fail(err, SH_E_FORMAT, "the head of a part of the form has a NUL");
    if (!head_field(head, "content-disposition", disposition, sizeof(disposition)) ||
        strncasecmp(disposition, "form-data", 9) != 0 || !parameter(disposition, "name", name, sizeof(name)))
        return sh_fail(err, SH_E_FORMAT, "a part of the form has no Content-Disposition with a name");
    sh_form_part part = {.name = name};
    if (parameter(disposition, "filename", filename, sizeof(filename)))
        part.filename = filename;
    if (head_field(head, "content-type", type, sizeof(type)))
        part.type = type;
    form->place = IN_DATA;
    form->matched = form->unreal = 2; /* a delimiter may follow at once */
    sh_buf_clear(&form->head);
    return form->events.begin(form->events.opaque, &part);
}

static int push_head(sh_form *form, char c, sh_err *err)
{
    sh_buf *head = &form->head;
    if (sh_buf_putc(head, c) < 0)
        return sh_fail(err, SH_E_FORMAT, "the head of a part of the form is longer than %d bytes",
                       SH_FORM_HEAD_MAX);
    bool empty_line = c == '\n' && (head->length == 1 || (head->length == 2 && head->data[0] == '\r'));
    bool end = c == '\n' && head->length >= 3 &&
               (head->data[head->length - 2] == '\n' ||
                (head->data[head->length - 2] == '\r' && head->data[head->length - 3] == '\n'));
    return empty_line || end ? end_head(form, err) : 0;
}

/* ---- delimiters and data ---- */

static int push_after(sh_form *form, char c, sh_err *err)
{
    if (form->after_length == 0 && (c == ' ' || c == '\t'))
        return 0;
    form->after[form->after_length++] = c;
    if (form->after[0] == '\n') {
        form->place = IN_HEAD;
    } else if (form->after_length == 2 && memcmp(form->after, "\r\n", 2) == 0) {
        form->place = IN_HEAD;
    } else if (form->after_length == 2 && memcmp(form->after, "--", 2) == 0) {
        form->place = IN_EPILOGUE;
    } else if (form->after_length == 2 || (c != '\r' && c != '-')) {
        return sh_fail(err, SH_E_FORMAT, "a line of the form begins with its boundary and goes on");
    }
    return 0;
}

static int give(sh_form *form, const void *bytes, size_t length)
{
    if (form->place != IN_DATA || length == 0)
        return 0;
    return form->events.bytes(form->events.opaque, bytes, length);
}

static int end_delimiter(sh_form *form)
{
    int status = form->place == IN_DATA ? form->events.end(form->events.opaque) : 0;
    form->place = IN_AFTER;
    form->after_length = 0;
    form->matched = 0;
    return status;
}

/* Takes one byte that may belong to a delimiter. */
static int push_match(sh_form *form, char c)
{
    size_t matched = form->matched;
    if (c == form->delimiter[matched]) {
        form->matched++;
        return form->matched == form->length ? end_delimiter(form) : 0;
    }
    size_t unreal = form->unreal;
    form->matched = c == '\r' ? 1 : 0;
    form->unreal = 0;
    int status = give(form, form->delimiter + unreal, matched - unreal);
    if (status == 0 && c != '\r')
        status = give(form, &c, 1);
    return status;
}

/* Data up to the next CR goes through at once. */
static int push_data(sh_form *form, const char **at, const char *end)
{
    if (form->matched == 0) {
        const char *stop = memchr(*at, '\r', (size_t)(end - *at));
        size_t length = (size_t)((stop ? stop : end) - *at);
        if (length > 0) {
            int status = give(form, *at, length);
            *at += length;
            return status;
        }
    }
    return push_match(form, *(*at)++);
}

int sh_form_push(sh_form *form, const void *bytes, size_t length, sh_err *err)
{
    const char *at = bytes, *end = at + length;
    int status = 0;
    while (status == 0 && at < end) {
        switch (form->place) {
        case IN_PREAMBLE:
        case IN_DATA:
            status = push_data(form, &at, end);
            break;
        case IN_AFTER:
            status = push_after(form, *at++, err);
            break;
        case IN_HEAD:
            status = push_head(form, *at++, err);
            break;
        case IN_EPILOGUE:
            return 0;
        }
    }
    return status;
}

int sh_form_finish(const sh_form *form, sh_err *err)
{
    if (form->place == IN_EPILOGUE)
        return 0;
    return sh_fail(err, SH_E_FORMAT, "the form ends before its last boundary");
}
