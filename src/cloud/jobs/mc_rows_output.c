/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of mc_table.h: Output, its container and its captions. */
#include "base/size.h"
#include "cloud/jobs/mc_languages.h"
#include "cloud/jobs/mc_table.h"

/* clang-format off */
#define HLS MC_OUT ".outputSettings.hlsSettings"
#define BOX MC_OUT ".containerSettings"
#define M3U8 BOX ".m3u8Settings"
#define CMFC BOX ".cmfcSettings"
#define MPD BOX ".mpdSettings"
#define MP4 BOX ".mp4Settings"
#define CAPTION MC_OUT ".captionDescriptions[]"
#define TO CAPTION ".destinationSettings"

/* what ID3, SCTE 35, KLV and C2PA ask for; only "nothing" is made */
#define METADATA(base) \
    ENUM(base ".scte35Source", "PASSTHROUGH NONE MANIFEST_CUES", "NONE"), \
    ENUM(base ".scte35Esam", "INSERT NONE", "NONE"), \
    ENUM(base ".klvMetadata", "PASSTHROUGH NONE", "NONE"), \
    ENUM(base ".timedMetadata", "PASSTHROUGH NONE", "NONE"), \
    FREE_ENUM(base ".timedMetadataBoxVersion", "VERSION_0 VERSION_1"), \
    FREE_TEXT(base ".timedMetadataSchemeIdUri", 0, 1000), \
    FREE_TEXT(base ".timedMetadataValue", 0, 1000), \
    ENUM(base ".manifestMetadataSignaling", MC_ON_OFF, "DISABLED"), \
    ENUM(base ".c2paManifest", "EXCLUDE INCLUDE", "EXCLUDE"), \
    FREE_TEXT(base ".certificateSecret", 0, 2048), FREE_TEXT(base ".signingKmsKey", 0, 2048)

#define TRACKS(base, types) \
    TEXT(base ".audioGroupId", 0, 2048), \
    TEXT(base ".audioRenditionSets", 0, 2048), \
    ENUM(base ".audioTrackType", types, "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT ALTERNATE_AUDIO_AUTO_SELECT " \
         "ALTERNATE_AUDIO_NOT_AUTO_SELECT"), \
    ENUM(base ".descriptiveVideoServiceFlag", "DONT_FLAG FLAG", NULL)
#define TRACK_TYPES "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT ALTERNATE_AUDIO_AUTO_SELECT ALTERNATE_AUDIO_NOT_AUTO_SELECT " \
                    "AUDIO_ONLY_VARIANT_STREAM"
#define DURATION(base) FREE_ENUM(base ".audioDuration", "DEFAULT_CODEC_DURATION MATCH_VIDEO_DURATION")

static const sh_mc_row rows[] = {
    OBJECT(MC_OUT),
    TEXT(MC_OUT ".nameModifier", 1, 256),
    TEXT(MC_OUT ".extension", 0, 32),
    TEXT(MC_OUT ".preset", 0, 2048),
    ARRAY(MC_OUT ".audioDescriptions", 0, 8),
    ARRAY(MC_OUT ".captionDescriptions", 0, 1),
    OBJECT(MC_OUT ".outputSettings"),
    OBJECT(HLS),
    TRACKS(HLS, TRACK_TYPES),
    TEXT(HLS ".segmentModifier", 0, 256),
    ENUM(HLS ".audioOnlyContainer", "AUTOMATIC M2TS", NULL),
    ENUM(HLS ".iFrameOnlyManifest", "INCLUDE INCLUDE_AS_TS EXCLUDE", "EXCLUDE"),

    OBJECT(BOX),
    ENUM(BOX ".container", "F4V GIF ISMV M2TS M3U8 CMFC MOV MP4 MPD MXF OGG WEBM RAW Y4M", "M3U8 CMFC MPD MP4 RAW"),
    NOT_MADE(BOX ".f4vSettings"), NOT_MADE(BOX ".m2tsSettings"), NOT_MADE(BOX ".movSettings"),
    NOT_MADE(BOX ".mxfSettings"),

    OBJECT(M3U8),
    FREE_INTEGER(M3U8 ".audioFramesPerPes", 0, MC_BIG),
    FREE_ENUM(M3U8 ".pcrControl", "PCR_EVERY_PES_PACKET CONFIGURED_PCR_PERIOD"),
    FREE_INTEGER(M3U8 ".patInterval", 0, 1000),
    FREE_INTEGER(M3U8 ".pmtInterval", 0, 1000),
    FREE_INTEGER(M3U8 ".maxPcrInterval", 0, 500),
    DURATION(M3U8),
    ENUM(M3U8 ".nielsenId3", "INSERT NONE", "NONE"),
    ENUM(M3U8 ".scte35Source", "PASSTHROUGH NONE MANIFEST_CUES", "NONE"),
    ENUM(M3U8 ".timedMetadata", "PASSTHROUGH NONE", "NONE"),
    FREE_ENUM(M3U8 ".dataPTSControl", "AUTO ALIGN_TO_VIDEO"),
    FREE_INTEGER(M3U8 ".programNumber", 0, 65535),
    FREE_INTEGER(M3U8 ".transportStreamId", 0, 65535),
    FREE_INTEGER(M3U8 ".pcrPid", 32, 8182),
    FREE_INTEGER(M3U8 ".pmtPid", 32, 8182),
    FREE_INTEGER(M3U8 ".videoPid", 32, 8182),
    FREE_INTEGER(M3U8 ".privateMetadataPid", 32, 8182),
    FREE_INTEGER(M3U8 ".scte35Pid", 32, 8182),
    FREE_INTEGER(M3U8 ".timedMetadataPid", 32, 8182),
    {M3U8 ".audioPids", SH_MC_ARRAY, SH_MC_FREE, NULL, NULL, 0, 1000, NULL, NULL},
    FREE_INTEGER(M3U8 ".audioPids[]", 32, 8182),
    ONLY(M3U8 ".audioPtsOffsetDelta", "0", -10000, 10000),
    FREE_ENUM(M3U8 ".ptsOffsetMode", "AUTO SECONDS MILLISECONDS"),
    ONLY(M3U8 ".ptsOffset", "0", 0, 2592000),

    OBJECT(CMFC),
    TRACKS(CMFC, TRACK_TYPES),
    ENUM(CMFC ".iFrameOnlyManifest", "INCLUDE EXCLUDE", NULL),
    DURATION(CMFC),
    METADATA(CMFC),

    OBJECT(MPD),
    FREE_ENUM(MPD ".accessibilityCaptionHints", "INCLUDE EXCLUDE"),
    ENUM(MPD ".captionContainerType", "RAW FRAGMENTED_MP4", "RAW"),
    DURATION(MPD),
    METADATA(MPD),

    OBJECT(MP4),
    DURATION(MP4),
    FREE_ENUM(MP4 ".cslgAtom", "INCLUDE EXCLUDE"),
    FREE_INTEGER(MP4 ".cttsVersion", 0, 1),
    FREE_ENUM(MP4 ".freeSpaceBox", "INCLUDE EXCLUDE"),
    FREE_ENUM(MP4 ".moovPlacement", "PROGRESSIVE_DOWNLOAD NORMAL"),
    FREE_TEXT(MP4 ".mp4MajorBrand", 0, 64),
    ENUM(MP4 ".c2paManifest", "EXCLUDE INCLUDE", "EXCLUDE"),
    FREE_TEXT(MP4 ".certificateSecret", 0, 2048), FREE_TEXT(MP4 ".signingKmsKey", 0, 2048),

    OBJECT(CAPTION),
    TEXT(CAPTION ".captionSelectorName", 1, 2048),
    ENUM(CAPTION ".languageCode", SH_MC_LANGUAGES, NULL),
    TEXT(CAPTION ".customLanguageCode", 2, 35),
    TEXT(CAPTION ".languageDescription", 0, 256),
    ENUM(CAPTION ".source", "INPUT_CAPTION_SELECTOR SMART_SUBTITLE", "INPUT_CAPTION_SELECTOR"),
    NOT_MADE(CAPTION ".audioSourceNames"),
    OBJECT(TO),
    ENUM(TO ".destinationType", "BURN_IN DVB_SUB EMBEDDED EMBEDDED_PLUS_SCTE20 IMSC SCTE20_PLUS_EMBEDDED SCC SRT SMI "
         "TELETEXT TTML WEBVTT", "WEBVTT"),
    OBJECT(TO ".webvttDestinationSettings"),
    FREE_ENUM(TO ".webvttDestinationSettings.accessibility", MC_ON_OFF),
    FREE_ENUM(TO ".webvttDestinationSettings.stylePassthrough", "ENABLED DISABLED STRICT MERGE"),
    NOT_MADE(TO ".burninDestinationSettings"), NOT_MADE(TO ".dvbSubDestinationSettings"),
    NOT_MADE(TO ".embeddedDestinationSettings"), NOT_MADE(TO ".imscDestinationSettings"),
    NOT_MADE(TO ".sccDestinationSettings"), NOT_MADE(TO ".srtDestinationSettings"),
    NOT_MADE(TO ".teletextDestinationSettings"), NOT_MADE(TO ".ttmlDestinationSettings"),
};
/* clang-format on */

const sh_mc_rows sh_mc_rows_output = {rows, SH_COUNT(rows)};
