/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_SINK_INNER_H
#define SH_MEDIA_LADDER_SINK_INNER_H
/* What the kinds of sinks share: each is a table of functions over its own state. */
#include "base/buf.h"
#include "media/ladder_sink.h"

typedef struct sh_sink_ops {
    /* sink->state is made here; on failure close is called */
    int (*open)(sh_sink *sink, const sh_sink_settings *settings, sh_err *err);
    int (*segment)(sh_sink *sink, const sh_sink_segment_in *segment, sh_err *err);
    int (*finish)(sh_sink *sink, sh_err *err);
    void (*close)(sh_sink *sink);
} sh_sink_ops;

struct sh_sink {
    sh_sink_kind kind;
    const sh_sink_ops *ops;
    const char *name;
    sh_sink_host host;
    sh_sink_track tracks[SH_SINK_TRACKS]; /* parameters are owned, side data is gone */
    size_t track_count;
    void *state;
    bool failed; /* nothing more is taken */
    const uint8_t *config;
    size_t config_size;
};

extern const sh_sink_ops sh_sink_cmaf_ops, sh_sink_ts_ops, sh_sink_mp4_ops;

bool sh_sink_is_video(const sh_sink_track *track);
/* Makes one file of these bytes: opened, written, synced, closed, told. `written` has what is not bytes or
 * crc. */
int sh_sink_put(sh_sink *sink, const sh_buf *bytes, sh_sink_written *written, sh_err *err);
/* Syncs and closes; fd is closed in any case. */
int sh_sink_end_file(sh_sink *sink, int fd, sh_err *err);

#endif
