/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/log_filters.h"
#include "cloud/store/schema.h"

const char sh_schema_log_filters[] =
    "CREATE TABLE IF NOT EXISTS log_filters (log_group TEXT NOT NULL, name TEXT NOT NULL,"
    " pattern TEXT NOT NULL, destination TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " PRIMARY KEY (log_group, name)) WITHOUT ROWID;";

int sh_log_filter_put(sh_db *db, const sh_log_filter *f, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO log_filters (log_group, name, pattern, destination, created_ms)"
                     " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (log_group, name) DO UPDATE SET pattern = ?3,"
                     " destination = ?4",
                     "ssssi", f->group, f->name, f->pattern, f->destination, f->created_ms);
}

int sh_log_filter_delete(sh_db *db, const char *group, const char *name, sh_err *err)
{
    int status =
        sh_db_run(db, err, "DELETE FROM log_filters WHERE log_group = ?1 AND name = ?2", "ss", group, name);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "log group %s has no filter %s", group, name);
    return status;
}

int sh_log_filters_clear(sh_db *db, const char *group, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM log_filters WHERE log_group = ?1", "s", group);
}

typedef struct walk {
    sh_log_filter_fn fn;
    void *opaque;
} walk;

static int take(void *opaque, const sh_row *row)
{
    walk *w = opaque;
    const sh_log_filter filter = {.group = sh_row_text(row, 0),
                                  .name = sh_row_text(row, 1),
                                  .pattern = sh_row_text(row, 2),
                                  .destination = sh_row_text(row, 3),
                                  .created_ms = sh_row_int(row, 4)};
    return w->fn(w->opaque, &filter);
}

int sh_log_filters_list(sh_db *db, const char *group, sh_log_filter_fn fn, void *opaque, sh_err *err)
{
    walk w = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT log_group, name, pattern, destination, created_ms FROM log_filters"
                      " WHERE log_group = ?1 ORDER BY name",
                      take, &w, "s", group);
}
