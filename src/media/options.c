/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/options.h"

#include <spyhop/spyhop.h>

void sh_upscale_options_default(sh_upscale_options *options)
{
    *options = (sh_upscale_options){
        .cpu = SPYHOP_CPU_AUTO,
        .precision = SPYHOP_PRECISION_AUTO,
        .encoder = "auto",
        .crf = -1,
        .start = -1,
        .duration = -1,
    };
}
