/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OUTBOX_H
#define SH_STORE_OUTBOX_H
/* Events waiting for delivery. A service adds an event in the transaction that makes it true, so that neither
 * can be without the other; the deliverer matches it with the rules and removes it in the transaction that
 * starts the targets. `event` is a complete EventBridge event, JSON text: version, id, detail-type, source,
 * account, time, region, resources, detail. */
#include "cloud/store/db.h"

int sh_outbox_add(sh_db *db, const char *event, sh_err *err);

#endif
