/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/ts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define PID_NULL 0x1FFF
#define PID_SDT 0x11
#define TYPE_H264 0x1B
#define TYPE_AAC_ADTS 0x0F
#define WRAP (INT64_C(1) << 33)

void sh_ts_init(sh_ts *ts)
{
    memset(ts, 0, sizeof(*ts));
    ts->video.pid = ts->audio.pid = ts->pmt_pid = -1;
    ts->video.previous = ts->audio.previous = INT64_MIN;
}

static void begin(sh_ts *ts)
{
    sh_ts_track *const tracks[] = {&ts->video, &ts->audio};
    for (int i = 0; i < 2; i++) {
        tracks[i]->units = 0;
        tracks[i]->first = INT64_MAX;
        tracks[i]->last = INT64_MIN;
    }
    ts->pat = ts->pmt = ts->head_done = ts->idr = false;
    ts->head_length = 0;
    ts->packets = 0;
    memset(ts->sps, 0, sizeof(ts->sps));
}

static int bad(const sh_ts *ts, sh_err *err, const char *rule)
{
    return sh_fail(err, SH_E_FORMAT, "%s (byte %" PRId64 ")", rule, ts->packets * SH_TS_PACKET);
}

/* ---- tables ---- */

static uint32_t crc32_mpeg(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        crc ^= (uint32_t)bytes[i] << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x80000000 ? crc << 1 ^ 0x04C11DB7 : crc << 1;
    }
    return crc;
}

/* The section in a payload that starts one: its bytes without the checksum, or NULL. */
static const uint8_t *section(const uint8_t *payload, size_t length, int table, size_t *size)
{
    size_t skip = length ? (size_t)payload[0] + 1 : 1;
    if (skip + 12 > length)
        return NULL;
    const uint8_t *s = payload + skip;
    size_t whole = 3 + (size_t)((s[1] & 0x0F) << 8 | s[2]);
    if (s[0] != table || whole < 12 || skip + whole > length || crc32_mpeg(s, whole) != 0)
        return NULL;
    *size = whole - 4;
    return s;
}

static int take_pat(sh_ts *ts, const uint8_t *payload, size_t length, sh_err *err)
{
    size_t size;
    const uint8_t *s = section(payload, length, 0, &size);
    if (!s)
        return bad(ts, err, "ts-pat: the program association table is damaged");
    for (size_t i = 8; i + 4 <= size; i += 4)
        if (s[i] || s[i + 1]) /* program 0 is the network */
            ts->pmt_pid = (s[i + 2] & 0x1F) << 8 | s[i + 3];
    if (ts->pmt_pid < 0)
        return bad(ts, err, "ts-pat: the program association table names no program");
    ts->pat = true;
    return 0;
}

static void set_track(sh_ts_track *track, int pid, int type)
{
    if (track->pid < 0) {
        track->pid = pid;
        track->stream_type = type;
    }
}

static int take_pmt(sh_ts *ts, const uint8_t *payload, size_t length, sh_err *err)
{
    size_t size;
    const uint8_t *s = section(payload, length, 2, &size);
    if (!s)
        return bad(ts, err, "ts-pmt: the program map table is damaged");
    for (size_t i = 12 + (size_t)((s[10] & 0x0F) << 8 | s[11]); i + 5 <= size;) {
        int pid = (s[i + 1] & 0x1F) << 8 | s[i + 2];
        if (s[i] == TYPE_H264)
            set_track(&ts->video, pid, s[i]);
        else if (s[i] == TYPE_AAC_ADTS)
            set_track(&ts->audio, pid, s[i]);
        i += 5 + (size_t)((s[i + 3] & 0x0F) << 8 | s[i + 4]);
    }
    if (ts->video.pid < 0)
        return bad(ts, err, "ts-pmt: the program map table names no H.264 track");
    ts->pmt = true;
    return 0;
}

/* ---- access units ---- */

static int64_t unwrap(const sh_ts_track *track, int64_t pts)
{
    if (track->previous == INT64_MIN)
        return pts;
    int64_t near = track->previous - track->previous % WRAP + pts;
    if (near - track->previous > WRAP / 2)
        near -= WRAP;
    else if (track->previous - near > WRAP / 2)
        near += WRAP;
    return near;
}

static int take_pes(sh_ts *ts, sh_ts_track *track, const uint8_t *p, size_t length, size_t *header,
                    sh_err *err)
{
    if (length < 14 || p[0] || p[1] || p[2] != 1)
        return bad(ts, err, "ts-pes: a PES packet does not start with its start code");
    if (!(p[7] & 0x80))
        return bad(ts, err, "ts-pts: an access unit has no presentation time");
    int64_t pts = (int64_t)(p[9] & 0x0E) << 29 | (int64_t)p[10] << 22 | (int64_t)(p[11] & 0xFE) << 14 |
                  (int64_t)p[12] << 7 | p[13] >> 1;
    pts = unwrap(track, pts);
    track->units++;
    track->previous = pts;
    track->first = pts < track->first ? pts : track->first;
    track->last = pts > track->last ? pts : track->last;
    *header = 9 + (size_t)p[8] < length ? 9 + (size_t)p[8] : length;
    return 0;
}

/* NAL unit types of the first access unit up to its first slice. */
static void read_head(sh_ts *ts)
{
    bool sps = false, pps = false;
    for (size_t i = 0; i + 7 < ts->head_length; i++) {
        const uint8_t *n = ts->head + i;
        if (n[0] || n[1] || n[2] != 1)
            continue;
        int type = n[3] & 0x1F;
        if (type == 7) {
            sps = true;
            memcpy(ts->sps, n + 3, 4);
        }
        pps = pps || type == 8;
        if (type >= 1 && type <= 5) {
            ts->idr = type == 5 && sps && pps;
            break;
        }
    }
    ts->head_done = true;
}

static void gather_head(sh_ts *ts, const uint8_t *bytes, size_t length)
{
    size_t room = SH_TS_HEAD - ts->head_length;
    length = length < room ? length : room;
    memcpy(ts->head + ts->head_length, bytes, length);
    ts->head_length += length;
}

static int take_media(sh_ts *ts, sh_ts_track *track, const uint8_t *payload, size_t length, bool start,
                      sh_err *err)
{
    size_t header = 0;
    if (!ts->pat || !ts->pmt)
        return bad(ts, err, "ts-tables-first: media comes before PAT and PMT");
    if (start) {
        int status = take_pes(ts, track, payload, length, &header, err);
        if (status < 0)
            return status;
    } else if (track->units == 0) {
        return bad(ts, err, "ts-unit-border: the segment starts within an access unit");
    }
    if (track == &ts->video && !ts->head_done) {
        if (track->units > 1)
            read_head(ts);
        else
            gather_head(ts, payload + header, length - header);
    }
    return 0;
}

/* ---- packets ---- */

static int check_continuity(sh_ts *ts, int pid, int counter, bool has_payload, bool discontinuity,
                            sh_err *err)
{
    uint8_t last = ts->continuity[pid];
    int expected = has_payload ? ((last & 0x0F) + 1) & 0x0F : last & 0x0F;
    if ((last & 0x80) && !discontinuity && counter != expected)
        return bad(ts, err, "ts-continuity: packets are missing");
    ts->continuity[pid] = (uint8_t)(0x80 | counter);
    return 0;
}

static int take_packet(sh_ts *ts, const uint8_t *p, sh_err *err)
{
    const int pid = (p[1] & 0x1F) << 8 | p[2], control = p[3] >> 4 & 3;
    const bool start = p[1] & 0x40;
    size_t offset = 4;
    bool discontinuity = false;
    if (p[0] != 0x47)
        return bad(ts, err, "ts-sync: no synchronisation byte");
    if (p[1] & 0x80 || p[3] >> 6)
        return bad(ts, err, "ts-packet: a packet is marked as damaged or scrambled");
    if (pid == PID_NULL)
        return 0;
    if (control & 2) {
        discontinuity = p[4] > 0 && p[5] & 0x80;
        offset += 1 + (size_t)p[4];
    }
    if (control == 0 || offset > SH_TS_PACKET)
        return bad(ts, err, "ts-packet: an adaptation field is too long");
    int status = check_continuity(ts, pid, p[3] & 0x0F, control & 1, discontinuity, err);
    if (status < 0 || !(control & 1))
        return status;
    const uint8_t *payload = p + offset;
    const size_t length = SH_TS_PACKET - offset;
    if (pid == 0 && start)
        return take_pat(ts, payload, length, err);
    if (pid == ts->pmt_pid && start && ts->pat)
        return take_pmt(ts, payload, length, err);
    if (pid == ts->video.pid)
        return take_media(ts, &ts->video, payload, length, start, err);
    if (pid == ts->audio.pid)
        return take_media(ts, &ts->audio, payload, length, start, err);
    return 0;
}

/* Fills a block with whole packets; its length, 0 at the end. */
static ssize_t read_block(int descriptor, uint8_t *block, size_t size)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = read(descriptor, block + filled, size - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        filled += (size_t)got;
    }
    return (ssize_t)filled;
}

int sh_ts_read_segment(sh_ts *ts, int descriptor, sh_err *err)
{
    uint8_t block[SH_TS_PACKET * 256];
    ssize_t length;
    begin(ts);
    while ((length = read_block(descriptor, block, sizeof(block))) > 0) {
        if (length % SH_TS_PACKET)
            return bad(ts, err, "ts-size: the segment is not a whole number of packets of 188 bytes");
        for (ssize_t i = 0; i < length; i += SH_TS_PACKET, ts->packets++) {
            int status = take_packet(ts, block + i, err);
            if (status < 0)
                return status;
        }
    }
    if (length < 0)
        return sh_fail_errno(err, errno, "reading the segment");
    if (ts->video.units == 0)
        return bad(ts, err, "ts-empty: the segment has no picture");
    if (!ts->head_done)
        read_head(ts);
    if (!ts->idr)
        return bad(ts, err, "ts-idr: the segment does not start with an IDR picture and its parameter sets");
    return 0;
}
