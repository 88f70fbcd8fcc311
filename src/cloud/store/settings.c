/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/settings.h"
#include "cloud/store/schema.h"

const char sh_schema_settings[] =
    "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

int sh_settings_set(sh_db *db, const char *name, const char *value, sh_err *err)
{
    return sh_db_run(db, err, "INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)", "ss", name,
                     value);
}

typedef struct found {
    sh_buf *value;
    int count;
} found;

static int take(void *opaque, const sh_row *row)
{
    found *f = opaque;
    f->count++;
    return sh_buf_puts(f->value, sh_row_text(row, 0));
}

int sh_settings_get(sh_db *db, const char *name, sh_buf *value, sh_err *err)
{
    found f = {value, 0};
    int status = sh_db_each(db, err, "SELECT value FROM settings WHERE name = ?1", take, &f, "s", name);
    if (status == 0 && f.count == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "no setting %s", name);
    return status;
}
