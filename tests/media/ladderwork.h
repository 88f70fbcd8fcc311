/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_MEDIA_LADDERWORK_H
#define TESTS_MEDIA_LADDERWORK_H
/* Small clips for the tests of ladders, made by ffmpeg, in a folder of its own; and what its tools say of a
 * file. */
#include <stddef.h>

/* cmocka's group fixtures. */
int ladderwork_start(void **state);
int ladderwork_stop(void **state);
/* Path of `name` in the folder; of eight calls the texts are kept. */
const char *ladderwork_path(const char *name);
/* Runs `ffmpeg` with the words of `line` (no quotes); "@name" is a file in the folder. Fails the test. */
void ladderwork_ffmpeg(const char *line);
/* What `program` with these words writes to its standard output: to be freed. */
char *ladderwork_output(const char *program, const char *line);
int ladderwork_open(const char *name); /* to read */

#endif
