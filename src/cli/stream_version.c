/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stream_version.h"
#include "media/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <unistd.h>

static int say_model(sh_buf *text, const char *what, const char *path, sh_err *err)
{
    if (!path) {
        sh_journal_say(text, what, "none");
        return 0;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot read the model %s", path);
    int status = sh_journal_say_file(text, what, fd, err);
    close(fd);
    return status;
}

static void say_options(sh_buf *text, const sh_upscale_options *o)
{
    sh_journal_say(text, "start", "%.6f", o->start);
    sh_journal_say(text, "duration", "%.6f", o->duration);
    sh_journal_say(text, "size asked for", "%dx%d%s", o->to_width, o->to_height, o->large ? ", large" : "");
    sh_journal_say(text, "grain", "%.6f", o->grain);
    sh_journal_say(text, "deinterlacing", "%d, telecine %d", (int)o->deinterlace, (int)o->telecine);
    sh_journal_say(text, "threads", "%d", o->threads);
    sh_journal_say(text, "instruction set", "%s",
                   spyhop_cpu_name(o->cpu == SPYHOP_CPU_AUTO ? spyhop_cpu_detect() : o->cpu));
    sh_journal_say(text, "precision", "%s", spyhop_precision_name(o->precision));
    sh_journal_say(text, "damage", "%s", o->accept_damage ? "accepted" : "not accepted");
}

static void say_ladder(sh_buf *text, const sh_stream_work *work)
{
    static const char *const codecs[] = {"as the film wants it", "H.264", "HEVC", "AV1"};
    const sh_ladder_wish *w = &work->ladder;
    sh_journal_say(text, "codec", "%s%s", codecs[w->codec], w->sdr ? ", SDR beside it" : "");
    sh_journal_say(text, "preset", "%s", w->preset ? w->preset : "default");
    sh_journal_say(text, "crf", "%.3f", w->crf);
    sh_journal_say(text, "segments", "%.6f s, groups %.6f s", work->segment_seconds, w->gop_seconds);
    sh_journal_say(text, "steps", "%d", w->most);
    sh_journal_say(text, "left out", "%d %d %d", (int)w->no_audio, (int)w->no_text, (int)w->no_thumbnails);
}

int sh_stream_version_text(sh_buf *text, const sh_stream_work *work, int input, sh_err *err)
{
    sh_journal_say(text, "spyhop", "%s", spyhop_version());
    int status = sh_journal_say_file(text, "source", input, err);
    if (status == 0)
        status = say_model(text, "model", work->options->model, err);
    if (status == 0)
        status = say_model(text, "restoring model", work->options->restore, err);
    if (status < 0)
        return status;
    say_options(text, work->options);
    say_ladder(text, work);
    return text->failed ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}

void sh_stream_version_of(const sh_buf *text, char version[SH_PUBLISH_VERSION + 1])
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (size_t i = 0; i < text->length; i++)
        hash = (hash ^ (unsigned char)text->data[i]) * UINT64_C(0x100000001B3);
    snprintf(version, SH_PUBLISH_VERSION + 1, "%016" PRIx64, hash);
}
