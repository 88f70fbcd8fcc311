/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life of the server: the data folder (one server at a time, by a lock that dies with the process), the
 * database, the keys, and the runners' threads.
 *
 * Wake-ups are one word of pending bits behind one mutex: a wake sets its bits and they stay set until the
 * runner they name takes them, so that a wake between a runner's look at the database and its wait is not
 * lost. */
#include "cloud/api/cloud.h"
#include "cloud/store/object_files.h"
#include "base/file.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/agent.h"
#include "cloud/api/hold.h"
#include "cloud/api/iam.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda.h"
#include "cloud/api/lambda_run.h"
#include "cloud/api/s3_lifecycle.h"
#include "cloud/api/s3_rules.h"
#include "cloud/api/states_api.h"
#include "cloud/api/states_effect.h"
#include "cloud/api/states_map.h"
#include "cloud/api/states_token.h"
#include "cloud/api/steady.h"
#include "cloud/api/upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*runner_fn)(sh_cloud *cloud);

static const runner_fn runners[] = {
    sh_flows_run,      sh_events_run,  sh_mcjobs_run,    sh_holds_run,        sh_express_runner,
    sh_express_runner, sh_effects_run, sh_maps_run,      sh_upkeep_run,       sh_lifecycle_run,
    sh_agent_own_run,  sh_nodes_run,   sh_lambda_runner, sh_lambda_queue_run, sh_events_outside_run,
};

/* A thread in sh_cloud_wait. */
typedef struct waiter {
    struct waiter *next;
    unsigned who;
    pthread_cond_t condition; /* on CLOCK_MONOTONIC */
} waiter;

struct sh_wakeups {
    pthread_mutex_t mutex;
    waiter *waiters;
    unsigned pending;
    bool stopping;
};

typedef struct thread_start {
    sh_cloud *cloud;
    runner_fn run;
} thread_start;

/* What only this file knows of a sh_cloud. */
typedef struct server {
    sh_cloud cloud; /* first */
    struct sh_wakeups wakeups;
    int lock_fd;
    size_t started;
    atomic_uint lost; /* runners that ended by themselves */
    pthread_t threads[SH_COUNT(runners)];
    thread_start starts[SH_COUNT(runners)];
} server;

void sh_cloud_wake(sh_cloud *cloud, unsigned who)
{
    struct sh_wakeups *w = cloud->wakeups;
    pthread_mutex_lock(&w->mutex);
    w->pending |= who;
    for (waiter *one = w->waiters; one; one = one->next)
        if (one->who & who)
            pthread_cond_signal(&one->condition);
    pthread_mutex_unlock(&w->mutex);
}

unsigned sh_cloud_lost(const sh_cloud *cloud)
{
    return atomic_load(&((server *)cloud)->lost);
}

static void waiter_add(struct sh_wakeups *w, waiter *one, unsigned who)
{
    pthread_condattr_t attributes;
    *one = (waiter){.next = w->waiters, .who = who};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&one->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    w->waiters = one;
}

static void waiter_remove(struct sh_wakeups *w, waiter *one)
{
    waiter **link = &w->waiters;
    while (*link != one)
        link = &(*link)->next;
    *link = one->next;
    pthread_cond_destroy(&one->condition);
}

/* False when the time has come. */
static bool wait_once(struct sh_wakeups *w, waiter *one, int64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    if (until_ms < 0)
        return pthread_cond_wait(&one->condition, &w->mutex) == 0;
    return pthread_cond_timedwait(&one->condition, &w->mutex, &until) != ETIMEDOUT;
}

bool sh_cloud_wait(sh_cloud *cloud, unsigned who, int64_t until_ms)
{
    struct sh_wakeups *w = cloud->wakeups;
    waiter one;
    pthread_mutex_lock(&w->mutex);
    waiter_add(w, &one, who);
    while (!w->stopping && !(w->pending & who)) {
        if (!wait_once(w, &one, until_ms))
            break;
    }
    waiter_remove(w, &one);
    w->pending &= ~who;
    bool running = !w->stopping;
    pthread_mutex_unlock(&w->mutex);
    return running;
}

bool sh_cloud_stopping(const sh_cloud *cloud)
{
    struct sh_wakeups *w = cloud->wakeups;
    pthread_mutex_lock(&w->mutex);
    bool stopping = w->stopping;
    pthread_mutex_unlock(&w->mutex);
    return stopping;
}

static void wakeups_init(struct sh_wakeups *w)
{
    pthread_mutex_init(&w->mutex, NULL);
}

static void wakeups_stop(struct sh_wakeups *w)
{
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    for (waiter *one = w->waiters; one; one = one->next)
        pthread_cond_signal(&one->condition);
    pthread_mutex_unlock(&w->mutex);
}

static int copy_setting(const char **to, const char *from, const char *fallback, sh_err *err)
{
    const char *value = from ? from : fallback;
    *to = value ? strdup(value) : NULL;
    return value && !*to ? sh_fail(err, SH_E_MEMORY, "no memory for the settings") : 0;
}

static bool is_account(const char *text)
{
    return strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

static bool is_region(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length < 64 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static int copy_settings(sh_cloud_settings *to, const sh_cloud_settings *from, sh_err *err)
{
    int status;
    if (!from->data || !*from->data)
        return sh_fail(err, SH_E_ARGUMENT, "no data folder given");
    if ((status = copy_setting(&to->data, from->data, NULL, err)) < 0 ||
        (status = copy_setting(&to->region, from->region, "us-east-1", err)) < 0 ||
        (status = copy_setting(&to->account, from->account, "000000000000", err)) < 0 ||
        (status = copy_setting(&to->instance_id, from->instance_id, "i-00000000000000001", err)) < 0 ||
        (status = copy_setting(&to->program, from->program, NULL, err)) < 0 ||
        (status = copy_setting(&to->models, from->models, NULL, err)) < 0 ||
        (status = copy_setting(&to->agent, from->agent, NULL, err)) < 0 ||
        (status = copy_setting(&to->node_network, from->node_network, "server", err)) < 0 ||
        (status = copy_setting(&to->domains, from->domains, NULL, err)) < 0)
        return status;
    to->keep_executions_days = from->keep_executions_days;
    to->keep_commands_days = from->keep_commands_days;
    to->open_buckets = from->open_buckets;
    to->json_log = from->json_log;
    to->ssm_race = from->ssm_race;
    to->functions_at_once = from->functions_at_once;
    if (!is_account(to->account))
        return sh_fail(err, SH_E_ARGUMENT, "account '%s' is not 12 digits", to->account);
    if (!is_region(to->region))
        return sh_fail(err, SH_E_ARGUMENT, "region '%s' is not a name like us-east-1", to->region);
    return 0;
}

static int lock_folder(server *s, sh_err *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s/lock", s->cloud.settings.data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return sh_fail(err, SH_E_CONFLICT, "another server runs on data folder %s: stop it, or use another",
                       s->cloud.settings.data);
    return sh_fail_errno(err, errno, "cannot lock %s", path);
}

static int open_database(server *s, sh_err *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s/spyhop.db", s->cloud.settings.data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    return sh_db_open(&s->cloud.db, path, err);
}

static int take_folder(server *s, sh_err *err)
{
    int status = lock_folder(s, err);
    if (status == 0)
        sh_reserve_before_start(s->cloud.settings.data);
    return status;
}

int sh_cloud_open(sh_cloud **out, const sh_cloud_settings *settings, const sh_clock *clock, sh_err *err)
{
    int status;
    server *s = calloc(1, sizeof(*s));
    if (!s)
        return sh_fail(err, SH_E_MEMORY, "no memory for the server");
    s->lock_fd = -1;
    s->cloud.clock = clock;
    s->cloud.wakeups = &s->wakeups;
    wakeups_init(&s->wakeups);
    if ((status = copy_settings(&s->cloud.settings, settings, err)) < 0 ||
        (status = sh_dir_make(s->cloud.settings.data, 0700, err)) < 0 || (status = take_folder(s, err)) < 0 ||
        (status = open_database(s, err)) < 0 || (status = sh_keys_load(&s->cloud, err)) < 0 ||
        (status = sh_token_key_load(&s->cloud, err)) < 0 || (status = sh_steady_open(&s->cloud, err)) < 0 ||
        (status = sh_rules_open(&s->cloud, err)) < 0 ||
        (status = sh_flow_cache_new(&s->cloud.flows, err)) < 0 ||
        (status = sh_iam_open(&s->cloud, err)) < 0 || (status = sh_lambda_open(&s->cloud, err)) < 0 ||
        (status = sh_lambda_queue_open(&s->cloud, err)) < 0)
        goto fail;
    s->cloud.holds = sh_holds_new();
    s->cloud.agents = sh_agents_new(clock);
    s->cloud.express = sh_express_new();
    if (!s->cloud.holds || !s->cloud.express || !s->cloud.agents) {
        status = sh_fail(err, SH_E_MEMORY, "no memory for the server");
        goto fail;
    }
    *out = &s->cloud;
    return 0;
fail:
    sh_cloud_close(&s->cloud);
    return status;
}

static void *thread_main(void *opaque)
{
    const thread_start *start = opaque;
    int status = start->run(start->cloud);
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "cloud", "a runner ended: %s", sh_status_name(status));
        atomic_fetch_add(&((server *)start->cloud)->lost, 1);
    }
    return NULL;
}

int sh_cloud_start(sh_cloud *cloud, const char *endpoint, sh_err *err)
{
    server *s = (server *)cloud;
    char *copy = strdup(endpoint);
    if (!copy)
        return sh_fail(err, SH_E_MEMORY, "no memory for the endpoint");
    free(cloud->endpoint);
    cloud->endpoint = copy;
    int status = sh_agent_own_prepare(cloud, err);
    if (status < 0)
        return status;
    for (; s->started < SH_COUNT(runners); s->started++) {
        thread_start *start = &s->starts[s->started];
        *start = (thread_start){cloud, runners[s->started]};
        int error = pthread_create(&s->threads[s->started], NULL, thread_main, start);
        if (error)
            return sh_fail_errno(err, error, "cannot start a runner's thread");
    }
    return 0;
}

void sh_cloud_close(sh_cloud *cloud)
{
    server *s = (server *)cloud;
    if (!s)
        return;
    wakeups_stop(&s->wakeups);
    sh_lambda_stop(cloud);
    sh_holds_stop(cloud->holds);
    sh_express_stop(cloud->express);
    for (size_t i = 0; i < s->started; i++)
        pthread_join(s->threads[i], NULL);
    sh_lambda_close(cloud);
    sh_lambda_queue_close(cloud);
    sh_express_free(cloud->express);
    sh_rules_close(cloud);
    sh_flow_cache_free(cloud->flows);
    sh_holds_free(cloud->holds);
    sh_agents_free(cloud->agents);
    sh_iam_close(cloud);
    sh_db_close(cloud->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(cloud->endpoint);
    free(cloud->node_endpoint);
    free(cloud->access_key);
    free(cloud->secret_key);
    free((char *)cloud->settings.data);
    free((char *)cloud->settings.region);
    free((char *)cloud->settings.account);
    free((char *)cloud->settings.instance_id);
    free((char *)cloud->settings.program);
    free((char *)cloud->settings.models);
    free((char *)cloud->settings.agent);
    free((char *)cloud->settings.node_network);
    free((char *)cloud->settings.domains);
    pthread_mutex_destroy(&s->wakeups.mutex);
    free(s);
}
