/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/steps.h"
#include "cloud/store/schema.h"

const char sh_schema_steps_of_commands[] =
    "CREATE TABLE IF NOT EXISTS steps ("
    " command TEXT NOT NULL, instance TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
    " plugin TEXT NOT NULL, status TEXT NOT NULL, details TEXT NOT NULL, code INTEGER NOT NULL,"
    " start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, out TEXT NOT NULL, err TEXT NOT NULL,"
    " PRIMARY KEY (command, instance, number)) WITHOUT ROWID;";

int sh_step_put(sh_db *db, const char *command, const char *instance, const sh_step *row, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT OR REPLACE INTO steps (command, instance, number, name, plugin, status, details,"
                     " code, start_ms, end_ms, out, err)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                     "ssissssiiiss", command, instance, row->number, row->name, row->plugin, row->status,
                     row->details, row->code, row->start_ms, row->end_ms, row->out, row->err);
}

typedef struct listing {
    sh_step_fn fn;
    void *opaque;
} listing;

static int hand_on(void *opaque, const sh_row *row)
{
    listing *l = opaque;
    const sh_step step = {.number = sh_row_int(row, 0),
                          .name = sh_row_text(row, 1),
                          .plugin = sh_row_text(row, 2),
                          .status = sh_row_text(row, 3),
                          .details = sh_row_text(row, 4),
                          .code = sh_row_int(row, 5),
                          .start_ms = sh_row_int(row, 6),
                          .end_ms = sh_row_int(row, 7),
                          .out = sh_row_text(row, 8),
                          .err = sh_row_text(row, 9)};
    return l->fn(l->opaque, &step);
}

int sh_step_each(sh_db *db, const char *command, const char *instance, sh_step_fn fn, void *opaque,
                 sh_err *err)
{
    listing l = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT number, name, plugin, status, details, code, start_ms, end_ms, out, err"
                      " FROM steps WHERE command = ?1 AND instance = ?2 ORDER BY number",
                      hand_on, &l, "ss", command, instance);
}

int sh_steps_delete(sh_db *db, const char *command, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM steps WHERE command = ?1", "s", command);
}
