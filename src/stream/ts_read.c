/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/ts_read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PID_NULL 0x1FFF
#define WRAP (INT64_C(1) << 33)
#define SECOND 90000
#define PCR_APART (SECOND / 10)
#define TYPE_ADTS 0x0F
#define ADTS_BLOCK 1024 /* samples */

void sh_ts_reader_init(sh_ts_reader *ts)
{
    memset(ts, 0, sizeof(*ts));
    ts->video.pid = ts->audio.pid = ts->pmt_pid = ts->pcr_pid = -1;
    sh_ts_reader_break(ts);
}

void sh_ts_reader_break(sh_ts_reader *ts)
{
    memset(ts->continuity, 0, sizeof(ts->continuity));
    ts->video.before = ts->audio.before = ts->video.before_pts = ts->audio.before_pts = INT64_MIN;
    ts->pcr = INT64_MIN;
}

static void begin(sh_ts_stream *s)
{
    if (s->units > 0)
        s->before_pts = s->last;
    s->units = s->shortest = 0;
    s->first = s->first_dts = INT64_MAX;
    s->last = s->last_dts = INT64_MIN;
    s->head_length = 0;
    s->head_done = false;
    s->lasts = 0;
    s->adts = (sh_ts_adts){0};
}

__attribute__((format(printf, 3, 4))) static bool bad(sh_ts_reader *ts, sh_ts_fault_kind kind,
                                                      const char *format, ...)
{
    va_list args;
    if (ts->fault.kind != SH_TS_FAULT_NONE)
        return false;
    ts->fault.kind = kind;
    ts->fault.byte = ts->byte;
    va_start(args, format);
    vsnprintf(ts->fault.words, sizeof(ts->fault.words), format, args);
    va_end(args);
    return false;
}

/* ---- tables ---- */

static uint32_t crc_of(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        crc ^= (uint32_t)bytes[i] << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x80000000 ? crc << 1 ^ 0x04C11DB7 : crc << 1;
    }
    return crc;
}

/* The section that begins in a payload, *size without its checksum; NULL: there is none that is whole. */
static const uint8_t *section(const uint8_t *payload, size_t length, int table, size_t *size)
{
    const size_t skip = length ? (size_t)payload[0] + 1 : 1;
    if (skip + 12 > length)
        return NULL;
    const uint8_t *s = payload + skip;
    const size_t whole = 3 + (size_t)((s[1] & 0x0F) << 8 | s[2]);
    if (s[0] != table || whole < 12 || skip + whole > length || crc_of(s, whole) != 0)
        return NULL;
    *size = whole - 4;
    return s;
}

static bool take_pat(sh_ts_reader *ts, const uint8_t *payload, size_t length)
{
    size_t size;
    int pid = -1;
    const uint8_t *s = section(payload, length, 0, &size);
    if (!s)
        return bad(ts, SH_TS_FAULT_TABLES, "a PAT cannot be read or has a wrong checksum");
    for (size_t i = 8; i + 4 <= size; i += 4) {
        if ((s[i] << 8 | s[i + 1]) == 0)
            continue;
        if (pid >= 0)
            return bad(ts, SH_TS_FAULT_STREAMS, "there is more than one program");
        pid = (s[i + 2] & 0x1F) << 8 | s[i + 3];
    }
    if (pid < 0)
        return bad(ts, SH_TS_FAULT_TABLES, "the PAT names no program");
    if (ts->pmt_pid >= 0 && ts->pmt_pid != pid)
        return bad(ts, SH_TS_FAULT_STREAMS, "the PMT's PID changes from %d to %d", ts->pmt_pid, pid);
    ts->pmt_pid = pid;
    ts->pat = true;
    return true;
}

static bool is_video(int type)
{
    return type == 0x1B || type == 0x24 || type == 0x02 || type == 0x01 || type == 0x10;
}

static bool is_audio(int type)
{
    return type == 0x0F || type == 0x11 || type == 0x03 || type == 0x04 || type == 0x81 || type == 0x87;
}

static bool take_stream(sh_ts_reader *ts, sh_ts_stream *s, const char *what, int pid, int type, bool *seen)
{
    if (*seen)
        return bad(ts, SH_TS_FAULT_STREAMS, "there is more than one %s stream", what);
    if (s->pid >= 0 && (s->pid != pid || s->type != type))
        return bad(ts, SH_TS_FAULT_STREAMS, "the %s stream changes from PID %d, type %d to %d, %d", what,
                   s->pid, s->type, pid, type);
    s->pid = pid;
    s->type = type;
    *seen = true;
    return true;
}

static bool take_pmt(sh_ts_reader *ts, const uint8_t *payload, size_t length)
{
    size_t size;
    bool video = false, audio = false;
    const uint8_t *s = section(payload, length, 2, &size);
    if (!s || size < 12)
        return bad(ts, SH_TS_FAULT_TABLES, "a PMT cannot be read or has a wrong checksum");
    ts->pcr_pid = (s[8] & 0x1F) << 8 | s[9];
    size_t i = 12 + (size_t)((s[10] & 0x0F) << 8 | s[11]);
    for (; i + 5 <= size; i += 5 + (size_t)((s[i + 3] & 0x0F) << 8 | s[i + 4])) {
        const int type = s[i], pid = (s[i + 1] & 0x1F) << 8 | s[i + 2];
        if (is_video(type) && !take_stream(ts, &ts->video, "video", pid, type, &video))
            return false;
        if (is_audio(type) && !take_stream(ts, &ts->audio, "audio", pid, type, &audio))
            return false;
    }
    if (i != size || (!video && !audio))
        return bad(ts, SH_TS_FAULT_TABLES, "the PMT names no video or audio stream");
    ts->pmt = true;
    return true;
}

/* ---- PES ---- */

static int64_t stamp(const uint8_t *p)
{
    return (int64_t)(p[0] >> 1 & 7) << 30 | (int64_t)p[1] << 22 | (int64_t)(p[2] >> 1) << 15 |
           (int64_t)p[3] << 7 | p[4] >> 1;
}

/* The value whose lower 33 bits are `value`, nearest to `near`. */
static int64_t unwrap(int64_t value, int64_t near)
{
    if (near == INT64_MIN)
        return value;
    int64_t best = near - (near & (WRAP - 1)) + value;
    if (best - near > WRAP / 2)
        best -= WRAP;
    else if (near - best > WRAP / 2)
        best += WRAP;
    return best;
}

static bool take_stamps(sh_ts_reader *ts, sh_ts_stream *s, int64_t pts, int64_t dts)
{
    const bool video = s == &ts->video;
    pts = unwrap(pts, s->before);
    dts = unwrap(dts, pts);
    if (dts > pts)
        return bad(ts, SH_TS_FAULT_TIME, "a DTS of %" PRId64 " is after its PTS of %" PRId64, dts, pts);
    if (s->before != INT64_MIN && dts <= s->before)
        return bad(ts, SH_TS_FAULT_TIME, "a DTS of %" PRId64 " follows one of %" PRId64, dts, s->before);
    if (video && s->before != INT64_MIN && s->units > 0 &&
        (s->shortest == 0 || dts - s->before < s->shortest))
        s->shortest = dts - s->before;
    s->before = dts;
    if (s->units++ == 0)
        s->first_dts = dts;
    s->last_dts = dts;
    s->first = pts < s->first ? pts : s->first;
    s->last = pts > s->last ? pts : s->last;
    if (video && ts->pcr != INT64_MIN && unwrap(ts->pcr, dts) > dts)
        return bad(ts, SH_TS_FAULT_PCR, "a PCR of %" PRId64 " is after the DTS of %" PRId64 " that it clocks",
                   ts->pcr, dts);
    return true;
}

static void take_head(sh_ts_stream *s, const uint8_t *bytes, size_t length)
{
    if (s->head_done)
        return;
    const size_t room = SH_TS_HEAD_MOST - s->head_length, n = length < room ? length : room;
    memcpy(s->head + s->head_length, bytes, n);
    s->head_length += n;
}

/* ---- frames of AAC ---- */

int sh_ts_adts_rate(const uint8_t *head)
{
    static const int rates[16] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
                                  16000, 12000, 11025, 8000,  7350,  0,     0,     0};
    return head[0] == 0xFF && (head[1] & 0xF6) == 0xF0 ? rates[head[2] >> 2 & 15] : 0;
}

static void take_adts_head(sh_ts_adts *a)
{
    const uint8_t *p = a->head;
    const size_t whole = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5;
    const int rate = sh_ts_adts_rate(p);
    a->lost |= rate == 0 || whole < SH_TS_ADTS_HEAD || (a->samples > 0 && rate != a->rate);
    if (a->lost)
        return;
    a->samples += a->before ? 0 : ADTS_BLOCK * ((p[6] & 3) + 1);
    a->rate = rate;
    a->before = false;
    a->skip = whole - SH_TS_ADTS_HEAD;
    a->length = 0;
}

/* The payload of a PES packet, or more of it. */
static void take_adts(sh_ts_stream *s, const uint8_t *bytes, size_t length, bool start)
{
    sh_ts_adts *a = &s->adts;
    if (s->type != TYPE_ADTS)
        return;
    if (start) {
        a->samples = 0;
        a->before = a->length > 0;
    }
    while (length > 0 && !a->lost) {
        const size_t wanted = a->skip > 0 ? a->skip : SH_TS_ADTS_HEAD - a->length;
        const size_t n = wanted < length ? wanted : length;
        if (a->skip > 0) {
            a->skip -= n;
        } else {
            memcpy(a->head + a->length, bytes, n);
            a->length += n;
            if (a->length == SH_TS_ADTS_HEAD)
                take_adts_head(a);
        }
        bytes += n;
        length -= n;
    }
    s->lasts = a->lost || a->rate == 0 ? 0 : (a->samples * SECOND + a->rate / 2) / a->rate;
}

static bool take_pes(sh_ts_reader *ts, sh_ts_stream *s, const uint8_t *p, size_t length, bool start)
{
    if (!start) {
        if (s->units > 0) {
            take_head(s, p, length);
            take_adts(s, p, length, false);
        }
        return true;
    }
    if (length < 14 || p[0] != 0 || p[1] != 0 || p[2] != 1 || (p[6] & 0xC0) != 0x80 ||
        9 + (size_t)p[8] > length)
        return bad(ts, SH_TS_FAULT_PES, "a PES header cannot be read");
    const int told = p[7] >> 6;
    if (told < 2 || p[8] < (told == 3 ? 10 : 5))
        return bad(ts, SH_TS_FAULT_PES, "a PES packet has no PTS");
    if (p[6] & 0x30)
        return bad(ts, SH_TS_FAULT_SCRAMBLED, "a PES packet is scrambled");
    if (s->units > 0)
        s->head_done = true;
    const int64_t pts = stamp(p + 9);
    if (!take_stamps(ts, s, pts, told == 3 ? stamp(p + 14) : pts))
        return false;
    take_head(s, p + 9 + p[8], length - 9 - p[8]);
    take_adts(s, p + 9 + p[8], length - 9 - p[8], true);
    return true;
}

/* ---- packets ---- */

static bool check_counter(sh_ts_reader *ts, int pid, int counter, bool payload, bool broken)
{
    uint8_t *last = &ts->continuity[pid];
    const int before = *last & 0x0F, wanted = payload ? (before + 1) & 0x0F : before;
    const bool known = *last & 0x80;
    if (payload || !known)
        *last = (uint8_t)(0x80 | counter);
    if (!known || broken || counter == wanted || pid == PID_NULL)
        return true;
    return bad(ts, SH_TS_FAULT_CONTINUITY, "PID %d: counter %d follows %d", pid, counter, before);
}

static bool take_pcr(sh_ts_reader *ts, const uint8_t *field, bool broken)
{
    const int64_t base = (int64_t)field[0] << 25 | (int64_t)field[1] << 17 | (int64_t)field[2] << 9 |
                         (int64_t)field[3] << 1 | field[4] >> 7;
    const int64_t now = unwrap(base, broken ? INT64_MIN : ts->pcr), before = ts->pcr;
    const bool inside = ts->clocked; /* over a border the time stamps are looked at instead */
    ts->pcr = now;
    ts->clocked = true;
    if (before == INT64_MIN || broken)
        return true;
    if (now < before)
        return bad(ts, SH_TS_FAULT_TIME, "the PCR goes back from %" PRId64 " to %" PRId64, before, now);
    if (inside && now - before > PCR_APART + SECOND / 100)
        return bad(ts, SH_TS_FAULT_PCR, "two PCR are %.3f s apart", (double)(now - before) / SECOND);
    return true;
}

static bool take_packet(sh_ts_reader *ts, const uint8_t *p)
{
    const int pid = (p[1] & 0x1F) << 8 | p[2], control = p[3] >> 4 & 3;
    const bool start = p[1] & 0x40;
    size_t offset = 4;
    bool broken = false;
    if (p[0] != 0x47)
        return bad(ts, SH_TS_FAULT_PACKET, "a packet begins with 0x%02x instead of 0x47", p[0]);
    if (pid == PID_NULL)
        return true;
    if (p[1] & 0x80)
        return bad(ts, SH_TS_FAULT_PACKET, "a packet is flagged as damaged");
    if (p[3] & 0xC0)
        return bad(ts, SH_TS_FAULT_SCRAMBLED, "PID %d is scrambled", pid);
    if (control & 2) {
        offset += 1 + (size_t)p[4];
        broken = p[4] > 0 && p[5] & 0x80;
    }
    if (control == 0 || offset > SH_TS_BYTES)
        return bad(ts, SH_TS_FAULT_PACKET, "an adaptation field is longer than its packet");
    if (!check_counter(ts, pid, p[3] & 0x0F, control & 1, broken))
        return false;
    if (pid == ts->pcr_pid && (control & 2) && p[4] >= 7 && p[5] & 0x10 && !take_pcr(ts, p + 6, broken))
        return false;
    if (!(control & 1))
        return true;
    const uint8_t *payload = p + offset;
    const size_t length = SH_TS_BYTES - offset;
    if (pid == 0 && start)
        return take_pat(ts, payload, length);
    if (pid == ts->pmt_pid && start && ts->pat)
        return take_pmt(ts, payload, length);
    if (pid != ts->video.pid && pid != ts->audio.pid)
        return true;
    if (!ts->pat || !ts->pmt)
        return bad(ts, SH_TS_FAULT_TABLES, "PID %d comes before the segment's PAT and PMT", pid);
    return take_pes(ts, pid == ts->video.pid ? &ts->video : &ts->audio, payload, length, start);
}

bool sh_ts_reader_segment(sh_ts_reader *ts, const uint8_t *bytes, size_t size)
{
    begin(&ts->video);
    begin(&ts->audio);
    ts->pat = ts->pmt = ts->clocked = false;
    ts->fault = (sh_ts_fault){0};
    ts->byte = 0;
    for (size_t at = 0; at + SH_TS_BYTES <= size; at += SH_TS_BYTES) {
        ts->byte = (int64_t)at;
        if (!take_packet(ts, bytes + at))
            return false;
    }
    if (size % SH_TS_BYTES)
        return bad(ts, SH_TS_FAULT_PACKET, "%zu bytes are no whole number of packets of 188", size);
    if (!ts->pat || !ts->pmt)
        return bad(ts, SH_TS_FAULT_TABLES, "the segment has no PAT or no PMT");
    return true;
}
