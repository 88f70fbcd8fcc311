/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is left of rights: those of a user of its own without any capability, none to be won by a program with
 * set-uid, limits, and no system call that reaches around the namespaces. The filter allows by default and
 * refuses by name, with an error and not with death, as a container does. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const refused[] = {
    /* other namespaces and file systems */
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount",
    "mount_setattr", "fsopen", "fsconfig", "fsmount", "fspick", "open_by_handle_at", "name_to_handle_at",
    "swapon", "swapoff", "quotactl", "quotactl_fd", "fanotify_init",
    /* the machine */
    "reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "iopl",
    "ioperm", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
    "syslog", "acct", "vhangup", "lookup_dcookie", "nfsservctl", "uselib",
    /* the kernel's larger doors */
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "keyctl", "add_key", "request_key", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp",
    "move_pages", "migrate_pages", "mbind", "set_mempolicy", "personality"};

static void refuse(scmp_filter_ctx filter, int error, const char *name, const struct scmp_arg_cmp *when)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return; /* a call that this machine does not have */
    int status = when ? seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), number, 1, when)
                      : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), number, 0, NULL);
    if (status < 0) {
        errno = -status;
        sandbox_fail("the system call %s cannot be refused", name);
    }
}

static void refuse_families(scmp_filter_ctx filter)
{
    for (unsigned family = 0; family < AF_NETLINK; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
            refuse(filter, EAFNOSUPPORT, "socket", &SCMP_A0(SCMP_CMP_EQ, family));
    refuse(filter, EAFNOSUPPORT, "socket", &SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
}

static void filter_calls(void)
{
    static const unsigned long spaces[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                           CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    errno = 0;
    if (!filter)
        sandbox_fail("no memory for a filter of system calls");
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        refuse(filter, EPERM, refused[i], NULL);
    for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++)
        refuse(filter, EPERM, "clone", &SCMP_A0(SCMP_CMP_MASKED_EQ, spaces[i], spaces[i]));
    refuse(filter, ENOSYS, "clone3", NULL); /* its flags lie behind a pointer: libc falls back to clone */
    refuse_families(filter);
    int status = seccomp_load(filter);
    seccomp_release(filter);
    if (status < 0) {
        errno = -status;
        sandbox_fail("system calls cannot be filtered");
    }
}

static void limit(int what, long value, const char *name)
{
    struct rlimit now, wanted = {(rlim_t)value, (rlim_t)value};
    if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max < wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
    if (setrlimit((__rlimit_resource_t)what, &wanted) < 0)
        sandbox_fail("no limit of %s", name);
}

/* While there is the right to do so. */
static void drop_bounds(void)
{
    for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
        if (prctl(PR_CAPBSET_DROP, i) < 0)
            sandbox_fail("a capability cannot be given up");
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        sandbox_fail("the ambient capabilities cannot be given up");
    if (syscall(SYS_capset, &header, none) < 0)
        sandbox_fail("the capabilities cannot be given up");
}

void sandbox_confine(const sandbox *s)
{
    if (s->data)
        limit(RLIMIT_DATA, s->data << 20, "memory");
    limit(RLIMIT_CORE, 0, "cores");
    limit(RLIMIT_NOFILE, s->files, "files");
    limit(RLIMIT_MEMLOCK, 8 << 20, "locked memory");
    limit(RLIMIT_MSGQUEUE, 0, "message queues");
    drop_bounds();
    if (s->uid >= 0 &&
        (setgroups(0, NULL) < 0 || setresgid((gid_t)s->uid, (gid_t)s->uid, (gid_t)s->uid) < 0 ||
         setresuid((uid_t)s->uid, (uid_t)s->uid, (uid_t)s->uid) < 0))
        sandbox_fail("cannot become user %ld", s->uid);
    limit(RLIMIT_NPROC, s->processes, "processes");
    drop_capabilities();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        sandbox_fail("new privileges cannot be ruled out");
    filter_calls();
}
