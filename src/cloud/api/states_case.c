/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of members. A state machine writes the parameters of every call in PascalCase and finds the answer
 * so; services whose JSON is camelCase (MediaConvert, Step Functions) need the first letter changed, at every
 * depth: AudioDescriptions -> audioDescriptions, H264Settings -> h264Settings.
 *
 * Some maps have keys that are the user's own words ("Audio Selector 1"). These keys stay as they are; what
 * they lead to is converted again. Where such a name holds a list (the tags of Step Functions), it is no map.
 */
#include "cloud/api/states.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 512

static const char *const user_maps[] = {
    "audioSelectors",        "audioSelectorGroups", "captionSelectors",
    "dynamicAudioSelectors", "userMetadata",        "tags",
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool holds_user_keys(const char *name)
{
    for (size_t i = 0; i < sizeof(user_maps) / sizeof(*user_maps); i++) {
        if (lower(name[0]) == user_maps[i][0] && name[0] && strcmp(name + 1, user_maps[i] + 1) == 0)
            return true;
    }
    return false;
}

static json_t *convert(const json_t *value, char (*first)(char), bool user_keys, int depth);

static int convert_member(json_t *out, const char *name, const json_t *value, char (*first)(char), bool keep,
                          int depth)
{
    json_t *copy = convert(value, first, !keep && holds_user_keys(name), depth + 1);
    if (keep)
        return copy ? json_object_set_new(out, name, copy) : -1;
    char *renamed = strdup(name);
    if (!renamed) {
        json_decref(copy);
        return -1;
    }
    renamed[0] = first(renamed[0]);
    int status = copy ? json_object_set_new(out, renamed, copy) : -1;
    free(renamed);
    return status;
}

static json_t *convert_object(const json_t *value, char (*first)(char), bool user_keys, int depth)
{
    const char *name;
    json_t *member;
    json_t *out = json_object();
    json_object_foreach((json_t *)value, name, member)
    {
        if (out && convert_member(out, name, member, first, user_keys, depth) < 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static json_t *convert_array(const json_t *value, char (*first)(char), int depth)
{
    size_t index;
    json_t *item;
    json_t *out = json_array();
    json_array_foreach(value, index, item)
    {
        if (out && json_array_append_new(out, convert(item, first, false, depth + 1)) < 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static json_t *convert(const json_t *value, char (*first)(char), bool user_keys, int depth)
{
    if (depth > DEPTH_MAX)
        return NULL;
    if (json_is_object(value))
        return convert_object(value, first, user_keys, depth);
    if (json_is_array(value))
        return convert_array(value, first, depth);
    return json_incref((json_t *)value);
}

json_t *sh_case_lower(const json_t *value)
{
    return convert(value, lower, false, 0);
}

json_t *sh_case_upper(const json_t *value)
{
    return convert(value, upper, false, 0);
}
