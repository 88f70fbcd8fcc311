/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_STILL_H
#define SH_MEDIA_STILL_H
/* `upscale --preview`: one frame before and after as a PNG. What is planned for the film is done to that
 * frame: prepared, restored, enlarged, scaled, grained; only not encoded. */
#include "media/upscale.h"

/* As sh_upscale, with a PNG as output: the first frame at or after options->start (< 0: the first of all). */
int sh_still(const sh_upscale_job *job, sh_upscale_result *result, sh_err *err);

#endif
