/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spyhop_models.h"

#include "libavutil/avstring.h"
#include "libavutil/bprint.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/mem.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDING ".onnx"
#define MAX_LISTED 64 /* names in a message */

/* A leading '@' stands for the folder of the running program. */
static const char *const installed[] = {"@/../models", "@/../../models", "@/../share/spyhop/models",
                                        "/usr/local/share/spyhop/models", "/usr/share/spyhop/models"};
#define INSTALLED ((int)(sizeof(installed) / sizeof(*installed)))

int spyhop_filter_error(int status)
{
    switch (status) {
    case SPYHOP_E_MEMORY:
        return AVERROR(ENOMEM);
    case SPYHOP_E_IO:
        return AVERROR(EIO);
    case SPYHOP_E_FORMAT:
        return AVERROR_INVALIDDATA;
    case SPYHOP_E_UNSUPPORTED:
        return AVERROR(ENOSYS);
    case SPYHOP_E_NOT_FOUND:
        return AVERROR(ENOENT);
    case SPYHOP_E_INTERNAL:
        return AVERROR_BUG;
    default:
        return AVERROR(EINVAL);
    }
}

static int is_file_name(const char *name)
{
    size_t length = strlen(name), ending = strlen(ENDING);
    return strchr(name, '/') || (length >= ending && !strcmp(name + length - ending, ENDING));
}

/* Folder `index`, 0 being ONNX_DIR's; "" where that is not set. Returns 0, or -1 for an index past the last.
 */
static int folder(char *path, int size, int index)
{
    const char *given = getenv("ONNX_DIR"), *text;
    char program[PATH_MAX];
    if (index > INSTALLED)
        return -1;
    text = index ? installed[index - 1] : given ? given : "";
    if (*text == '@') {
        ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
        program[length > 0 ? length : 0] = '\0';
        *(strrchr(program, '/') ? strrchr(program, '/') : program) = '\0';
        snprintf(path, size, "%s%s", program, text + 1);
    } else {
        snprintf(path, size, "%s", text);
    }
    return 0;
}

/* Writes the path of a file that can be read and returns the index of its folder, or -1. */
static int find(char *path, int size, const char *name)
{
    char where[PATH_MAX];
    for (int i = 0; folder(where, sizeof(where), i) == 0; i++)
        if (*where && snprintf(path, size, "%s/%s%s", where, name, ENDING) < size && access(path, R_OK) == 0)
            return i;
    return -1;
}

/* Appends the names of the models in folder `index`, but those that an earlier folder has. */
static void list_models(AVBPrint *text, const char *where, int index, int *count)
{
    char name[NAME_MAX + 1], path[PATH_MAX];
    DIR *stream = *where ? opendir(where) : NULL;
    struct dirent *entry;
    while (stream && (entry = readdir(stream)) && *count < MAX_LISTED) {
        const char *end = strrchr(entry->d_name, '.');
        if (!end || strcmp(end, ENDING))
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(end - entry->d_name), entry->d_name);
        if (find(path, sizeof(path), name) == index)
            av_bprintf(text, "%s%s", ++*count > 1 ? ", " : "", name);
    }
    if (stream)
        closedir(stream);
}

static int report_missing(const char *name, void *log)
{
    char where[PATH_MAX];
    AVBPrint searched, models;
    int count = 0;
    av_bprint_init(&searched, 0, AV_BPRINT_SIZE_UNLIMITED);
    av_bprint_init(&models, 0, AV_BPRINT_SIZE_UNLIMITED);
    for (int i = 0; folder(where, sizeof(where), i) == 0; i++) {
        if (!*where)
            continue;
        av_bprintf(&searched, "%s%s", searched.len ? ", " : "", where);
        list_models(&models, where, i, &count);
    }
    av_log(log, AV_LOG_ERROR,
           "There is no model \"%s\" (no %s" ENDING
           " in %s). %s%s. Give one of them, or the path of an ONNX file, "
           "or set ONNX_DIR to the folder of models.\n",
           name, name, searched.str, count ? "There are: " : "There are none there", models.str);
    av_bprint_finalize(&searched, NULL);
    av_bprint_finalize(&models, NULL);
    return AVERROR(ENOENT);
}

static int read_model(spyhop_model **out, const char *path, void *log)
{
    spyhop_error error;
    int status = spyhop_model_load(out, path, &error);
    if (status == 0)
        return 0;
    av_log(log, AV_LOG_ERROR, "%s\n", error.message);
    return spyhop_filter_error(status);
}

int spyhop_filter_load_model(spyhop_model **out, const char *name, int scale, void *log)
{
    char path[PATH_MAX], full[256];
    const char *given = getenv("ONNX_DIR");
    int found;
    if (is_file_name(name))
        return scale ? AVERROR(ENOENT) : read_model(out, name, log);
    if (scale)
        snprintf(full, sizeof(full), "%.200s_x%d", name, scale);
    else
        snprintf(full, sizeof(full), "%.200s", name);
    found = find(path, sizeof(path), full);
    if (found < 0)
        return scale ? AVERROR(ENOENT) : report_missing(full, log);
    if (found > 0 && given && *given)
        av_log(log, AV_LOG_WARNING, "ONNX_DIR is %s, %s: using the installed %s\n", given,
               access(given, X_OK) ? "which cannot be opened" : "which does not have the model", path);
    return read_model(out, path, log);
}
