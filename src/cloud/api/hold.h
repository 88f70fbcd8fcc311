/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_HOLD_H
#define SH_API_HOLD_H
/* Calls whose answer comes later: a long poll, a synchronous execution. No thread waits for them.
 *
 * An action that may have to wait first says for what (sh_call_wait_for), then looks; finding nothing it
 * returns SH_CALL_LATER. It is called again, with the same input and the same call->kept, once sh_hold_wake
 * named that key (also when that happened between the two), when the time is over, or when the server stops.
 * A caller that cannot wait (a state machine's task) has no call->hold: the action has to refuse or to find
 * another way. */
#include "cloud/api/cloud.h"

#define SH_CALL_LATER 1

typedef struct sh_hold {
    struct sh_hold *next, **link; /* NULL: in no list */
    uint64_t key;
    int64_t until_us;
    bool parked, woken;
    void (*release)(void *opaque); /* lets the call be made again, from any thread; it may not wait */
    void *opaque;
} sh_hold;

/* key: "activity/ARN", "express/7"; until_us: monotonic, -1: for ever. Said again it replaces what was said
 * before. */
void sh_call_wait_for(sh_call *call, const char *key, int64_t until_us);
/* Whoever waits for key is to look again. Call it when what they will find is committed. */
void sh_hold_wake(sh_cloud *cloud, const char *key);

/* ---- for the front end ---- */
void sh_hold_park(sh_cloud *cloud, sh_hold *hold); /* the action returned SH_CALL_LATER */
void sh_hold_drop(sh_cloud *cloud, sh_hold *hold); /* the call has its answer, or ended without one */

struct sh_holds *sh_holds_new(void); /* NULL: no memory */
void sh_holds_free(struct sh_holds *holds);
void sh_holds_stop(struct sh_holds *holds);
int sh_holds_run(sh_cloud *cloud); /* a runner: wakes those whose time is over */

#endif
