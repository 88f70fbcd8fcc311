/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PLAN_STEPS_H
#define SH_MEDIA_PLAN_STEPS_H
/* The steps of sh_plan_make that need no size and no encoder, in the order in which they are called. Each
 * reads facts and options and what the ones before it have put into the plan. */
#include "media/picture.h"
#include "media/plan.h"

typedef struct plan_making {
    const sh_facts *facts;
    const sh_upscale_options *options;
    const spyhop_model_info *model;
    const AVOutputFormat *muxer;
    sh_plan *plan;
    sh_picture_plan picture; /* from plan_format on */
    sh_err *err;
} plan_making;

int sh_plan_refuse(plan_making *m); /* what cannot be done rightly */
int sh_plan_scan(plan_making *m);   /* interlace, telecine */
void sh_plan_time(plan_making *m);
void sh_plan_colour(plan_making *m); /* tags and HDR */
void sh_plan_shape(plan_making *m);  /* words for pixels that are not square */
void sh_plan_advise(plan_making *m); /* damage, restoring, grain, what else might be wanted */

#endif
