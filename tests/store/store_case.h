/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_STORE_STORE_CASE_H
#define TESTS_STORE_STORE_CASE_H
/* What the tests of objects share: a store on a real folder, new for each test, with one bucket called
 * "bucket". */
#include "cloud/store/objects.h"

#include <limits.h>

extern char data[PATH_MAX]; /* the data folder, in the folder `root` of the test's own */
extern char root[];
extern sh_objects store;
extern sh_arena *arena;
extern int64_t now; /* of the store's clock, which stands; begins as START */

#define START 1700000000000

/* (Re)opens `store` on `data`, as after a start of the server. */
void open_store(void);
int set_up(void **state);
int tear_down(void **state);
/* A staged file with that text. */
const char *stage(const char *text);
/* What an object of the bucket has, up to 999 bytes; NULL when it cannot be opened. */
const char *content(const char *key);

/* Files in a folder of the data folder, and in all of objects/. */
int count_in(const char *folder);
int object_files(void);

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
