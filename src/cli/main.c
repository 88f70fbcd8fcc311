/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"
#include <spyhop/spyhop.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *name;
    int (*fn)(int argc, char **argv);
    const char *summary; /* NULL: a child process's entry, not for people */
} command;

static const command commands[] = {
    {"upscale", sh_cmd_upscale, "enlarge or restore a video file"},
    {"stream", sh_cmd_stream, "a video file to an adaptive stream (HLS and DASH)"},
    {"probe", sh_cmd_probe, "what a video file is, and what upscale would do to it and why"},
    {"quality", sh_cmd_quality, "measure a model on a folder of pictures (PSNR, SSIM)"},
    {"compare", sh_cmd_compare, "picture of a frame before and after"},
    {"check", sh_cmd_check, "hold an HLS or DASH stream against the rules of its formats"},
    {"bench", sh_cmd_bench, "measure a model's speed beside this machine's peak"},
    {"watch", sh_cmd_watch, "make a stream of every video that arrives in a folder"},
    {"transcode", sh_cmd_transcode, "make what a MediaConvert job says, from and to local files"},
    {"serve", sh_cmd_serve, "the local cloud: S3, IAM, EventBridge, Step Functions, SSM, MediaConvert"},
    {"share", sh_cmd_share, "an address under which a folder of a bucket can be read for a while"},
    {"fsck", sh_cmd_fsck, "whether the files and the database of a data folder agree"},
    {"scrub", sh_cmd_scrub, "whether the bytes of objects are still those that were written"},
    {"backup", sh_cmd_backup, "a copy of a data folder, also while a server works on it"},
    {"restore", sh_cmd_restore, "a data folder from such a copy, every byte proved"},
    {"states", sh_cmd_states, "the picture of a state machine or of an execution"},
    {"agent", sh_cmd_agent, "make this machine a node that runs the commands of a server"},
    {"mediaconvert-worker", sh_cmd_mediaconvert_worker, NULL},
};

static const command *find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void usage(FILE *out)
{
    fprintf(out, "usage: spyhop COMMAND [OPTION]... [ARGUMENT]...\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (commands[i].summary)
            fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\nspyhop COMMAND --help describes a command, spyhop --version prints the version.\n"
                 "Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage, 130 interrupted.\n");
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, said where it happens */
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (strcmp(name, "help") == 0 && argc == 2)) {
        usage(stdout);
        return SH_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0) {
        printf("spyhop %s\n", spyhop_version());
        return SH_EXIT_OK;
    }
    if (strcmp(name, "help") == 0) {
        const command *about = find(argv[2]);
        char help[] = "--help";
        char *words[] = {argv[2], help, NULL};
        if (about)
            return about->fn(2, words);
        name = argv[2];
    }
    const command *row = find(name);
    if (!row) {
        if (*name)
            fprintf(stderr, "spyhop: there is no command \"%s\"\n\n", name);
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    return row->fn(argc - 1, argv + 1);
}
