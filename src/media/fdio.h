/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_FDIO_H
#define SH_MEDIA_FDIO_H
/* libavformat's byte stream over a descriptor. No name ever reaches libavformat, so none can be taken for a
 * protocol, a pattern or a list: "http:x", "concat:" and "%d" are file names like any other. */
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_fdio {
    int fd;
    bool writing;
    bool seekable;
    int64_t position;
    int64_t size;    /* reading: of the file, -1 when not known. writing: highest byte written + 1 */
    int error;       /* first errno of a read or write that failed; 0 */
    int64_t written; /* bytes in all, rewritten ones too */
    AVIOContext *context;
} sh_fdio;

/* The descriptor stays the caller's. Returns 0 or an AVERROR. */
int sh_fdio_open(sh_fdio *io, int fd, bool writing);
void sh_fdio_close(sh_fdio *io); /* frees the context (without writing what is buffered); all-zero is fine */

/* The seek function of an AVIOContext over bytes of which `size` are there (-1: not known). */
int64_t sh_fdio_seek(int64_t *position, int64_t size, int64_t offset, int whence);

/* io_open of a context that may open nothing. */
int sh_fdio_refuse(AVFormatContext *format, AVIOContext **out, const char *url, int flags,
                   AVDictionary **options);

#endif
