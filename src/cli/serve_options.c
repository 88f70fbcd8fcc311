/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/serve_options.h"
#include "base/size.h"
#include "cli/commands.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 64, FUNCTIONS_MAX = 1000, STOP_WAIT_MAX_S = 3600, DAYS_MAX = 36500 };

/* A text option is a pointer at `offset`; another one has a function that reads it. False: after having said
 * what is wrong. One without a value is a flag. */
typedef struct row {
    const char *name;
    const char *value; /* as the help calls it */
    const char *help;  /* lines after the first one begin below it */
    size_t offset;
    bool (*read)(sh_serve_options *o, const char *text);
} row;

static bool read_instance_id(sh_serve_options *o, const char *id)
{
    size_t length = strlen(id);
    if (strncmp(id, "i-", 2) != 0 || (length != 10 && length != 19) ||
        strspn(id + 2, "0123456789abcdef") != length - 2) {
        fprintf(stderr, "spyhop serve: --instance-id \"%s\" is not i- and 8 or 17 hex digits\n", id);
        return false;
    }
    o->cloud.instance_id = id;
    return true;
}

static bool read_log_format(sh_serve_options *o, const char *text)
{
    o->json_log = strcmp(text, "json") == 0;
    if (o->json_log || strcmp(text, "text") == 0)
        return true;
    fprintf(stderr, "spyhop serve: --log-format \"%s\" is neither text nor json\n", text);
    return false;
}

static bool read_stop_wait(sh_serve_options *o, const char *text)
{
    int64_t seconds;
    if (!sh_parse_i64(text, strlen(text), 0, STOP_WAIT_MAX_S, &seconds)) {
        fprintf(stderr, "spyhop serve: --stop-wait \"%s\" is not a number of seconds from 0 to %d\n", text,
                STOP_WAIT_MAX_S);
        return false;
    }
    o->stop_wait_ms = seconds * 1000;
    return true;
}

static bool read_days(const char *name, const char *text, int *days)
{
    int64_t number;
    if (!sh_parse_i64(text, strlen(text), 1, DAYS_MAX, &number)) {
        fprintf(stderr, "spyhop serve: --%s \"%s\" is not a number of days from 1 to %d\n", name, text,
                DAYS_MAX);
        return false;
    }
    *days = (int)number;
    return true;
}

static bool read_keep_executions(sh_serve_options *o, const char *text)
{
    return read_days("keep-executions", text, &o->cloud.keep_executions_days);
}

static bool read_keep_commands(sh_serve_options *o, const char *text)
{
    return read_days("keep-commands", text, &o->cloud.keep_commands_days);
}

static bool read_new_buckets(sh_serve_options *o, const char *text)
{
    o->cloud.open_buckets = strcmp(text, "open") == 0;
    if (o->cloud.open_buckets || strcmp(text, "closed") == 0)
        return true;
    fprintf(stderr, "spyhop serve: --new-buckets \"%s\" is neither open nor closed\n", text);
    return false;
}

static bool read_node_network(sh_serve_options *o, const char *text)
{
    if (strcmp(text, "server") != 0 && strcmp(text, "open") != 0) {
        fprintf(stderr, "spyhop serve: --node-network \"%s\" is neither server nor open\n", text);
        return false;
    }
    o->cloud.node_network = text;
    return true;
}

static bool read_functions(sh_serve_options *o, const char *text)
{
    int64_t number;
    if (!sh_parse_i64(text, strlen(text), 1, FUNCTIONS_MAX, &number)) {
        fprintf(stderr, "spyhop serve: --functions \"%s\" is not a number from 1 to %d\n", text,
                FUNCTIONS_MAX);
        return false;
    }
    o->cloud.functions_at_once = (int)number;
    return true;
}

static bool read_no_agent(sh_serve_options *o, const char *text)
{
    (void)text;
    return o->no_agent = true;
}

static bool read_ssm_race(sh_serve_options *o, const char *text)
{
    (void)text;
    return o->cloud.ssm_race = true;
}

static const row rows[] = {
    {"data", "DIR", "folder of everything the server keeps; made if it is not there",
     offsetof(sh_serve_options, cloud.data), NULL},
    {"listen", "ADDR:PORT", "where to listen (127.0.0.1:9000; port 0 takes a free one)",
     offsetof(sh_serve_options, listen), NULL},
    {"region", "REGION", "the region that clients sign for (us-east-1)",
     offsetof(sh_serve_options, cloud.region), NULL},
    {"account", "ID", "account of 12 digits (000000000000)", offsetof(sh_serve_options, cloud.account), NULL},
    {"instance-id", "ID", "id of the built-in node; made once and kept when not given", 0, read_instance_id},
    {"domain", "NAME,...", "domains of which a subdomain is a bucket, beside localhost",
     offsetof(sh_serve_options, cloud.domains), NULL},
    {"tls-cert", "FILE", "chain of certificates (PEM), the server's own first: HTTPS",
     offsetof(sh_serve_options, tls_certificate), NULL},
    {"tls-key", "FILE", "its private key (PEM); SIGHUP reads both files again",
     offsetof(sh_serve_options, tls_key), NULL},
    {"log-format", "FORMAT", "text, or json: one object a line on standard error", 0, read_log_format},
    {"access-log", "FILE", "a line for each request; - is standard error; SIGHUP opens it\nagain",
     offsetof(sh_serve_options, access_log), NULL},
    {"keep-executions", "DAYS", "executions and their history, after their end (90)", 0,
     read_keep_executions},
    {"keep-commands", "DAYS", "commands of SSM and their output, after their end (30)", 0,
     read_keep_commands},
    {"new-buckets", "WAY",
     "open: private, ACLs can be given; closed: without ACLs and\npublic access blocked, as AWS makes them "
     "since April 2023 (open)",
     0, read_new_buckets},
    {"functions", "NUMBER",
     "invocations of Lambda functions that run at once; others wait,\nor are answered "
     "TooManyRequestsException (32)",
     0, read_functions},
    {"node-network", "WAY",
     "server: commands of the built-in node reach this server alone;\nopen: they reach what the machine does "
     "(server)",
     0, read_node_network},
    {"no-agent", NULL, "do not run the agent of the built-in node (an agent of its own\nunit uses DIR/node)",
     0, read_no_agent},
    {"ssm-race", NULL,
     "a command is not found in its first second, as can happen on AWS:\nshows what lacks a Retry", 0,
     read_ssm_race},
    {"stop-wait", "SECONDS", "how long SIGTERM lets running requests go on (10)", 0, read_stop_wait},
};

static void usage(FILE *out)
{
    fprintf(out, "usage: spyhop serve --data DIR [OPTION]...\n"
                 "Serves S3, IAM, STS, EventBridge, Step Functions, SSM, Lambda, CloudWatch Logs and "
                 "MediaConvert over the AWS protocols.\n\n");
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        int indent = fprintf(out, "  --%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        for (const char *at = rows[i].help; at;) {
            size_t length = strcspn(at, "\n");
            fprintf(out, "%*s%.*s\n", indent < 25 ? 25 - indent : 1, "", (int)length, at);
            indent = 0;
            at = at[length] ? at + length + 1 : NULL;
        }
    }
    fprintf(out,
            "\nRoot keys: SPYHOP_ACCESS_KEY_ID and SPYHOP_SECRET_ACCESS_KEY, else DIR/credentials, which is "
            "made\n"
            "at the first start. \"listening on http://ADDR:PORT\" on stdout says that the server is ready.\n"
            "SIGTERM lets running requests end, a second one does not. What is wrong with the server:\n"
            "/_spyhop/healthz; counters for Prometheus: /_spyhop/metrics.\n");
}

static bool take_option(sh_serve_options *o, const row *r, const char *text)
{
    if (r->read)
        return r->read(o, text);
    memcpy((char *)o + r->offset, &text, sizeof(text));
    return true;
}

static const char *what_is_wrong(const sh_serve_options *o, bool words)
{
    if (words)
        return "there are words after the options";
    if (!o->cloud.data)
        return "--data is needed";
    if (!o->tls_certificate != !o->tls_key)
        return "--tls-cert and --tls-key belong together: give both";
    return NULL;
}

int sh_serve_options_read(int argc, char **argv, sh_serve_options *out)
{
    struct option names[ROWS_MAX] = {{0}};
    sh_serve_options o = {.listen = "127.0.0.1:9000", .stop_wait_ms = 10000, .cloud.open_buckets = true};
    _Static_assert(SH_COUNT(rows) + 2 <= ROWS_MAX, "rows");
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        names[i] = (struct option){rows[i].name, rows[i].value ? required_argument : no_argument, NULL,
                                   256 + (int)i};
    names[SH_COUNT(rows)] = (struct option){"help", no_argument, NULL, 'h'};
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (c == 'h') {
            usage(stdout);
            return SH_EXIT_OK;
        }
        if (c < 256) {
            usage(stderr);
            return SH_EXIT_USAGE;
        }
        if (!take_option(&o, &rows[c - 256], optarg))
            return SH_EXIT_USAGE;
    }
    const char *wrong = what_is_wrong(&o, optind < argc);
    if (wrong) {
        fprintf(stderr, "spyhop serve: %s\n\n", wrong);
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    if (o.json_log && !o.access_log)
        o.access_log = "-";
    *out = o;
    return -1;
}
