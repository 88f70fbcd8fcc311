/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/mc_table.h"
#include "base/size.h"

#include <string.h>

static const sh_mc_rows *const all[] = {&sh_mc_rows_job,   &sh_mc_rows_group, &sh_mc_rows_output,
                                        &sh_mc_rows_video, &sh_mc_rows_codec, &sh_mc_rows_sound};

const sh_mc_row *sh_mc_row_at(size_t i)
{
    for (size_t k = 0; k < SH_COUNT(all); k++) {
        if (i < all[k]->count)
            return &all[k]->rows[i];
        i -= all[k]->count;
    }
    return NULL;
}

const sh_mc_row *sh_mc_row_find(const char *path)
{
    for (size_t k = 0; k < SH_COUNT(all); k++)
        for (size_t i = 0; i < all[k]->count; i++)
            if (strcmp(all[k]->rows[i].path, path) == 0)
                return &all[k]->rows[i];
    return NULL;
}
