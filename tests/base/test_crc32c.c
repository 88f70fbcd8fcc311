/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/crc32c.h"
#include "test.h"

#include <string.h>

static void known(void **state)
{
    uint8_t bytes[32] = {0};
    assert_int_equal(sh_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(sh_crc32c(0, bytes, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    memset(bytes, 0xff, 32);
    assert_int_equal(sh_crc32c(0, bytes, 32), 0x62a8ab43);
    assert_int_equal(sh_crc32c(0, "", 0), 0);
}

static void both_ways(void **state)
{
    uint8_t bytes[200];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + (i >> 3));
    for (size_t from = 0; from < 9; from++)
        for (size_t to = from; to <= sizeof(bytes); to++) {
            uint32_t whole = sh_crc32c(0, bytes + from, to - from);
            assert_int_equal(whole, sh_crc32c_tables(0, bytes + from, to - from));
            size_t half = (to - from) / 2;
            assert_int_equal(
                whole, sh_crc32c(sh_crc32c(0, bytes + from, half), bytes + from + half, to - from - half));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(both_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
