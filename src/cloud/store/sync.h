/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_SYNC_H
#define SH_STORE_SYNC_H
/* What is committed, and what of it is on disk. SQLite writes a commit to its log without syncing it
 * (synchronous=NORMAL); each commit has a number here, and who must know that it is on disk waits for that
 * number. One fdatasync of the log carries all commits that were written before it began: while it runs
 * others commit, and the first of them to wait syncs for all of them. So the disk decides how long an answer
 * takes, not how many there are a second.
 *
 * A sync that fails is the end of the program (the kernel may have dropped what it could not write, and says
 * so only once): what the disk really has is found at the next start.
 *
 * A thread of its own syncs what nobody waits for, and copies the log into the database (with a connection of
 * its own, so that commits go on meanwhile). */
#include "base/err.h"
#include <stdint.h>

typedef struct sh_sync sh_sync;

/* For the database at `path`, whose log exists. copy_rest: called by the thread when the log has grown long
 * although it is copied all the time: is to copy the rest while nobody commits. */
int sh_sync_open(sh_sync **out, const char *path, void (*copy_rest)(void *opaque), void *opaque, sh_err *err);
void sh_sync_close(sh_sync *sync); /* NULL is fine */

/* After each commit, one at a time: the log now has that many pages. */
void sh_sync_committed(sh_sync *sync, int pages);
uint64_t sh_sync_last(const sh_sync *sync); /* number of the last commit */
uint64_t sh_sync_count(sh_sync *sync);      /* how often the log was synced */
void sh_sync_wait(sh_sync *sync, uint64_t number);
/* Somebody commits without waiting: to be synced all the same. */
void sh_sync_soon(sh_sync *sync);

#endif
