/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/models.h"
#include "base/buf.h"
#include "base/log.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDING ".onnx"

enum { FOLDERS = 3, LISTED = 64, SHOWN = 180 /* bytes of a list of names in a message */ };

/* ONNX_DIR's folder ("" where it is not set), then those of the installation. */
typedef struct folders {
    char path[FOLDERS][PATH_MAX];
} folders;

static int is_file_name(const char *value)
{
    size_t length = strlen(value), ending = strlen(ENDING);
    return strchr(value, '/') || (length >= ending && strcmp(value + length - ending, ENDING) == 0);
}

/* The folder that the running program lies in; "." if /proc is not there. */
static void program_folder(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    else
        snprintf(folder, size, ".");
}

static void find_folders(folders *f)
{
    static const char *const beside[] = {"/../models", "/../share/spyhop/models"};
    const char *given = getenv("ONNX_DIR");
    char program[PATH_MAX - 32];
    program_folder(program, sizeof(program));
    snprintf(f->path[0], PATH_MAX, "%s", given ? given : "");
    for (int i = 1; i < FOLDERS; i++)
        snprintf(f->path[i], PATH_MAX, "%s%s", program, beside[i - 1]);
}

/* The first folder that has the model, or -1. */
static int find(const folders *f, const char *name, char *path, size_t size)
{
    for (int i = 0; i < FOLDERS; i++) {
        char candidate[PATH_MAX + NAME_MAX];
        int length = snprintf(candidate, sizeof(candidate), "%s/%s" ENDING, f->path[i], name);
        if (!*f->path[i] || length < 0 || length >= (int)sizeof(candidate) || (size_t)length >= size ||
            access(candidate, R_OK) != 0)
            continue;
        memcpy(path, candidate, (size_t)length + 1);
        return i;
    }
    return -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The name of a model's file without its ending, NULL for any other file. The caller frees it. */
static char *model_name(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), ending = strlen(ENDING);
    if (length <= ending || strcmp(entry->d_name + length - ending, ENDING) != 0)
        return NULL;
    return strndup(entry->d_name, length - ending);
}

/* Names of one folder to names[count..], those left out that stand there already. The new count. */
static int list_folder(const char *folder, char **names, int count)
{
    DIR *stream = *folder ? opendir(folder) : NULL;
    struct dirent *entry;
    while (stream && count < LISTED && (entry = readdir(stream))) {
        char *name = model_name(entry);
        int known = !name;
        for (int i = 0; i < count && !known; i++)
            known = strcmp(names[i], name) == 0;
        if (known)
            free(name);
        else
            names[count++] = name;
    }
    if (stream)
        closedir(stream);
    return count;
}

static int report_missing(const folders *f, const char *name, sh_err *err)
{
    char *names[LISTED];
    int count = 0;
    sh_buf searched, there;
    sh_buf_init(&searched, 16384);
    sh_buf_init(&there, 32768);
    for (int i = 0; i < FOLDERS; i++) {
        if (*f->path[i])
            sh_buf_printf(&searched, "%s%s", searched.length ? ", " : "", f->path[i]);
        count = list_folder(f->path[i], names, count);
    }
    qsort(names, (size_t)count, sizeof(*names), by_name);
    for (int i = 0; i < count; i++) {
        if (there.length < SHOWN)
            sh_buf_printf(&there, "%s%s", i ? ", " : "",
                          there.length + strlen(names[i]) < SHOWN ? names[i] : "...");
        free(names[i]);
    }
    int status =
        sh_fail(err, SH_E_NOT_FOUND,
                "there is no model \"%.64s\"; %s%.250s. Give one of them, the path of an ONNX file, or set "
                "ONNX_DIR to the folder of models (looked in %.150s)",
                name, count ? "there are: " : "there are none", sh_buf_cstr(&there), sh_buf_cstr(&searched));
    sh_buf_free(&searched);
    sh_buf_free(&there);
    return status;
}

int sh_model_path(const char *name_or_file, char *path, size_t size, sh_err *err)
{
    folders f;
    if (is_file_name(name_or_file)) {
        if ((size_t)snprintf(path, size, "%s", name_or_file) >= size)
            return sh_fail(err, SH_E_ARGUMENT, "the model's path is longer than %zu bytes", size - 1);
        return 0;
    }
    find_folders(&f);
    int found = find(&f, name_or_file, path, size);
    if (found < 0)
        return report_missing(&f, name_or_file, err);
    if (found > 0 && *f.path[0])
        sh_log(SH_LOG_WARNING, "models", "ONNX_DIR is %s, which %s: the installed %s is used", f.path[0],
               access(f.path[0], X_OK) != 0 ? "cannot be opened" : "does not have that model", path);
    return 0;
}
