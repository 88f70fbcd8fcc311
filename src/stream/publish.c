/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/publish_inner.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFESTS_MAX 100
#define MANIFEST_BYTES (64u << 20)

struct sh_publish {
    char folder[SH_PUBLISH_PATH], staging[SH_PUBLISH_PATH];
    char version[SH_PUBLISH_VERSION + 1];
    char entry[32]; /* the staging folder's name in OUT: the version, or hidden */
    int lock;
    bool live, made, done;
};

/* ---- opening ---- */

static int take_lock(const char *folder, int *lock, sh_err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open folder %s", folder);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int error = errno;
        close(fd);
        return error == EWOULDBLOCK ? sh_fail(err, SH_E_CONFLICT,
                                              "%s: another run is making a stream here; wait for it", folder)
                                    : sh_fail_errno(err, error, "cannot lock folder %s", folder);
    }
    *lock = fd;
    return 0;
}

static int make_folder(const char *path, sh_err *err)
{
    return mkdir(path, 0755) < 0 && errno != EEXIST ? sh_fail_errno(err, errno, "cannot make folder %s", path)
                                                    : 0;
}

/* A preview's folder comes into being under its name with its mark in it. */
static int begin_live(sh_publish *p, sh_err *err)
{
    char mark[SH_PUBLISH_PATH], final[SH_PUBLISH_PATH];
    int status = sh_publish_path(mark, p->staging, SH_PUBLISH_LIVE, NULL, err);
    if (status == 0)
        status = sh_publish_path(final, p->folder, p->version, NULL, err);
    if (status == 0)
        status = make_folder(mark, err);
    if (status == 0)
        status = sh_dir_sync(p->staging, err);
    if (status == 0)
        status = sh_publish_rename(p->staging, final, err);
    if (status < 0)
        return status;
    memcpy(p->staging, final, sizeof(final));
    snprintf(p->entry, sizeof(p->entry), "%s", p->version);
    return sh_dir_sync(p->folder, err);
}

static int check_free(const sh_publish *p, sh_err *err)
{
    char path[SH_PUBLISH_PATH];
    struct stat st;
    const char *names[] = {p->version, p->entry};
    for (int i = 0; i < 2; i++) {
        int status = sh_publish_path(path, p->folder, names[i], NULL, err);
        if (status < 0)
            return status;
        if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            return sh_fail(err, SH_E_ARGUMENT, "%s is in the way: it is no folder; remove it", path);
    }
    if (sh_publish_has(p->folder, p->version, NULL) &&
        !sh_publish_has(p->folder, p->version, SH_PUBLISH_OURS))
        return sh_fail(err, SH_E_CONFLICT, "%s/%s is in the way and was not made by Spyhop; remove it",
                       p->folder, p->version);
    return 0;
}

static int make_staging(sh_publish *p, bool live, sh_publish_state *state, sh_err *err)
{
    const bool there = sh_publish_has(p->folder, p->version, NULL);
    const bool marked = there && sh_publish_has(p->folder, p->version, SH_PUBLISH_LIVE);
    char mark[SH_PUBLISH_PATH];
    int status = check_free(p, err);
    if (status < 0)
        return status;
    state->published = there && !marked;
    p->live = marked || (live && !there);
    snprintf(p->entry, sizeof(p->entry), "%s%s", marked ? "" : SH_PUBLISH_STAGING, p->version);
    state->resumed = sh_publish_has(p->folder, p->entry, NULL);
    status = sh_publish_path(p->staging, p->folder, p->entry, NULL, err);
    if (status == 0)
        status = make_folder(p->staging, err);
    if (status == 0)
        status = sh_publish_path(mark, p->staging, SH_PUBLISH_OURS, NULL, err);
    if (status == 0)
        status = sh_publish_put(mark, "", 0, err);
    if (status == 0)
        status = sh_dir_sync(p->folder, err);
    return status == 0 && p->live && !marked ? begin_live(p, err) : status;
}

static int set_names(sh_publish *p, const char *folder, const char *version, sh_err *err)
{
    if (!sh_publish_is_version(version))
        return sh_fail(err, SH_E_ARGUMENT, "\"%.40s\" is no version: 16 lower-case hexadecimal digits",
                       version);
    if (!*folder || strlen(folder) > SH_PUBLISH_PATH - 600)
        return sh_fail(err, SH_E_ARGUMENT, "the folder's name is empty or too long");
    memcpy(p->folder, folder, strlen(folder) + 1);
    memcpy(p->version, version, SH_PUBLISH_VERSION + 1);
    snprintf(p->entry, sizeof(p->entry), SH_PUBLISH_STAGING "%s", version);
    return 0;
}

int sh_publish_open(sh_publish **out, const char *folder, const char *version, bool live,
                    sh_publish_state *state, sh_err *err)
{
    sh_publish_state own = {0};
    struct stat st;
    sh_publish *p = calloc(1, sizeof(*p));
    if (!p)
        return sh_fail(err, SH_E_MEMORY, "no memory");
    p->lock = -1;
    int status = set_names(p, folder, version, err);
    if (status < 0)
        goto fail;
    p->made = stat(folder, &st) < 0 && errno == ENOENT;
    status = sh_dir_make(folder, 0755, err);
    if (status == 0)
        status = take_lock(folder, &p->lock, err);
    if (status == 0)
        status = sh_publish_finish(folder, &own.recovered, err);
    if (status == 0)
        status = sh_publish_demote(folder, version, err);
    if (status == 0)
        status = make_staging(p, live, &own, err);
    if (status < 0)
        goto fail;
    if (state)
        *state = own;
    *out = p;
    return 0;
fail:
    if (p->made)
        rmdir(folder);
    sh_publish_close(p);
    return status;
}

const char *sh_publish_staging(const sh_publish *p)
{
    return p->staging;
}

const char *sh_publish_version(const sh_publish *p)
{
    return p->version;
}

/* ---- manifests ---- */

static int check_manifests(const sh_publish_manifest *manifests, size_t count, sh_err *err)
{
    if (count == 0 || count > MANIFESTS_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "%zu manifests; 1 to %d are possible", count, MANIFESTS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *name = manifests[i].name;
        if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > SH_PUBLISH_NAME - 8 ||
            sh_publish_is_version(name))
            return sh_fail(err, SH_E_ARGUMENT, "\"%.80s\" cannot be a manifest's name", name);
    }
    return 0;
}

/* ---- live preview ---- */

/* What is in OUT under that name before the first preview takes its place. */
static int keep_before(const sh_publish *p, const char *live, const char *name, sh_err *err)
{
    char marked[SH_PUBLISH_NAME + 2], from[SH_PUBLISH_PATH], to[SH_PUBLISH_PATH], part[SH_PUBLISH_PATH];
    sh_buf old;
    snprintf(marked, sizeof(marked), "+%s", name);
    if (sh_publish_has(live, marked, NULL))
        return 0;
    marked[0] = '-';
    if (sh_publish_has(live, marked, NULL))
        return 0;
    sh_buf_init(&old, MANIFEST_BYTES);
    int status = sh_publish_path(from, p->folder, name, NULL, err);
    if (status == 0)
        status = sh_publish_path(part, live, "part", NULL, err);
    if (status < 0)
        return status;
    if (sh_publish_has(p->folder, name, NULL)) {
        marked[0] = '+';
        status = sh_file_read(from, &old, err);
    }
    if (status == 0)
        status = sh_publish_path(to, live, marked, NULL, err);
    if (status == 0)
        status = sh_publish_put(part, sh_buf_cstr(&old), old.length, err);
    if (status == 0)
        status = sh_publish_rename(part, to, err);
    if (status == 0)
        status = sh_dir_sync(live, err);
    sh_buf_free(&old);
    return status;
}

static int show_live(const sh_publish *p, const char *live, const sh_publish_manifest *m, sh_err *err)
{
    char part[SH_PUBLISH_PATH], to[SH_PUBLISH_PATH];
    int status = sh_publish_path(part, live, "part", NULL, err);
    if (status == 0)
        status = sh_publish_path(to, p->folder, m->name, NULL, err);
    if (status < 0)
        return status;
    if (!m->bytes)
        return unlink(to) < 0 && errno != ENOENT ? sh_fail_errno(err, errno, "cannot remove %s", to) : 0;
    status = sh_publish_put(part, m->bytes, m->length, err);
    return status < 0 ? status : sh_publish_rename(part, to, err);
}

int sh_publish_live(sh_publish *p, const sh_publish_manifest *manifests, size_t count, sh_err *err)
{
    char live[SH_PUBLISH_PATH];
    if (!p->live || p->done)
        return 0;
    int status = check_manifests(manifests, count, err);
    if (status == 0)
        status = sh_publish_path(live, p->staging, SH_PUBLISH_LIVE, NULL, err);
    for (size_t i = 0; i < count && status == 0; i++) {
        status = keep_before(p, live, manifests[i].name, err);
        if (status == 0)
            status = show_live(p, live, &manifests[i], err);
    }
    return status < 0 ? status : sh_dir_sync(p->folder, err);
}

/* ---- commit ---- */

static int write_manifests(const char *folder, const sh_publish_manifest *manifests, size_t count,
                           sh_err *err)
{
    char name[SH_PUBLISH_NAME + 1], path[SH_PUBLISH_PATH];
    int status = sh_dir_remove(folder, err);
    if (status == 0)
        status = make_folder(folder, err);
    for (size_t i = 0; i < count && status == 0; i++) {
        const sh_publish_manifest *m = &manifests[i];
        snprintf(name, sizeof(name), "%02zu%c%s", i, m->bytes ? '+' : '-', m->name);
        status = sh_publish_path(path, folder, name, NULL, err);
        if (status == 0)
            status = sh_publish_put(path, m->bytes ? m->bytes : "", m->bytes ? m->length : 0, err);
    }
    return status < 0 ? status : sh_dir_sync(folder, err);
}

static int decide(sh_publish *p, const sh_publish_manifest *manifests, size_t count, sh_err *err)
{
    char fresh[SH_PUBLISH_PATH], decided[SH_PUBLISH_PATH];
    int status = sh_publish_path(fresh, p->staging, SH_PUBLISH_NEW, NULL, err);
    if (status == 0)
        status = sh_publish_path(decided, p->staging, SH_PUBLISH_DECIDED, NULL, err);
    if (status == 0)
        status = write_manifests(fresh, manifests, count, err);
    if (status == 0)
        status = sh_publish_sync(p->staging, err);
    if (status == 0)
        status = sh_publish_rename(fresh, decided, err);
    return status < 0 ? status : sh_dir_sync(p->staging, err);
}

int sh_publish_commit(sh_publish *p, const sh_publish_manifest *manifests, size_t count, sh_err *err)
{
    bool found = false;
    int status = check_manifests(manifests, count, err);
    if (status == 0 && p->done)
        status = sh_fail(err, SH_E_ARGUMENT, "%s: published already", p->folder);
    if (status == 0)
        status = sh_publish_finish(p->folder, &found, err);
    if (status == 0 && !found) {
        status = decide(p, manifests, count, err);
        if (status == 0)
            status = sh_publish_forward(p->folder, p->entry, err);
    }
    p->done = status == 0;
    return status;
}

/* ---- the end ---- */

int sh_publish_abandon(sh_publish *p, sh_err *err)
{
    int status = 0;
    if (p->done)
        return sh_fail(err, SH_E_ARGUMENT, "%s: published already", p->folder);
    if (sh_publish_has(p->staging, SH_PUBLISH_DECIDED, NULL) ||
        sh_publish_has(p->folder, p->version, SH_PUBLISH_DECIDED))
        return sh_fail(err, SH_E_CONFLICT,
                       "%s: the publication is decided and cannot be given up; the next run finishes it",
                       p->folder);
    if (p->live)
        status = sh_publish_restore(p->folder, p->version, err);
    if (status == 0)
        status = sh_publish_discard(p->folder, p->entry, err);
    if (status == 0 && p->made)
        rmdir(p->folder); /* stays where something else came into it */
    p->done = status == 0;
    return status;
}

void sh_publish_close(sh_publish *p)
{
    if (!p)
        return;
    if (p->lock >= 0)
        close(p->lock);
    free(p);
}

int sh_publish_recover(const char *folder, bool *found, sh_err *err)
{
    int lock = -1;
    bool any = false;
    int status = take_lock(folder, &lock, err);
    if (status < 0)
        return status;
    status = sh_publish_finish(folder, &any, err);
    close(lock);
    if (status == 0 && found)
        *found = any;
    return status;
}
