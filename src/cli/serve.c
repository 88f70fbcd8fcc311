/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Order of a start: the data folder is locked and the database opened, what a crash left is cleaned up, the
 * socket listens, the runners pick up unfinished work, and only then the ready line is printed. The end is
 * the reverse: no new connections, no new requests on those there are, running requests finish, the runners
 * stop.
 *
 * With TLS there is a second, plain listener on a free port of the loopback address, for the commands of the
 * built-in node: the name in the certificate is not the one they would have to call. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/serve_options.h"
#include "cloud/api/front.h"
#include "cloud/api/lambda_run.h"
#include "cloud/api/own.h"
#include "cloud/api/watch.h"
#include "cloud/http/listen.h"
#include "cloud/http/tls.h"
#include "cloud/store/settings.h"

#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { NODE_THREADS = 4 };

/* What signal handlers touch, and nothing else. */
static sem_t asked;
static atomic_int stops_asked, reloads_asked;

static void on_stop(int number)
{
    (void)number;
    if (atomic_fetch_add(&stops_asked, 1) > 0)
        _exit(SH_EXIT_INTERRUPTED); /* asked twice: whatever was answered is on disk */
    sem_post(&asked);
}

static void on_reload(int number)
{
    (void)number;
    atomic_store(&reloads_asked, 1);
    sem_post(&asked);
}

typedef struct serving {
    const sh_serve_options *options;
    sh_cloud *cloud;
    sh_front *front;
    sh_watch *watch;
    sh_own *own;
    sh_http_server *server, *node_server; /* the second one only with TLS */
    sh_cloud_settings settings;
    char agent[PATH_MAX];
} serving;

/* The node keeps its id as long as its data folder. */
static int settle_instance_id(sh_cloud *cloud, sh_err *err)
{
    unsigned char bytes[9];
    char id[24] = "i-";
    sh_buf kept;
    sh_buf_init(&kept, 64);
    int status = sh_settings_get(cloud->db, "instance_id", &kept, err);
    if (status == 0) {
        snprintf(id, sizeof(id), "%s", sh_buf_cstr(&kept));
    } else if (status == SH_E_NOT_FOUND) {
        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
            status = sh_fail_errno(err, errno, "no random bytes");
            goto done;
        }
        for (int i = 0; i < 9; i++)
            snprintf(id + 2 + 2 * i, 3, "%02x", bytes[i]);
        id[19] = '\0';
        status = sh_settings_set(cloud->db, "instance_id", id, err);
    }
    if (status == 0) {
        char *copy = strdup(id);
        if (!copy) {
            status = sh_fail(err, SH_E_MEMORY, "no memory");
            goto done;
        }
        free((char *)cloud->settings.instance_id);
        cloud->settings.instance_id = copy;
    }
done:
    sh_buf_free(&kept);
    return status;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void warn_of_open_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077))
        sh_log(SH_LOG_WARNING, "serve", "data folder %s may be read by other users: chmod 700 it", path);
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    struct sigaction reload = {.sa_handler = on_reload, .sa_flags = SA_RESTART};
    sem_init(&asked, 0, 0);
    sigemptyset(&stop.sa_mask);
    sigemptyset(&reload.sa_mask);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGHUP, &reload, NULL);
}

/* Tells systemd (or who else set NOTIFY_SOCKET). */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || !*path || strlen(path) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, length) < 0)
        sh_log(SH_LOG_WARNING, "serve", "the service manager cannot be told \"%s\": %s", state,
               strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* ---- a server's life ---- */

static void reload(const serving *s)
{
    const sh_serve_options *o = s->options;
    char before[SH_TLS_PIN_TEXT], after[SH_TLS_PIN_TEXT];
    sh_err err = {0};
    if (o->tls_certificate) {
        sh_tls_pin(before);
        if (sh_tls_load(o->tls_certificate, o->tls_key, &err) < 0)
            sh_log(SH_LOG_ERROR, "serve", "the certificate of before stays: %s", err.message);
        else
            sh_log(SH_LOG_INFO, "serve", "the certificate %s was read again", o->tls_certificate);
        sh_tls_pin(after);
        if (strcmp(before, after) != 0)
            sh_log(
                SH_LOG_WARNING, "serve",
                "the key is another one (sha256//%s): agents that were registered over TLS refuse it; keep "
                "the key when the certificate is renewed, or register them again",
                after);
    }
    if (sh_watch_reopen(s->watch, &err) < 0)
        sh_log(SH_LOG_ERROR, "serve", "%s", err.message);
}

static void wait_for_stop(const serving *s)
{
    while (atomic_load(&stops_asked) == 0) {
        if (sem_wait(&asked) < 0 && errno != EINTR)
            return;
        if (atomic_exchange(&reloads_asked, 0))
            reload(s);
    }
}

/* The agent lies beside this program. */
static void choose_agent(serving *s)
{
    ssize_t length = readlink("/proc/self/exe", s->agent, sizeof(s->agent) - 1);
    char *slash = length > 0 ? strrchr(s->agent, '/') : NULL;
    s->settings = s->options->cloud;
    if (slash && slash + sizeof("/spyhop-agent") < s->agent + sizeof(s->agent)) {
        memcpy(slash, "/spyhop-agent", sizeof("/spyhop-agent"));
        s->settings.agent = !s->options->no_agent && access(s->agent, X_OK) == 0 ? s->agent : NULL;
    }
    s->settings.json_log = s->options->json_log;
    if (!s->settings.agent && !s->options->no_agent)
        sh_log(SH_LOG_WARNING, "serve", "%s is not there: commands of the built-in node will not begin",
               s->agent);
}

static int open_cloud(serving *s, sh_err *err)
{
    const sh_serve_options *o = s->options;
    int status = sh_cloud_open(&s->cloud, &s->settings, &sh_clock_system, err);
    if (status < 0)
        return status;
    if (o->tls_certificate)
        s->cloud->tls_pin = sh_tls_pin;
    warn_of_open_folder(s->cloud->settings.data);
    sh_objects objects = sh_cloud_objects(s->cloud);
    if (!o->cloud.instance_id && (status = settle_instance_id(s->cloud, err)) < 0)
        return status;
    return sh_objects_recover(&objects, err);
}

static int open_servers(serving *s, sh_err *err)
{
    const sh_serve_options *o = s->options;
    sh_http_handler front = sh_front_handler(s->front);
    int status = sh_own_new(&s->own, s->cloud, &front, s->watch, err);
    if (status < 0)
        return status;
    sh_http_handler handler = sh_own_handler(s->own);
    sh_http_options http = {.address = o->listen,
                            .tls = o->tls_certificate != NULL,
                            .observe = sh_watch_observe,
                            .observer = s->watch};
    if ((status = sh_http_open(&s->server, &http, &handler, err)) < 0)
        return status;
    if (!http.tls) {
        sh_lambda_serve(s->cloud, s->server);
        return 0;
    }
    http.address = "127.0.0.1:0";
    http.tls = false;
    http.threads = NODE_THREADS;
    if ((status = sh_http_open(&s->node_server, &http, &handler, err)) < 0)
        return status;
    sh_lambda_serve(s->cloud, s->node_server);
    s->cloud->node_endpoint = strdup(sh_http_endpoint(s->node_server));
    return s->cloud->node_endpoint ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for the endpoint");
}

static int start(serving *s, sh_err *err)
{
    const sh_serve_options *o = s->options;
    sh_watch_options watch = {.access_log = o->access_log, .json = o->json_log};
    int status = sh_listen_check(o->listen, err); /* before anything is made */
    if (status < 0 || (status = sh_watch_new(&s->watch, &watch, err)) < 0)
        return status;
    if (o->tls_certificate && (status = sh_tls_load(o->tls_certificate, o->tls_key, err)) < 0)
        return status;
    choose_agent(s);
    if ((status = open_cloud(s, err)) < 0 || (status = sh_front_new(&s->front, s->cloud, err)) < 0 ||
        (status = open_servers(s, err)) < 0)
        return status;
    return sh_cloud_start(s->cloud, sh_http_endpoint(s->server), err);
}

static void finish(serving *s)
{
    if (s->cloud)
        sh_lambda_serve(s->cloud, NULL);
    sh_own_stop(s->own);
    sh_http_stop(s->server, s->options->stop_wait_ms);
    sh_http_stop(s->node_server, s->options->stop_wait_ms);
    sh_cloud_close(s->cloud);
    sh_own_free(s->own);
    sh_front_free(s->front);
    sh_watch_free(s->watch);
    sh_tls_unload();
}

static int serve(const sh_serve_options *options, sh_err *err)
{
    serving s = {.options = options};
    int status = start(&s, err);
    if (status == 0) {
        printf("listening on %s\n", sh_http_endpoint(s.server));
        fflush(stdout);
        notify("READY=1");
        wait_for_stop(&s);
        notify("STOPPING=1");
        sh_log(SH_LOG_INFO, "serve", "stopping");
    }
    finish(&s);
    return status;
}

int sh_serve_main(const char *program, int argc, char **argv)
{
    sh_err err = {0};
    sh_serve_options o;
    int code = sh_serve_options_read(argc, argv, &o);
    if (code >= 0)
        return code;
    o.cloud.program = program;
    umask(077); /* a data folder made by somebody else may be open to others; what is in it is not */
    raise_file_limit();
    catch_signals();
    if (o.json_log)
        sh_watch_json_log();
    int status = serve(&o, &err);
    if (status < 0) {
        fprintf(stderr, "spyhop serve: %s\n", err.message);
        return status == SH_E_ARGUMENT ? SH_EXIT_USAGE : SH_EXIT_FAILED;
    }
    return SH_EXIT_OK;
}
