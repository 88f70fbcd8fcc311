/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of mc_table.h: JobSettings, Input and its selectors. */
#include "base/size.h"
#include "cloud/jobs/mc_languages.h"
#include "cloud/jobs/mc_table.h"

/* clang-format off */
#define SOUND MC_IN ".audioSelectors{}"
#define PICTURE MC_IN ".videoSelector"
#define CAPTION MC_IN ".captionSelectors{}"
#define SOURCE CAPTION ".sourceSettings"

static const sh_mc_row rows[] = {
    OBJECT(""),
    ARRAY(".inputs", 1, 150),
    ARRAY(".outputGroups", 1, 40),
    FREE_INTEGER(".followSource", 1, 150),
    FREE_INTEGER(".adAvailOffset", -1000, 1000),
    OBJECT(".timecodeConfig"),
    FREE_ENUM(".timecodeConfig.source", "EMBEDDED ZEROBASED SPECIFIEDSTART"),
    FREE_TEXT(".timecodeConfig.start", 11, 11),
    FREE_TEXT(".timecodeConfig.anchor", 11, 11),
    FREE_TEXT(".timecodeConfig.timestampOffset", 10, 10),
    NOT_MADE(".availBlanking"), NOT_MADE(".colorConversion3DLUTSettings"), NOT_MADE(".esam"),
    NOT_MADE(".extendedDataServices"), NOT_MADE(".kantarWatermark"), NOT_MADE(".motionImageInserter"),
    NOT_MADE(".motionImageInserters"), NOT_MADE(".nielsenConfiguration"),
    NOT_MADE(".nielsenNonLinearWatermark"), NOT_MADE(".timedMetadataInsertion"),

    OBJECT(MC_IN),
    TEXT(MC_IN ".fileInput", 1, 2048),
    ENUM(MC_IN ".timecodeSource", "EMBEDDED ZEROBASED SPECIFIEDSTART", NULL),
    TEXT(MC_IN ".timecodeStart", 11, 11),
    ARRAY(MC_IN ".inputClippings", 0, 150),
    OBJECT(MC_IN ".inputClippings[]"),
    TEXT(MC_IN ".inputClippings[].startTimecode", 11, 11),
    TEXT(MC_IN ".inputClippings[].endTimecode", 11, 11),
    ENUM(MC_IN ".filterEnable", "AUTO DISABLE FORCE", "AUTO DISABLE"),
    ONLY(MC_IN ".filterStrength", "0", -5, 5),
    FREE_ENUM(MC_IN ".psiControl", "IGNORE_PSI USE_PSI"),
    ENUM(MC_IN ".deblockFilter", MC_ON_OFF, "DISABLED"),
    ENUM(MC_IN ".denoiseFilter", MC_ON_OFF, "DISABLED"),
    ENUM(MC_IN ".inputScanType", "AUTO PSF", "AUTO"),
    ENUM(MC_IN ".advancedInputFilter", MC_ON_OFF, "DISABLED"),
    NOT_MADE(MC_IN ".audioSelectorGroups"), NOT_MADE(MC_IN ".crop"), NOT_MADE(MC_IN ".position"),
    NOT_MADE(MC_IN ".decryptionSettings"), NOT_MADE(MC_IN ".imageInserter"), NOT_MADE(MC_IN ".programNumber"),
    NOT_MADE(MC_IN ".supplementalImps"), NOT_MADE(MC_IN ".videoGenerator"), NOT_MADE(MC_IN ".videoOverlays"),
    NOT_MADE(MC_IN ".dolbyVisionMetadataXml"), NOT_MADE(MC_IN ".advancedInputFilterSettings"),
    NOT_MADE(MC_IN ".dynamicAudioSelectors"), NOT_MADE(MC_IN ".multiViewSettings"), NOT_MADE(MC_IN ".tamsSettings"),

    MAP(MC_IN ".audioSelectors"),
    OBJECT(SOUND),
    ENUM(SOUND ".defaultSelection", "DEFAULT NOT_DEFAULT", NULL),
    ENUM(SOUND ".selectorType", "PID TRACK LANGUAGE_CODE HLS_RENDITION_GROUP ALL_PCM STREAM", "TRACK LANGUAGE_CODE"),
    ARRAY(SOUND ".tracks", 0, 1),
    INTEGER(SOUND ".tracks[]", 1, MC_BIG),
    ENUM(SOUND ".languageCode", SH_MC_LANGUAGES, NULL),
    TEXT(SOUND ".customLanguageCode", 3, 3),
    FREE_INTEGER(SOUND ".programSelection", 0, 8),
    ONLY(SOUND ".offset", "0", -MC_BIG - 1.0, MC_BIG),
    FREE_ENUM(SOUND ".audioDurationCorrection", "DISABLED AUTO TRACK FRAME FORCE"),
    ENUM(SOUND ".smpte337Passthrough", MC_ON_OFF, "DISABLED"),
    NOT_MADE(SOUND ".pids"), NOT_MADE(SOUND ".streams"), NOT_MADE(SOUND ".externalAudioFileInput"),
    NOT_MADE(SOUND ".remixSettings"), NOT_MADE(SOUND ".hlsRenditionGroupSettings"),

    OBJECT(PICTURE),
    ENUM(PICTURE ".colorSpace", "FOLLOW REC_601 REC_709 HDR10 HLG_2020 P3DCI P3D65_SDR P3D65_HDR", "FOLLOW"),
    FREE_ENUM(PICTURE ".colorSpaceUsage", "FORCE FALLBACK"),
    ENUM(PICTURE ".rotate", "DEGREE_0 DEGREES_90 DEGREES_180 DEGREES_270 AUTO", NULL),
    ENUM(PICTURE ".alphaBehavior", "DISCARD REMAP_TO_LUMA", "DISCARD"),
    FREE_ENUM(PICTURE ".embeddedTimecodeOverride", "NONE USE_MDPM"),
    ENUM(PICTURE ".padVideo", "DISABLED BLACK", "DISABLED"),
    ENUM(PICTURE ".sampleRange", "FOLLOW FULL_RANGE LIMITED_RANGE", "FOLLOW"),
    ENUM(PICTURE ".selectorType", "AUTO STREAM", "AUTO"),
    NOT_MADE(PICTURE ".pid"), NOT_MADE(PICTURE ".programNumber"), NOT_MADE(PICTURE ".hdr10Metadata"),
    NOT_MADE(PICTURE ".maxLuminance"), NOT_MADE(PICTURE ".streams"),

    MAP(MC_IN ".captionSelectors"),
    OBJECT(CAPTION),
    ENUM(CAPTION ".languageCode", SH_MC_LANGUAGES, NULL),
    TEXT(CAPTION ".customLanguageCode", 3, 3),
    OBJECT(SOURCE),
    ENUM(SOURCE ".sourceType", "ANCILLARY DVB_SUB EMBEDDED SCTE20 SCC TTML STL SRT SMI SMPTE_TT TELETEXT NULL_SOURCE IMSC "
         "WEBVTT TT_3GPP", "EMBEDDED SRT WEBVTT TT_3GPP NULL_SOURCE"),
    OBJECT(SOURCE ".embeddedSourceSettings"),
    FREE_ENUM(SOURCE ".embeddedSourceSettings.convert608To708", "UPCONVERT DISABLED"),
    ONLY(SOURCE ".embeddedSourceSettings.source608ChannelNumber", "1", 1, 4),
    FREE_INTEGER(SOURCE ".embeddedSourceSettings.source608TrackNumber", 1, 1),
    FREE_ENUM(SOURCE ".embeddedSourceSettings.terminateCaptions", "END_OF_INPUT DISABLED"),
    OBJECT(SOURCE ".trackSourceSettings"),
    INTEGER(SOURCE ".trackSourceSettings.trackNumber", 1, MC_BIG),
    NOT_MADE(SOURCE ".trackSourceSettings.streamNumber"),
    NOT_MADE(SOURCE ".fileSourceSettings"), NOT_MADE(SOURCE ".ancillarySourceSettings"),
    NOT_MADE(SOURCE ".dvbSubSourceSettings"), NOT_MADE(SOURCE ".teletextSourceSettings"),
    NOT_MADE(SOURCE ".webvttHlsSourceSettings"),
};
/* clang-format on */

const sh_mc_rows sh_mc_rows_job = {rows, SH_COUNT(rows)};
