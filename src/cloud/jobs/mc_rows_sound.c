/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of mc_table.h: AudioDescription and AacSettings. */
#include "base/size.h"
#include "cloud/jobs/mc_languages.h"
#include "cloud/jobs/mc_table.h"

/* clang-format off */
#define AUDIO MC_OUT ".audioDescriptions[]"
#define AAC AUDIO ".codecSettings.aacSettings"

static const sh_mc_row rows[] = {
    OBJECT(AUDIO),
    TEXT(AUDIO ".audioSourceName", 0, 2048),
    FREE_INTEGER(AUDIO ".audioType", 0, 255),
    FREE_ENUM(AUDIO ".audioTypeControl", "FOLLOW_INPUT USE_CONFIGURED"),
    ENUM(AUDIO ".languageCodeControl", "FOLLOW_INPUT USE_CONFIGURED", NULL),
    ENUM(AUDIO ".languageCode", SH_MC_LANGUAGES, NULL),
    TEXT(AUDIO ".customLanguageCode", 2, 35),
    TEXT(AUDIO ".streamName", 0, 256),
    NOT_MADE(AUDIO ".remixSettings"), NOT_MADE(AUDIO ".audioNormalizationSettings"),
    NOT_MADE(AUDIO ".audioChannelTaggingSettings"), NOT_MADE(AUDIO ".audioPitchCorrectionSettings"),
    OBJECT(AUDIO ".codecSettings"),
    ENUM(AUDIO ".codecSettings.codec", "AAC MP2 MP3 WAV AIFF AC3 AC4 EAC3 EAC3_ATMOS VORBIS OPUS PASSTHROUGH FLAC",
         "AAC"),
    NOT_MADE(AUDIO ".codecSettings.ac3Settings"), NOT_MADE(AUDIO ".codecSettings.ac4Settings"),
    NOT_MADE(AUDIO ".codecSettings.aiffSettings"), NOT_MADE(AUDIO ".codecSettings.eac3AtmosSettings"),
    NOT_MADE(AUDIO ".codecSettings.eac3Settings"), NOT_MADE(AUDIO ".codecSettings.flacSettings"),
    NOT_MADE(AUDIO ".codecSettings.mp2Settings"), NOT_MADE(AUDIO ".codecSettings.mp3Settings"),
    NOT_MADE(AUDIO ".codecSettings.opusSettings"), NOT_MADE(AUDIO ".codecSettings.vorbisSettings"),
    NOT_MADE(AUDIO ".codecSettings.wavSettings"),
    OBJECT(AAC),
    INTEGER(AAC ".bitrate", 6000, 1024000),
    ENUM(AAC ".codingMode", "AD_RECEIVER_MIX CODING_MODE_1_0 CODING_MODE_1_1 CODING_MODE_2_0 CODING_MODE_5_1 "
         "CODING_MODE_AUTO", "CODING_MODE_1_0 CODING_MODE_2_0 CODING_MODE_5_1 CODING_MODE_AUTO"),
    INTEGER(AAC ".sampleRate", 8000, 96000),
    NEAR(AAC ".codecProfile", "LC HEV1 HEV2 XHE", "LC", "HEV1 HEV2",
         "the sound is AAC-LC at the bit rate that is asked for; there is no HE-AAC encoder here"),
    NEAR(AAC ".rateControlMode", "CBR VBR", "CBR", "VBR",
         "the bit rate is constant, near what vbrQuality would come to"),
    ENUM(AAC ".vbrQuality", "LOW MEDIUM_LOW MEDIUM_HIGH HIGH", NULL),
    ENUM(AAC ".rawFormat", "LATM_LOAS NONE", "NONE"),
    FREE_ENUM(AAC ".specification", "MPEG2 MPEG4"),
    ENUM(AAC ".audioDescriptionBroadcasterMix", "BROADCASTER_MIXED_AD NORMAL", NULL),
    FREE_ENUM(AAC ".passthroughControl", "NO_PASSTHROUGH WHEN_POSSIBLE"),
    FREE_ENUM(AAC ".loudnessMeasurementMode", "ANCHOR PROGRAM"),
    FREE_INTEGER(AAC ".rapInterval", 0, 30000),
    FREE_INTEGER(AAC ".targetLoudnessRange", 0, 16),
};
/* clang-format on */

const sh_mc_rows sh_mc_rows_sound = {rows, SH_COUNT(rows)};
