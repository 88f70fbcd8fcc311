/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_GAUGES_H
#define SH_STORE_GAUGES_H
/* What can be counted in the database at once, by indexes, however many rows there are. */
#include "cloud/store/db.h"

typedef struct sh_gauges {
    int64_t events, deliveries; /* not delivered yet */
    int64_t executions;         /* running */
    int64_t commands;           /* of SSM, not ended */
    int64_t mcjobs_waiting, mcjobs_running;
    uint64_t commits, syncs; /* since the start */
} sh_gauges;

int sh_gauges_read(sh_db *db, sh_gauges *out, sh_err *err);

#endif
