/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"
#include "base/file.h"
#include "cli/commands.h"
#include "media/sandbox.h"
#include "media/media.h"
#include "media/stream_decode.h"
#include "stream/check.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_MOST (16U << 20)
#define REPORT_MOST (256U << 20)
#define MANIFESTS_MOST 64

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop check [OPTION]... DIR|URL [MANIFEST]...\n\n"
        "Reads an HLS and/or DASH stream as a strict player would and names every rule it breaks. DIR is a\n"
        "folder with playlists and MPDs; URL is one of them, or ends in / and has index.m3u8 or index.mpd.\n"
        "MANIFEST, relative to it, says which to read.\n\n"
        "  --json        the report as JSON on standard output\n"
        "  --plan FILE   hold the stream against a plan: the stream.json of spyhop stream\n"
        "  --decode      decode all pictures too: counted, damage, and with a plan black and frozen runs\n"
        "  --no-sandbox  decode unconfined: only for streams that you trust\n"
        "  --strict      also what an author may leave out: I-frame playlists, several rates, frequent keys\n"
        "  --same-bytes  HLS and DASH have to name the same files\n"
        "  --live        the stream still grows: EVENT playlists and dynamic MPDs are fine\n"
        "  --timeout N   seconds for one request; default 60\n"
        "  --rules       print all rules with their sources, and end\n"
        "  --help        this text\n\n"
        "Exit codes: 0 nothing found, 1 something found or the stream cannot be read, 2 wrong usage,\n"
        "130 interrupted.\n");
}

typedef struct words {
    const char *location, *plan;
    const char *manifests[MANIFESTS_MOST];
    size_t manifest_count;
    bool json, rules, help, unconfined;
    sh_stream_check_options options;
} words;

static bool take_number(const char *text, int *out)
{
    char *end;
    const long value = strtol(text, &end, 10);
    if (end == text || *end || value < 1 || value > 86400)
        return false;
    *out = (int)value;
    return true;
}

static bool read_words(words *w, int argc, char **argv)
{
    enum { JSON = 256, PLAN, STRICT, SAME, LIVE, TIMEOUT, RULES, HELP, DECODE, TRUST };
    static const struct option list[] = {{"json", 0, NULL, JSON},     {"plan", 1, NULL, PLAN},
                                         {"strict", 0, NULL, STRICT}, {"same-bytes", 0, NULL, SAME},
                                         {"live", 0, NULL, LIVE},     {"timeout", 1, NULL, TIMEOUT},
                                         {"decode", 0, NULL, DECODE}, {"no-sandbox", 0, NULL, TRUST},
                                         {"rules", 0, NULL, RULES},   {"help", 0, NULL, HELP},
                                         {NULL, 0, NULL, 0}};
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, "h", list, NULL)) != -1)
        switch (option) {
        case JSON:
            w->json = true;
            break;
        case PLAN:
            w->plan = optarg;
            break;
        case STRICT:
            w->options.strict = true;
            break;
        case SAME:
            w->options.same_bytes = true;
            break;
        case LIVE:
            w->options.growing = true;
            break;
        case TIMEOUT:
            if (!take_number(optarg, &w->options.seconds)) {
                fprintf(stderr, "spyhop check: --timeout takes a number of seconds, not \"%s\"\n", optarg);
                return false;
            }
            break;
        case DECODE:
            w->options.decode = sh_stream_decode_track;
            break;
        case TRUST:
            w->unconfined = true;
            break;
        case RULES:
            w->rules = true;
            break;
        case HELP:
        case 'h':
            w->help = true;
            break;
        default:
            return false;
        }
    w->location = optind < argc ? argv[optind++] : NULL;
    while (optind < argc && w->manifest_count < MANIFESTS_MOST)
        w->manifests[w->manifest_count++] = argv[optind++];
    return optind == argc;
}

static int print_rules(bool json)
{
    size_t count;
    const sh_stream_rule *rules = sh_stream_rules(&count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const char *severity = rules[i].severity == SH_STREAM_ERROR ? "error" : "warning";
        if (json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "rule", rules[i].id, "clause",
                                                  rules[i].clause, "severity", severity, "demand",
                                                  rules[i].demand));
        else
            printf("%-24s %-7s %s\n%32s %s\n", rules[i].id, severity, rules[i].clause, "", rules[i].demand);
    }
    if (json && json_dumpf(list, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    json_decref(list);
    return fflush(stdout) == 0 ? SH_EXIT_OK : SH_EXIT_FAILED;
}

static bool is_stopped(void *opaque)
{
    return sh_media_cancelled();
}

static int print_report(const words *w, const sh_stream_report *report)
{
    sh_buf text;
    sh_err err = {0};
    sh_buf_init(&text, REPORT_MOST);
    if (w->json)
        sh_stream_report_json(&text, report, w->location, &err);
    else
        sh_stream_report_text(&text, report, w->location);
    const bool fine = !text.failed && fputs(sh_buf_cstr(&text), stdout) >= 0 && fflush(stdout) == 0;
    sh_buf_free(&text);
    if (!fine)
        fprintf(stderr, "spyhop check: the report cannot be written to standard output\n");
    return fine && report->errors + report->warnings == 0 ? SH_EXIT_OK : SH_EXIT_FAILED;
}

static int run(words *w)
{
    const sh_stream_source source = {w->location, w->manifests, w->manifest_count};
    sh_stream_report report = {0};
    sh_err err = {0};
    sh_buf plan;
    int status = 0, code = SH_EXIT_FAILED;
    sh_buf_init(&plan, PLAN_MOST);
    if (w->plan)
        status = sh_file_read(w->plan, &plan, &err);
    if (w->plan && status == 0) {
        w->options.plan = sh_buf_cstr(&plan);
        w->options.plan_length = plan.length;
    }
    w->options.cancelled = is_stopped;
    w->options.decode_opaque = &w->unconfined;
    sh_media_catch_signals();
    if (status == 0)
        status = sh_stream_check(&report, &source, &w->options, &err);
    if (status == 0)
        code = print_report(w, &report);
    else
        fprintf(stderr, "spyhop check: %s\n", err.message);
    sh_stream_report_free(&report);
    sh_buf_free(&plan);
    return status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : code;
}

int sh_cmd_check(int argc, char **argv)
{
    words w = {0};
    if (!read_words(&w, argc, argv)) {
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    if (w.help) {
        usage(stdout);
        return SH_EXIT_OK;
    }
    if (w.rules)
        return print_rules(w.json);
    if (!w.location) {
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    return run(&w);
}
