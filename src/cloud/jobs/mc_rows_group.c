/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of mc_table.h: OutputGroup and the settings of each kind of group. */
#include "base/size.h"
#include "cloud/jobs/mc_table.h"

/* clang-format off */
#define SETTINGS MC_GROUP ".outputGroupSettings"
#define HLS SETTINGS ".hlsGroupSettings"
#define DASH SETTINGS ".dashIsoGroupSettings"
#define CMAF SETTINGS ".cmafGroupSettings"
#define FILE_ SETTINGS ".fileGroupSettings"
#define ABR MC_GROUP ".automatedEncodingSettings.abrSettings"
#define RULE ABR ".rules[]"

#define DESTINATION(base) \
    TEXT(base ".destination", 1, 2048), \
    OBJECT(base ".destinationSettings"), \
    OBJECT(base ".destinationSettings.s3Settings"), \
    FREE_ENUM(base ".destinationSettings.s3Settings.storageClass", "STANDARD REDUCED_REDUNDANCY STANDARD_IA " \
              "ONEZONE_IA INTELLIGENT_TIERING GLACIER DEEP_ARCHIVE GLACIER_IR"), \
    OBJECT(base ".destinationSettings.s3Settings.accessControl"), \
    ENUM(base ".destinationSettings.s3Settings.accessControl.cannedAcl", "PUBLIC_READ AUTHENTICATED_READ " \
         "BUCKET_OWNER_READ BUCKET_OWNER_FULL_CONTROL", "BUCKET_OWNER_READ BUCKET_OWNER_FULL_CONTROL"), \
    NOT_MADE(base ".destinationSettings.s3Settings.encryption")

#define SEGMENTS(base) \
    INTEGER(base ".segmentLength", 1, MC_BIG), \
    NUMBER(base ".minFinalSegmentLength", 0, MC_BIG), \
    ENUM(base ".segmentControl", "SINGLE_FILE SEGMENTED_FILES", "SEGMENTED_FILES"), \
    NEAR(base ".segmentLengthControl", "EXACT GOP_MULTIPLE MATCH", "EXACT", "GOP_MULTIPLE MATCH", \
         "segments have the length that is asked for, and a group of pictures begins with each"), \
    ENUM(base ".imageBasedTrickPlay", "NONE THUMBNAIL THUMBNAIL_AND_FULLFRAME ADVANCED VARIANTS", "NONE"), \
    NOT_MADE(base ".imageBasedTrickPlaySettings"), NOT_MADE(base ".imageBasedTrickPlayVariants"), \
    NOT_MADE(base ".encryption"), NOT_MADE(base ".baseUrl"), NOT_MADE(base ".additionalManifests")

#define HLS_MANIFEST(base) \
    ENUM(base ".manifestDurationFormat", "FLOATING_POINT INTEGER", NULL), \
    NEAR(base ".codecSpecification", "RFC_6381 RFC_4281", "RFC_6381", "RFC_4281", \
         "CODECS is written as RFC 6381 has it, which players of the older one read as well"), \
    ENUM(base ".streamInfResolution", "INCLUDE EXCLUDE", "INCLUDE"), \
    ENUM(base ".manifestCompression", "GZIP NONE", "NONE"), \
    ENUM(base ".clientCache", MC_ON_OFF, "ENABLED"), \
    FREE_ENUM(base ".targetDurationCompatibilityMode", "LEGACY SPEC_COMPLIANT")

#define DASH_MANIFEST(base) \
    FREE_INTEGER(base ".fragmentLength", 1, MC_BIG), \
    INTEGER(base ".minBufferTime", 0, MC_BIG), \
    ENUM(base ".mpdProfile", "MAIN_PROFILE ON_DEMAND_PROFILE", "MAIN_PROFILE"), \
    FREE_ENUM(base ".mpdManifestBandwidthType", "AVERAGE MAX"), \
    FREE_ENUM(base ".ptsOffsetHandlingForBFrames", "ZERO_BASED MATCH_INITIAL_PTS"), \
    FREE_ENUM(base ".videoCompositionOffsets", "SIGNED UNSIGNED"), \
    FREE_ENUM(base ".writeSegmentTimelineInRepresentation", "ENABLED DISABLED"), \
    NEAR(base ".dashManifestStyle", "BASIC COMPACT DISTINCT FULL", "BASIC", "COMPACT DISTINCT FULL", \
         "the manifest is laid out as BASIC"), \
    NOT_MADE(base ".dashIFrameTrickPlayNameModifier"), NOT_MADE(base ".dashAdaptationSetGrouping")

static const sh_mc_row rows[] = {
    OBJECT(MC_GROUP),
    TEXT(MC_GROUP ".name", 0, 2048),
    FREE_TEXT(MC_GROUP ".customName", 0, 2048),
    ARRAY(MC_GROUP ".outputs", 1, 100),
    OBJECT(SETTINGS),
    ENUM(SETTINGS ".type", "HLS_GROUP_SETTINGS DASH_ISO_GROUP_SETTINGS FILE_GROUP_SETTINGS MS_SMOOTH_GROUP_SETTINGS "
         "CMAF_GROUP_SETTINGS", "HLS_GROUP_SETTINGS DASH_ISO_GROUP_SETTINGS CMAF_GROUP_SETTINGS FILE_GROUP_SETTINGS"),
    NOT_MADE(SETTINGS ".msSmoothGroupSettings"), NOT_MADE(SETTINGS ".perFrameMetrics"),

    OBJECT(HLS),
    DESTINATION(HLS),
    SEGMENTS(HLS),
    HLS_MANIFEST(HLS),
    INTEGER(HLS ".minSegmentLength", 0, MC_BIG),
    ENUM(HLS ".directoryStructure", "SINGLE_DIRECTORY SUBDIRECTORY_PER_STREAM", "SINGLE_DIRECTORY"),
    ENUM(HLS ".outputSelection", "MANIFESTS_AND_SEGMENTS SEGMENTS_ONLY", "MANIFESTS_AND_SEGMENTS"),
    ENUM(HLS ".programDateTime", "INCLUDE EXCLUDE", NULL),
    INTEGER(HLS ".programDateTimePeriod", 0, 3600),
    ENUM(HLS ".captionLanguageSetting", "INSERT OMIT NONE", "OMIT NONE"),
    FREE_ENUM(HLS ".captionSegmentLengthControl", "LARGE_SEGMENTS MATCH_VIDEO"),
    FREE_ENUM(HLS ".audioOnlyHeader", "INCLUDE EXCLUDE"),
    ENUM(HLS ".timedMetadataId3Frame", "NONE PRIV TDRL", "NONE PRIV"),
    FREE_INTEGER(HLS ".timedMetadataId3Period", -MC_BIG - 1.0, MC_BIG),
    FREE_INTEGER(HLS ".timestampDeltaMilliseconds", -MC_BIG - 1.0, MC_BIG),
    FREE_ENUM(HLS ".progressiveWriteHlsManifest", MC_ON_OFF),
    ARRAY(HLS ".adMarkers", 0, 0),
    ARRAY(HLS ".captionLanguageMappings", 0, 0),
    NOT_MADE(HLS ".segmentsPerSubdirectory"),

    OBJECT(DASH),
    DESTINATION(DASH),
    SEGMENTS(DASH),
    DASH_MANIFEST(DASH),
    FREE_ENUM(DASH ".audioChannelConfigSchemeIdUri", "MPEG_CHANNEL_CONFIGURATION DOLBY_CHANNEL_CONFIGURATION"),
    ENUM(DASH ".hbbtvCompliance", "HBBTV_1_5 NONE", "NONE"),

    OBJECT(CMAF),
    DESTINATION(CMAF),
    SEGMENTS(CMAF),
    HLS_MANIFEST(CMAF),
    DASH_MANIFEST(CMAF),
    ENUM(CMAF ".writeHlsManifest", MC_ON_OFF, NULL),
    ENUM(CMAF ".writeDashManifest", MC_ON_OFF, NULL),

    OBJECT(FILE_),
    DESTINATION(FILE_),

    OBJECT(MC_GROUP ".automatedEncodingSettings"),
    OBJECT(ABR),
    INTEGER(ABR ".maxAbrBitrate", 100000, 100000000),
    INTEGER(ABR ".minAbrBitrate", 100000, 100000000),
    INTEGER(ABR ".maxRenditions", 3, 15),
    NUMBER(ABR ".maxQualityLevel", 1, 10),
    ARRAY(ABR ".rules", 0, 16),
    OBJECT(RULE),
    ENUM(RULE ".type", "MIN_TOP_RENDITION_SIZE MIN_BOTTOM_RENDITION_SIZE FORCE_INCLUDE_RENDITIONS ALLOWED_RENDITIONS",
         NULL),
    OBJECT(RULE ".minTopRenditionSize"),
    INTEGER(RULE ".minTopRenditionSize.width", 32, 8192),
    INTEGER(RULE ".minTopRenditionSize.height", 32, 8192),
    OBJECT(RULE ".minBottomRenditionSize"),
    INTEGER(RULE ".minBottomRenditionSize.width", 32, 8192),
    INTEGER(RULE ".minBottomRenditionSize.height", 32, 8192),
    ARRAY(RULE ".forceIncludeRenditions", 0, 15),
    OBJECT(RULE ".forceIncludeRenditions[]"),
    INTEGER(RULE ".forceIncludeRenditions[].width", 32, 8192),
    INTEGER(RULE ".forceIncludeRenditions[].height", 32, 8192),
    ARRAY(RULE ".allowedRenditions", 0, 64),
    OBJECT(RULE ".allowedRenditions[]"),
    INTEGER(RULE ".allowedRenditions[].width", 32, 8192),
    INTEGER(RULE ".allowedRenditions[].height", 32, 8192),
    ENUM(RULE ".allowedRenditions[].required", "ENABLED DISABLED", NULL),
};
/* clang-format on */

const sh_mc_rows sh_mc_rows_group = {rows, SH_COUNT(rows)};
