/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/take.h"

#include <stdarg.h>
#include <stdio.h>

const char *sh_take_text(sh_take *take, const sh_row *row, int column)
{
    const char *text = sh_row_text(row, column);
    const char *copy = text && take->arena ? sh_arena_strdup(take->arena, text) : text;
    if (text && !copy)
        take->failed = true;
    return copy;
}

static int not_found(sh_err *err, const char *format, va_list values)
{
    char message[sizeof(err->message)];
    vsnprintf(message, sizeof(message), format, values);
    return sh_fail(err, SH_E_NOT_FOUND, "%s", message);
}

int sh_take_end(const sh_take *take, int status, const char *what, sh_err *err, const char *format, ...)
{
    if (status < 0)
        return status;
    if (!take->found) {
        va_list values;
        va_start(values, format);
        status = not_found(err, format, values);
        va_end(values);
        return status;
    }
    return take->failed ? sh_fail(err, SH_E_MEMORY, "no memory for %s", what) : 0;
}

int sh_take_text_row(void *take_one_text, const sh_row *row)
{
    sh_take_one_text *t = take_one_text;
    t->take.found = true;
    *t->text = sh_take_text(&t->take, row, 0);
    return 1;
}

int sh_take_number(void *number, const sh_row *row)
{
    *(int64_t *)number = sh_row_int(row, 0);
    return 1;
}

int sh_take_id(void *take_ids, const sh_row *row)
{
    sh_take_ids *t = take_ids;
    t->ids[t->count++] = sh_row_int(row, 0);
    return 0;
}
