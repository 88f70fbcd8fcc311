/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/report.h"
#include "media/fallback.h"
#include "media/media.h"
#include "media/output.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <libavutil/avutil.h>
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- sums ---- */

static void add_entry(sh_report_sums *sums, const sh_ledger_entry *e)
{
    sums->fates[e->fate]++;
    sums->packets_lost += e->source < 0;
    sums->concealed += (e->marks & SH_FRAME_CONCEALED) != 0;
    sums->times_made += (e->marks & SH_FRAME_TIME_MADE) != 0;
    sums->adapted += (e->marks & SH_FRAME_ADAPTED) != 0;
}

static int add_piece(sh_report_sums *sums, const sh_journal_piece *piece, sh_err *err)
{
    sh_ledger ledger = {0};
    int64_t sources = 0;
    int status = sh_ledger_read(&ledger, piece->ledger, piece->ledger_size, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < ledger.count; i++) {
        if (ledger.entries[i].source >= 0 && ledger.entries[i].source != sums->frames_in + sources++)
            status = SH_E_INTERNAL;
        add_entry(sums, &ledger.entries[i]);
    }
    if (status < 0 || sources != piece->source_frames || piece->first_source != sums->frames_in ||
        piece->first_frame != sums->frames_out || (size_t)piece->frames != piece->packet_count)
        status = sh_fail(err, SH_E_INTERNAL, "the ledger does not account for all frames of piece %" PRId64,
                         piece->number + 1);
    sums->pieces++;
    sums->frames_in += sources;
    sums->frames_out += piece->frames;
    sums->duplicates += ledger.duplicates;
    sums->scalar += piece->fallback == SH_FALLBACK_SCALAR;
    sums->classic += piece->fallback == SH_FALLBACK_CLASSIC;
    sh_ledger_free(&ledger);
    return status;
}

int sh_report_sum(sh_journal *journal, sh_report_sums *sums, sh_err *err)
{
    sh_journal_piece piece;
    int64_t cursor = 0;
    int status;
    *sums = (sh_report_sums){0};
    while ((status = sh_journal_next(journal, &cursor, &piece, err)) == 1) {
        status = add_piece(sums, &piece, err);
        if (status < 0)
            break;
    }
    return status;
}

/* ---- JSON ---- */

/* Prints and frees. A NULL object is one that memory did not suffice for. */
static int print(FILE *file, const char *before, json_t *object, sh_err *err)
{
    int status = 0;
    if (!object)
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
    else if (fputs(before, file) < 0 || json_dumpf(object, file, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
        status = sh_fail_errno(err, errno, "the report");
    json_decref(object);
    return status;
}

static json_t *count_of(int64_t number)
{
    return number < 0 ? json_null() : json_integer(number + 1);
}

static json_t *time_of(int64_t pts)
{
    return pts == AV_NOPTS_VALUE ? json_null() : json_integer(pts);
}

static json_t *row_of(const sh_ledger_entry *e)
{
    char marks[64];
    snprintf(marks, sizeof(marks), "%s%s%s", e->marks & SH_FRAME_CONCEALED ? ",concealed" : "",
             e->marks & SH_FRAME_TIME_MADE ? ",time made" : "",
             e->marks & SH_FRAME_ADAPTED ? ",adapted" : "");
    return json_pack("[o,o,o,o,o,s,s]", count_of(e->source), count_of(e->packet), time_of(e->pts_in),
                     count_of(e->output), time_of(e->pts_out), sh_fate_name(e->fate),
                     marks[0] ? marks + 1 : "");
}

static int64_t bytes_of(const sh_journal_piece *piece)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < piece->packet_count; i++)
        bytes += piece->packets[i].size;
    return bytes;
}

static json_t *piece_object(const sh_journal_piece *piece, const sh_ledger *ledger)
{
    json_t *rows = json_array(), *reason = json_string(ledger->reason);
    for (size_t i = 0; i < ledger->count; i++)
        json_array_append_new(rows, row_of(&ledger->entries[i]));
    if (json_array_size(rows) != ledger->count) {
        json_decref(rows);
        json_decref(reason);
        return NULL;
    }
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:o,s:o}", "piece", (json_int_t)piece->number + 1,
                     "first_frame", (json_int_t)piece->first_frame + 1, "frames", (json_int_t)piece->frames,
                     "first_source", (json_int_t)piece->first_source + 1, "source_frames",
                     (json_int_t)piece->source_frames, "bytes", (json_int_t)bytes_of(piece), "offset",
                     (json_int_t)piece->offset, "duplicates", (json_int_t)ledger->duplicates, "made_by",
                     sh_fallback_name((int)piece->fallback), "reason", reason ? reason : json_null(),
                     "ledger", rows);
}

static int print_piece(FILE *file, const sh_journal_piece *piece, sh_err *err)
{
    sh_ledger ledger = {0};
    int status = sh_ledger_read(&ledger, piece->ledger, piece->ledger_size, err);
    if (status == 0)
        status = print(file, piece->number > 0 ? ",\n" : "\n", piece_object(piece, &ledger), err);
    sh_ledger_free(&ledger);
    return status;
}

static json_t *sums_object(const sh_report_sums *s)
{
    json_t *fates = json_object();
    for (int i = 0; i < SH_FATES; i++)
        json_object_set_new(fates, sh_fate_name(i), json_integer(s->fates[i]));
    return json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:{s:I,s:I}}", "frames_in", (json_int_t)s->frames_in,
        "frames_out", (json_int_t)s->frames_out, "packets_lost", (json_int_t)s->packets_lost, "pieces",
        (json_int_t)s->pieces, "duplicates", (json_int_t)s->duplicates, "fates", fates, "concealed",
        (json_int_t)s->concealed, "times_made", (json_int_t)s->times_made, "adapted", (json_int_t)s->adapted,
        "pieces_by_fallback", "scalar", (json_int_t)s->scalar, "classic", (json_int_t)s->classic);
}

static json_t *words(const char *text)
{
    json_t *string = json_string(text);
    return string ? string : json_null();
}

static int print_head(FILE *file, const sh_report *r, sh_err *err)
{
    char in[32], out[32];
    snprintf(in, sizeof(in), "%d/%d", r->in.num, r->in.den);
    snprintf(out, sizeof(out), "%d/%d", r->out.num, r->out.den);
    int status = print(file, "{\"spyhop\":", json_string(spyhop_version()), err);
    if (status == 0)
        status = print(file, ",\n\"input\":", words(r->input), err);
    if (status == 0)
        status = print(file, ",\n\"output\":", words(r->output), err);
    if (status == 0)
        status = print(file, ",\n\"model\":", words(r->model), err);
    if (status == 0)
        status = print(file, ",\n\"time_base_in\":", json_string(in), err);
    if (status == 0)
        status = print(file, ",\n\"time_base_out\":", json_string(out), err);
    if (status == 0)
        status = print(file, ",\n\"columns\":",
                       json_pack("[s,s,s,s,s,s,s]", "source", "packet", "time_in", "output", "time_out",
                                 "fate", "marks"),
                       err);
    return status;
}

static int print_all(FILE *file, sh_journal *journal, const sh_report *report, sh_err *err)
{
    sh_journal_piece piece;
    int64_t cursor = 0;
    int status = print_head(file, report, err), more = 0;
    if (status == 0)
        fputs(",\n\"pieces\":[", file);
    while (status == 0 && (more = sh_journal_next(journal, &cursor, &piece, err)) == 1)
        status = print_piece(file, &piece, err);
    if (status == 0 && more < 0)
        status = more;
    if (status == 0)
        status = print(file, "],\n\"summary\":", sums_object(&report->sums), err);
    if (status == 0)
        fputs("}\n", file);
    if (status == 0 && (fflush(file) != 0 || ferror(file)))
        status = sh_fail_errno(err, errno, "the report");
    return status;
}

int sh_report_write(const char *path, sh_journal *journal, const sh_report *report, sh_err *err)
{
    sh_output output;
    int status = sh_output_open(&output, path, true, -1, err);
    if (status < 0)
        return status;
    const int fd = dup(output.fd);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file && fd >= 0)
        close(fd);
    status = file ? print_all(file, journal, report, err) : sh_fail_errno(err, errno, "%s", output.shown);
    if (file && fclose(file) != 0 && status == 0)
        status = sh_fail_errno(err, errno, "%s", output.shown);
    if (status == 0)
        status = sh_output_commit(&output, err);
    sh_output_close(&output);
    return status;
}
