/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All numbers little-endian.
 *
 *   header   magic[8]  version u32  length u32  fingerprint[length]  crc u32 (of all before it)
 *   record   tag u32  chain u32  payload length u64  crc u32 (of these 16 bytes)  payload  crc u32 (of the
 * payload) payload  FIXED bytes of numbers (put_fixed), packet_count times PACKET bytes, the ledger
 *
 * chain: the CRC at the end of the header or record before it. So no record of an earlier journal, whose
 * blocks a file system might show again after a power loss, and no record at a wrong place is ever taken for
 * one.
 *
 * A record that fails any check of its frame is where the journal ends. One whose frame is whole and whose
 * content contradicts itself was never written by this program: that is an error. */
#include "media/journal.h"
#include "base/crc32c.h"
#include "base/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "SPYHOPJ\n"
#define MAGIC_BYTES 8
#define VERSION 1
#define TAG 0x43454950u /* "PIEC" */
#define HEAD 20         /* of a record, with its CRC */
#define FIXED (12 * 8 + 6 * 4)
#define PACKET 44
#define RECORD_MAX (FIXED + (uint64_t)SH_JOURNAL_PACKETS_MAX * PACKET + SH_JOURNAL_LEDGER_MAX)
#define EDGE (1 << 20) /* of a source, at both ends */

struct sh_journal {
    int fd;
    char name[SH_JOURNAL_NAME_MAX];
    sh_buf fingerprint;
    bool begun;
    uint32_t chain;
    int64_t first, end; /* of the records */
    int64_t pieces, torn;
    sh_journal_piece last;
    sh_buf bytes;               /* of the record that was read last, or is being written */
    sh_journal_packet *packets; /* of the record that was read last */
    size_t capacity;
};

/* ---- numbers ---- */

static void put32(sh_buf *buf, uint32_t value)
{
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    sh_buf_append(buf, bytes, sizeof(bytes));
}

static void put64(sh_buf *buf, int64_t value)
{
    put32(buf, (uint32_t)(uint64_t)value);
    put32(buf, (uint32_t)((uint64_t)value >> 32));
}

static uint32_t get32(const uint8_t **at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)(*at)[i] << 8 * i;
    *at += 4;
    return value;
}

static int64_t get64(const uint8_t **at)
{
    uint64_t low = get32(at);
    return (int64_t)(low | (uint64_t)get32(at) << 32);
}

static const uint8_t *content(const sh_journal *journal)
{
    return (const uint8_t *)sh_buf_cstr(&journal->bytes);
}

/* ---- the file ---- */

/* Bytes read, fewer only at the file's end; < 0 on error. */
static int64_t read_at(const sh_journal *journal, void *to, size_t size, int64_t offset, sh_err *err)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(journal->fd, (char *)to + done, size - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "%s: reading at byte %" PRId64, journal->name,
                                 offset + (int64_t)done);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

/* Into journal->bytes: 1, or 0 where the file has not so many bytes. */
static int fetch(sh_journal *journal, size_t size, int64_t offset, sh_err *err)
{
    sh_buf_clear(&journal->bytes);
    if (sh_buf_reserve(&journal->bytes, size) < 0)
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short for a record of %zu bytes", journal->name,
                       size);
    int64_t got = read_at(journal, journal->bytes.data, size, offset, err);
    if (got < 0)
        return (int)got;
    journal->bytes.length = (size_t)got;
    return (size_t)got == size;
}

/* Writes journal->bytes at `offset` and makes that the file's end, on disk. */
static int store(sh_journal *journal, int64_t offset, sh_err *err)
{
    const char *bytes = journal->bytes.data;
    if (journal->bytes.failed)
        return sh_fail(err, SH_E_MEMORY,
                       "%s: a record of more than the %zu bytes it may have, or memory is short",
                       journal->name, journal->bytes.maximum);
    for (size_t done = 0; done < journal->bytes.length;) {
        ssize_t put = pwrite(journal->fd, bytes + done, journal->bytes.length - done, offset + (int64_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            const int error = put < 0 ? errno : ENOSPC;
            /* half a record would be cut off at the next opening; a full disk gets its blocks back now */
            const bool cut = ftruncate(journal->fd, offset) == 0;
            return sh_fail_errno(err, error, "%s: writing at byte %" PRId64 "%s", journal->name,
                                 offset + (int64_t)done, cut ? "" : " (nor can it be shortened again)");
        }
        done += (size_t)put;
    }
    if (fdatasync(journal->fd) < 0)
        return sh_fail_errno(err, errno, "%s: sync", journal->name);
    return 0;
}

static uint32_t put_crc(sh_buf *buf, size_t from)
{
    uint32_t crc = buf->failed ? 0 : sh_crc32c(0, buf->data + from, buf->length - from);
    put32(buf, crc);
    return crc;
}

/* ---- one record ---- */

static void put_fixed(sh_buf *buf, const sh_journal_piece *piece)
{
    put64(buf, piece->number);
    put64(buf, piece->offset);
    put64(buf, piece->header_size);
    put64(buf, piece->first_frame);
    put64(buf, piece->frames);
    put64(buf, piece->first_source);
    put64(buf, piece->source_frames);
    put64(buf, piece->next_packet);
    for (int i = 0; i < 4; i++)
        put64(buf, piece->extra[i]);
    put32(buf, piece->header_crc);
    put32(buf, piece->content_crc);
    put32(buf, piece->fallback);
    put32(buf, piece->marks);
    put32(buf, (uint32_t)piece->packet_count);
    put32(buf, (uint32_t)piece->ledger_size);
}

static void get_fixed(const uint8_t **at, sh_journal_piece *piece)
{
    piece->number = get64(at);
    piece->offset = get64(at);
    piece->header_size = get64(at);
    piece->first_frame = get64(at);
    piece->frames = get64(at);
    piece->first_source = get64(at);
    piece->source_frames = get64(at);
    piece->next_packet = get64(at);
    for (int i = 0; i < 4; i++)
        piece->extra[i] = get64(at);
    piece->header_crc = get32(at);
    piece->content_crc = get32(at);
    piece->fallback = get32(at);
    piece->marks = get32(at);
    piece->packet_count = get32(at);
    piece->ledger_size = get32(at);
}

static void put_packet(sh_buf *buf, const sh_journal_packet *packet)
{
    put64(buf, packet->offset);
    put64(buf, packet->pts);
    put64(buf, packet->dts);
    put64(buf, packet->duration);
    put32(buf, packet->size);
    put32(buf, packet->crc);
    put32(buf, packet->flags);
}

static void get_packet(const uint8_t **at, sh_journal_packet *packet)
{
    packet->offset = get64(at);
    packet->pts = get64(at);
    packet->dts = get64(at);
    packet->duration = get64(at);
    packet->size = get32(at);
    packet->crc = get32(at);
    packet->flags = get32(at);
}

static int unsound(const sh_journal *journal, int64_t number, const char *what, sh_err *err)
{
    return sh_fail(err, SH_E_FORMAT,
                   "%s: %s of piece %" PRId64 " cannot be; remove the journal to start anew", journal->name,
                   what, number);
}

static int check_fixed(const sh_journal *journal, const sh_journal_piece *piece, size_t payload, sh_err *err)
{
    if (piece->packet_count > SH_JOURNAL_PACKETS_MAX || piece->ledger_size > SH_JOURNAL_LEDGER_MAX ||
        payload != FIXED + piece->packet_count * PACKET + piece->ledger_size)
        return unsound(journal, piece->number, "the size", err);
    if (piece->header_size < 0 || piece->offset < piece->header_size)
        return unsound(journal, piece->number, "the place in the file", err);
    if (piece->first_frame < 0 || piece->frames < 0 || piece->first_source < 0 || piece->source_frames < 0 ||
        piece->frames > INT64_MAX - piece->first_frame ||
        piece->source_frames > INT64_MAX - piece->first_source)
        return unsound(journal, piece->number, "the number of frames", err);
    return 0;
}

static int check_packet(const sh_journal *journal, const sh_journal_piece *piece,
                        const sh_journal_packet *packet, sh_err *err)
{
    if (packet->size == 0 || packet->size > INT32_MAX / 2 || packet->offset < piece->header_size ||
        packet->offset > piece->offset - (int64_t)packet->size)
        return unsound(journal, piece->number, "the place of a packet", err);
    return 0;
}

/* journal->bytes has the payload. */
static int parse(sh_journal *journal, sh_journal_piece *piece, sh_err *err)
{
    const uint8_t *at = content(journal);
    sh_journal_piece found = {0};
    get_fixed(&at, &found);
    int status = check_fixed(journal, &found, journal->bytes.length, err);
    if (status < 0)
        return status;
    if (found.packet_count > journal->capacity) {
        sh_journal_packet *more = realloc(journal->packets, found.packet_count * sizeof(*more));
        if (!more)
            return sh_fail(err, SH_E_MEMORY, "%s: memory is short", journal->name);
        journal->packets = more;
        journal->capacity = found.packet_count;
    }
    for (size_t i = 0; i < found.packet_count && status == 0; i++) {
        get_packet(&at, &journal->packets[i]);
        status = check_packet(journal, &found, &journal->packets[i], err);
    }
    if (status < 0)
        return status;
    found.packets = journal->packets;
    found.ledger = found.ledger_size ? at : NULL;
    *piece = found;
    return 0;
}

/* The record at `offset`: 1 with *end and its own CRC, 0 where no whole record stands. */
static int read_record(sh_journal *journal, int64_t offset, uint32_t chain, sh_journal_piece *piece,
                       int64_t *end, uint32_t *crc, sh_err *err)
{
    int status = fetch(journal, HEAD, offset, err);
    if (status <= 0)
        return status;
    const uint8_t *at = content(journal);
    const bool right = get32(&at) == TAG && get32(&at) == chain;
    const uint64_t payload = right ? (uint64_t)get64(&at) : 0;
    if (!right || get32(&at) != sh_crc32c(0, content(journal), HEAD - 4) || payload < FIXED ||
        payload > RECORD_MAX)
        return 0;
    status = fetch(journal, (size_t)payload + 4, offset + HEAD, err);
    if (status <= 0)
        return status;
    at = content(journal) + payload;
    *crc = get32(&at);
    if (*crc != sh_crc32c(0, content(journal), (size_t)payload))
        return 0;
    journal->bytes.length = (size_t)payload;
    *end = offset + HEAD + (int64_t)payload + 4;
    status = parse(journal, piece, err);
    return status < 0 ? status : 1;
}

/* ---- opening ---- */

/* begun stays false where the header is torn. */
static int read_header(sh_journal *journal, sh_err *err)
{
    static const uint8_t nothing[MAGIC_BYTES];
    int status = fetch(journal, MAGIC_BYTES + 8, 0, err);
    const uint8_t *at = content(journal);
    const size_t shown = journal->bytes.length < MAGIC_BYTES ? journal->bytes.length : MAGIC_BYTES;
    if (status < 0 || shown == 0 || memcmp(at, nothing, shown) == 0)
        return status < 0 ? status : 0;
    if (memcmp(at, MAGIC, shown) != 0)
        return sh_fail(err, SH_E_FORMAT, "%s: is no journal of spyhop's; move it away", journal->name);
    if (status == 0)
        return 0;
    at += MAGIC_BYTES;
    const uint32_t version = get32(&at), length = get32(&at);
    if (length > SH_JOURNAL_FINGERPRINT_MAX)
        return 0;
    status = fetch(journal, MAGIC_BYTES + 8 + length + 4, 0, err);
    if (status <= 0)
        return status;
    const size_t whole = journal->bytes.length - 4;
    at = content(journal) + whole;
    journal->chain = get32(&at);
    if (journal->chain != sh_crc32c(0, content(journal), whole))
        return 0;
    if (version != VERSION)
        return sh_fail(err, SH_E_FORMAT,
                       "%s: was written by another version of spyhop (format %u, here %d): go on with that "
                       "version, or remove the journal to start anew",
                       journal->name, version, VERSION);
    journal->first = journal->end = (int64_t)journal->bytes.length;
    journal->begun = true;
    return sh_buf_append(&journal->fingerprint, content(journal) + MAGIC_BYTES + 8, length) < 0
               ? sh_fail(err, SH_E_MEMORY, "%s: memory is short", journal->name)
               : 0;
}

static void keep_last(sh_journal *journal, const sh_journal_piece *piece)
{
    journal->last = *piece;
    journal->last.packets = NULL;
    journal->last.packet_count = 0;
    journal->last.ledger = NULL;
    journal->last.ledger_size = 0;
}

/* Reads records up to the first that is not whole, at most `most`. */
static int read_records(sh_journal *journal, int64_t most, sh_err *err)
{
    sh_journal_piece piece;
    int status = 1;
    journal->end = journal->first;
    journal->pieces = 0;
    while (status > 0 && journal->pieces < most) {
        int64_t end;
        uint32_t crc;
        status = read_record(journal, journal->end, journal->chain, &piece, &end, &crc, err);
        if (status <= 0)
            break;
        if (piece.number != journal->pieces)
            return unsound(journal, piece.number, "the number", err);
        if (journal->pieces > 0 &&
            (piece.offset < journal->last.offset || piece.header_size != journal->last.header_size))
            return unsound(journal, piece.number, "the place in the file", err);
        journal->end = end;
        journal->chain = crc;
        journal->pieces++;
        keep_last(journal, &piece);
    }
    return status < 0 ? status : 0;
}

static int cut_torn(sh_journal *journal, sh_err *err)
{
    struct stat info;
    if (fstat(journal->fd, &info) < 0)
        return sh_fail_errno(err, errno, "%s", journal->name);
    if (!S_ISREG(info.st_mode))
        return sh_fail(err, SH_E_FORMAT, "%s: is not a regular file", journal->name);
    journal->torn = info.st_size - journal->end;
    if (journal->torn > 0 && ftruncate(journal->fd, journal->end) < 0)
        return sh_fail_errno(err, errno, "%s", journal->name);
    return 0;
}

int sh_journal_open(sh_journal **out, int fd, const char *name, sh_err *err)
{
    sh_journal *journal = calloc(1, sizeof(*journal));
    if (!journal)
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", name);
    journal->fd = fd;
    snprintf(journal->name, sizeof(journal->name), "%s", name);
    sh_buf_init(&journal->fingerprint, SH_JOURNAL_FINGERPRINT_MAX);
    sh_buf_init(&journal->bytes, (size_t)RECORD_MAX + HEAD + 4);
    int status = read_header(journal, err);
    if (status == 0 && journal->begun)
        status = read_records(journal, INT64_MAX, err);
    if (status == 0)
        status = cut_torn(journal, err);
    if (status < 0)
        sh_journal_close(journal);
    else
        *out = journal;
    return status;
}

void sh_journal_close(sh_journal *journal)
{
    if (!journal)
        return;
    sh_buf_free(&journal->fingerprint);
    sh_buf_free(&journal->bytes);
    free(journal->packets);
    free(journal);
}

bool sh_journal_begun(const sh_journal *journal)
{
    return journal->begun;
}

int64_t sh_journal_pieces(const sh_journal *journal)
{
    return journal->pieces;
}

int64_t sh_journal_torn(const sh_journal *journal)
{
    return journal->torn;
}

const sh_journal_piece *sh_journal_last(const sh_journal *journal)
{
    return journal->pieces > 0 ? &journal->last : NULL;
}

/* ---- the fingerprint ---- */

void sh_journal_say(sh_buf *fingerprint, const char *what, const char *format, ...)
{
    char value[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    for (char *c = value; *c; c++)
        if (*c == '\n')
            *c = ' ';
    sh_buf_printf(fingerprint, "%s: %s\n", what, value);
}

static int crc_of(int fd, int64_t offset, int64_t size, uint32_t *crc)
{
    char bytes[1 << 14];
    while (size > 0) {
        ssize_t got = pread(fd, bytes, size < (int64_t)sizeof(bytes) ? (size_t)size : sizeof(bytes), offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        *crc = sh_crc32c(*crc, bytes, (size_t)got);
        offset += got;
        size -= got;
    }
    return 0;
}

int sh_journal_say_file(sh_buf *fingerprint, const char *what, int fd, sh_err *err)
{
    struct stat info;
    uint32_t head = 0, tail = 0;
    char line[100];
    if (fstat(fd, &info) < 0 || crc_of(fd, 0, EDGE, &head) < 0 ||
        crc_of(fd, info.st_size > EDGE ? info.st_size - EDGE : 0, EDGE, &tail) < 0)
        return sh_fail_errno(err, errno, "%s", what);
    snprintf(line, sizeof(line), "size of the %s", what);
    sh_journal_say(fingerprint, line, "%" PRId64 " bytes", (int64_t)info.st_size);
    snprintf(line, sizeof(line), "time of change of the %s", what);
    sh_journal_say(fingerprint, line, "%" PRId64 ".%09ld", (int64_t)info.st_mtim.tv_sec,
                   info.st_mtim.tv_nsec);
    snprintf(line, sizeof(line), "content of the %s", what);
    sh_journal_say(fingerprint, line, "%08x %08x", head, tail);
    return 0;
}

/* The value of the line that begins with the same words as `line` does, or NULL. */
static const char *same_words(const char *text, const char *line, size_t words)
{
    while (*text) {
        if (strncmp(text, line, words) == 0)
            return text + words;
        const char *end = strchr(text, '\n');
        if (!end)
            break;
        text = end + 1;
    }
    return NULL;
}

/* Adds what differs in the line that begins at `line`, as it is in the other text. */
static void say_change(sh_buf *words, const char *line, const char *other, bool line_is_old)
{
    const size_t length = strcspn(line, "\n"), name = strcspn(line, ":\n");
    const size_t head = line[name] == ':' ? name + 2 : length;
    const char *value = same_words(other, line, head);
    const size_t mine = length > head ? length - head : 0, its = value ? strcspn(value, "\n") : 0;
    if (value && mine == its && strncmp(value, line + head, mine) == 0)
        return;
    if (value && !line_is_old)
        return; /* said from the other side */
    const char *was = line_is_old ? line + head : "", *is = line_is_old ? (value ? value : "") : line + head;
    const int was_length = line_is_old ? (int)mine : 0, is_length = line_is_old ? (int)its : (int)mine;
    sh_buf_printf(words, "%s%.*s (was %.*s, is %.*s)", words->length ? "; " : "", (int)name, line,
                  was_length > 60 ? 60
                  : was_length    ? was_length
                                  : 4,
                  was_length ? was : "none",
                  is_length > 60 ? 60
                  : is_length    ? is_length
                                 : 4,
                  is_length ? is : "none");
}

static void say_changes(sh_buf *words, const char *text, const char *other, bool text_is_old)
{
    for (const char *line = text; *line;) {
        say_change(words, line, other, text_is_old);
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
}

int sh_journal_match(const sh_journal *journal, const char *fingerprint, sh_err *err)
{
    const char *old = sh_buf_cstr(&journal->fingerprint);
    sh_buf words;
    if (!journal->begun)
        return sh_fail(err, SH_E_CONFLICT, "%s: nothing was begun", journal->name);
    if (strcmp(old, fingerprint) == 0)
        return 0;
    sh_buf_init(&words, 300);
    say_changes(&words, old, fingerprint, true);
    say_changes(&words, fingerprint, old, false);
    int status = sh_fail(err, SH_E_CONFLICT, "the unfinished output (%s) was begun differently: %s",
                         journal->name, words.length ? sh_buf_cstr(&words) : "in the order of its lines");
    sh_buf_free(&words);
    return status;
}

/* ---- writing ---- */

int sh_journal_begin(sh_journal *journal, const char *fingerprint, int folder, sh_err *err)
{
    const size_t length = strlen(fingerprint);
    if (length > SH_JOURNAL_FINGERPRINT_MAX)
        return sh_fail(err, SH_E_LIMIT, "%s: a fingerprint of %zu bytes", journal->name, length);
    journal->begun = false;
    journal->pieces = journal->torn = 0;
    if (ftruncate(journal->fd, 0) < 0)
        return sh_fail_errno(err, errno, "%s", journal->name);
    sh_buf_clear(&journal->bytes);
    sh_buf_append(&journal->bytes, MAGIC, MAGIC_BYTES);
    put32(&journal->bytes, VERSION);
    put32(&journal->bytes, (uint32_t)length);
    sh_buf_append(&journal->bytes, fingerprint, length);
    journal->chain = put_crc(&journal->bytes, 0);
    int status = store(journal, 0, err);
    if (status < 0)
        return status;
    if (folder >= 0 && fsync(folder) < 0)
        return sh_fail_errno(err, errno, "%s: sync of its folder", journal->name);
    journal->first = journal->end = (int64_t)journal->bytes.length;
    sh_buf_clear(&journal->fingerprint);
    if (sh_buf_append(&journal->fingerprint, fingerprint, length) < 0)
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", journal->name);
    journal->begun = true;
    return 0;
}

int sh_journal_append(sh_journal *journal, const sh_journal_piece *piece, sh_err *err)
{
    sh_buf *buf = &journal->bytes;
    if (!journal->begun || piece->number != journal->pieces || piece->packet_count > SH_JOURNAL_PACKETS_MAX ||
        piece->ledger_size > SH_JOURNAL_LEDGER_MAX)
        return sh_fail(err, SH_E_INTERNAL, "%s: piece %" PRId64 " does not fit in after %" PRId64,
                       journal->name, piece->number, journal->pieces);
    const size_t payload = FIXED + piece->packet_count * PACKET + piece->ledger_size;
    sh_buf_clear(buf);
    put32(buf, TAG);
    put32(buf, journal->chain);
    put64(buf, (int64_t)payload);
    put_crc(buf, 0);
    put_fixed(buf, piece);
    for (size_t i = 0; i < piece->packet_count; i++)
        put_packet(buf, &piece->packets[i]);
    sh_buf_append(buf, piece->ledger, piece->ledger_size);
    const uint32_t crc = put_crc(buf, HEAD);
    int status = store(journal, journal->end, err);
    if (status < 0)
        return status;
    journal->end += (int64_t)buf->length;
    journal->chain = crc;
    journal->pieces++;
    keep_last(journal, piece);
    return 0;
}

int sh_journal_next(sh_journal *journal, int64_t *cursor, sh_journal_piece *piece, sh_err *err)
{
    const int64_t at = *cursor > 0 ? *cursor : journal->first;
    uint32_t chain, crc;
    int64_t end;
    if (!journal->begun || at >= journal->end)
        return 0;
    /* the CRC before it is its chain */
    int status = fetch(journal, 4, at - 4, err);
    if (status > 0) {
        const uint8_t *bytes = content(journal);
        chain = get32(&bytes);
        status = read_record(journal, at, chain, piece, &end, &crc, err);
    }
    if (status == 0)
        return sh_fail(err, SH_E_FORMAT, "%s: changed while it was in use, at byte %" PRId64, journal->name,
                       at);
    if (status > 0)
        *cursor = end;
    return status;
}

int sh_journal_cut(sh_journal *journal, int64_t number, sh_err *err)
{
    if (!journal->begun || number >= journal->pieces)
        return 0;
    int status = fetch(journal, 4, journal->first - 4, err);
    if (status <= 0)
        return status < 0 ? status
                          : sh_fail(err, SH_E_FORMAT, "%s: changed while it was in use", journal->name);
    const uint8_t *bytes = content(journal);
    journal->chain = get32(&bytes);
    status = read_records(journal, number, err);
    if (status < 0)
        return status;
    if (ftruncate(journal->fd, journal->end) < 0 || fdatasync(journal->fd) < 0)
        return sh_fail_errno(err, errno, "%s", journal->name);
    return 0;
}
