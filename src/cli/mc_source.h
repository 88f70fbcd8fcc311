/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_MC_SOURCE_H
#define SH_CLI_MC_SOURCE_H
/* What a MediaConvert job has to know of its input before it is laid out: looked at in a confined child
 * (media/probe_job.h), handed over as JSON. */
#include "base/err.h"
#include "cloud/jobs/mc_settings.h"

enum { SH_MC_SOURCE_TRACKS = 64 };

typedef struct sh_mc_source_track {
    int index; /* in the file */
    bool audio;
    char language[12]; /* "und": not told */
} sh_mc_source_track;

typedef struct sh_mc_source {
    int width, height; /* as it comes to the outputs: turned, deinterlaced */
    int sar_num, sar_den;
    int rate_num, rate_den;                         /* 0/1: not known */
    double duration;                                /* 0: not known */
    bool captions;                                  /* CEA-608 in the pictures */
    sh_mc_source_track tracks[SH_MC_SOURCE_TRACKS]; /* audio and text alone, in the file's order */
    size_t track_count;
} sh_mc_source;

typedef void sh_mc_log(void *opaque, int level, const char *text);

/* path: of the input. SH_E_FORMAT and others as sh_probe_run has them; SH_E_UNSUPPORTED: it can be read, but
 * nothing can be made of it. */
int sh_mc_source_look(sh_mc_source *source, const char *path, const sh_mc_job *job, sh_mc_log *log,
                      void *opaque, sh_err *err);

/* The file's track that a sound or text means, -1: the default audio, or CEA-608; the reason in err where
 * there is none (SH_E_NOT_FOUND). *language: what the file calls it, "" where it does not. */
int sh_mc_source_audio(const sh_mc_source *source, const sh_mc_audio *audio, int *track,
                       const char **language, sh_err *err);
int sh_mc_source_text(const sh_mc_source *source, const sh_mc_text *text, int *track, const char **language,
                      sh_err *err);

#endif
