/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The confined child: what it may not do, how it is heard, how it ends; and files that appear whole or not at
 * all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "media/confine.h"
#include "media/landlock.h"
#include "media/media.h"
#include "media/output.h"
#include "media/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct heard {
    int64_t sum;
    char text[520];
} heard;

static int hear(void *receiver, const sh_message *message, sh_err *err)
{
    heard *h = receiver;
    if (message->kind == SH_MSG_LOG && message->status == SH_LOG_DEBUG)
        return 0;
    if (message->kind == SH_MSG_DATA)
        h->sum += message->number[0];
    if (message->kind == SH_MSG_LOG)
        snprintf(h->text, sizeof(h->text), "%s", message->text);
    if (message->kind == SH_MSG_PROGRESS)
        return sh_fail(err, SH_E_CONFLICT, "enough");
    return 0;
}

static int run(sh_sandbox_main fn, heard *h, const int *keep, size_t count, sh_err *err)
{
    const sh_sandbox_job job = {.what = "test",
                                .main = fn,
                                .opaque = h,
                                .descriptors = keep,
                                .descriptor_count = count,
                                .message = hear,
                                .receiver = h};
    return sh_sandbox_run(&job, err);
}

static void *nothing(void *opaque)
{
    return opaque;
}

static int refused(int result, int wanted)
{
    return result < 0 && errno == wanted;
}

/* Each bit of the answer is one thing that was refused as it must be. */
static int try_everything(void *opaque, int channel, sh_err *err)
{
    sh_message message = {.kind = SH_MSG_DATA};
    pthread_t thread;
    char *const argv[] = {NULL};
    const char *const self = "/bin/true";
    int64_t bits = 0;
    bits |= refused(socket(AF_INET, SOCK_STREAM, 0), EPERM) ? 1 : 0;
    bits |= refused(socket(AF_UNIX, SOCK_STREAM, 0), EPERM) ? 2 : 0;
    bits |= refused(open("/etc/passwd", O_RDONLY), EACCES) ? 4 : 0;
    bits |= refused(open("/tmp/spyhop-must-not-be", O_CREAT | O_WRONLY, 0600), EACCES) ? 8 : 0;
    bits |= refused(execve(self, argv, argv), EPERM) ? 16 : 0;
    bits |= refused((int)syscall(SYS_fork), EPERM) ? 32 : 0;
    bits |= refused(unlink("/tmp/nothing"), EACCES) ? 64 : 0;
    bits |= refused(kill(getppid(), 0), EPERM) ? 128 : 0;
    bits |= pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0 ? 256 : 0;
    bits |= fcntl(77, F_GETFD) < 0 ? 512 : 0;
    bits |= refused((int)syscall(SYS_tgkill, getppid(), getppid(), 0), EPERM) ? 1024 : 0;
    bits |= syscall(SYS_tgkill, getpid(), getpid(), 0) == 0 ? 2048 : 0;
    bits |= refused((int)syscall(SYS_rt_sigqueueinfo, getppid(), 0, NULL), EPERM) ? 4096 : 0;
    bits |= refused((int)syscall(SYS_prlimit64, getppid(), 0, NULL, NULL), EPERM) ? 8192 : 0;
    bits |= refused(ioctl(-1, TIOCSTI, self), EPERM) ? 16384 : 0;
    bits |= refused(utimensat(AT_FDCWD, "/tmp", NULL, 0), EACCES) ? 32768 : 0;
    bits |= refused(setrlimit(RLIMIT_CPU, &(const struct rlimit){100, 100}), EPERM) ? 65536 : 0;
    message.number[0] = bits;
    return sh_channel_send(channel, &message);
}

static void child_is_confined(void **state)
{
    sh_err err = {0};
    heard h = {0};
    int fd = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(fd, 77), 77);
    assert_int_equal(run(try_everything, &h, NULL, 0, &err), 0);
    assert_int_equal(h.sum, 131071);
    close(77);
    close(fd);
}

static int read_kept(void *opaque, int channel, sh_err *err)
{
    const int *fd =
        ((heard *)opaque)->text[0] == 'k' ? (const int *)(const void *)(((heard *)opaque)->text + 8) : NULL;
    char byte = 0;
    if (!fd || read(*fd, &byte, 1) != 1 || byte != 'x')
        return sh_fail(err, SH_E_IO, "the descriptor was not kept");
    sh_channel_log(channel, SH_LOG_INFO, "read %c", byte);
    return 0;
}

static void descriptors_are_kept(void **state)
{
    int pair[2];
    heard h = {.text = "keep"};
    sh_err err = {0};
    assert_int_equal(pipe(pair), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    memcpy(h.text + 8, &pair[0], sizeof(int));
    assert_int_equal(run(read_kept, &h, pair, 1, &err), 0);
    assert_string_equal(h.text, "read x");
    close(pair[0]);
    close(pair[1]);
}

static int fail_with_words(void *opaque, int channel, sh_err *err)
{
    return sh_fail(err, SH_E_LIMIT, "no more than %d", 7);
}

static int crash(void *opaque, int channel, sh_err *err)
{
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return 0;
}

static int leave(void *opaque, int channel, sh_err *err)
{
    _exit(3);
}

static int talk(void *opaque, int channel, sh_err *err)
{
    sh_message message = {.kind = SH_MSG_PROGRESS};
    for (;;)
        if (sh_channel_send(channel, &message) < 0)
            return SH_E_IO;
}

static int done_and_stay(void *opaque, int channel, sh_err *err)
{
    const sh_message message = {.kind = SH_MSG_DONE};
    sh_channel_send(channel, &message);
    pause();
    return SH_E_INTERNAL;
}

static int hang(void *opaque, int channel, sh_err *err)
{
    for (volatile bool for_ever = true; for_ever;)
        ;
    return 0;
}

/* Longer in all than the patience, and never silent for long. number[0] changes, or not. */
static int talk_for_60_ms(int channel, int kind, bool change)
{
    sh_message message = {.kind = kind};
    const int64_t end = sh_monotonic_us() + 60000;
    while (sh_monotonic_us() < end) {
        message.number[0] += change;
        if (sh_channel_send(channel, &message) < 0)
            return SH_E_IO;
    }
    return 0;
}

static int slow_but_alive(void *opaque, int channel, sh_err *err)
{
    return talk_for_60_ms(channel, SH_MSG_PROGRESS, true);
}

static int in_circles(void *opaque, int channel, sh_err *err)
{
    while (talk_for_60_ms(channel, SH_MSG_PROGRESS, false) == 0)
        ;
    return SH_E_IO;
}

static int words_only(void *opaque, int channel, sh_err *err)
{
    while (talk_for_60_ms(channel, SH_MSG_LOG, true) == 0)
        ;
    return SH_E_IO;
}

static int time_taken_back(void *opaque, int channel, sh_err *err)
{
    sh_channel_patience(channel, 1e12);
    sh_channel_patience(channel, 0);
    return hang(opaque, channel, err);
}

static int ask_for_time(void *opaque, int channel, sh_err *err)
{
    sh_channel_patience(channel, 1e12); /* the most that there is */
    const int64_t end = sh_monotonic_us() + 60000;
    while (sh_monotonic_us() < end)
        ;
    return 0;
}

static void ends_are_told_apart(void **state)
{
    sh_err err = {0};
    heard h = {0};
    assert_int_equal(run(fail_with_words, &h, NULL, 0, &err), SH_E_LIMIT);
    assert_string_equal(err.message, "no more than 7");
    assert_int_equal(run(crash, &h, NULL, 0, &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "signal 11"));
    assert_int_equal(run(leave, &h, NULL, 0, &err), SH_E_INTERNAL);
    assert_non_null(strstr(err.message, "code 3"));
    assert_int_equal(run(talk, &h, NULL, 0, &err), SH_E_CONFLICT);
    assert_string_equal(err.message, "enough");
    alarm(30); /* a hang is a failure */
    assert_int_equal(run(done_and_stay, &h, NULL, 0, &err), 0);
    alarm(0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    assert_int_equal(errno, ECHILD);
}

static void hanging_is_ended(void **state)
{
    sh_err err = {0};
    sh_sandbox_job job = {.what = "test", .main = hang, .patience_ms = 20};
    alarm(30); /* a hang is a failure */
    assert_int_equal(sh_sandbox_run(&job, &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "no progress for 0 s"));
    job.main = slow_but_alive;
    assert_int_equal(sh_sandbox_run(&job, &err), 0);
    job.main = ask_for_time;
    assert_int_equal(sh_sandbox_run(&job, &err), 0);
    static const sh_sandbox_main stuck[] = {in_circles, words_only, time_taken_back};
    for (size_t i = 0; i < sizeof(stuck) / sizeof(stuck[0]); i++) {
        job.main = stuck[i];
        assert_int_equal(sh_sandbox_run(&job, &err), SH_E_FORMAT);
        assert_non_null(strstr(err.message, "no progress"));
    }
    alarm(0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

/* ---- what else a child has not ---- */

static int64_t capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    int64_t all = syscall(SYS_capget, &header, sets);
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        all |= sets[i].effective | sets[i].permitted | sets[i].inheritable;
    return all;
}

/* The same with every means: no file, no network, no capability. */
static int try_files_and_network(void *opaque, int channel, sh_err *err)
{
    struct rlimit files;
    sh_message message = {.kind = SH_MSG_DATA};
    const int net = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(9)};
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    message.number[0] |= open("/etc/passwd", O_RDONLY) < 0 ? 1 : 0;
    message.number[0] |= open("/tmp/spyhop-must-not-be", O_CREAT | O_WRONLY, 0600) < 0 ? 2 : 0;
    message.number[0] |= mkdir("/tmp/spyhop-must-not-be", 0700) < 0 ? 4 : 0;
    /* nobody is refused: there is nobody */
    message.number[0] |=
        net < 0 || (connect(net, (struct sockaddr *)&there, sizeof(there)) < 0 && errno != ECONNREFUSED) ? 8
                                                                                                         : 0;
    message.number[0] |= capabilities() == 0 ? 16 : 0;
    message.number[0] |= getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max <= 64 ? 32 : 0;
    return sh_channel_send(channel, &message);
}

static void each_means_confines(void **state)
{
    static const unsigned less[] = {0,
                                    SH_CONFINE_LANDLOCK,
                                    SH_CONFINE_LANDLOCK_NEW,
                                    SH_CONFINE_SECCOMP,
                                    SH_CONFINE_SECCOMP | SH_CONFINE_LANDLOCK_NEW,
                                    SH_CONFINE_SECCOMP | SH_CONFINE_LANDLOCK};
    for (size_t i = 0; i < sizeof(less) / sizeof(less[0]); i++) {
        sh_err err = {0};
        heard h = {0};
        const sh_sandbox_job job = {.what = "test",
                                    .main = try_files_and_network,
                                    .message = hear,
                                    .receiver = &h,
                                    .without = less[i]};
        const int status = sh_sandbox_run(&job, &err);
        if (status == SH_E_UNSUPPORTED && (less[i] & SH_CONFINE_SECCOMP))
            continue; /* a container that has no namespaces to give */
        assert_int_equal(status, 0);
        assert_int_equal(h.sum, 63);
    }
    sh_err err = {0};
    const sh_sandbox_job none = {
        .what = "test", .main = try_files_and_network, .without = SH_CONFINE_SECCOMP | SH_CONFINE_NAMESPACES};
    assert_int_equal(sh_sandbox_run(&none, &err), SH_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "--no-sandbox"));
}

/* By itself, with what Linux 6.1 knows of it. Bits of what it did not refuse. */
static void landlock_alone(void **state)
{
    int status = 0;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            _exit(64);
        const int version = sh_landlock_nothing(true);
        if (version == 0)
            _exit(128); /* this kernel has none */
        _exit((version > 2 ? 1 : 0) | (open("/etc/passwd", O_RDONLY) >= 0 ? 2 : 0) |
              (open("/tmp/spyhop-must-not-be", O_CREAT | O_WRONLY, 0600) >= 0 ? 4 : 0) |
              (opendir("/") ? 8 : 0));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 128)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* opaque: a descriptor in text, as above. */
static int write_much(void *opaque, int channel, sh_err *err)
{
    const int fd = *(const int *)(const void *)(((heard *)opaque)->text + 8);
    char bytes[1000] = {0};
    if (((heard *)opaque)->text[0] == 'l')
        sh_channel_limit_file(channel, 1500);
    sh_channel_limit_file(channel, 1 << 30); /* not wider again */
    for (int i = 0; i < 4; i++)
        if (write(fd, bytes, sizeof(bytes)) < 0)
            return sh_fail_errno(err, errno, "the file");
    return 0;
}

static void files_are_bounded(void **state)
{
    char name[] = "/tmp/spyhop-test-XXXXXX";
    const int fd = mkstemp(name);
    struct stat info;
    unlink(name);
    for (int late = 0; late < 2; late++) {
        sh_err err = {0};
        heard h = {.text = "job"};
        if (late)
            memcpy(h.text, "later", 6);
        memcpy(h.text + 8, &fd, sizeof(int));
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        const sh_sandbox_job job = {.what = "test",
                                    .main = write_much,
                                    .opaque = &h,
                                    .descriptors = &fd,
                                    .descriptor_count = 1,
                                    .file = late ? 0 : 1500};
        assert_int_equal(sh_sandbox_run(&job, &err), SH_E_IO);
        assert_non_null(strstr(err.message, "File too large"));
        assert_int_equal(fstat(fd, &info), 0);
        assert_int_equal(info.st_size, 1500);
    }
    close(fd);
}

#define MUCH ((size_t)1 << 30)

static int take_memory(void *opaque, int channel, sh_err *err)
{
    sh_channel_limit_memory(channel, MUCH / 8);
    void *volatile all = malloc(MUCH);
    void *volatile some = malloc(MUCH / 32);
    const bool bounded = !all && some;
    free(all);
    free(some);
    return bounded ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}

static void memory_is_bounded(void **state)
{
    sh_err err = {0};
    sh_sandbox_job job = {.what = "test", .main = take_memory};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    assert_int_equal(sh_sandbox_run(&job, &err), SH_E_MEMORY);
    job.unconfined = true;
    assert_int_equal(sh_sandbox_run(&job, &err), 0);
}

static int open_a_file(void *opaque, int channel, sh_err *err)
{
    sh_message message = {.kind = SH_MSG_DATA, .number = {open("/dev/null", O_RDONLY)}};
    return sh_channel_send(channel, &message);
}

static void no_sandbox_is_loud(void **state)
{
    sh_err err = {0};
    heard h = {.sum = -1000};
    const sh_sandbox_job job = {
        .what = "test", .main = open_a_file, .message = hear, .receiver = &h, .unconfined = true};
    assert_int_equal(sh_sandbox_run(&job, &err), 0);
    assert_true(h.sum >= -1000 + 3);
    assert_non_null(strstr(h.text, "WITHOUT CONFINEMENT"));
}

/* ---- the environment ---- */

static const char *seen_before; /* the value, where the parent had it */

static int64_t bytes_set(const char *path)
{
    int64_t count = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        count += c != 0;
    fclose(file);
    return count;
}

/* The child waits for the answer. */
static int look_at_child(void *receiver, int64_t pid, sh_err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    *(int64_t *)receiver = bytes_set(path);
    return sh_fail(err, SH_E_CONFLICT, "seen");
}

static int look_for_keys(void *opaque, int channel, sh_err *err)
{
    if (getenv("AWS_SECRET_ACCESS_KEY") || getenv("PATH") || clearenv() != 0)
        return sh_fail(err, SH_E_INTERNAL, "the environment is still there");
    for (int i = 0; i < 7; i++)
        if (seen_before[i])
            return sh_fail(err, SH_E_INTERNAL, "the value is still in memory");
    return sh_channel_open(channel, getpid(), err);
}

static void environment_is_gone(void **state)
{
    sh_err err = {0};
    int64_t left = -1;
    const sh_sandbox_job job = {
        .what = "test", .main = look_for_keys, .open = look_at_child, .receiver = &left};
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "marker7", 1), 0);
    seen_before = getenv("AWS_SECRET_ACCESS_KEY");
    assert_true(bytes_set("/proc/self/environ") > 0);
    assert_int_equal(sh_sandbox_run(&job, &err), SH_E_CONFLICT);
    assert_string_equal(err.message, "seen");
    assert_int_equal(left, 0);
    assert_string_equal(getenv("AWS_SECRET_ACCESS_KEY"), "marker7"); /* the parent keeps its own */
    unsetenv("AWS_SECRET_ACCESS_KEY");
}

/* ---- files asked for ---- */

static int give(void *receiver, int64_t number, sh_err *err)
{
    return number == 1 ? dup(*(int *)receiver) : sh_fail(err, SH_E_FULL, "no room for %d", (int)number);
}

static int ask(void *opaque, int channel, sh_err *err)
{
    int fd = sh_channel_open(channel, 1, err);
    if (fd < 0 || write(fd, "hello", 5) != 5)
        return SH_E_IO;
    close(fd);
    return sh_channel_open(channel, 2, err);
}

static void files_are_given(void **state)
{
    char name[] = "/tmp/spyhop-test-XXXXXX", text[6] = "";
    sh_err err = {0};
    int fd = mkstemp(name);
    const sh_sandbox_job job = {.what = "test", .main = ask, .open = give, .receiver = &fd};
    unlink(name);
    assert_int_equal(sh_sandbox_run(&job, &err), SH_E_FULL);
    assert_string_equal(err.message, "no room for 2");
    assert_int_equal(pread(fd, text, 5, 0), 5);
    assert_string_equal(text, "hello");
    close(fd);
}

/* ---- output files ---- */

static int entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void in_folder(char folder[64], char path[96], const char *name)
{
    snprintf(folder, 64, "/tmp/spyhop-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, 96, "%s/%s", folder, name);
}

static void output_is_whole_or_nothing(void **state)
{
    char folder[64], path[96];
    sh_output output;
    sh_err err = {0};
    in_folder(folder, path, "o");
    assert_int_equal(sh_output_open(&output, path, false, -1, &err), 0);
    assert_int_equal(write(output.fd, "new", 3), 3);
    sh_output_close(&output);
    assert_int_equal(entries(folder), 0);
    assert_int_equal(sh_output_open(&output, path, false, -1, &err), 0);
    assert_int_equal(write(output.fd, "new", 3), 3);
    assert_int_equal(sh_output_commit(&output, &err), 0);
    sh_output_close(&output);
    assert_int_equal(entries(folder), 1);
    unlink(path);
    rmdir(folder);
}

static void output_replaces_only_when_asked(void **state)
{
    char folder[64], path[96], link[80];
    sh_output output;
    sh_err err = {0};
    in_folder(folder, path, "o");
    snprintf(link, sizeof(link), "%s/l", folder);
    int old = open(path, O_CREAT | O_RDWR, 0600);
    assert_int_equal(symlink("o", link), 0);
    assert_int_equal(sh_output_open(&output, path, false, -1, &err), SH_E_CONFLICT);
    assert_int_equal(sh_output_open(&output, path, true, old, &err), SH_E_CONFLICT);
    assert_non_null(strstr(err.message, "same file"));
    assert_int_equal(sh_output_open(&output, folder, true, -1, &err), SH_E_CONFLICT);
    assert_int_equal(sh_output_open(&output, link, true, -1, &err), 0);
    assert_int_equal(write(output.fd, "new", 3), 3);
    assert_int_equal(sh_output_commit(&output, &err), 0);
    sh_output_close(&output);
    struct stat info;
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode)); /* the link stays, its target is new */
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 3);
    assert_int_equal(entries(folder), 2);
    close(old);
    unlink(link);
    unlink(path);
    rmdir(folder);
}

/* Somebody else makes the file while we work: theirs stays. */
static void output_does_not_win_a_race(void **state)
{
    char folder[64], path[96];
    sh_output output;
    sh_err err = {0};
    in_folder(folder, path, "o");
    assert_int_equal(sh_output_open(&output, path, false, -1, &err), 0);
    close(open(path, O_CREAT | O_RDWR, 0600));
    assert_true(sh_output_commit(&output, &err) < 0);
    sh_output_close(&output);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 0);
    assert_int_equal(entries(folder), 1);
    unlink(path);
    rmdir(folder);
}

static void names_are_shown(void **state)
{
    char shown[SH_SHOWN], name[2000];
    assert_string_equal(sh_shown_path("a b'\"", shown), "a b'\"");
    assert_string_equal(sh_shown_path("a\nb\x01", shown), "a?b?");
    assert_string_equal(sh_shown_path("\xc3\xa4 \xff \xc3", shown), "\xc3\xa4 ? ?");
    for (size_t i = 0; i < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    for (size_t length = 100; length < sizeof(name) - 1; length += 13) {
        char end = name[length];
        name[length] = '\0';
        assert_true(strlen(sh_shown_path(name, shown)) < SH_SHOWN);
        name[length] = end;
    }
}

/* Last: it stays cancelled. */
static int wait_for_ever(void *opaque, int channel, sh_err *err)
{
    pause();
    return SH_E_INTERNAL;
}

static int until_asked(void *opaque, int channel, sh_err *err)
{
    while (!sh_channel_stop_asked(channel))
        ;
    return opaque ? sh_fail(err, SH_E_CANCELLED, "stopped after frame 7") : 0;
}

/* Sends signals to its parent for as long as it lives. */
static int stubborn(void *opaque, int channel, sh_err *err)
{
    while (kill(getppid(), SIGTERM) == 0)
        ;
    return SH_E_INTERNAL;
}

static void asking_comes_first(void **state)
{
    sh_err err = {0};
    heard h = {0};
    sh_sandbox_job job = {
        .what = "test", .main = until_asked, .message = hear, .receiver = &h, .may_finish = true};
    sh_media_catch_signals();
    assert_false(sh_media_cancelled());
    assert_false(sh_channel_stop_asked(-1));
    alarm(30); /* a hang is a failure */
    raise(SIGTERM);
    raise(SIGTERM); /* the same wish */
    assert_int_equal(sh_media_cancels(), 1);
    assert_int_equal(sh_sandbox_run(&job, &err), 0); /* it finished */
    assert_non_null(strstr(h.text, "asked again"));
    job.opaque = &h;
    assert_int_equal(sh_sandbox_run(&job, &err), SH_E_CANCELLED);
    assert_string_equal(err.message, "stopped after frame 7");
    job.main = stubborn;
    job.unconfined = true;
    assert_int_equal(sh_sandbox_run(&job, &err), SH_E_CANCELLED);
    assert_non_null(strstr(err.message, "interrupted"));
    assert_int_equal(sh_media_cancels(), 2);
    alarm(0);
}

static void cancelling_kills(void **state)
{
    sh_err err = {0};
    heard h = {0};
    assert_true(sh_media_cancelled());
    alarm(30); /* a hang is a failure */
    assert_int_equal(run(wait_for_ever, &h, NULL, 0, &err), SH_E_CANCELLED);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_is_confined),          cmocka_unit_test(descriptors_are_kept),
        cmocka_unit_test(ends_are_told_apart),        cmocka_unit_test(files_are_given),
        cmocka_unit_test(output_is_whole_or_nothing), cmocka_unit_test(output_replaces_only_when_asked),
        cmocka_unit_test(output_does_not_win_a_race), cmocka_unit_test(names_are_shown),
        cmocka_unit_test(hanging_is_ended),           cmocka_unit_test(environment_is_gone),
        cmocka_unit_test(each_means_confines),        cmocka_unit_test(landlock_alone),
        cmocka_unit_test(files_are_bounded),          cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(no_sandbox_is_loud),         cmocka_unit_test(asking_comes_first),
        cmocka_unit_test(cancelling_kills),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
