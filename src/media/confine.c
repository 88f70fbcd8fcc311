/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filter allows by default and names what is refused, each call with an error and not with death: codec
 * libraries probe for devices and settings files and go on without them. Refused calls are those that reach
 * anything outside this process and its open descriptors. */
#include "media/confine.h"
#include "base/size.h"
#include "media/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

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
    {"process_madvise", EPERM},
    {"process_mrelease", EPERM},
    {"kcmp", EPERM},
    {"move_pages", EPERM},
    {"migrate_pages", EPERM},
    {"kill", EPERM},
    {"tkill", EPERM},
    {"rt_sigqueueinfo", EPERM},
    {"rt_tgsigqueueinfo", EPERM},
    {"pidfd_send_signal", EPERM},
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
    {"fchmodat2", EACCES},
    {"setxattr", EACCES},
    {"lsetxattr", EACCES},
    {"fsetxattr", EACCES},
    {"removexattr", EACCES},
    {"lremovexattr", EACCES},
    {"fremovexattr", EACCES},
    {"utime", EACCES},
    {"utimes", EACCES},
    {"futimesat", EACCES},
    {"utimensat", EACCES},
    {"chdir", EACCES},
    {"fchdir", EACCES},
    {"chroot", EACCES},
    {"mount", EACCES},
    {"umount2", EACCES},
    {"pivot_root", EACCES},
    {"open_tree", EACCES},
    {"move_mount", EACCES},
    {"mount_setattr", EACCES},
    {"fsopen", EACCES},
    {"fsconfig", EACCES},
    {"fsmount", EACCES},
    {"fspick", EACCES},
    {"swapon", EACCES},
    {"swapoff", EACCES},
    {"acct", EACCES},
    {"quotactl", EACCES},
    {"quotactl_fd", EACCES},
    {"mq_open", EACCES},
    {"mq_unlink", EACCES},
    {"fanotify_init", EPERM},
    {"inotify_add_watch", EPERM},
    /* the machine itself, for who runs this as root */
    {"reboot", EPERM},
    {"kexec_load", EPERM},
    {"kexec_file_load", EPERM},
    {"init_module", EPERM},
    {"finit_module", EPERM},
    {"delete_module", EPERM},
    {"iopl", EPERM},
    {"ioperm", EPERM},
    {"settimeofday", EPERM},
    {"clock_settime", EPERM},
    {"clock_adjtime", EPERM},
    {"adjtimex", EPERM},
    {"sethostname", EPERM},
    {"setdomainname", EPERM},
    {"syslog", EPERM},
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
    return true;
}

/* Calls that are refused by what they are given. */
static bool add_conditions(scmp_filter_ctx filter)
{
    const uint32_t refused = SCMP_ACT_ERRNO(EPERM);
    const scmp_datum_t request = 0xFFFFFFFF; /* of ioctl, the kernel looks at 32 bits */
    /* threads yes, processes no */
    return seccomp_rule_add(filter, refused, SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0 &&
           /* abort() signals the process itself */
           seccomp_rule_add(filter, refused, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid())) == 0 &&
           seccomp_rule_add(filter, refused, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_NE, 0)) == 0 &&
           /* the parent moves this one */
           seccomp_rule_add(filter, refused, SCMP_SYS(prlimit64), 1, SCMP_A1(SCMP_CMP_EQ, RLIMIT_CPU)) == 0 &&
           seccomp_rule_add(filter, refused, SCMP_SYS(setrlimit), 1, SCMP_A0(SCMP_CMP_EQ, RLIMIT_CPU)) == 0 &&
           /* typing into the terminal that stderr may be */
           seccomp_rule_add(filter, refused, SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, request, TIOCSTI)) == 0 &&
           seccomp_rule_add(filter, refused, SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, request, TIOCLINUX)) == 0;
}

static int install_filter(sh_err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int status = 0;
    if (!filter || !add_refusals(filter) || !add_conditions(filter))
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

static int close_others(const int *keep, size_t count, int channel)
{
    int kept[KEEP_MAX + 2] = {STDERR_FILENO, channel};
    unsigned next = 0;
    count = count < KEEP_MAX ? count : KEEP_MAX;
    for (size_t i = 0; i < count; i++)
        kept[i + 2] = keep[i];
    count += 2;
    qsort(kept, count, sizeof(int), compare);
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)kept[i] > next && close_range(next, (unsigned)kept[i] - 1, 0) < 0)
            return -1;
        next = (unsigned)kept[i] + 1;
    }
    if (close_range(next, ~0U, 0) < 0)
        return -1;
    /* 0 and 1 must not be given to a later file, which a stray print would then damage */
    while (true) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd < 0 || fd > STDERR_FILENO) {
            if (fd >= 0)
                close(fd);
            return 0;
        }
    }
}

/* ---- the environment ---- */

/* Where the kernel put the environment when the program started; what was taken out of the list since then
 * still stands there. Fields 50 and 51 of proc(5)'s stat; the name, field 2, may hold anything. */
static bool initial_environment(uintptr_t *start, uintptr_t *end)
{
    char text[2048];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 50; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    *start = (uintptr_t)strtoull(at, &at, 10);
    *end = (uintptr_t)strtoull(at, NULL, 10);
    return *start != 0 && *end > *start;
}

/* Keys of accounts are commonly given that way. This process has a copy of its own. */
static void forget_environment(void)
{
    static char *none[] = {NULL};
    uintptr_t start, end;
    for (char **entry = environ; entry && *entry; entry++)
        explicit_bzero(*entry, strlen(*entry));
    environ = none;
    if (initial_environment(&start, &end))
        explicit_bzero((void *)start, end - start);
}

/* ---- limits ---- */

#ifndef __has_feature /* gcc says it by macros, clang so */
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||     \
    __has_feature(thread_sanitizer)
#define MEMORY_IS_BOUNDED false /* their own books are kept in private memory */
#else
#define MEMORY_IS_BOUNDED true
#endif
#define DESCRIPTORS 64
#define MEMORY_LEAST (INT64_C(1) << 30)

/* Hard and soft, so that only a capability could widen it, which is gone. */
static int narrow(int resource, uint64_t value)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return -1;
    if (value > limit.rlim_max)
        return 0;
    limit.rlim_cur = limit.rlim_max = (rlim_t)value;
    return setrlimit((__rlimit_resource_t)resource, &limit);
}

void sh_confine_file(int64_t bytes)
{
    narrow(RLIMIT_FSIZE, bytes > 0 ? (uint64_t)bytes : 0);
}

/* Field 6 of proc(5)'s statm is data and stacks, in pages. */
static int64_t private_memory(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %*s %*s %*s %*s %lld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t private_at_start; /* the child cannot read statm any more */

void sh_confine_memory(int64_t more)
{
    if (MEMORY_IS_BOUNDED && more > 0 && more < INT64_MAX - private_at_start)
        narrow(RLIMIT_DATA, (uint64_t)(private_at_start + more));
}

static int64_t machine_memory(void)
{
    const int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    return all / 4 * 3 > MEMORY_LEAST ? all / 4 * 3 : MEMORY_LEAST;
}

static int set_limits(const sh_confinement *want)
{
    private_at_start = private_memory();
    sh_confine_memory(want->memory > 0 ? want->memory : machine_memory());
    if (want->file > 0)
        sh_confine_file(want->file);
    return narrow(RLIMIT_CORE, 0) < 0 || narrow(RLIMIT_NOFILE, DESCRIPTORS) < 0 ? -1 : 0;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return (int)syscall(SYS_capset, &header, none);
}

/* ---- namespaces, where there is no seccomp ---- */

/* An empty folder as root. Any folder can be the place of the empty one, in mounts of our own. */
static bool enter_empty_root(void)
{
    static const char *const places[] = {"/tmp", "/usr", "/dev", "/proc"};
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    for (size_t i = 0; i < SH_COUNT(places); i++)
        if (mount("none", places[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k") == 0)
            return chdir(places[i]) == 0 && chroot(".") == 0;
    return false;
}

static bool enter_namespaces(void)
{
    const int own = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    if (unshare(CLONE_NEWUSER | own) < 0 && unshare(own) < 0) /* root may where users may not */
        return false;
    return enter_empty_root();
}

/* ---- all of it ---- */

static bool has_seccomp(const sh_confinement *want)
{
    return !(want->without & SH_CONFINE_SECCOMP) && prctl(PR_GET_SECCOMP) >= 0;
}

static int give_up_rights(const sh_confinement *want, char *means, size_t size, sh_err *err)
{
    const bool seccomp = has_seccomp(want);
    int landlock = 0;
    if (!seccomp && ((want->without & SH_CONFINE_NAMESPACES) || !enter_namespaces()))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "this kernel has neither a filter of system calls (seccomp) nor namespaces for us, so "
                       "that files of unknown origin cannot be read safely; --no-sandbox reads them all the "
                       "same");
    if (drop_capabilities() < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return sh_fail_errno(err, errno, "rights of the child process");
    if (!(want->without & SH_CONFINE_LANDLOCK))
        landlock = sh_landlock_nothing(want->without & SH_CONFINE_LANDLOCK_NEW);
    snprintf(means, size, "confined by %s, %s %d, memory %s", seccomp ? "seccomp" : "namespaces",
             landlock ? "Landlock" : "no Landlock", landlock, MEMORY_IS_BOUNDED ? "bounded" : "not bounded");
    return seccomp ? install_filter(err) : 0;
}

int sh_confine_not(pid_t parent, sh_err *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        return sh_fail(err, SH_E_CANCELLED, "the parent process is gone");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error of write, said with the file's name */
    return 0;
}

int sh_confine(const sh_confinement *want, char *means, size_t size, sh_err *err)
{
    if (want->count > KEEP_MAX)
        return sh_fail(err, SH_E_INTERNAL, "%zu descriptors for a child that keeps %d", want->count,
                       KEEP_MAX);
    int status = sh_confine_not(want->parent, err);
    if (status < 0)
        return status;
    forget_environment();
    if (close_others(want->keep, want->count, want->channel) < 0)
        return sh_fail_errno(err, errno, "closing the descriptors that media work must not have");
    if (set_limits(want) < 0)
        return sh_fail_errno(err, errno, "limits of the child process");
    return give_up_rights(want, means, size, err);
}
