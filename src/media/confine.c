/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filter allows by default and names what is refused, each call with an error and not with death: codec
 * libraries probe for devices and settings files and go on without them. Refused calls are those that reach
 * anything outside this process and its open descriptors. */
#include "media/confine.h"
#include "base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct refusal {
    const char *name;
    int error;
} refusal;

static const refusal refusals[] = {
    /* network; recvmsg stays, descriptors come that way */
    {"socket", EPERM},
    {"socketpair", EPERM},
    {"connect", EPERM},
    {"bind", EPERM},
    {"listen", EPERM},
    {"accept", EPERM},
    {"accept4", EPERM},
    {"sendto", EPERM},
    {"sendmsg", EPERM},
    {"sendmmsg", EPERM},
    /* programs and processes; clone3's flags lie behind a pointer, so libc has to fall back to clone */
    {"execve", EPERM},
    {"execveat", EPERM},
    {"fork", EPERM},
    {"vfork", EPERM},
    {"clone3", ENOSYS},
    {"ptrace", EPERM},
    {"process_vm_readv", EPERM},
    {"process_vm_writev", EPERM},
    {"pidfd_open", EPERM},
    {"pidfd_getfd", EPERM},
    {"kill", EPERM},
    {"tkill", EPERM},
    {"setpgid", EPERM},
    {"setsid", EPERM},
    /* names of files */
    {"open", EACCES},
    {"openat", EACCES},
    {"openat2", EACCES},
    {"creat", EACCES},
    {"open_by_handle_at", EACCES},
    {"unlink", EACCES},
    {"unlinkat", EACCES},
    {"rename", EACCES},
    {"renameat", EACCES},
    {"renameat2", EACCES},
    {"link", EACCES},
    {"linkat", EACCES},
    {"symlink", EACCES},
    {"symlinkat", EACCES},
    {"mkdir", EACCES},
    {"mkdirat", EACCES},
    {"rmdir", EACCES},
    {"mknod", EACCES},
    {"mknodat", EACCES},
    {"truncate", EACCES},
    {"chmod", EACCES},
    {"fchmod", EACCES},
    {"fchmodat", EACCES},
    {"chown", EACCES},
    {"fchown", EACCES},
    {"lchown", EACCES},
    {"fchownat", EACCES},
    {"setxattr", EACCES},
    {"chdir", EACCES},
    {"fchdir", EACCES},
    {"chroot", EACCES},
    {"mount", EACCES},
    {"umount2", EACCES},
    {"pivot_root", EACCES},
    /* the kernel's larger doors */
    {"bpf", EPERM},
    {"perf_event_open", EPERM},
    {"userfaultfd", EPERM},
    {"io_uring_setup", EPERM},
    {"io_uring_enter", EPERM},
    {"io_uring_register", EPERM},
    {"keyctl", EPERM},
    {"add_key", EPERM},
    {"request_key", EPERM},
    {"unshare", EPERM},
    {"setns", EPERM},
    {"shmget", EPERM},
    {"shmat", EPERM},
    {"msgget", EPERM},
    {"semget", EPERM},
};

static bool add_refusals(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < SH_COUNT(refusals); i++) {
        int call = seccomp_syscall_resolve_name(refusals[i].name);
        if (call < 0)
            continue; /* this machine has no such call */
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(refusals[i].error), call, 0) < 0)
            return false;
    }
    /* threads yes, processes no */
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
}

static int install_filter(sh_err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int status = 0;
    if (!filter || !add_refusals(filter))
        status = sh_fail(err, SH_E_INTERNAL, "the filter of system calls cannot be built");
    else if (seccomp_load(filter) < 0)
        status =
            sh_fail(err, SH_E_UNSUPPORTED,
                    "this kernel refuses the filter of system calls (seccomp) that media work runs under");
    seccomp_release(filter);
    return status;
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

#define KEEP_MAX 16

static void close_others(const int *keep, size_t count, int channel)
{
    int kept[KEEP_MAX + 2] = {STDERR_FILENO, channel};
    unsigned next = 0;
    count = count < KEEP_MAX ? count : KEEP_MAX;
    for (size_t i = 0; i < count; i++)
        kept[i + 2] = keep[i];
    count += 2;
    qsort(kept, count, sizeof(int), compare);
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)kept[i] > next)
            close_range(next, (unsigned)kept[i] - 1, 0);
        next = (unsigned)kept[i] + 1;
    }
    close_range(next, ~0U, 0);
    /* 0 and 1 must not be given to a later file, which a stray print would then damage */
    while (true) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd < 0 || fd > STDERR_FILENO) {
            if (fd >= 0)
                close(fd);
            return;
        }
    }
}

int sh_confine(const int *keep, size_t count, int channel, pid_t parent, sh_err *err)
{
    const struct rlimit none = {0, 0};
    if (count > KEEP_MAX)
        return sh_fail(err, SH_E_INTERNAL, "%zu descriptors for a child that keeps %d", count, KEEP_MAX);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        return sh_fail(err, SH_E_CANCELLED, "the parent process is gone");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error of write, said with the file's name */
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return sh_fail_errno(err, errno, "limits of the child process");
    close_others(keep, count, channel);
    return install_filter(err);
}
