/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/sei.h"
#include "media/bits.h"
#include "media/t35.h"

#include <string.h>

/* payloadType of H.264 and HEVC, metadata_type of AV1 */
enum { SEI_T35 = 4, SEI_TIME_CODE = 136, SEI_MASTERING = 137, SEI_LIGHT = 144, SEI_TRANSFER = 147 };
enum { METADATA_LIGHT = 1, METADATA_MASTERING = 2, METADATA_T35 = 4, METADATA_TIME_CODE = 5 };
enum { OBU_SEQUENCE = 1, OBU_FRAME_HEADER = 3, OBU_METADATA = 5, OBU_FRAME = 6 };

#define PAYLOAD_MAX 8192

void sh_sei_init(sh_sei *sei, enum AVCodecID codec)
{
    sei->codec = codec;
    sh_buf_init(&sei->messages, SH_SEI_MAX);
}

void sh_sei_free(sh_sei *sei)
{
    sh_buf_free(&sei->messages);
}

void sh_sei_clear(sh_sei *sei)
{
    sh_buf_clear(&sei->messages);
}

/* ---- messages ---- */

static void put_leb128(sh_buf *out, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        sh_buf_putc(out, (char)(value | 0x80));
    sh_buf_putc(out, (char)value);
}

/* An SEI number: 255 for each full 255, then the rest. */
static void put_sei_number(sh_buf *out, size_t value)
{
    for (; value >= 255; value -= 255)
        sh_buf_putc(out, (char)255);
    sh_buf_putc(out, (char)value);
}

static void put_message(sh_sei *sei, int sei_type, int metadata_type, const sh_buf *payload)
{
    sh_buf *out = &sei->messages;
    if (payload->failed)
        out->failed = true;
    if (sei->codec != AV_CODEC_ID_AV1) {
        put_sei_number(out, (size_t)sei_type);
        put_sei_number(out, payload->length);
        sh_buf_append(out, payload->data, payload->length);
        return;
    }
    const bool aligned = metadata_type != METADATA_TIME_CODE; /* whose last byte holds its trailing bits */
    sh_buf_putc(out, OBU_METADATA << 3 | 2);
    put_leb128(out, 1 + payload->length + (aligned ? 1 : 0));
    put_leb128(out, (size_t)metadata_type);
    sh_buf_append(out, payload->data, payload->length);
    if (aligned)
        sh_buf_putc(out, (char)0x80);
}

void sh_sei_mastering(sh_sei *sei, const AVMasteringDisplayMetadata *mastering)
{
    static const int green_first[3] = {1, 2, 0}, red_first[3] = {0, 1, 2};
    const bool av1 = sei->codec == AV_CODEC_ID_AV1;
    const int *order = av1 ? red_first : green_first;
    const int64_t chroma = av1 ? 65536 : 50000;
    AVMasteringDisplayMetadata m = *mastering;
    sh_buf payload;
    sh_bits bits = {.out = &payload};
    sh_buf_init(&payload, PAYLOAD_MAX);
    if (!m.has_primaries)
        memset(m.display_primaries, 0, sizeof(m.display_primaries));
    if (!m.has_primaries)
        memset(m.white_point, 0, sizeof(m.white_point));
    if (!m.has_luminance)
        m.max_luminance = m.min_luminance = (AVRational){0, 1};
    for (int i = 0; i < 6; i++)
        sh_bits_ratio(&bits, 16, m.display_primaries[order[i / 2]][i % 2], chroma);
    sh_bits_ratio(&bits, 16, m.white_point[0], chroma);
    sh_bits_ratio(&bits, 16, m.white_point[1], chroma);
    sh_bits_ratio(&bits, 32, m.max_luminance, av1 ? 256 : 10000);
    sh_bits_ratio(&bits, 32, m.min_luminance, av1 ? 16384 : 10000);
    put_message(sei, SEI_MASTERING, METADATA_MASTERING, &payload);
    sh_buf_free(&payload);
}

void sh_sei_light(sh_sei *sei, const AVContentLightMetadata *light)
{
    sh_buf payload;
    sh_bits bits = {.out = &payload};
    sh_buf_init(&payload, PAYLOAD_MAX);
    sh_bits_put(&bits, 16, light->MaxCLL < 65535 ? light->MaxCLL : 65535);
    sh_bits_put(&bits, 16, light->MaxFALL < 65535 ? light->MaxFALL : 65535);
    put_message(sei, SEI_LIGHT, METADATA_LIGHT, &payload);
    sh_buf_free(&payload);
}

void sh_sei_preferred_transfer(sh_sei *sei, enum AVColorTransferCharacteristic transfer)
{
    sh_buf payload;
    if (sei->codec == AV_CODEC_ID_AV1)
        return;
    sh_buf_init(&payload, PAYLOAD_MAX);
    sh_buf_putc(&payload, (char)transfer);
    put_message(sei, SEI_TRANSFER, 0, &payload);
    sh_buf_free(&payload);
}

static void put_captions(sh_sei *sei, const AVFrameSideData *side)
{
    const size_t triplets = side->size / 3;
    for (size_t done = 0; done < triplets;) {
        const size_t left = triplets - done;
        const size_t now = left < SH_T35_CAPTIONS_MAX ? left : SH_T35_CAPTIONS_MAX;
        sh_buf payload;
        sh_buf_init(&payload, PAYLOAD_MAX);
        sh_t35_captions(&payload, side->data + done * 3, (int)now);
        put_message(sei, SEI_T35, METADATA_T35, &payload);
        sh_buf_free(&payload);
        done += now;
    }
}

/* SMPTE ST 12-1: binary coded digits; above 30 frames a second a bit tells the two frames of a number apart,
 * at 50 another one. */
static void put_time_code(sh_sei *sei, uint32_t code, AVRational rate)
{
    const bool av1 = sei->codec == AV_CODEC_ID_AV1;
    const bool pairs = rate.den > 0 && rate.num > 30 * (int64_t)rate.den;
    const bool fifty = pairs && rate.num == 50 * (int64_t)rate.den;
    const uint32_t drop = code >> 30 & 1;
    uint32_t frames = (code >> 28 & 3) * 10 + (code >> 24 & 15);
    sh_buf payload;
    sh_bits bits = {.out = &payload};
    sh_buf_init(&payload, PAYLOAD_MAX);
    if (pairs)
        frames = frames * 2 + (code >> (fifty ? 7 : 23) & 1);
    if (!av1) {
        sh_bits_put(&bits, 2, 1); /* one clock time stamp, there */
        sh_bits_put(&bits, 1, 1);
        sh_bits_put(&bits, 1, 0); /* frames, not fields */
    }
    sh_bits_put(&bits, 5, drop ? 4 : 0); /* counting_type */
    sh_bits_put(&bits, 2, 2);            /* full_timestamp_flag, no discontinuity */
    sh_bits_put(&bits, 1, drop);
    sh_bits_put(&bits, 9, frames);
    sh_bits_put(&bits, 6, (code >> 20 & 7) * 10 + (code >> 16 & 15));
    sh_bits_put(&bits, 6, (code >> 12 & 7) * 10 + (code >> 8 & 15));
    sh_bits_put(&bits, 5, (code >> 4 & 3) * 10 + (code & 15));
    sh_bits_put(&bits, 5, 0); /* no offset */
    sh_bits_end(&bits, 1);
    put_message(sei, SEI_TIME_CODE, METADATA_TIME_CODE, &payload);
    sh_buf_free(&payload);
}

static void put_side_data(sh_sei *sei, const AVFrameSideData *side, AVRational rate)
{
    sh_buf payload;
    uint32_t codes[2];
    sh_buf_init(&payload, PAYLOAD_MAX);
    switch ((int)side->type) {
    case AV_FRAME_DATA_A53_CC:
        put_captions(sei, side);
        break;
    case AV_FRAME_DATA_AFD:
        if (side->size < 1)
            break;
        sh_t35_active_format(&payload, side->data[0]);
        put_message(sei, SEI_T35, METADATA_T35, &payload);
        break;
    case AV_FRAME_DATA_DYNAMIC_HDR_PLUS:
        if (side->size < sizeof(AVDynamicHDRPlus))
            break;
        sh_t35_hdr_plus(&payload, (const AVDynamicHDRPlus *)side->data);
        put_message(sei, SEI_T35, METADATA_T35, &payload);
        break;
    case AV_FRAME_DATA_S12M_TIMECODE:
        if (side->size < sizeof(codes) || sei->codec == AV_CODEC_ID_H264)
            break;
        memcpy(codes, side->data, sizeof(codes));
        if (codes[0] > 0)
            put_time_code(sei, codes[1], rate);
        break;
    default:
        break;
    }
    sh_buf_free(&payload);
}

void sh_sei_frame(sh_sei *sei, const AVFrame *frame, AVRational rate)
{
    for (int i = 0; i < frame->nb_side_data; i++)
        put_side_data(sei, frame->side_data[i], rate);
}

/* ---- units of a packet ---- */

typedef struct unit {
    size_t start, body, end; /* of the start code, length or OBU; of what follows it; behind the unit */
    int type;
} unit;

static int nal_type(enum AVCodecID codec, uint8_t first)
{
    return codec == AV_CODEC_ID_H264 ? first & 31 : first >> 1 & 63;
}

/* Position of the next 00 00 01 at or after `from`, or size. */
static size_t next_start_code(const uint8_t *data, size_t size, size_t from)
{
    for (size_t i = from; i + 3 <= size; i++)
        if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1)
            return i;
    return size;
}

static bool next_annex_b(const uint8_t *data, size_t size, size_t from, unit *u)
{
    const size_t code = next_start_code(data, size, from);
    if (code + 3 >= size)
        return false;
    u->start = code > from && data[code - 1] == 0 ? code - 1 : code;
    u->body = code + 3;
    u->end = next_start_code(data, size, u->body);
    if (u->end < size && data[u->end - 1] == 0)
        u->end--;
    return u->end > u->body;
}

static bool next_prefixed(const uint8_t *data, size_t size, size_t from, int length_size, unit *u)
{
    size_t length = 0;
    if (size - from <= (size_t)length_size)
        return false;
    for (int i = 0; i < length_size; i++)
        length = length << 8 | data[from + (size_t)i];
    u->start = from;
    u->body = from + (size_t)length_size;
    u->end = u->body + length;
    return length > 0 && length <= size - u->body;
}

static bool next_obu(const uint8_t *data, size_t size, size_t from, unit *u)
{
    size_t at = from, length = 0;
    if (from >= size)
        return false;
    const bool extension = data[at] & 4, sized = data[at] & 2;
    u->start = from;
    u->type = data[at] >> 3 & 15;
    at += extension ? 2 : 1;
    for (int i = 0; sized && i < 8; i++) {
        if (at >= size)
            return false;
        length |= (size_t)(data[at] & 127) << (7 * i);
        if (!(data[at++] & 128))
            break;
    }
    if (at > size || (sized && length > size - at))
        return false;
    u->body = at;
    u->end = sized ? at + length : size;
    return true;
}

/* The unit that starts at `from` or after it; false at the end, and where the bytes make no unit. */
static bool next_unit(enum AVCodecID codec, const uint8_t *data, size_t size, size_t from, int length_size,
                      unit *u)
{
    bool found;
    if (codec == AV_CODEC_ID_AV1)
        return next_obu(data, size, from, u);
    if (from >= size)
        return false;
    found =
        length_size > 0 ? next_prefixed(data, size, from, length_size, u) : next_annex_b(data, size, from, u);
    if (found)
        u->type = nal_type(codec, data[u->body]);
    return found;
}

static bool is_picture(enum AVCodecID codec, int type)
{
    if (codec == AV_CODEC_ID_H264)
        return type >= 1 && type <= 5;
    if (codec == AV_CODEC_ID_HEVC)
        return type < 32;
    return type == OBU_FRAME || type == OBU_FRAME_HEADER;
}

bool sh_sei_is_start(enum AVCodecID codec, const uint8_t *data, size_t size)
{
    unit u = {0};
    while (next_unit(codec, data, size, u.end, 0, &u)) {
        if (codec == AV_CODEC_ID_H264 && u.type == 5)
            return true;
        if (codec == AV_CODEC_ID_HEVC && u.type >= 16 && u.type <= 23)
            return true;
        if (codec == AV_CODEC_ID_AV1 && u.type == OBU_SEQUENCE)
            return true;
    }
    return false;
}

/* Where messages go: before the first slice; in AV1 before the last frame of the temporal unit, the shown
 * one, since those before it are hidden and would take the messages along to a later time. -1: nowhere. */
static int64_t place(enum AVCodecID codec, const uint8_t *data, size_t size, int length_size)
{
    int64_t at = -1;
    unit u = {0};
    while (next_unit(codec, data, size, u.end, length_size, &u))
        if (is_picture(codec, u.type)) {
            at = (int64_t)u.start;
            if (codec != AV_CODEC_ID_AV1)
                break;
        }
    return at;
}

/* ---- insertion ---- */

/* Bytes of a NAL unit: no 00 00 is followed by 00, 01, 02 or 03 (three bytes that decoders look for). */
static void put_escaped(sh_buf *out, const uint8_t *bytes, size_t length)
{
    int zeros = 0;
    for (size_t i = 0; i < length; i++) {
        if (zeros >= 2 && bytes[i] <= 3) {
            sh_buf_putc(out, 3);
            zeros = 0;
        }
        sh_buf_putc(out, (char)bytes[i]);
        zeros = bytes[i] == 0 ? zeros + 1 : 0;
    }
}

static void put_nal(const sh_sei *sei, int length_size, sh_buf *out)
{
    static const uint8_t hevc_header[] = {39 << 1, 1}, h264_header[] = {6};
    sh_buf nal;
    sh_buf_init(&nal, SH_SEI_MAX * 2);
    if (sei->codec == AV_CODEC_ID_HEVC)
        sh_buf_append(&nal, hevc_header, sizeof(hevc_header));
    else
        sh_buf_append(&nal, h264_header, sizeof(h264_header));
    put_escaped(&nal, (const uint8_t *)sei->messages.data, sei->messages.length);
    sh_buf_putc(&nal, (char)0x80);
    if (length_size == 0)
        sh_buf_append(out, "\0\0\0\1", 4);
    for (int i = length_size - 1; i >= 0; i--)
        sh_buf_putc(out, (char)(nal.length >> (8 * i)));
    sh_buf_append(out, nal.data, nal.length);
    if (nal.failed || (length_size > 0 && length_size < 4 && nal.length >> (8 * length_size) > 0))
        out->failed = true;
    sh_buf_free(&nal);
}

static int splice(AVPacket *packet, size_t at, const sh_buf *bytes)
{
    AVPacket *whole = av_packet_alloc();
    if (!whole || packet->size > INT32_MAX / 2 ||
        av_new_packet(whole, packet->size + (int)bytes->length) < 0 ||
        av_packet_copy_props(whole, packet) < 0) {
        av_packet_free(&whole);
        return SH_E_MEMORY;
    }
    memcpy(whole->data, packet->data, at);
    memcpy(whole->data + at, bytes->data, bytes->length);
    memcpy(whole->data + at + bytes->length, packet->data + at, (size_t)packet->size - at);
    av_packet_unref(packet);
    av_packet_move_ref(packet, whole);
    av_packet_free(&whole);
    return 0;
}

int sh_sei_insert(const sh_sei *sei, AVPacket *packet, int length_size, sh_err *err)
{
    sh_buf bytes;
    if (sei->messages.length == 0 && !sei->messages.failed)
        return 0;
    const int64_t at = place(sei->codec, packet->data, (size_t)packet->size, length_size);
    if (at < 0)
        return sh_fail(err, SH_E_FORMAT, "a packet of %d bytes holds no picture", packet->size);
    sh_buf_init(&bytes, SH_SEI_MAX * 2 + 16);
    if (sei->messages.failed)
        bytes.failed = true;
    else if (sei->codec == AV_CODEC_ID_AV1)
        sh_buf_append(&bytes, sei->messages.data, sei->messages.length);
    else
        put_nal(sei, length_size, &bytes);
    int status = bytes.failed ? SH_E_MEMORY : splice(packet, (size_t)at, &bytes);
    sh_buf_free(&bytes);
    return status < 0 ? sh_fail(err, status, "memory is short, or a picture has too many messages") : 0;
}
