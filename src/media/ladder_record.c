/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_record.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "media/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION 2
#define KEYS_MAX (1 << 16) /* of one file */
#define ROWS_MAX (1 << 16)
#define READ_AT_ONCE (1 << 16)

/* ---- writing ---- */

static void put(sh_buf *buf, int64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> 8 * i);
    sh_buf_append(buf, bytes, sizeof(bytes));
}

static void put_all(sh_buf *buf, const int64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        put(buf, values[i]);
}

static void put_row(sh_buf *buf, const sh_record_row *row)
{
    const sh_ladder_file *f = &row->file;
    const sh_ladder_segment *s = &row->segment;
    const int64_t values[] = {f->output,   f->kind,  f->video,   f->audio,  f->text,
                              f->capture,  f->role,  f->id,      s->number, s->start,
                              s->duration, s->bytes, s->samples, s->crc,    s->key_count};
    put_all(buf, values, sizeof(values) / sizeof(values[0]));
    for (int i = 0; i < s->key_count; i++) {
        put(buf, row->keys[i].offset);
        put(buf, row->keys[i].key_size);
        put(buf, row->keys[i].size);
        put(buf, row->keys[i].time);
    }
}

int sh_record_write(const sh_record *record, const sh_ledger *ledger, sh_buf *bytes)
{
    sh_buf inner;
    sh_buf_init(&inner, SH_JOURNAL_LEDGER_MAX);
    int status = sh_ledger_write(ledger, &inner);
    put(bytes, VERSION);
    put(bytes, record->first_pts);
    put(bytes, record->zero_us);
    put(bytes, record->start);
    put(bytes, record->last);
    put(bytes, record->end);
    put_all(bytes, record->sound, SH_LADDER_AUDIOS);
    put_all(bytes, record->taken, SH_LADDER_CAPTURES);
    put_all(bytes, record->tiles, SH_LADDER_CAPTURES);
    put(bytes, record->video_count);
    for (int i = 0; i < record->video_count; i++) {
        put(bytes, (int64_t)record->config[i].size);
        sh_buf_append(bytes, record->config[i].bytes, record->config[i].size);
    }
    put(bytes, record->shown);
    put(bytes, (int64_t)record->captions_size);
    sh_buf_append(bytes, record->captions ? record->captions : "", record->captions_size);
    put(bytes, (int64_t)record->stills.count);
    for (size_t i = 0; i < record->stills.count; i++) {
        put(bytes, record->stills.list[i].kind);
        put(bytes, record->stills.list[i].from);
        put(bytes, record->stills.list[i].to);
    }
    put(bytes, (int64_t)record->row_count);
    for (size_t i = 0; i < record->row_count; i++)
        put_row(bytes, &record->rows[i]);
    put(bytes, (int64_t)inner.length);
    sh_buf_append(bytes, sh_buf_cstr(&inner), inner.length);
    sh_buf_free(&inner);
    return status < 0 || bytes->failed ? SH_E_MEMORY : 0;
}

/* ---- reading ---- */

typedef struct reading {
    const uint8_t *at, *end;
    bool bad;
} reading;

static int64_t get(reading *c, int64_t least, int64_t most)
{
    uint64_t value = 0;
    if (c->bad || c->end - c->at < 8) {
        c->bad = true;
        return least;
    }
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)c->at[i] << 8 * i;
    c->at += 8;
    if ((int64_t)value < least || (int64_t)value > most) {
        c->bad = true;
        return least;
    }
    return (int64_t)value;
}

static const uint8_t *get_bytes(reading *c, int64_t size)
{
    const uint8_t *bytes = c->at;
    if (c->bad || size > c->end - c->at) {
        c->bad = true;
        return NULL;
    }
    c->at += size;
    return bytes;
}

static void get_all(reading *c, int64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        values[i] = get(c, 0, INT64_MAX / 4);
}

static void get_file(reading *c, sh_ladder_file *f)
{
    f->output = (int)get(c, 0, SH_LADDER_OUTPUTS - 1);
    f->kind = (int)get(c, 0, SH_LADDER_KINDS - 1);
    f->video = (int)get(c, -1, SH_LADDER_VIDEOS - 1);
    f->audio = (int)get(c, -1, SH_LADDER_AUDIOS - 1);
    f->text = (int)get(c, -1, SH_LADDER_TEXTS - 1);
    f->capture = (int)get(c, -1, SH_LADDER_CAPTURES - 1);
    f->role = (int)get(c, 0, SH_LADDER_ROLES - 1);
    f->id = get(c, INT64_MIN, INT64_MAX);
}

static int get_row(reading *c, sh_record *record, sh_err *err)
{
    sh_ladder_file file = {0};
    sh_ladder_segment s = {0};
    get_file(c, &file);
    s.number = file.number = get(c, 1, SH_LADDER_SEGMENTS_MAX);
    s.start = get(c, 0, INT64_MAX / 4);
    s.duration = get(c, 0, INT64_MAX / 4);
    s.bytes = get(c, 1, INT64_MAX / 4);
    s.samples = get(c, 0, INT64_MAX / 4);
    s.crc = (uint32_t)get(c, 0, UINT32_MAX);
    s.key_count = (int)get(c, 0, KEYS_MAX);
    if (c->bad || (c->end - c->at) / 32 < s.key_count)
        return SH_E_FORMAT;
    sh_ladder_key *keys = calloc((size_t)s.key_count + 1, sizeof(*keys));
    for (int i = 0; keys && i < s.key_count; i++) {
        keys[i].offset = get(c, 0, s.bytes);
        keys[i].key_size = get(c, 1, s.bytes);
        keys[i].size = get(c, 1, s.bytes);
        keys[i].time = get(c, 0, INT64_MAX / 4);
    }
    return sh_record_add(record, &file, &s, keys, err);
}

static int get_captions(reading *c, sh_record *record, sh_err *err)
{
    record->shown = get(c, 0, INT64_MAX / 4);
    const int64_t size = get(c, 0, SH_RECORD_CAPTIONS_MAX);
    const uint8_t *bytes = get_bytes(c, size);
    if (!bytes || size == 0)
        return 0;
    record->captions = malloc((size_t)size);
    if (!record->captions)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    memcpy(record->captions, bytes, (size_t)size);
    record->captions_size = (size_t)size;
    return 0;
}

static int get_stills(reading *c, sh_record *record, sh_err *err)
{
    const int64_t count = get(c, 0, SH_STILLS_MAX);
    for (int64_t i = 0; i < count && !c->bad; i++) {
        sh_still run = {.kind = get(c, 0, SH_STILL_KINDS - 1)};
        run.from = get(c, 0, INT64_MAX / 4);
        run.to = get(c, run.from, INT64_MAX / 4);
        if (!c->bad && !sh_stills_add(&record->stills, &run, -1))
            return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    return 0;
}

static int get_rest(reading *c, sh_record *record, sh_err *err)
{
    record->video_count = (int)get(c, 0, SH_LADDER_VIDEOS);
    for (int i = 0; i < record->video_count; i++) {
        record->config[i].size = (size_t)get(c, 0, SH_LADDER_CONFIG);
        const uint8_t *bytes = get_bytes(c, (int64_t)record->config[i].size);
        if (bytes)
            memcpy(record->config[i].bytes, bytes, record->config[i].size);
    }
    int status = get_captions(c, record, err);
    if (status == 0)
        status = get_stills(c, record, err);
    const int64_t rows = get(c, 0, ROWS_MAX);
    for (int64_t i = 0; i < rows && status == 0 && !c->bad; i++)
        status = get_row(c, record, err);
    if (status < 0 || c->bad)
        return status < 0 ? status : SH_E_FORMAT;
    const int64_t size = get(c, 0, SH_JOURNAL_LEDGER_MAX);
    const uint8_t *ledger = get_bytes(c, size);
    if (!ledger || c->at != c->end)
        return SH_E_FORMAT;
    return sh_ledger_read(&record->ledger, ledger, (size_t)size, err);
}

int sh_record_read(sh_record *record, const void *bytes, size_t size, sh_err *err)
{
    reading c = {.at = bytes, .end = (const uint8_t *)bytes + size};
    get(&c, VERSION, VERSION);
    record->first_pts = get(&c, INT64_MIN, INT64_MAX);
    record->zero_us = get(&c, INT64_MIN, INT64_MAX);
    record->start = get(&c, 0, INT64_MAX / 4);
    record->last = get(&c, record->start, INT64_MAX / 4);
    record->end = get(&c, record->last, INT64_MAX / 4);
    get_all(&c, record->sound, SH_LADDER_AUDIOS);
    get_all(&c, record->taken, SH_LADDER_CAPTURES);
    get_all(&c, record->tiles, SH_LADDER_CAPTURES);
    int status = c.bad ? SH_E_FORMAT : get_rest(&c, record, err);
    if (status == SH_E_FORMAT)
        sh_fail(err, status, "a record of the journal contradicts itself; remove the journal to start anew");
    if (status < 0)
        sh_record_free(record);
    return status;
}

int sh_record_add(sh_record *record, const sh_ladder_file *file, const sh_ladder_segment *segment,
                  sh_ladder_key *keys, sh_err *err)
{
    sh_record_row *grown = record->rows;
    if (keys && record->row_count == record->row_capacity) {
        const size_t capacity = record->row_capacity ? 2 * record->row_capacity : 16;
        grown = reallocarray(record->rows, capacity, sizeof(*grown));
        record->row_capacity = grown ? capacity : record->row_capacity;
    }
    if (!keys || !grown) {
        free(keys);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    record->rows = grown;
    grown[record->row_count++] = (sh_record_row){*file, *segment, keys};
    return 0;
}

void sh_record_free(sh_record *record)
{
    for (size_t i = 0; i < record->row_count; i++)
        free(record->rows[i].keys);
    free(record->rows);
    free(record->captions);
    sh_stills_free(&record->stills);
    sh_ledger_free(&record->ledger);
    memset(record, 0, sizeof(*record));
}

/* ---- whether it is so ---- */

static bool same_bytes(int fd, const sh_ladder_segment *segment)
{
    char bytes[READ_AT_ONCE];
    uint32_t crc = 0;
    int64_t size = 0;
    ssize_t got;
    while ((got = read(fd, bytes, sizeof(bytes))) > 0 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        crc = sh_crc32c(crc, bytes, (size_t)got);
        size += got;
    }
    return got == 0 && size == segment->bytes && crc == segment->crc;
}

static bool all_there(const sh_ladder_job *job, const sh_record *record)
{
    for (size_t i = 0; i < record->row_count; i++) {
        const sh_record_row *row = &record->rows[i];
        const int fd = job->reopen(job->opaque, &row->file, NULL);
        const bool same = fd >= 0 && same_bytes(fd, &row->segment);
        if (fd >= 0)
            close(fd);
        if (!same)
            return false;
    }
    return true;
}

static int verify(const sh_ladder_job *job, sh_journal *journal, sh_err *err)
{
    sh_journal_piece piece;
    int64_t cursor = 0, number = 0;
    int status;
    while ((status = sh_journal_next(journal, &cursor, &piece, err)) == 1) {
        sh_record record = {0};
        status = sh_record_read(&record, piece.ledger, piece.ledger_size, err);
        if (status < 0)
            return status;
        number = piece.number;
        const bool same = all_there(job, &record);
        sh_record_free(&record);
        if (same)
            continue;
        if (job->log)
            job->log(
                job->opaque, SH_LOG_WARNING,
                "a file of a run before is not there as it was written; it and all after it are made again");
        return sh_journal_cut(journal, number, err);
    }
    return status;
}

int sh_record_verify(const sh_ladder_job *job, sh_err *err)
{
    sh_journal *journal = NULL;
    if (job->journal_fd < 0 || !job->reopen || job->anew)
        return 0;
    int status = sh_journal_open(&journal, job->journal_fd, "the journal of the stream", err);
    if (status == 0)
        status = verify(job, journal, err);
    sh_journal_close(journal);
    return status;
}
