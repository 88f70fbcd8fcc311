/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Order of a start: the data folder is locked and the database opened, what a crash left is cleaned up, the
 * socket listens, the runners pick up unfinished work, and only then the ready line is printed. The end is
 * the reverse: no new connections, running requests finish, the runners stop. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cloud/api/front.h"
#include "cloud/http/listen.h"
#include "cloud/store/settings.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STOP_WAIT_MS = 5000 };

static sem_t stop_asked; /* the only thing a signal handler may touch */

static void on_signal(int number)
{
    (void)number;
    sem_post(&stop_asked);
}

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop serve --data DIR [OPTION]...\n"
        "Serves S3, EventBridge, Step Functions, SSM and MediaConvert over the AWS protocols.\n\n"
        "  --data DIR           folder of everything the server keeps; made if it is not there\n"
        "  --listen ADDR:PORT   where to listen (127.0.0.1:9000; port 0 takes a free one)\n"
        "  --region REGION      the region that clients sign for (us-east-1)\n"
        "  --account ID         account of 12 digits (000000000000)\n"
        "  --instance-id ID     id of the built-in node; made once and kept when not given\n\n"
        "Root keys: SPYHOP_ACCESS_KEY_ID and SPYHOP_SECRET_ACCESS_KEY, else DIR/credentials, which is made\n"
        "at the first start. \"listening on http://ADDR:PORT\" on stdout says that the server is ready.\n");
}

typedef struct options {
    sh_cloud_settings cloud;
    const char *listen;
} options;

static bool instance_id_valid(const char *id)
{
    size_t length = strlen(id);
    return strncmp(id, "i-", 2) == 0 && (length == 10 || length == 19) &&
           strspn(id + 2, "0123456789abcdef") == length - 2;
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, options *o)
{
    static const struct option names[] = {
        {"data", required_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'},
        {"region", required_argument, NULL, 'r'},
        {"account", required_argument, NULL, 'a'},
        {"instance-id", required_argument, NULL, 'i'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (c) {
        case 'd':
            o->cloud.data = optarg;
            break;
        case 'l':
            o->listen = optarg;
            break;
        case 'r':
            o->cloud.region = optarg;
            break;
        case 'a':
            o->cloud.account = optarg;
            break;
        case 'i':
            o->cloud.instance_id = optarg;
            break;
        case 'h':
            usage(stdout);
            return SH_EXIT_OK;
        default:
            usage(stderr);
            return SH_EXIT_USAGE;
        }
    }
    if (optind < argc || !o->cloud.data) {
        fprintf(stderr, "spyhop serve: %s\n\n",
                optind < argc ? "there are words after the options" : "--data is needed");
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    if (o->cloud.instance_id && !instance_id_valid(o->cloud.instance_id)) {
        fprintf(stderr, "spyhop serve: --instance-id \"%s\" is not i- and 8 or 17 hex digits\n",
                o->cloud.instance_id);
        return SH_EXIT_USAGE;
    }
    return -1;
}

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
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sem_init(&stop_asked, 0, 0);
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static int serve(const options *o, sh_err *err)
{
    sh_cloud *cloud = NULL;
    sh_front *front = NULL;
    sh_http_server *server = NULL;
    int status = sh_listen_check(o->listen, err); /* before anything is made */
    if (status < 0 || (status = sh_cloud_open(&cloud, &o->cloud, &sh_clock_system, err)) < 0)
        return status;
    warn_of_open_folder(cloud->settings.data);
    sh_objects objects = sh_cloud_objects(cloud);
    if ((!o->cloud.instance_id && (status = settle_instance_id(cloud, err)) < 0) ||
        (status = sh_objects_recover(&objects, err)) < 0 || (status = sh_front_new(&front, cloud, err)) < 0)
        goto done;
    sh_http_handler handler = sh_front_handler(front);
    if ((status = sh_http_start(&server, o->listen, &handler, err)) < 0 ||
        (status = sh_cloud_start(cloud, sh_http_endpoint(server), err)) < 0)
        goto done;
    printf("listening on %s\n", sh_http_endpoint(server));
    fflush(stdout);
    while (sem_wait(&stop_asked) < 0 && errno == EINTR)
        ;
    sh_log(SH_LOG_INFO, "serve", "stopping");
done:
    sh_http_stop(server, STOP_WAIT_MS);
    sh_cloud_close(cloud);
    sh_front_free(front);
    return status;
}

int sh_cmd_serve(int argc, char **argv)
{
    sh_err err = {0};
    char program[PATH_MAX];
    options o = {.listen = "127.0.0.1:9000"};
    int code = read_options(argc, argv, &o);
    if (code >= 0)
        return code;
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0) {
        fprintf(stderr, "spyhop serve: cannot find the program's own path: %s\n", strerror(errno));
        return SH_EXIT_FAILED;
    }
    program[length] = '\0';
    o.cloud.program = program;
    umask(077); /* a data folder made by somebody else may be open to others; what is in it is not */
    raise_file_limit();
    catch_signals();
    int status = serve(&o, &err);
    if (status < 0) {
        fprintf(stderr, "spyhop serve: %s\n", err.message);
        return status == SH_E_ARGUMENT ? SH_EXIT_USAGE : SH_EXIT_FAILED;
    }
    return SH_EXIT_OK;
}
