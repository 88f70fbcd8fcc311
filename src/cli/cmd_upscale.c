/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"
#include "cli/upscale_options.h"
#include "cli/upscale_screen.h"
#include "media/media.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop upscale [OPTION]... IN OUT\n\n"
        "Upscales the video IN to OUT (.mp4, .m4v, .mov, .mkv, .ts), as many times as the model does, and "
        "keeps every\n"
        "other track, time stamps and colour tags. \"-\" is Y4M from standard input, or to standard "
        "output. Stopped or\n"
        "killed, the same command goes on where it was.\n\n");
    sh_upscale_words_help(out);
    fprintf(out, "  --no-sandbox            decodes and encodes unconfined: only for files that you trust\n"
                 "  -y, --overwrite         replace OUT if it is there\n"
                 "  --report FILE.json      what became of every frame\n"
                 "  --progress FILE|-       progress in the keys of ffmpeg's -progress\n"
                 "  --json                  progress and result as JSON, one object a line, on stdout\n"
                 "  -q, --quiet             no progress; -v, --verbose: the libraries' own messages too\n\n"
                 "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped (the same command goes on).\n");
}

/* Says why nothing was made. The exit code. */
static int fail(sh_screen *screen, int status, const sh_err *err)
{
    sh_screen_error(screen, status, err->message);
    return status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : SH_EXIT_FAILED;
}

/* Two things cannot go to standard output at once. */
static bool outputs_are_apart(const sh_upscale_words *words)
{
    const int taken = (strcmp(words->options.output, "-") == 0) + words->json +
                      (words->progress && strcmp(words->progress, "-") == 0);
    if (taken <= 1)
        return true;
    fprintf(stderr,
            "spyhop upscale: only one of OUT \"-\", --json and --progress - can have standard output\n");
    return false;
}

static int run(const sh_upscale_options *options, sh_screen *screen)
{
    const sh_upscale_job job = {options, sh_screen_progress, sh_screen_log, screen};
    sh_upscale_result result;
    sh_err err = {0};
    sh_screen_start(screen);
    sh_media_catch_signals();
    int status = sh_upscale(&job, &result, &err);
    if (status < 0)
        return fail(screen, status, &err);
    sh_screen_result(screen, options, &result);
    return SH_EXIT_OK;
}

int sh_cmd_upscale(int argc, char **argv)
{
    sh_upscale_words words;
    sh_err err = {0};
    int first;
    if (!sh_upscale_words_read(&words, "upscale", argc, argv, &first))
        return SH_EXIT_USAGE;
    if (words.help || argc - first != 2) {
        usage(words.help ? stdout : stderr);
        return words.help ? SH_EXIT_OK : SH_EXIT_USAGE;
    }
    words.options.input = argv[first];
    words.options.output = argv[first + 1];
    sh_screen screen = {.json = words.json,
                        .quiet = words.quiet,
                        .verbose = words.verbose,
                        .terminal = isatty(STDERR_FILENO),
                        .stdout_taken = strcmp(words.options.output, "-") == 0 ||
                                        (words.progress && strcmp(words.progress, "-") == 0)};
    if (!outputs_are_apart(&words))
        return SH_EXIT_USAGE;
    int status = sh_upscale_words_models(&words, &err);
    if (status < 0)
        return fail(&screen, status, &err);
    int code = sh_screen_open_keys(&screen, words.progress);
    if (code == SH_EXIT_OK)
        code = run(&words.options, &screen);
    if (screen.keys && screen.keys != stdout && fclose(screen.keys) != 0)
        fprintf(stderr, "spyhop upscale: warning: --progress: %s\n", strerror(errno));
    return code;
}
