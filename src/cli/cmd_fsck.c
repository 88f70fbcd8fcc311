/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop fsck`: whether the files and the database of a data folder agree. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cloud/store/fsck.h"

#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct words {
    const char *data;
    bool repair, scrub, json;
    bool some; /* a problem was printed: the next needs a comma */
} words;

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop fsck --data DIR [OPTION]...\n\n"
        "Checks a data folder that no server works on, or a backup: the database in itself, a file for each\n"
        "row, a row for each file, and the same for small bodies, which are in the database. Code 0: "
        "nothing\n"
        "is wrong, or all of it was repaired; 1: something is.\n\n"
        "  --data DIR  the folder\n"
        "  --repair    mends what can be mended without losing anything: rows of parts that nobody can\n"
        "              complete, indexes; files that no row names are moved to DIR/lost. An object whose\n"
        "              bytes are gone stays listed: put it again, delete it, or restore a backup\n"
        "  --scrub     reads all bytes, too, and compares them with what was written\n"
        "  --json      one JSON object instead of lines\n"
        "  --help      this text\n");
}

/* -1: go on. */
static int read_options(int argc, char **argv, words *w)
{
    static const struct option names[] = {
        {"data", required_argument, NULL, 'd'}, {"repair", no_argument, NULL, 'r'},
        {"scrub", no_argument, NULL, 's'},      {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
    };
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (c) {
        case 'd':
            w->data = optarg;
            break;
        case 'r':
            w->repair = true;
            break;
        case 's':
            w->scrub = true;
            break;
        case 'j':
            w->json = true;
            break;
        case 'h':
            usage(stdout);
            return SH_EXIT_OK;
        default:
            usage(stderr);
            return SH_EXIT_USAGE;
        }
    }
    if (w->data && optind == argc)
        return -1;
    fprintf(stderr, "spyhop fsck: %s\n\n",
            w->data ? "there are words after the options" : "--data is needed");
    usage(stderr);
    return SH_EXIT_USAGE;
}

static void print_problem(void *opaque, const sh_fsck_problem *p)
{
    words *w = opaque;
    if (!w->json) {
        printf("%s: %s: %s%s\n", p->kind, p->what, p->says, p->repaired ? " (repaired)" : "");
        return;
    }
    json_t *object = json_pack("{s:s, s:s, s:s, s:b}", "kind", p->kind, "what", p->what, "says", p->says,
                               "repaired", p->repaired);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    printf("%s%s", w->some ? ", " : "", text ? text : "null");
    w->some = true;
    free(text);
    json_decref(object);
}

static void print_end(const words *w, const sh_fsck *f)
{
    if (w->json) {
        printf("], \"objects\": %lld, \"versions\": %lld, \"parts\": %lld, \"bytes\": %lld, \"files\": %lld, "
               "\"bodies\": %lld, \"unverified\": %lld, \"repaired\": %lld, \"clean\": %s}\n",
               (long long)f->objects, (long long)f->versions, (long long)f->parts, (long long)f->bytes,
               (long long)f->files, (long long)f->bodies, (long long)f->unverified, (long long)f->repaired,
               f->problems == f->repaired ? "true" : "false");
        return;
    }
    printf(
        "%lld objects, %lld older versions, %lld parts of uploads, %lld bytes in %lld files and %lld rows: ",
        (long long)f->objects, (long long)f->versions, (long long)f->parts, (long long)f->bytes,
        (long long)f->files, (long long)f->bodies);
    if (f->problems == 0)
        printf("nothing is wrong\n");
    else
        printf("%lld problems, %lld repaired\n", (long long)f->problems, (long long)f->repaired);
    if (f->unverified)
        printf("%lld files could only be compared by size\n", (long long)f->unverified);
}

static int check(words *w, sh_fsck *f, sh_err *err)
{
    char path[PATH_MAX];
    struct stat st;
    int lock = -1;
    sh_objects objects = {.clock = &sh_clock_system, .data = w->data};
    if ((size_t)snprintf(path, sizeof(path), "%s/spyhop.db", w->data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    if (stat(path, &st) < 0)
        return sh_fail(err, SH_E_ARGUMENT, "%s is no data folder: there is no %s", w->data, path);
    int status = sh_data_lock(w->data, &lock, err);
    if (status == 0)
        status = sh_db_open(&objects.db, path, err);
    if (status == 0) {
        if (w->json)
            printf("{\"problems\": [");
        status = sh_fsck_run(&objects, f, err);
        if (status == 0)
            print_end(w, f);
        else if (w->json)
            printf("], \"clean\": false}\n");
    }
    sh_db_close(objects.db);
    if (lock >= 0)
        close(lock);
    return status;
}

int sh_cmd_fsck(int argc, char **argv)
{
    words w = {0};
    sh_err err = {0};
    int code = read_options(argc, argv, &w);
    if (code >= 0)
        return code;
    umask(077);
    sh_fsck f = {.repair = w.repair, .scrub = w.scrub, .problem = print_problem, .opaque = &w};
    int status = check(&w, &f, &err);
    if (status < 0) {
        fflush(stdout);
        fprintf(stderr, "spyhop fsck: %s\n", err.message);
        return SH_EXIT_FAILED;
    }
    return f.problems == f.repaired ? SH_EXIT_OK : SH_EXIT_FAILED;
}
