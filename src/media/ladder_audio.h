/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_AUDIO_H
#define SH_MEDIA_LADDER_AUDIO_H
/* The audio renditions of a ladder: all of them from one reading of the file, by a demultiplexer of its own
 * on the same descriptor (pread; no position is shared).
 *
 * Each source track that is wanted is decoded once; each rendition has a resampler and an AAC encoder. Sample
 * n of a rendition is heard at n / rate seconds of the presentation: a track that begins late begins with
 * silence, what lies before the presentation's zero is cut to the sample, a gap (100 ms and more; less is
 * rounding of time stamps) is filled with silence and told, an overlap is cut and told, and a track that ends
 * early goes on with silence. So every rendition is as long as the presentation, to one block of AAC.
 *
 * The encoder puts `priming` samples in front: packet n has pts n * 1024 - priming in the time base 1 / rate,
 * and a duration of 1024 always. Its bytes are a function of the file, the settings and the libraries alone:
 * a run after a crash makes them again from the beginning.
 *
 * Damage (packets that cannot be decoded) is replaced by silence where it leaves a gap, counted and told; it
 * never ends the work. */
#include "base/err.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_SOUND_RENDITIONS 16
#define SH_SOUND_HELD_MAX (INT64_C(256) << 20) /* bytes of packets that nobody has taken yet */

typedef struct sh_sound_choice {
    int track;         /* number of the file's stream; -1: not by number */
    int ordinal;       /* of the file's audio tracks, from 1; 0: not by ordinal */
    char language[16]; /* "eng", "en", "de-CH"; "": not by language. The first track in this language */
} sh_sound_choice; /* none of the three: the default track (marked so, else the one libavformat prefers) */

/* Number of the stream, -1: there is none such. */
int sh_sound_find(const AVFormatContext *format, const sh_sound_choice *choice);

typedef struct sh_sound_rendition {
    int track;       /* of the file, from sh_sound_find */
    int64_t bitrate; /* bit/s; 0: 64000 a channel, 96000 for one */
    int channels;    /* 1, 2, 6 or 8; 0: the source's, at most 2 (more are mixed down) */
    int sample_rate; /* 8000 to 96000; 0: the source's where AAC has it, else 48000 */
} sh_sound_rendition;

typedef struct sh_sound_settings {
    int fd;
    const char *name; /* of the source; borrowed */
    int channel;
    /* the presentation: what part of the file's clock it is. begin: its zero; AV_NOPTS_VALUE: set by
     * sh_sound_begin. end: AV_NOPTS_VALUE: not cut. Microseconds */
    int64_t begin_us, end_us;
    const sh_sound_rendition *renditions; /* copied */
    size_t count;
} sh_sound_settings;

typedef struct sh_sound sh_sound;

/* ARGUMENT: a track that is none, or settings that AAC does not have; UNSUPPORTED: no decoder. */
int sh_sound_open(sh_sound **out, const sh_sound_settings *settings, sh_err *err);
void sh_sound_close(sh_sound **audio); /* NULL in it is fine */

/* When the earliest sample of all tracks used is heard, in microseconds of the file's clock, rounded down;
 * AV_NOPTS_VALUE: none of them has any. What an edit list hides does not count. Reads at most as far as 10 s
 * into the file. Before the first sh_sound_until. */
int sh_sound_first(sh_sound *audio, int64_t *first_us, sh_err *err);
/* Sets the presentation's zero: microseconds of the file's clock. Once, before the first
 * sh_sound_until. */
void sh_sound_begin(sh_sound *audio, int64_t zero_us);

/* Valid after opening: codec, extradata (AudioSpecificConfig), rate, channels, bit rate. Borrowed. */
const AVCodecParameters *sh_sound_parameters(const sh_sound *audio, size_t rendition);
int sh_sound_priming(const sh_sound *audio, size_t rendition);
const char *sh_sound_language(const sh_sound *audio, size_t rendition); /* "" : not told */

/* Packets of a rendition, in order: those before the border that lies nearest to `until` (in `base`, time of
 * the presentation), that is, whose middle is shown before it. 1: the next one is in *packet (blank before);
 * 0: there is none before the border any more; SH_E_*. Renditions may be asked in any order; what others wait
 * for is kept (LIMIT beyond SH_SOUND_HELD_MAX). */
int sh_sound_until(sh_sound *audio, size_t rendition, int64_t until, AVRational base, AVPacket *packet,
                   sh_err *err);
/* The presentation ends here: from now on samples behind it are cut, and what is missing up to it is silence.
 * Then sh_sound_until(INT64_MAX) gives the rest. Called once, at a time not before any `until`. */
int sh_sound_end(sh_sound *audio, int64_t end, AVRational base, sh_err *err);
/* How far the tracks go on behind `time`, microseconds, 0: not at all; looked for no further than `limit_us`
 * behind it. For deciding about the end. */
int sh_sound_beyond(sh_sound *audio, int64_t time, AVRational base, int64_t limit_us, int64_t *beyond_us,
                    sh_err *err);
/* How far they go on behind it in the file: reads it to its end and keeps nothing of that, so that samples up
 * to `time` + the limit of sh_sound_beyond, called before, are the last there are. */
int sh_sound_rest(sh_sound *audio, int64_t time, AVRational base, int64_t *rest_us, sh_err *err);
/* Packets that could not be decoded, gaps that were filled, so far. */
typedef struct sh_sound_facts {
    int64_t damages, gaps, overlaps;
    double silence; /* seconds that were filled within the tracks */
} sh_sound_facts;
void sh_sound_tell(const sh_sound *audio, size_t rendition, sh_sound_facts *facts);

#endif
