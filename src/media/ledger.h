/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LEDGER_H
#define SH_MEDIA_LEDGER_H
/* What became of every frame of the source, piece by piece, and how to go on behind a piece. It is the part
 * of a journal's record that is ours (sh_journal_piece.ledger).
 *
 * A source frame belongs to the piece that holds its first output; a packet that gave no frame to the piece
 * of the frame that comes after it; what is left at the end to the last piece. So each is accounted for in
 * one piece, whatever was read ahead when.
 *
 * Stored as numbers of variable length (seven bits a byte, least first, signs folded in), entries as
 * differences from the entry before: about ten bytes a frame. Numbers read are checked: a ledger is input
 * from outside. */
#include "base/buf.h"
#include "base/err.h"
#include "media/source.h"
#include <stdbool.h>
#include <stdint.h>

#define SH_LEDGER_ENTRIES_MAX (1 << 20) /* in one piece */
#define SH_LEDGER_CHECKS 4

typedef enum sh_fate {
    SH_FATE_KEPT,        /* enlarged and shown */
    SH_FATE_DUPLICATE,   /* shown; bit-equal to the frame before it, whose enlarged picture it has */
    SH_FATE_TELECINE,    /* left out by telecine reversal */
    SH_FATE_EDITED,      /* hidden by the edit list */
    SH_FATE_LEADING,     /* refers to what is before the first key picture: no player shows it */
    SH_FATE_UNDECODABLE, /* damaged so that no picture came of it */
    SH_FATES
} sh_fate;
const char *sh_fate_name(int fate); /* "kept", "duplicate", ... */

typedef struct sh_ledger_entry {
    int64_t source;  /* number of the source's frame; -1: a packet without one */
    int64_t packet;  /* its packet in the order of the file; -1: not known */
    int64_t pts_in;  /* as the file has it, the video track's time base; AV_NOPTS_VALUE: none */
    int64_t output;  /* number of its (first) output frame; -1: none */
    int64_t pts_out; /* of that, in the output's time base */
    int fate;
    unsigned marks; /* SH_FRAME_* */
} sh_ledger_entry;

typedef struct sh_ledger {
    sh_ledger_entry *entries; /* owned */
    size_t count, capacity;
    /* how to go on behind this piece */
    sh_source_place next; /* decoding begins so that output next_output comes first; next.packet -1: no way */
    int64_t next_output;  /* checks outputs before the next piece */
    int checks;           /* 0..SH_LEDGER_CHECKS */
    uint64_t check[SH_LEDGER_CHECKS]; /* sh_frame_hash of those outputs, mixed with their times */
    int64_t damages;                  /* of the source, seen so far */
    bool final;                       /* nothing follows */
    int64_t duplicates;               /* frames not enlarged twice */
    char reason[200];                 /* why another level made the piece; "" */
} sh_ledger;

/* SH_E_MEMORY past the maximum too. */
int sh_ledger_add(sh_ledger *ledger, const sh_ledger_entry *entry, sh_err *err);
int64_t sh_ledger_sources(const sh_ledger *ledger); /* frames of the source in it */
int sh_ledger_write(const sh_ledger *ledger, sh_buf *bytes);
/* *ledger (all-zero before) is to be freed when it succeeds. SH_E_FORMAT. */
int sh_ledger_read(sh_ledger *ledger, const void *bytes, size_t size, sh_err *err);
void sh_ledger_free(sh_ledger *ledger); /* its contents; all-zero is fine, and is what is left */

#endif
