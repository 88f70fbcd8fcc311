/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OBJECT_EVENTS_H
#define SH_STORE_OBJECT_EVENTS_H
/* What the world is told of changes to objects; used inside the store only. */
#include "cloud/store/objects.h"

typedef enum sh_change_kind {
    SH_CHANGE_CREATED,
    SH_CHANGE_REMOVED, /* for good */
    SH_CHANGE_MARKED,  /* a delete marker was made */
    SH_CHANGE_TAGGED,
    SH_CHANGE_UNTAGGED,
    SH_CHANGE_ACL,
} sh_change_kind;

typedef struct sh_object_change {
    sh_change_kind kind;
    const char *key;
    const char *version_id; /* NULL: the bucket never had versions */
    const char *etag;       /* NULL: none to tell */
    int64_t size;
    int64_t sequence; /* 0: none of its own; a removal that is told gets one then */
    int64_t now_ms;
} sh_object_change;

/* Inside the transaction of the change: adds the events that the bucket's configuration asks for. */
int sh_object_changed(const sh_objects *objects, const sh_bucket *bucket, const sh_object_change *change,
                      const sh_object_cause *cause, sh_err *err);

#endif
