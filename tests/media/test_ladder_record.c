/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of a ladder's journal: what is written is read, and what is not one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/journal.h"
#include "media/ladder_record.h"

#include <stdlib.h>
#include <string.h>

static sh_record record, found;

static void fill(sh_ledger *ledger)
{
    const sh_ladder_file file = {.output = 3,
                                 .kind = SH_LADDER_CMAF,
                                 .video = 1,
                                 .audio = -1,
                                 .text = -1,
                                 .capture = -1,
                                 .role = SH_LADDER_SEGMENT,
                                 .number = 7,
                                 .id = -5};
    const sh_ladder_segment segment = {.number = 7,
                                       .start = 42000,
                                       .duration = 6000,
                                       .bytes = 12345,
                                       .samples = 150,
                                       .crc = 0xFEDCBA98,
                                       .key_count = 2};
    sh_ladder_key *keys = calloc(3, sizeof(*keys));
    keys[1] = (sh_ladder_key){6000, 100, 6345, 45000};
    keys[0] = (sh_ladder_key){0, 200, 6000, 42000};
    const sh_ledger_entry entry = {.source = 1050, .packet = 1051, .pts_in = 9, .output = 1050, .pts_out = 9};
    record.first_pts = -77;
    record.zero_us = -1234567;
    record.start = 42000;
    record.last = 47960;
    record.end = 48000;
    record.sound[1] = 999;
    record.taken[2] = 5;
    record.video_count = 2;
    record.config[1].size = 4;
    memcpy(record.config[1].bytes, "avcC", 4);
    record.shown = 1200;
    record.captions = strdup("captions");
    record.captions_size = 8;
    assert_true(sh_stills_add(&record.stills, &(sh_still){SH_STILL_FROZEN, 24000, 48000}, -1));
    assert_int_equal(sh_record_add(&record, &file, &segment, keys, NULL), 0);
    ledger->next.packet = -1;
    assert_int_equal(sh_ledger_add(ledger, &entry, NULL), 0);
}

static void what_is_written_is_read(void **state)
{
    const sh_buf *bytes = *state;
    assert_int_equal(sh_record_read(&found, bytes->data, bytes->length, NULL), 0);
    assert_int_equal(found.first_pts, -77);
    assert_int_equal(found.zero_us, -1234567);
    assert_int_equal(found.end, 48000);
    assert_int_equal(found.sound[1], 999);
    assert_int_equal(found.taken[2], 5);
    assert_int_equal(found.shown, 1200);
    assert_int_equal(found.config[1].size, 4);
    assert_memory_equal(found.captions, "captions", 8);
    assert_int_equal(found.stills.count, 1);
    assert_int_equal(found.stills.list[0].kind, SH_STILL_FROZEN);
    assert_int_equal(found.stills.list[0].from, 24000);
    assert_int_equal(found.stills.list[0].to, 48000);
    assert_int_equal(found.row_count, 1);
    assert_int_equal(found.rows[0].segment.crc, 0xFEDCBA98);
    assert_int_equal(found.rows[0].file.id, -5);
    assert_int_equal(found.rows[0].file.number, 7);
    assert_int_equal(found.rows[0].keys[1].time, 45000);
    assert_int_equal(found.ledger.count, 1);
    assert_int_equal(found.ledger.entries[0].source, 1050);
    sh_record_free(&found);
}

static void what_is_cut_off_is_refused(void **state)
{
    const sh_buf *bytes = *state;
    for (size_t size = 0; size < bytes->length; size++) {
        char *exact = malloc(size + 1); /* so that a sanitizer sees a byte too far */
        memcpy(exact, bytes->data, size);
        char *fitting = realloc(exact, size ? size : 1);
        sh_err err = {0};
        assert_true(sh_record_read(&found, fitting, size, &err) < 0);
        assert_true(err.message[0] != '\0');
        free(fitting);
    }
}

/* Any byte may be another one: it is read or refused, and nothing else happens. */
static void what_was_changed_does_no_harm(void **state)
{
    const sh_buf *bytes = *state;
    for (size_t at = 0; at < bytes->length; at++)
        for (int bit = 0; bit < 8; bit++) {
            char *copy = malloc(bytes->length);
            memcpy(copy, bytes->data, bytes->length);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            if (sh_record_read(&found, copy, bytes->length, NULL) == 0)
                sh_record_free(&found);
            free(copy);
        }
}

static int set_up(void **state)
{
    static sh_buf bytes;
    sh_ledger ledger = {0};
    sh_buf_init(&bytes, SH_JOURNAL_LEDGER_MAX);
    fill(&ledger);
    *state = &bytes;
    const int status = sh_record_write(&record, &ledger, &bytes);
    sh_ledger_free(&ledger);
    return status;
}

static int tear_down(void **state)
{
    sh_record_free(&record);
    sh_buf_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_cut_off_is_refused),
        cmocka_unit_test(what_was_changed_does_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
