/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop watch`: every video that has finished arriving in a folder becomes a stream, by `spyhop stream` as
 * a child process each, one at a time. What is done is remembered by content (watch_memory.h), so that a
 * restart, a second copy or another name makes nothing twice; a stream that was cut off goes on by itself. A
 * source that fails is tried again, later each time, and then set aside with the reason in a text file beside
 * it. Whoever is to be told (--then, --notify) hears of each stream at least once. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/size.h"
#include "cli/commands.h"
#include "cli/number.h"
#include "cli/watch_scan.h"
#include "cloud/jobs/child.h"
#include "media/media.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAIL_MAX 4096
#define NOTIFY_SECONDS 30
#define STREAM_WORDS_MAX 128

typedef struct watch {
    char input[PATH_MAX], output[PATH_MAX], aside[PATH_MAX], program[PATH_MAX];
    const char *then, *notify;
    double settle, interval, backoff;
    int retries;
    bool once, json;
    bool incomplete;     /* something was set aside, or nobody could be told of it, in this run */
    char **stream_words; /* options of `spyhop stream` */
    int stream_count;
    sh_watch_memory memory;
    sh_watch_scan scan;
    const char *skipped[3];
} watch;

static volatile sig_atomic_t stop_signals;
extern char **environ;

static void on_signal(int number)
{
    (void)number;
    stop_signals++;
}

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop watch [OPTION]... INDIR OUTDIR [-- OPTION OF spyhop stream...]\n\n"
        "Makes a stream in OUTDIR/NAME of every video NAME that has finished arriving in INDIR or a folder "
        "in it.\n"
        "What is done is remembered by content. What cannot be done goes to the folder \"set-aside\" in "
        "INDIR, with\n"
        "the reason beside it.\n\n"
        "  --settle SECONDS        how long a file must not have changed (5); not for files moved in\n"
        "  --interval SECONDS      between two looks at INDIR (2)\n"
        "  --retries N             how often a source that failed is tried again (3)\n"
        "  --backoff SECONDS       before the first time, four times that before the next (30)\n"
        "  --then COMMAND          run by sh for each stream, which it finds in $SPYHOP_OUTPUT, its source "
        "in $SPYHOP_SOURCE\n"
        "  --notify URL            gets {\"source\", \"output\", \"name\"} by POST for each stream\n"
        "  --once                  end when all that is there is done\n"
        "  --json                  what happens as JSON lines on stdout\n\n"
        "Exit codes: 0 done (--once), 1 failed, or something was set aside or not told (--once), 2 wrong "
        "usage, 130 "
        "interrupted;\n"
        "the same command goes on.\n");
}

/* ---- what is said ---- */

static void say(const watch *w, const char *type, const char *name, const char *more)
{
    char shown[SH_SHOWN];
    sh_shown_path(name, shown);
    if (!w->json) {
        sh_log(SH_LOG_INFO, "watch", "%s: %s%s%s", shown, type, *more ? ": " : "", more);
        return;
    }
    json_t *line = json_pack("{s:s,s:s,s:s*}", "type", type, "name", shown, "message", *more ? more : NULL);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (text)
        puts(text);
    fflush(stdout);
    free(text);
    json_decref(line);
}

/* ---- one source ---- */

static int digest_file(const char *path, char *hex, sh_err *err)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char block[65536];
    ssize_t got = 0;
    int status = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (fd < 0)
        status = sh_fail_errno(err, errno, "opening %s", path);
    else if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        status = sh_fail(err, SH_E_MEMORY, "no memory for a digest");
    while (status == 0 && stop_signals == 0 && (got = read(fd, block, sizeof(block))) > 0)
        EVP_DigestUpdate(context, block, (size_t)got);
    if (status == 0 && got < 0)
        status = sh_fail_errno(err, errno, "reading %s", path);
    if (status == 0 && stop_signals > 0)
        status = sh_fail(err, SH_E_CANCELLED, "stopped");
    if (status == 0) {
        EVP_DigestFinal_ex(context, hash, NULL);
        for (int i = 0; i < 32; i++)
            snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }
    EVP_MD_CTX_free(context);
    if (fd >= 0)
        close(fd);
    return status;
}

/* Learns what a file is; a content that is another's forgets what was known of the old one. */
static int identify(watch *w, sh_watch_entry *e, const char *path, sh_err *err)
{
    char digest[65];
    if (e->digest[0] && e->size == e->seen_size && e->mtime_ns == e->seen_mtime_ns &&
        e->inode == e->seen_inode)
        return 0;
    int status = digest_file(path, digest, err);
    if (status < 0)
        return status;
    if (strcmp(digest, e->digest) != 0) {
        e->state = SH_WATCH_NEW;
        e->attempts = 0;
    }
    memcpy(e->digest, digest, sizeof(digest));
    e->size = e->seen_size;
    e->mtime_ns = e->seen_mtime_ns;
    e->inode = e->seen_inode;
    return sh_watch_memory_save(&w->memory, e, NULL, err);
}

/* Hands the child's words on, and keeps the last of them. */
static bool read_words(int fd, sh_buf *tail)
{
    char block[TAIL_MAX / 2];
    ssize_t got = read(fd, block, sizeof(block));
    if (got < 0 && errno == EINTR)
        return true;
    if (got <= 0)
        return false;
    (void)!write(STDERR_FILENO, block, (size_t)got);
    if (tail->length + (size_t)got > tail->maximum) {
        size_t keep = tail->length / 4;
        memmove(tail->data, tail->data + tail->length - keep, keep);
        tail->length = keep;
        tail->data[keep] = '\0';
    }
    sh_buf_append(tail, block, (size_t)got);
    return true;
}

/* Runs a program until it ends; our signals become its. *code: its exit code, -1 when it was killed. */
static int run_child(const watch *w, const char *program, const char *const *argv,
                     const char *const *environment, sh_buf *tail, int *code, sh_err *err)
{
    char how[96];
    int words[2], wait_status = 0, told = 0, ended = 0;
    if (pipe2(words, O_CLOEXEC) < 0)
        return sh_fail_errno(err, errno, "cannot make a pipe");
    const int fds[] = {-1, w->json ? STDERR_FILENO : STDOUT_FILENO, words[1]};
    sh_child child = SH_CHILD_NONE;
    sh_child_spec spec = {.program = program,
                          .argv = argv,
                          .environment = environment,
                          .folder = w->output,
                          .fds = fds,
                          .fd_count = 3,
                          .death_signal = SIGTERM,
                          .mask = 022};
    int status = sh_child_spawn(&child, &spec, err);
    close(words[1]);
    bool open = true;
    while (status == 0 && !ended) {
        struct pollfd ready[2] = {{.fd = child.pidfd, .events = POLLIN},
                                  {.fd = open ? words[0] : -1, .events = POLLIN}};
        poll(ready, 2, 500);
        for (; told < stop_signals; told++)
            sh_child_signal_group(&child, told < 2 ? SIGTERM : SIGKILL);
        if (ready[1].revents)
            open = read_words(words[0], tail);
        ended = sh_child_wait(&child, 0, &wait_status, err);
        status = ended < 0 ? ended : 0;
    }
    fcntl(words[0], F_SETFL, O_NONBLOCK);
    while (open && read_words(words[0], tail))
        continue;
    close(words[0]);
    *code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    if (status == 0 && *code < 0) {
        sh_child_describe(wait_status, how, sizeof(how));
        sh_buf_printf(tail, "\nit was ended by %s", how);
    }
    return status;
}

static int make_stream(const watch *w, const char *path, const char *out, sh_buf *tail, int *code,
                       sh_err *err)
{
    const char *argv[STREAM_WORDS_MAX + 6] = {"spyhop", "stream"};
    int count = 2;
    for (int i = 0; i < w->stream_count; i++)
        argv[count++] = w->stream_words[i];
    argv[count++] = "--";
    argv[count++] = path;
    argv[count++] = out;
    argv[count] = NULL;
    return run_child(w, w->program, argv, (const char *const *)environ, tail, code, err);
}

/* ---- set aside ---- */

static int parent_folder(const char *path, sh_err *err)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    return sh_dir_make(folder, 0777, err);
}

static int set_aside(watch *w, sh_watch_entry *e, const char *path, const char *reason, sh_err *err)
{
    char to[PATH_MAX], note[PATH_MAX + 8], text[TAIL_MAX + 256], time[SH_TIME_TEXT];
    sh_err why = {0};
    int n = 0;
    do {
        int length = n ? snprintf(to, sizeof(to), "%s/%s.%d", w->aside, e->name, n)
                       : snprintf(to, sizeof(to), "%s/%s", w->aside, e->name);
        if (length >= (int)sizeof(to))
            return sh_fail(err, SH_E_LIMIT, "%s: the path is too long", e->name);
    } while (access(to, F_OK) == 0 && ++n < 1000);
    sh_time_iso_s(sh_now_ms(&sh_clock_system), time);
    snprintf(note, sizeof(note), "%s.txt", to);
    int length = snprintf(text, sizeof(text),
                          "%s: no stream could be made of this file. The last of %d attempts said:\n%s\n",
                          time, e->attempts, reason);
    int status = parent_folder(to, &why);
    if (status == 0)
        status = sh_file_replace(
            note, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1, 0666, &why);
    if (status == 0 && rename(path, to) < 0)
        status = sh_fail_errno(&why, errno, "moving %s to %s", path, to);
    if (status <
        0) { /* a folder that may only be read: it stays where it is, and is left alone from now on */
        sh_log(SH_LOG_WARNING, "watch", "%s", why.message);
    } else { /* whoever puts it back wants it tried again */
        memset(e->digest, '0', sizeof(e->digest) - 1);
        e->size = -1;
    }
    e->state = SH_WATCH_ASIDE;
    w->incomplete = true;
    say(w, "set aside", e->name, reason);
    return sh_watch_memory_save(&w->memory, e, reason, err);
}

static int failed(watch *w, sh_watch_entry *e, const char *path, const char *reason, sh_err *err)
{
    if (++e->attempts > w->retries)
        return set_aside(w, e, path, reason, err);
    double delay = w->backoff;
    for (int i = 1; i < e->attempts; i++)
        delay *= 4;
    e->state = SH_WATCH_FAILED;
    e->retry_us = sh_monotonic_us() + (int64_t)(delay * 1e6);
    say(w, "failed", e->name, reason);
    return sh_watch_memory_save(&w->memory, e, reason, err);
}

/* ---- telling others ---- */

static int run_then(const watch *w, const char *source, const char *out, sh_err *err)
{
    const char *argv[] = {"sh", "-c", w->then, NULL};
    size_t count = 0, size = 0;
    char from[2 * PATH_MAX + 16], to[2 * PATH_MAX + 16];
    sh_buf tail;
    int code;
    while (environ[count])
        count++;
    if (!sh_mul_size(count + 3, sizeof(char *), &size))
        return sh_fail(err, SH_E_MEMORY, "no memory for an environment");
    const char **environment = malloc(size);
    if (!environment)
        return sh_fail(err, SH_E_MEMORY, "no memory for an environment");
    memcpy(environment, environ, count * sizeof(char *));
    snprintf(from, sizeof(from), "SPYHOP_SOURCE=%s", source);
    snprintf(to, sizeof(to), "SPYHOP_OUTPUT=%s", out);
    environment[count] = from;
    environment[count + 1] = to;
    environment[count + 2] = NULL;
    sh_buf_init(&tail, TAIL_MAX);
    int status = run_child(w, "/bin/sh", argv, environment, &tail, &code, err);
    if (status == 0 && code != 0)
        status = sh_fail(err, SH_E_IO, "--then ended with exit code %d", code);
    sh_buf_free(&tail);
    free(environment);
    return status;
}

static size_t ignore(const char *bytes, size_t size, size_t count, void *opaque)
{
    (void)bytes, (void)opaque;
    return size * count;
}

static int post(const watch *w, const char *name, const char *source, const char *out, sh_err *err)
{
    char why[CURL_ERROR_SIZE] = "", shown[SH_SHOWN];
    long answer = 0;
    json_t *message =
        json_pack("{s:s,s:s,s:s}", "name", sh_shown_path(name, shown), "source", source, "output", out);
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    int status = 0;
    if (!text || !curl || !headers) {
        status = sh_fail(err, SH_E_MEMORY, "the names of %s are no text that JSON can hold", shown);
        goto done;
    }
    curl_easy_setopt(curl, CURLOPT_URL, w->notify);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)NOTIFY_SECONDS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    if (code != CURLE_OK)
        status = sh_fail(err, SH_E_IO, "--notify: %s", *why ? why : curl_easy_strerror(code));
    else if (answer < 200 || answer > 299)
        status = sh_fail(err, SH_E_IO, "--notify: the answer was %ld", answer);
done:
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(text);
    json_decref(message);
    return status;
}

/* MADE becomes DONE once everybody was told. */
static int tell(watch *w, sh_watch_entry *e, const char *path, const char *out, sh_err *err)
{
    sh_err why = {0};
    int status = w->then ? run_then(w, path, out, &why) : 0;
    if (status == 0 && w->notify)
        status = post(w, e->name, path, out, &why);
    if (stop_signals > 0)
        return 0; /* again the next time */
    if (status < 0 && ++e->attempts <= w->retries) {
        e->retry_us = sh_monotonic_us() + (int64_t)(w->backoff * 1e6);
        say(w, "not told", e->name, why.message);
        return sh_watch_memory_save(&w->memory, e, why.message, err);
    }
    if (status < 0) {
        say(w, "given up telling", e->name, why.message);
        w->incomplete = true;
    }
    e->state = SH_WATCH_DONE;
    e->attempts = 0;
    return sh_watch_memory_save(&w->memory, e, status < 0 ? why.message : NULL, err);
}

/* ---- the loop ---- */

static int make(watch *w, sh_watch_entry *e, const char *path, const char *out, sh_err *err)
{
    sh_buf tail;
    int code;
    sh_buf_init(&tail, TAIL_MAX);
    say(w, "begun", e->name, "");
    int status = parent_folder(out, err);
    if (status == 0)
        status = make_stream(w, path, out, &tail, &code, err);
    while (tail.length > 0 && tail.data[tail.length - 1] == '\n')
        tail.data[--tail.length] = '\0';
    const char *reason = strrchr(sh_buf_cstr(&tail), '\n');
    reason = reason ? reason + 1 : sh_buf_cstr(&tail);
    if (status == 0 && code == SH_EXIT_OK) {
        e->state = SH_WATCH_MADE;
        e->attempts = 0;
        say(w, "made", e->name, out);
        status = sh_watch_memory_save(&w->memory, e, NULL, err);
    } else if (status == 0 && code == SH_EXIT_USAGE) {
        status = sh_fail(err, SH_E_ARGUMENT, "spyhop stream does not take these options: %s", reason);
    } else if (status == 0 && stop_signals == 0) {
        status = failed(w, e, path, *reason ? reason : "it was killed", err);
    }
    sh_buf_free(&tail);
    return status;
}

static int work_on(watch *w, sh_watch_entry *e, sh_err *err)
{
    char path[2 * PATH_MAX], out[2 * PATH_MAX];
    sh_err why = {0};
    int status = 0;
    snprintf(path, sizeof(path), "%s/%s", w->input, e->name);
    snprintf(out, sizeof(out), "%s/%s", w->output, e->name);
    if (e->state != SH_WATCH_MADE) {
        if (identify(w, e, path, &why) < 0)
            return stop_signals > 0 ? 0 : failed(w, e, path, why.message, err);
        const sh_watch_entry *same = sh_watch_memory_same(&w->memory, e);
        if (same && (e->state == SH_WATCH_NEW || e->state == SH_WATCH_FAILED)) {
            char shown[SH_SHOWN];
            say(w, "the same as", e->name, sh_shown_path(same->name, shown));
            e->state = same->state == SH_WATCH_ASIDE ? SH_WATCH_ASIDE : SH_WATCH_DONE;
            w->incomplete = w->incomplete || e->state == SH_WATCH_ASIDE;
            return sh_watch_memory_save(&w->memory, e, NULL, err);
        }
        if (e->state == SH_WATCH_NEW || e->state == SH_WATCH_FAILED)
            status = make(w, e, path, out, err);
    }
    if (status == 0 && e->state == SH_WATCH_MADE && stop_signals == 0)
        status = tell(w, e, path, out, err);
    return status;
}

static void rest(double seconds)
{
    poll(NULL, 0, (int)(seconds * 1000)); /* a signal ends it */
}

static int loop(watch *w, sh_err *err)
{
    int status = 0;
    size_t waiting;
    while (status == 0 && stop_signals == 0) {
        int64_t now = sh_monotonic_us();
        status = sh_watch_scan_once(&w->scan, now, err);
        sh_watch_entry *next = status == 0 ? sh_watch_scan_next(&w->scan, now, &waiting) : NULL;
        if (next)
            status = work_on(w, next, err);
        else if (status == 0 && w->once && waiting == 0)
            break;
        else if (status == 0)
            rest(w->interval);
    }
    return status;
}

/* ---- the command line ---- */

static int real_folder(const char *word, bool make_it, char *out, sh_err *err)
{
    int status = make_it ? sh_dir_make(word, 0777, err) : 0;
    if (status == 0 && !realpath(word, out))
        status = sh_fail_errno(err, errno, "the folder %s", word);
    return status;
}

static int set_up(watch *w, const char *input, const char *output, sh_err *err)
{
    char path[PATH_MAX + 32];
    int status;
    if ((status = real_folder(input, false, w->input, err)) < 0 ||
        (status = real_folder(output, true, w->output, err)) < 0)
        return status;
    if (strcmp(w->input, w->output) == 0)
        return sh_fail(err, SH_E_ARGUMENT, "INDIR and OUTDIR are the same folder");
    ssize_t length = readlink("/proc/self/exe", w->program, sizeof(w->program) - 1);
    if (length < 0)
        return sh_fail_errno(err, errno, "reading /proc/self/exe");
    w->program[length] = '\0';
    if (snprintf(w->aside, sizeof(w->aside), "%s/set-aside", w->input) >= (int)sizeof(w->aside))
        return sh_fail(err, SH_E_LIMIT, "the path of INDIR is too long");
    w->skipped[0] = w->output;
    w->skipped[1] = w->aside;
    w->scan = (sh_watch_scan){.folder = w->input,
                              .skipped = w->skipped,
                              .settle_us = (int64_t)(w->settle * 1e6),
                              .memory = &w->memory};
    snprintf(path, sizeof(path), "%s/.spyhop-watch", w->output);
    return sh_watch_memory_open(&w->memory, path, err);
}

static bool read_seconds(const char *option, const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 86400)) {
        fprintf(stderr, "spyhop watch: --%s takes seconds from 0 to 86400, not \"%s\"\n", option, text);
        return false;
    }
    *out = value;
    return true;
}

enum { SETTLE = 256, INTERVAL, RETRIES, BACKOFF, THEN, NOTIFY, ONCE, JSON };

static const struct option options[] = {
    {"settle", required_argument, NULL, SETTLE},
    {"interval", required_argument, NULL, INTERVAL},
    {"retries", required_argument, NULL, RETRIES},
    {"backoff", required_argument, NULL, BACKOFF},
    {"then", required_argument, NULL, THEN},
    {"notify", required_argument, NULL, NOTIFY},
    {"once", no_argument, NULL, ONCE},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool is_url(const char *text)
{
    char *scheme = NULL, *host = NULL;
    CURLU *url = curl_url();
    bool good = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && *host &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return good;
}

/* -1: go on; else the exit code. */
static int read_option(watch *w, int option)
{
    int64_t number;
    switch (option) {
    case SETTLE:
        return read_seconds("settle", optarg, &w->settle) ? -1 : SH_EXIT_USAGE;
    case INTERVAL:
        return read_seconds("interval", optarg, &w->interval) ? -1 : SH_EXIT_USAGE;
    case BACKOFF:
        return read_seconds("backoff", optarg, &w->backoff) ? -1 : SH_EXIT_USAGE;
    case RETRIES:
        if (!sh_parse_i64(optarg, strlen(optarg), 0, 100, &number)) {
            fprintf(stderr, "spyhop watch: --retries takes a number from 0 to 100, not \"%s\"\n", optarg);
            return SH_EXIT_USAGE;
        }
        w->retries = (int)number;
        return -1;
    case THEN:
        w->then = optarg;
        return -1;
    case NOTIFY:
        if (!is_url(optarg)) {
            fprintf(stderr, "spyhop watch: --notify takes an http or https URL, not \"%s\"\n", optarg);
            return SH_EXIT_USAGE;
        }
        w->notify = optarg;
        return -1;
    case ONCE:
        w->once = true;
        return -1;
    case JSON:
        w->json = true;
        return -1;
    case 'h':
        usage(stdout);
        return SH_EXIT_OK;
    default:
        return SH_EXIT_USAGE;
    }
}

/* -1: go on; else the exit code. */
static int read_command(watch *w, int argc, char **argv)
{
    int option, code = -1;
    while (code < 0 && (option = getopt_long(argc, argv, "+h", options, NULL)) != -1)
        code = read_option(w, option);
    if (code >= 0)
        return code;
    w->stream_words = argv + optind + 2;
    w->stream_count = argc - optind - 2;
    if (w->stream_count > 0 && strcmp(w->stream_words[0], "--") == 0) {
        w->stream_words++;
        w->stream_count--;
    } else if (w->stream_count != 0) {
        fprintf(stderr, "usage: spyhop watch [OPTION]... INDIR OUTDIR [-- OPTION OF spyhop stream...]\n");
        return SH_EXIT_USAGE;
    }
    if (w->stream_count > STREAM_WORDS_MAX) {
        fprintf(stderr, "spyhop watch: more than %d words for spyhop stream\n", STREAM_WORDS_MAX);
        return SH_EXIT_USAGE;
    }
    return -1;
}

int sh_cmd_watch(int argc, char **argv)
{
    watch w = {.settle = 5, .interval = 2, .backoff = 30, .retries = 3, .memory = {.fd = -1}};
    sh_err err = {0};
    const struct sigaction action = {.sa_handler = on_signal};
    int code = read_command(&w, argc, argv);
    if (code >= 0)
        return code;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    int status = set_up(&w, argv[optind], argv[optind + 1], &err);
    if (status == 0)
        status = loop(&w, &err);
    code = status == SH_E_ARGUMENT                  ? SH_EXIT_USAGE
           : status < 0 || (w.once && w.incomplete) ? SH_EXIT_FAILED
                                                    : SH_EXIT_OK;
    if (status < 0)
        fprintf(stderr, "spyhop watch: %s\n", err.message);
    else if (stop_signals > 0)
        code = SH_EXIT_INTERRUPTED;
    sh_watch_memory_close(&w.memory);
    return code;
}
