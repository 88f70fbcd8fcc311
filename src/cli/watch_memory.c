/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/watch_memory.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define BYTES_MAX (256u << 20)
#define ENTRIES_MAX 1000000

static const char *const states[] = {"new", "failed", "made", "done", "set aside"};

static size_t place_of(const sh_watch_memory *memory, const char *name, bool *found)
{
    size_t low = 0, high = memory->count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(memory->entries[middle]->name, name);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return high;
}

static bool make_room(sh_watch_memory *memory)
{
    if (memory->count < memory->capacity)
        return true;
    size_t wanted = memory->capacity ? memory->capacity * 2 : 64;
    if (memory->count >= ENTRIES_MAX)
        return false;
    sh_watch_entry **more = realloc(memory->entries, wanted * sizeof(*more));
    if (!more)
        return false;
    memory->entries = more;
    memory->capacity = wanted;
    return true;
}

sh_watch_entry *sh_watch_memory_entry(sh_watch_memory *memory, const char *name)
{
    bool found;
    size_t at = place_of(memory, name, &found);
    if (found)
        return memory->entries[at];
    sh_watch_entry *entry = calloc(1, sizeof(*entry));
    if (!entry || !(entry->name = strdup(name)) || !make_room(memory)) {
        if (entry)
            free(entry->name);
        free(entry);
        return NULL;
    }
    memmove(memory->entries + at + 1, memory->entries + at, (memory->count - at) * sizeof(*memory->entries));
    memory->entries[at] = entry;
    memory->count++;
    return entry;
}

const sh_watch_entry *sh_watch_memory_same(const sh_watch_memory *memory, const sh_watch_entry *entry)
{
    for (size_t i = 0; i < memory->count; i++) {
        const sh_watch_entry *other = memory->entries[i];
        if (other != entry && other->state >= SH_WATCH_MADE && strcmp(other->digest, entry->digest) == 0)
            return other;
    }
    return NULL;
}

/* ---- the file ---- */

static char *line_of(const sh_watch_entry *entry, const char *reason)
{
    char time[SH_TIME_TEXT];
    sh_time_iso_s(sh_now_ms(&sh_clock_system), time);
    json_t *name = json_string(entry->name);
    /* a name need not be UTF-8, which JSON is: then it stands as bytes, Latin-1 fashion */
    if (!name) {
        name = json_array();
        for (const char *c = entry->name; *c; c++)
            json_array_append_new(name, json_integer((unsigned char)*c));
    }
    json_t *line = json_pack("{s:s,s:o,s:I,s:I,s:I,s:s,s:s,s:i,s:s*}", "time", time, "name", name, "size",
                             (json_int_t)entry->size, "mtime_ns", (json_int_t)entry->mtime_ns, "inode",
                             (json_int_t)entry->inode, "digest", entry->digest, "state", states[entry->state],
                             "attempts", entry->attempts, "reason", reason);
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    return text;
}

static bool read_name(const json_t *value, char *name, size_t size)
{
    size_t length = json_is_string(value) ? json_string_length(value) : json_array_size(value);
    if (length == 0 || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        name[i] = json_is_string(value) ? json_string_value(value)[i]
                                        : (char)json_integer_value(json_array_get(value, i));
    name[length] = '\0';
    return true;
}

static bool take_line(sh_watch_memory *memory, const char *text, size_t length)
{
    char name[4096];
    json_t *line = json_loadb(text, length, 0, NULL);
    const char *digest = json_string_value(json_object_get(line, "digest"));
    const char *state = json_string_value(json_object_get(line, "state"));
    sh_watch_entry *entry = NULL;
    if (digest && state && strlen(digest) == 64 &&
        read_name(json_object_get(line, "name"), name, sizeof(name)))
        entry = sh_watch_memory_entry(memory, name);
    if (entry) {
        entry->size = json_integer_value(json_object_get(line, "size"));
        entry->mtime_ns = json_integer_value(json_object_get(line, "mtime_ns"));
        entry->inode = (uint64_t)json_integer_value(json_object_get(line, "inode"));
        entry->attempts = (int)json_integer_value(json_object_get(line, "attempts"));
        memcpy(entry->digest, digest, sizeof(entry->digest));
        for (size_t i = 0; i < SH_COUNT(states); i++)
            if (strcmp(states[i], state) == 0)
                entry->state = (sh_watch_state)i;
    }
    json_decref(line);
    return entry != NULL;
}

static int read_lines(sh_watch_memory *memory, sh_err *err)
{
    sh_buf text;
    int number = 1;
    sh_buf_init(&text, BYTES_MAX);
    int status = sh_file_read(memory->path, &text, err);
    const char *at = sh_buf_cstr(&text), *end = at + text.length, *stop;
    for (; status == 0 && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1, number++)
        if (!take_line(memory, at, (size_t)(stop - at))) /* torn by a full disk: what it said is done again */
            sh_log(SH_LOG_WARNING, "watch", "%s, line %d cannot be read and is left out", memory->path,
                   number);
    sh_buf_free(&text);
    return status;
}

/* The last word on each name, in the place of all that was said. */
static int write_anew(sh_watch_memory *memory, sh_err *err)
{
    sh_buf text;
    sh_buf_init(&text, BYTES_MAX);
    for (size_t i = 0; i < memory->count; i++) {
        char *line = line_of(memory->entries[i], NULL);
        if (line)
            sh_buf_printf(&text, "%s\n", line);
        text.failed = text.failed || !line;
        free(line);
    }
    int status = text.failed ? sh_fail(err, SH_E_MEMORY, "no memory for what was done")
                             : sh_file_replace(memory->path, sh_buf_cstr(&text), text.length, 0600, err);
    sh_buf_free(&text);
    return status;
}

static int open_locked(const char *path, int *out, sh_err *err)
{
    char lock[4200];
    snprintf(lock, sizeof(lock), "%s.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return sh_fail_errno(err, errno, "opening %s", lock);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return sh_fail(err, SH_E_CONFLICT, "another watch works for this output folder (%s is locked)", lock);
    }
    *out = fd;
    return 0;
}

int sh_watch_memory_open(sh_watch_memory *memory, const char *path, sh_err *err)
{
    sh_watch_memory m = {.fd = -1, .path = strdup(path)};
    int lock = -1;
    int status = m.path ? open_locked(path, &lock, err) : sh_fail(err, SH_E_MEMORY, "no memory");
    if (status == 0 && access(path, F_OK) == 0)
        status = read_lines(&m, err);
    if (status == 0)
        status = write_anew(&m, err);
    m.fd = lock;
    if (status < 0)
        sh_watch_memory_close(&m);
    else
        *memory = m;
    return status;
}

void sh_watch_memory_close(sh_watch_memory *memory)
{
    for (size_t i = 0; i < memory->count; i++) {
        free(memory->entries[i]->name);
        free(memory->entries[i]);
    }
    free(memory->entries);
    free(memory->path);
    if (memory->fd >= 0)
        close(memory->fd);
    *memory = (sh_watch_memory){.fd = -1};
}

int sh_watch_memory_save(sh_watch_memory *memory, const sh_watch_entry *entry, const char *reason,
                         sh_err *err)
{
    int status = 0;
    char *line = line_of(entry, reason);
    int fd = open(memory->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (!line)
        status = sh_fail(err, SH_E_MEMORY, "no memory for a line of %s", memory->path);
    else if (fd < 0)
        status = sh_fail_errno(err, errno, "opening %s", memory->path);
    if (status == 0) {
        size_t length = strlen(line);
        line[length] = '\n'; /* in the place of the NUL */
        status = sh_fd_write(fd, line, length + 1, err);
        if (status == 0 && fdatasync(fd) < 0)
            status = sh_fail_errno(err, errno, "writing %s", memory->path);
    }
    free(line);
    if (fd >= 0)
        close(fd);
    return status;
}
