/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Executions that ended long ago, with all that belongs to them: history and runs of their Map states. Ids
 * rise with the time of the start, so that a look from the lowest id on ends at the first one that is too
 * young; only those that run for long are looked at again each time. */
#include "cloud/store/flows.h"

#define LOOK 64 /* rows a transaction looks at */

typedef struct looking {
    int64_t before_ms, cursor;
    int64_t ids[LOOK];
    size_t count, seen;
    bool young;
} looking;

static int take(void *opaque, const sh_row *row)
{
    looking *l = opaque;
    int64_t stopped_ms = sh_row_int(row, 2);
    if (sh_row_int(row, 1) >= l->before_ms) {
        l->young = true;
        return 1;
    }
    l->cursor = sh_row_int(row, 0);
    l->seen++;
    if (stopped_ms >= 0 && stopped_ms < l->before_ms && !sh_row_int(row, 3))
        l->ids[l->count++] = l->cursor;
    return 0;
}

static int forget(sh_db *db, int64_t id, sh_err *err)
{
    static const char *const statements[] = {
        "DELETE FROM map_children WHERE run IN (SELECT id FROM map_runs WHERE execution = ?1)",
        "DELETE FROM map_runs WHERE execution = ?1",
        "DELETE FROM waits WHERE execution = ?1",
        "DELETE FROM history WHERE execution = ?1",
        "DELETE FROM executions WHERE id = ?1",
    };
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(statements) / sizeof(*statements); i++)
        status = sh_db_run(db, err, statements[i], "i", id);
    return status;
}

static int prune(sh_db *db, looking *l, sh_err *err)
{
    int status = sh_db_each(db, err,
                            "SELECT id, started_ms, stopped_ms, status = 'RUNNING' FROM executions"
                            " WHERE id > ?1 ORDER BY id LIMIT ?2",
                            take, l, "ii", l->cursor, (int64_t)LOOK);
    for (size_t i = 0; status == 0 && i < l->count; i++)
        status = forget(db, l->ids[i], err);
    return status;
}

int sh_execution_prune(sh_db *db, int64_t before_ms, int64_t *cursor, int64_t *removed, sh_err *err)
{
    looking l = {.before_ms = before_ms, .cursor = *cursor};
    int status = sh_db_begin_politely(db, err);
    if (status < 0)
        return status;
    status = sh_db_end_later(db, prune(db, &l, err), err);
    if (status < 0)
        return status;
    *cursor = l.young || l.seen < LOOK ? -1 : l.cursor;
    *removed += (int64_t)l.count;
    return 0;
}
