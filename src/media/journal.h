/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_JOURNAL_H
#define SH_MEDIA_JOURNAL_H
/* The journal beside an unfinished output: what work is done and safe on disk. A header with the fingerprint
 * of the work (source, model, options, plan, libraries, processor), then one record a piece. Everything has a
 * CRC32C; whatever follows the last whole record (a torn write) is cut off when the journal is opened. A
 * journal is input from outside: each number of it is checked before use.
 *
 * Durability: a record is appended only when all that it promises is on disk (sh_muxer_piece does that), and
 * is itself on disk when sh_journal_append returns. So the state after a crash is that of the last record.
 *
 * Only one record at a time is in memory, however long the film is. Not for several threads at once. */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_JOURNAL_FINGERPRINT_MAX (1 << 20)
#define SH_JOURNAL_PACKETS_MAX (1 << 20)  /* in one piece */
#define SH_JOURNAL_LEDGER_MAX (64u << 20) /* bytes, in one piece */
#define SH_JOURNAL_NAME_MAX 200

typedef struct sh_journal_packet {
    int64_t offset; /* in the part file: of the bytes, or of the transport packet with which they begin */
    uint32_t
        size; /* as stored in the container (H.264, HEVC: with lengths instead of start codes in MP4, MKV) */
    uint32_t crc;               /* CRC32C of these bytes */
    int64_t pts, dts, duration; /* in the video's time base given to sh_muxer_open; of the source's clock */
    uint32_t flags;             /* AV_PKT_FLAG_* */
} sh_journal_packet;

typedef struct sh_journal_piece {
    /* set by sh_muxer_piece */
    int64_t number;                   /* 0, 1, 2, ... */
    int64_t offset;                   /* size of the part file when the piece is in it: all below is final */
    const sh_journal_packet *packets; /* in decoding order */
    size_t packet_count;
    int64_t header_size; /* bytes of the part file that the trailer may write again */
    uint32_t header_crc; /* CRC32C of them as they were without the trailer */
    /* set by the caller and kept as they are */
    int64_t first_frame, frames;         /* of the output */
    int64_t first_source, source_frames; /* frames of the source that it accounts for */
    int64_t next_packet; /* number of the source's packet at which decoding has to begin for the next piece */
    uint32_t content_crc; /* CRC32C of the content of the last frames, to check a seek against */
    uint32_t fallback;    /* level that made it: 0 as asked */
    uint32_t marks;       /* bits of the caller's */
    int64_t extra[4];     /* numbers of the caller's */
    const void *ledger;   /* bytes of the caller's */
    size_t ledger_size;
} sh_journal_piece;

typedef struct sh_journal sh_journal;

/* Opens the journal in the regular file `fd` (read and write; the descriptor stays the caller's), checks it
 * whole and cuts off what follows its last whole record. An empty file, or one whose header is torn, gives a
 * journal that is not begun. A file that is no journal, or of another version: SH_E_FORMAT, with advice.
 * `name` for messages is copied. */
int sh_journal_open(sh_journal **out, int fd, const char *name, sh_err *err);
void sh_journal_close(sh_journal *journal); /* NULL is fine; changes nothing on disk */

bool sh_journal_begun(const sh_journal *journal);     /* it has a fingerprint */
int64_t sh_journal_pieces(const sh_journal *journal); /* whole records */
int64_t sh_journal_torn(const sh_journal *journal);   /* bytes cut off at opening */
/* The last piece, without packets and ledger (NULL, 0); NULL where there is none. Borrowed until append. */
const sh_journal_piece *sh_journal_last(const sh_journal *journal);

/* A fingerprint is text: lines of "what: value\n" (what: words for a person, no colon in them). */
void sh_journal_say(sh_buf *fingerprint, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds the lines of a source file: size, time of change, CRC32C of its first and its last MiB. */
int sh_journal_say_file(sh_buf *fingerprint, const char *what, int fd, sh_err *err);
/* 0 when the journal was begun with the same fingerprint, else SH_E_CONFLICT with the first lines that
 * differ, old and new value, in words. */
int sh_journal_match(const sh_journal *journal, const char *fingerprint, sh_err *err);

/* Empties the journal and writes its header: the work starts anew. `folder` (a descriptor, -1 for none) is
 * synced, so that the files' names are on disk too. */
int sh_journal_begin(sh_journal *journal, const char *fingerprint, int folder, sh_err *err);
/* Appends and syncs. piece->number must be sh_journal_pieces(). The caller syncs what the record promises
 * first. */
int sh_journal_append(sh_journal *journal, const sh_journal_piece *piece, sh_err *err);

/* Reading again. *cursor: 0 before the first; returns 1 with the piece (its packets and ledger borrowed until
 * the next call of this function), 0 after the last, < 0 on error. Each cursor is independent. */
int sh_journal_next(sh_journal *journal, int64_t *cursor, sh_journal_piece *piece, sh_err *err);
/* Drops the pieces from `number` on: they are done again. */
int sh_journal_cut(sh_journal *journal, int64_t number, sh_err *err);

#endif
