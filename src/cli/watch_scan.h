/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_WATCH_SCAN_H
#define SH_CLI_WATCH_SCAN_H
/* The input folder of `spyhop watch`, looked through again and again: which files there are, and which have
 * finished arriving. A file has when size, time of change and inode have stayed the same for the settling
 * time (or it was old already when it came: renamed in), and no other process has it open for writing (where
 * the file system can tell). Hidden files, and those with endings that are no video's, do not count. */
#include "cli/watch_memory.h"

typedef struct sh_watch_scan {
    const char *folder;
    const char *const *skipped; /* folders within that are left out, by real path; NULL-terminated */
    int64_t settle_us;
    sh_watch_memory *memory;
} sh_watch_scan;

/* Marks what is there (`present`) and since when it has looked as it does. */
int sh_watch_scan_once(const sh_watch_scan *scan, int64_t now_us, sh_err *err);
/* The file that has waited longest of those that have arrived and are to be worked on now; NULL: none.
 * *waiting counts those that are to be worked on later. */
sh_watch_entry *sh_watch_scan_next(const sh_watch_scan *scan, int64_t now_us, size_t *waiting);

#endif
