/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_MC_MADE_H
#define SH_CLI_MC_MADE_H
/* From what the ladders have made to manifests, their check, and the list of files to publish. */
#include "cli/mc_plan.h"
#include "stream/check.h"

typedef struct sh_mc_file {
    size_t group;
    const char *name;
    int64_t bytes;
    const char *type; /* MIME */
    const char *role; /* "init", "segment", "media", "image", "captions", "variant", "master", "report" */
} sh_mc_file;

typedef struct sh_mc_result_output {
    size_t group;
    const char *path; /* its playlist, or its (last) file; NULL: AWS does not tell one */
    int width, height;
    int64_t duration_ms, frames, peak, average;
} sh_mc_result_output;

typedef struct sh_mc_result_group {
    const char *type;         /* "HLS_GROUP" */
    const char *playlists[2]; /* top-level manifests, in AWS's order */
    size_t playlist_count;
    int64_t errors, warnings; /* of the check */
} sh_mc_result_group;

typedef struct sh_mc_made {
    sh_mc_file *files; /* in the order of publication: what manifests name first, they last */
    size_t file_count, file_capacity;
    sh_mc_result_output outputs[SH_MC_ITEMS];
    size_t output_count;
    sh_mc_result_group groups[SH_MC_GROUPS];
    int64_t duration_ms, frames;
    sh_arena *arena; /* names */
} sh_mc_made;

/* results: one a pass of the plan. folders: where each group's files lie, and its manifests go. Names in
 * *made are the plan's or its own. A stream that fails its check is SH_E_INTERNAL with the rule in err. */
int sh_mc_made_finish(sh_mc_made *made, sh_mc_plan *plan, const sh_ladder_result *results,
                      const char *const *folders, sh_mc_say *warning, void *opaque, sh_err *err);
void sh_mc_made_free(sh_mc_made *made); /* all-zero is fine */

#endif
