/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_MODELS_H
#define SH_CLI_MODELS_H
/* Where models are found. */
#include "base/err.h"
#include <stddef.h>

#define SH_MODEL_DEFAULT "fast"

/* Writes the path of a model to `path` (`size` bytes). A value with '/' in it or ending in ".onnx" is a file
 * and taken as it is. Any other is a name, looked for as NAME.onnx in $ONNX_DIR, then beside the program:
 * ../models and ../share/spyhop/models. Where ONNX_DIR is set and the folder, or the model in it, is not
 * there, what is installed is used with a warning. SH_E_NOT_FOUND with the folders that were looked in and
 * the models that there are. */
int sh_model_path(const char *name_or_file, char *path, size_t size, sh_err *err);

#endif
