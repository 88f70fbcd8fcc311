/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop-agent run`: asks the server for work until it is told to stop. Commands go on when it stops, and
 * the next agent of the folder finds them. */
#include "agent/agent.h"
#include "agent/options.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/jobs/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { POLL_TIMEOUT_S = 40, FIRST_WAIT_MS = 1000, LONGEST_WAIT_MS = 30000, REFUSED_WAIT_MS = 60000 };
enum { OTHER_WAIT_MS = 10000, LOCK_TRIES = 100, LOCK_WAIT_US = 100000, WORKERS = 5 };

static sh_agent agent = {.mutex = PTHREAD_MUTEX_INITIALIZER, .bell = -1};

/* ---- what a poll says ---- */

static json_t *platform(const struct utsname *names)
{
    sh_buf text;
    char name[64] = "Linux", version[64] = "";
    sh_buf_init(&text, 65536);
    if (sh_file_read("/etc/os-release", &text, NULL) == 0) {
        const char *at = strstr(sh_buf_cstr(&text), "\nVERSION_ID=");
        const char *of = strncmp(sh_buf_cstr(&text), "NAME=", 5) == 0 ? sh_buf_cstr(&text) - 1
                                                                      : strstr(sh_buf_cstr(&text), "\nNAME=");
        if (at)
            sscanf(at, "\nVERSION_ID=%*[\"]%63[^\"\n]", version);
        if (of)
            sscanf(of + 1, "NAME=%*[\"]%63[^\"\n]", name);
    }
    sh_buf_free(&text);
    return json_pack("{s:s, s:s, s:s}", "name", name, "version", version, "arch", names->machine);
}

static int64_t free_disk(void)
{
    struct statvfs disk;
    return statvfs(agent.data, &disk) == 0 ? (int64_t)(disk.f_bavail * disk.f_frsize) : 0;
}

static int workers(void)
{
    return agent.config.workers     ? agent.config.workers
           : agent.identity.workers ? agent.identity.workers
                                    : WORKERS;
}

static bool is_open(void)
{
    return (agent.config.network ? agent.config.network : agent.identity.network) == SH_NETWORK_OPEN;
}

static json_t *poll_body(void)
{
    struct utsname names;
    double load = 0;
    int busy;
    uname(&names);
    if (getloadavg(&load, 1) != 1)
        load = 0;
    json_t *commands = sh_agent_commands_list(&agent, &busy);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:f, s:i, s:i, s:i, s:I, s:I, s:s, s:o}", "session",
                     agent.session, "machine", agent.machine, "host", names.nodename, "platform",
                     platform(&names), "agent_version", SPYHOP_VERSION, "started_ms",
                     (json_int_t)agent.started_ms, "load", load, "cores", (int)sysconf(_SC_NPROCESSORS_ONLN),
                     "workers", workers(), "busy", busy, "free_disk", (json_int_t)free_disk(),
                     "clock_skew_ms", (json_int_t)atomic_load(&agent.skew_ms), "network",
                     is_open() ? "open" : "server", "commands", commands);
}

/* ---- what it answers ---- */

static void heed(const json_t *message)
{
    sh_err err = {0};
    const char *type = json_string_value(json_object_get(message, "type"));
    const char *id = json_string_value(json_object_get(message, "command_id"));
    if (!type || !id)
        sh_log(SH_LOG_WARNING, "agent", "the server sent a message that is none");
    else if (strcmp(type, "cancel") == 0)
        sh_agent_command_cancel(&agent, id);
    else if (strcmp(type, "forget") == 0)
        sh_agent_command_forget(&agent, id);
    else if (strcmp(type, "run") != 0)
        sh_log(SH_LOG_WARNING, "agent", "the server sent a message of a kind not known here, %.32s", type);
    else if (sh_agent_command_run(&agent, message, &err) < 0) /* the server hands it out again */
        sh_log(SH_LOG_ERROR, "agent", "command %.64s could not begin: %s", id, err.message);
}

static void take_place(const json_t *answer)
{
    const char *region = json_string_value(json_object_get(answer, "region"));
    if (region && strcmp(region, agent.identity.region) != 0)
        snprintf(agent.identity.region, sizeof(agent.identity.region), "%s", region);
}

/* Between half of it and the whole: nodes that lost one server do not come back at one moment. */
static int jitter(int ms)
{
    unsigned random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = 0;
    return ms / 2 + (int)(random % (unsigned)(ms / 2 + 1));
}

/* How long to leave the server alone after a failure; each one doubles it. */
static int back_off(int *wait_ms)
{
    int now_ms = jitter(*wait_ms);
    *wait_ms = *wait_ms * 2 < LONGEST_WAIT_MS ? *wait_ms * 2 : LONGEST_WAIT_MS;
    return now_ms;
}

/* Milliseconds until the next poll; -1: this agent ends. */
static int heed_answer(const sh_agent_reply *reply, int *wait_ms)
{
    size_t index;
    const json_t *message;
    const char *code = sh_agent_reply_code(reply);
    if (reply->status == 200) {
        *wait_ms = FIRST_WAIT_MS;
        take_place(reply->json);
        json_array_foreach(json_object_get(reply->json, "messages"), index, message) heed(message);
        return 0;
    }
    sh_log(SH_LOG_WARNING, "agent", "the server refuses: %ld %s %s", reply->status, code,
           sh_agent_reply_message(reply));
    if (strcmp(code, "Superseded") == 0)
        return -1;
    if (strcmp(code, "AnotherAgent") == 0)
        return OTHER_WAIT_MS;
    return reply->status == 403 || reply->status == 400 ? REFUSED_WAIT_MS : back_off(wait_ms);
}

static int poll_once(CURL *curl, int *wait_ms)
{
    sh_err err = {0};
    sh_agent_reply reply = {0};
    if (sh_agent_call(&agent, curl, "poll", poll_body(), POLL_TIMEOUT_S, &reply, &err) == 0) {
        int next_ms = heed_answer(&reply, wait_ms);
        json_decref(reply.json);
        return next_ms;
    }
    int now_ms = back_off(wait_ms);
    sh_log(SH_LOG_WARNING, "agent", "no answer: %s; again in %.1f s", err.message, now_ms / 1000.0);
    return now_ms;
}

static void *ask(void *opaque)
{
    CURL *curl = curl_easy_init();
    int wait_ms = FIRST_WAIT_MS, next_ms = 0;
    while (curl && next_ms >= 0) {
        next_ms = poll_once(curl, &wait_ms);
        if (next_ms > 0)
            usleep((useconds_t)next_ms * 1000);
    }
    curl_easy_cleanup(curl);
    kill(getpid(), SIGTERM);
    return opaque;
}

/* ---- begin and end ---- */

static int take_lock(sh_err *err)
{
    char path[PATH_MAX];
    int status = sh_agent_path(path, agent.data, "agent.lock", err);
    if (status < 0)
        return status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    for (int try = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; try++) { /* a former agent may be about to end */
        if (try == LOCK_TRIES) {
            close(fd);
            return sh_fail(err, SH_E_CONFLICT, "another agent runs in %s", agent.data);
        }
        usleep(LOCK_WAIT_US);
    }
    return 0; /* held until the process ends */
}

static int name_session(sh_err *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return sh_fail_errno(err, errno, "no random bytes");
    for (int i = 0; i < 16; i++)
        snprintf(agent.session + 2 * i, 3, "%02x", bytes[i]);
    agent.started_ms = sh_now_ms(&sh_clock_system);
    return 0;
}

static int check_network(sh_err *err)
{
    if (is_open())
        return 0;
    int status = sh_netns_try(err);
    return status < 0 ? sh_err_prefix(err, "commands are to reach nothing but the server") : 0;
}

static int prepare(sh_err *err)
{
    int status = sh_agent_identity_read(&agent.identity, agent.data, err);
    if (status == 0)
        status = sh_agent_key_load(&agent.key, agent.data, false, err);
    if (status == 0)
        status = sh_agent_config_read(&agent.config, agent.data, err);
    if (status == 0)
        status = take_lock(err);
    if (status == 0)
        status = check_network(err);
    if (status == 0)
        status = sh_agent_machine(agent.machine, agent.data, err);
    if (status == 0)
        status = name_session(err);
    if (status == 0)
        status = sh_agent_tools_place(&agent, err);
    agent.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return status == 0 ? sh_agent_commands_find(&agent, err) : status;
}

static void json_log(void *opaque, int level, const char *area, const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char time[SH_TIME_TEXT];
    (void)opaque;
    sh_time_iso_ms(sh_now_ms(&sh_clock_system), time);
    json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "time", time, "level", names[level], "area", area,
                             "message", message);
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text)
        fprintf(stderr, "%s\n", text);
    free(text);
    json_decref(line);
}

int sh_agent_main_run(int argc, char **argv)
{
    static char data[PATH_MAX], own[PATH_MAX];
    sh_err err = {0};
    pthread_t asker, attendant;
    sigset_t signals;
    int number = 0;
    sh_agent_options options = {.data = SH_AGENT_DATA};
    int status = sh_agent_options_read(&options, argc, argv, "run");
    if (status)
        return status > 0 ? 0 : 2;
    if (options.json_log)
        sh_log_set(json_log, NULL);
    if (!realpath(options.data, data) || readlink("/proc/self/exe", own, sizeof(own) - 1) < 0) {
        fprintf(stderr, "spyhop-agent: cannot find the data folder %s: %s\n", options.data, strerror(errno));
        return 1;
    }
    agent.data = data;
    agent.own = own;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (prepare(&err) < 0) {
        fprintf(stderr, "spyhop-agent: %s\n", err.message);
        return 1;
    }
    sh_log(SH_LOG_INFO, "agent", "node %s asks %s for work (%s network)", agent.identity.id,
           agent.identity.server, is_open() ? "open" : "own");
    if (pthread_create(&attendant, NULL, sh_agent_attend, &agent) != 0 ||
        pthread_create(&asker, NULL, ask, NULL) != 0) {
        fprintf(stderr, "spyhop-agent: no threads\n");
        return 1;
    }
    sigwait(&signals, &number);
    sh_log(SH_LOG_INFO, "agent", "stops; commands go on");
    _exit(0); /* threads may be in the middle of a request, which the next agent makes again */
}
