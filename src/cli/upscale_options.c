/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/upscale_options.h"
#include "base/size.h"
#include "cli/models.h"
#include "cli/number.h"
#include "media/encode.h"
#include "media/finish.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind {
    FLAG,
    TEXT,
    NUMBER,
    WHOLE,
    TIME,
    CHOICE,
    SIZE,
    CPU,
    PRECISION,
    ENCODER,
    PAIR,
    GRAIN,
    DENOISE
} kind;

typedef struct option_row {
    const char *name;
    char letter; /* 0: none */
    kind kind;
    size_t at; /* in sh_upscale_words */
    double min, max;
    const char *const *choices; /* their places are the values */
} option_row;

#define AT(field) offsetof(sh_upscale_words, field)

static const char *const deinterlaces[] = {"auto", "off", "frame", "field", NULL};
static const char *const rotations[] = {"auto", "keep", "apply", NULL};

static const option_row rows[] = {
    {"model", 0, TEXT, AT(model)},
    {"denoise", 0, DENOISE, AT(denoise)},
    {"grain", 0, GRAIN, AT(options.grain), 0, 32},
    {"to", 0, SIZE, 0},
    {"large", 0, FLAG, AT(options.large)},
    {"encoder", 0, ENCODER, AT(options.encoder)},
    {"crf", 0, NUMBER, AT(options.crf), 0, 63},
    {"preset", 0, TEXT, AT(options.preset)},
    {"option", 'o', PAIR, 0},
    {"start", 0, TIME, AT(options.start)},
    {"duration", 0, TIME, AT(options.duration)},
    {"preview", 0, FLAG, AT(options.preview)},
    {"deinterlace", 0, CHOICE, AT(options.deinterlace), .choices = deinterlaces},
    {"telecine", 0, FLAG, AT(options.telecine)},
    {"rotation", 0, CHOICE, AT(options.rotation), .choices = rotations},
    {"threads", 0, WHOLE, AT(options.threads), 0, 256},
    {"jobs", 0, WHOLE, AT(options.jobs), 1, 64},
    {"piece", 0, WHOLE, AT(options.piece_frames), 2, 5000},
    {"cpu", 0, CPU, AT(options.cpu)},
    {"precision", 0, PRECISION, AT(options.precision)},
    {"overwrite", 'y', FLAG, AT(options.overwrite)},
    {"accept-damage", 0, FLAG, AT(options.accept_damage)},
    {"allow-loss", 0, FLAG, AT(options.allow_loss)},
    {"no-sandbox", 0, FLAG, AT(options.no_sandbox)},
    {"report", 0, TEXT, AT(options.report)},
    {"progress", 0, TEXT, AT(progress)},
    {"json", 0, FLAG, AT(json)},
    {"quiet", 'q', FLAG, AT(quiet)},
    {"verbose", 'v', FLAG, AT(verbose)},
    {"help", 'h', FLAG, AT(help)},
};

static const char help_first[] =
    "  --model NAME|FILE.onnx  network for luma (default %s)\n"
    "  --denoise[=MODEL]       a network that restores in front of it (default restore)\n"
    "  --grain[=N]             grain behind it: standard deviation in codes of 8 bits (default %g)\n"
    "  --to SIZE               1080p, 4k, WxH or Wx: scaled down to that after the network\n"
    "  --large                 more than 4K may come out\n";

static const char help_rest[] =
    "  --crf N                 quality, 0 best\n"
    "  --preset P              speed of the encoder, in its own words\n"
    "  -o, --option KEY=VALUE  any option of the encoder that does not break pieces\n"
    "  --start T, --duration T a part of IN; seconds or H:M:S.F\n"
    "  --preview               OUT is a PNG: the frame at --start, before and after\n"
    "  --deinterlace HOW       auto (default), off, frame (a frame a frame), field (a frame a field)\n"
    "  --telecine              takes 3:2 pulldown back\n"
    "  --rotation HOW          auto (default), keep (as a tag), apply (to the picture)\n"
    "  --threads N             threads (default: one for each CPU)\n"
    "  --jobs N                pieces side by side (default 1)\n"
    "  --piece N               frames in a piece (default by the model's cost, 250 at most)\n"
    "  --cpu L                 c, avx2, avxvnni, avx512, avx512vnni, avx512fp16 or auto (default)\n"
    "  --precision P           int8, fp16, fp32 or auto (default: int8 for a quantised model)\n"
    "  --accept-damage         take what can be decoded of a damaged file\n"
    "  --allow-loss            go on where OUT's container cannot hold all that IN has\n";

void sh_upscale_words_help(FILE *out)
{
    const sh_encoder_info *encoder;
    fprintf(out, help_first, SH_MODEL_DEFAULT, SH_GRAIN_MODEL_A);
    fprintf(out, "  --encoder NAME          auto (default) or\n");
    for (size_t i = 0; (encoder = sh_encoder_at(i)); i++)
        fprintf(out, "      %-14s      %s, by default --crf %g --preset %s\n", encoder->name, encoder->title,
                encoder->crf, encoder->preset);
    fputs(help_rest, out);
}

static bool wrong(const sh_upscale_words *words, const option_row *row, const char *takes, const char *text)
{
    fprintf(stderr, "spyhop %s: --%s takes %s, not \"%s\"\n", words->command, row->name, takes, text);
    return false;
}

/* "1080p" and "4k" are heights of a box of 16:9, which is how plan.h reads a height alone. */
static bool take_size(sh_upscale_words *words, const option_row *row, const char *text)
{
    static const struct {
        const char *name;
        int height;
    } names[] = {{"4k", 2160}, {"4K", 2160}, {"8k", 4320}, {"8K", 4320}};
    char *end;
    for (size_t i = 0; i < SH_COUNT(names); i++)
        if (strcmp(names[i].name, text) == 0) {
            words->options.to_width = 0;
            words->options.to_height = names[i].height;
            return true;
        }
    const long first = *text >= '1' && *text <= '9' ? strtol(text, &end, 10) : 0;
    long second = 0;
    if (first < 2 || first > 16384)
        return wrong(words, row, "1080p, 4k, WxH or Wx, sides from 2 to 16384", text);
    const bool height_alone = strcmp(end, "p") == 0;
    if (*end == 'x' && end[1] >= '1' && end[1] <= '9')
        second = strtol(end + 1, &end, 10);
    else if (*end == 'x')
        end++;
    if (!height_alone &&
        (*end || end == text || end[-1] == 'p' || second == 1 || second > 16384 || !strchr(text, 'x')))
        return wrong(words, row, "1080p, 4k, WxH or Wx, sides from 2 to 16384", text);
    words->options.to_width = height_alone ? 0 : (int)first;
    words->options.to_height = height_alone ? (int)first : (int)second;
    return true;
}

static bool take_choice(const sh_upscale_words *words, const option_row *row, const char *text, void *at)
{
    char all[128] = "";
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            memcpy(at, &i, sizeof(i)); /* enumerations here are as wide as int */
            return true;
        }
        const size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", row->choices[i]);
    }
    return wrong(words, row, all, text);
}

static bool take_encoder(const sh_upscale_words *words, const option_row *row, const char *text, void *at)
{
    char all[200] = "auto";
    for (size_t i = 0; sh_encoder_at(i); i++) {
        const size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, ", %s", sh_encoder_at(i)->name);
    }
    if (strcmp(text, "auto") != 0 && !sh_encoder_find(text))
        return wrong(words, row, all, text);
    memcpy(at, &text, sizeof(text));
    return true;
}

static bool take_pair(sh_upscale_words *words, const option_row *row, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return wrong(words, row, "KEY=VALUE", text);
    if (words->options.encoder_option_count == SH_ENCODER_OPTIONS_MAX) {
        fprintf(stderr, "spyhop %s: more than %d options of the encoder\n", words->command,
                SH_ENCODER_OPTIONS_MAX);
        return false;
    }
    words->encoder_options[words->options.encoder_option_count++] = text;
    return true;
}

static bool take_number(const sh_upscale_words *words, const option_row *row, const char *text, void *at)
{
    char name[32];
    snprintf(name, sizeof(name), "--%s", row->name);
    if (row->kind == WHOLE)
        return sh_option_int(words->command, name, text, (int)row->min, (int)row->max, at);
    if (row->kind == TIME)
        return sh_option_time(words->command, name, text, at);
    return sh_option_real(words->command, name, text, row->min, row->max, at);
}

/* text: NULL where an option that may have a value has none. */
static bool take(sh_upscale_words *words, const option_row *row, const char *text)
{
    void *at = (char *)words + row->at;
    const char *restore = "restore";
    const double grain = SH_GRAIN_MODEL_A;
    switch (row->kind) {
    case FLAG:
        *(bool *)at = true;
        return true;
    case DENOISE:
        text = text ? text : restore;
        memcpy(at, &text, sizeof(text));
        return true;
    case TEXT:
        memcpy(at, &text, sizeof(text));
        return true;
    case GRAIN:
        if (text)
            return take_number(words, row, text, at);
        memcpy(at, &grain, sizeof(grain));
        return true;
    case SIZE:
        return take_size(words, row, text);
    case CHOICE:
        return take_choice(words, row, text, at);
    case ENCODER:
        return take_encoder(words, row, text, at);
    case PAIR:
        return take_pair(words, row, text);
    case CPU:
        return sh_option_cpu(words->command, text, at);
    case PRECISION:
        return sh_option_precision(words->command, text, at);
    default:
        return take_number(words, row, text, at);
    }
}

#define FIRST_LONG 256

static void make_table(struct option *table, char *letters)
{
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        const int argument = rows[i].kind == FLAG                               ? no_argument
                             : rows[i].kind == GRAIN || rows[i].kind == DENOISE ? optional_argument
                                                                                : required_argument;
        table[i] = (struct option){rows[i].name, argument, NULL, FIRST_LONG + (int)i};
        if (rows[i].letter) {
            *letters++ = rows[i].letter;
            if (argument == required_argument)
                *letters++ = ':';
        }
    }
}

static const option_row *find(int option)
{
    if (option >= FIRST_LONG)
        return &rows[option - FIRST_LONG];
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        if (rows[i].letter == option)
            return &rows[i];
    return NULL; /* getopt has said it */
}

/* A preset is a word of the encoder's own; that it is one is known before any file is looked at. */
static bool check_preset(const sh_upscale_words *words)
{
    static const char *const names[] = {"ultrafast", "superfast", "veryfast", "faster",   "fast",
                                        "medium",    "slow",      "slower",   "veryslow", "placebo"};
    const char *given = words->options.preset, *encoder = words->options.encoder;
    if (!given || strstr(encoder, "nvenc") || strstr(encoder, "svt"))
        return true; /* theirs are checked by the encoder */
    for (size_t i = 0; i < SH_COUNT(names); i++)
        if (strcmp(names[i], given) == 0)
            return true;
    fprintf(stderr, "spyhop %s: --preset takes ultrafast to placebo, not \"%s\"\n", words->command, given);
    return false;
}

bool sh_upscale_words_read(sh_upscale_words *words, const char *command, int argc, char **argv, int *first)
{
    struct option table[SH_COUNT(rows) + 1] = {{0}};
    char letters[2 * SH_COUNT(rows) + 1] = "";
    int option;
    *words = (sh_upscale_words){.command = command, .model = SH_MODEL_DEFAULT};
    sh_upscale_options_default(&words->options);
    make_table(table, letters);
    while ((option = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        const option_row *row = find(option);
        if (!row || !take(words, row, optarg))
            return false;
    }
    *first = optind;
    return check_preset(words);
}

int sh_upscale_words_models(sh_upscale_words *words, sh_err *err)
{
    words->options.encoder_options = words->encoder_options;
    int status = sh_model_path(words->model, words->model_path, sizeof(words->model_path), err);
    words->options.model = words->model_path;
    if (status < 0 || !words->denoise)
        return status;
    words->options.restore = words->restore_path;
    return sh_model_path(words->denoise, words->restore_path, sizeof(words->restore_path), err);
}
