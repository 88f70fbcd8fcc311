/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_FACTS_JSON_H
#define SH_MEDIA_FACTS_JSON_H
/* Facts and plans as JSON, for `probe --json` and reports. Keys are stable: they may become more, never
 * others. Times are seconds, ratios are texts like "30000/1001" and "16:9", what is not known is null. */
#include "media/plan.h"
#include <jansson.h>

/* New references; NULL: memory is short. */
json_t *sh_facts_json(const sh_facts *facts);
/* {"notes": [{"topic", "what", "why"}], "losses": [...], and the fields of the plan} */
json_t *sh_plan_json(const sh_plan *plan);

#endif
