/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_MC_PLAN_INNER_H
#define SH_CLI_MC_PLAN_INNER_H
#include "cli/mc_plan.h"

/* mc_item.c: all names but those of segments. item->values is set. */
int sh_mc_item_names(sh_mc_plan *plan, sh_mc_item *item, sh_err *err);

/* mc_rendition.c: settings as a ladder has them. */
void sh_mc_rendition_video(sh_ladder_video *to, const sh_mc_video *from, int width, int height, int64_t rate);
/* Whether the level that the settings name, if any, has room for such pictures at that rate (0: not known).
 */
int sh_mc_rendition_level(const sh_mc_video *from, int width, int height, double rate, sh_err *err);
/* The size that this comes to; *scaling: SH_LADDER_*. */
int sh_mc_rendition_size(const sh_mc_source *source, int width, int height, int how, int *to_width,
                         int *to_height, int *scaling, sh_err *err);

#endif
