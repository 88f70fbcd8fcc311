/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_TESTS_STREAM_CMAFWORK_H
#define SH_TESTS_STREAM_CMAFWORK_H
/* Real packets for tests of boxes: the ffmpeg program encodes and cuts, what is here reads its Annex-B, IVF
 * and ADTS files back into packets with the times that ffprobe tells, and turns them into CMAF tracks. */
#include "stream/cmaf.h"

typedef struct clip {
    sh_codec codec;
    uint8_t *raw; /* owned */
    size_t raw_size;
    sh_buf config, samples; /* samples: all in ISO form, one after the other */
    sh_cmaf_sample *sample; /* owned; `data` points into samples */
    size_t count;
    uint32_t timescale;
    int sample_rate, channels;
} clip;

/* A folder for the files below; work_close removes it. */
void work_open(void);
void work_close(void);
/* Path of a file in it; a few stay valid at a time. */
const char *work_path(const char *name);
/* Runs a program with the words of `line`; "@name" is a file in the folder; `to`: where its standard output
 * goes, or NULL. Fails the test where the program fails. */
void work_run(const char *program, const char *line, const char *to);
void work_write(const char *name, const void *bytes, size_t size);
/* All bytes of a file, NUL behind them; free(). */
uint8_t *work_read(const char *name, size_t *size);

/* Encodes `source` (a lavfi graph) to NAME.mp4 with the options given, and loads it. */
void clip_video(clip *c, sh_codec codec, const char *name, const char *source, const char *options);
void clip_audio(clip *c, const char *name, const char *source, const char *options);
void clip_free(clip *c);
/* The track of a clip as its own configuration tells it. */
sh_cmaf_track clip_track(const clip *c);
/* Init segment and segments of at most `length` ticks each, one after the other, to the file NAME. */
void clip_write(const clip *c, const sh_cmaf_track *track, int64_t length, const char *name);

#endif
