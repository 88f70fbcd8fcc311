/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_EVENT_H
#define SH_API_STATES_EVENT_H
#include "cloud/api/cloud.h"
#include "cloud/store/flows.h"

/* An execution began, was driven again, or ended: tells EventBridge, in the caller's transaction. Its status
 * is the new one. */
int sh_states_announce(sh_cloud *cloud, const sh_execution *execution, sh_err *err);

#endif
