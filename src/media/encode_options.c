/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `-o key=value`: what a person tells the encoder himself.
 *
 * Keys are the encoder's own (x264 --fullhelp, x265 --fullhelp, SVT-AV1's Parameters.md; NVENC has none and
 * takes libavcodec's). All go through but those below, each of which would break a piece, a join, the same
 * bytes twice, or contradict what the plan has decided. '_' is '-', and x264's "no" in front changes nothing.
 * x264 and x265 only warn of a key that they do not know: what they say while they are opened is read. */
#include "media/encode_row.h"

#include <ctype.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX 64
#define OPTIONS_MAX 200

enum reason { PLACE, RATE, QUALITY, PRESET, THREADS, TAGS, PICTURE, FILES, NUMBERS, OWN, REASONS };

static const char *const reasons[REASONS] = {
    [PLACE] = "the work is done in pieces, each with one key frame at its start",
    [RATE] = "quality is constant in each piece: a rate that is steered would begin anew at each join",
    [QUALITY] = "it has an option of its own, --crf",
    [PRESET] = "it has an option of its own, --preset",
    [THREADS] = "threads are pinned (see --threads), so that a resumed job makes the same bytes",
    [TAGS] = "it is taken from the source, and the container has to say the same",
    [PICTURE] = "it would change size, number or order of the frames, which are checked against the source",
    [FILES] = "it names a file, and the encoder may open none",
    [NUMBERS] = "it counts frames, and each piece counts from its own start",
    [OWN] = "it belongs to how Spyhop runs the encoder",
};

typedef struct refused {
    const char *keys; /* with a space in front of and behind each */
    enum reason reason;
} refused;

static const refused list[] = {
    {" keyint min-keyint keyint-min g gop gop-size open-gop intra-refresh forced-idr force-idr idr-interval "
     "strict-gop avcintra-class avcintra-flavor bluray-compat uhd-bd gop-lookahead radl irefresh-type "
     "sc-detection "
     "force-key-frames force-flush intra-period sframe-dist sframe-mode enable-sframe chunk-start chunk-end "
     "single-slice-intra-refresh ",
     PLACE},
    {" bitrate b ab bt rc tbr mbr vbv-maxrate vbv-bufsize vbv-init vbv-end vbv-end-fr-adj maxrate minrate "
     "bufsize "
     "rc-max-rate rc-buffer-size rc-init-occupancy pass passes stats 2pass cbr cbr-padding ratetol nal-hrd "
     "hrd "
     "hrd-concat filler strict-cbr const-vbv crf-max crf-min min-vbv-fullness max-vbv-fullness "
     "vbv-live-multi-pass multi-pass-opt-analysis multi-pass-opt-distortion multi-pass-opt-rps "
     "slow-firstpass "
     "fastfirstpass buf-sz buf-initial-sz buf-optimal-sz undershoot-pct overshoot-pct bias-pct "
     "minsection-pct "
     "maxsection-pct mbr-overshoot-pct gop-constraint-rc max-bitrate target-bitrate "
     "vui-hrd-info decoder-max-rate constrained-encoding ",
     RATE},
    {" crf cq ", QUALITY},
    {" preset enc-mode ", PRESET},
    {" threads lookahead-threads sliced-threads sync-lookahead deterministic n-deterministic "
     "non-deterministic "
     "thread-input thread-type cpu-independent stitchable asm cpu cpuid frame-threads pools numa-pools pmode "
     "pme lp "
     "pin ss unpin nb opencl opencl-clbin opencl-device copy-pic level-of-parallelism ",
     THREADS},
    {" colorprim transfer colormatrix range fullrange input-range chromaloc sar overscan-crop "
     "color-primaries "
     "color-trc colorspace color-range transfer-characteristics matrix-coefficients chroma-sample-position "
     "chroma-sample-location mastering-display master-display content-light max-cll cll hdr hdr10 "
     "dhdr10-info "
     "alternative-transfer atc-sei fps timebase time-base force-cfr vfr-input pic-struct aspect "
     "hdr10plus-json "
     "video-signal-type-preset vui-timing-info tag a53cc udu-sei s12m-tc dolby-vision-profile ",
     TAGS},
    {" interlaced interlace tff bff fake-interlaced field frame-dup dup-threshold display-window "
     "default-disp-window "
     "conformance-window-offsets crop-rect input-depth output-depth input-csp input-res input-bit-depth "
     "encoder-bit-depth encoder-color-format width height w h resize-mode resize-denom resize-kf-denom "
     "frames f n "
     "seek skip limit total-frames pix-fmt highbitdepth profile-rgb max-input-size "
     "flags ",
     PICTURE},
    {" qpfile cqmfile dump-yuv passlogfile analysis-save analysis-load analysis-reuse-file "
     "analysis-reuse-mode "
     "csv csv-log-level log-file log-file-level lambda-file zonefile recon recon-y4m-exec dolby-vision-rpu "
     "nalu-file "
     "film-grain-table fgs-table output o i input config c stat-file errlog roi-map-file "
     "refine-analysis-type abr-ladder ",
     FILES},
    {" zones z roi use-q-file ", NUMBERS},
    {" repeat-headers annexb global-header log log-level progress psnr ssim enable-stat-report svt "
     "single-sei "
     "x264-params x264opts x265-params svtav1-params opts ",
     OWN},
};

static bool among(const char *keys, const char *key)
{
    const size_t length = strlen(key);
    for (const char *at = keys; (at = strstr(at, key)); at += length)
        if (at[-1] == ' ' && at[length] == ' ')
            return true;
    return false;
}

static const char *find_reason(const char *key)
{
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
        if (among(list[i].keys, key))
            return reasons[list[i].reason];
    return NULL;
}

/* Why `key` is refused, NULL when it is not. */
static const char *why_refused(const char *key)
{
    char plain[KEY_MAX];
    size_t length = strlen(key);
    const char *reason;
    for (size_t i = 0; i <= length; i++)
        plain[i] = (char)(key[i] == '_' ? '-' : tolower((unsigned char)key[i]));
    if ((reason = find_reason(plain)))
        return reason;
    if (strncmp(plain, "no-", 3) == 0)
        return find_reason(plain + 3);
    return strncmp(plain, "no", 2) == 0 ? find_reason(plain + 2) : NULL;
}

/* "key=value" or, for what is switched on, "key". */
static int split(const sh_encoder_row *row, const char *option, char key[KEY_MAX], const char **value,
                 sh_err *err)
{
    const size_t length = strcspn(option, "=");
    if (length == 0 || length >= KEY_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "-o %.80s: it should be key=value, with a key of %s", option,
                       row->info.title);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)option[i]) && !strchr("-_", option[i]))
            return sh_fail(err, SH_E_ARGUMENT, "-o %.80s: a key has letters, digits and dashes only", option);
    memcpy(key, option, length);
    key[length] = '\0';
    *value = option[length] ? option + length + 1 : "1";
    return 0;
}

static int set_option(AVCodecContext *codec, const sh_encoder_row *row, const char *key, const char *value,
                      sh_err *err)
{
    int error = av_opt_set(codec, key, value, AV_OPT_SEARCH_CHILDREN);
    if (error == AVERROR_OPTION_NOT_FOUND)
        return sh_fail(err, SH_E_ARGUMENT, "-o %s: %s has no option of this name", key, row->info.title);
    if (error < 0)
        return sh_fail(err, SH_E_ARGUMENT, "-o %s=%.100s: %s does not take this value", key, value,
                       row->info.title);
    return 0;
}

static int apply(AVCodecContext *codec, const sh_encoder_row *row, const char *option, AVDictionary **native,
                 sh_err *err)
{
    char key[KEY_MAX];
    const char *value = NULL;
    int status = split(row, option, key, &value, err);
    if (status < 0)
        return status;
    const char *reason = why_refused(key);
    if (reason)
        return sh_fail(err, SH_E_ARGUMENT, "-o %s is refused: %s", key, reason);
    const bool wrapper =
        row->info.codec != AV_CODEC_ID_AV1 && (!strcmp(key, "tune") || !strcmp(key, "profile"));
    if (!row->native || wrapper)
        return set_option(codec, row, key, value, err);
    return av_dict_set(native, key, value, 0) < 0 ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}

int sh_encoder_apply_options(AVCodecContext *codec, const sh_encoder_row *row,
                             const sh_encoder_settings *settings, AVDictionary **native, sh_err *err)
{
    if (settings->option_count > OPTIONS_MAX)
        return sh_fail(err, SH_E_LIMIT, "more than %d options for the encoder", OPTIONS_MAX);
    for (size_t i = 0; i < settings->option_count; i++) {
        int status = apply(codec, row, settings->options[i], native, err);
        if (status < 0)
            return status;
    }
    return 0;
}

/* What follows a mark: the option, as "key = value", "key: value" or "key" alone. */
static void read_option(const char *at, char *option, size_t size)
{
    at += strspn(at, " '");
    size_t length = strcspn(at, "\n");
    while (length > 0 && strchr(".' ", at[length - 1]))
        length--;
    const size_t key = strcspn(at, " :");
    if (key < length) {
        const size_t gap = strspn(at + key, " :='");
        snprintf(option, size, "%.*s=%.*s", (int)key, at, (int)(length - key - gap), at + key + gap);
    } else {
        snprintf(option, size, "%.*s", (int)length, at);
    }
}

/* Each wrapper says it in other words. */
int sh_encoder_find_complaint(const sh_encoder_row *row, const char *said, sh_err *err)
{
    static const char *const marks[] = {"Error parsing option", "Unknown option:", "Invalid value for"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        const char *at = strstr(said, marks[i]);
        char option[160];
        if (!at)
            continue;
        read_option(at + strlen(marks[i]), option, sizeof(option));
        return sh_fail(err, SH_E_ARGUMENT,
                       i == 1   ? "-o %s: %s has no option of this name"
                       : i == 2 ? "-o %s: %s does not take this value"
                                : "-o %s: %s has no such option, or it takes other values",
                       option, row->info.title);
    }
    return 0;
}
