/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of an S3 inventory are gzip files (RFC 1952, also several members in a row). One is unpacked into a
 * file without a name, which is then read as any other object is. */
#include "base/file.h"
#include "cloud/api/states_map.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 1 << 16, ANY_GZIP = 15 + 16 };
#define UNPACKED_MAX ((int64_t)1 << 30)

typedef struct unpacking {
    int from, to;
    int64_t size;
    z_stream z;
    unsigned char in[BLOCK], out[BLOCK];
} unpacking;

/* What there is of one block of input. */
static int unpack_block(unpacking *u, int *state, sh_err *err)
{
    do {
        if (*state == Z_STREAM_END && inflateReset(&u->z) != Z_OK)
            return sh_fail(err, SH_E_INTERNAL, "zlib does not begin anew");
        u->z.next_out = u->out;
        u->z.avail_out = BLOCK;
        *state = inflate(&u->z, Z_NO_FLUSH);
        if (*state == Z_MEM_ERROR)
            return sh_fail(err, SH_E_MEMORY, "no memory to unpack a gzip file");
        if (*state != Z_OK && *state != Z_STREAM_END && *state != Z_BUF_ERROR)
            return sh_fail(err, SH_E_FORMAT, "it is not a gzip file, or a damaged one");
        size_t made = BLOCK - u->z.avail_out;
        u->size += (int64_t)made;
        if (u->size > UNPACKED_MAX)
            return sh_fail(err, SH_E_LIMIT, "unpacked it is larger than %lld bytes", (long long)UNPACKED_MAX);
        int status = sh_fd_write(u->to, u->out, made, err);
        if (status < 0)
            return status;
    } while (u->z.avail_in > 0 || (u->z.avail_out == 0 && *state != Z_STREAM_END));
    return 0;
}

static int unpack(unpacking *u, sh_err *err)
{
    int state = Z_OK, status = 0;
    ssize_t got = 0;
    while (status == 0 && (got = read(u->from, u->in, BLOCK)) > 0) {
        u->z.next_in = u->in;
        u->z.avail_in = (unsigned)got;
        status = unpack_block(u, &state, err);
    }
    if (status == 0 && got < 0)
        status = sh_fail_errno(err, errno, "cannot read it");
    if (status == 0 && state != Z_STREAM_END)
        status = sh_fail(err, SH_E_FORMAT, "the gzip file ends too early");
    return status;
}

int sh_map_gunzip(const sh_objects *objects, int fd, int *out, int64_t *size, sh_err *err)
{
    char path[SH_STAGE_PATH];
    unpacking *u = calloc(1, sizeof(*u));
    if (!u)
        return sh_fail(err, SH_E_MEMORY, "no memory to unpack a gzip file");
    u->from = fd;
    int status = sh_stage_file(objects, path, &u->to, err);
    if (status < 0)
        goto done;
    unlink(path);
    status = inflateInit2(&u->z, ANY_GZIP) == Z_OK ? unpack(u, err)
                                                   : sh_fail(err, SH_E_MEMORY, "no memory to unpack");
    inflateEnd(&u->z);
    if (status < 0) {
        close(u->to);
        goto done;
    }
    *out = u->to;
    *size = u->size;
done:
    free(u);
    return status;
}
