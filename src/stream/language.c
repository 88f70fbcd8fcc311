/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Language tags. Containers speak ISO 639-2, terminologic ("deu") or bibliographic ("ger"); manifests want
 * BCP 47, whose rule is the shortest code ("de"). Codes without a short one stay as they are. */
#include "stream/manifest_inner.h"

#include "base/size.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct language {
    const char *shortest, *terminologic, *bibliographic, *name;
} languages[] = {
    {"aa", "aar", NULL, NULL},         {"ab", "abk", NULL, NULL},          {"af", "afr", NULL, "Afrikaans"},
    {"ak", "aka", NULL, NULL},         {"am", "amh", NULL, "Amharic"},     {"ar", "ara", NULL, "Arabic"},
    {"an", "arg", NULL, NULL},         {"as", "asm", NULL, NULL},          {"av", "ava", NULL, NULL},
    {"ae", "ave", NULL, NULL},         {"ay", "aym", NULL, NULL},          {"az", "aze", NULL, "Azerbaijani"},
    {"ba", "bak", NULL, NULL},         {"bm", "bam", NULL, NULL},          {"be", "bel", NULL, "Belarusian"},
    {"bn", "ben", NULL, "Bengali"},    {"bi", "bis", NULL, NULL},          {"bo", "bod", "tib", "Tibetan"},
    {"bs", "bos", NULL, "Bosnian"},    {"br", "bre", NULL, "Breton"},      {"bg", "bul", NULL, "Bulgarian"},
    {"ca", "cat", NULL, "Catalan"},    {"cs", "ces", "cze", "Czech"},      {"ch", "cha", NULL, NULL},
    {"ce", "che", NULL, NULL},         {"cu", "chu", NULL, NULL},          {"cv", "chv", NULL, NULL},
    {"kw", "cor", NULL, NULL},         {"co", "cos", NULL, NULL},          {"cr", "cre", NULL, NULL},
    {"cy", "cym", "wel", "Welsh"},     {"da", "dan", NULL, "Danish"},      {"de", "deu", "ger", "German"},
    {"dv", "div", NULL, NULL},         {"dz", "dzo", NULL, NULL},          {"el", "ell", "gre", "Greek"},
    {"en", "eng", NULL, "English"},    {"eo", "epo", NULL, "Esperanto"},   {"et", "est", NULL, "Estonian"},
    {"eu", "eus", "baq", "Basque"},    {"ee", "ewe", NULL, NULL},          {"fo", "fao", NULL, NULL},
    {"fa", "fas", "per", "Persian"},   {"fj", "fij", NULL, NULL},          {"fi", "fin", NULL, "Finnish"},
    {"fr", "fra", "fre", "French"},    {"fy", "fry", NULL, NULL},          {"ff", "ful", NULL, NULL},
    {"gd", "gla", NULL, "Gaelic"},     {"ga", "gle", NULL, "Irish"},       {"gl", "glg", NULL, "Galician"},
    {"gv", "glv", NULL, NULL},         {"gn", "grn", NULL, NULL},          {"gu", "guj", NULL, "Gujarati"},
    {"ht", "hat", NULL, NULL},         {"ha", "hau", NULL, "Hausa"},       {"sh", "hbs", NULL, NULL},
    {"he", "heb", NULL, "Hebrew"},     {"hz", "her", NULL, NULL},          {"hi", "hin", NULL, "Hindi"},
    {"ho", "hmo", NULL, NULL},         {"hr", "hrv", NULL, "Croatian"},    {"hu", "hun", NULL, "Hungarian"},
    {"hy", "hye", "arm", "Armenian"},  {"ig", "ibo", NULL, "Igbo"},        {"io", "ido", NULL, NULL},
    {"ii", "iii", NULL, NULL},         {"iu", "iku", NULL, NULL},          {"ie", "ile", NULL, NULL},
    {"ia", "ina", NULL, NULL},         {"id", "ind", NULL, "Indonesian"},  {"ik", "ipk", NULL, NULL},
    {"is", "isl", "ice", "Icelandic"}, {"it", "ita", NULL, "Italian"},     {"jv", "jav", NULL, "Javanese"},
    {"ja", "jpn", NULL, "Japanese"},   {"kl", "kal", NULL, NULL},          {"kn", "kan", NULL, "Kannada"},
    {"ks", "kas", NULL, NULL},         {"ka", "kat", "geo", "Georgian"},   {"kr", "kau", NULL, NULL},
    {"kk", "kaz", NULL, "Kazakh"},     {"km", "khm", NULL, "Khmer"},       {"ki", "kik", NULL, NULL},
    {"rw", "kin", NULL, NULL},         {"ky", "kir", NULL, "Kyrgyz"},      {"kv", "kom", NULL, NULL},
    {"kg", "kon", NULL, NULL},         {"ko", "kor", NULL, "Korean"},      {"kj", "kua", NULL, NULL},
    {"ku", "kur", NULL, "Kurdish"},    {"lo", "lao", NULL, "Lao"},         {"la", "lat", NULL, "Latin"},
    {"lv", "lav", NULL, "Latvian"},    {"li", "lim", NULL, NULL},          {"ln", "lin", NULL, NULL},
    {"lt", "lit", NULL, "Lithuanian"}, {"lb", "ltz", NULL, NULL},          {"lu", "lub", NULL, NULL},
    {"lg", "lug", NULL, NULL},         {"mh", "mah", NULL, NULL},          {"ml", "mal", NULL, "Malayalam"},
    {"mr", "mar", NULL, "Marathi"},    {"mk", "mkd", "mac", "Macedonian"}, {"mg", "mlg", NULL, NULL},
    {"mt", "mlt", NULL, "Maltese"},    {"mn", "mon", NULL, "Mongolian"},   {"mi", "mri", "mao", "Maori"},
    {"ms", "msa", "may", "Malay"},     {"my", "mya", "bur", "Burmese"},    {"na", "nau", NULL, NULL},
    {"nv", "nav", NULL, NULL},         {"nr", "nbl", NULL, NULL},          {"nd", "nde", NULL, NULL},
    {"ng", "ndo", NULL, NULL},         {"ne", "nep", NULL, "Nepali"},      {"nl", "nld", "dut", "Dutch"},
    {"nn", "nno", NULL, NULL},         {"nb", "nob", NULL, NULL},          {"no", "nor", NULL, "Norwegian"},
    {"ny", "nya", NULL, NULL},         {"oc", "oci", NULL, NULL},          {"oj", "oji", NULL, NULL},
    {"or", "ori", NULL, NULL},         {"om", "orm", NULL, NULL},          {"os", "oss", NULL, NULL},
    {"pa", "pan", NULL, "Punjabi"},    {"pi", "pli", NULL, NULL},          {"pl", "pol", NULL, "Polish"},
    {"pt", "por", NULL, "Portuguese"}, {"ps", "pus", NULL, "Pashto"},      {"qu", "que", NULL, NULL},
    {"rm", "roh", NULL, NULL},         {"ro", "ron", "rum", "Romanian"},   {"rn", "run", NULL, NULL},
    {"ru", "rus", NULL, "Russian"},    {"sg", "sag", NULL, NULL},          {"sa", "san", NULL, NULL},
    {"si", "sin", NULL, "Sinhala"},    {"sk", "slk", "slo", "Slovak"},     {"sl", "slv", NULL, "Slovenian"},
    {"se", "sme", NULL, NULL},         {"sm", "smo", NULL, NULL},          {"sn", "sna", NULL, NULL},
    {"sd", "snd", NULL, NULL},         {"so", "som", NULL, "Somali"},      {"st", "sot", NULL, NULL},
    {"es", "spa", NULL, "Spanish"},    {"sq", "sqi", "alb", "Albanian"},   {"sc", "srd", NULL, NULL},
    {"sr", "srp", NULL, "Serbian"},    {"ss", "ssw", NULL, NULL},          {"su", "sun", NULL, NULL},
    {"sw", "swa", NULL, "Swahili"},    {"sv", "swe", NULL, "Swedish"},     {"ty", "tah", NULL, NULL},
    {"ta", "tam", NULL, "Tamil"},      {"tt", "tat", NULL, NULL},          {"te", "tel", NULL, "Telugu"},
    {"tg", "tgk", NULL, NULL},         {"tl", "tgl", NULL, "Tagalog"},     {"th", "tha", NULL, "Thai"},
    {"ti", "tir", NULL, NULL},         {"to", "ton", NULL, NULL},          {"tn", "tsn", NULL, NULL},
    {"ts", "tso", NULL, NULL},         {"tk", "tuk", NULL, NULL},          {"tr", "tur", NULL, "Turkish"},
    {"tw", "twi", NULL, NULL},         {"ug", "uig", NULL, NULL},          {"uk", "ukr", NULL, "Ukrainian"},
    {"ur", "urd", NULL, "Urdu"},       {"uz", "uzb", NULL, "Uzbek"},       {"ve", "ven", NULL, NULL},
    {"vi", "vie", NULL, "Vietnamese"}, {"vo", "vol", NULL, NULL},          {"wa", "wln", NULL, NULL},
    {"wo", "wol", NULL, NULL},         {"xh", "xho", NULL, NULL},          {"yi", "yid", NULL, "Yiddish"},
    {"yo", "yor", NULL, NULL},         {"za", "zha", NULL, NULL},          {"zh", "zho", "chi", "Chinese"},
    {"zu", "zul", NULL, "Zulu"},
};

static const struct language *find(const char *primary)
{
    for (size_t i = 0; i < SH_COUNT(languages); i++) {
        const struct language *l = &languages[i];
        if (strcmp(primary, l->shortest) == 0 || strcmp(primary, l->terminologic) == 0 ||
            (l->bibliographic && strcmp(primary, l->bibliographic) == 0))
            return l;
    }
    return NULL;
}

/* The nth part of a tag in its usual case: language, Script, REGION. False when it is none. */
static bool take_part(char *to, const char *part, size_t length, int n)
{
    bool letters = true;
    if (length < 1 || length > 8 || (n == 0 && length < 2))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)part[i]))
            return false;
        letters = letters && isalpha((unsigned char)part[i]);
        to[i] = (char)tolower((unsigned char)part[i]);
    }
    if (n == 0 && !letters)
        return false;
    if (n > 0 && letters && length == 4)
        to[0] = (char)toupper((unsigned char)to[0]);
    for (size_t i = 0; n > 0 && letters && length == 2 && i < length; i++)
        to[i] = (char)toupper((unsigned char)to[i]);
    to[length] = '\0';
    return true;
}

void sh_language_tag(char *text, size_t size, const char *language)
{
    size_t used = 0;
    text[0] = '\0';
    for (int n = 0; language && *language; n++) {
        char part[9];
        size_t length = strcspn(language, "-_");
        if (!take_part(part, language, length, n) || (n == 0 && strcmp(part, "und") == 0)) {
            text[0] = '\0';
            return;
        }
        const struct language *known = n == 0 ? find(part) : NULL;
        int put = snprintf(text + used, size - used, "%s%s", n ? "-" : "", known ? known->shortest : part);
        used += put > 0 ? (size_t)put : 0;
        if (used >= size) {
            text[0] = '\0';
            return;
        }
        language += length + (language[length] != '\0');
    }
}

static const char *role_words(const sh_stream_track *t)
{
    switch (t->role) {
    case SH_STREAM_COMMENTARY:
        return "commentary";
    case SH_STREAM_DESCRIPTION:
        return "audio description";
    case SH_STREAM_CAPTION:
        return "captions";
    case SH_STREAM_FORCED:
        return "forced";
    case SH_STREAM_ALTERNATE:
        return "alternative";
    default:
        return NULL;
    }
}

void sh_manifest_label(char *text, size_t size, const sh_stream_track *t)
{
    char tag[36], primary[9] = "";
    sh_language_tag(tag, sizeof(tag), t->language);
    snprintf(primary, sizeof(primary), "%.*s", (int)strcspn(tag, "-"), tag);
    const struct language *known = find(primary);
    const char *words = role_words(t);
    const char *base = known && known->name && !strchr(tag, '-') ? known->name
                       : *tag                                    ? tag
                       : t->kind == SH_STREAM_AUDIO              ? "Audio"
                                                                 : "Subtitles";
    if (t->label && *t->label)
        snprintf(text, size, "%s", t->label);
    else if (words)
        snprintf(text, size, "%s (%s)", base, words);
    else
        snprintf(text, size, "%s", base);
    sh_text_mend(text);
    for (char *c = text; *c; c++)
        if (*c == '"' || (unsigned char)*c < 0x20 || *c == 0x7F)
            *c = *c == '"' ? '\'' : ' ';
}
