/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_CRC32C_H
#define SH_BASE_CRC32C_H
/* CRC32C (Castagnoli, the one of iSCSI and ext4). By the processor's own instruction where it has one, else
 * by tables; the same value either way. */
#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, 0 at the start: sh_crc32c(sh_crc32c(0, a), b) is that of a followed by b. */
uint32_t sh_crc32c(uint32_t crc, const void *bytes, size_t length);
/* The same by tables alone, for tests. */
uint32_t sh_crc32c_tables(uint32_t crc, const void *bytes, size_t length);

#endif
