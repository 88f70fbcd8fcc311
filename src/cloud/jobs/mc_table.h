/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_MC_TABLE_H
#define SH_JOBS_MC_TABLE_H
/* The table of mc_settings.h: one row a field, in one array for each object of the service's model. Types,
 * ranges and words are those of the model, whatever is made of them here.
 *
 * A row says what becomes of the field. USED: the reader takes it; where `made` is given only those words are
 * made, and a word of `near` is accepted with a note that says what is made instead (`instead`). FREE: it
 * says nothing that could be heard or seen, or nothing that our files could do otherwise. HINT: how AWS's
 * encoder is to work; ours does as it does, and the job says so once. NOT_MADE: refused by its path, with
 * everything in it. A field without a row is not of the model. */
#include <stddef.h>
#include <stdint.h>

enum { SH_MC_OBJECT, SH_MC_ARRAY, SH_MC_MAP, SH_MC_STRING, SH_MC_ENUM, SH_MC_INTEGER, SH_MC_NUMBER };
enum { SH_MC_USED, SH_MC_FREE, SH_MC_HINT, SH_MC_NOT_MADE };

typedef struct sh_mc_row {
    const char *path; /* ".field" of an object, "[]" element of an array, "{}" value of a map */
    int type, use;
    const char *values; /* ENUM: all of AWS's, separated by spaces */
    const char *made;   /* those that are made here; NULL: all. INTEGER: one number */
    double min, max;    /* INTEGER, NUMBER: value; STRING: length in bytes; ARRAY: elements */
    const char *near;   /* ENUM: those that are accepted and made as `instead` says */
    const char *instead;
} sh_mc_row;

/* NULL: the model has no such field. */
const sh_mc_row *sh_mc_row_find(const char *path);
/* Row i of all, NULL behind the end; for tests and lists. */
const sh_mc_row *sh_mc_row_at(size_t i);

/* ---- for the files that hold rows ---- */

typedef struct sh_mc_rows {
    const sh_mc_row *rows;
    size_t count;
} sh_mc_rows;

extern const sh_mc_rows sh_mc_rows_job, sh_mc_rows_group, sh_mc_rows_output, sh_mc_rows_video,
    sh_mc_rows_codec, sh_mc_rows_sound;

/* clang-format off */
#define MC_BIG 2147483647
#define MC_ON_OFF "DISABLED ENABLED"
#define MC_IN ".inputs[]"
#define MC_GROUP ".outputGroups[]"
#define MC_OUT MC_GROUP ".outputs[]"
#define MC_VIDEO MC_OUT ".videoDescription"

#define OBJECT(path) {path, SH_MC_OBJECT, SH_MC_USED, NULL, NULL, 0, 0, NULL, NULL}
#define ARRAY(path, min, max) {path, SH_MC_ARRAY, SH_MC_USED, NULL, NULL, min, max, NULL, NULL}
#define MAP(path) {path, SH_MC_MAP, SH_MC_USED, NULL, NULL, 0, 0, NULL, NULL}
#define TEXT(path, min, max) {path, SH_MC_STRING, SH_MC_USED, NULL, NULL, min, max, NULL, NULL}
#define ENUM(path, values, made) {path, SH_MC_ENUM, SH_MC_USED, values, made, 0, 0, NULL, NULL}
#define NEAR(path, values, made, near, instead) {path, SH_MC_ENUM, SH_MC_USED, values, made, 0, 0, near, instead}
#define INTEGER(path, min, max) {path, SH_MC_INTEGER, SH_MC_USED, NULL, NULL, min, max, NULL, NULL}
#define ONLY(path, made, min, max) {path, SH_MC_INTEGER, SH_MC_USED, NULL, made, min, max, NULL, NULL}
#define NUMBER(path, min, max) {path, SH_MC_NUMBER, SH_MC_USED, NULL, NULL, min, max, NULL, NULL}
#define FREE_OBJECT(path) {path, SH_MC_OBJECT, SH_MC_FREE, NULL, NULL, 0, 0, NULL, NULL}
#define FREE_TEXT(path, min, max) {path, SH_MC_STRING, SH_MC_FREE, NULL, NULL, min, max, NULL, NULL}
#define FREE_ENUM(path, values) {path, SH_MC_ENUM, SH_MC_FREE, values, NULL, 0, 0, NULL, NULL}
#define FREE_INTEGER(path, min, max) {path, SH_MC_INTEGER, SH_MC_FREE, NULL, NULL, min, max, NULL, NULL}
#define HINT_ENUM(path, values) {path, SH_MC_ENUM, SH_MC_HINT, values, NULL, 0, 0, NULL, NULL}
#define HINT_INTEGER(path, min, max) {path, SH_MC_INTEGER, SH_MC_HINT, NULL, NULL, min, max, NULL, NULL}
#define NOT_MADE(path) {path, SH_MC_OBJECT, SH_MC_NOT_MADE, NULL, NULL, 0, 0, NULL, NULL}
/* clang-format on */

#endif
