/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "maketest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET 188
#define PMT 0x1000
#define VIDEO 0x100
#define AUDIO 0x101

void make_reset(maker *m)
{
    m->length = 0;
}

/* One packet; the payload is filled up by an adaptation field. */
static void packet(maker *m, int pid, bool start, const uint8_t *payload, size_t length)
{
    uint8_t *p = m->bytes + m->length;
    const size_t fill = PACKET - 4 - length;
    if (m->length + PACKET > MAKE_MAX)
        abort();
    memset(p, 0xFF, PACKET);
    p[0] = 0x47;
    p[1] = (uint8_t)((start ? 0x40 : 0) | pid >> 8);
    p[2] = (uint8_t)pid;
    p[3] = (uint8_t)((fill ? 0x30 : 0x10) | m->continuity[pid]);
    m->continuity[pid] = (m->continuity[pid] + 1) & 15;
    if (fill) {
        p[4] = (uint8_t)(fill - 1);
        if (fill > 1)
            p[5] = 0;
    }
    memcpy(p + 4 + fill, payload, length);
    m->length += PACKET;
}

static uint32_t crc(const uint8_t *bytes, size_t length)
{
    uint32_t value = 0xFFFFFFFF;
    for (size_t i = 0; i < length * 8; i++) {
        const uint32_t bit = bytes[i / 8] >> (7 - i % 8) & 1, top = value >> 31;
        value = value << 1 ^ (top ^ bit ? 0x04C11DB7U : 0);
    }
    return value;
}

static void section(maker *m, int pid, uint8_t *body, size_t length)
{
    uint8_t payload[PACKET - 4];
    body[1] = (uint8_t)(0xB0 | (length + 4 - 3) >> 8);
    body[2] = (uint8_t)(length + 4 - 3);
    const uint32_t sum = crc(body, length);
    memset(payload, 0xFF, sizeof(payload));
    payload[0] = 0;
    memcpy(payload + 1, body, length);
    for (int i = 0; i < 4; i++)
        payload[1 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
    packet(m, pid, true, payload, sizeof(payload));
}

void make_pat(maker *m)
{
    uint8_t body[] = {0, 0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0 | PMT >> 8, PMT & 255};
    section(m, 0, body, sizeof(body));
}

void make_pmt(maker *m, bool audio)
{
    uint8_t body[] = {2, 0,    0,    0, 1,    0xC1, 0,    0,    0xE1, 0,    0xF0,
                      0, 0x1B, 0xE1, 0, 0xF0, 0,    0x0F, 0xE1, 1,    0xF0, 0};
    section(m, PMT, body, audio ? sizeof(body) : sizeof(body) - 5);
}

static void unit(maker *m, int pid, int stream, int64_t pts, const uint8_t *data, size_t length)
{
    uint8_t pes[2048] = {0, 0, 1, (uint8_t)stream, 0, 0, 0x80, 0x80, 5};
    pes[9] = (uint8_t)(0x21 | (pts >> 29 & 0x0E));
    pes[10] = (uint8_t)(pts >> 22);
    pes[11] = (uint8_t)(1 | (pts >> 14 & 0xFE));
    pes[12] = (uint8_t)(pts >> 7);
    pes[13] = (uint8_t)(1 | pts << 1);
    memcpy(pes + 14, data, length);
    length += 14;
    for (size_t at = 0; at < length; at += PACKET - 4)
        packet(m, pid, at == 0, pes + at, length - at < PACKET - 4 ? length - at : PACKET - 4);
}

void make_video(maker *m, int64_t pts, int kind)
{
    static const uint8_t aud[] = {0, 0, 0, 1, 9, 0xF0},
                         sets[] = {0,    0, 0, 1, 0x67, 0x4D, 0x40, 0x1F, 0xEC,
                                   0xA0, 0, 0, 0, 1,    0x68, 0xEB, 0xE3, 0xCB};
    uint8_t data[1024];
    size_t length = sizeof(aud);
    memcpy(data, aud, sizeof(aud));
    if (kind == 5) {
        memcpy(data + length, sets, sizeof(sets));
        length += sizeof(sets);
    }
    const uint8_t slice[] = {0, 0, 1, kind == 1 ? 0x41 : 0x65, 0x9A};
    memcpy(data + length, slice, sizeof(slice));
    length += sizeof(slice);
    memset(data + length, 0x55, 400);
    unit(m, VIDEO, 0xE0, pts, data, length + 400);
}

void make_audio(maker *m, int64_t pts)
{
    static const uint8_t data[60] = {0xFF, 0xF1, 0x4C, 0x80};
    unit(m, AUDIO, 0xC0, pts, data, sizeof(data));
}

void make_segment(maker *m, int64_t pts, int frames, bool audio)
{
    make_reset(m);
    make_pat(m);
    make_pmt(m, audio);
    for (int i = 0; i < frames; i++) {
        make_video(m, pts + i * 3600, i ? 1 : 5);
        if (audio)
            make_audio(m, pts + i * 3600);
    }
}

void make_write(const maker *m, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(m->bytes, 1, m->length, file) != m->length || fclose(file) != 0)
        abort();
}
