/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_SEI_H
#define SH_MEDIA_SEI_H
/* What a coded picture says beside its samples: SEI messages of H.264 and HEVC, metadata OBUs of AV1.
 *
 * Messages are collected for one packet and put into it where the codec wants them: one NAL unit (prefix SEI)
 * before the first slice, or an OBU each before the first frame. What a codec has no message for is left out:
 * see the row of each. Layouts: ITU-T H.264 and H.265 annex D, AV1 5.8, ATSC A/53 part 4 (captions, active
 * format), SMPTE ST 2094-40 with CTA-861 annex S (HDR10+). */
#include "base/buf.h"
#include "base/err.h"
#include <libavcodec/avcodec.h>
#include <libavutil/mastering_display_metadata.h>

#define SH_SEI_MAX 65536 /* bytes of messages for one picture */

typedef struct sh_sei {
    enum AVCodecID codec; /* H264, HEVC or AV1 */
    sh_buf messages;      /* H.264, HEVC: type, size, payload of each; AV1: whole OBUs */
} sh_sei;

void sh_sei_init(sh_sei *sei, enum AVCodecID codec);
void sh_sei_free(sh_sei *sei);
void sh_sei_clear(sh_sei *sei);

/* Each adds one message. Memory that is short is found by sh_sei_insert. */
void sh_sei_mastering(sh_sei *sei, const AVMasteringDisplayMetadata *mastering);
void sh_sei_light(sh_sei *sei, const AVContentLightMetadata *light);
void sh_sei_preferred_transfer(sh_sei *sei, enum AVColorTransferCharacteristic transfer); /* not AV1 */
/* What `frame` carries as side data: A53_CC, AFD, DYNAMIC_HDR_PLUS; S12M_TIMECODE in HEVC and AV1 (H.264
 * keeps it where x264 writes its own message). rate: of the frames, 0/1 when not known. */
void sh_sei_frame(sh_sei *sei, const AVFrame *frame, AVRational rate);

/* Puts the messages into `packet`. length_size: bytes of the length before each NAL unit (1 to 4), 0: start
 * codes; AV1 has neither. Nothing collected: the packet stays as it is. SH_E_FORMAT when the packet has no
 * picture to put them before; the packet is untouched on failure. */
int sh_sei_insert(const sh_sei *sei, AVPacket *packet, int length_size, sh_err *err);

/* Whether decoding can start at this packet (start codes; AV1: a sequence header and a key frame): an IDR or
 * BLA/CRA picture. */
bool sh_sei_is_start(enum AVCodecID codec, const uint8_t *data, size_t size);

#endif
