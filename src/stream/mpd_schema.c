/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MPD schema (ISO 23009-1, annex B) as tables of our own: for each element its attributes with their
 * types, and its children in the order in which the schema wants them. Elements whose content is of no
 * concern to a packager's streams are `loose`: they may stand, and are not looked into. */
#include "base/size.h"
#include "stream/mpd_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum value_type {
    STRING,
    TOKEN, /* without white space */
    UINT,
    UINT_LIST, /* one or two */
    U64,
    INT,
    BOOL,
    DOUBLE,
    DURATION,
    DATETIME,
    RATIO,
    RATE,
    SAP,
    PRESENTATION,
    SCAN,
    LANGUAGE,
    RANGE,
} value_type;

typedef struct attribute_row {
    const char *name;
    value_type type;
    bool required;
} attribute_row;

typedef struct child_row {
    const char *name;
    int least, most; /* most 0: any number */
} child_row;

typedef struct element_row {
    const char *name;
    const attribute_row *attributes;
    const child_row *children; /* NULL: none */
    bool loose;
} element_row;

#define END                                                                                                  \
    {                                                                                                        \
        0                                                                                                    \
    }
#define COMMON_ATTRIBUTES                                                                                    \
    {"profiles", STRING}, {"width", UINT}, {"height", UINT}, {"sar", RATIO}, {"frameRate", RATE},            \
        {"audioSamplingRate", UINT_LIST}, {"mimeType", TOKEN}, {"segmentProfiles", STRING},                  \
        {"codecs", STRING}, {"containerProfiles", STRING}, {"maximumSAPPeriod", DOUBLE},                     \
        {"startWithSAP", SAP}, {"maxPlayoutRate", DOUBLE}, {"codingDependency", BOOL}, {"scanType", SCAN},   \
        {"selectionPriority", UINT},                                                                         \
    {                                                                                                        \
        "tag", TOKEN                                                                                         \
    }
#define COMMON_CHILDREN                                                                                      \
    {"FramePacking"}, {"AudioChannelConfiguration"}, {"ContentProtection"}, {"OutputProtection", 0, 1},      \
        {"EssentialProperty"}, {"SupplementalProperty"}, {"InbandEventStream"}, {"Switching"},               \
        {"RandomAccess"}, {"GroupLabel"}, {"Label"}, {"ProducerReferenceTime"}, {"ContentPopularityRate"},   \
    {                                                                                                        \
        "Resync"                                                                                             \
    }
#define SEGMENT_ATTRIBUTES                                                                                   \
    {"timescale", UINT}, {"presentationTimeOffset", U64}, {"eptDelta", INT}, {"pdDelta", INT},               \
        {"presentationDuration", U64}, {"timeShiftBufferDepth", DURATION}, {"indexRange", RANGE},            \
        {"indexRangeExact", BOOL}, {"availabilityTimeOffset", DOUBLE},                                       \
    {                                                                                                        \
        "availabilityTimeComplete", BOOL                                                                     \
    }

static const attribute_row mpd_attributes[] = {{"id", STRING},
                                               {"profiles", STRING, true},
                                               {"type", PRESENTATION},
                                               {"availabilityStartTime", DATETIME},
                                               {"availabilityEndTime", DATETIME},
                                               {"publishTime", DATETIME},
                                               {"mediaPresentationDuration", DURATION},
                                               {"minimumUpdatePeriod", DURATION},
                                               {"minBufferTime", DURATION, true},
                                               {"timeShiftBufferDepth", DURATION},
                                               {"suggestedPresentationDelay", DURATION},
                                               {"maxSegmentDuration", DURATION},
                                               {"maxSubsegmentDuration", DURATION},
                                               END};
static const child_row mpd_children[] = {{"ProgramInformation"},
                                         {"BaseURL"},
                                         {"Location"},
                                         {"PatchLocation"},
                                         {"ServiceDescription"},
                                         {"InitializationSet"},
                                         {"InitializationGroup"},
                                         {"InitializationPresentation"},
                                         {"ContentProtection"},
                                         {"Period", 1, 0},
                                         {"Metrics"},
                                         {"EssentialProperty"},
                                         {"SupplementalProperty"},
                                         {"UTCTiming"},
                                         {"LeapSecondInformation", 0, 1},
                                         END};
static const attribute_row information_attributes[] = {
    {"lang", LANGUAGE}, {"moreInformationURL", STRING}, END};
static const child_row information_children[] = {{"Title", 0, 1}, {"Source", 0, 1}, {"Copyright", 0, 1}, END};
static const attribute_row base_attributes[] = {{"serviceLocation", STRING},
                                                {"byteRange", STRING},
                                                {"availabilityTimeOffset", DOUBLE},
                                                {"availabilityTimeComplete", BOOL},
                                                {"timeShiftBufferDepth", DURATION},
                                                {"rangeAccess", BOOL},
                                                END};
static const attribute_row period_attributes[] = {
    {"id", STRING}, {"start", DURATION}, {"duration", DURATION}, {"bitstreamSwitching", BOOL}, END};
static const child_row period_children[] = {{"BaseURL"},
                                            {"SegmentBase", 0, 1},
                                            {"SegmentList", 0, 1},
                                            {"SegmentTemplate", 0, 1},
                                            {"AssetIdentifier", 0, 1},
                                            {"EventStream"},
                                            {"ServiceDescription"},
                                            {"ContentProtection"},
                                            {"AdaptationSet"},
                                            {"Subset"},
                                            {"SupplementalProperty"},
                                            {"EmptyAdaptationSet"},
                                            {"GroupLabel"},
                                            {"Preselection"},
                                            END};
static const attribute_row set_attributes[] = {COMMON_ATTRIBUTES,
                                               {"id", UINT},
                                               {"group", UINT},
                                               {"lang", LANGUAGE},
                                               {"contentType", TOKEN},
                                               {"par", RATIO},
                                               {"minBandwidth", UINT},
                                               {"maxBandwidth", UINT},
                                               {"minWidth", UINT},
                                               {"maxWidth", UINT},
                                               {"minHeight", UINT},
                                               {"maxHeight", UINT},
                                               {"minFrameRate", RATE},
                                               {"maxFrameRate", RATE},
                                               {"segmentAlignment", BOOL},
                                               {"subsegmentAlignment", BOOL},
                                               {"subsegmentStartsWithSAP", SAP},
                                               {"bitstreamSwitching", BOOL},
                                               {"initializationSetRef", STRING},
                                               {"initializationPrincipal", STRING},
                                               END};
static const child_row set_children[] = {
    COMMON_CHILDREN,       {"Accessibility"},         {"Role"},           {"Rating"},
    {"Viewpoint"},         {"ContentComponent"},      {"BaseURL"},        {"SegmentBase", 0, 1},
    {"SegmentList", 0, 1}, {"SegmentTemplate", 0, 1}, {"Representation"}, END};
static const attribute_row representation_attributes[] = {COMMON_ATTRIBUTES,
                                                          {"id", TOKEN, true},
                                                          {"bandwidth", UINT, true},
                                                          {"qualityRanking", UINT},
                                                          {"dependencyId", STRING},
                                                          {"associationId", STRING},
                                                          {"associationType", STRING},
                                                          {"mediaStreamStructureId", STRING},
                                                          END};
static const child_row representation_children[] = {
    COMMON_CHILDREN,       {"BaseURL"},           {"ExtendedBandwidth"},     {"SubRepresentation"},
    {"SegmentBase", 0, 1}, {"SegmentList", 0, 1}, {"SegmentTemplate", 0, 1}, END};
static const attribute_row template_attributes[] = {SEGMENT_ATTRIBUTES,
                                                    {"duration", UINT},
                                                    {"startNumber", UINT},
                                                    {"endNumber", UINT},
                                                    {"media", STRING},
                                                    {"index", STRING},
                                                    {"initialization", STRING},
                                                    {"bitstreamSwitching", STRING},
                                                    END};
static const child_row template_children[] = {{"Initialization", 0, 1},     {"RepresentationIndex", 0, 1},
                                              {"FailoverContent", 0, 1},    {"SegmentTimeline", 0, 1},
                                              {"BitstreamSwitching", 0, 1}, END};
static const attribute_row list_attributes[] = {
    SEGMENT_ATTRIBUTES, {"duration", UINT}, {"startNumber", UINT}, {"endNumber", UINT}, END};
static const child_row list_children[] = {{"Initialization", 0, 1},
                                          {"RepresentationIndex", 0, 1},
                                          {"FailoverContent", 0, 1},
                                          {"SegmentTimeline", 0, 1},
                                          {"BitstreamSwitching", 0, 1},
                                          {"SegmentURL"},
                                          END};
static const attribute_row segment_base_attributes[] = {SEGMENT_ATTRIBUTES, END};
static const child_row segment_base_children[] = {
    {"Initialization", 0, 1}, {"RepresentationIndex", 0, 1}, {"FailoverContent", 0, 1}, END};
static const attribute_row url_attributes[] = {{"sourceURL", STRING}, {"range", RANGE}, END};
static const attribute_row segment_url_attributes[] = {
    {"media", STRING}, {"mediaRange", RANGE}, {"index", STRING}, {"indexRange", RANGE}, END};
static const child_row timeline_children[] = {{"Pattern"}, {"S", 1, 0}, END};
static const attribute_row s_attributes[] = {{"t", U64}, {"n", U64}, {"d", U64, true},
                                             {"r", INT}, {"k", U64}, END};
static const attribute_row descriptor_attributes[] = {
    {"schemeIdUri", STRING, true}, {"value", STRING}, {"id", STRING}, END};
static const attribute_row label_attributes[] = {{"id", UINT}, {"lang", LANGUAGE}, END};
static const attribute_row none[] = {END};

static const element_row elements[] = {
    {"MPD", mpd_attributes, mpd_children},
    {"ProgramInformation", information_attributes, information_children},
    {"Title", none},
    {"Source", none},
    {"Copyright", none},
    {"Location", base_attributes},
    {"BaseURL", base_attributes},
    {"Period", period_attributes, period_children},
    {"AdaptationSet", set_attributes, set_children},
    {"Representation", representation_attributes, representation_children},
    {"SegmentTemplate", template_attributes, template_children},
    {"SegmentList", list_attributes, list_children},
    {"SegmentBase", segment_base_attributes, segment_base_children},
    {"Initialization", url_attributes},
    {"RepresentationIndex", url_attributes},
    {"BitstreamSwitching", url_attributes},
    {"SegmentURL", segment_url_attributes},
    {"SegmentTimeline", none, timeline_children},
    {"S", s_attributes},
    {"Label", label_attributes},
    {"GroupLabel", label_attributes},
    {"FramePacking", descriptor_attributes, NULL, true},
    {"AudioChannelConfiguration", descriptor_attributes, NULL, true},
    {"EssentialProperty", descriptor_attributes, NULL, true},
    {"SupplementalProperty", descriptor_attributes, NULL, true},
    {"Accessibility", descriptor_attributes, NULL, true},
    {"Role", descriptor_attributes, NULL, true},
    {"Rating", descriptor_attributes, NULL, true},
    {"Viewpoint", descriptor_attributes, NULL, true},
    {"UTCTiming", descriptor_attributes, NULL, true},
    {"AssetIdentifier", descriptor_attributes, NULL, true},
};

/* ---- values ---- */

static bool is_digits(const char *text, int64_t min, int64_t max)
{
    int64_t value;
    return sh_parse_i64(text, strlen(text), min, max, &value);
}

static bool is_datetime(const char *text)
{
    int part[6], used = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5],
               &used) != 6 ||
        used != 19)
        return false;
    text += used;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9';)
            text++;
    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 || part[4] > 59 ||
        part[5] > 60)
        return false;
    return *text == '\0' || strcmp(text, "Z") == 0 || ((*text == '+' || *text == '-') && strlen(text) == 6);
}

static bool is_language(const char *text)
{
    size_t run = 0, parts = 0;
    for (; *text; text++) {
        const bool letter = (*text | 32) >= 'a' && (*text | 32) <= 'z';
        if (*text == '-' ? run == 0 : !letter && !(parts > 0 && *text >= '0' && *text <= '9'))
            return false;
        parts += *text == '-';
        run = *text == '-' ? 0 : run + 1;
        if (run > 8)
            return false;
    }
    return run > 0;
}

static bool is_number(const char *text)
{
    char *end;
    if (strcmp(text, "INF") == 0)
        return true;
    strtod(text, &end);
    return end != text && *end == '\0' && *text != ' ' && !strpbrk(text, "xXpP");
}

static bool is_range(const char *text)
{
    const char *dash = strchr(text, '-');
    int64_t a, b;
    return dash && sh_parse_i64(text, (size_t)(dash - text), 0, INT64_MAX, &a) &&
           (dash[1] == '\0' || (sh_parse_i64(dash + 1, strlen(dash + 1), 0, INT64_MAX, &b) && b >= a));
}

static bool is_uint_list(const char *text)
{
    const char *space = strchr(text, ' ');
    int64_t value;
    return sh_parse_i64(text, space ? (size_t)(space - text) : strlen(text), 0, UINT32_MAX, &value) &&
           (!space || is_digits(space + 1, 0, UINT32_MAX));
}

static bool fits(value_type type, const char *text)
{
    int64_t a, b;
    double seconds;
    switch (type) {
    case TOKEN:
        return *text && !strpbrk(text, " \t\r\n");
    case UINT:
        return is_digits(text, 0, UINT32_MAX);
    case UINT_LIST:
        return is_uint_list(text);
    case U64:
        return is_digits(text, 0, INT64_MAX);
    case INT:
        return is_digits(text, INT32_MIN, INT32_MAX);
    case BOOL:
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "1") == 0 ||
               strcmp(text, "0") == 0;
    case DOUBLE:
        return is_number(text);
    case DURATION:
        return sh_mpd_duration(text, &seconds);
    case DATETIME:
        return is_datetime(text);
    case RATIO:
        return strchr(text, ':') && sh_mpd_ratio(text, ':', &a, &b);
    case RATE:
        return sh_mpd_ratio(text, '/', &a, &b);
    case SAP:
        return is_digits(text, 0, 6);
    case PRESENTATION:
        return strcmp(text, "static") == 0 || strcmp(text, "dynamic") == 0;
    case SCAN:
        return strcmp(text, "progressive") == 0 || strcmp(text, "interlaced") == 0 ||
               strcmp(text, "unknown") == 0;
    case LANGUAGE:
        return is_language(text);
    case RANGE:
        return is_range(text);
    default:
        return true;
    }
}

/* ---- the tree ---- */

typedef struct telling {
    sh_mpd_tell *tell;
    void *opaque;
} telling;

__attribute__((format(printf, 3, 4))) static void tell(const telling *t, int64_t line, const char *format,
                                                       ...)
{
    char words[256];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    t->tell(t->opaque, line, words);
}

static const element_row *find_element(const char *name)
{
    for (size_t i = 0; i < SH_COUNT(elements); i++)
        if (strcmp(elements[i].name, name) == 0)
            return &elements[i];
    return NULL;
}

static void check_attributes(const sh_mpd_node *node, const element_row *row, const telling *t)
{
    for (const sh_mpd_attribute *a = node->attributes; a; a = a->next) {
        const attribute_row *r = row->attributes;
        while (r->name && strcmp(r->name, a->name) != 0)
            r++;
        if (!r->name)
            tell(t, node->line, "%s has no attribute %.60s", node->name, a->name);
        else if (!fits(r->type, a->value))
            tell(t, node->line, "%s@%s cannot be \"%.80s\"", node->name, a->name, a->value);
    }
    for (const attribute_row *r = row->attributes; r->name; r++)
        if (r->required && !sh_mpd_get(node, r->name))
            tell(t, node->line, "%s needs the attribute %s", node->name, r->name);
}

static void check_node(const sh_mpd_node *node, const telling *t);

static void check_children(const sh_mpd_node *node, const element_row *row, const telling *t)
{
    int counts[40] = {0};
    size_t at = 0;
    for (const sh_mpd_node *n = node->child; n; n = n->next) {
        size_t i = 0;
        if (n->foreign)
            continue;
        while (row->children && row->children[i].name && strcmp(row->children[i].name, n->name) != 0)
            i++;
        if (!row->children || !row->children[i].name) {
            tell(t, n->line, "%s must not hold %.60s", node->name, n->name);
            continue;
        }
        if (i < at)
            tell(t, n->line, "%s has to come before %s in %s", n->name, row->children[at].name, node->name);
        else
            at = i;
        if (++counts[i] == row->children[i].most + 1 && row->children[i].most > 0)
            tell(t, n->line, "%s holds more than one %s", node->name, n->name);
        check_node(n, t);
    }
    for (size_t i = 0; row->children && row->children[i].name; i++)
        if (counts[i] < row->children[i].least)
            tell(t, node->line, "%s needs a %s", node->name, row->children[i].name);
}

static void check_node(const sh_mpd_node *node, const telling *t)
{
    const element_row *row = find_element(node->name);
    if (!row)
        return; /* loose: allowed by its parent, not looked into */
    check_attributes(node, row, t);
    if (!row->loose)
        check_children(node, row, t);
}

void sh_mpd_schema(const sh_mpd_node *root, sh_mpd_tell *tell_one, void *opaque)
{
    const telling t = {tell_one, opaque};
    if (root->foreign || strcmp(root->name, "MPD") != 0)
        tell(&t, root->line, "the root is not MPD of urn:mpeg:dash:schema:mpd:2011");
    else
        check_node(root, &t);
}
