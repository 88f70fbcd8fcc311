/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_UPKEEP_H
#define SH_API_UPKEEP_H
#include "cloud/api/cloud.h"

/* A runner: unlinks the files of deleted rows that were left, and reads all files once in SH_SCRUB_DAYS days,
 * at SH_SCRUB_RATE bytes a second at most, to find those that the disk has changed. Where it is in its round
 * outlives the server. A file that is missing or wrong is an error in the log with its bucket and key;
 * nothing is changed. */
enum { SH_SCRUB_DAYS = 30, SH_SCRUB_RATE = 16 << 20 };
int sh_upkeep_run(sh_cloud *cloud);

#endif
