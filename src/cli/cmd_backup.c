/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop backup` and `spyhop restore`: a data folder copied whole, and put back. */
#include "cli/commands.h"
#include "cloud/store/backup.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct words {
    const char *name, *data, *other; /* other: --to of a backup, --from of a restore */
    bool restore, link;
} words;

static void usage(FILE *out, const words *w)
{
    if (w->restore)
        fprintf(out,
                "usage: spyhop restore --from BACKUP --data DIR [--link]\n\n"
                "Makes a data folder of a backup and proves each byte of its objects. Code 1: something is\n"
                "missing or wrong, and is named; the rest is there.\n\n"
                "  --from BACKUP  what `spyhop backup` has made\n"
                "  --data DIR     the new data folder: not there yet, or empty\n"
                "  --link         links the files of objects instead of copying them: same file system only\n"
                "  --help         this text\n");
    else
        fprintf(
            out,
            "usage: spyhop backup --data DIR --to BACKUP [--link]\n\n"
            "Copies a data folder as it is at one moment; a server may work on it meanwhile. Space of\n"
            "objects that are deleted meanwhile is given back when the backup is done.\n\n"
            "  --data DIR   the folder\n"
            "  --to BACKUP  the copy: not there yet, or empty\n"
            "  --link       links the files of objects instead of copying them: same file system only, at\n"
            "               once and without space of its own, but lost with the same disk\n"
            "  --help       this text\n");
}

/* -1: go on. */
static int read_options(int argc, char **argv, words *w)
{
    static const struct option names[] = {
        {"data", required_argument, NULL, 'd'}, {"to", required_argument, NULL, 't'},
        {"from", required_argument, NULL, 'f'}, {"link", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
    };
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (c == 'h') {
            usage(stdout, w);
            return SH_EXIT_OK;
        }
        if (c == 'd')
            w->data = optarg;
        else if (c == 'l')
            w->link = true;
        else if (c == (w->restore ? 'f' : 't'))
            w->other = optarg;
        else {
            usage(stderr, w);
            return SH_EXIT_USAGE;
        }
    }
    if (w->data && w->other && optind == argc)
        return -1;
    fprintf(stderr, "spyhop %s: --data and --%s are needed, and nothing else\n\n", w->name,
            w->restore ? "from" : "to");
    usage(stderr, w);
    return SH_EXIT_USAGE;
}

static void print_damage(void *opaque, const char *what)
{
    const words *w = opaque;
    fprintf(stderr, "spyhop %s: %s\n", w->name, what);
}

static int run(int argc, char **argv, words *w)
{
    sh_err err = {0};
    int code = read_options(argc, argv, w);
    if (code >= 0)
        return code;
    umask(077);
    sh_backup b = {.link = w->link, .damaged = print_damage, .opaque = w};
    int status = w->restore ? sh_backup_restore(w->other, w->data, &b, &err)
                            : sh_backup_make(w->data, w->other, &sh_clock_system, &b, &err);
    if (status < 0) {
        fprintf(stderr, "spyhop %s: %s\n", w->name, err.message);
        return SH_EXIT_FAILED;
    }
    printf("%lld files of objects, %lld bytes%s\n", (long long)b.files, (long long)b.bytes,
           w->restore ? ", all read again" : "");
    if (b.damages)
        fprintf(stderr, "spyhop %s: %lld files are missing or wrong\n", w->name, (long long)b.damages);
    return b.damages ? SH_EXIT_FAILED : SH_EXIT_OK;
}

int sh_cmd_backup(int argc, char **argv)
{
    words w = {.name = "backup"};
    return run(argc, argv, &w);
}

int sh_cmd_restore(int argc, char **argv)
{
    words w = {.name = "restore", .restore = true};
    return run(argc, argv, &w);
}
