/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_MC_REPORT_H
#define SH_CLI_MC_REPORT_H
/* What MediaConvert's worker and `transcode --json` say, an object a line on stdout (docs/mediaconvert.md).
 */
#include "cli/mc_made.h"
#include <jansson.h>

/* Prints one line; takes the reference. NULL: an error that says that memory is short. */
void sh_mc_print(json_t *object);
/* Text from outside as a JSON string, whatever bytes it has. */
json_t *sh_mc_string(const char *text);

/* For sh_mc_work_order; opaque is not looked at. */
void sh_mc_print_progress(void *opaque, int percent, int64_t frames, const char *phase);
void sh_mc_print_warning(void *opaque, const char *text);
/* Each line of job->notes. */
void sh_mc_each_note(const sh_mc_job *job, sh_mc_say *say, void *opaque);

json_t *sh_mc_result_json(const sh_mc_made *made, size_t groups);
json_t *sh_mc_error_json(int code, const char *message);

#endif
