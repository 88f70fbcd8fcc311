/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop scrub`: the bytes of all objects, read and compared, also beside a server. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/commands.h"
#include "cloud/store/scrub.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef struct words {
    const char *data, *after;
    int64_t rate; /* bytes a second; 0: no bound */
    int64_t ahead;
} words;

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop scrub --data DIR [OPTION]...\n\n"
        "Reads the bytes of all objects, older versions and parts, and compares them with what was\n"
        "written; nothing is changed. A server may work on the folder, and does the same by itself once a\n"
        "month. Code 1: something is wrong, and is named.\n\n"
        "  --data DIR   the folder\n"
        "  --rate MIB   so many MiB a second at most (no bound)\n"
        "  --after FILE goes on behind the file that an interrupted scrub named\n"
        "  --help       this text\n");
}

/* -1: go on. */
static int read_options(int argc, char **argv, words *w)
{
    static const struct option names[] = {
        {"data", required_argument, NULL, 'd'},
        {"rate", required_argument, NULL, 'r'},
        {"after", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (c == 'h') {
            usage(stdout);
            return SH_EXIT_OK;
        }
        if (c == 'd')
            w->data = optarg;
        else if (c == 'a' && strlen(optarg) < 40)
            w->after = optarg;
        else if (c != 'r' || !sh_parse_i64(optarg, strlen(optarg), 1, 1 << 20, &w->rate)) {
            if (c != '?')
                fprintf(stderr, "spyhop scrub: \"%s\" is no value of this option\n\n", optarg);
            usage(stderr);
            return SH_EXIT_USAGE;
        }
    }
    w->rate *= 1 << 20;
    if (w->data && optind == argc)
        return -1;
    fprintf(stderr, "spyhop scrub: --data is needed, and no words after the options\n\n");
    usage(stderr);
    return SH_EXIT_USAGE;
}

static bool pace(void *opaque, size_t length)
{
    words *w = opaque;
    w->ahead += (int64_t)length;
    if (w->rate && w->ahead >= w->rate / 4) {
        struct timespec rest = {0, (long)(w->ahead * 1000 / w->rate % 1000) * 1000000};
        nanosleep(&rest, NULL);
        w->ahead = 0;
    }
    return true;
}

static void print_bad(void *opaque, const sh_scrub_row *row, sh_scrub_verdict verdict)
{
    (void)opaque;
    printf("s3://%s/%s version %s (%s%s): %s\n", row->bucket ? row->bucket : "?", row->key ? row->key : "?",
           row->version, sh_scrub_folder(row), row->file, sh_scrub_says(verdict));
}

static int scrub(words *w, sh_scrub_round *round, sh_err *err)
{
    char path[PATH_MAX];
    struct stat st;
    sh_objects objects = {.clock = &sh_clock_system, .data = w->data};
    if ((size_t)snprintf(path, sizeof(path), "%s/spyhop.db", w->data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    if (stat(path, &st) < 0)
        return sh_fail(err, SH_E_ARGUMENT, "%s is no data folder: there is no %s", w->data, path);
    snprintf(round->after, sizeof(round->after), "%s", w->after ? w->after : "");
    int status = sh_db_open(&objects.db, path, err);
    while (status == 0 && !round->done)
        status = sh_scrub_go_on(&objects, round, pace, print_bad, w, err);
    sh_db_close(objects.db);
    return status;
}

int sh_cmd_scrub(int argc, char **argv)
{
    words w = {0};
    sh_err err = {0};
    sh_scrub_round round = {.files = 0};
    int code = read_options(argc, argv, &w);
    if (code >= 0)
        return code;
    umask(077);
    if (scrub(&w, &round, &err) < 0) {
        fprintf(stderr, "spyhop scrub: %s\n", err.message);
        if (round.after[0])
            fprintf(stderr, "spyhop scrub: to go on: --after %s\n", round.after);
        return SH_EXIT_FAILED;
    }
    printf("%lld files, %lld bytes: %lld wrong, %lld compared by size only\n", (long long)round.files,
           (long long)round.bytes, (long long)round.bad, (long long)round.unverified);
    return round.bad ? SH_EXIT_FAILED : SH_EXIT_OK;
}
