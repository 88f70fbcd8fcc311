/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRCs, all in the reflected form with all-ones before and after, so one routine serves the three
 * polynomials. By tables, eight bytes a step; or, where the processor multiplies without carries, 64 bytes a
 * step are folded onto the next 64 and the last sixteen go through the tables. */
#include "cloud/http/digest.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef struct crc_kind {
    unsigned one;
    int width; /* bits */
    uint64_t polynomial;
} crc_kind;

enum { CRC_KINDS = 3 };
static const crc_kind crc_kinds[CRC_KINDS] = {
    {SH_DIGEST_CRC32, 32, 0xEDB88320},
    {SH_DIGEST_CRC32C, 32, 0x82F63B78},
    {SH_DIGEST_CRC64NVME, 64, 0x9A6C9329AC4BC9B5},
};
static uint64_t crc_tables[CRC_KINDS][8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (int kind = 0; kind < CRC_KINDS; kind++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t value = byte;
            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? (value >> 1) ^ crc_kinds[kind].polynomial : value >> 1;
            crc_tables[kind][0][byte] = value;
        }
        for (int slice = 1; slice < 8; slice++)
            for (unsigned byte = 0; byte < 256; byte++) {
                uint64_t value = crc_tables[kind][slice - 1][byte];
                crc_tables[kind][slice][byte] = (value >> 8) ^ crc_tables[kind][0][value & 255];
            }
    }
}

static int crc_index(unsigned one)
{
    for (int kind = 0; kind < CRC_KINDS; kind++)
        if (crc_kinds[kind].one == one)
            return kind;
    return -1;
}

static uint64_t crc_mask(int kind)
{
    return crc_kinds[kind].width == 64 ? UINT64_MAX : UINT32_MAX;
}

size_t sh_crc_bytes(unsigned one)
{
    int kind = crc_index(one);
    return kind < 0 ? 0 : (size_t)crc_kinds[kind].width / 8;
}

/* Goes on from the register `value`, eight bytes a step. */
static uint64_t by_tables(int kind, uint64_t value, const unsigned char *at, size_t length)
{
    uint64_t(*table)[256] = crc_tables[kind];
    for (; length >= 8; length -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word = le64toh(word) ^ value;
        value = table[7][word & 255] ^ table[6][word >> 8 & 255] ^ table[5][word >> 16 & 255] ^
                table[4][word >> 24 & 255] ^ table[3][word >> 32 & 255] ^ table[2][word >> 40 & 255] ^
                table[1][word >> 48 & 255] ^ table[0][word >> 56];
    }
    for (; length > 0; length--, at++)
        value = (value >> 8) ^ table[0][(value ^ *at) & 255];
    return value;
}

/* ---- by carry-less multiplication ---- */

#if defined(__x86_64__)
enum { LANES = 4, LANE = 16, STRIDE = LANES * LANE };

/* What moves sixteen bytes on over 128 and over 512 bits: x^(n + 63) for their first half, x^(n - 1) for the
 * second, each one power short because the product of two reflected halves is one too high. */
typedef struct fold_keys {
    uint64_t near[2];
    uint64_t far[2];
} fold_keys;
static fold_keys crc_keys[CRC_KINDS];
static bool crc_folds;

static uint64_t key_of(int kind, unsigned power)
{
    uint64_t out = (uint64_t)1 << (crc_kinds[kind].width - 1);
    for (unsigned i = 0; i < power; i++)
        out = out & 1 ? (out >> 1) ^ crc_kinds[kind].polynomial : out >> 1;
    return out << (64 - crc_kinds[kind].width);
}

static void fill_keys(void)
{
    for (int kind = 0; kind < CRC_KINDS; kind++)
        crc_keys[kind] = (fold_keys){.near = {key_of(kind, 191), key_of(kind, 127)},
                                     .far = {key_of(kind, 575), key_of(kind, 511)}};
    crc_folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

__attribute__((target("pclmul,sse4.1"))) static __m128i fold(__m128i value, __m128i keys, __m128i next)
{
    __m128i first = _mm_clmulepi64_si128(value, keys, 0x00);
    __m128i second = _mm_clmulepi64_si128(value, keys, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

__attribute__((target("pclmul,sse4.1"))) static __m128i load(const unsigned char *at)
{
    return _mm_loadu_si128((const __m128i *)at);
}

/* As by_tables for whole strides, at least one. */
__attribute__((target("pclmul,sse4.1"))) static uint64_t by_folding(int kind, uint64_t value,
                                                                    const unsigned char *at, size_t length)
{
    unsigned char left[LANE];
    __m128i lanes[LANES];
    __m128i near = load((const unsigned char *)crc_keys[kind].near);
    __m128i far = load((const unsigned char *)crc_keys[kind].far);
    for (int i = 0; i < LANES; i++)
        lanes[i] = load(at + (size_t)i * LANE);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi64_si128((long long)value));
    for (at += STRIDE, length -= STRIDE; length >= STRIDE; at += STRIDE, length -= STRIDE)
        for (int i = 0; i < LANES; i++)
            lanes[i] = fold(lanes[i], far, load(at + (size_t)i * LANE));
    for (int i = 1; i < LANES; i++)
        lanes[i] = fold(lanes[i - 1], near, lanes[i]);
    _mm_storeu_si128((__m128i *)left, lanes[LANES - 1]);
    return by_tables(kind, 0, left, sizeof(left));
}
#endif

static void prepare(void)
{
    fill_tables();
#if defined(__x86_64__)
    fill_keys();
#endif
}

uint64_t sh_crc(unsigned one, uint64_t before, const void *bytes, size_t length)
{
    int kind = crc_index(one);
    const unsigned char *at = bytes;
    if (kind < 0)
        return 0;
    pthread_once(&crc_once, prepare);
    uint64_t mask = crc_mask(kind);
    uint64_t value = ~before & mask;
#if defined(__x86_64__)
    if (crc_folds && length >= STRIDE) {
        size_t whole = length / STRIDE * STRIDE;
        value = by_folding(kind, value, at, whole);
        at += whole;
        length -= whole;
    }
#endif
    return ~by_tables(kind, value, at, length) & mask;
}

/* Product of two polynomials modulo the kind's; the highest bit is x^0. */
static uint64_t crc_multiply(int kind, uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (uint64_t bit = (uint64_t)1 << (crc_kinds[kind].width - 1); bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? (b >> 1) ^ crc_kinds[kind].polynomial : b >> 1;
    }
    return product;
}

uint64_t sh_crc_combine(unsigned one, uint64_t a, uint64_t b, uint64_t length_b)
{
    int kind = crc_index(one);
    if (kind < 0)
        return 0;
    uint64_t power = (uint64_t)1 << (crc_kinds[kind].width - 1);
    uint64_t base = power >> 8; /* x^8: one byte */
    for (; length_b; length_b >>= 1) {
        if (length_b & 1)
            power = crc_multiply(kind, base, power);
        base = crc_multiply(kind, base, base);
    }
    return crc_multiply(kind, power, a) ^ b;
}
