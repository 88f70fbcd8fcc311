/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_STREAM_DECODE_H
#define SH_MEDIA_STREAM_DECODE_H
/* Decodes a track of a stream for the checker (stream/check.h): counts pictures, and finds black and frozen
 * runs (still.h). A run is told when it lasts half a second; a picture is
 * black when no cell is brighter than four codes above black, and frozen when no cell differs from the
 * picture before by more than 1/64 of a code. The bytes are put into an unlinked file and decoded by a child
 * process that has nothing else (sandbox.h). */
#include "stream/check.h"

/* A sh_stream_decode; opaque: NULL, or a bool that is true where the child is to be unconfined. */
int sh_stream_decode_track(void *opaque, const sh_stream_track_bytes *track, sh_stream_decoded *out,
                           sh_err *err);

#endif
