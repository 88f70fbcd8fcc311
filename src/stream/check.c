/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which manifests a stream has, and the order in which it is looked at. */
#include "stream/check_inner.h"

#include <stdlib.h>
#include <string.h>

#define MANIFESTS_MOST 64
#define FILE_MOST (INT64_C(1) << 30)

static bool ends_in(const char *name, const char *suffix)
{
    const size_t n = strcspn(name, "?#"), s = strlen(suffix);
    return n >= s && strncasecmp(name + n - s, suffix, s) == 0;
}

static int note(sh_checker *c, const char *name)
{
    sh_stream_report *r = c->report;
    char **grown = reallocarray(r->manifests, r->manifest_count + 1, sizeof(*grown));
    char *copy = strdup(name);
    if (grown)
        r->manifests = grown;
    if (!grown || !copy) {
        free(copy);
        return sh_check_memory(c);
    }
    r->manifests[r->manifest_count++] = copy;
    return 0;
}

static void check_manifest(sh_checker *c, const char *name)
{
    if (c->status < 0 || note(c, name) < 0)
        return;
    if (ends_in(name, ".mpd"))
        sh_check_mpd(c, name);
    else
        sh_check_playlist(c, name);
}

/* ---- finding them ---- */

static bool is_master(sh_checker *c, const char *name)
{
    const sh_buf *bytes = sh_check_bytes(c, name, 0, name, true);
    return bytes && memmem(sh_buf_cstr(bytes), bytes->length, "#EXT-X-STREAM-INF", 17);
}

static void check_folder(sh_checker *c)
{
    char *lists[MANIFESTS_MOST], *mpds[MANIFESTS_MOST];
    size_t list_count = 0, mpd_count = 0, masters = 0;
    bool master[MANIFESTS_MOST] = {false};
    int status = sh_fetch_list(c->fetch, ".m3u8", lists, MANIFESTS_MOST, &list_count, c->err);
    if (status == 0)
        status = sh_fetch_list(c->fetch, ".mpd", mpds, MANIFESTS_MOST, &mpd_count, c->err);
    if (status == 0 && list_count + mpd_count == 0)
        status =
            sh_fail(c->err, SH_E_NOT_FOUND, "there is no playlist (.m3u8) and no MPD (.mpd) in the folder");
    c->status = status;
    for (size_t i = 0; i < list_count; i++)
        masters += master[i] = is_master(c, lists[i]);
    for (size_t i = 0; i < list_count; i++) {
        if (masters == 0 || master[i])
            check_manifest(c, lists[i]);
        free(lists[i]);
    }
    for (size_t i = 0; i < mpd_count; i++) {
        check_manifest(c, mpds[i]);
        free(mpds[i]);
    }
}

/* A URL that ends in '/' has index.m3u8, index.mpd, or both. */
static void check_url(sh_checker *c, const char *location)
{
    static const char *const names[] = {"index.m3u8", "index.mpd"};
    size_t found = 0;
    char name[SH_FETCH_NAME];
    if (!ends_in(location, "/")) {
        if (sh_check_bytes(c, location, 0, location, true))
            check_manifest(c, location);
        else if (c->status == 0)
            c->status = sh_fail(c->err, c->why.status, "%s", c->why.message);
        return;
    }
    for (size_t i = 0; i < 2 && c->status == 0; i++)
        if (sh_fetch_resolve(c->fetch, name, NULL, names[i], strlen(names[i]), c->err) == 0 &&
            sh_check_bytes(c, name, 0, name, true)) {
            check_manifest(c, name);
            found++;
        }
    if (found == 0 && c->status == 0)
        c->status = sh_fail(c->err, SH_E_NOT_FOUND, "there is neither index.m3u8 nor index.mpd: %s",
                            c->why.message[0] ? c->why.message : "the URL names no host");
}

static void check_named(sh_checker *c, const sh_stream_source *source)
{
    char name[SH_FETCH_NAME];
    for (size_t i = 0; i < source->manifest_count && c->status == 0; i++) {
        const char *wanted = source->manifests[i];
        if (sh_fetch_remote(c->fetch)) {
            c->status = sh_fetch_resolve(c->fetch, name, NULL, wanted, strlen(wanted), c->err);
            if (c->status == 0)
                check_manifest(c, name);
        } else {
            check_manifest(c, wanted);
        }
    }
}

/* ---- the whole ---- */

static void check_all(sh_checker *c, const sh_stream_source *source)
{
    if (source->manifest_count > 0)
        check_named(c, source);
    else if (sh_fetch_remote(c->fetch))
        check_url(c, source->location);
    else
        check_folder(c);
    if (c->status == 0)
        sh_check_across(c);
    if (c->status == 0)
        sh_check_thumbnails(c);
    if (c->status == 0 && c->options->decode)
        sh_check_decode_all(c);
    if (c->status == 0 && c->options->plan)
        sh_check_plan(c);
}

int sh_stream_check(sh_stream_report *report, const sh_stream_source *source,
                    const sh_stream_check_options *options, sh_err *err)
{
    const sh_stream_check_options none = {0};
    sh_err own = {0};
    sh_checker *c = calloc(1, sizeof(*c));
    if (!c || !(c->ts = malloc(sizeof(*c->ts)))) {
        free(c);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    c->options = options ? options : &none;
    c->report = report;
    c->err = err ? err : &own;
    sh_ts_reader_init(c->ts);
    sh_buf_init(&c->last, (size_t)(c->options->file_most > 0 ? c->options->file_most : FILE_MOST));
    const int seconds = c->options->seconds > 0 ? c->options->seconds : 60;
    c->status = sh_fetch_open(&c->fetch, source->location, seconds, c->err);
    if (c->status == 0) {
        sh_fetch_watch(c->fetch, c->options->cancelled, c->options->cancelled_opaque);
        check_all(c, source);
    }
    const int status = c->status;
    for (size_t i = 0; i < c->track_count; i++)
        sh_check_track_free(c->tracks[i]);
    sh_check_files_free(c);
    sh_fetch_close(c->fetch);
    free(c->ts);
    free(c);
    return status;
}
