/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_SSM_LEGACY_H
#define SH_API_SSM_LEGACY_H
/* Commands that a server of before there were agents had begun: their folders are DATA/commands/ID, and their
 * supervisors live on. Such a row has no delivery. */
#include "cloud/api/cloud.h"
#include "cloud/store/commands.h"

/* In the transaction that found the row open and without a delivery: settles it by what its folder says;
 * *look_ms is lowered to when it is to be looked at again. One that never began becomes Pending. */
int sh_legacy_consider(sh_cloud *cloud, const sh_invocation *row, int64_t *look_ms, sh_err *err);
/* Its folder, if it has one. */
int sh_legacy_remove(sh_cloud *cloud, const char *id, sh_err *err);

#endif
