/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stream_options.h"
#include "base/size.h"

#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(sh_stream_words, field)
#define SEGMENT 6
#define GOP 2
#define OWN_MAX 16

static const char *const codecs[] = {"auto", "h264", "hevc", "av1", NULL}; /* as sh_ladder_codec */

static const sh_option_row rows[] = {
    {"codec", 0, SH_OPTION_CHOICE, AT(codec), .choices = codecs,
     .help = "  --codec C               auto (default: h264, hevc for HDR), h264, hevc or av1\n"},
    {"sdr", 0, SH_OPTION_FLAG, AT(sdr),
     .help = "  --sdr                   beside a ladder of HDR one of SDR, tone mapped, in H.264\n"},
    {"steps", 0, SH_OPTION_WHOLE, AT(steps), 1, 8,
     .help = "  --steps N               the N largest pictures of the ladder (default: down to 240 rows)\n"},
    {"segment", 0, SH_OPTION_NUMBER, AT(segment), 1, 60,
     .help = "  --segment SECONDS       length of a segment (default 6)\n"},
    {"gop", 0, SH_OPTION_NUMBER, AT(gop), 0.1, 60,
     .help = "  --gop SECONDS           most between two key pictures (default 2)\n"},
    {"live-preview", 0, SH_OPTION_FLAG, AT(live),
     .help = "  --live-preview          OUTDIR can be played while it is made\n"},
    {"restore", 0, SH_OPTION_DENOISE, offsetof(sh_upscale_words, denoise),
     .help = "  --restore[=MODEL]       the same as --denoise\n"},
    {"no-audio", 0, SH_OPTION_FLAG, AT(no_audio),
     .help = "  --no-audio, --no-text, --no-thumbnails\n"
             "                          leaves these out\n"},
    {"no-text", 0, SH_OPTION_FLAG, AT(no_text)},
    {"no-thumbnails", 0, SH_OPTION_FLAG, AT(no_thumbnails)},
};

void sh_stream_words_help(FILE *out)
{
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        if (rows[i].help)
            fputs(rows[i].help, out);
    sh_words_help(out);
}

static bool check(const sh_stream_words *w)
{
    if (w->gop > w->segment) {
        fprintf(stderr, "spyhop %s: --gop %g is longer than a segment of %g s\n", w->words.command, w->gop,
                w->segment);
        return false;
    }
    return true;
}

bool sh_stream_words_read(sh_stream_words *words, const char *command, const sh_option_row *own,
                          size_t own_count, int argc, char **argv, int *first)
{
    sh_option_row all[SH_COUNT(rows) + OWN_MAX];
    if (own_count > OWN_MAX)
        return false;
    memcpy(all, rows, sizeof(rows));
    if (own_count > 0)
        memcpy(all + SH_COUNT(rows), own, own_count * sizeof(*own));
    *words = (sh_stream_words){.segment = SEGMENT, .gop = -1};
    if (!sh_words_read(&words->words, command, all, SH_COUNT(rows) + own_count, argc, argv, first))
        return false;
    if (words->gop < 0)
        words->gop = words->segment < GOP ? words->segment : GOP;
    return check(words);
}

/* "none" for a network: the picture stays as large as it is. */
int sh_stream_words_work(sh_stream_words *w, sh_stream_work *work, sh_err *err)
{
    sh_upscale_options *options = &w->words.options;
    const bool none = strcmp(w->words.model, "none") == 0;
    if (none && w->words.denoise)
        return sh_fail(err, SH_E_ARGUMENT, "--denoise needs a network behind it; --model none leaves it out");
    if (!none) {
        int status = sh_upscale_words_models(&w->words, err);
        if (status < 0)
            return status;
    }
    *work = (sh_stream_work){.options = options,
                             .ladder = {.codec = w->codec,
                                        .sdr = w->sdr,
                                        .preset = options->preset,
                                        .crf = options->crf,
                                        .gop_seconds = w->gop,
                                        .most = w->steps,
                                        .no_thumbnails = w->no_thumbnails,
                                        .no_text = w->no_text,
                                        .no_audio = w->no_audio},
                             .segment_seconds = w->segment,
                             .live = w->live};
    return 0;
}
