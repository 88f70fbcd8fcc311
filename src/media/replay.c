/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/replay.h"
#include "base/crc32c.h"
#include "media/fdio.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES (1 << 16)

int sh_replay_write(sh_replay *replay, const void *bytes, int64_t size, int64_t offset, sh_err *err)
{
    for (int64_t done = 0; done < size;) {
        ssize_t put = pwrite(replay->fd, (const char *)bytes + done, (size_t)(size - done), offset + done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return sh_fail_errno(err, put < 0 ? errno : ENOSPC, "%s", replay->name);
        done += put;
    }
    return 0;
}

static int compare(sh_replay *replay, const uint8_t *bytes, int64_t size, int64_t offset)
{
    uint8_t there[1 << 13];
    for (int64_t done = 0; done < size;) {
        const int64_t left = size - done, most = (int64_t)sizeof(there);
        ssize_t got = pread(replay->fd, there, (size_t)(left < most ? left : most), offset + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(&replay->failure, errno, "%s: reading at byte %" PRId64, replay->name,
                                 offset + done);
        for (ssize_t i = 0; i < got; i++)
            if (there[i] != bytes[done + i])
                return sh_fail(&replay->failure, SH_E_CONFLICT,
                               "%s: its unfinished file is not what the journal says, at byte %" PRId64
                               ": it was changed or is damaged; start anew",
                               replay->name, offset + done + i);
        if (got == 0)
            return sh_fail(&replay->failure, SH_E_CONFLICT,
                           "%s: its unfinished file ends at byte %" PRId64 ", the journal says %" PRId64
                           ": it was cut short; start anew",
                           replay->name, offset + done, replay->committed);
        done += got;
    }
    return 0;
}

/* Bytes of the trailer behind the end. */
static int hold(sh_replay *replay, const uint8_t *bytes, int64_t size, int64_t at)
{
    const int64_t need = at + size;
    if (need > SH_REPLAY_INDEX_MAX)
        return sh_fail(&replay->failure, SH_E_LIMIT, "%s: its index has more than %" PRId64 " bytes",
                       replay->name, SH_REPLAY_INDEX_MAX);
    if ((size_t)need > replay->index_capacity) {
        const size_t capacity = (size_t)need * 2;
        uint8_t *more = realloc(replay->index, capacity);
        if (!more)
            return sh_fail(&replay->failure, SH_E_MEMORY, "%s: memory is short for its index", replay->name);
        memset(more + replay->index_capacity, 0, capacity - replay->index_capacity);
        replay->index = more;
        replay->index_capacity = capacity;
    }
    if (replay->patched)
        replay->index_at = at;
    replay->patched = false;
    memcpy(replay->index + at, bytes, (size_t)size);
    if ((size_t)need > replay->index_size)
        replay->index_size = (size_t)need;
    return 0;
}

/* One run of bytes that all fall under the same rule. */
static int write_run(sh_replay *replay, const uint8_t *bytes, int64_t size, int64_t offset)
{
    if (replay->end >= 0 && offset >= replay->end)
        return hold(replay, bytes, size, offset - replay->end);
    replay->patched = replay->end >= 0;
    if (replay->in_header) {
        replay->header_crc = sh_crc32c(replay->header_crc, &offset, sizeof(offset));
        replay->header_crc = sh_crc32c(replay->header_crc, bytes, (size_t)size);
    } else if (offset >= replay->header && offset < replay->committed) {
        return compare(replay, bytes, size, offset);
    }
    return sh_replay_write(replay, bytes, size, offset, &replay->failure);
}

static int64_t run_length(const sh_replay *replay, int64_t offset, int64_t size)
{
    const int64_t borders[3] = {replay->header, replay->committed, replay->end};
    for (int i = 0; i < 3; i++)
        if (!replay->in_header && borders[i] > offset && borders[i] - offset < size)
            size = borders[i] - offset;
    return size;
}

static int write_bytes(void *opaque, uint8_t *bytes, int size)
{
    sh_replay *replay = opaque;
    for (int64_t done = 0; done < size && replay->failure.status == 0;) {
        const int64_t run = run_length(replay, replay->position, size - done);
        write_run(replay, bytes + done, run, replay->position);
        done += run;
        replay->position += run;
    }
    if (replay->failure.status != 0)
        return replay->failure.status == SH_E_FULL ? AVERROR(ENOSPC) : AVERROR(EIO);
    if (replay->position > replay->size)
        replay->size = replay->position;
    return size;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    sh_replay *replay = opaque;
    return sh_fdio_seek(&replay->position, replay->size, offset, whence);
}

int sh_replay_open(sh_replay *replay, int fd, int64_t committed, sh_err *err)
{
    unsigned char *buffer = av_malloc(BUFFER_BYTES);
    *replay =
        (sh_replay){.name = replay->name, .fd = fd, .committed = committed, .end = -1, .in_header = true};
    if (buffer)
        replay->context = avio_alloc_context(buffer, BUFFER_BYTES, 1, replay, NULL, write_bytes, seek_bytes);
    if (!replay->context) {
        av_free(buffer);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    /* what an earlier run wrote and did not commit */
    if (ftruncate(fd, committed) < 0)
        return sh_fail_errno(err, errno, "%s", replay->name);
    return 0;
}

void sh_replay_close(sh_replay *replay)
{
    if (replay->context)
        av_freep(&replay->context->buffer);
    avio_context_free(&replay->context);
    free(replay->index);
    replay->index = NULL;
}

int sh_replay_flush(sh_replay *replay, sh_err *err)
{
    avio_flush(replay->context);
    if (replay->failure.status == 0)
        return 0;
    if (err)
        *err = replay->failure;
    return replay->failure.status;
}

int sh_replay_header(sh_replay *replay, sh_err *err)
{
    int status = sh_replay_flush(replay, err);
    replay->in_header = false;
    replay->header = replay->size;
    return status;
}

void sh_replay_hold(sh_replay *replay)
{
    replay->end = replay->size;
    replay->patched = false;
    replay->index_at = 0;
}
