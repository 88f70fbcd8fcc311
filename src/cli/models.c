/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/models.h"
#include "base/buf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_file_name(const char *value)
{
    static const char ending[] = ".onnx";
    size_t length = strlen(value);
    return strchr(value, '/') ||
           (length >= sizeof(ending) - 1 && strcmp(value + length - (sizeof(ending) - 1), ending) == 0);
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

static int try_folder(const char *folder, const char *between, const char *name, char *path, size_t size,
                      sh_buf *tried)
{
    char candidate[PATH_MAX];
    int length = snprintf(candidate, sizeof(candidate), "%s%s/%s.onnx", folder, between, name);
    if (length < 0 || length >= (int)sizeof(candidate) || (size_t)length >= size)
        return 0;
    if (access(candidate, R_OK) == 0) {
        memcpy(path, candidate, (size_t)length + 1);
        return 1;
    }
    sh_buf_printf(tried, "%s%s%s", tried->length ? ", " : "", folder, between);
    return 0;
}

int sh_model_path(const char *name_or_file, char *path, size_t size, sh_err *err)
{
    char folder[PATH_MAX];
    const char *given = getenv("ONNX_DIR");
    sh_buf tried;
    int status = 0;
    if (is_file_name(name_or_file)) {
        if ((size_t)snprintf(path, size, "%s", name_or_file) >= size)
            return sh_fail(err, SH_E_ARGUMENT, "the model's path is longer than %zu bytes", size - 1);
        return 0;
    }
    sh_buf_init(&tried, 8192);
    program_folder(folder, sizeof(folder));
    if (!(given && *given && try_folder(given, "", name_or_file, path, size, &tried)) &&
        !try_folder(folder, "/../models", name_or_file, path, size, &tried) &&
        !try_folder(folder, "/../share/spyhop/models", name_or_file, path, size, &tried))
        status = sh_fail(
            err, SH_E_NOT_FOUND,
            "there is no model \"%.64s\" (no %.64s.onnx in %s): give the path of an ONNX file, or set "
            "ONNX_DIR to the folder of models",
            name_or_file, name_or_file, sh_buf_cstr(&tried));
    sh_buf_free(&tried);
    return status;
}
