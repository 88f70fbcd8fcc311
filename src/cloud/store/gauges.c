/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/gauges.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_gauges[] =
    "CREATE INDEX IF NOT EXISTS executions_running ON executions (id) WHERE status = 'RUNNING';";

int sh_gauges_read(sh_db *db, sh_gauges *out, sh_err *err)
{
    sh_gauges g = {0};
    const struct {
        const char *sql;
        int64_t *to;
    } rows[] = {
        {"SELECT COUNT(*) FROM outbox", &g.events},
        {"SELECT COUNT(*) FROM deliveries", &g.deliveries},
        {"SELECT COUNT(*) FROM executions WHERE status = 'RUNNING'", &g.executions},
        {"SELECT COUNT(*) FROM invocations"
         " WHERE status IN ('Pending', 'InProgress', 'Delayed', 'Cancelling')",
         &g.commands},
        {"SELECT COUNT(*) FROM mcjobs WHERE status = 'SUBMITTED'", &g.mcjobs_waiting},
        {"SELECT COUNT(*) FROM mcjobs WHERE status = 'PROGRESSING'", &g.mcjobs_running},
    };
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && i < sizeof(rows) / sizeof(*rows); i++)
        status = sh_db_each(db, err, rows[i].sql, sh_take_number, rows[i].to, "");
    status = sh_db_end_later(db, status, err);
    sh_db_counts(db, &g.commits, &g.syncs);
    if (status == 0)
        *out = g;
    return status;
}
