/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_case.h"
#include "base/file.h"
#include "cloud/store/object_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char root[] = "/tmp/spyhop-store-XXXXXX";
char data[PATH_MAX];
sh_objects store;
sh_arena *arena;
int64_t now;

static int64_t test_now(void *opaque)
{
    (void)opaque;
    return now;
}

static const sh_clock test_clock = {test_now, NULL};

void open_store(void)
{
    char path[PATH_MAX + 16];
    sh_err err = {0};
    snprintf(path, sizeof(path), "%s/spyhop.db", data);
    store =
        (sh_objects){.clock = &test_clock, .data = data, .region = "eu-west-1", .account = "012345678901"};
    assert_int_equal(sh_db_open(&store.db, path, &err), 0);
    assert_int_equal(sh_objects_recover(&store, &err), 0);
}

int set_up(void **state)
{
    (void)state;
    now = START;
    memcpy(root + strlen(root) - 6, "XXXXXX", 6);
    if (!mkdtemp(root))
        return -1;
    snprintf(data, sizeof(data), "%s/data", root);
    assert_int_equal(sh_dir_make(data, 0700, NULL), 0);
    arena = sh_arena_new(64 << 20);
    open_store();
    return sh_bucket_create(&store, "bucket", "eu-west-1", NULL);
}

int tear_down(void **state)
{
    (void)state;
    sh_db_close(store.db);
    sh_arena_free(arena);
    return sh_dir_remove(root, NULL);
}

const char *stage(const char *text)
{
    int fd;
    char *path = sh_arena_alloc(arena, SH_STAGE_PATH);
    assert_int_equal(sh_stage_file(&store, path, &fd, NULL), 0);
    assert_int_equal(sh_fd_write(fd, text, strlen(text), NULL), 0);
    close(fd);
    return path;
}

const char *content(const char *key)
{
    sh_object object;
    int fd;
    char *text = sh_arena_alloc(arena, 1000);
    if (sh_object_open(&store, "bucket", key, arena, &object, &fd, NULL) < 0)
        return NULL;
    ssize_t got = read(fd, text, 999);
    close(fd);
    assert_int_equal(got, object.size);
    text[got] = '\0';
    return text;
}

int count_in(const char *folder)
{
    char path[PATH_MAX + 300];
    int count = 0;
    snprintf(path, sizeof(path), "%s/%s", data, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

int object_files(void)
{
    int count = 0;
    for (int i = 0; i < 256; i++) {
        char folder[16];
        snprintf(folder, sizeof(folder), "objects/%02x", (unsigned)i & 255);
        count += count_in(folder);
    }
    return count;
}
