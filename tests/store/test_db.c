/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transactions: what is in one is on disk whole or not at all, whatever SQLite and the caller make of a
 * failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "cloud/store/db.h"
#include "cloud/store/flows.h"
#include "cloud/store/mcjobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int count_row(void *opaque, const sh_row *row)
{
    *(int64_t *)opaque = sh_row_int(row, 0);
    return 1;
}

static int64_t rows(sh_db *db)
{
    int64_t count = -1;
    assert_int_equal(sh_db_each(db, NULL, "SELECT count(*) FROM t", count_row, &count, ""), 0);
    return count;
}

static int add(sh_db *db, int64_t value)
{
    return sh_db_run(db, NULL, "INSERT INTO t (x) VALUES (?1)", "i", value);
}

static int set_up(void **state)
{
    sh_err err = {0};
    return sh_db_open((sh_db **)state, ":memory:", &err) ||
           sh_db_run(*state, &err, "CREATE TABLE t (x INTEGER UNIQUE)", "");
}

static int tear_down(void **state)
{
    sh_db_close(*state);
    return 0;
}

static void levels(void **state)
{
    sh_db *db = *state;
    assert_int_equal(sh_db_begin(db, NULL), 0);
    assert_int_equal(add(db, 1), 0);
    assert_int_equal(sh_db_begin(db, NULL), 0);
    assert_int_equal(add(db, 2), 0);
    assert_int_equal(sh_db_end(db, SH_E_FORMAT, NULL), SH_E_FORMAT);
    assert_int_equal(sh_db_begin(db, NULL), 0);
    assert_int_equal(add(db, 3), 0);
    assert_int_equal(add(db, 3), SH_E_CONFLICT);
    assert_int_equal(sh_db_end(db, 0, NULL), 0);
    assert_int_equal(sh_db_end(db, 0, NULL), 0);
    assert_int_equal(rows(db), 2);
}

/* "OR ROLLBACK" ends the transaction as a full disk may. */
static int lose_transaction(sh_db *db)
{
    return sh_db_run(db, NULL, "INSERT OR ROLLBACK INTO t (x) VALUES (?1)", "i", (int64_t)1);
}

static void a_lost_transaction_stays_lost(void **state)
{
    sh_db *db = *state;
    sh_err err = {0};
    assert_int_equal(sh_db_begin(db, NULL), 0);
    assert_int_equal(add(db, 1), 0);
    assert_int_equal(sh_db_begin(db, NULL), 0);
    assert_int_equal(lose_transaction(db), SH_E_CONFLICT);
    assert_int_equal(sh_db_end(db, SH_E_CONFLICT, NULL), SH_E_CONFLICT);
    assert_int_equal(add(db, 2), SH_E_IO); /* the caller goes on all the same */
    assert_int_equal(sh_db_begin(db, NULL), SH_E_IO);
    assert_int_equal(sh_db_end(db, 0, &err), SH_E_IO);
    assert_int_equal(rows(db), 0);
    assert_int_equal(add(db, 4), 0);
    assert_int_equal(rows(db), 1);
}

typedef struct seen {
    char text[256];
} seen;

static int see(void *opaque, int64_t id, const char *event)
{
    seen *s = opaque;
    size_t length = strlen(s->text);
    snprintf(s->text + length, sizeof(s->text) - length, "%d%s ", (int)id, event);
    return 0;
}

static void assert_listed(sh_db *db, int64_t from, bool reverse, int64_t limit, const char *expected)
{
    seen s = {""};
    assert_int_equal(sh_history_list(db, 7, from, reverse, limit, see, &s, NULL), 0);
    assert_string_equal(s.text, expected);
}

static void events_stand_many_in_a_row(void **state)
{
    sh_db *db = *state;
    assert_int_equal(sh_history_add(db, 7, 1, "a", NULL), 0);
    assert_int_equal(sh_history_add(db, 7, 2, "b\nc\nd", NULL), 0);
    assert_int_equal(sh_history_add(db, 7, 5, "e\nf", NULL), 0);
    assert_int_equal(sh_history_add(db, 8, 1, "x", NULL), 0);
    assert_listed(db, 0, false, 100, "1a 2b 3c 4d 5e 6f ");
    assert_listed(db, 1, false, 2, "1a 2b ");
    assert_listed(db, 3, false, 1, "3c ");
    assert_listed(db, 3, false, 3, "3c 4d 5e ");
    assert_listed(db, 6, false, 3, "6f ");
    assert_listed(db, 7, false, 3, "");
    assert_listed(db, INT64_MAX, true, 1, "6f ");
    assert_listed(db, INT64_MAX, true, 100, "6f 5e 4d 3c 2b 1a ");
    assert_listed(db, 4, true, 2, "4d 3c ");
    assert_listed(db, 1, true, 2, "1a ");
    assert_listed(db, 0, true, 2, "");
}

static void add_execution(sh_db *db, int number, int64_t started_ms, int64_t stopped_ms)
{
    char arn[32];
    snprintf(arn, sizeof(arn), "arn:%d", number);
    sh_execution e = {.arn = arn,
                      .name = "n",
                      .machine_arn = "m",
                      .revision_row = 1,
                      .input = "{}",
                      .started_ms = started_ms};
    assert_int_equal(sh_execution_insert(db, &e, NULL), 0);
    assert_int_equal(e.id, number);
    assert_int_equal(sh_history_add(db, e.id, 1, "a", NULL), 0);
    assert_int_equal(sh_wait_add(db, &(sh_wait){.execution = e.id, .task = 1, .state_name = "s"}, NULL), 0);
    e.status = stopped_ms < 0 ? "RUNNING" : "SUCCEEDED";
    e.stopped_ms = stopped_ms;
    assert_int_equal(sh_execution_save(db, &e, -1, false, NULL), 0);
}

/* All ended long ago but for 2, which runs still, 4, which ended late, and 75, which is young. */
static void what_ended_long_ago_is_removed(void **state)
{
    static const char *const left[] = {
        "SELECT group_concat(id) = '2,4,75' FROM (SELECT id FROM executions ORDER BY id)",
        "SELECT group_concat(execution) = '2,4,75' FROM (SELECT execution FROM history ORDER BY 1)",
        "SELECT group_concat(execution) = '2,4,75' FROM (SELECT execution FROM waits ORDER BY 1)",
    };
    sh_db *db = *state;
    int64_t cursor = 0, removed = 0, same;
    int rounds = 0;
    sh_machine machine = {.arn = "m",
                          .name = "n",
                          .type = "STANDARD",
                          .definition = "{}",
                          .role_arn = "r",
                          .revision = "v",
                          .tags = "{}"};
    assert_int_equal(sh_machine_insert(db, &machine, NULL), 0);
    for (int i = 1; i <= 74; i++)
        add_execution(db, i, 10 + i, i == 2 ? -1 : i == 4 ? 1000 : 100 + i);
    add_execution(db, 75, 1000, 1001);
    while (cursor >= 0) {
        assert_int_equal(sh_execution_prune(db, 500, &cursor, &removed, NULL), 0);
        rounds++;
    }
    assert_int_equal(removed, 72);
    assert_int_equal(rounds, 2);
    for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
        same = 0;
        assert_int_equal(sh_db_each(db, NULL, left[i], count_row, &same, ""), 0);
        assert_int_equal(same, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_transaction_stays_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_stand_many_in_a_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_ended_long_ago_is_removed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
