/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is kept, as a setting of the data folder: "<boot> <base> <offset>": the id of the boot, what is added
 * to the machine's own clock, and how far the wall clock was ahead at the last look. Rows have their times by
 * the wall clock; an execution that is stepped too early finds out and says when it is really due, and when
 * the offset changes all are stepped. */
#include "cloud/api/steady.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/store/flows.h"
#include "cloud/store/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "steady-clock"
#define JUMP_MS 200 /* less is the time between two readings */
#define BOOT_MAX 64

static int64_t offset_ms(const sh_cloud *cloud)
{
    return sh_now_ms(cloud->clock) - sh_cloud_steady_ms(cloud);
}

static void read_boot(char boot[BOOT_MAX])
{
    sh_buf text;
    sh_buf_init(&text, 4096);
    snprintf(boot, BOOT_MAX, "unknown");
    if (sh_file_read("/proc/sys/kernel/random/boot_id", &text, NULL) == 0 && text.length > 1)
        snprintf(boot, BOOT_MAX, "%.40s", sh_buf_cstr(&text));
    boot[strcspn(boot, " \n")] = '\0';
    sh_buf_free(&text);
}

static int save(sh_cloud *cloud, sh_err *err)
{
    char boot[BOOT_MAX], text[BOOT_MAX + 64];
    read_boot(boot);
    snprintf(text, sizeof(text), "%s %" PRId64 " %" PRId64, boot, cloud->steady_base_ms,
             cloud->steady_offset_ms);
    return sh_settings_set(cloud->db, NAME, text, err);
}

int64_t sh_cloud_steady_ms(const sh_cloud *cloud)
{
    const sh_clock *clock = cloud->clock;
    return clock->steady_ms ? clock->steady_ms(clock->opaque) + cloud->steady_base_ms : 0;
}

/* False when what was kept is of another boot. */
static bool take_kept(sh_cloud *cloud, const char *text)
{
    char boot[BOOT_MAX], *end;
    read_boot(boot);
    size_t length = strlen(boot);
    if (strncmp(text, boot, length) != 0 || text[length] != ' ' || strcmp(boot, "unknown") == 0)
        return false;
    cloud->steady_base_ms = strtoll(text + length, &end, 10);
    cloud->steady_offset_ms = strtoll(end, NULL, 10);
    return true;
}

int sh_steady_open(sh_cloud *cloud, sh_err *err)
{
    sh_buf text;
    const sh_clock *clock = cloud->clock;
    if (!clock->steady_ms)
        return 0;
    sh_buf_init(&text, 1024);
    int status = sh_settings_get(cloud->db, NAME, &text, err);
    if (status == 0 && take_kept(cloud, sh_buf_cstr(&text))) {
        sh_buf_free(&text);
        return 0;
    }
    sh_buf_free(&text);
    if (status < 0 && status != SH_E_NOT_FOUND)
        return status;
    cloud->steady_base_ms = sh_now_ms(clock) - clock->steady_ms(clock->opaque);
    cloud->steady_offset_ms = 0;
    return save(cloud, err);
}

int sh_steady_look(sh_cloud *cloud, sh_err *err)
{
    if (!cloud->clock->steady_ms)
        return 0;
    int64_t offset = offset_ms(cloud);
    int64_t change = offset - cloud->steady_offset_ms;
    if (change > -JUMP_MS && change < JUMP_MS)
        return 0;
    sh_log(SH_LOG_WARNING, "states",
           "the clock was set by %" PRId64 " ms: timestamps follow it, seconds do not", change);
    int status = sh_db_begin(cloud->db, err);
    if (status < 0)
        return status;
    int64_t before = cloud->steady_offset_ms;
    cloud->steady_offset_ms = offset;
    status = sh_execution_look_again(cloud->db, sh_now_ms(cloud->clock), err);
    if (status == 0)
        status = save(cloud, err);
    status = sh_db_end(cloud->db, status, err);
    if (status < 0)
        cloud->steady_offset_ms = before; /* to be noticed again */
    return status;
}
