/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mc_report.h"
#include "media/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sh_mc_print(json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    printf("%s\n", line ? line : "{\"type\":\"error\",\"code\":1999,\"message\":\"memory is short\"}");
    fflush(stdout);
    free(line);
    json_decref(object);
}

/* Text from outside may not be UTF-8, which JSON is. */
json_t *sh_mc_string(const char *text)
{
    json_t *value = json_string(text);
    char shown[SH_SHOWN];
    return value ? value : json_string(sh_shown_path(text, shown));
}

/* ---- progress ---- */

void sh_mc_print_progress(void *opaque, int percent, int64_t frames, const char *phase)
{
    (void)opaque;
    sh_mc_print(json_pack("{s:s,s:i,s:I,s:s}", "type", "progress", "percent", percent, "frames",
                          (json_int_t)frames, "phase", phase));
}

void sh_mc_print_warning(void *opaque, const char *text)
{
    (void)opaque;
    sh_mc_print(json_pack("{s:s,s:o}", "type", "warning", "message", sh_mc_string(text)));
}

void sh_mc_each_note(const sh_mc_job *job, sh_mc_say *say, void *opaque)
{
    char line[1024];
    for (const char *at = job->notes; *at;) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, at);
        say(opaque, line);
        at += length + (at[length] == '\n');
    }
}

/* ---- the result ---- */

static json_t *files_json(const sh_mc_made *made)
{
    json_t *files = json_array();
    for (size_t i = 0; i < made->file_count; i++) {
        const sh_mc_file *f = &made->files[i];
        json_array_append_new(files, json_pack("{s:o,s:i,s:I,s:s,s:s}", "name", sh_mc_string(f->name),
                                               "group", (int)f->group, "bytes", (json_int_t)f->bytes,
                                               "content_type", f->type, "role", f->role));
    }
    return files;
}

static json_t *outputs_json(const sh_mc_made *made)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < made->output_count; i++) {
        const sh_mc_result_output *o = &made->outputs[i];
        json_t *json = json_pack("{s:i,s:I,s:I,s:I,s:I}", "group", (int)o->group, "duration_ms",
                                 (json_int_t)o->duration_ms, "frames", (json_int_t)o->frames, "bandwidth",
                                 (json_int_t)o->peak, "average_bandwidth", (json_int_t)o->average);
        if (o->path)
            json_object_set_new(json, "playlist", sh_mc_string(o->path));
        if (o->width) {
            json_object_set_new(json, "width", json_integer(o->width));
            json_object_set_new(json, "height", json_integer(o->height));
        }
        json_array_append_new(outputs, json);
    }
    return outputs;
}

static json_t *groups_json(const sh_mc_made *made, size_t count)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *names = json_array();
        for (size_t k = 0; k < made->groups[i].playlist_count; k++)
            json_array_append_new(names, sh_mc_string(made->groups[i].playlists[k]));
        json_array_append_new(groups,
                              json_pack("{s:s,s:o}", "type", made->groups[i].type, "playlists", names));
    }
    return groups;
}

json_t *sh_mc_result_json(const sh_mc_made *made, size_t groups)
{
    return json_pack("{s:s,s:I,s:I,s:o,s:o,s:o}", "type", "result", "duration_ms",
                     (json_int_t)made->duration_ms, "frames", (json_int_t)made->frames, "files",
                     files_json(made), "outputs", outputs_json(made), "groups", groups_json(made, groups));
}

json_t *sh_mc_error_json(int code, const char *message)
{
    return json_pack("{s:s,s:i,s:o}", "type", "error", "code", code, "message", sh_mc_string(message));
}
