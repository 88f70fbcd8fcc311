/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_TESTS_STREAM_PARAMSETS_H
#define SH_TESTS_STREAM_PARAMSETS_H
/* Parameter sets of real encoders, as hexadecimal, all of 96x64 at 25 frames a second. */
#include <stddef.h>
#include <stdint.h>

#define AVC_SPS "6742c00ada189b011000000300100000030320f1226a"
#define AVC_PPS "68ce0fc8"
/* 4:4:4, 10 bit, full range, quantiser matrices of its own. */
#define AVC_444_SPS "67f4000a90d968626c05b2000003000200000300641e244d40"
#define AVC_444_PPS "68ce0f19100640"
#define HEVC_VPS "40010c01ffff01600000030090000003000003001e959409"
#define HEVC_SPS "42010101600000030090000003000003001ea0308105965654a4c2f0168080000003008000000c84"
#define HEVC_PPS "4401c073c189"
/* With its header and size. */
#define AV1_SEQUENCE "0a0a000000032dffcfbf9004"
#define START "00000001"

/* Bytes of a hexadecimal text; at most `size`. */
static inline size_t from_hex(const char *text, uint8_t *out, size_t size)
{
    size_t n = 0;
    for (; text[0] && text[1] && n < size; text += 2) {
        int value = 0;
        for (int i = 0; i < 2; i++)
            value = value << 4 | (text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
        out[n++] = (uint8_t)value;
    }
    return n;
}

#endif
