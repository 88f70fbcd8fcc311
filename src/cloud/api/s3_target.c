/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/s3_target.h"
#include "cloud/api/cloud.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Cuts ".text" off the end of name, when it stands there with something before it. */
static bool cut(char *name, const char *text, size_t text_length)
{
    size_t length = strlen(name);
    if (length < text_length + 2)
        return false;
    char *dot = name + length - text_length - 1;
    if (*dot != '.' || strncasecmp(dot + 1, text, text_length) != 0)
        return false;
    *dot = '\0';
    return true;
}

static bool cut_domain(char *host, const char *domains)
{
    for (const char *at = domains; at && *at;) {
        size_t length = strcspn(at, ",");
        if (length > 0 && cut(host, at, length))
            return true;
        at += length + (at[length] == ',');
    }
    return cut(host, "localhost", 9);
}

const char *sh_s3_host_bucket(const char *host, const char *domains, const char *region, sh_arena *arena)
{
    char *name = host ? sh_arena_strndup(arena, host, strcspn(host, ":")) : NULL;
    if (!name || !cut_domain(name, domains))
        return NULL;
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    size_t length = strlen(name);
    size_t tail = strlen(region);
    if (length > tail + 4 && strcmp(name + length - tail, region) == 0 &&
        strncmp(name + length - tail - 4, ".s3.", 4) == 0)
        name[length - tail - 4] = '\0';
    else if (length == tail + 3 && strncmp(name, "s3.", 3) == 0 && strcmp(name + 3, region) == 0)
        return NULL;
    else if (strcmp(name, "s3") == 0)
        return NULL;
    else
        cut(name, "s3", 2);
    return name;
}

int sh_s3_target_read(const sh_cloud *cloud, const sh_http_head *head, sh_arena *arena, sh_s3_target *out)
{
    const char *at = head->path + 1;
    *out =
        (sh_s3_target){.bucket = sh_s3_host_bucket(sh_http_field_get(head, "host"), cloud->settings.domains,
                                                   cloud->settings.region, arena)};
    out->by_host = out->bucket != NULL;
    if (!out->bucket && *at) {
        size_t length = strcspn(at, "/");
        out->bucket = sh_http_decode(arena, at, length, false);
        at += length + (at[length] == '/');
        if (!out->bucket)
            return SH_E_FORMAT;
    }
    if (out->bucket && *at) {
        out->key = sh_http_decode(arena, at, strlen(at), false);
        if (!out->key || !sh_utf8_valid(out->key, strlen(out->key)))
            return SH_E_FORMAT;
    }
    return 0;
}
