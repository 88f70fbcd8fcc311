/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MD5 and SHA are OpenSSL's. The CRCs are table-driven, eight bytes a step, all in the reflected form with
 * all-ones before and after, so one routine serves the three polynomials. */
#include "cloud/http/digest.h"

#include <endian.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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

uint64_t sh_crc(unsigned one, uint64_t before, const void *bytes, size_t length)
{
    int kind = crc_index(one);
    const unsigned char *at = bytes;
    if (kind < 0)
        return 0;
    pthread_once(&crc_once, fill_tables);
    uint64_t(*table)[256] = crc_tables[kind];
    uint64_t mask = crc_mask(kind);
    uint64_t value = ~before & mask;
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
    return ~value & mask;
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

struct sh_digest {
    unsigned which;
    EVP_MD_CTX *contexts[SH_DIGEST_COUNT];
    size_t lengths[SH_DIGEST_COUNT]; /* of results that were asked for already */
    unsigned char results[SH_DIGEST_COUNT][SH_DIGEST_BYTES];
    uint64_t crcs[SH_DIGEST_COUNT];
};

static const EVP_MD *algorithm(unsigned one)
{
    switch (one) {
    case SH_DIGEST_MD5:
        return EVP_md5();
    case SH_DIGEST_SHA256:
        return EVP_sha256();
    case SH_DIGEST_SHA1:
        return EVP_sha1();
    default:
        return NULL;
    }
}

int sh_digest_new(sh_digest **out, unsigned which, sh_err *err)
{
    sh_digest *digest = calloc(1, sizeof(*digest));
    if (!digest)
        return sh_fail(err, SH_E_MEMORY, "no memory for a digest");
    digest->which = which;
    for (int i = 0; i < SH_DIGEST_COUNT; i++) {
        const EVP_MD *md = which & (1u << i) ? algorithm(1u << i) : NULL;
        if (!md)
            continue;
        digest->contexts[i] = EVP_MD_CTX_new();
        if (!digest->contexts[i] || EVP_DigestInit_ex(digest->contexts[i], md, NULL) != 1) {
            sh_digest_free(digest);
            return sh_fail(err, SH_E_MEMORY, "no memory for a digest");
        }
    }
    *out = digest;
    return 0;
}

void sh_digest_free(sh_digest *digest)
{
    if (!digest)
        return;
    for (int i = 0; i < SH_DIGEST_COUNT; i++)
        EVP_MD_CTX_free(digest->contexts[i]);
    free(digest);
}

void sh_digest_update(sh_digest *digest, const void *bytes, size_t length)
{
    for (int i = 0; i < SH_DIGEST_COUNT; i++) {
        if (digest->contexts[i] && EVP_DigestUpdate(digest->contexts[i], bytes, length) != 1) {
            EVP_MD_CTX_free(digest->contexts[i]); /* its result will be "none", which no caller accepts */
            digest->contexts[i] = NULL;
        } else if (digest->which & (1u << i) && crc_index(1u << i) >= 0) {
            digest->crcs[i] = sh_crc(1u << i, digest->crcs[i], bytes, length);
        }
    }
}

size_t sh_digest_final(sh_digest *digest, unsigned one, unsigned char out[SH_DIGEST_BYTES])
{
    unsigned length = 0;
    int i = __builtin_ctz(one);
    int kind = crc_index(one);
    if (!(digest->which & one))
        return 0;
    if (kind < 0) {
        unsigned char value[EVP_MAX_MD_SIZE];
        if (!digest->lengths[i] && digest->contexts[i] &&
            EVP_DigestFinal_ex(digest->contexts[i], value, &length) == 1 && length <= SH_DIGEST_BYTES) {
            memcpy(digest->results[i], value, length);
            digest->lengths[i] = length;
        }
        memcpy(out, digest->results[i], digest->lengths[i]);
        return digest->lengths[i];
    }
    length = (unsigned)crc_kinds[kind].width / 8;
    for (unsigned byte = 0; byte < length; byte++)
        out[byte] = (unsigned char)(digest->crcs[i] >> (8 * (length - 1 - byte)));
    return length;
}

size_t sh_digest_once(unsigned one, const void *bytes, size_t length, unsigned char out[SH_DIGEST_BYTES])
{
    sh_digest *digest;
    if (sh_digest_new(&digest, one, NULL) < 0)
        return 0;
    sh_digest_update(digest, bytes, length);
    size_t got = sh_digest_final(digest, one, out);
    sh_digest_free(digest);
    return got;
}

void sh_hex(const unsigned char *bytes, size_t length, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}

void sh_base64(const unsigned char *bytes, size_t length, char *text)
{
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
}

int sh_base64_decode(const char *text, size_t length, unsigned char *out, size_t size)
{
    unsigned char block[3];
    size_t used = 0;
    if (length % 4 != 0)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        size_t count = 3;
        if (i + 4 == length && text[i + 3] == '=')
            count = text[i + 2] == '=' ? 1 : 2;
        for (size_t j = 0; j < 1 + count; j++)
            if (text[i + j] == '=' || text[i + j] == '\n' || text[i + j] == '-')
                return -1;
        if (EVP_DecodeBlock(block, (const unsigned char *)text + i, 4) != 3 || used + count > size)
            return -1;
        memcpy(out + used, block, count);
        used += count;
    }
    return (int)used;
}
