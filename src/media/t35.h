/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_T35_H
#define SH_MEDIA_T35_H
/* Payloads of ITU-T T.35 messages, country code first: the same bytes in H.264, HEVC and AV1. */
#include "base/buf.h"
#include <libavutil/hdr_dynamic_metadata.h>
#include <stdint.h>

#define SH_T35_CAPTIONS_MAX 31 /* triplets in one message */

/* ATSC A/53 part 4: `count` (at most SH_T35_CAPTIONS_MAX) triplets of cc_data, as libavutil has them. */
void sh_t35_captions(sh_buf *out, const uint8_t *triplets, int count);
/* ATSC A/53 part 4, 6.2.4: the four bits of the active format description. */
void sh_t35_active_format(sh_buf *out, uint8_t format);
/* SMPTE ST 2094-40. What the structure holds in other denominators than the message's is rounded. */
void sh_t35_hdr_plus(sh_buf *out, const AVDynamicHDRPlus *hdr);

#endif
