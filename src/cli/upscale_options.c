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

#define AT(field) offsetof(sh_upscale_words, field)

static const char *const deinterlaces[] = {"auto", "off", "frame", "field", NULL};
static const char *const rotations[] = {"auto", "keep", "apply", NULL};

static const sh_option_row rows[] = {
    {"model", 0, SH_OPTION_TEXT, AT(model),
     .help = "  --model NAME|FILE.onnx  network for luma (default " SH_MODEL_DEFAULT ")\n"},
    {"denoise", 0, SH_OPTION_DENOISE, AT(denoise),
     .help = "  --denoise[=MODEL]       a network that restores in front of it (default restore)\n"},
    {"grain", 0, SH_OPTION_GRAIN, AT(options.grain), 0, 32,
     .help =
         "  --grain[=N]             grain behind it: standard deviation in codes of 8 bits (default %g)\n"},
    {"to", 0, SH_OPTION_SIZE, 0,
     .help = "  --to SIZE               1080p, 4k, WxH or Wx: scaled down to that after the network\n"},
    {"large", 0, SH_OPTION_FLAG, AT(options.large),
     .help = "  --large                 more than 4K may come out\n"},
    {"encoder", 0, SH_OPTION_ENCODER, AT(options.encoder), .upscale_only = true,
     .help = "  --encoder NAME          auto (default) or\n"},
    {"crf", 0, SH_OPTION_NUMBER, AT(options.crf), 0, 63,
     .help = "  --crf N                 quality, 0 best\n"},
    {"preset", 0, SH_OPTION_TEXT, AT(options.preset),
     .help = "  --preset P              speed of the encoder, in its own words\n"},
    {"option", 'o', SH_OPTION_PAIR, 0, .upscale_only = true,
     .help = "  -o, --option KEY=VALUE  any option of the encoder that does not break pieces\n"},
    {"start", 0, SH_OPTION_TIME, AT(options.start),
     .help = "  --start T, --duration T a part of IN; seconds or H:M:S.F\n"},
    {"duration", 0, SH_OPTION_TIME, AT(options.duration)},
    {"preview", 0, SH_OPTION_FLAG, AT(options.preview), .upscale_only = true,
     .help = "  --preview               OUT is a PNG: the frame at --start, before and after\n"},
    {"deinterlace", 0, SH_OPTION_CHOICE, AT(options.deinterlace), .choices = deinterlaces,
     .help =
         "  --deinterlace HOW       auto (default), off, frame (a frame a frame), field (a frame a field)\n"},
    {"telecine", 0, SH_OPTION_FLAG, AT(options.telecine),
     .help = "  --telecine              takes 3:2 pulldown back\n"},
    {"rotation", 0, SH_OPTION_CHOICE, AT(options.rotation), .choices = rotations, .upscale_only = true,
     .help = "  --rotation HOW          auto (default), keep (as a tag), apply (to the picture)\n"},
    {"threads", 0, SH_OPTION_WHOLE, AT(options.threads), 0, 256,
     .help = "  --threads N             threads (default: one for each CPU)\n"},
    {"jobs", 0, SH_OPTION_WHOLE, AT(options.jobs), 1, 64, .upscale_only = true,
     .help = "  --jobs N                pieces side by side (default 1)\n"},
    {"piece", 0, SH_OPTION_WHOLE, AT(options.piece_frames), 2, 5000, .upscale_only = true,
     .help = "  --piece N               frames in a piece (default by the model's cost, 250 at most)\n"},
    {"cpu", 0, SH_OPTION_CPU, AT(options.cpu),
     .help =
         "  --cpu L                 c, avx2, avxvnni, avx512, avx512vnni, avx512fp16 or auto (default)\n"},
    {"precision", 0, SH_OPTION_PRECISION, AT(options.precision),
     .help = "  --precision P           int8, fp16, fp32 or auto (default: int8 for a quantised model)\n"},
    {"overwrite", 'y', SH_OPTION_FLAG, AT(options.overwrite), .upscale_only = true},
    {"accept-damage", 0, SH_OPTION_FLAG, AT(options.accept_damage),
     .help = "  --accept-damage         take what can be decoded of a damaged file\n"},
    {"allow-loss", 0, SH_OPTION_FLAG, AT(options.allow_loss), .upscale_only = true,
     .help = "  --allow-loss            go on where OUT's container cannot hold all that IN has\n"},
    {"no-sandbox", 0, SH_OPTION_FLAG, AT(options.no_sandbox)},
    {"report", 0, SH_OPTION_TEXT, AT(options.report), .upscale_only = true},
    {"progress", 0, SH_OPTION_TEXT, AT(progress)},
    {"json", 0, SH_OPTION_FLAG, AT(json)},
    {"quiet", 'q', SH_OPTION_FLAG, AT(quiet)},
    {"verbose", 'v', SH_OPTION_FLAG, AT(verbose)},
    {"help", 'h', SH_OPTION_FLAG, AT(help)},
};

static void print_encoders(FILE *out)
{
    const sh_encoder_info *encoder;
    for (size_t i = 0; (encoder = sh_encoder_at(i)); i++)
        fprintf(out, "      %-14s      %s, by default --crf %g --preset %s\n", encoder->name, encoder->title,
                encoder->crf, encoder->preset);
}

static void print_row(FILE *out, const sh_option_row *row)
{
    const char *at = row->help ? strstr(row->help, "%g") : NULL;
    if (at)
        fprintf(out, "%.*s%g%s", (int)(at - row->help), row->help, SH_GRAIN_MODEL_A, at + 2);
    else if (row->help)
        fputs(row->help, out);
    if (row->kind == SH_OPTION_ENCODER)
        print_encoders(out);
}

static void print_help(FILE *out, bool all)
{
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        if (all || !rows[i].upscale_only)
            print_row(out, &rows[i]);
}

void sh_upscale_words_help(FILE *out)
{
    print_help(out, true);
}

void sh_words_help(FILE *out)
{
    print_help(out, false);
}

static bool wrong(const sh_upscale_words *words, const sh_option_row *row, const char *takes,
                  const char *text)
{
    fprintf(stderr, "spyhop %s: --%s takes %s, not \"%s\"\n", words->command, row->name, takes, text);
    return false;
}

/* "1080p" and "4k" are heights of a box of 16:9, which is how plan.h reads a height alone. */
static bool take_size(sh_upscale_words *words, const sh_option_row *row, const char *text)
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

static bool take_choice(const sh_upscale_words *words, const sh_option_row *row, const char *text, void *at)
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

static bool take_encoder(const sh_upscale_words *words, const sh_option_row *row, const char *text, void *at)
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

static bool take_pair(sh_upscale_words *words, const sh_option_row *row, const char *text)
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

static bool take_number(const sh_upscale_words *words, const sh_option_row *row, const char *text, void *at)
{
    char name[32];
    snprintf(name, sizeof(name), "--%s", row->name);
    if (row->kind == SH_OPTION_WHOLE)
        return sh_option_int(words->command, name, text, (int)row->min, (int)row->max, at);
    if (row->kind == SH_OPTION_TIME)
        return sh_option_time(words->command, name, text, at);
    return sh_option_real(words->command, name, text, row->min, row->max, at);
}

/* text: NULL where an option that may have a value has none. */
static bool take(sh_upscale_words *words, const sh_option_row *row, const char *text)
{
    void *at = (char *)words + row->at;
    const char *restore = "restore";
    const double grain = SH_GRAIN_MODEL_A;
    switch (row->kind) {
    case SH_OPTION_FLAG:
        *(bool *)at = true;
        return true;
    case SH_OPTION_DENOISE:
        text = text ? text : restore;
        memcpy(at, &text, sizeof(text));
        return true;
    case SH_OPTION_TEXT:
        memcpy(at, &text, sizeof(text));
        return true;
    case SH_OPTION_GRAIN:
        if (text)
            return take_number(words, row, text, at);
        memcpy(at, &grain, sizeof(grain));
        return true;
    case SH_OPTION_SIZE:
        return take_size(words, row, text);
    case SH_OPTION_CHOICE:
        return take_choice(words, row, text, at);
    case SH_OPTION_ENCODER:
        return take_encoder(words, row, text, at);
    case SH_OPTION_PAIR:
        return take_pair(words, row, text);
    case SH_OPTION_CPU:
        return sh_option_cpu(words->command, text, at);
    case SH_OPTION_PRECISION:
        return sh_option_precision(words->command, text, at);
    default:
        return take_number(words, row, text, at);
    }
}

#define FIRST_LONG 256
#define ROWS_MAX 64

/* The rows of one command. */
typedef struct table {
    const sh_option_row *rows[ROWS_MAX];
    struct option longs[ROWS_MAX + 1];
    char letters[2 * ROWS_MAX + 1];
    size_t count, letter_count;
} table;

static void add_row(table *to, const sh_option_row *row)
{
    const int argument = row->kind == SH_OPTION_FLAG                                      ? no_argument
                         : row->kind == SH_OPTION_GRAIN || row->kind == SH_OPTION_DENOISE ? optional_argument
                                                                                          : required_argument;
    if (to->count == ROWS_MAX)
        return;
    to->longs[to->count] = (struct option){row->name, argument, NULL, FIRST_LONG + (int)to->count};
    to->rows[to->count++] = row;
    if (row->letter)
        to->letters[to->letter_count++] = row->letter;
    if (row->letter && argument == required_argument)
        to->letters[to->letter_count++] = ':';
}

static const sh_option_row *find(const table *in, int option)
{
    if (option >= FIRST_LONG)
        return in->rows[option - FIRST_LONG];
    for (size_t i = 0; i < in->count; i++)
        if (in->rows[i]->letter == option)
            return in->rows[i];
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

bool sh_words_read(sh_upscale_words *words, const char *command, const sh_option_row *own, size_t own_count,
                   int argc, char **argv, int *first)
{
    table all = {.count = 0};
    int option;
    *words = (sh_upscale_words){.command = command, .model = SH_MODEL_DEFAULT};
    sh_upscale_options_default(&words->options);
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        if (!own || !rows[i].upscale_only)
            add_row(&all, &rows[i]);
    for (size_t i = 0; i < own_count; i++)
        add_row(&all, &own[i]);
    while ((option = getopt_long(argc, argv, all.letters, all.longs, NULL)) != -1) {
        const sh_option_row *row = find(&all, option);
        if (!row || !take(words, row, optarg))
            return false;
    }
    *first = optind;
    return own || check_preset(words);
}

bool sh_upscale_words_read(sh_upscale_words *words, const char *command, int argc, char **argv, int *first)
{
    return sh_words_read(words, command, NULL, 0, argc, argv, first);
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
