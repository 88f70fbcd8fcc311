/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/command.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

static int path_in(char *path, const char *folder, const char *name, sh_err *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return sh_fail(err, SH_E_LIMIT, "the path of a command's folder is longer than %d bytes", PATH_MAX);
    return 0;
}

int sh_command_read(const char *folder, const char *name, json_t **out, sh_err *err)
{
    char path[PATH_MAX];
    json_error_t where;
    json_t *json = NULL;
    sh_buf text;
    sh_buf_init(&text, 4 << 20);
    int status = path_in(path, folder, name, err);
    if (status == 0)
        status = sh_file_read(path, &text, err);
    if (status < 0)
        goto done;
    json = json_loadb(sh_buf_cstr(&text), text.length, 0, &where);
    if (!json_is_object(json)) {
        json_decref(json);
        status = sh_fail(err, SH_E_FORMAT, "%s is not a JSON object", path);
        goto done;
    }
    *out = json;
done:
    sh_buf_free(&text);
    return status;
}

static int write_json(const char *folder, const char *name, json_t *json, sh_err *err)
{
    char path[PATH_MAX];
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    int status = path_in(path, folder, name, err);
    if (!text)
        status = sh_fail(err, SH_E_MEMORY, "no memory for %s of a command", name);
    if (status == 0)
        status = sh_file_replace(path, text, strlen(text), 0600, err);
    free(text);
    json_decref(json);
    return status;
}

static int open_lock(const char *folder, int flags, int *out, sh_err *err)
{
    char path[PATH_MAX];
    int status = path_in(path, folder, "lock", err);
    if (status < 0)
        return status;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    *out = fd;
    return 0;
}

int sh_command_start(const char *folder, const json_t *command, const char *program,
                     const char *const *environment, sh_child *supervisor, sh_err *err)
{
    int lock = -1;
    int status = sh_dir_make(folder, 0700, err);
    if (status == 0)
        status = open_lock(folder, O_CREAT, &lock, err);
    if (status < 0)
        return status;
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        status = sh_fail(err, SH_E_CONFLICT, "the command in %s is running already", folder);
        goto done;
    }
    status = write_json(folder, "command.json", json_deep_copy(command), err);
    if (status < 0)
        goto done;
    const char *argv[] = {program, "exec", folder, NULL};
    int fds[] = {-1, -1, -1, lock};
    sh_child_spec child = {.program = program,
                           .argv = argv,
                           .environment = environment,
                           .folder = folder,
                           .fds = fds,
                           .fd_count = SH_COMMAND_LOCK_FD + 1,
                           .session = true,
                           .mask = 022};
    status = sh_child_spawn(supervisor, &child, err);
done:
    close(lock); /* the supervisor's copy holds the lock */
    return status;
}

/* -1 when the supervisor has not said its pid yet. The caller knows that the lock was held; it is tried again
 * once the pidfd is there, so that the pid is the supervisor's and not one that came after it. The start is
 * compared because a process of ours that is about to become a program has a copy of the lock, too, for a
 * moment. */
static int supervisor_pidfd(const char *folder, int lock)
{
    json_t *running = NULL;
    if (sh_command_read(folder, "running.json", &running, NULL) < 0)
        return -1;
    pid_t pid = (pid_t)json_integer_value(json_object_get(running, "pid"));
    int64_t start = json_integer_value(json_object_get(running, "start"));
    json_decref(running);
    int pidfd = pid > 1 ? pidfd_open(pid, 0) : -1;
    if (pidfd >= 0 && (sh_process_start(pid) != start || flock(lock, LOCK_EX | LOCK_NB) == 0)) {
        close(pidfd);
        return -1;
    }
    return pidfd;
}

static int there(const char *folder, const char *name)
{
    char path[PATH_MAX];
    return path_in(path, folder, name, NULL) == 0 && access(path, F_OK) == 0;
}

int sh_command_look(const char *folder, sh_command_state *state, int *pidfd, sh_err *err)
{
    sh_err local = {0};
    int lock;
    if (pidfd)
        *pidfd = -1;
    int status = open_lock(folder, 0, &lock, &local);
    if (status == SH_E_NOT_FOUND) {
        *state = SH_COMMAND_NEVER;
        return 0;
    }
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        *state = SH_COMMAND_RUNNING;
        if (pidfd)
            *pidfd = supervisor_pidfd(folder, lock);
    } else if (there(folder, "result.json")) {
        *state = SH_COMMAND_DONE;
    } else {
        *state = there(folder, "running.json") ? SH_COMMAND_LOST : SH_COMMAND_NEVER;
    }
    close(lock);
    return 0;
}

int sh_command_cancel(int pidfd, sh_err *err)
{
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
        return sh_fail_errno(err, errno, "cannot signal the supervisor of a command");
    return 0;
}

int sh_command_write_running(const char *folder, sh_err *err)
{
    json_t *json =
        json_pack("{s:i, s:I}", "pid", (int)getpid(), "start", (json_int_t)sh_process_start(getpid()));
    return write_json(folder, "running.json", json, err);
}

const char *const sh_command_ends[] = {"exited", "timed_out", "cancelled", "unable", "skipped"};

int sh_command_write_result(int fd, const char *folder, json_t *result, sh_err *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    char *text = result ? json_dumps(result, JSON_COMPACT) : NULL;
    json_decref(result);
    if (!text)
        return sh_fail(err, SH_E_MEMORY, "no memory for the result of a command");
    int status = path_in(from, folder, "result.new", err);
    if (status == 0)
        status = path_in(to, folder, "result.json", err);
    if (status < 0)
        goto done;
    size_t length = strlen(text);
    if (pwrite(fd, text, length, 0) != (ssize_t)length || ftruncate(fd, (off_t)length) < 0 || fsync(fd) < 0 ||
        rename(from, to) < 0)
        status = sh_fail_errno(err, errno, "cannot write %s", to);
    if (status == 0)
        status = sh_dir_sync(folder, err);
done:
    free(text);
    return status;
}

/* Length of the well-formed UTF-8 sequence at `at`, 0 when there is none. */
static size_t sequence(const unsigned char *at, size_t left)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned value;
    size_t length;
    if (at[0] < 0x80)
        return at[0] ? 1 : 0;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        length = 2, value = at[0] & 0x1f;
    else if ((at[0] & 0xf0) == 0xe0)
        length = 3, value = at[0] & 0x0f;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        length = 4, value = at[0] & 0x07;
    else
        return 0;
    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    return value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : length;
}

static int append_text(const unsigned char *bytes, size_t length, size_t max_characters, sh_buf *out)
{
    int status = 0;
    for (size_t at = 0; status == 0 && at < length && max_characters > 0; max_characters--) {
        size_t step = sequence(bytes + at, length - at);
        status = step ? sh_buf_append(out, bytes + at, step) : sh_buf_puts(out, "\xef\xbf\xbd");
        at += step ? step : 1;
    }
    return status;
}

int sh_command_output(const char *folder, const char *stream, size_t max_characters, sh_buf *out, sh_err *err)
{
    char path[PATH_MAX];
    int status = path_in(path, folder, stream, err);
    if (status < 0)
        return status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : sh_fail_errno(err, errno, "cannot open %s", path);
    size_t room = max_characters * 4; /* bytes of the longest characters */
    unsigned char *bytes = malloc(room + 1);
    size_t length = 0;
    ssize_t got = bytes ? 0 : -1;
    while (bytes && length < room && (got = read(fd, bytes + length, room - length)) > 0)
        length += (size_t)got;
    if (got < 0)
        status = bytes ? sh_fail_errno(err, errno, "cannot read %s", path)
                       : sh_fail(err, SH_E_MEMORY, "no memory for %s", path);
    else if (append_text(bytes, length, max_characters, out) < 0)
        status = sh_fail(err, SH_E_MEMORY, "no memory for %s", path);
    free(bytes);
    close(fd);
    return status;
}
