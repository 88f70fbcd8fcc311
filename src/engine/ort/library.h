/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ORT_LIBRARY_H
#define SH_ENGINE_ORT_LIBRARY_H
/* Finds and loads the library. Once loaded it stays in the process: a process that may open no files later
 * can load a model before, and again then. */
#include "base/err.h"
#include "engine/ort/ort_api.h"

typedef struct sh_ort_library {
    const ort_api *api;
    const char *version;
} sh_ort_library;

int sh_ort_library_load(sh_ort_library *library, sh_err *err);

#endif
