/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publication, killed before each of its steps, and failing at each of them. The steps are the calls that
 * change the file system: the program has its own write, rename, ..., which count, and end the process or
 * fail with "no space left" at the one that was asked for. */
#include "base/buf.h"
#include "base/file.h"
#include "base/size.h"
#include "stream/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OLD "00000000000000aa"
#define NEW "00000000000000bb"

/* ---- steps ---- */

enum { NOTHING, KILL, FULL };
static int fault;
static long fault_at, steps;
static bool without_exchange;

/* True: the step fails with errno set. */
static bool step(void)
{
    steps++;
    if (fault == KILL && steps == fault_at)
        _exit(99);
    if (fault == FULL && steps >= fault_at) {
        errno = ENOSPC;
        return true;
    }
    return false;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (fd > 2 && step())
        return -1;
    return syscall(SYS_write, fd, bytes, length);
}

/* What was synced since, and what each rename found not synced. */
static bool watching;
static ino_t synced[256];
static size_t synced_count;
static char unsynced[512];

/* What a killed process has written stays: nothing has to reach a disk here. */
int fsync(int fd)
{
    struct stat st;
    if (watching && fstat(fd, &st) == 0 && synced_count < SH_COUNT(synced))
        synced[synced_count++] = st.st_ino;
    return step() ? -1 : 0;
}

static bool is_synced(const struct stat *st)
{
    for (size_t i = 0; i < synced_count; i++)
        if (synced[i] == st->st_ino)
            return true;
    return false;
}

/* Everything in the folder but the maker's journal and a preview's mark. */
static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
    if (!strstr(path, "/.journal") && !strstr(path, "/.live") && !is_synced(st))
        snprintf(unsynced, sizeof(unsynced), "%s", path);
    return 0;
}

static void parent_of(char *folder, size_t size, const char *path)
{
    snprintf(folder, size, "%.*s", (int)(strrchr(path, '/') - path), path);
}

static void changed(const char *path)
{
    char folder[256];
    struct stat st;
    parent_of(folder, sizeof(folder), path);
    if (stat(folder, &st) == 0)
        for (size_t i = 0; i < synced_count; i++)
            if (synced[i] == st.st_ino)
                synced[i] = 0;
}

/* Before the decision the new stream has reached the disk; before a manifest takes its place, the name of its
 * version has. */
static void watch_rename(const char *from, const char *to)
{
    static bool first = true;
    char folder[256];
    struct stat st;
    if (strstr(to, "/.publish")) {
        parent_of(folder, sizeof(folder), from);
        nftw(folder, look, 16, FTW_PHYS);
        first = true;
    }
    if (strstr(from, "/.publish/") && first) {
        parent_of(folder, sizeof(folder), to);
        if (stat(folder, &st) == 0 && !is_synced(&st))
            snprintf(unsynced, sizeof(unsynced), "%s when %s came", folder, to);
        first = false;
    }
    changed(from);
    changed(to);
}

int rename(const char *from, const char *to)
{
    if (watching)
        watch_rename(from, to);
    return step() ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int old_folder, const char *from, int new_folder, const char *to, unsigned flags)
{
    if (without_exchange) {
        errno = EINVAL;
        return -1;
    }
    return step() ? -1 : (int)syscall(SYS_renameat2, old_folder, from, new_folder, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
    return step() ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

/* A full disk lets things go. */
static void removal(void)
{
    steps++;
    if (fault == KILL && steps == fault_at)
        _exit(99);
}

int unlink(const char *path)
{
    removal();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int folder, const char *path, int flags)
{
    removal();
    return (int)syscall(SYS_unlinkat, folder, path, flags);
}

int rmdir(const char *path)
{
    removal();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

/* ---- folders ---- */

static char base[64], out[96];

static void fresh(void)
{
    fault = NOTHING;
    sh_dir_remove(base, NULL);
    assert_int_equal(sh_dir_make(base, 0755, NULL), 0);
    snprintf(out, sizeof(out), "%s/out", base);
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(syscall(SYS_write, fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool is(const char *name, const char *text)
{
    char path[512];
    sh_buf b;
    sh_buf_init(&b, 4096);
    snprintf(path, sizeof(path), "%s/%s", out, name);
    bool same = sh_file_read(path, &b, NULL) == 0 && strcmp(sh_buf_cstr(&b), text) == 0;
    sh_buf_free(&b);
    return same;
}

static bool there(const char *name)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", out, name);
    return lstat(path, &st) == 0;
}

static int entries(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return -1;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

/* ---- making streams ---- */

static const sh_publish_manifest old_manifests[] = {
    {"index.m3u8", OLD " hls", sizeof(OLD " hls") - 1},
    {"index.mpd", OLD " dash", sizeof(OLD " dash") - 1},
};
/* The new one has no MPD. */
static const sh_publish_manifest new_manifests[] = {
    {"stream.json", NEW " json", sizeof(NEW " json") - 1},
    {"index.m3u8", NEW " hls", sizeof(NEW " hls") - 1},
    {"index.mpd", NULL, 0},
};

/* The maker: goes on where it was, by its journal; then publishes. */
static int make_version(const char *version, const sh_publish_manifest *manifests, size_t count, bool live,
                        sh_err *err)
{
    sh_publish *p = NULL;
    sh_publish_state state;
    char path[512];
    int status = sh_publish_open(&p, out, version, live, &state, err);
    if (status < 0)
        return status;
    const char *staging = sh_publish_staging(p);
    snprintf(path, sizeof(path), "%s/v0", staging);
    status = sh_dir_make(path, 0755, err);
    if (status == 0) {
        put(staging, ".journal", "done: 1");
        put(path, "seg_1.m4s", version);
        sh_publish_manifest preview = {"index.m3u8", "growing", 7};
        status = sh_publish_live(p, &preview, 1, err);
        put(path, "seg_2.m4s", version);
    }
    if (status == 0)
        status = sh_publish_commit(p, manifests, count, err);
    sh_publish_close(p);
    return status;
}

static int make_old(sh_err *err)
{
    return make_version(OLD, old_manifests, SH_COUNT(old_manifests), false, err);
}

static int make_new(bool live, sh_err *err)
{
    return make_version(NEW, new_manifests, SH_COUNT(new_manifests), live, err);
}

static bool whole(const char *version)
{
    char name[64], two[64];
    snprintf(name, sizeof(name), "%s/v0/seg_1.m4s", version);
    snprintf(two, sizeof(two), "%s/v0/seg_2.m4s", version);
    return is(name, version) && is(two, version);
}

/* Each manifest that is there belongs to a version that is there, whole. */
static void consistent(bool live, long at)
{
    const bool growing = live && is("index.m3u8", "growing");
    const bool new_hls = is("index.m3u8", NEW " hls");
    if (new_hls ? !whole(NEW) : !growing && !(is("index.m3u8", OLD " hls") && whole(OLD)))
        fail_msg("step %ld: the playlist's version is not there", at);
    if (there("index.mpd") && !(is("index.mpd", OLD " dash") && whole(OLD)))
        fail_msg("step %ld: the MPD's version is not there", at);
    if (there("stream.json") && !(is("stream.json", NEW " json") && whole(NEW)))
        fail_msg("step %ld: the report's version is not there", at);
    if (!live && there(NEW) && !whole(NEW))
        fail_msg("step %ld: a part of the new version is seen", at);
}

static void finished(long at)
{
    if (!is("index.m3u8", NEW " hls") || !is("stream.json", NEW " json") || there("index.mpd") ||
        !whole(NEW) || there(OLD) || there(NEW "/.journal") || there(NEW "/.publish") || entries(out) != 3)
        fail_msg("step %ld: the new version is not published as it should be (%d entries)", at, entries(out));
    char path[128];
    snprintf(path, sizeof(path), "%s/" NEW, out);
    assert_int_equal(entries(path), 2); /* v0 and the mark */
}

static int run_child(bool live, int kind, long at)
{
    int code = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sh_err err = {0};
        fault = kind;
        fault_at = at;
        steps = 0;
        int status = make_new(live, &err);
        _exit(status == 0 ? 0 : status == SH_E_FULL ? 7 : 8);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    return WEXITSTATUS(code);
}

/* ---- the tests ---- */

static void test_plain(void **state)
{
    sh_err err = {0};
    fresh();
    if (make_old(&err) < 0)
        fail_msg("%s", err.message);
    assert_true(whole(OLD));
    assert_int_equal(entries(out), 3);
    assert_int_equal(make_new(false, &err), 0);
    finished(0);
    put(out, "cover.jpg", "not ours");
    char path[128];
    static const char *const others[] = {"00000000000000dd", ".spyhop-watch", ".spyhop-a1B2c3", "v0"};
    for (size_t i = 0; i < SH_COUNT(others); i++) {
        snprintf(path, sizeof(path), "%s/%s", out, others[i]);
        assert_int_equal(sh_dir_make(path, 0755, NULL), 0);
    }
    assert_int_equal(make_old(&err), 0);
    assert_true(is("cover.jpg", "not ours"));
    for (size_t i = 0; i < SH_COUNT(others); i++)
        assert_true(there(others[i]));
    sh_publish *p = NULL;
    assert_int_equal(sh_publish_open(&p, out, "00000000000000dd", false, NULL, &err), SH_E_CONFLICT);
    assert_true(is("index.m3u8", OLD " hls"));
    assert_true(is("stream.json", NEW " json")); /* nobody said it goes */
}

static void killed(bool live, bool exchange)
{
    long at = 1;
    without_exchange = !exchange;
    for (;; at++) {
        sh_err err = {0};
        fresh();
        assert_int_equal(make_old(&err), 0);
        int code = run_child(live, KILL, at);
        if (code == 0)
            break;
        assert_int_equal(code, 99);
        consistent(live, at);
        bool found = false;
        if (sh_publish_recover(out, &found, &err) < 0)
            fail_msg("step %ld: %s", at, err.message);
        consistent(live, at);
        if (found)
            finished(at);
        if (make_new(live, &err) < 0)
            fail_msg("step %ld: %s", at, err.message);
        finished(at);
    }
    assert_true(at > 30);
    finished(at);
}

static void test_killed(void **state)
{
    killed(false, true);
}

static void test_killed_live(void **state)
{
    killed(true, true);
}

/* A run that was killed and never goes on: another version is made, or the old one again. */
static void test_killed_then_other(void **state)
{
    for (int live = 0; live < 2; live++) {
        for (long at = 1;; at++) {
            sh_err err = {0};
            fresh();
            assert_int_equal(make_old(&err), 0);
            if (run_child(live, KILL, at) == 0)
                break;
            sh_publish *p = NULL;
            sh_publish_state now;
            assert_int_equal(sh_publish_open(&p, out, "00000000000000cc", false, &now, &err), 0);
            consistent(false, at); /* no preview is left of what is not made any more */
            assert_int_equal(sh_publish_abandon(p, &err), 0);
            sh_publish_close(p);
            assert_int_equal(make_old(&err), 0);
            assert_true(is("index.m3u8", OLD " hls") && is("index.mpd", OLD " dash") && whole(OLD));
            assert_false(there(NEW) || there(".spyhop-" NEW));
        }
    }
}

/* From some step on there is no space: an error that says so, and the old stream stays; with space again, all
 * is well. */
static void test_full(void **state)
{
    for (int live = 0; live < 2; live++) {
        for (long at = 1;; at++) {
            sh_err err = {0};
            fresh();
            assert_int_equal(make_old(&err), 0);
            int code = run_child(live, FULL, at);
            if (code == 0)
                break;
            if (code != 7)
                fail_msg("step %ld: another error than the full disk's", at);
            consistent(live, at);
            if (make_new(live, &err) < 0)
                fail_msg("step %ld: %s", at, err.message);
            finished(at);
        }
    }
}

/* The same version again takes the place of itself, at every step whole. */
static void test_same_version(void **state)
{
    for (int exchange = 0; exchange < 2; exchange++) {
        without_exchange = !exchange;
        for (long at = 1;; at++) {
            sh_err err = {0};
            fresh();
            assert_int_equal(make_new(false, &err), 0);
            int code = run_child(false, KILL, at);
            if (code == 0)
                break;
            if (exchange && !whole(NEW))
                fail_msg("step %ld: the version is gone for a moment", at);
            bool found = false;
            assert_int_equal(sh_publish_recover(out, &found, &err), 0);
            assert_true(whole(NEW) && is("index.m3u8", NEW " hls"));
            assert_int_equal(make_new(false, &err), 0);
            finished(at);
        }
    }
    without_exchange = false;
}

/* A loss of power keeps what was synced and no more. */
static void test_synced(void **state)
{
    for (int live = 0; live < 2; live++) {
        sh_err err = {0};
        fresh();
        assert_int_equal(make_old(&err), 0);
        unsynced[0] = '\0';
        watching = true;
        synced_count = 0;
        int status = make_new(live, &err);
        watching = false;
        assert_int_equal(status, 0);
        if (*unsynced)
            fail_msg("not synced: %s", unsynced);
    }
}

static void test_resume(void **state)
{
    sh_publish *p = NULL;
    sh_publish_state now;
    sh_err err = {0};
    fresh();
    assert_int_equal(sh_publish_open(&p, out, NEW, false, &now, &err), 0);
    assert_false(now.resumed || now.published || now.recovered);
    put(sh_publish_staging(p), ".journal", "half");
    sh_publish_close(p);
    assert_int_equal(sh_publish_open(&p, out, NEW, false, &now, &err), 0);
    assert_true(now.resumed && !now.published);
    assert_true(is(".spyhop-" NEW "/.journal", "half"));
    sh_publish_close(p);
    /* it goes on with a preview, and then without asking for one */
    assert_int_equal(sh_publish_open(&p, out, NEW, true, &now, &err), 0);
    assert_true(now.resumed && !now.published);
    assert_true(is(NEW "/.journal", "half"));
    sh_publish_close(p);
    assert_int_equal(sh_publish_open(&p, out, NEW, false, &now, &err), 0);
    assert_true(now.resumed && !now.published);
    assert_string_equal(sh_publish_version(p), NEW);
    assert_non_null(strstr(sh_publish_staging(p), "/out/" NEW));
    sh_publish_close(p);
    assert_int_equal(make_new(false, &err), 0);
    finished(0);
    assert_int_equal(sh_publish_open(&p, out, NEW, true, &now, &err), 0);
    assert_true(now.published && !now.resumed);
    sh_publish_close(p);
}

static void test_abandon(void **state)
{
    sh_publish *p = NULL;
    sh_err err = {0};
    for (int live = 0; live < 2; live++) {
        fresh();
        assert_int_equal(sh_publish_open(&p, out, NEW, live, NULL, &err), 0);
        put(sh_publish_staging(p), "x", "y");
        assert_int_equal(sh_publish_live(p, new_manifests, 2, &err), 0);
        assert_int_equal(live, is("index.m3u8", NEW " hls"));
        assert_int_equal(sh_publish_abandon(p, &err), 0);
        sh_publish_close(p);
        assert_int_equal(entries(base), 0); /* the folder was ours */
        assert_int_equal(make_old(&err), 0);
        assert_int_equal(sh_publish_open(&p, out, NEW, live, NULL, &err), 0);
        assert_int_equal(sh_publish_live(p, new_manifests, SH_COUNT(new_manifests), &err), 0);
        assert_int_equal(live, !there("index.mpd"));
        assert_int_equal(sh_publish_abandon(p, &err), 0);
        assert_int_equal(sh_publish_commit(p, new_manifests, 2, &err), SH_E_ARGUMENT);
        sh_publish_close(p);
        assert_int_equal(entries(out), 3);
        assert_true(is("index.m3u8", OLD " hls") && is("index.mpd", OLD " dash") && whole(OLD));
    }
}

static void test_refused(void **state)
{
    static const char *const versions[] = {"", "00000000000000b", "00000000000000BB", "00000000000000bbb",
                                           "../0000000000000"};
    static const char *const names[] = {"", ".x", "a/b", OLD};
    sh_publish *p = NULL, *other = NULL;
    sh_err err = {0};
    fresh();
    for (size_t i = 0; i < SH_COUNT(versions); i++)
        assert_int_equal(sh_publish_open(&p, out, versions[i], false, NULL, &err), SH_E_ARGUMENT);
    assert_int_equal(sh_publish_open(&p, "", NEW, false, NULL, &err), SH_E_ARGUMENT);
    assert_null(p);
    assert_int_equal(entries(base), 0);
    assert_int_equal(sh_publish_open(&p, out, NEW, false, NULL, &err), 0);
    assert_int_equal(sh_publish_open(&other, out, OLD, false, NULL, &err), SH_E_CONFLICT);
    assert_int_equal(sh_publish_recover(out, NULL, &err), SH_E_CONFLICT);
    assert_null(other);
    for (size_t i = 0; i < SH_COUNT(names); i++) {
        sh_publish_manifest bad = {names[i], "x", 1};
        assert_int_equal(sh_publish_commit(p, &bad, 1, &err), SH_E_ARGUMENT);
    }
    assert_int_equal(sh_publish_commit(p, NULL, 0, &err), SH_E_ARGUMENT);
    sh_publish_close(p);
    put(out, OLD, "a file");
    assert_int_equal(sh_publish_open(&p, out, OLD, false, NULL, &err), SH_E_ARGUMENT);
    assert_true(is(OLD, "a file"));
    put(base, "plain", "a file");
    snprintf(out, sizeof(out), "%s/plain", base);
    assert_int_not_equal(sh_publish_open(&p, out, OLD, false, NULL, &err), 0);
    sh_publish_close(NULL);
}

static int set_up(void **state)
{
    snprintf(base, sizeof(base), "%s/spyhop-publish-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(base) ? 0 : -1;
}

static int tear_down(void **state)
{
    return sh_dir_remove(base, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),       cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_live), cmocka_unit_test(test_killed_then_other),
        cmocka_unit_test(test_full),        cmocka_unit_test(test_same_version),
        cmocka_unit_test(test_synced),      cmocka_unit_test(test_resume),
        cmocka_unit_test(test_abandon),     cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
