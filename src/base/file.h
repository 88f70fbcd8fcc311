/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_FILE_H
#define SH_BASE_FILE_H
/* Whole small files, and durable replacement of one. All descriptors are opened close-on-exec. */
#include "base/buf.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

/* Reads the whole file into *buf (whose maximum bounds it). */
int sh_file_read(const char *path, sh_buf *buf, sh_err *err);
/* Temporary file beside `path`, written, fdatasynced, renamed over it, folder synced. Never half-written. */
int sh_file_replace(const char *path, const void *bytes, size_t length, unsigned mode, sh_err *err);
/* Writes all of it, through EINTR and short writes. */
int sh_fd_write(int fd, const void *bytes, size_t length, sh_err *err);
/* mkdir -p. mode is for the folders it makes. */
int sh_dir_make(const char *path, unsigned mode, sh_err *err);
int sh_dir_sync(const char *path, sh_err *err);
/* rm -r, without following links. A path that is not there is fine. */
int sh_dir_remove(const char *path, sh_err *err);

#endif
