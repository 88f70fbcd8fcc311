/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/check_inner.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME_MOST 32 /* findings of one rule that are kept */

static const sh_stream_rule rules[] = {
#define RULE(name, id, clause, severity, demand) {id, clause, SH_STREAM_##severity, demand},
#include "stream/check_rules.inc"
#undef RULE
};

const sh_stream_rule *sh_stream_rules(size_t *count)
{
    *count = SH_RULE_COUNT;
    return rules;
}

const sh_stream_rule *sh_stream_rule_find(const char *id)
{
    for (size_t i = 0; i < SH_RULE_COUNT; i++)
        if (strcmp(rules[i].id, id) == 0)
            return &rules[i];
    return NULL;
}

int sh_check_memory(sh_checker *c)
{
    if (c->status == 0)
        c->status = sh_fail(c->err, SH_E_MEMORY, "memory is short");
    return c->status;
}

static void keep(sh_checker *c, const sh_stream_finding *finding)
{
    sh_stream_report *r = c->report;
    if (r->count == r->capacity) {
        const size_t room = r->capacity ? r->capacity * 2 : 16;
        sh_stream_finding *grown = reallocarray(r->findings, room, sizeof(*grown));
        if (!grown) {
            free(finding->file);
            free(finding->words);
            sh_check_memory(c);
            return;
        }
        r->findings = grown;
        r->capacity = room;
    }
    r->findings[r->count++] = *finding;
}

void sh_check_find(sh_checker *c, sh_rule rule, const char *file, int64_t line, int64_t byte,
                   const char *format, ...)
{
    char words[700];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    for (char *p = words; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = '?';
    sh_text_mend(words);
    if (rules[rule].severity == SH_STREAM_ERROR)
        c->report->errors++;
    else
        c->report->warnings++;
    if (c->of_rule[rule]++ >= SAME_MOST) {
        c->report->dropped++;
        return;
    }
    sh_stream_finding finding = {&rules[rule], strdup(file ? file : ""), line, byte, strdup(words)};
    if (!finding.file || !finding.words) {
        free(finding.file);
        free(finding.words);
        sh_check_memory(c);
        return;
    }
    sh_text_mend(finding.file);
    keep(c, &finding);
}

void sh_stream_report_free(sh_stream_report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->count; i++) {
        free(report->findings[i].file);
        free(report->findings[i].words);
    }
    for (size_t i = 0; i < report->track_count; i++)
        free(report->tracks[i].name);
    for (size_t i = 0; i < report->manifest_count; i++)
        free(report->manifests[i]);
    free(report->findings);
    free(report->tracks);
    free(report->manifests);
    *report = (sh_stream_report){0};
}

/* ---- JSON ---- */

static const char *severity_name(sh_stream_severity severity)
{
    return severity == SH_STREAM_ERROR ? "error" : "warning";
}

static const char *kind_name(char kind)
{
    return kind == 'v'   ? "video"
           : kind == 'a' ? "audio"
           : kind == 'm' ? "video and audio"
           : kind == 't' ? "text"
           : kind == 'i' ? "I-frames"
           : kind == 'p' ? "pictures"
                         : "unknown";
}

static json_t *finding_json(const sh_stream_finding *f)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "rule", f->rule->id, "clause",
                               f->rule->clause, "severity", severity_name(f->rule->severity), "demand",
                               f->rule->demand, "file", f->file, "words", f->words);
    if (object && f->line > 0)
        json_object_set_new(object, "line", json_integer(f->line));
    if (object && f->byte >= 0)
        json_object_set_new(object, "byte", json_integer(f->byte));
    return object;
}

static json_t *track_json(const sh_stream_checked *t)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:I, s:I}", "name", t->name, "kind",
                               kind_name(t->kind), "codecs", t->codecs, "segments", (json_int_t)t->segments,
                               "samples", (json_int_t)t->samples, "bytes", (json_int_t)t->bytes, "seconds",
                               t->seconds, "peak", (json_int_t)t->peak, "average", (json_int_t)t->average);
    if (object && t->width > 0) {
        json_object_set_new(object, "width", json_integer(t->width));
        json_object_set_new(object, "height", json_integer(t->height));
    }
    return object;
}

int sh_stream_report_json(sh_buf *out, const sh_stream_report *report, const char *location, sh_err *err)
{
    char where[4096];
    snprintf(where, sizeof(where), "%s", location);
    sh_text_mend(where);
    json_t *manifests = json_array(), *tracks = json_array(), *findings = json_array();
    for (size_t i = 0; i < report->manifest_count; i++)
        json_array_append_new(manifests, json_string(report->manifests[i]));
    for (size_t i = 0; i < report->track_count; i++)
        json_array_append_new(tracks, track_json(&report->tracks[i]));
    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(findings, finding_json(&report->findings[i]));
    json_t *root =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "location", where, "errors",
                  (json_int_t)report->errors, "warnings", (json_int_t)report->warnings, "dropped",
                  (json_int_t)report->dropped, "files", (json_int_t)report->files, "bytes",
                  (json_int_t)report->bytes, "manifests", manifests, "tracks", tracks, "findings", findings);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
    const bool fine = text && sh_buf_puts(out, text) == 0 && sh_buf_putc(out, '\n') == 0;
    free(text);
    json_decref(root);
    return fine ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
}

/* ---- for people ---- */

static void put_tracks(sh_buf *out, const sh_stream_report *report)
{
    if (report->track_count == 0)
        return;
    sh_buf_printf(out, "  %-34s %-8s %-26s %9s %5s %7s %9s %9s\n", "track", "kind", "codecs", "size", "segs",
                  "samples", "seconds", "peak kb/s");
    for (size_t i = 0; i < report->track_count; i++) {
        const sh_stream_checked *t = &report->tracks[i];
        char size[24] = "";
        if (t->width > 0)
            snprintf(size, sizeof(size), "%dx%d", t->width, t->height);
        sh_buf_printf(out, "  %-34s %-8s %-26s %9s %5zu %7" PRId64 " %9.3f %9.1f\n", t->name,
                      t->kind == 'm' ? "both" : kind_name(t->kind), t->codecs, size, t->segments, t->samples,
                      t->seconds, (double)t->peak / 1000);
    }
}

static void put_place(sh_buf *out, const sh_stream_finding *f)
{
    sh_buf_printf(out, "%s", *f->file ? f->file : "(stream)");
    if (f->line > 0)
        sh_buf_printf(out, " line %" PRId64, f->line);
    if (f->byte >= 0)
        sh_buf_printf(out, " byte %" PRId64, f->byte);
}

int sh_stream_report_text(sh_buf *out, const sh_stream_report *report, const char *location)
{
    sh_buf_printf(out, "%s: %zu manifest%s, %zu track%s, %zu files, %" PRId64 " bytes\n", location,
                  report->manifest_count, report->manifest_count == 1 ? "" : "s", report->track_count,
                  report->track_count == 1 ? "" : "s", report->files, report->bytes);
    put_tracks(out, report);
    for (size_t i = 0; i < report->count; i++) {
        const sh_stream_finding *f = &report->findings[i];
        sh_buf_printf(out, "\n%s %s (%s)\n  ", f->rule->severity == SH_STREAM_ERROR ? "ERROR" : "warning",
                      f->rule->id, f->rule->clause);
        put_place(out, f);
        sh_buf_printf(out, ": %s\n  demanded: %s\n", f->words, f->rule->demand);
    }
    if (report->dropped)
        sh_buf_printf(out, "\nand %zu more findings of the same rules\n", report->dropped);
    if (report->errors + report->warnings == 0)
        sh_buf_printf(out, "nothing found against %d rules\n", SH_RULE_COUNT);
    else
        sh_buf_printf(out, "\n%zu error%s, %zu warning%s\n", report->errors, report->errors == 1 ? "" : "s",
                      report->warnings, report->warnings == 1 ? "" : "s");
    return out->failed ? SH_E_MEMORY : 0;
}

void sh_stream_report_line(const sh_stream_report *report, char *line, size_t size)
{
    const sh_stream_finding *f = report->count ? &report->findings[0] : NULL;
    char place[64] = "", more[48] = "";
    for (size_t i = 0; i < report->count; i++)
        if (report->findings[i].rule->severity == SH_STREAM_ERROR) {
            f = &report->findings[i];
            break;
        }
    if (!f) {
        snprintf(line, size, "nothing found");
        return;
    }
    if (f->line > 0)
        snprintf(place, sizeof(place), " line %" PRId64, f->line);
    else if (f->byte >= 0)
        snprintf(place, sizeof(place), " byte %" PRId64, f->byte);
    if (report->errors + report->warnings > 1)
        snprintf(more, sizeof(more), "; and %zu more", report->errors + report->warnings - 1);
    snprintf(line, size, "%s (%s): %s%s: %s%s", f->rule->id, f->rule->clause, f->file, place, f->words, more);
    sh_text_mend(line);
}
