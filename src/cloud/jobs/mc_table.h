/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_MC_TABLE_H
#define SH_JOBS_MC_TABLE_H
/* The table of mc_settings.h: one row a field. */
#include <stddef.h>
#include <stdint.h>

enum { SH_MC_OBJECT, SH_MC_ARRAY, SH_MC_MAP, SH_MC_STRING, SH_MC_ENUM, SH_MC_INTEGER, SH_MC_NUMBER };
enum {
    SH_MC_USED, /* read; `made` restricts the values */
    SH_MC_FREE, /* no effect on the stream */
    SH_MC_HINT, /* not applied, and said so */
    SH_MC_NOT_MADE,
};

typedef struct sh_mc_row {
    const char *path; /* ".field" of an object, "[]" element of an array, "{}" value of a map */
    int type, use;
    const char *values; /* ENUM: all of AWS's, separated by spaces */
    const char *made;   /* those that are made here; NULL: all. INTEGER: one number */
    double min, max;    /* INTEGER, NUMBER: value; STRING: length in bytes; ARRAY: elements */
} sh_mc_row;

extern const sh_mc_row sh_mc_table[];
extern const size_t sh_mc_table_rows;

#endif
