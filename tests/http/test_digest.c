/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    unsigned one;
    const char *hex; /* of "123456789" */
} known[] = {
    {SH_DIGEST_MD5, "25f9e794323b453885f5181f1b624d0b"},
    {SH_DIGEST_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
    {SH_DIGEST_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
    {SH_DIGEST_CRC32, "cbf43926"},
    {SH_DIGEST_CRC32C, "e3069283"},
    {SH_DIGEST_CRC64NVME, "ae8b14860a799888"},
};

static void check_values(void **state)
{
    unsigned char out[SH_DIGEST_BYTES];
    char hex[2 * SH_DIGEST_BYTES + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        sh_hex(out, sh_digest_once(known[i].one, "123456789", 9, out), hex);
        assert_string_equal(hex, known[i].hex);
    }
}

/* All at once, in pieces of every length, results asked for twice. */
static void check_pieces(void **state)
{
    unsigned char out[SH_DIGEST_BYTES], text[100], whole[SH_DIGEST_BYTES];
    unsigned all = (1u << SH_DIGEST_COUNT) - 1;
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)(i * 37);
    for (size_t step = 1; step <= sizeof(text); step++) {
        sh_digest *digest;
        assert_int_equal(sh_digest_new(&digest, all, NULL), 0);
        for (size_t at = 0; at < sizeof(text); at += step)
            sh_digest_update(digest, text + at, sizeof(text) - at < step ? sizeof(text) - at : step);
        for (int twice = 0; twice < 2; twice++)
            for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                size_t length = sh_digest_once(known[i].one, text, sizeof(text), whole);
                assert_int_equal(sh_digest_final(digest, known[i].one, out), length);
                assert_memory_equal(out, whole, length);
            }
        sh_digest_free(digest);
    }
}

static void only_what_was_asked(void **state)
{
    unsigned char out[SH_DIGEST_BYTES];
    sh_digest *digest;
    (void)state;
    assert_int_equal(sh_digest_new(&digest, SH_DIGEST_MD5, NULL), 0);
    assert_int_equal(sh_digest_final(digest, SH_DIGEST_SHA256, out), 0);
    assert_int_equal(sh_digest_final(digest, SH_DIGEST_CRC32, out), 0);
    sh_digest_free(digest);
    sh_digest_free(NULL);
}

/* One bit a step, straight from the definition. */
static uint64_t bit_by_bit(uint64_t polynomial, int width, const unsigned char *bytes, size_t length)
{
    uint64_t ones = width == 64 ? UINT64_MAX : UINT32_MAX;
    uint64_t value = ones;
    for (size_t i = 0; i < length * 8; i++) {
        uint64_t bit = (value ^ (uint64_t)(bytes[i / 8] >> (i % 8))) & 1;
        value = bit ? (value >> 1) ^ polynomial : value >> 1;
    }
    return value ^ ones;
}

/* Short and long, whole and in pieces: each way through the tables and the folding. */
static void crcs_of_every_length(void **state)
{
    static const struct {
        unsigned one;
        int width;
        uint64_t polynomial;
    } kinds[] = {{SH_DIGEST_CRC32, 32, 0xEDB88320},
                 {SH_DIGEST_CRC32C, 32, 0x82F63B78},
                 {SH_DIGEST_CRC64NVME, 64, 0x9A6C9329AC4BC9B5}};
    unsigned char bytes[1031];
    uint32_t seed = 1;
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(seed >> 24);
    }
    for (size_t k = 0; k < 3; k++)
        for (size_t length = 0; length <= sizeof(bytes); length += length < 300 ? 1 : 43) {
            uint64_t expected = bit_by_bit(kinds[k].polynomial, kinds[k].width, bytes, length);
            size_t cut = length * 5 / 7;
            assert_true(sh_crc(kinds[k].one, 0, bytes, length) == expected);
            uint64_t first = sh_crc(kinds[k].one, 0, bytes, cut);
            assert_true(sh_crc(kinds[k].one, first, bytes + cut, length - cut) == expected);
        }
}

static void combined_crcs(void **state)
{
    static const unsigned ones[] = {SH_DIGEST_CRC32, SH_DIGEST_CRC32C, SH_DIGEST_CRC64NVME};
    unsigned char text[5000];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)(i * 7 + i / 251);
    for (size_t i = 0; i < 3; i++)
        for (size_t cut = 0; cut <= sizeof(text); cut += 499) {
            uint64_t a = sh_crc(ones[i], 0, text, cut);
            uint64_t b = sh_crc(ones[i], 0, text + cut, sizeof(text) - cut);
            assert_int_equal(sh_crc_combine(ones[i], a, b, sizeof(text) - cut),
                             sh_crc(ones[i], 0, text, sizeof(text)));
        }
}

static void base64(void **state)
{
    static const char *const bad[] = {"a", "ab=", "=abc", "a===", "ab=c", "ab c", "a\nbc", "ab-_", "abcd="};
    unsigned char out[64];
    char text[64];
    (void)state;
    sh_base64((const unsigned char *)"hello", 5, text);
    assert_string_equal(text, "aGVsbG8=");
    assert_int_equal(sh_base64_decode("aGVsbG8=", 8, out, sizeof(out)), 5);
    assert_memory_equal(out, "hello", 5);
    assert_int_equal(sh_base64_decode("aGVsbG8h", 8, out, sizeof(out)), 6);
    assert_int_equal(sh_base64_decode("aA==", 4, out, sizeof(out)), 1);
    assert_int_equal(sh_base64_decode("", 0, out, sizeof(out)), 0);
    assert_int_equal(sh_base64_decode("aGVsbG8=", 8, out, 4), -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(sh_base64_decode(bad[i], strlen(bad[i]), out, sizeof(out)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_values),        cmocka_unit_test(check_pieces),
        cmocka_unit_test(only_what_was_asked), cmocka_unit_test(crcs_of_every_length),
        cmocka_unit_test(combined_crcs),       cmocka_unit_test(base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
