/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_WATCH_MEMORY_H
#define SH_CLI_WATCH_MEMORY_H
/* What `spyhop watch` remembers: a file of JSON lines in its output folder, one for each change of a source's
 * state, the last one of a name counts. Lines are synced before anything depends on them; a torn last line
 * is dropped. When it is opened it is written anew without what is out of date. A source is known by its
 * content (SHA-256); name, size, time and inode only save reading it again. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

typedef enum sh_watch_state {
    SH_WATCH_NEW,    /* its content is known, nothing was done */
    SH_WATCH_FAILED, /* to be tried again */
    SH_WATCH_MADE,   /* its stream is there; whoever wants to hear of it has not */
    SH_WATCH_DONE,
    SH_WATCH_ASIDE, /* given up, moved away */
} sh_watch_state;

typedef struct sh_watch_entry {
    char *name; /* relative to the input folder */
    int64_t size, mtime_ns;
    uint64_t inode;
    char digest[65];
    sh_watch_state state;
    int attempts; /* that failed */
    /* of this run alone */
    int64_t seen_size, seen_mtime_ns, since_us, retry_us;
    uint64_t seen_inode;
    bool present, told;
} sh_watch_entry;

typedef struct sh_watch_memory {
    int fd;
    char *path;
    sh_watch_entry **entries; /* by name */
    size_t count, capacity;
} sh_watch_memory;

/* Opens or makes the file and locks it: SH_E_CONFLICT when another watch has it. */
int sh_watch_memory_open(sh_watch_memory *memory, const char *path, sh_err *err);
void sh_watch_memory_close(sh_watch_memory *memory);
/* The entry of a name, made if there is none; NULL: no memory. Stays where it is until close. */
sh_watch_entry *sh_watch_memory_entry(sh_watch_memory *memory, const char *name);
/* Another entry of the same content in that state or a later one, or NULL. */
const sh_watch_entry *sh_watch_memory_same(const sh_watch_memory *memory, const sh_watch_entry *entry);
/* Writes the entry down; on disk when it returns. */
int sh_watch_memory_save(sh_watch_memory *memory, const sh_watch_entry *entry, const char *reason,
                         sh_err *err);

#endif
