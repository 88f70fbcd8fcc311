/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/pieces.h"

#include <string.h>

void sh_cutter_start(sh_cutter *cutter, int64_t length)
{
    *cutter = (sh_cutter){.length = length <= 0 ? 0 : length < 2 ? 2 : length};
}

void sh_cutter_put_border(sh_cutter *cutter, void *frame, bool begins)
{
    if (!frame) {
        cutter->ended = true;
    } else if (cutter->count <= SH_PIECE_AHEAD) {
        cutter->begins[cutter->count] = begins;
        cutter->held[cutter->count++] = frame;
    }
}

void sh_cutter_put(sh_cutter *cutter, void *frame)
{
    sh_cutter_put_border(cutter, frame, false);
}

void *sh_cutter_drop(sh_cutter *cutter)
{
    void *frame = cutter->held[0];
    if (cutter->count == 0)
        return NULL;
    memmove(cutter->held, cutter->held + 1, sizeof(cutter->held) - sizeof(cutter->held[0]));
    memmove(cutter->begins, cutter->begins + 1, sizeof(cutter->begins) - sizeof(cutter->begins[0]));
    cutter->count--;
    return frame;
}

void *sh_cutter_get(sh_cutter *cutter, bool *first, bool *last)
{
    if (cutter->count == 0 || (!cutter->ended && cutter->count <= SH_PIECE_AHEAD))
        return NULL;
    void *frame = sh_cutter_drop(cutter);
    const bool only = cutter->ended && cutter->count == 0;
    const bool enough =
        cutter->length > 0 ? cutter->position + 1 >= cutter->length : cutter->count > 0 && cutter->begins[0];
    const bool full = enough && !(cutter->ended && cutter->count == 1);
    *first = cutter->position == 0;
    *last = only || full;
    cutter->position = *last ? 0 : cutter->position + 1;
    return frame;
}
