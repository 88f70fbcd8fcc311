/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STREAM_REPORT_H
#define SH_CLI_STREAM_REPORT_H
/* stream.json, the certificate that stands beside a stream: what the source was, what was decided and why,
 * what became of every frame, what the checker found. Keys may become more, never others:
 *
 *     {"spyhop": "0.1.0", "version": "0123456789abcdef", "source": "film.mp4", "settings": {"size of the
 * source": ...}, "plan": {"frames": 250, "video": [...], "audio": [...], "text": [...], "thumbnails": {...}},
 *      "facts": {...}, "decisions": {"notes": [{"topic", "what", "why"}], ...},
 *      "ledger": {"frames_in", "frames_out", "kept", "duplicate", ..., "checked", "redone", "damages"},
 *      "check": {...}}
 *
 * "plan" is what `spyhop check --plan` takes. */
#include "base/buf.h"
#include "base/err.h"
#include "media/ladder.h"
#include "stream/check.h"

/* What the checker is to hold the stream against; appended, JSON. */
int sh_stream_report_plan(sh_buf *out, const sh_ladder_result *result, sh_err *err);

typedef struct sh_stream_certificate {
    const char *version, *source; /* 16 hex digits; as shown */
    const char *settings;         /* lines of "what: value" */
    const sh_ladder_result *result;
    const sh_stream_report *check;
} sh_stream_certificate;

int sh_stream_report_write(sh_buf *out, const sh_stream_certificate *certificate, sh_err *err);

#endif
