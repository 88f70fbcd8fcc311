/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of mc_table.h: VideoDescription and what is done before the encoder. */
#include "base/size.h"
#include "cloud/jobs/mc_table.h"

/* clang-format off */
#define BEFORE MC_VIDEO ".videoPreprocessors"
#define CAPTURE MC_VIDEO ".codecSettings.frameCaptureSettings"

static const sh_mc_row rows[] = {
    OBJECT(MC_VIDEO),
    INTEGER(MC_VIDEO ".width", 32, 8192),
    INTEGER(MC_VIDEO ".height", 32, 8192),
    ENUM(MC_VIDEO ".scalingBehavior", "DEFAULT STRETCH_TO_OUTPUT FIT FIT_NO_UPSCALE FILL SMART_CROP",
         "DEFAULT STRETCH_TO_OUTPUT FIT FIT_NO_UPSCALE FILL"),
    HINT_INTEGER(MC_VIDEO ".sharpness", 0, 100),
    HINT_ENUM(MC_VIDEO ".antiAlias", MC_ON_OFF),
    ENUM(MC_VIDEO ".timecodeInsertion", "DISABLED PIC_TIMING_SEI", "DISABLED"),
    FREE_ENUM(MC_VIDEO ".dropFrameTimecode", MC_ON_OFF),
    ENUM(MC_VIDEO ".timecodeTrack", MC_ON_OFF, "DISABLED"),
    ENUM(MC_VIDEO ".afdSignaling", "NONE AUTO FIXED", "NONE"),
    FREE_INTEGER(MC_VIDEO ".fixedAfd", 0, 15),
    ENUM(MC_VIDEO ".respondToAfd", "NONE RESPOND PASSTHROUGH", "NONE"),
    ENUM(MC_VIDEO ".colorMetadata", "IGNORE INSERT", "INSERT"),
    ENUM(MC_VIDEO ".chromaPositionMode", "AUTO FORCE_CENTER FORCE_TOP_LEFT", "AUTO"),
    NOT_MADE(MC_VIDEO ".position"),
    {MC_VIDEO ".crop", SH_MC_OBJECT, SH_MC_USED, NULL, NULL, 0, 0, NULL, NULL}, /* empty in samples */
    NOT_MADE(MC_VIDEO ".crop.width"), NOT_MADE(MC_VIDEO ".crop.height"), NOT_MADE(MC_VIDEO ".crop.x"),
    NOT_MADE(MC_VIDEO ".crop.y"),

    OBJECT(BEFORE),
    OBJECT(BEFORE ".deinterlacer"),
    NEAR(BEFORE ".deinterlacer.algorithm", "INTERPOLATE INTERPOLATE_TICKER BLEND BLEND_TICKER LINEAR_INTERPOLATION",
         "INTERPOLATE", "INTERPOLATE_TICKER BLEND BLEND_TICKER LINEAR_INTERPOLATION",
         "pictures are interpolated along edges and time (INTERPOLATE)"),
    ENUM(BEFORE ".deinterlacer.control", "FORCE_ALL_FRAMES NORMAL", NULL),
    ENUM(BEFORE ".deinterlacer.mode", "DEINTERLACE INVERSE_TELECINE ADAPTIVE", NULL),
    NOT_MADE(BEFORE ".colorCorrector"), NOT_MADE(BEFORE ".dolbyVision"), NOT_MADE(BEFORE ".hdr10Plus"),
    NOT_MADE(BEFORE ".imageInserter"), NOT_MADE(BEFORE ".noiseReducer"), NOT_MADE(BEFORE ".partnerWatermarking"),
    NOT_MADE(BEFORE ".timecodeBurnin"), NOT_MADE(BEFORE ".durationControl"),

    OBJECT(MC_VIDEO ".codecSettings"),
    ENUM(MC_VIDEO ".codecSettings.codec", "AV1 AVC_INTRA FRAME_CAPTURE GIF H_264 H_265 MPEG2 PASSTHROUGH PRORES "
         "UNCOMPRESSED VC3 VP8 VP9 XAVC", "H_264 H_265 AV1 FRAME_CAPTURE"),
    NOT_MADE(MC_VIDEO ".codecSettings.avcIntraSettings"), NOT_MADE(MC_VIDEO ".codecSettings.gifSettings"),
    NOT_MADE(MC_VIDEO ".codecSettings.mpeg2Settings"), NOT_MADE(MC_VIDEO ".codecSettings.passthroughSettings"),
    NOT_MADE(MC_VIDEO ".codecSettings.proresSettings"), NOT_MADE(MC_VIDEO ".codecSettings.uncompressedSettings"),
    NOT_MADE(MC_VIDEO ".codecSettings.vc3Settings"), NOT_MADE(MC_VIDEO ".codecSettings.vp8Settings"),
    NOT_MADE(MC_VIDEO ".codecSettings.vp9Settings"), NOT_MADE(MC_VIDEO ".codecSettings.xavcSettings"),

    OBJECT(CAPTURE),
    INTEGER(CAPTURE ".framerateNumerator", 1, MC_BIG),
    INTEGER(CAPTURE ".framerateDenominator", 1, MC_BIG),
    INTEGER(CAPTURE ".maxCaptures", 1, 10000000),
    INTEGER(CAPTURE ".quality", 1, 100),
};
/* clang-format on */

const sh_mc_rows sh_mc_rows_video = {rows, SH_COUNT(rows)};
