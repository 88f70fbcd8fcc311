/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file system of a sandbox: an empty one in memory, read-only once it is furnished; in it, read-only, the
 * machine's programs (/usr and what belongs to it) and what --bind shows; /proc of the sandbox; five devices;
 * /tmp of its own. Nothing else of the machine has a name in it: no /home, no /var, no data folder. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void inside(const sandbox *s, char path[PATH_MAX], const char *name)
{
    errno = 0;
    if ((size_t)snprintf(path, PATH_MAX, "%s%s", s->root, name) >= PATH_MAX)
        sandbox_fail("the name %s is too long", name);
}

/* Makes the folders of `path` below the root, the last part too when `whole`. */
static void make_folders(const sandbox *s, char *path, bool whole)
{
    for (char *c = path + strlen(s->root) + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            sandbox_fail("cannot make %s", path);
        *c = '/';
    }
    if (whole && mkdir(path, 0755) < 0 && errno != EEXIST)
        sandbox_fail("cannot make %s", path);
}

static void make_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        sandbox_fail("cannot make %s", path);
    close(fd);
}

static void lock(const char *path, unsigned long long flags)
{
    struct mount_attr attributes = {.attr_set = flags};
    if (mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attributes, sizeof(attributes)) < 0)
        sandbox_fail("cannot make %s read-only", path);
}

static void show(const sandbox *s, const char *from, const char *to, unsigned long long flags)
{
    char path[PATH_MAX];
    struct stat st;
    inside(s, path, to);
    if (stat(from, &st) < 0)
        sandbox_fail("cannot show %s", from);
    make_folders(s, path, S_ISDIR(st.st_mode));
    if (!S_ISDIR(st.st_mode))
        make_file(path, "");
    if (mount(from, path, NULL, MS_BIND | MS_REC, NULL) < 0)
        sandbox_fail("cannot show %s as %s", from, to);
    if (flags)
        lock(path, flags);
}

/* A link stays a link ("/bin" -> "usr/bin"); what the machine does not have is not there. */
static void show_as_is(const sandbox *s, const char *name)
{
    char path[PATH_MAX], target[PATH_MAX];
    struct stat st;
    if (lstat(name, &st) < 0)
        return;
    if (!S_ISLNK(st.st_mode)) {
        show(s, name, name, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        return;
    }
    ssize_t length = readlink(name, target, sizeof(target) - 1);
    if (length < 0)
        return;
    target[length] = '\0';
    inside(s, path, name);
    make_folders(s, path, false);
    if (symlink(target, path) < 0)
        sandbox_fail("cannot link %s", path);
}

static void furnish(const sandbox *s)
{
    static const char *const system[] = {"/usr",
                                         "/bin",
                                         "/sbin",
                                         "/lib",
                                         "/lib32",
                                         "/lib64",
                                         "/etc/ld.so.cache",
                                         "/etc/ssl",
                                         "/etc/alternatives",
                                         "/etc/ca-certificates"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                          "/dev/urandom"};
    static const char *const files[][2] = {
        {"/etc/hosts", "127.0.0.1 localhost sandbox\n"},
        {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"},
        {"/etc/resolv.conf", ""},
        {"/etc/group", "sbx_user:x:1000:\n"},
    };
    char path[PATH_MAX], users[128];
    for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++)
        show_as_is(s, system[i]);
    for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
        show(s, devices[i], devices[i], MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        inside(s, path, files[i][0]);
        make_folders(s, path, false);
        make_file(path, files[i][1]);
    }
    inside(s, path, "/etc/passwd");
    snprintf(users, sizeof(users), "sbx_user:x:%ld:%ld::/tmp:/bin/sh\n",
             s->uid >= 0 ? s->uid : (long)geteuid(), s->uid >= 0 ? s->uid : (long)getegid());
    make_file(path, users);
    inside(s, path, "/dev/fd");
    if (symlink("/proc/self/fd", path) < 0)
        sandbox_fail("cannot link %s", path);
}

static void mount_own(const sandbox *s)
{
    char path[PATH_MAX], options[64];
    inside(s, path, "/tmp");
    make_folders(s, path, true);
    snprintf(options, sizeof(options), "size=%ldm,mode=1777,nr_inodes=%ld", s->tmp, s->tmp * 256);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        sandbox_fail("no /tmp for the sandbox");
    inside(s, path, "/proc");
    make_folders(s, path, true);
    /* who is not root may mount one only where nothing hides parts of the machine's own, as a hardened unit
     * does; it then stays empty */
    if (mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
        (errno != EPERM || s->uid >= 0))
        sandbox_fail("no /proc for the sandbox");
}

void sandbox_mount(const sandbox *s)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        sandbox_fail("the mounts of the machine cannot be left");
    if (mount("tmpfs", s->root, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=755") < 0)
        sandbox_fail("nothing can be mounted over %s", s->root);
    furnish(s);
    for (size_t i = 0; i < s->bind_count; i++)
        show(s, s->binds[i].from, s->binds[i].to, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    mount_own(s);
    if (chdir(s->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        sandbox_fail("the machine's file system cannot be left");
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount_setattr(AT_FDCWD, "/", 0, &attributes, sizeof(attributes)) < 0)
        sandbox_fail("the sandbox's root cannot be made read-only");
    if (chdir(s->folder) < 0)
        sandbox_fail("no folder %s in the sandbox", s->folder);
}
