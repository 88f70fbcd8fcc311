/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stored bytes are found by looking for them, not by asking the muxer where it put them: Matroska only knows
 * when a cluster is complete. All packets of a piece lie in its part of the file in their order, and between
 * two of them is no more than what other tracks have there, so each search is short. That equal bytes might
 * stand earlier, in another track, does no harm: they are equal. */
#include "media/stored.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define WINDOW (1 << 16)
#define TS_PACKET 188

static bool is_h26x(const AVCodecParameters *video)
{
    return video->codec_id == AV_CODEC_ID_H264 || video->codec_id == AV_CODEC_ID_HEVC;
}

sh_stored_form sh_stored_form_of(const AVOutputFormat *format, const AVCodecParameters *video)
{
    if (strcmp(format->name, "mpegts") == 0)
        return SH_STORED_TRANSPORT;
    if (video->codec_id == AV_CODEC_ID_AV1)
        return SH_STORED_OBUS;
    /* a record of parameter sets instead of start codes says that the packets have lengths already */
    const bool record = video->extradata_size > 0 && video->extradata[0] == 1;
    return is_h26x(video) && !record ? SH_STORED_LENGTHS : SH_STORED_PLAIN;
}

/* ---- units of H.264 and HEVC ---- */

/* The first byte after the start code at or after `at`; NULL: none. *begin: of the code. */
static const uint8_t *next_unit(const uint8_t *at, const uint8_t *end, const uint8_t **begin)
{
    while (end - at >= 3) {
        const uint8_t *one = memchr(at + 2, 1, (size_t)(end - at - 2));
        if (!one)
            return NULL;
        if (one[-1] == 0 && one[-2] == 0) {
            *begin = one - 2;
            return one + 1;
        }
        at = one - 1;
    }
    return NULL;
}

static int unit_kind(const AVCodecParameters *video, const uint8_t *unit)
{
    return video->codec_id == AV_CODEC_ID_H264 ? unit[0] & 0x1f : unit[0] >> 1 & 0x3f;
}

static int to_lengths(const uint8_t *bytes, size_t size, sh_buf *stored, sh_err *err)
{
    const uint8_t *const end = bytes + size;
    const uint8_t *begin = bytes, *unit = next_unit(bytes, end, &begin);
    if (!unit)
        return sh_fail(err, SH_E_FORMAT, "a packet of the encoder has no start code");
    while (unit) {
        const uint8_t *next = next_unit(unit, end, &begin);
        const uint8_t *stop = next ? begin : end;
        while (stop > unit && stop[-1] == 0)
            stop--; /* zeros before a start code are not the unit's, whose last byte is never zero */
        const uint32_t length = (uint32_t)(stop - unit);
        const uint8_t head[4] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                                 (uint8_t)length};
        if (length > 0) {
            sh_buf_append(stored, head, sizeof(head));
            sh_buf_append(stored, unit, length);
        }
        unit = next;
    }
    return 0;
}

static int from_lengths(uint8_t *bytes, size_t size, sh_err *err)
{
    for (size_t at = 0; at < size;) {
        if (size - at < 4)
            return sh_fail(err, SH_E_FORMAT, "a stored packet ends within a length");
        const uint8_t *head = bytes + at;
        const size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (length == 0 || length > size - at - 4)
            return sh_fail(err, SH_E_FORMAT, "a stored packet's unit has %zu bytes where %zu are", length,
                           size - at - 4);
        memcpy(bytes + at, "\0\0\0\1", 4);
        at += 4 + length;
    }
    return 0;
}

/* ---- units of AV1 ---- */

static bool read_leb(const uint8_t **at, const uint8_t *end, size_t *value)
{
    *value = 0;
    for (int i = 0; i < 8 && *at < end; i++) {
        const uint8_t byte = *(*at)++;
        *value |= (size_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static int filter_obus(const uint8_t *bytes, size_t size, sh_buf *stored, sh_err *err)
{
    enum { TEMPORAL_DELIMITER = 2, REDUNDANT_HEADER = 7, TILE_LIST = 8, PADDING = 15 };
    const uint8_t *const end = bytes + size;
    for (const uint8_t *at = bytes; at < end;) {
        const uint8_t *begin = at;
        const int kind = *at >> 3 & 15;
        size_t length = 0;
        at += *at & 4 ? 2 : 1;
        if (at > end || (*begin & 2 && !read_leb(&at, end, &length)))
            return sh_fail(err, SH_E_FORMAT, "a packet of the encoder breaks off within an OBU");
        if (!(*begin & 2))
            length = (size_t)(end - at);
        if (length > (size_t)(end - at))
            return sh_fail(err, SH_E_FORMAT, "a packet of the encoder breaks off within an OBU");
        at += length;
        if (kind != TEMPORAL_DELIMITER && kind != REDUNDANT_HEADER && kind != TILE_LIST && kind != PADDING)
            sh_buf_append(stored, begin, (size_t)(at - begin));
    }
    return 0;
}

/* ---- a transport stream's ---- */

/* Begins with a long start code where that is asked for, and does not end with zeros: how a demuxer gives it
 * depends on what stands around it. */
static void add_whole(const uint8_t *bytes, size_t size, bool begins, sh_buf *stored)
{
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    if (begins && size > 3 && memcmp(bytes, "\0\0\1", 3) == 0)
        sh_buf_putc(stored, 0);
    sh_buf_append(stored, bytes, size);
}

static void add_delimiters(const AVCodecParameters *video, const uint8_t *bytes, size_t size, bool key,
                           sh_buf *stored)
{
    const bool h264 = video->codec_id == AV_CODEC_ID_H264;
    const int delimiter = h264 ? 9 : 35, sequence = h264 ? 7 : 33;
    const uint8_t *const end = bytes + size;
    const uint8_t *begin = bytes;
    bool delimited = false, sets = false;
    for (const uint8_t *unit = next_unit(bytes, end, &begin); unit && unit < end;
         unit = next_unit(unit, end, &begin)) {
        delimited |= unit_kind(video, unit) == delimiter;
        sets |= unit_kind(video, unit) == sequence;
    }
    if (!delimited)
        sh_buf_append(stored, h264 ? "\0\0\0\1\x09\xf0" : "\0\0\0\1\x46\x01\x50", h264 ? 6 : 7);
    if (!delimited && key && !sets && video->extradata_size > 0 && video->extradata[0] == 0)
        sh_buf_append(stored, video->extradata, (size_t)video->extradata_size);
    add_whole(bytes, size, delimited, stored);
}

static int read_exactly(int fd, void *to, size_t size, int64_t offset, sh_err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (char *)to + done, size - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "reading at byte %" PRId64, offset + (int64_t)done);
        if (got == 0)
            return sh_fail(err, SH_E_FORMAT, "it ends at byte %" PRId64, offset + (int64_t)done);
        done += (size_t)got;
    }
    return 0;
}

/* Payload of a transport packet: its place and size; -1 where it is no sound packet. */
static int payload_of(const uint8_t *packet, int *size)
{
    int at = 4;
    if (packet[0] != 0x47)
        return -1;
    if (packet[3] & 0x20)
        at += 1 + packet[4];
    if (!(packet[3] & 0x10))
        at = TS_PACKET;
    if (at > TS_PACKET)
        return -1;
    *size = TS_PACKET - at;
    return at;
}

/* Gathers `size` bytes of the elementary stream from the packet at `offset` on, where they begin. */
static int gather(int fd, int64_t offset, size_t size, int64_t end, sh_buf *stored, sh_err *err)
{
    uint8_t packet[TS_PACKET];
    int track = -1;
    for (; stored->length < size && !stored->failed; offset += TS_PACKET) {
        if (offset > end - TS_PACKET)
            return sh_fail(err, SH_E_FORMAT, "a packet does not end before byte %" PRId64, end);
        int status = read_exactly(fd, packet, sizeof(packet), offset, err);
        if (status < 0)
            return status;
        const int number = (packet[1] & 0x1f) << 8 | packet[2];
        int length = 0, at = payload_of(packet, &length);
        if (at < 0)
            return sh_fail(err, SH_E_FORMAT, "at byte %" PRId64 " is no transport packet", offset);
        if (track < 0) { /* the first: behind the header of the elementary stream's packet */
            if (!(packet[1] & 0x40) || length < 9 || length < 9 + packet[at + 8])
                return sh_fail(err, SH_E_FORMAT, "at byte %" PRId64 " begins no packet", offset);
            track = number;
            length -= 9 + packet[at + 8];
            at += 9 + packet[at + 8];
        } else if (number == track && packet[1] & 0x40) {
            return sh_fail(err, SH_E_FORMAT, "at byte %" PRId64 " begins another packet", offset);
        }
        const size_t left = size - stored->length;
        if (number == track)
            sh_buf_append(stored, packet + at, (size_t)length < left ? (size_t)length : left);
    }
    return 0;
}

/* The next transport packet with which a packet of the elementary stream begins. */
static int find_begin(int fd, int64_t *offset, int64_t end, int track, sh_err *err)
{
    uint8_t packet[4];
    for (int64_t at = *offset; at <= end - TS_PACKET; at += TS_PACKET) {
        int status = read_exactly(fd, packet, sizeof(packet), at, err);
        if (status < 0)
            return status;
        if (packet[0] == 0x47 && packet[1] & 0x40 && ((packet[1] & 0x1f) << 8 | packet[2]) == track) {
            *offset = at;
            return 0;
        }
    }
    return sh_fail(err, SH_E_INTERNAL, "a packet of %d bytes before byte %" PRId64 " is not found again",
                   TS_PACKET, end);
}

/* ---- for the muxer ---- */

int sh_stored_make(sh_stored_form form, const AVCodecParameters *video, const uint8_t *bytes, size_t size,
                   bool key, sh_buf *stored, sh_err *err)
{
    int status = 0;
    sh_buf_clear(stored);
    if (form == SH_STORED_LENGTHS)
        status = to_lengths(bytes, size, stored, err);
    else if (form == SH_STORED_OBUS)
        status = filter_obus(bytes, size, stored, err);
    else if (form == SH_STORED_TRANSPORT && is_h26x(video))
        add_delimiters(video, bytes, size, key, stored);
    else
        sh_buf_append(stored, bytes, size);
    if (status < 0)
        return status;
    if (stored->failed)
        return sh_fail(err, SH_E_MEMORY, "memory is short for a packet of %zu bytes", size);
    return stored->length > 0 ? 0 : sh_fail(err, SH_E_FORMAT, "a packet of the encoder is empty");
}

int sh_stored_seen(sh_stored_form form, const AVCodecParameters *video, const uint8_t *bytes, size_t size,
                   sh_buf *stored, sh_err *err)
{
    sh_buf_clear(stored);
    if (form == SH_STORED_TRANSPORT && is_h26x(video))
        add_whole(bytes, size, true, stored);
    else
        sh_buf_append(stored, bytes, size);
    return stored->failed ? sh_fail(err, SH_E_MEMORY, "memory is short for a packet of %zu bytes", size) : 0;
}

int sh_stored_give(sh_stored_form form, const uint8_t *stored, size_t size, AVPacket *packet, sh_err *err)
{
    if (size > SH_STORED_MAX || av_new_packet(packet, (int)size) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short for a packet of %zu bytes", size);
    memcpy(packet->data, stored, size);
    return form == SH_STORED_LENGTHS ? from_lengths(packet->data, size, err) : 0;
}

int sh_stored_find(sh_stored_form form, int fd, const sh_buf *stored, int64_t *offset, int64_t end, int track,
                   sh_err *err)
{
    if (form == SH_STORED_TRANSPORT)
        return find_begin(fd, offset, end, track, err);
    sh_buf window;
    sh_buf_init(&window, (size_t)SH_STORED_MAX + WINDOW);
    int status = sh_buf_reserve(&window, stored->length + WINDOW);
    const char *found = NULL;
    int64_t at = *offset;
    while (status == 0 && !found && end - at >= (int64_t)stored->length) {
        const int64_t there = end - at;
        const size_t size =
            there < (int64_t)(stored->length + WINDOW) ? (size_t)there : stored->length + WINDOW;
        status = read_exactly(fd, window.data, size, at, err);
        if (status == 0)
            found = memmem(window.data, size, stored->data, stored->length);
        if (found)
            *offset = at + (found - window.data);
        at += WINDOW;
    }
    if (status == SH_E_MEMORY)
        sh_fail(err, status, "memory is short for a packet of %zu bytes", stored->length);
    else if (status == 0 && !found)
        status =
            sh_fail(err, SH_E_INTERNAL, "a packet of %zu bytes before byte %" PRId64 " is not found again",
                    stored->length, end);
    sh_buf_free(&window);
    return status;
}

int sh_stored_read(sh_stored_form form, int fd, int64_t offset, size_t size, int64_t end, sh_buf *stored,
                   sh_err *err)
{
    sh_buf_clear(stored);
    if (form == SH_STORED_TRANSPORT) {
        int status = gather(fd, offset, size, end, stored, err);
        if (status < 0)
            return status;
    } else if (sh_buf_reserve(stored, size) == 0) {
        stored->length = size;
        int status = offset <= end - (int64_t)size
                         ? read_exactly(fd, stored->data, size, offset, err)
                         : sh_fail(err, SH_E_FORMAT, "a packet does not end before byte %" PRId64, end);
        if (status < 0)
            return status;
    }
    return stored->failed ? sh_fail(err, SH_E_MEMORY, "memory is short for a packet of %zu bytes", size) : 0;
}
