/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PROBE_JOB_H
#define SH_MEDIA_PROBE_JOB_H
/* `spyhop probe`: facts, plan and estimate of a file, found out in one confined child process (sandbox.h) and
 * handed over as JSON text, which is all that the parent reads of a file of unknown origin.
 *
 *     {"type": "probe", "input": NAME, "output": CONTAINER, "model": {"name", "scale", "macs_per_pixel"},
 *      "file", "video", "scan", "colour", "hdr", "tracks", "track_count", "sample":   facts_json.h,
 *      "plan": the same, or null, "refused": null, or why there is no plan,
 *      "estimate": null, or {"seconds", "bytes", "frames", "sampled", "decode_ms", "engine_ms", "encode_ms"}}
 */
#include "base/buf.h"
#include "base/err.h"
#include "media/options.h"
#include <stdbool.h>

typedef struct sh_probe_job {
    const sh_upscale_options *options; /* output NULL: a container that fits the input's; model NULL: none */
    bool estimate;                     /* work on some frames, to measure time and size */
    void (*log)(void *opaque, int level, const char *text); /* SH_LOG_*; NULL: not wanted */
    void *opaque;
} sh_probe_job;

/* Appends one JSON object. SH_E_ARGUMENT: the output's name has no known ending; else the file, or a model,
 * cannot be read. A file that can be read and not be upscaled is no failure: it says "refused". */
int sh_probe_run(const sh_probe_job *job, sh_buf *json, sh_err *err);

#endif
