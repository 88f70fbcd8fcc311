/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MD5 and SHA are OpenSSL's; the CRCs are in crc.c. */
#include "cloud/http/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

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
        } else if (digest->which & (1u << i) && sh_crc_bytes(1u << i) > 0) {
            digest->crcs[i] = sh_crc(1u << i, digest->crcs[i], bytes, length);
        }
    }
}

size_t sh_digest_final(sh_digest *digest, unsigned one, unsigned char out[SH_DIGEST_BYTES])
{
    unsigned length = 0;
    int i = __builtin_ctz(one);
    if (!(digest->which & one))
        return 0;
    if (sh_crc_bytes(one) == 0) {
        unsigned char value[EVP_MAX_MD_SIZE];
        if (!digest->lengths[i] && digest->contexts[i] &&
            EVP_DigestFinal_ex(digest->contexts[i], value, &length) == 1 && length <= SH_DIGEST_BYTES) {
            memcpy(digest->results[i], value, length);
            digest->lengths[i] = length;
        }
        memcpy(out, digest->results[i], digest->lengths[i]);
        return digest->lengths[i];
    }
    length = (unsigned)sh_crc_bytes(one);
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
