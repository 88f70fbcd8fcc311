/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nobody is answered before the disk has it, and one sync is enough for all who wait. The disk here is a gate
 * that the test opens: fdatasync of the database's log waits at it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cloud/store/db.h"
#include "cloud/store/turn.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITERS 8

static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_shut;
static int at_gate, passed;

static bool is_log(int fd)
{
    char link[64], path[256];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length < 0 ? 0 : length] = '\0';
    return strstr(path, ".db-wal") != NULL;
}

/* In place of the C library's, for the library under test. */
int fdatasync(int fd)
{
    if (!is_log(fd))
        return fsync(fd);
    pthread_mutex_lock(&gate_mutex);
    at_gate++;
    pthread_cond_broadcast(&gate_moved);
    while (gate_shut)
        pthread_cond_wait(&gate_moved, &gate_mutex);
    at_gate--;
    passed++;
    pthread_mutex_unlock(&gate_mutex);
    return 0;
}

static void gate(bool shut)
{
    pthread_mutex_lock(&gate_mutex);
    gate_shut = shut;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate_mutex);
}

static void wait_for_gate(void)
{
    pthread_mutex_lock(&gate_mutex);
    while (at_gate == 0)
        pthread_cond_wait(&gate_moved, &gate_mutex);
    pthread_mutex_unlock(&gate_mutex);
}

typedef struct bed {
    char folder[64], path[96];
    sh_db *db;
    atomic_int returned;
} bed;

static int take_number(void *opaque, const sh_row *row)
{
    *(int64_t *)opaque = sh_row_int(row, 0);
    return 1;
}

static int set_up(void **state)
{
    sh_err err = {0};
    bed *b = calloc(1, sizeof(*b));
    snprintf(b->folder, sizeof(b->folder), "/tmp/spyhop-test-sync-XXXXXX");
    if (!b || !mkdtemp(b->folder))
        return -1;
    snprintf(b->path, sizeof(b->path), "%s/test.db", b->folder);
    *state = b;
    return sh_db_open(&b->db, b->path, &err) || sh_db_run(b->db, &err, "CREATE TABLE t (x INTEGER)", "");
}

static int tear_down(void **state)
{
    bed *b = *state;
    gate(false);
    sh_db_close(b->db);
    unlink(b->path);
    rmdir(b->folder);
    free(b);
    return 0;
}

/* How many rows are committed, whether synced or not. */
static int64_t committed(sh_db *db)
{
    int64_t count = -1;
    assert_int_equal(sh_db_begin(db, NULL), 0);
    assert_int_equal(sh_db_each(db, NULL, "SELECT count(*) FROM t", take_number, &count, ""), 0);
    assert_int_equal(sh_db_end_later(db, 0, NULL), 0);
    return count;
}

static void *write_row(void *opaque)
{
    bed *b = opaque;
    sh_db_run(b->db, NULL, "INSERT INTO t (x) VALUES (1)", "");
    atomic_fetch_add(&b->returned, 1);
    return NULL;
}

static void *read_rows(void *opaque)
{
    bed *b = opaque;
    int64_t count = 0;
    sh_db_each(b->db, NULL, "SELECT count(*) FROM t", take_number, &count, "");
    atomic_fetch_add(&b->returned, 1);
    return NULL;
}

static void one_sync_for_many(void **state)
{
    bed *b = *state;
    pthread_t threads[WRITERS + 1];
    gate(true);
    pthread_create(&threads[0], NULL, write_row, b);
    wait_for_gate(); /* the first one's sync is under way: it is not the others' */
    int before = passed;
    for (int i = 1; i <= WRITERS; i++)
        pthread_create(&threads[i], NULL, write_row, b);
    while (committed(b->db) < WRITERS + 1)
        sched_yield();
    assert_int_equal(b->returned, 0);
    gate(false);
    for (int i = 0; i <= WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(b->returned, WRITERS + 1);
    assert_true(passed - before <= 3); /* theirs, one of all the others, and that of committed() */
}

static void what_was_read_is_on_disk(void **state)
{
    bed *b = *state;
    pthread_t reader;
    gate(true);
    assert_int_equal(sh_db_begin(b->db, NULL), 0);
    assert_int_equal(sh_db_run(b->db, NULL, "INSERT INTO t (x) VALUES (1)", ""), 0);
    assert_int_equal(sh_db_end_later(b->db, 0, NULL), 0); /* returns, and is synced all the same */
    wait_for_gate();
    pthread_create(&reader, NULL, read_rows, b);
    while (committed(b->db) < 1)
        sched_yield();
    assert_int_equal(b->returned, 0);
    gate(false);
    pthread_join(reader, NULL);
    assert_int_equal(b->returned, 1);
}

static void *answer(void *opaque)
{
    bed *b = opaque;
    int64_t count = 0;
    sh_db_answer_begin(b->db);
    sh_db_run(b->db, NULL, "INSERT INTO t (x) VALUES (1)", "");
    sh_db_each(b->db, NULL, "SELECT count(*) FROM t", take_number, &count, "");
    sh_db_run(b->db, NULL, "INSERT INTO t (x) VALUES (2)", ""); /* gets here with the gate shut */
    sh_db_answer_end(b->db);
    atomic_fetch_add(&b->returned, 1);
    return NULL;
}

static void an_answer_waits_once(void **state)
{
    bed *b = *state;
    pthread_t thread;
    gate(true);
    pthread_create(&thread, NULL, answer, b);
    while (committed(b->db) < 2)
        sched_yield();
    assert_int_equal(b->returned, 0);
    gate(false);
    pthread_join(thread, NULL);
    assert_int_equal(b->returned, 1);
}

static int64_t log_size(const bed *b)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof(path), "%s-wal", b->path);
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* Commits without a pause, until the log has begun anew; and all is there afterwards. */
static void the_log_is_copied(void **state)
{
    bed *b = *state;
    sh_err err = {0};
    int64_t count = 0, sum = 0, rows = 0;
    while (rows < 6000 || log_size(b) >= rows * 4000) {
        assert_true(rows < 400000);
        assert_int_equal(sh_db_begin_politely(b->db, &err), 0);
        for (int j = 0; j < 100; j++, rows++)
            assert_int_equal(sh_db_run(b->db, &err, "INSERT INTO t (x) VALUES (randomblob(4000))", ""), 0);
        assert_int_equal(sh_db_end_later(b->db, 0, &err), 0);
    }
    sh_db_close(b->db);
    assert_int_equal(sh_db_open(&b->db, b->path, &err), 0);
    assert_int_equal(sh_db_each(b->db, &err, "SELECT count(*) FROM t", take_number, &count, ""), 0);
    assert_int_equal(sh_db_each(b->db, &err, "SELECT sum(length(x)) FROM t", take_number, &sum, ""), 0);
    assert_int_equal(count, rows);
    assert_int_equal(sum, rows * 4000);
}

static void *take_turn(void *opaque)
{
    sh_turn *turn = opaque;
    sh_turn_take(turn);
    sh_turn_give(turn);
    return NULL;
}

static void turns(void **state)
{
    sh_turn turn;
    pthread_t other;
    sh_turn_init(&turn);
    sh_turn_take(&turn);
    sh_turn_take_politely(&turn);
    assert_false(sh_turn_wanted(&turn));
    pthread_create(&other, NULL, take_turn, &turn);
    while (!sh_turn_wanted(&turn))
        sched_yield();
    assert_false(sh_turn_give(&turn));
    assert_true(sh_turn_wanted(&turn));
    assert_true(sh_turn_give(&turn));
    pthread_join(other, NULL);
    sh_turn_take_politely(&turn);
    assert_true(sh_turn_give(&turn));
    sh_turn_destroy(&turn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_sync_for_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_read_is_on_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_waits_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_is_copied, set_up, tear_down),
        cmocka_unit_test(turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
