/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of mc_table.h: H264Settings, H265Settings, Av1Settings. */
#include "base/size.h"
#include "cloud/jobs/mc_table.h"

/* clang-format off */
#define H264 MC_VIDEO ".codecSettings.h264Settings"
#define H265 MC_VIDEO ".codecSettings.h265Settings"
#define AV1 MC_VIDEO ".codecSettings.av1Settings"

#define RATE(base, most, modes) \
    ENUM(base ".rateControlMode", modes, NULL), \
    INTEGER(base ".bitrate", 1000, most), \
    INTEGER(base ".maxBitrate", 1000, most), \
    OBJECT(base ".qvbrSettings"), \
    INTEGER(base ".qvbrSettings.qvbrQualityLevel", 1, 10), \
    NUMBER(base ".qvbrSettings.qvbrQualityLevelFineTune", 0, 1), \
    HINT_INTEGER(base ".slidingWindowMs", 0, MC_BIG), HINT_INTEGER(base ".slidingWindowPeakBitrate", 0, MC_BIG)

#define BUFFER(base, most) \
    INTEGER(base ".hrdBufferSize", 0, most), \
    INTEGER(base ".hrdBufferInitialFillPercentage", 0, 100), \
    HINT_INTEGER(base ".hrdBufferFinalFillPercentage", 0, 100), \
    NOT_MADE(base ".qvbrSettings.maxAverageBitrate")

#define FRAMES(base) \
    ENUM(base ".framerateControl", "INITIALIZE_FROM_SOURCE SPECIFIED", NULL), \
    NEAR(base ".framerateConversionAlgorithm", "DUPLICATE_DROP INTERPOLATE FRAMEFORMER MAINTAIN_FRAME_COUNT", \
         "DUPLICATE_DROP", "INTERPOLATE FRAMEFORMER", "frames are repeated or left out (DUPLICATE_DROP)"), \
    INTEGER(base ".framerateNumerator", 1, MC_BIG), \
    INTEGER(base ".framerateDenominator", 1, MC_BIG)

#define GROUPS(base) \
    NUMBER(base ".gopSize", 0, 100000), \
    INTEGER(base ".numberBFramesBetweenReferenceFrames", 0, 7)

/* what H.264 and H.265 have alike */
#define PICTURES(base) \
    ENUM(base ".gopSizeUnits", "FRAMES SECONDS AUTO", NULL), \
    INTEGER(base ".gopClosedCadence", 0, MC_BIG), \
    INTEGER(base ".numberReferenceFrames", 1, 6), \
    ENUM(base ".sceneChangeDetect", "DISABLED ENABLED TRANSITION_DETECTION", NULL), \
    ENUM(base ".qualityTuningLevel", "SINGLE_PASS SINGLE_PASS_HQ MULTI_PASS_HQ", NULL), \
    ENUM(base ".parControl", "INITIALIZE_FROM_SOURCE SPECIFIED", NULL), \
    INTEGER(base ".parNumerator", 1, MC_BIG), \
    INTEGER(base ".parDenominator", 1, MC_BIG), \
    ENUM(base ".interlaceMode", "PROGRESSIVE TOP_FIELD BOTTOM_FIELD FOLLOW_TOP_FIELD FOLLOW_BOTTOM_FIELD", \
         "PROGRESSIVE"), \
    ENUM(base ".telecine", "NONE SOFT HARD", "NONE"), \
    ENUM(base ".slowPal", MC_ON_OFF, "DISABLED"), \
    FREE_ENUM(base ".endOfStreamMarkers", "INCLUDE SUPPRESS"), \
    FREE_ENUM(base ".scanTypeConversionMode", "INTERLACED INTERLACED_OPTIMIZE"), \
    ENUM(base ".unregisteredSeiTimecode", MC_ON_OFF, "DISABLED"), \
    HINT_ENUM(base ".adaptiveQuantization", "OFF AUTO LOW MEDIUM HIGH HIGHER MAX"), \
    HINT_ENUM(base ".spatialAdaptiveQuantization", MC_ON_OFF), \
    HINT_ENUM(base ".temporalAdaptiveQuantization", MC_ON_OFF), \
    HINT_ENUM(base ".flickerAdaptiveQuantization", MC_ON_OFF), \
    HINT_ENUM(base ".dynamicSubGop", "ADAPTIVE STATIC"), \
    HINT_ENUM(base ".gopBReference", MC_ON_OFF), \
    HINT_INTEGER(base ".minIInterval", 0, 30), \
    HINT_INTEGER(base ".slices", 1, 32), \
    NOT_MADE(base ".bandwidthReductionFilter"), NOT_MADE(base ".perFrameMetrics")

static const sh_mc_row rows[] = {
    OBJECT(H264),
    RATE(H264, 1152000000, "VBR CBR QVBR"),
    BUFFER(H264, 1152000000),
    FRAMES(H264),
    GROUPS(H264),
    PICTURES(H264),
    ENUM(H264 ".codecProfile", "BASELINE HIGH HIGH_10BIT HIGH_422 HIGH_422_10BIT MAIN", "BASELINE HIGH MAIN"),
    ENUM(H264 ".codecLevel", "AUTO LEVEL_1 LEVEL_1_1 LEVEL_1_2 LEVEL_1_3 LEVEL_2 LEVEL_2_1 LEVEL_2_2 LEVEL_3 LEVEL_3_1 "
         "LEVEL_3_2 LEVEL_4 LEVEL_4_1 LEVEL_4_2 LEVEL_5 LEVEL_5_1 LEVEL_5_2", NULL),
    ENUM(H264 ".entropyEncoding", "CABAC CAVLC", "CABAC"),
    FREE_ENUM(H264 ".fieldEncoding", "PAFF FORCE_FIELD MBAFF"),
    FREE_ENUM(H264 ".writeMp4PackagingType", "AVC1 AVC3"),
    FREE_ENUM(H264 ".repeatPps", MC_ON_OFF),
    FREE_ENUM(H264 ".syntax", "DEFAULT RP2027"),
    HINT_ENUM(H264 ".saliencyAwareEncoding", "DISABLED PREFERRED"),
    HINT_ENUM(H264 ".explicitWeightedPrediction", MC_ON_OFF),
    HINT_INTEGER(H264 ".softness", 0, 128),

    OBJECT(H265),
    RATE(H265, 1466400000, "VBR CBR QVBR"),
    BUFFER(H265, 1466400000),
    FRAMES(H265),
    GROUPS(H265),
    PICTURES(H265),
    ENUM(H265 ".codecProfile", "MAIN_MAIN MAIN_HIGH MAIN10_MAIN MAIN10_HIGH MAIN_422_8BIT_MAIN MAIN_422_8BIT_HIGH "
         "MAIN_422_10BIT_MAIN MAIN_422_10BIT_HIGH", "MAIN_MAIN MAIN_HIGH MAIN10_MAIN MAIN10_HIGH"),
    ENUM(H265 ".codecLevel", "AUTO LEVEL_1 LEVEL_2 LEVEL_2_1 LEVEL_3 LEVEL_3_1 LEVEL_4 LEVEL_4_1 LEVEL_5 LEVEL_5_1 "
         "LEVEL_5_2 LEVEL_6 LEVEL_6_1 LEVEL_6_2", NULL),
    NEAR(H265 ".writeMp4PackagingType", "HVC1 HEV1", "HVC1", "HEV1", "parameter sets stand in the header (HVC1)"),
    FREE_ENUM(H265 ".alternateTransferFunctionSei", MC_ON_OFF),
    HINT_ENUM(H265 ".sampleAdaptiveOffsetFilterMode", "DEFAULT ADAPTIVE OFF"),
    HINT_ENUM(H265 ".temporalIds", MC_ON_OFF),
    HINT_ENUM(H265 ".tiles", MC_ON_OFF),
    HINT_ENUM(H265 ".deblocking", MC_ON_OFF),
    HINT_ENUM(H265 ".mvOverPictureBoundaries", MC_ON_OFF),
    HINT_ENUM(H265 ".mvTemporalPredictor", MC_ON_OFF),
    HINT_INTEGER(H265 ".tileHeight", 0, 2160), HINT_INTEGER(H265 ".tileWidth", 0, 3840),
    HINT_ENUM(H265 ".tilePadding", "NONE PADDED"),
    HINT_ENUM(H265 ".treeBlockSize", "AUTO TREE_SIZE_32X32"),

    OBJECT(AV1),
    RATE(AV1, 1152000000, "QVBR CBR"),
    FRAMES(AV1),
    NUMBER(AV1 ".gopSize", 0, 100000),
    HINT_INTEGER(AV1 ".numberBFramesBetweenReferenceFrames", 0, 15),
    ENUM(AV1 ".bitDepth", "BIT_8 BIT_10", NULL),
    ENUM(AV1 ".filmGrainSynthesis", MC_ON_OFF, "DISABLED"),
    HINT_ENUM(AV1 ".sceneChangeDetect", "DISABLED ENABLED TRANSITION_DETECTION"),
    HINT_ENUM(AV1 ".adaptiveQuantization", "OFF LOW MEDIUM HIGH HIGHER MAX"),
    HINT_ENUM(AV1 ".spatialAdaptiveQuantization", MC_ON_OFF),
    HINT_INTEGER(AV1 ".slices", 1, 32),
    NOT_MADE(AV1 ".perFrameMetrics"),
};
/* clang-format on */

const sh_mc_rows sh_mc_rows_codec = {rows, SH_COUNT(rows)};
