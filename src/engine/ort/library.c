/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/ort/library.h"
#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>

#define SONAME "libonnxruntime.so.1"

#if defined(__x86_64__)
#define NPM_CPU "x64"
#elif defined(__aarch64__)
#define NPM_CPU "arm64"
#else
#define NPM_CPU "none"
#endif

static const char *const npm_places[] = {
    "/usr/local/lib/node_modules/onnxruntime-node/bin/napi-v*/linux/" NPM_CPU "/" SONAME,
    "/usr/lib/node_modules/onnxruntime-node/bin/napi-v*/linux/" NPM_CPU "/" SONAME,
};

static const char advice[] = "ONNX Runtime would run it: \"npm install onnxruntime-node\" brings a " SONAME
                             "; name that file in SPYHOP_ORT";

/* Bound at once, and kept until the process ends. */
static void *load(const char *file)
{
    return dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static void *load_first(const char *pattern)
{
    glob_t found = {0};
    void *handle = NULL;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = found.gl_pathc; i > 0 && !handle; i--)
            handle = load(found.gl_pathv[i - 1]);
    globfree(&found);
    return handle;
}

/* What the process has loaded already is taken first: it may not be able to open files any more. */
static void *find(sh_err *err)
{
    const char *given = secure_getenv("SPYHOP_ORT");
    void *handle = NULL;
    if (given && *given) {
        handle = load(given);
        if (!handle)
            sh_fail(err, SH_E_NOT_FOUND, "SPYHOP_ORT: %s", dlerror());
        return handle;
    }
    if (!given) {
        handle = dlopen(SONAME, RTLD_NOW | RTLD_NOLOAD);
        handle = handle ? handle : load(SONAME);
        handle = handle ? handle : load("libonnxruntime.so");
        for (size_t i = 0; i < sizeof(npm_places) / sizeof(npm_places[0]) && !handle; i++)
            handle = load_first(npm_places[i]);
    }
    if (!handle)
        sh_fail(err, SH_E_NOT_FOUND, "%s", advice);
    return handle;
}

int sh_ort_library_load(sh_ort_library *library, sh_err *err)
{
    void *handle = find(err);
    if (!handle)
        return SH_E_NOT_FOUND;
    const ort_api_base *(*get_base)(void);
    *(void **)&get_base = dlsym(handle, "OrtGetApiBase");
    const ort_api_base *base = get_base ? get_base() : NULL;
    const ort_api *api = base ? base->get_api(1) : NULL;
    if (!api) {
        dlclose(handle);
        return sh_fail(err, SH_E_NOT_FOUND, "the library found as ONNX Runtime is not it: %s", advice);
    }
    *library = (sh_ort_library){api, base->get_version()};
    dlclose(handle); /* it stays */
    return SH_OK;
}
