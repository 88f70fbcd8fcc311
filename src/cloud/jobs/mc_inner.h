/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_MC_INNER_H
#define SH_JOBS_MC_INNER_H
/* What the readers of mc_settings.h share. */
#include "base/buf.h"
#include "cloud/jobs/mc_settings.h"

#define SH_MC_PATH 512

/* Holds a document against the table; appends a line to `notes` for what is made otherwise. */
int sh_mc_check(const json_t *settings, sh_buf *notes, sh_err *err);

/* Members by their camelCase name, whichever case their first letter has. NULL: absent. */
const json_t *sh_mc_get(const json_t *object, const char *name);
const json_t *sh_mc_dig(const json_t *object, const char *names); /* "a.b.c" */
const char *sh_mc_text_of(const json_t *object, const char *names, const char *otherwise);
double sh_mc_number_of(const json_t *object, const char *names, double otherwise);
bool sh_mc_is(const json_t *object, const char *names, const char *word);

/* Writes a path for a message; one that is too long is cut. */
void sh_mc_at(char path[SH_MC_PATH], const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "<at>/<rest>: is required" */
int sh_mc_missing(sh_err *err, const char *at, const char *rest);

/* A selector or description's language into `language` (36 bytes): customLanguageCode, languageCode, "". */
void sh_mc_language(char *language, const json_t *object);

/* Each reads one description and finds or adds its entry in the job's list: *index. */
/* automatic: the pattern of an automated ladder, whose steps get their bit rates there. */
int sh_mc_read_video(sh_mc_job *job, const json_t *video, bool automatic, const char *at, int *index,
                     sh_err *err);
int sh_mc_read_capture(sh_mc_job *job, const json_t *video, const char *at, int *index, sh_err *err);
int sh_mc_read_audio(sh_mc_job *job, const json_t *audio, const char *at, int *index, sh_err *err);
int sh_mc_read_text(sh_mc_job *job, const json_t *caption, const char *at, int *index, sh_err *err);

int sh_mc_read_groups(sh_mc_job *job, bool local, sh_err *err);
int sh_mc_read_abr(sh_mc_abr *abr, const json_t *settings, const char *at, sh_err *err);

/* A destination or input: "s3://bucket/key", where local "file:///path" or a path. */
int sh_mc_check_uri(const char *uri, bool local, sh_err *err);
/* "file:///a" -> "/a", a path as it is; NULL: another scheme. */
const char *sh_mc_local_path(const char *uri);

#endif
