/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ledger.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 2

const char *sh_fate_name(int fate)
{
    static const char *const names[SH_FATES] = {"kept",   "duplicate", "telecine",
                                                "edited", "leading",   "undecodable"};
    return fate >= 0 && fate < SH_FATES ? names[fate] : "unknown";
}

int sh_ledger_add(sh_ledger *ledger, const sh_ledger_entry *entry, sh_err *err)
{
    if (ledger->count == ledger->capacity) {
        const size_t capacity = ledger->capacity ? 2 * ledger->capacity : 256;
        sh_ledger_entry *grown =
            capacity <= SH_LEDGER_ENTRIES_MAX ? realloc(ledger->entries, capacity * sizeof(*grown)) : NULL;
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "the ledger of a piece has more than %zu entries",
                           ledger->count);
        ledger->entries = grown;
        ledger->capacity = capacity;
    }
    ledger->entries[ledger->count++] = *entry;
    return 0;
}

int64_t sh_ledger_sources(const sh_ledger *ledger)
{
    int64_t count = 0;
    for (size_t i = 0; i < ledger->count; i++)
        count += ledger->entries[i].source >= 0;
    return count;
}

void sh_ledger_free(sh_ledger *ledger)
{
    free(ledger->entries);
    *ledger = (sh_ledger){0};
}

/* ---- numbers ---- */

static void put(sh_buf *bytes, int64_t value)
{
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; rest >= 128; rest >>= 7)
        sh_buf_putc(bytes, (char)(rest | 128));
    sh_buf_putc(bytes, (char)rest);
}

typedef struct cursor {
    const unsigned char *at, *end;
    bool failed;
} cursor;

static int64_t get(cursor *c)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (c->at >= c->end)
            break;
        const unsigned char byte = *c->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return (int64_t)(value >> 1 ^ (0 - (value & 1)));
    }
    c->failed = true;
    return 0;
}

static int64_t get_within(cursor *c, int64_t least, int64_t most)
{
    const int64_t value = get(c);
    if (value >= least && value <= most)
        return value;
    c->failed = true;
    return least;
}

/* Differences wrap around, so that no time stamp is too large for them. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* ---- the way on ---- */

static void put_place(sh_buf *bytes, const sh_source_place *place)
{
    const int64_t numbers[] = {place->key,       place->packet,    place->frame,     place->pts,
                               place->last_pts,  place->last_step, place->odd_times, place->damages,
                               place->width,     place->height,    place->format,    place->sar_num,
                               place->sar_den,   place->range,     place->matrix,    place->losses[1],
                               place->losses[2], place->losses[3]};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        put(bytes, numbers[i]);
}

static void get_place(cursor *c, sh_source_place *place)
{
    place->key = get(c);
    place->packet = get(c);
    place->frame = get(c);
    place->pts = get(c);
    place->last_pts = get(c);
    place->last_step = get(c);
    place->odd_times = get(c);
    place->damages = get(c);
    place->width = (int32_t)get_within(c, 0, INT32_MAX);
    place->height = (int32_t)get_within(c, 0, INT32_MAX);
    place->format = (int32_t)get_within(c, -1, INT32_MAX);
    place->sar_num = (int32_t)get_within(c, 0, INT32_MAX);
    place->sar_den = (int32_t)get_within(c, 0, INT32_MAX);
    place->range = (int32_t)get_within(c, 0, INT32_MAX);
    place->matrix = (int32_t)get_within(c, 0, INT32_MAX);
    for (int i = 1; i < 4; i++)
        place->losses[i] = get_within(c, 0, INT64_MAX);
}

/* ---- the whole ---- */

int sh_ledger_write(const sh_ledger *ledger, sh_buf *bytes)
{
    const size_t reason = strlen(ledger->reason);
    sh_ledger_entry before = {0};
    put(bytes, VERSION);
    put_place(bytes, &ledger->next);
    put(bytes, ledger->next_output);
    put(bytes, ledger->checks);
    for (int i = 0; i < ledger->checks; i++)
        put(bytes, (int64_t)ledger->check[i]);
    put(bytes, ledger->damages);
    put(bytes, ledger->final);
    put(bytes, ledger->duplicates);
    put(bytes, (int64_t)reason);
    sh_buf_append(bytes, ledger->reason, reason);
    put(bytes, (int64_t)ledger->count);
    for (size_t i = 0; i < ledger->count; i++) {
        const sh_ledger_entry *e = &ledger->entries[i];
        put(bytes, e->fate);
        put(bytes, e->marks);
        put(bytes, minus(e->source, before.source));
        put(bytes, minus(e->packet, before.packet));
        put(bytes, minus(e->pts_in, before.pts_in));
        put(bytes, minus(e->output, before.output));
        put(bytes, minus(e->pts_out, before.pts_out));
        before = *e;
    }
    return bytes->failed ? SH_E_MEMORY : 0;
}

static int read_entries(sh_ledger *ledger, cursor *c, sh_err *err)
{
    const int64_t count = get_within(c, 0, SH_LEDGER_ENTRIES_MAX);
    sh_ledger_entry e = {0};
    for (int64_t i = 0; i < count && !c->failed; i++) {
        e.fate = (int)get_within(c, 0, SH_FATES - 1);
        e.marks = (unsigned)get_within(c, 0, UINT32_MAX);
        e.source = plus(e.source, get(c));
        e.packet = plus(e.packet, get(c));
        e.pts_in = plus(e.pts_in, get(c));
        e.output = plus(e.output, get(c));
        e.pts_out = plus(e.pts_out, get(c));
        int status = sh_ledger_add(ledger, &e, err);
        if (status < 0)
            return status;
    }
    return 0;
}

int sh_ledger_read(sh_ledger *ledger, const void *bytes, size_t size, sh_err *err)
{
    cursor c = {bytes, (const unsigned char *)bytes + size, false};
    get_within(&c, VERSION, VERSION);
    get_place(&c, &ledger->next);
    ledger->next_output = get_within(&c, 0, INT64_MAX);
    ledger->checks = (int)get_within(&c, 0, SH_LEDGER_CHECKS);
    for (int i = 0; i < ledger->checks; i++)
        ledger->check[i] = (uint64_t)get(&c);
    ledger->damages = get_within(&c, 0, INT64_MAX);
    ledger->final = get_within(&c, 0, 1);
    ledger->duplicates = get_within(&c, 0, INT64_MAX);
    const size_t reason = (size_t)get_within(&c, 0, sizeof(ledger->reason) - 1);
    if (!c.failed && reason <= (size_t)(c.end - c.at)) {
        memcpy(ledger->reason, c.at, reason);
        c.at += reason;
    } else {
        c.failed = true;
    }
    int status = c.failed ? 0 : read_entries(ledger, &c, err);
    if (status == 0 && (c.failed || c.at != c.end))
        status = sh_fail(err, SH_E_FORMAT, "a ledger in the journal cannot be read (byte %zu of %zu)",
                         (size_t)(c.at - (const unsigned char *)bytes), size);
    if (status < 0)
        sh_ledger_free(ledger);
    return status;
}
