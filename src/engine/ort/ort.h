/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ORT_H
#define SH_ENGINE_ORT_H
/* Models that the engine lacks an operator for, on ONNX Runtime, where its library is found at run time. A
 * model is its bytes, kept, and what one run on a small picture told of it; a session is made of it for each
 * context, with as many threads as that has. Pictures go through whole: a network that the engine does not
 * know may look as far as it likes, so no tile would be sure to be right. A session takes memory as its
 * pictures need it. */
#include "base/err.h"
#include "engine/dsp/dsp.h"
#include <spyhop/spyhop.h>

typedef struct sh_ort_model sh_ort_model;
typedef struct sh_ort_session sh_ort_session;

/* Loads the library and looks at the model. SH_E_NOT_FOUND where there is no library; the message says how to
 * get one. The library is looked for where SPYHOP_ORT says, which may be empty for nowhere; else as
 * libonnxruntime.so.1 and libonnxruntime.so where the system looks for libraries, else in npm's global
 * onnxruntime-node. */
int sh_ort_model_new(sh_ort_model **out, const void *data, size_t size, sh_err *err);
void sh_ort_model_free(sh_ort_model *model); /* NULL is fine */
int sh_ort_channels(const sh_ort_model *model);
int sh_ort_scale(const sh_ort_model *model);
const char *sh_ort_version(const sh_ort_model *model); /* of the library: "1.30.0" */

/* threads: 1 or more. The model must outlive the session. */
int sh_ort_session_new(sh_ort_session **out, const sh_ort_model *model, int threads, sh_err *err);
void sh_ort_session_free(sh_ort_session *session); /* NULL is fine */
/* One picture: as many planes as the model has channels, checked by the caller. */
int sh_ort_run(sh_ort_session *session, const sh_dsp *dsp, const spyhop_plane *in, const spyhop_plane *out,
               sh_err *err);

#endif
