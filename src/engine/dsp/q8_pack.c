/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which taps are added in 16 bits: for each four outputs, the largest tap first, with the largest of the
 * others that it goes with. */
#include "engine/dsp/q8_pack.h"
#include <stdlib.h>
#include <string.h>

int sh_q8_lanes(const sh_q8_conv *conv)
{
    return conv->split ? 2 * conv->outputs : conv->outputs;
}

size_t sh_q8_weights_size(const sh_q8_conv *conv)
{
    return (size_t)sh_q8_lanes(conv) * (size_t)conv->groups * SH_Q8_GROUP * SH_Q8_TAPS * SH_Q8_TAPS;
}

/* Where an output's weights stand among the lanes: four upper parts before their four lower ones. */
static int packed_lane(const sh_q8_conv *conv, int lane)
{
    int output = lane / 2;
    if (!conv->split)
        return lane;
    return output / SH_Q8_GROUP * 2 * SH_Q8_GROUP + lane % 2 * SH_Q8_GROUP + output % SH_Q8_GROUP;
}

void sh_q8_pack(int8_t *packed, const int8_t *weights, const sh_q8_conv *conv)
{
    int lanes = sh_q8_lanes(conv), channels = conv->groups * SH_Q8_GROUP;
    for (int lane = 0; lane < lanes; lane++)
        for (int c = 0; c < channels; c++)
            for (int tap = 0; tap < SH_Q8_TAPS * SH_Q8_TAPS; tap++) {
                int row = tap / SH_Q8_TAPS * conv->groups + c / SH_Q8_GROUP;
                int at = (row * SH_Q8_TAPS + tap % SH_Q8_TAPS) * lanes + packed_lane(conv, lane);
                packed[at * SH_Q8_GROUP + c % SH_Q8_GROUP] = *weights++;
            }
}

size_t sh_q8_pair_room(const sh_q8_conv *conv)
{
    return sh_q8_weights_size(conv) / (SH_Q8_GROUP * SH_Q8_GROUP) * 2;
}

enum { WINDOW = 128 }; /* so that a layer of many channels does not take long */

/* What the taps so far may add up to in each 16-bit sum of two channels: [output][channels][sign]. */
typedef struct load {
    int sum[SH_Q8_GROUP][SH_Q8_GROUP / 2][2];
} load;

/* Adds a tap; the largest of the sums. */
static int add_tap(load *l, const sh_q8_tap *tap)
{
    int most = 0;
    for (int o = 0; o < SH_Q8_GROUP; o++)
        for (int c = 0; c < SH_Q8_GROUP; c++) {
            int w = tap->weights[o][c], *sum = &l->sum[o][c / 2][w < 0];
            *sum += abs(w);
            most = *sum > most ? *sum : most;
        }
    return most;
}

static int largest_sum(const sh_q8_tap *tap)
{
    load l = {{{{0}}}};
    return add_tap(&l, tap);
}

static int compare_taps(const void *a, const void *b)
{
    int sa = largest_sum(a), sb = largest_sum(b);
    const sh_q8_tap *ta = a, *tb = b;
    if (sa != sb)
        return sa > sb ? -1 : 1;
    if (ta->row != tb->row)
        return ta->row < tb->row ? -1 : 1;
    return (ta->column > tb->column) - (ta->column < tb->column);
}

/* The taps of four lanes from `first` on; how many. */
static int collect(const sh_q8_conv *conv, int first, sh_q8_tap *taps)
{
    int lanes = sh_q8_lanes(conv), count = 0;
    for (int row = 0; row < SH_Q8_TAPS * conv->groups; row++)
        for (int kx = 0; kx < SH_Q8_TAPS; kx++) {
            sh_q8_tap *tap = &taps[count++];
            *tap = (sh_q8_tap){.row = row, .column = kx};
            memcpy(tap->weights, conv->weights + ((row * SH_Q8_TAPS + kx) * lanes + first) * SH_Q8_GROUP,
                   sizeof(tap->weights));
            if (largest_sum(tap) <= SH_Q8_PAIR)
                continue;
            sh_q8_tap *rest = &taps[count++];
            *rest = *tap;
            for (int i = 0; i < SH_Q8_GROUP * SH_Q8_GROUP; i++) {
                int8_t *w = &tap->weights[0][0] + i, half = (int8_t)(*w / 2);
                (&rest->weights[0][0])[i] = (int8_t)(*w - half);
                *w = half;
            }
        }
    qsort(taps, (size_t)count, sizeof(*taps), compare_taps);
    return count;
}

/* Moves taps[from] to `to`, those between one further. */
static void move_tap(sh_q8_tap *taps, int from, int to)
{
    sh_q8_tap tap = taps[from];
    memmove(taps + to + 1, taps + to, (size_t)(from - to) * sizeof(*taps));
    taps[to] = tap;
}

/* Makes a run of taps[0] and those of the next WINDOW, the largest first, that it has room for; its length.
 */
static int make_run(sh_q8_tap *taps, int count)
{
    load l = {{{{0}}}};
    int length = 1;
    add_tap(&l, &taps[0]);
    for (int i = 1; i < count && i < WINDOW && length < SH_Q8_RUN; i++) {
        load with = l;
        if (add_tap(&with, &taps[i]) > SH_Q8_PAIR)
            continue;
        l = with;
        move_tap(taps, i, length++);
    }
    return length;
}

/* taps: `count`, the largest first. */
static void pair_block(sh_q8_pass *pass, sh_q8_tap *taps, int count)
{
    sh_q8_tap *sorted = taps;
    *pass = (sh_q8_pass){.taps = taps};
    while (count > 0) {
        int length = make_run(taps, count), place = 0;
        for (int i = SH_Q8_RUN; i >= length; i--)
            place += pass->runs[i - 1] * i;
        for (int i = 0; i < length; i++)
            move_tap(sorted, (int)(taps - sorted) + i, place + i);
        pass->runs[length - 1]++;
        taps += length;
        count -= length;
    }
}

void sh_q8_pair(const sh_q8_conv *conv, sh_q8_pass *pass, sh_q8_tap *taps)
{
    for (int first = 0; first < sh_q8_lanes(conv); first += SH_Q8_GROUP) {
        int count = collect(conv, first, taps);
        pair_block(pass++, taps, count);
        taps += count;
    }
}
