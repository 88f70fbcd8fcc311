/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_STREAM_VERSION_H
#define SH_CLI_STREAM_VERSION_H
/* What a stream is recognised by. */
#include "base/buf.h"
#include "base/err.h"
#include "cli/stream_make.h"

/* Appends lines of "what: value": the source behind `input`, the models, all settings that bear on the bytes.
 * Not the libraries: a stream that is there stays good when they change. (One that is being made does not go
 * on with others; the ladder's journal knows them.) */
int sh_stream_version_text(sh_buf *text, const sh_stream_work *work, int input, sh_err *err);
/* Their digest: 16 hex digits. */
void sh_stream_version_of(const sh_buf *text, char version[SH_PUBLISH_VERSION + 1]);

#endif
