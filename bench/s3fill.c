/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills a data folder that no server works on with many empty objects, through the store's own functions:
 *
 *   s3fill DIR BUCKET FOLDERS OBJECTS   FOLDERS x OBJECTS keys "folder-00000/object-00000" …
 *
 * Only the waiting for the disk is left out, by a fsync and a fdatasync of this program's own: a million
 * objects would take an hour otherwise. */
#include "base/clock.h"
#include "base/file.h"
#include "cloud/store/objects.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 1000 };

__attribute__((visibility("default"))) int fsync(int fd)
{
    (void)fd;
    return 0;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

static int put_batch(const sh_objects *objects, const char *bucket, long folder, long first, long count,
                     sh_err *err)
{
    static char paths[BATCH][SH_STAGE_PATH];
    static char keys[BATCH][64];
    static sh_object_new items[BATCH];
    int status = 0, fd;
    for (long i = 0; status == 0 && i < count; i++) {
        status = sh_stage_file(objects, paths[i], &fd, err);
        if (status == 0)
            close(fd);
        snprintf(keys[i], sizeof(keys[i]), "folder-%05ld/object-%05ld", folder, first + i);
        items[i] = (sh_object_new){
            .bucket = bucket, .key = keys[i], .path = paths[i], .etag = "d41d8cd98f00b204e9800998ecf8427e"};
    }
    return status < 0 ? status : sh_objects_publish(objects, items, (size_t)count, NULL, err);
}

static int fill(const sh_objects *objects, const char *bucket, long folders, long count, sh_err *err)
{
    int status = sh_bucket_create(objects, bucket, "us-east-1", err);
    for (long f = 0; status == 0 && f < folders; f++)
        for (long o = 0; status == 0 && o < count; o += BATCH)
            status = put_batch(objects, bucket, f, o, count - o < BATCH ? count - o : BATCH, err);
    return status;
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    sh_err err = {0};
    if (argc != 5) {
        fprintf(stderr, "usage: s3fill DIR BUCKET FOLDERS OBJECTS\n");
        return 2;
    }
    sh_objects objects = {
        .clock = &sh_clock_system, .data = argv[1], .region = "us-east-1", .account = "000000000000"};
    snprintf(path, sizeof(path), "%s/spyhop.db", argv[1]);
    int status = sh_dir_make(argv[1], 0700, &err);
    if (status == 0)
        status = sh_db_open(&objects.db, path, &err);
    if (status == 0)
        status = sh_objects_recover(&objects, &err);
    if (status == 0)
        status = fill(&objects, argv[2], strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10), &err);
    sh_db_close(objects.db);
    if (status < 0)
        fprintf(stderr, "s3fill: %s\n", err.message);
    return status < 0;
}
