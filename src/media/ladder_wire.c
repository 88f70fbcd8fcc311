/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_wire.h"

#include <string.h>

#define PART 512 /* bytes a message */
#define NUMBER_BITS 32

int sh_wire_send(int channel, int what, int index, const void *bytes, size_t size, sh_err *err)
{
    size_t at = 0;
    do {
        const size_t part = size - at < PART ? size - at : PART;
        sh_message message = {.kind = SH_MSG_DATA,
                              .number = {what, index, (int64_t)at, (int64_t)size, (int64_t)part}};
        if (part > 0)
            memcpy(message.text, (const char *)bytes + at, part);
        if (sh_channel_send(channel, &message) < 0)
            return sh_fail(err, SH_E_INTERNAL, "the parent process does not answer");
        at += part;
    } while (at < size);
    return 0;
}

int sh_wire_take(sh_buf *bytes, const sh_message *message, int *what, int *index, sh_err *err)
{
    const int64_t *n = message->number;
    if (n[2] == 0)
        sh_buf_clear(bytes);
    if (n[3] < 0 || n[3] > SH_WIRE_MAX || n[4] < 0 || n[4] > PART || n[2] != (int64_t)bytes->length ||
        n[4] > n[3] - n[2] || n[1] < 0 || n[1] >= SH_LADDER_OUTPUTS)
        return sh_fail(err, SH_E_INTERNAL, "the child process sends parts that do not fit");
    if (sh_buf_append(bytes, message->text, (size_t)n[4]) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    *what = (int)n[0];
    *index = (int)n[1];
    return n[2] + n[4] == n[3];
}

int64_t sh_wire_file(int output, int role, int64_t number)
{
    return ((int64_t)output << 8 | role) << NUMBER_BITS | number;
}

bool sh_wire_file_read(int64_t packed, int *output, int *role, int64_t *number)
{
    if (packed < 0 || packed >> (NUMBER_BITS + 8) >= SH_LADDER_OUTPUTS)
        return false;
    *output = (int)(packed >> (NUMBER_BITS + 8));
    *role = (int)(packed >> NUMBER_BITS & 0xFF);
    *number = packed & ((INT64_C(1) << NUMBER_BITS) - 1);
    return *role < SH_LADDER_ROLES && *number <= SH_LADDER_SEGMENTS_MAX * INT64_C(100);
}
