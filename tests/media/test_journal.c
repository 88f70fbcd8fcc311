/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal: what goes in comes out; torn at every byte, and with every bit flipped, it never tells what
 * was not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECES 5

static int scratch(void)
{
    int fd = memfd_create("journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    return fd;
}

static sh_journal_piece piece_of(int64_t number, sh_journal_packet *packets)
{
    for (int i = 0; i < 3; i++)
        packets[i] = (sh_journal_packet){.offset = 100 + number * 1000 + i * 50,
                                         .size = 40 + (uint32_t)i,
                                         .crc = (uint32_t)(number * 77 + i),
                                         .pts = number * 30 + i * 10,
                                         .dts = number * 30 + i * 10 - 20,
                                         .duration = 10,
                                         .flags = i == 0};
    return (sh_journal_piece){.number = number,
                              .offset = 1000 + number * 1000,
                              .packets = packets,
                              .packet_count = 3,
                              .header_size = 100,
                              .header_crc = 0xfeed,
                              .first_frame = number * 3,
                              .frames = 3,
                              .first_source = number * 4,
                              .source_frames = 4,
                              .next_packet = number - 1,
                              .content_crc = 0x80000000u + (uint32_t)number,
                              .fallback = 1,
                              .marks = 2,
                              .extra = {-1, INT64_MAX, INT64_MIN, number},
                              .ledger = "frames and frames",
                              .ledger_size = number % 2 ? 17 : 0};
}

static int made(void)
{
    sh_journal *journal = NULL;
    sh_journal_packet packets[3];
    int fd = scratch();
    assert_int_equal(sh_journal_open(&journal, fd, "x.spyhop-journal", NULL), 0);
    assert_false(sh_journal_begun(journal));
    assert_int_equal(sh_journal_begin(journal, "source: film.mp4\nmodel: fast\n", -1, NULL), 0);
    for (int64_t i = 0; i < PIECES; i++) {
        sh_journal_piece piece = piece_of(i, packets);
        assert_int_equal(sh_journal_append(journal, &piece, NULL), 0);
    }
    sh_journal_close(journal);
    return fd;
}

static void check_piece(const sh_journal_piece *is, int64_t number)
{
    sh_journal_packet packets[3];
    const sh_journal_piece should = piece_of(number, packets);
    assert_int_equal(is->number, number);
    assert_int_equal(is->offset, should.offset);
    assert_int_equal(is->first_frame, should.first_frame);
    assert_int_equal(is->source_frames, should.source_frames);
    assert_int_equal(is->next_packet, should.next_packet);
    assert_int_equal(is->content_crc, should.content_crc);
    assert_memory_equal(is->extra, should.extra, sizeof(should.extra));
    assert_int_equal(is->packet_count, 3);
    assert_int_equal(is->ledger_size, should.ledger_size);
    if (should.ledger_size)
        assert_memory_equal(is->ledger, should.ledger, should.ledger_size);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(is->packets[i].offset, packets[i].offset);
        assert_int_equal(is->packets[i].crc, packets[i].crc);
        assert_int_equal(is->packets[i].dts, packets[i].dts);
    }
}

static void what_goes_in(void **state)
{
    sh_journal *journal = NULL;
    sh_journal_piece piece;
    int64_t cursor = 0;
    int fd = made();
    assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
    assert_int_equal(sh_journal_pieces(journal), PIECES);
    assert_int_equal(sh_journal_torn(journal), 0);
    assert_int_equal(sh_journal_last(journal)->number, PIECES - 1);
    assert_null(sh_journal_last(journal)->packets);
    for (int64_t i = 0; i < PIECES; i++) {
        assert_int_equal(sh_journal_next(journal, &cursor, &piece, NULL), 1);
        check_piece(&piece, i);
    }
    assert_int_equal(sh_journal_next(journal, &cursor, &piece, NULL), 0);
    assert_int_equal(sh_journal_cut(journal, 2, NULL), 0);
    assert_int_equal(sh_journal_pieces(journal), 2);
    sh_journal_close(journal);
    assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
    assert_int_equal(sh_journal_pieces(journal), 2);
    sh_journal_close(journal);
    close(fd);
}

static void fingerprints(void **state)
{
    sh_journal *journal = NULL;
    sh_err err = {0};
    int fd = made();
    assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
    assert_int_equal(sh_journal_match(journal, "source: film.mp4\nmodel: fast\n", &err), 0);
    assert_int_equal(sh_journal_match(journal, "source: film.mp4\nmodel: best\n", &err), SH_E_CONFLICT);
    assert_non_null(strstr(err.message, "model (was fast, is best)"));
    assert_int_equal(sh_journal_match(journal, "model: fast\n", &err), SH_E_CONFLICT);
    assert_non_null(strstr(err.message, "source (was film.mp4, is none)"));
    assert_int_equal(sh_journal_match(journal, "source: film.mp4\nmodel: fast\ngrain: 3\n", &err),
                     SH_E_CONFLICT);
    assert_non_null(strstr(err.message, "grain (was none, is 3)"));
    sh_journal_close(journal);
    close(fd);
}

static int copy_of(const uint8_t *bytes, size_t size)
{
    int fd = scratch();
    assert_int_equal(pwrite(fd, bytes, size, 0), (ssize_t)size);
    return fd;
}

static uint8_t *content(int fd, size_t *size)
{
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    uint8_t *bytes = malloc((size_t)info.st_size);
    assert_int_equal(pread(fd, bytes, (size_t)info.st_size, 0), info.st_size);
    *size = (size_t)info.st_size;
    return bytes;
}

static void read_all(sh_journal *journal)
{
    sh_journal_piece piece;
    int64_t cursor = 0, number = 0;
    while (sh_journal_next(journal, &cursor, &piece, NULL) == 1)
        check_piece(&piece, number++);
    assert_int_equal(number, sh_journal_pieces(journal));
}

/* The pieces before the tear are there, and going on from them is possible. */
static void torn_anywhere(void **state)
{
    size_t size;
    int fd = made();
    uint8_t *bytes = content(fd, &size);
    close(fd);
    int64_t most = 0;
    for (size_t cut = 0; cut <= size; cut++) {
        sh_journal *journal = NULL;
        sh_journal_packet packets[3];
        fd = copy_of(bytes, cut);
        assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
        const int64_t pieces = sh_journal_pieces(journal);
        assert_true(pieces >= most);
        most = pieces;
        if (sh_journal_begun(journal)) {
            read_all(journal);
            sh_journal_piece piece = piece_of(pieces, packets);
            assert_int_equal(sh_journal_append(journal, &piece, NULL), 0);
            read_all(journal);
        }
        sh_journal_close(journal);
        close(fd);
    }
    assert_int_equal(most, PIECES);
    free(bytes);
}

static void flipped_anywhere(void **state)
{
    size_t size;
    int fd = made();
    uint8_t *bytes = content(fd, &size);
    close(fd);
    for (size_t bit = 0; bit < size * 8; bit++) {
        sh_journal *journal = NULL;
        sh_err err = {0};
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        fd = copy_of(bytes, size);
        int status = sh_journal_open(&journal, fd, "x", &err);
        assert_true(status == 0 || (status == SH_E_FORMAT && err.message[0]));
        if (status == 0) {
            assert_true(sh_journal_pieces(journal) < PIECES);
            read_all(journal);
        }
        sh_journal_close(journal);
        close(fd);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(bytes);
}

/* Records of an earlier journal that the file system shows again are not taken. */
static void earlier_records(void **state)
{
    size_t size, fresh_size;
    sh_journal *journal = NULL;
    int fd = made();
    uint8_t *bytes = content(fd, &size);
    assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
    assert_int_equal(sh_journal_begin(journal, "source: film.mp4\nmodel: slow\n", -1, NULL), 0);
    sh_journal_close(journal);
    uint8_t *fresh = content(fd, &fresh_size);
    close(fd);
    memcpy(bytes, fresh, fresh_size); /* same length of header */
    fd = copy_of(bytes, size);
    assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
    assert_true(sh_journal_begun(journal));
    assert_int_equal(sh_journal_pieces(journal), 0);
    assert_true(sh_journal_torn(journal) > 0);
    sh_journal_close(journal);
    close(fd);
    free(bytes);
    free(fresh);
}

/* Numbers that contradict each other under a right CRC: an error, whatever they say. */
static void contradictions(void **state)
{
    for (int kind = 0; kind < 7; kind++) {
        sh_journal *journal = NULL;
        sh_journal_packet packets[3];
        sh_err err = {0};
        int fd = scratch();
        sh_journal_piece piece = piece_of(0, packets);
        switch (kind) {
        case 0:
            packets[1].offset = piece.offset;
            break;
        case 1:
            packets[1].offset = -1;
            break;
        case 2:
            packets[2].size = UINT32_MAX;
            break;
        case 3:
            packets[2].size = 0;
            break;
        case 4:
            piece.offset = 10;
            break;
        case 5:
            piece.frames = -1;
            break;
        default:
            piece.first_source = INT64_MAX;
            break;
        }
        assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
        assert_int_equal(sh_journal_begin(journal, "a: b\n", -1, NULL), 0);
        assert_int_equal(sh_journal_append(journal, &piece, NULL), 0);
        sh_journal_close(journal);
        assert_int_equal(sh_journal_open(&journal, fd, "x", &err), SH_E_FORMAT);
        assert_non_null(strstr(err.message, "piece 0"));
        close(fd);
    }
}

static void what_is_none(void **state)
{
    sh_journal *journal = NULL;
    sh_err err = {0};
    int fd = copy_of((const uint8_t *)"my own notes", 12);
    assert_int_equal(sh_journal_open(&journal, fd, "notes", &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "no journal"));
    close(fd);
    fd = copy_of((const uint8_t[100]){0}, 100); /* what a power loss leaves of a new file */
    assert_int_equal(sh_journal_open(&journal, fd, "x", &err), 0);
    assert_false(sh_journal_begun(journal));
    sh_journal_close(journal);
    close(fd);
}

static void full_disk(void **state)
{
    sh_journal *journal = NULL;
    sh_journal_packet packets[3];
    sh_err err = {0};
    struct stat before, after;
    int fd = made();
    assert_int_equal(sh_journal_open(&journal, fd, "x", NULL), 0);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    sh_journal_piece piece = piece_of(PIECES, packets);
    assert_true(sh_journal_append(journal, &piece, &err) < 0);
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(sh_journal_pieces(journal), PIECES);
    read_all(journal);
    sh_journal_close(journal);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in),    cmocka_unit_test(fingerprints),
        cmocka_unit_test(torn_anywhere),   cmocka_unit_test(flipped_anywhere),
        cmocka_unit_test(earlier_records), cmocka_unit_test(contradictions),
        cmocka_unit_test(what_is_none),    cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
