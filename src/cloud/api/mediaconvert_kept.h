/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_MEDIACONVERT_KEPT_H
#define SH_API_MEDIACONVERT_KEPT_H
/* Queues, presets and job templates: their actions, and what jobs take from them. */
#include "cloud/api/mediaconvert.h"
#include "cloud/store/mckept.h"

enum { SH_MC_QUEUES, SH_MC_PRESETS, SH_MC_TEMPLATES };
enum { SH_MC_CREATE, SH_MC_GET, SH_MC_LIST, SH_MC_UPDATE, SH_MC_DELETE };

/* CreateQueue is sh_mc_kept(call, SH_MC_QUEUES, SH_MC_CREATE), and so on. */
int sh_mc_kept(sh_call *call, int kind, int verb);

/* name: or an ARN. Fails the call with NotFoundException. The row's strings are in the call's arena. */
int sh_mc_kept_find(sh_call *call, int kind, const char *name, sh_mckept *out);
/* Puts `over` over `under`: objects member by member, arrays element by element, all else as `over` has it.
 */
void sh_mc_merge(json_t *under, const json_t *over);
/* Where outputs name presets, *out becomes a copy of the settings with the presets under them, which the
 * caller frees; else it stays as it is. */
int sh_mc_put_presets(sh_call *call, const json_t *settings, json_t **out);

int sh_mc_tag(sh_call *call); /* mediaconvert_tags.c */
int sh_mc_untag(sh_call *call);
int sh_mc_list_tags(sh_call *call);

#endif
