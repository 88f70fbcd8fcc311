/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events stand many in a row, one a line (their JSON has no line breaks), under the id of the first: a state
 * writes two of them, and a row each cost more than all else of a state together. */
#include "cloud/store/flows.h"

#include <stdlib.h>
#include <string.h>

int sh_history_add(sh_db *db, int64_t execution, int64_t id, const char *events, sh_err *err)
{
    return sh_db_run(db, err, "INSERT INTO history (execution, id, event) VALUES (?1, ?2, ?3)", "iis",
                     execution, id, events);
}

typedef struct history_taker {
    sh_history_fn fn;
    void *opaque;
    int64_t from, left;
    bool reverse;
    sh_err *err;
} history_taker;

static int give(history_taker *t, int64_t id, const char *event)
{
    if (t->left == 0)
        return 1;
    t->left--;
    return t->fn(t->opaque, id, event);
}

/* Cuts the row into lines in place. */
static size_t cut(char *text)
{
    size_t count = 1;
    for (char *line = text; (line = strchr(line, '\n')); count++)
        *line++ = '\0';
    return count;
}

static int give_upwards(history_taker *t, int64_t first, const char *text, size_t count)
{
    int status = 0;
    const char *event = text;
    for (size_t i = 0; status == 0 && i < count; i++, event += strlen(event) + 1) {
        if (first + (int64_t)i >= t->from)
            status = give(t, first + (int64_t)i, event);
    }
    return status;
}

static int give_downwards(history_taker *t, int64_t first, const char *text, const char *end, size_t count)
{
    int status = 0;
    const char *event = end;
    for (size_t i = count; status == 0 && i > 0; i--, event--) {
        while (event > text && event[-1])
            event--;
        if (first + (int64_t)i - 1 <= t->from)
            status = give(t, first + (int64_t)i - 1, event);
    }
    return status;
}

static int take_events(void *opaque, const sh_row *row)
{
    history_taker *t = opaque;
    int64_t first = sh_row_int(row, 0);
    char *text = strdup(sh_row_text(row, 1));
    if (!text)
        return sh_fail(t->err, SH_E_MEMORY, "no memory for events");
    const char *end = text + strlen(text);
    size_t count = cut(text);
    int status =
        t->reverse ? give_downwards(t, first, text, end, count) : give_upwards(t, first, text, count);
    free(text);
    return status;
}

int sh_history_list(sh_db *db, int64_t execution, int64_t from, bool reverse, int64_t limit, sh_history_fn fn,
                    void *opaque, sh_err *err)
{
    history_taker t = {fn, opaque, from, limit, reverse, err};
    if (reverse)
        return sh_db_each(db, err,
                          "SELECT id, event FROM history WHERE execution = ?1 AND id <= ?2"
                          " ORDER BY id DESC LIMIT ?3",
                          take_events, &t, "iii", execution, from, limit);
    return sh_db_each(
        db, err,
        "SELECT id, event FROM history WHERE execution = ?1 AND id >= coalesce("
        "(SELECT max(id) FROM history WHERE execution = ?1 AND id <= ?2), 0) ORDER BY id LIMIT ?3",
        take_events, &t, "iii", execution, from, limit + 1);
}
