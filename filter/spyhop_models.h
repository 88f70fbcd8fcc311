/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPYHOP_FILTER_MODELS_H
#define SPYHOP_FILTER_MODELS_H
/*
 * From a model's name to its file, for programs that were not installed by Spyhop.
 *
 * A name that has a '/' or ends in ".onnx" is a file and is taken as it stands. Any other, NAME, is NAME.onnx
 * in the first of these folders that has it:
 *     $ONNX_DIR                                       if it is set
 *     ../models, ../../models, ../share/spyhop/models beside the running program
 *     /usr/local/share/spyhop/models, /usr/share/spyhop/models
 * A network for another scale lies beside it as NAME_x3.onnx, NAME_x4.onnx.
 */
#include <spyhop/spyhop.h>
#include <stddef.h>

/*
 * Loads model `name`. scale: 0 for the model of that name itself, else the one for this scale beside it.
 * log: an AVClass context; a folder in ONNX_DIR that is missing, or lacks the model, is a warning there, and
 * a failure an error that lists the models there are. Returns 0 and *out, to be freed with
 * spyhop_model_free, or an AVERROR; AVERROR(ENOENT) without a message where scale is not 0.
 */
int spyhop_filter_load_model(spyhop_model **out, const char *name, int scale, void *log);

/* The AVERROR of a spyhop_status below 0. */
int spyhop_filter_error(int status);

#endif
