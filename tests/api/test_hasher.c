/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the thread hashes is what was handed over, whatever the lengths are. */
#include "cloud/api/s3_hasher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 5000000, MANY = 64 };

static void same_as_at_once(void **state)
{
    static const size_t steps[] = {1, 65536, 3, 1048576, 99999, 2000000, 1048577};
    unsigned char expected[SH_DIGEST_BYTES], got[SH_DIGEST_BYTES];
    unsigned char *bytes = malloc(BYTES);
    sh_digest *digest = NULL;
    size_t at = 0;
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 11);
    assert_int_equal(sh_digest_new(&digest, SH_DIGEST_MD5 | SH_DIGEST_CRC64NVME, NULL), 0);
    sh_hasher *hasher = sh_hasher_begin(digest);
    assert_non_null(hasher);
    for (size_t i = 0; at < BYTES; i++) {
        size_t step = steps[i % (sizeof(steps) / sizeof(*steps))];
        step = step < BYTES - at ? step : BYTES - at;
        sh_hasher_push(hasher, bytes + at, step);
        at += step;
    }
    sh_hasher_end(hasher);
    assert_int_equal(sh_digest_final(digest, SH_DIGEST_MD5, got), 16);
    assert_int_equal(sh_digest_once(SH_DIGEST_MD5, bytes, BYTES, expected), 16);
    assert_memory_equal(got, expected, 16);
    sh_digest_free(digest);
    free(bytes);
}

static void bounded(void **state)
{
    sh_hasher *all[MANY];
    sh_digest *digests[MANY];
    int there = 0;
    (void)state;
    for (int round = 0; round < 2; round++) {
        there = 0;
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(sh_digest_new(&digests[i], SH_DIGEST_MD5, NULL), 0);
            all[i] = sh_hasher_begin(digests[i]);
            there += all[i] != NULL;
        }
        for (int i = 0; i < MANY; i++) {
            sh_hasher_end(all[i]);
            sh_digest_free(digests[i]);
        }
    }
    assert_in_range(there, 1, MANY - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_at_once), cmocka_unit_test(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
