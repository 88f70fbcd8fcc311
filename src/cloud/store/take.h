/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_TAKE_H
#define SH_STORE_TAKE_H
/* Rows as structures whose texts are pointers: kept in an arena for who gets one row, borrowed from the row
 * for who is handed each of a list. And what is common to row functions. */
#include "base/arena.h"
#include "cloud/store/db.h"

typedef struct sh_take {
    sh_arena *arena; /* NULL: texts are borrowed from the row */
    bool found;      /* there was a row: the row function says so */
    bool failed;     /* memory was short for a text */
} sh_take;

/* The text of a column; NULL of SQL stays NULL. */
const char *sh_take_text(sh_take *take, const sh_row *row, int column);
/* How the getting of one row ended: status when that is an error, SH_E_NOT_FOUND with the message `format`
 * when there was none, SH_E_MEMORY ("no memory for WHAT") when a text could not be kept, else 0. */
int sh_take_end(const sh_take *take, int status, const char *what, sh_err *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

typedef struct sh_take_one_text {
    sh_take take;
    const char **text;
} sh_take_one_text;

/* A row function: the text of the first row, into an sh_take_one_text. */
int sh_take_text_row(void *take_one_text, const sh_row *row);

/* A row function: the number of the first row, into an int64_t. */
int sh_take_number(void *number, const sh_row *row);

typedef struct sh_take_ids {
    int64_t *ids; /* room for as many as the statement's LIMIT */
    size_t count;
} sh_take_ids;

/* A row function: the number of each row, into an sh_take_ids. */
int sh_take_id(void *take_ids, const sh_row *row);

#endif
