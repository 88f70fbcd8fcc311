/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int sh_times_start(sh_times *times, int delay, int64_t step, sh_err *err)
{
    if (delay < 0 || delay > SH_DELAY_MAX)
        return sh_fail(err, SH_E_INTERNAL, "an encoder that reorders by %d packets", delay);
    *times = (sh_times){.delay = delay, .step = step > 0 ? step : 1};
    return 0;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* list: room for `delay` times, then those of the piece, sorted. */
static void begin(sh_times *times, const int64_t *sorted, size_t count)
{
    const int64_t step = count > 1 ? sorted[1] - sorted[0] : times->step;
    for (int i = 0; i < times->delay; i++)
        times->carried[i] = sorted[0] - (times->delay - i) * step;
    times->begun = true;
}

static int check_increasing(const int64_t *list, size_t count, sh_err *err)
{
    for (size_t i = 1; i < count; i++)
        if (list[i] <= list[i - 1])
            return sh_fail(err, SH_E_INTERNAL, "the encoder gave the time %" PRId64 " after %" PRId64,
                           list[i], list[i - 1]);
    return 0;
}

int sh_times_piece(sh_times *times, AVPacket *const *packets, size_t count, sh_err *err)
{
    const size_t delay = (size_t)times->delay;
    int64_t *list = calloc(delay + count, sizeof(*list));
    if (!list)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; i < count; i++)
        list[delay + i] = packets[i]->pts;
    qsort(list + delay, count, sizeof(*list), compare);
    if (!times->begun)
        begin(times, list + delay, count);
    memcpy(list, times->carried, delay * sizeof(*list));
    int status = check_increasing(list, delay + count, err);
    for (size_t i = 0; i < count && status == 0; i++) {
        packets[i]->dts = list[i];
        if (packets[i]->dts > packets[i]->pts)
            status = sh_fail(err, SH_E_INTERNAL,
                             "the encoder reorders by more than the %zu packets it said: time %" PRId64
                             " before %" PRId64,
                             delay, packets[i]->pts, packets[i]->dts);
    }
    memcpy(times->carried, list + count, delay * sizeof(*list));
    free(list);
    return status;
}
