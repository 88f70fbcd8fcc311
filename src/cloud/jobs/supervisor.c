/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervisor of one command: its steps one after the other, each a single-threaded poll loop over the
 * script's end (pidfd), its two pipes and the signals sent to us (signalfd). SIGTERM means "cancel".
 *
 * The script leads a group of its own. To end it, the whole group gets SIGTERM, and after a grace everything
 * below us gets SIGKILL, groups and sessions of its own or not: we are a subreaper. A script that ends by
 * itself may leave daemons behind, as on AWS; if those hold the pipes open we stop listening after a short
 * while, and say so. The script is not reaped before the end, so that its pid keeps naming its group.
 *
 * The file of the result is written full-length at the start, so that a disk that fills up meanwhile cannot
 * take the result with it. */
#include "base/clock.h"
#include "base/file.h"
#include "cloud/jobs/command.h"
#include "cloud/jobs/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESULT_ROOM 4096
#define STEP_ROOM 1024
#define DISK_RESERVE ((uint64_t)64 << 20) /* or a twentieth of the disk, if that is less */

typedef struct stream {
    int pipe; /* read end; -1: closed */
    int file; /* -1: nothing more is kept */
    int64_t kept, seen;
} stream;

/* How a step ended, or all of them. */
typedef struct ending {
    sh_command_end end;
    int code;
    int64_t start_ms, end_ms;
    char message[512];
} ending;

typedef struct supervisor {
    const char *folder;
    json_t *spec;
    int result_fd, signal_fd;
    int64_t output_max, grace_us;
    char **environment; /* of the scripts */
    sh_command_user user;
    sh_child relay;
    bool cancelled;

    /* the present step */
    const json_t *step;
    size_t number;
    stream streams[2];
    sh_child child;
    bool exited, stopping;
    int64_t deadline_us; /* of the execution */
    int64_t kill_us;     /* of the grace, while stopping */
    int64_t linger_us;   /* of the pipes, once the script has ended */
    ending result;
} supervisor;

static int64_t earliest(const supervisor *s)
{
    int64_t at = INT64_MAX;
    if (!s->exited && !s->stopping)
        at = s->deadline_us;
    if (s->stopping && s->kill_us < at)
        at = s->kill_us;
    if (s->exited && !s->stopping && s->linger_us < at)
        at = s->linger_us;
    return at;
}

static int poll_timeout(const supervisor *s)
{
    int64_t at = earliest(s);
    if (at == INT64_MAX)
        return -1;
    int64_t left = (at - sh_monotonic_us() + 999) / 1000;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void stop(supervisor *s, sh_command_end why)
{
    if (s->stopping || s->exited)
        return;
    s->stopping = true;
    s->result.end = why;
    s->kill_us = sh_monotonic_us() + s->grace_us;
    sh_child_signal_group(&s->child, SIGTERM);
    sh_child_signal_group(&s->child, SIGCONT);
}

static void keep_no_more(supervisor *s, stream *from, const char *why)
{
    close(from->file);
    from->file = -1;
    snprintf(s->result.message, sizeof(s->result.message), "the rest of the output is lost: %.400s", why);
}

/* A script's output may not take the last space, which the server needs to say how the script ended. */
static bool disk_is_low(int fd)
{
    struct statvfs disk;
    if (fstatvfs(fd, &disk) < 0)
        return false;
    uint64_t unit = disk.f_frsize, reserve = disk.f_blocks * unit / 20;
    return disk.f_bavail * unit < (reserve < DISK_RESERVE ? reserve : DISK_RESERVE);
}

static void keep(supervisor *s, stream *from, const char *bytes, size_t length)
{
    int64_t room = s->output_max - from->kept;
    sh_err err = {0};
    from->seen += (int64_t)length;
    if (from->file < 0 || room <= 0)
        return;
    if ((int64_t)length > room)
        length = (size_t)room;
    if (disk_is_low(from->file))
        keep_no_more(s, from, "the disk is nearly full");
    else if (sh_fd_write(from->file, bytes, length, &err) < 0)
        keep_no_more(s, from, err.message);
    else
        from->kept += (int64_t)length;
}

static void drain(supervisor *s, stream *from)
{
    char block[65536];
    ssize_t got = read(from->pipe, block, sizeof(block));
    if (got > 0)
        keep(s, from, block, (size_t)got);
    else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        close(from->pipe);
        from->pipe = -1;
    }
}

/* Orphans that came to us must not stay zombies; the script itself is left for the end. */
static void reap_orphans(const supervisor *s)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
            info.si_pid == s->child.pid || info.si_pid == s->relay.pid)
            return;
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}

static void take_signals(supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap_orphans(s);
        else {
            s->cancelled = true;
            stop(s, SH_COMMAND_CANCELLED);
        }
    }
}

static void note_exit(supervisor *s)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)s->child.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return;
    s->exited = true;
    s->linger_us = sh_monotonic_us() + s->grace_us;
    s->result.code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static bool pipes_open(const supervisor *s)
{
    return s->streams[0].pipe >= 0 || s->streams[1].pipe >= 0;
}

static bool expire(supervisor *s)
{
    int64_t now = sh_monotonic_us();
    if (!s->exited && !s->stopping && now >= s->deadline_us)
        stop(s, SH_COMMAND_TIMED_OUT);
    if (s->stopping && now >= s->kill_us) {
        sh_child_signal_group(&s->child, SIGKILL);
        sh_descendants_kill(s->child.pid, s->relay.pid); /* later steps have the server, too */
        s->kill_us = INT64_MAX;
    }
    if (s->exited && !s->stopping && now >= s->linger_us) {
        snprintf(s->result.message, sizeof(s->result.message),
                 "the script ended, but what it left running still holds its output; nothing that is written "
                 "later is kept");
        return true;
    }
    return s->exited && (!pipes_open(s) || (s->stopping && s->kill_us == INT64_MAX));
}

static void watch(supervisor *s)
{
    for (;;) {
        struct pollfd ready[] = {
            {.fd = s->signal_fd, .events = POLLIN},
            {.fd = s->exited ? -1 : s->child.pidfd, .events = POLLIN},
            {.fd = s->streams[0].pipe, .events = POLLIN},
            {.fd = s->streams[1].pipe, .events = POLLIN},
        };
        if (poll(ready, 4, poll_timeout(s)) < 0)
            continue; /* interrupted, or memory is short for a moment: the script is still ours */
        if (ready[0].revents)
            take_signals(s);
        if (ready[1].revents)
            note_exit(s);
        for (int i = 0; i < 2; i++)
            if (s->streams[i].pipe >= 0 && ready[2 + i].revents)
                drain(s, &s->streams[i]);
        if (expire(s))
            return;
    }
}

static int open_in(const supervisor *s, const char *name, int flags, mode_t mode, int *out, sh_err *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", s->folder, name) >= sizeof(path))
        return sh_fail(err, SH_E_LIMIT, "the path of the command's folder is too long");
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    *out = fd;
    return 0;
}

static int reserve_result(supervisor *s, sh_err *err)
{
    size_t room = RESULT_ROOM + STEP_ROOM * json_array_size(json_object_get(s->spec, "steps"));
    char *blank = malloc(room);
    if (!blank)
        return sh_fail(err, SH_E_MEMORY, "no memory for the result of a command");
    memset(blank, ' ', room);
    int status = open_in(s, "result.new", O_RDWR | O_CREAT | O_TRUNC, 0600, &s->result_fd, err);
    if (status == 0)
        status = sh_fd_write(s->result_fd, blank, room, err);
    if (status == 0 && fsync(s->result_fd) < 0)
        status = sh_fail_errno(err, errno, "cannot write the result of a command");
    free(blank);
    return status;
}

static int read_spec(supervisor *s, sh_err *err)
{
    int status = sh_command_read(s->folder, "command.json", &s->spec, err);
    if (status < 0)
        return status;
    int64_t grace_ms = json_integer_value(json_object_get(s->spec, "grace_ms"));
    int64_t output_max = json_integer_value(json_object_get(s->spec, "output_max"));
    s->grace_us = (grace_ms > 0 ? grace_ms : SH_COMMAND_GRACE_MS) * 1000;
    s->output_max = output_max > 0 ? output_max : SH_COMMAND_OUTPUT_MAX;
    return 0;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* Another user than ours cannot reach the folder, but may read the script through a descriptor. */
static int write_script(const supervisor *s, sh_err *err)
{
    int fd = -1;
    const char *script = text_of(s->step, "script");
    int status = open_in(s, "_script.sh", O_WRONLY | O_CREAT | O_TRUNC, 0755, &fd, err);
    if (status == 0)
        status = sh_fd_write(fd, script, strlen(script), err);
    if (fd >= 0)
        close(fd); /* before it is run: a file open for writing cannot be */
    return status;
}

static int open_streams(supervisor *s, int *ends, sh_err *err)
{
    static const char *const names[] = {"stdout", "stderr"};
    char name[64];
    int status = 0;
    for (int i = 0; status == 0 && i < 2; i++) {
        int fds[2];
        snprintf(name, sizeof(name), "%zu.%s", s->number, names[i]);
        status = open_in(s, name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600, &s->streams[i].file, err);
        if (status == 0 && pipe2(fds, O_CLOEXEC) < 0)
            status = sh_fail_errno(err, errno, "cannot make a pipe");
        if (status < 0)
            break;
        s->streams[i].pipe = fds[0];
        ends[i] = fds[1];
    }
    return status;
}

enum { SCRIPT_FD = 3 };

/* The kernel honours a "#!" line; a script without one is for /bin/sh. */
static int spawn_script(supervisor *s, const int *ends, sh_err *err)
{
    char own[PATH_MAX], given[64];
    const char *script = text_of(s->step, "script"), *folder = text_of(s->step, "folder");
    int script_fd = -1;
    int status = open_in(s, "_script.sh", O_RDONLY, 0, &script_fd, err);
    if (status < 0)
        return status;
    snprintf(own, sizeof(own), "%s/_script.sh", s->folder);
    snprintf(given, sizeof(given), "/proc/self/fd/%d", SCRIPT_FD);
    const char *path = s->user.name ? given : own;
    const char *direct[] = {path, NULL};
    const char *shell[] = {"/bin/sh", path, NULL};
    bool named = strncmp(script, "#!", 2) == 0;
    const int fds[] = {-1, ends[0], ends[1], script_fd};
    sh_child_spec spec = {.program = named ? path : "/bin/sh",
                          .argv = named ? direct : shell,
                          .environment = (const char *const *)s->environment,
                          .folder = *folder ? folder : "/",
                          .fds = fds,
                          .fd_count = s->user.name ? 4 : 3,
                          .session = true,
                          .death_signal = SIGKILL,
                          .mask = 022,
                          .user = s->user.name ? &s->user.identity : NULL};
    s->deadline_us = sh_monotonic_us() + json_integer_value(json_object_get(s->step, "timeout_s")) * 1000000;
    status = sh_child_spawn(&s->child, &spec, err);
    close(script_fd);
    return status;
}

static int open_signals(supervisor *s, sh_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return sh_fail_errno(err, errno, "cannot prepare the supervisor of a command");
    return 0;
}

/* ---- the steps ---- */

static void begin_step(supervisor *s, const json_t *step, size_t number)
{
    s->step = step;
    s->number = number;
    s->streams[0] = s->streams[1] = (stream){-1, -1, 0, 0};
    s->child = SH_CHILD_NONE;
    s->exited = s->stopping = false;
    s->result = (ending){.start_ms = sh_now_ms(&sh_clock_system)};
}

static void close_step(supervisor *s)
{
    for (int i = 0; i < 2; i++) {
        if (s->streams[i].pipe >= 0)
            close(s->streams[i].pipe);
        if (s->streams[i].file >= 0)
            close(s->streams[i].file);
    }
    if (s->child.pid > 0) {
        waitpid(s->child.pid, NULL, WNOHANG);
        close(s->child.pidfd);
        s->child = SH_CHILD_NONE;
    }
}

static void say_unable(ending *to, const sh_err *err)
{
    to->end = SH_COMMAND_UNABLE;
    to->code = 1;
    snprintf(to->message, sizeof(to->message), "%s", err->message);
}

static void run_step(supervisor *s)
{
    int ends[2] = {-1, -1};
    sh_err err = {0};
    int status = write_script(s, &err);
    if (status == 0)
        status = open_streams(s, ends, &err);
    if (status == 0)
        status = spawn_script(s, ends, &err);
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    if (status == 0)
        watch(s);
    else
        say_unable(&s->result, &err);
    if (s->stopping)
        sh_descendants_kill(s->child.pid, s->relay.pid);
    s->result.end_ms = sh_now_ms(&sh_clock_system);
    close_step(s);
}

static json_t *ending_json(const ending *e)
{
    char message[sizeof(e->message)];
    memcpy(message, e->message, sizeof(message));
    sh_text_mend(message);
    return json_pack("{s:s, s:i, s:I, s:I, s:s}", "end", sh_command_ends[e->end], "code", e->code, "start_ms",
                     (json_int_t)e->start_ms, "end_ms", (json_int_t)e->end_ms, "message", message);
}

static void add_step(const supervisor *s, json_t *list)
{
    json_t *json = ending_json(&s->result);
    json_object_set_new(json, "name", json_string(text_of(s->step, "name")));
    json_object_set_new(json, "stdout_bytes", json_integer(s->streams[0].seen));
    json_object_set_new(json, "stderr_bytes", json_integer(s->streams[1].seen));
    json_array_append_new(list, json);
}

static bool has_failed(const ending *e)
{
    return e->end != SH_COMMAND_SKIPPED && (e->end != SH_COMMAND_EXITED || e->code != 0);
}

/* Why the next steps are not run; NULL: they are. A failure counts for the whole unless the step says that it
 * does not. */
static const char *conclude(const supervisor *s, ending *whole)
{
    const char *then = text_of(s->step, has_failed(&s->result) ? "on_failure" : "on_success");
    if (has_failed(&s->result) && strcmp(then, "success") != 0 && !has_failed(whole)) {
        whole->end = s->result.end;
        whole->code = s->result.code;
    }
    if (s->cancelled)
        return "the command was cancelled";
    if (s->result.end == SH_COMMAND_SKIPPED || !*then || strcmp(then, "continue") == 0)
        return NULL;
    return has_failed(&s->result) ? "a step before it failed" : "a step before it ended the command";
}

static void run_steps(supervisor *s, ending *whole, json_t *list)
{
    size_t number;
    const json_t *step;
    const char *over = NULL;
    json_array_foreach(json_object_get(s->spec, "steps"), number, step)
    {
        const char *skip = over ? over : text_of(step, "skip");
        begin_step(s, step, number);
        if (!over && s->cancelled)
            skip = over = "the command was cancelled";
        if (*skip) {
            s->result.end = SH_COMMAND_SKIPPED;
            s->result.end_ms = s->result.start_ms;
            snprintf(s->result.message, sizeof(s->result.message), "%s", skip);
        } else {
            run_step(s);
        }
        add_step(s, list);
        if (!over)
            over = conclude(s, whole);
    }
}

static json_t *run(supervisor *s)
{
    sh_err err = {0};
    ending whole = {.start_ms = sh_now_ms(&sh_clock_system)};
    json_t *list = json_array();
    int status = sh_command_surround(s->spec, &s->relay, &s->user, &s->environment, &err);
    if (status == 0)
        run_steps(s, &whole, list);
    else
        say_unable(&whole, &err);
    if (s->cancelled && !has_failed(&whole))
        whole.end = SH_COMMAND_CANCELLED;
    whole.end_ms = sh_now_ms(&sh_clock_system);
    json_t *result = ending_json(&whole);
    json_object_set_new(result, "steps", list);
    return result;
}

int sh_supervisor_main(const char *folder)
{
    sh_err err = {0};
    supervisor s = {
        .folder = folder, .result_fd = -1, .signal_fd = -1, .child = SH_CHILD_NONE, .relay = SH_CHILD_NONE};
    fcntl(SH_COMMAND_LOCK_FD, F_SETFD, FD_CLOEXEC);
    int status = open_signals(&s, &err);
    if (status == 0)
        status = read_spec(&s, &err);
    if (status == 0)
        status = reserve_result(&s, &err);
    if (status == 0)
        status = sh_command_write_running(folder, &err);
    if (status == 0)
        status = sh_command_write_result(s.result_fd, folder, run(&s), &err);
    if (status < 0)
        fprintf(stderr, "spyhop-agent exec: %s\n", err.message);
    sh_child_destroy(&s.relay);
    sh_command_user_free(&s.user);
    sh_command_environment_free(s.environment);
    json_decref(s.spec);
    return status < 0 ? 1 : 0;
}
