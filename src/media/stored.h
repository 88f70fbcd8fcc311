/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_STORED_H
#define SH_MEDIA_STORED_H
/* Video packets in the form in which a container stores them, and finding them there.
 *
 * An encoder gives H.264 and HEVC with start codes; MP4 and Matroska store lengths instead, and a transport
 * stream wants a delimiter and the parameter sets in front. AV1 loses its delimiters. Each packet is brought
 * into the stored form first and from there into the form that the muxer is given, in the first run and in a
 * replay alike: so the muxer sees the same bytes both times, and the stored form has a CRC that anybody can
 * check. */
#include "base/buf.h"
#include "base/err.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

#define SH_STORED_MAX (512 << 20) /* bytes of one packet */

typedef enum sh_stored_form {
    SH_STORED_PLAIN,
    SH_STORED_LENGTHS,  /* H.264, HEVC: four bytes of length before each unit */
    SH_STORED_OBUS,     /* AV1 without temporal delimiters and padding */
    SH_STORED_TRANSPORT /* as it is, with delimiter and parameter sets, cut into packets of 188 bytes */
} sh_stored_form;

sh_stored_form sh_stored_form_of(const AVOutputFormat *format, const AVCodecParameters *video);
/* *stored is cleared first. FORMAT: not such a packet. */
int sh_stored_make(sh_stored_form form, const AVCodecParameters *video, const uint8_t *bytes, size_t size,
                   bool key, sh_buf *stored, sh_err *err);
/* The same of a packet that a demuxer gives. */
int sh_stored_seen(sh_stored_form form, const AVCodecParameters *video, const uint8_t *bytes, size_t size,
                   sh_buf *stored, sh_err *err);
/* What the muxer is given: a new packet's data (pts and the like stay blank). */
int sh_stored_give(sh_stored_form form, const uint8_t *stored, size_t size, AVPacket *packet, sh_err *err);

/* Finds stored bytes in the file, at *offset or after it and before `end`: 0 and *offset, or SH_E_INTERNAL.
 */
int sh_stored_find(sh_stored_form form, int fd, const sh_buf *stored, int64_t *offset, int64_t end, int track,
                   sh_err *err);
/* Reads them back, at most up to `end`. */
int sh_stored_read(sh_stored_form form, int fd, int64_t offset, size_t size, int64_t end, sh_buf *stored,
                   sh_err *err);

#endif
