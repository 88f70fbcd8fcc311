/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_FINGERPRINT_H
#define SH_MEDIA_FINGERPRINT_H
/* What the fingerprints of all kinds of work have in common (journal.h). */
#include "base/buf.h"
#include "media/plan.h"

/* The lines of the plan's canonical text. */
void sh_fingerprint_plan(const sh_plan *plan, sh_buf *print);
/* A number for bytes, to be told apart by (FNV-1a, 64 bits); against accidents, not against attacks. */
uint64_t sh_fingerprint_bytes(const void *bytes, size_t size);

#endif
