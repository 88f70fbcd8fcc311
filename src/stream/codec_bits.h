/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_CODEC_BITS_H
#define SH_STREAM_CODEC_BITS_H
/* Bits, the most significant first, out of bytes. With `escaped` the byte 3 after two zero bytes is passed
 * over (emulation prevention of H.264 and H.265). What is read past the end is 0 and sets `bad`, so that a
 * parser needs one check at its end; its loops must be bounded by themselves. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sh_bitread {
    const uint8_t *data;
    size_t size, at;
    uint8_t byte;
    int left, zeros; /* bits of `byte` not yet read; zero bytes just before */
    bool escaped, bad;
} sh_bitread;

static inline void sh_bitread_load(sh_bitread *r)
{
    if (r->escaped && r->zeros >= 2 && r->at < r->size && r->data[r->at] == 3) {
        r->at++;
        r->zeros = 0;
    }
    r->bad |= r->at >= r->size;
    r->byte = r->at < r->size ? r->data[r->at++] : 0;
    r->zeros = r->byte == 0 ? r->zeros + 1 : 0;
    r->left = 8;
}

/* n: 0 to 32. */
static inline uint32_t sh_bitread_bits(sh_bitread *r, int n)
{
    uint32_t value = 0;
    while (n-- > 0 && !r->bad) {
        if (r->left == 0)
            sh_bitread_load(r);
        r->left--;
        value = value << 1 | (r->byte >> r->left & 1u);
    }
    return r->bad ? 0 : value;
}

static inline bool sh_bitread_flag(sh_bitread *r)
{
    return sh_bitread_bits(r, 1) != 0;
}

static inline void sh_bitread_skip(sh_bitread *r, int n)
{
    while (n-- > 0)
        sh_bitread_bits(r, 1);
}

/* Exp-Golomb, up to 2^32 - 2. */
static inline uint32_t sh_bitread_ue(sh_bitread *r)
{
    int zeros = 0;
    while (!r->bad && !sh_bitread_flag(r))
        if (++zeros > 31)
            r->bad = true;
    if (r->bad)
        return 0;
    return (uint32_t)((UINT64_C(1) << zeros) - 1 + sh_bitread_bits(r, zeros));
}

static inline int32_t sh_bitread_se(sh_bitread *r)
{
    const uint32_t code = sh_bitread_ue(r);
    return code & 1 ? (int32_t)(code / 2 + 1) : -(int32_t)(code / 2);
}

/* As ue, but a value above `most` is `bad` and gives 0. */
static inline int sh_bitread_ue_to(sh_bitread *r, uint32_t most)
{
    const uint32_t value = sh_bitread_ue(r);
    r->bad |= value > most;
    return r->bad ? 0 : (int)value;
}

#endif
