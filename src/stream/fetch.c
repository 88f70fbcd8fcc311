/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/fetch.h"

#include <ctype.h>
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDIRECTS_MOST 5L
#define DEPTH_MOST 16

struct sh_fetch {
    int folder; /* -1: a URL */
    char *location;
    CURL *curl;
    char problem[CURL_ERROR_SIZE];
    bool (*cancelled)(void *opaque);
    void *cancelled_opaque;
};

static pthread_once_t curl_begun = PTHREAD_ONCE_INIT;

static void begin_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

static int on_progress(void *opaque, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const sh_fetch *f = opaque;
    return f->cancelled && f->cancelled(f->cancelled_opaque);
}

void sh_fetch_watch(sh_fetch *fetch, bool (*cancelled)(void *opaque), void *opaque)
{
    fetch->cancelled = cancelled;
    fetch->cancelled_opaque = opaque;
}

bool sh_fetch_remote(const sh_fetch *fetch)
{
    return fetch->folder < 0;
}

void sh_fetch_close(sh_fetch *fetch)
{
    if (!fetch)
        return;
    if (fetch->folder >= 0)
        close(fetch->folder);
    if (fetch->curl)
        curl_easy_cleanup(fetch->curl);
    free(fetch->location);
    free(fetch);
}

static int open_curl(sh_fetch *f, int seconds, sh_err *err)
{
    pthread_once(&curl_begun, begin_curl);
    f->curl = curl_easy_init();
    if (!f->curl)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(f->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(f->curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(f->curl, CURLOPT_MAXREDIRS, REDIRECTS_MOST);
    curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, (long)seconds);
    curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT, (long)(seconds < 20 ? seconds : 20));
    curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(f->curl, CURLOPT_USERAGENT, "spyhop-check");
    curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, f->problem);
    curl_easy_setopt(f->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(f->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(f->curl, CURLOPT_XFERINFODATA, f);
    return 0;
}

int sh_fetch_open(sh_fetch **out, const char *location, int seconds, sh_err *err)
{
    int status;
    sh_fetch *f = calloc(1, sizeof(*f));
    if (!f || !(f->location = strdup(location))) {
        free(f);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    f->folder = -1;
    if (is_url(location)) {
        status = open_curl(f, seconds, err);
    } else if (strstr(location, "://")) {
        status = sh_fail(err, SH_E_ARGUMENT, "%s: only http and https URLs, and folders, are read", location);
    } else {
        f->folder = open(location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        status = f->folder < 0 ? sh_fail_errno(err, errno, "%s", location) : 0;
    }
    if (status < 0)
        sh_fetch_close(f);
    else
        *out = f;
    return status;
}

/* ---- names ---- */

static int hex(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Percent-encoding undone. False: it is malformed, too long, or hides a NUL. */
static bool decode(char *out, size_t size, const char *text, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            if (i + 2 >= length || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
                return false;
            c = hex(text[i + 1]) << 4 | hex(text[i + 2]);
            i += 2;
        }
        if (c < 0x20 || c == 0x7F || n + 1 >= size)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n > 0;
}

/* A path below the folder, "." and ".." taken out. False: it leads outside. */
static bool tidy(char *path)
{
    char *parts[64], *save = NULL;
    size_t count = 0, length = 0;
    if (*path == '/')
        return false;
    for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            if (count == 0)
                return false;
            count--;
            continue;
        }
        if (count == DEPTH_MOST)
            return false;
        parts[count++] = part;
    }
    for (size_t i = 0; i < count; i++) {
        const size_t n = strlen(parts[i]);
        if (i > 0)
            path[length++] = '/';
        memmove(path + length, parts[i], n);
        length += n;
    }
    path[length] = '\0';
    return count > 0;
}

static int resolve_path(char *name, const char *base, const char *reference, size_t length, sh_err *err)
{
    const char *slash = base ? strrchr(base, '/') : NULL;
    const size_t before = slash ? (size_t)(slash - base) + 1 : 0;
    const char *colon = memchr(reference, ':', length), *first = memchr(reference, '/', length);
    if (colon && (!first || colon < first))
        return sh_fail(err, SH_E_FORMAT, "\"%.*s\" is not in this folder", (int)(length < 200 ? length : 200),
                       reference);
    if (before >= SH_FETCH_NAME || memchr(reference, '?', length) || memchr(reference, '#', length) ||
        !decode(name + before, SH_FETCH_NAME - before, reference, length) || name[before] == '/')
        return sh_fail(err, SH_E_FORMAT, "\"%.*s\" is no relative path", (int)(length < 200 ? length : 200),
                       reference);
    memcpy(name, base ? base : "", before);
    if (!tidy(name))
        return sh_fail(err, SH_E_FORMAT, "\"%.*s\" leads outside the folder",
                       (int)(length < 200 ? length : 200), reference);
    return 0;
}

static int resolve_url(const sh_fetch *f, char *name, const char *base, const char *reference, size_t length,
                       sh_err *err)
{
    char *text = strndup(reference, length), *whole = NULL, *scheme = NULL;
    CURLU *url = curl_url();
    int status = text && url ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0 && (length == 0 || strlen(text) != length ||
                        curl_url_set(url, CURLUPART_URL, base ? base : f->location, 0) != CURLUE_OK ||
                        curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
                        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
                        curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK))
        status = sh_fail(err, SH_E_FORMAT, "\"%.200s\" is no URL", text);
    if (status == 0 && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        status = sh_fail(err, SH_E_FORMAT, "\"%.200s\" is neither http nor https", text);
    if (status == 0 && (size_t)snprintf(name, SH_FETCH_NAME, "%s", whole) >= SH_FETCH_NAME)
        status = sh_fail(err, SH_E_LIMIT, "a URL is longer than %d bytes", SH_FETCH_NAME);
    curl_free(scheme);
    curl_free(whole);
    curl_url_cleanup(url);
    free(text);
    return status;
}

int sh_fetch_resolve(const sh_fetch *fetch, char *name, const char *base, const char *reference,
                     size_t length, sh_err *err)
{
    return sh_fetch_remote(fetch) ? resolve_url(fetch, name, base, reference, length, err)
                                  : resolve_path(name, base, reference, length, err);
}

/* ---- reading ---- */

/* Opens the path part by part, so that no part is followed as a link. */
static int open_below(int folder, const char *name)
{
    char path[SH_FETCH_NAME], *save = NULL;
    int at = folder;
    snprintf(path, sizeof(path), "%s", name);
    char *part = strtok_r(path, "/", &save);
    while (part) {
        char *next = strtok_r(NULL, "/", &save);
        const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (next ? O_DIRECTORY : 0);
        const int fd = openat(at, part, flags);
        const int kept = errno;
        if (at != folder)
            close(at);
        errno = kept;
        if (fd < 0)
            return -1;
        at = fd;
        part = next;
    }
    return at;
}

static int read_fd(int fd, int64_t size, const char *name, sh_buf *out, sh_err *err)
{
    if (sh_buf_reserve(out, (size_t)size) < 0)
        return sh_fail(err, SH_E_LIMIT, "%s has %" PRId64 " bytes", name, size);
    while ((int64_t)out->length < size) {
        ssize_t got = read(fd, out->data + out->length, (size_t)size - out->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "%s", name);
        if (got == 0)
            return sh_fail(err, SH_E_IO, "%s became shorter while it was read", name);
        out->length += (size_t)got;
        out->data[out->length] = '\0';
    }
    return 0;
}

static int read_file(const sh_fetch *f, const char *name, sh_buf *out, sh_err *err)
{
    struct stat info;
    int fd = open_below(f->folder, name), status = 0;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? sh_fail(err, SH_E_NOT_FOUND, "%s is not there", name)
               : errno == ELOOP                    ? sh_fail(err, SH_E_FORMAT, "%s is a symbolic link", name)
                                                   : sh_fail_errno(err, errno, "%s", name);
    if (fstat(fd, &info) < 0)
        status = sh_fail_errno(err, errno, "%s", name);
    else if (!S_ISREG(info.st_mode))
        status = sh_fail(err, SH_E_FORMAT, "%s is no file", name);
    else if (info.st_size < 0 || (uint64_t)info.st_size >= out->maximum)
        status = sh_fail(err, SH_E_LIMIT, "%s has %" PRId64 " bytes", name, (int64_t)info.st_size);
    else
        status = read_fd(fd, info.st_size, name, out, err);
    close(fd);
    return status;
}

static size_t on_bytes(char *bytes, size_t one, size_t count, void *opaque)
{
    return sh_buf_append(opaque, bytes, one * count) == 0 ? one * count : 0;
}

static int read_url(sh_fetch *f, const char *name, sh_buf *out, sh_fetched *info, sh_err *err)
{
    long code = 0, redirects = 0;
    f->problem[0] = '\0';
    curl_easy_setopt(f->curl, CURLOPT_URL, name);
    curl_easy_setopt(f->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)out->maximum);
    curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, out);
    CURLcode result = curl_easy_perform(f->curl);
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(f->curl, CURLINFO_REDIRECT_COUNT, &redirects);
    info->redirects = (int)redirects;
    if (out->failed || result == CURLE_FILESIZE_EXCEEDED)
        return sh_fail(err, SH_E_LIMIT, "%s is larger than %zu bytes", name, out->maximum);
    if (result == CURLE_ABORTED_BY_CALLBACK)
        return sh_fail(err, SH_E_CANCELLED, "interrupted");
    if (result == CURLE_TOO_MANY_REDIRECTS)
        return sh_fail(err, SH_E_FORMAT, "%s leads through more than %ld redirects", name, REDIRECTS_MOST);
    if (result != CURLE_OK)
        return sh_fail(err, SH_E_IO, "%s: %s", name, *f->problem ? f->problem : curl_easy_strerror(result));
    if (code != 200)
        return sh_fail(err, SH_E_NOT_FOUND, "%s: the server says %ld", name, code);
    return 0;
}

int sh_fetch_read(sh_fetch *fetch, const char *name, sh_buf *out, sh_fetched *info, sh_err *err)
{
    sh_fetched own = {0};
    sh_buf_clear(out);
    int status =
        sh_fetch_remote(fetch) ? read_url(fetch, name, out, &own, err) : read_file(fetch, name, out, err);
    if (info)
        *info = own;
    return status;
}

/* ---- listing ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_in(const char *name, const char *suffix)
{
    const size_t n = strlen(name), s = strlen(suffix);
    return n > s && name[0] != '.' && strcmp(name + n - s, suffix) == 0;
}

int sh_fetch_list(const sh_fetch *fetch, const char *suffix, char **names, size_t most, size_t *count,
                  sh_err *err)
{
    size_t n = 0;
    struct dirent *entry;
    *count = 0;
    if (sh_fetch_remote(fetch))
        return 0;
    int fd = openat(fetch->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        const int status = sh_fail_errno(err, errno, "%s", fetch->location);
        if (fd >= 0)
            close(fd);
        return status;
    }
    int status = 0;
    while (status == 0 && n < most && (entry = readdir(folder)))
        if (ends_in(entry->d_name, suffix) && !(names[n++] = strdup(entry->d_name)))
            status = sh_fail(err, SH_E_MEMORY, "memory is short");
    closedir(folder);
    if (status == 0) {
        qsort(names, n, sizeof(*names), by_name);
        *count = n;
        return 0;
    }
    while (n > 0)
        free(names[--n]);
    return status;
}
