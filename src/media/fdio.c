/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/fdio.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (1 << 16)

static int read_bytes(void *opaque, uint8_t *bytes, int size)
{
    sh_fdio *io = opaque;
    ssize_t got;
    do
        got = io->seekable ? pread(io->fd, bytes, (size_t)size, io->position)
                           : read(io->fd, bytes, (size_t)size);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (!io->error)
            io->error = errno;
        return AVERROR(errno);
    }
    io->position += got;
    return got == 0 ? AVERROR_EOF : (int)got;
}

static int write_bytes(void *opaque, uint8_t *bytes, int size)
{
    sh_fdio *io = opaque;
    for (int done = 0; done < size;) {
        ssize_t put = pwrite(io->fd, bytes + done, (size_t)(size - done), io->position);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            if (!io->error)
                io->error = put < 0 ? errno : ENOSPC;
            return AVERROR(io->error);
        }
        done += (int)put;
        io->position += put;
        io->written += put;
    }
    if (io->position > io->size)
        io->size = io->position;
    return size;
}

int64_t sh_fdio_seek(int64_t *position, int64_t size, int64_t offset, int whence)
{
    int64_t base = 0;
    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE)
        return size >= 0 ? size : AVERROR(ENOSYS);
    if (whence == SEEK_CUR)
        base = *position;
    else if (whence == SEEK_END)
        base = size;
    else if (whence != SEEK_SET)
        return AVERROR(EINVAL);
    if (base < 0 || offset > INT64_MAX - base || base + offset < 0)
        return AVERROR(EINVAL);
    return *position = base + offset;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    sh_fdio *io = opaque;
    return sh_fdio_seek(&io->position, io->size, offset, whence);
}

int sh_fdio_open(sh_fdio *io, int fd, bool writing)
{
    struct stat info;
    unsigned char *buffer = av_malloc(BUFFER_BYTES);
    *io = (sh_fdio){.fd = fd, .writing = writing, .size = writing ? 0 : -1};
    io->seekable = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (!writing && io->seekable)
        io->size = info.st_size;
    if (buffer)
        io->context = avio_alloc_context(buffer, BUFFER_BYTES, writing, io, writing ? NULL : read_bytes,
                                         writing ? write_bytes : NULL, io->seekable ? seek_bytes : NULL);
    if (!io->context) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }
    return 0;
}

void sh_fdio_close(sh_fdio *io)
{
    if (!io->context)
        return;
    av_freep(&io->context->buffer);
    avio_context_free(&io->context);
}

int sh_fdio_refuse(AVFormatContext *format, AVIOContext **out, const char *url, int flags,
                   AVDictionary **options)
{
    av_log(format, AV_LOG_ERROR, "the file refers to another file, which is not opened\n");
    return AVERROR(EACCES);
}
