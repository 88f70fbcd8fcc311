/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON text in and out. jansson's writer prints doubles with 17 digits (0.1 becomes 0.10000000000000001), so
 * the writer here is our own: keys in order, shortest doubles in the notation of the Java platform, which is
 * what clients of AWS see. */
#include "cloud/flow/value.h"
#include "cloud/flow/flow.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sh_fault_clear(sh_fault *fault)
{
    free(fault->error);
    free(fault->cause);
    free(fault->location);
    *fault = (sh_fault){0};
}

int sh_fault_take(sh_fault *fault, const char *error, const char *cause)
{
    sh_fault made = {.error = error ? strdup(error) : NULL, .cause = cause ? strdup(cause) : NULL};

    if ((error && !made.error) || (cause && !made.cause)) {
        sh_fault_clear(&made);
        return SH_E_MEMORY;
    }
    sh_fault_clear(fault);
    *fault = made;
    return SH_FAULT;
}

int sh_fault_set(sh_fault *fault, const char *error, const char *format, ...)
{
    va_list args;
    char *cause = NULL;
    int status;

    va_start(args, format);
    status = vasprintf(&cause, format, args);
    va_end(args);
    if (status < 0)
        return SH_E_MEMORY;
    status = sh_fault_take(fault, error, cause);
    free(cause);
    if (status == SH_FAULT)
        fault->runtime = !strcmp(error, "States.Runtime");
    return status;
}

/* The decimal digits of a number, without a sign. */
static size_t whole_digits(uint64_t number, char digits[24])
{
    char reversed[24];
    size_t count = 0;

    do
        reversed[count++] = (char)('0' + number % 10);
    while (number /= 10);
    for (size_t i = 0; i < count; i++)
        digits[i] = reversed[count - 1 - i];
    digits[count] = '\0';
    return count;
}

/* Most numbers are thousandths of at most 15 digits (times are), and no two such decimals are the same
 * double: the one that gives the number is its shortest form. 0: it is none of them. */
static size_t short_digits(double number, char digits[24], int *exponent)
{
    double thousandths = nearbyint(number * 1000.0);
    size_t count;

    if (!(thousandths >= 1 && thousandths < 1e15 && thousandths / 1000.0 == number))
        return 0;
    count = whole_digits((uint64_t)thousandths, digits);
    *exponent = (int)count - 4;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    return count;
}

/* Digits and exponent of the shortest form, from "d.ddde±xx". Returns the count of digits. */
static size_t shortest_digits(double number, char digits[24], int *exponent)
{
    char text[40];
    size_t count = short_digits(number, digits, exponent);
    const char *p;

    if (count)
        return count;
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, number);
        if (strtod(text, NULL) == number)
            break;
    }
    for (p = text; *p && *p != 'e'; p++)
        if (*p != '.' && count < 19)
            digits[count++] = *p;
    *exponent = *p ? (int)strtol(p + 1, NULL, 10) : 0;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    return count;
}

static void put_plain(sh_buf *buf, const char *digits, size_t count, int exponent)
{
    if (exponent < 0) {
        sh_buf_puts(buf, "0.");
        for (int i = -1; i > exponent; i--)
            sh_buf_putc(buf, '0');
        sh_buf_append(buf, digits, count);
        return;
    }
    for (size_t i = 0; i <= (size_t)exponent; i++)
        sh_buf_putc(buf, i < count ? digits[i] : '0');
    sh_buf_putc(buf, '.');
    if (count > (size_t)exponent + 1)
        sh_buf_append(buf, digits + exponent + 1, count - (size_t)exponent - 1);
    else
        sh_buf_putc(buf, '0');
}

int sh_value_number(sh_buf *buf, double number)
{
    char digits[24];
    int exponent;
    size_t count;

    if (signbit(number))
        sh_buf_putc(buf, '-');
    number = fabs(number);
    if (number == 0)
        return sh_buf_puts(buf, "0.0");
    count = shortest_digits(number, digits, &exponent);
    if (exponent >= -3 && exponent < 7) {
        put_plain(buf, digits, count, exponent);
    } else {
        sh_buf_putc(buf, digits[0]);
        sh_buf_putc(buf, '.');
        sh_buf_puts(buf, count > 1 ? digits + 1 : "0");
        sh_buf_printf(buf, "E%d", exponent);
    }
    return buf->failed ? SH_E_MEMORY : 0;
}

static void put_string(sh_buf *buf, const char *text, size_t length)
{
    static const char plain[] = "\b\f\n\r\t\"\\", letter[] = "bfnrt\"\\";
    size_t from = 0;

    sh_buf_putc(buf, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *special;

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        special = c ? strchr(plain, c) : NULL;
        sh_buf_append(buf, text + from, i - from);
        from = i + 1;
        if (special) {
            sh_buf_putc(buf, '\\');
            sh_buf_putc(buf, letter[special - plain]);
        } else {
            sh_buf_printf(buf, "\\u%04x", c);
        }
    }
    sh_buf_append(buf, text + from, length - from);
    sh_buf_putc(buf, '"');
}

static int dump(sh_buf *buf, const json_t *value, int depth);

static int dump_object(sh_buf *buf, const json_t *value, int depth)
{
    const char *key;
    json_t *item;
    bool first = true;

    sh_buf_putc(buf, '{');
    json_object_foreach((json_t *)value, key, item)
    {
        int status;

        if (!first)
            sh_buf_putc(buf, ',');
        first = false;
        put_string(buf, key, strlen(key));
        sh_buf_putc(buf, ':');
        status = dump(buf, item, depth + 1);
        if (status)
            return status;
    }
    return sh_buf_putc(buf, '}');
}

static int dump_array(sh_buf *buf, const json_t *value, int depth)
{
    size_t count = json_array_size(value);

    sh_buf_putc(buf, '[');
    for (size_t i = 0; i < count; i++) {
        int status;

        if (i)
            sh_buf_putc(buf, ',');
        status = dump(buf, json_array_get(value, i), depth + 1);
        if (status)
            return status;
    }
    return sh_buf_putc(buf, ']');
}

static void put_integer(sh_buf *buf, json_int_t number)
{
    char digits[24];
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    if (number < 0)
        sh_buf_putc(buf, '-');
    sh_buf_append(buf, digits, whole_digits(size, digits));
}

static int dump(sh_buf *buf, const json_t *value, int depth)
{
    if (depth > SH_FLOW_DEPTH_MAX)
        return SH_E_LIMIT;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return dump_object(buf, value, depth);
    case JSON_ARRAY:
        return dump_array(buf, value, depth);
    case JSON_STRING:
        put_string(buf, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        put_integer(buf, json_integer_value(value));
        break;
    case JSON_REAL:
        return sh_value_number(buf, json_real_value(value));
    case JSON_TRUE:
        sh_buf_puts(buf, "true");
        break;
    case JSON_FALSE:
        sh_buf_puts(buf, "false");
        break;
    default:
        sh_buf_puts(buf, "null");
    }
    return buf->failed ? SH_E_MEMORY : 0;
}

int sh_value_dump(sh_buf *buf, const json_t *value)
{
    return dump(buf, value, 0);
}

int sh_flow_dump(sh_buf *buf, const json_t *value)
{
    return dump(buf, value, 0);
}

char *sh_flow_text(const json_t *value)
{
    sh_buf buf;
    char *text = NULL;

    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    if (!dump(&buf, value, 0))
        text = sh_buf_take(&buf, NULL);
    sh_buf_free(&buf);
    return text;
}

static int show(sh_buf *buf, const json_t *value, int depth)
{
    const char *key;
    json_t *item;
    bool first = true;
    size_t i;

    if (depth > SH_FLOW_DEPTH_MAX)
        return SH_E_LIMIT;
    if (json_is_string(value))
        return sh_buf_append(buf, json_string_value(value), json_string_length(value));
    if (json_is_object(value)) {
        sh_buf_putc(buf, '{');
        json_object_foreach((json_t *)value, key, item)
        {
            sh_buf_printf(buf, "%s%s=", first ? "" : ", ", key);
            first = false;
            if (show(buf, item, depth + 1) == SH_E_LIMIT)
                return SH_E_LIMIT;
        }
        return sh_buf_putc(buf, '}');
    }
    if (json_is_array(value)) {
        sh_buf_putc(buf, '[');
        json_array_foreach((json_t *)value, i, item)
        {
            sh_buf_puts(buf, i ? ", " : "");
            if (show(buf, item, depth + 1) == SH_E_LIMIT)
                return SH_E_LIMIT;
        }
        return sh_buf_putc(buf, ']');
    }
    return dump(buf, value, depth);
}

int sh_value_show(sh_buf *buf, const json_t *value)
{
    int status = show(buf, value, 0);

    return status ? status : buf->failed ? SH_E_MEMORY : 0;
}

static bool equal_objects(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *item;

    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach((json_t *)a, key, item)
    {
        const json_t *other = json_object_get(b, key);

        if (!other || !sh_value_equal(item, other))
            return false;
    }
    return true;
}

bool sh_value_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        if (json_is_integer(a) && json_is_integer(b))
            return json_integer_value(a) == json_integer_value(b);
        return json_number_value(a) == json_number_value(b);
    }
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_object(a))
        return equal_objects(a, b);
    if (json_is_array(a)) {
        if (json_array_size(a) != json_array_size(b))
            return false;
        for (size_t i = 0; i < json_array_size(a); i++)
            if (!sh_value_equal(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return true;
    }
    return json_equal(a, b);
}

bool sh_value_deeper(const json_t *value, int depth)
{
    const char *key;
    json_t *item;
    size_t i;

    if (depth < 0)
        return true;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, item) if (sh_value_deeper(item, depth - 1)) return true;
    } else if (json_is_array(value)) {
        json_array_foreach((json_t *)value, i, item) if (sh_value_deeper(item, depth - 1)) return true;
    }
    return false;
}

int sh_value_load(const char *text, size_t length, size_t flags, json_t **out, json_error_t *error)
{
    const char *nul = memchr(text, 0, length);

    *error = (json_error_t){.line = 1};
    if (!nul) {
        *out = json_loadb(text, length, flags | JSON_DECODE_ANY, error);
        /* without memory jansson often leaves the text empty */
        return *out ? 0
               : json_error_code(error) == json_error_out_of_memory || !error->text[0] || error->line < 0
                   ? SH_E_MEMORY
                   : SH_E_FORMAT;
    }
    /* jansson lets a NUL byte pass between tokens */
    for (const char *p = text; p < nul; p++) {
        error->line += *p == '\n';
        error->column = *p == '\n' ? 0 : error->column + 1;
    }
    error->column++;
    snprintf(error->text, sizeof(error->text), "NUL byte");
    return SH_E_FORMAT;
}

int sh_flow_load(json_t **out, const char *text, size_t length, sh_err *err)
{
    json_error_t error;
    json_t *value = NULL;
    int status = sh_value_load(text, length, 0, &value, &error);

    if (status)
        return sh_fail(err, status, "%s (line %d, column %d)", error.text, error.line, error.column);
    if (sh_value_deeper(value, SH_FLOW_DEPTH_MAX)) {
        json_decref(value);
        return sh_fail(err, SH_E_LIMIT, "JSON nested deeper than %d levels", SH_FLOW_DEPTH_MAX);
    }
    *out = value;
    return 0;
}

json_t *sh_value_string(const char *text)
{
    json_t *value = json_string(text);
    char *copy;

    if (value || !(copy = strdup(text)))
        return value;
    for (char *p = copy; *p; p++)
        if (*p & 0x80)
            *p = '?';
    value = json_string(copy);
    free(copy);
    return value;
}

json_t *sh_value_text(const sh_buf *buf)
{
    return buf->failed ? NULL : json_stringn(sh_buf_cstr(buf), buf->length);
}

int sh_build_reads(sh_build *build, const char *name)
{
    const json_t *known;
    size_t i;

    build->variables = true;
    json_array_foreach(build->reads, i, known)
    {
        if (!strcmp(json_string_value(known), name))
            return 0;
    }
    return build->reads && json_array_append_new(build->reads, json_string(name)) ? SH_E_MEMORY : 0;
}

json_t *sh_build_keep(sh_build *build, json_t *value)
{
    return value && !json_array_append_new(build->keep, value) ? value : NULL;
}
