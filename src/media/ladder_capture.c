/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_inner.h"

int ladder_open_captures(ladder *l, sh_err *err)
{
    return l->job.capture_count == 0 ? 0 : sh_fail(err, SH_E_UNSUPPORTED, "captures");
}
int ladder_capture_frame(ladder *l, sh_bundle *bundle, const AVFrame *frame, int64_t time, sh_err *err)
{
    return 0;
}
int ladder_capture_commit(ladder *l, const sh_bundle *pictures, sh_err *err)
{
    return 0;
}
int ladder_capture_finish(ladder *l, sh_err *err)
{
    return 0;
}
