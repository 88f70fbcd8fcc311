/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop states graph`: the picture of a state machine, from a file or of an execution. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/env.h"
#include "cli/states_client.h"
#include "cli/states_graph.h"
#include "cloud/flow/flow.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PICTURE_MOST = 256 * 1024 * 1024, ARENA_MOST = 512 * 1024 * 1024 };

typedef struct words {
    const char *what, *svg;
    sh_states_service service;
    bool help, plain;
} words;

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop states graph [OPTION]... FILE|EXECUTION\n\n"
        "Draws a state machine. FILE has its definition in the Amazon States Language (- is standard "
        "input);\n"
        "EXECUTION is the ARN of an execution, whose states are coloured by what became of them: succeeded\n"
        "green, caught amber, failed red, running blue, stopped grey, never entered white.\n\n"
        "  --svg FILE      write the picture as SVG (- is standard output) instead of text\n"
        "  --endpoint URL  the service that has the execution (http://127.0.0.1:9000)\n"
        "  --region NAME   its region (us-east-1)\n"
        "  --plain         text without colours, as into a file\n"
        "  --help          this text\n\n"
        "The keys are those of SPYHOP_ACCESS_KEY_ID and SPYHOP_SECRET_ACCESS_KEY, else AWS_ACCESS_KEY_ID "
        "and\n"
        "AWS_SECRET_ACCESS_KEY; AWS_ENDPOINT_URL and AWS_DEFAULT_REGION stand in for the options.\n");
}

static bool read_words(words *w, int argc, char **argv)
{
    enum { SVG = 256, ENDPOINT, REGION, PLAIN };
    static const struct option list[] = {{"svg", 1, NULL, SVG},       {"endpoint", 1, NULL, ENDPOINT},
                                         {"region", 1, NULL, REGION}, {"plain", 0, NULL, PLAIN},
                                         {"help", 0, NULL, 'h'},      {NULL, 0, NULL, 0}};
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, "h", list, NULL)) != -1)
        switch (option) {
        case SVG:
            w->svg = optarg;
            break;
        case ENDPOINT:
            w->service.endpoint = optarg;
            break;
        case REGION:
            w->service.region = optarg;
            break;
        case PLAIN:
            w->plain = true;
            break;
        case 'h':
            w->help = true;
            return true;
        default:
            return false;
        }
    if (argc - optind != 2 || strcmp(argv[optind], "graph")) {
        fprintf(stderr, "spyhop states: graph and one FILE or EXECUTION expected\n");
        return false;
    }
    w->what = argv[optind + 1];
    return true;
}

static int read_file(const char *name, sh_buf *text, sh_err *err)
{
    char block[65536];
    size_t got;
    if (strcmp(name, "-"))
        return sh_file_read(name, text, err);
    while ((got = fread(block, 1, sizeof(block), stdin)) > 0)
        if (sh_buf_append(text, block, got) < 0)
            return sh_fail(err, SH_E_LIMIT, "the definition is larger than %d bytes", SH_FLOW_DEFINITION_MAX);
    return ferror(stdin) ? sh_fail(err, SH_E_IO, "standard input cannot be read") : 0;
}

/* MACHINE:NAME of an execution. */
static const char *title_of(const words *w)
{
    const char *tail = strncmp(w->what, "arn:", 4) ? NULL : strstr(w->what, ":execution:");
    if (!strcmp(w->what, "-"))
        return NULL;
    return tail ? tail + strlen(":execution:") : w->what;
}

static int write_picture(const words *w, const sh_graph *graph, sh_err *err)
{
    bool file = w->svg && strcmp(w->svg, "-");
    sh_buf buf;
    int status;
    sh_buf_init(&buf, PICTURE_MOST);
    if (w->svg)
        sh_graph_svg(graph, title_of(w), &buf);
    else
        sh_graph_text(graph, !w->plain && isatty(STDOUT_FILENO), &buf);
    if (buf.failed)
        status = sh_fail(err, SH_E_LIMIT, "the picture is larger than %d bytes", PICTURE_MOST);
    else if (file)
        status = sh_file_replace(w->svg, sh_buf_cstr(&buf), buf.length, 0644, err);
    else
        status = sh_fd_write(STDOUT_FILENO, sh_buf_cstr(&buf), buf.length, err);
    sh_buf_free(&buf);
    return status;
}

/* `execution` has no events when it is a definition alone. */
static int draw(const words *w, const char *text, size_t length, const sh_states_execution *execution,
                sh_err *err)
{
    sh_arena *arena = sh_arena_new(ARENA_MOST);
    sh_flow *flow = NULL;
    json_t *definition = NULL;
    sh_graph *graph = NULL;
    int status = sh_flow_parse(&flow, text, length, NULL, err);
    if (!status)
        status = sh_flow_load(&definition, text, length, err);
    if (!status) {
        graph = arena ? sh_graph_make(arena, definition, true) : NULL;
        if (!graph || !sh_graph_layout(arena, graph))
            status = sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    if (!status && execution->events)
        sh_graph_mark(graph, execution->events, json_string_value(execution->status));
    if (!status)
        status = write_picture(w, graph, err);
    json_decref(definition);
    sh_flow_free(flow);
    sh_arena_free(arena);
    return status;
}

static int run(const words *w)
{
    sh_states_execution execution = {0};
    sh_err err = {0};
    sh_buf text;
    int status;
    sh_buf_init(&text, SH_FLOW_DEFINITION_MAX + 1);
    if (!strncmp(w->what, "arn:", 4)) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        status = sh_states_fetch(&w->service, w->what, &execution, &err);
        if (!status)
            status = draw(w, json_string_value(execution.definition),
                          json_string_length(execution.definition), &execution, &err);
    } else {
        status = read_file(w->what, &text, &err);
        if (!status)
            status = draw(w, sh_buf_cstr(&text), text.length, &execution, &err);
    }
    if (status)
        fprintf(stderr, "spyhop states: %s: %s\n", w->what, err.message);
    sh_states_execution_free(&execution);
    sh_buf_free(&text);
    return status ? SH_EXIT_FAILED : SH_EXIT_OK;
}

int sh_cmd_states(int argc, char **argv)
{
    words w = {.service = {.endpoint =
                               sh_env_or("AWS_ENDPOINT_URL_SFN", "AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
                           .region = sh_env_or("AWS_DEFAULT_REGION", "AWS_REGION", "us-east-1"),
                           .key_id = sh_env_or("SPYHOP_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", ""),
                           .secret = sh_env_or("SPYHOP_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "")}};
    if (!read_words(&w, argc, argv)) {
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    if (w.help) {
        usage(stdout);
        return SH_EXIT_OK;
    }
    return run(&w);
}
