/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/tracks.h"
#include "base/size.h"

#include <libavcodec/avcodec.h>
#include <libavutil/timecode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

sh_container sh_container_of(const AVOutputFormat *format)
{
    static const char *const names[] = {"mp4", "mov", "matroska", "mpegts"};
    for (int i = 0; i < (int)SH_COUNT(names); i++)
        if (strcmp(format->name, names[i]) == 0)
            return (sh_container)i;
    return SH_MP4;
}

const char *sh_container_name(sh_container container)
{
    static const char *const names[] = {"MP4", "MOV", "Matroska", "MPEG-TS"};
    return names[container];
}

static const AVOutputFormat *muxer_of(sh_container container)
{
    static const char *const names[] = {"mp4", "mov", "matroska", "mpegts"};
    return av_guess_format(names[container], NULL, NULL);
}

bool sh_mux_holds_rotation(const AVOutputFormat *format)
{
    const sh_container container = sh_container_of(format);
    return container == SH_MP4 || container == SH_MOV;
}

bool sh_track_is_cover(const AVStream *track)
{
    return track->disposition & AV_DISPOSITION_ATTACHED_PIC;
}

/* ---- codecs ---- */

/* A transport stream takes any codec as private data, which nobody can play. */
static bool transport_holds(enum AVCodecID codec)
{
    static const enum AVCodecID held[] = {
        AV_CODEC_ID_H264,     AV_CODEC_ID_HEVC,         AV_CODEC_ID_MPEG2VIDEO,   AV_CODEC_ID_MPEG1VIDEO,
        AV_CODEC_ID_AAC,      AV_CODEC_ID_MP2,          AV_CODEC_ID_MP3,          AV_CODEC_ID_AC3,
        AV_CODEC_ID_EAC3,     AV_CODEC_ID_DTS,          AV_CODEC_ID_OPUS,         AV_CODEC_ID_TRUEHD,
        AV_CODEC_ID_S302M,    AV_CODEC_ID_DVB_SUBTITLE, AV_CODEC_ID_DVB_TELETEXT, AV_CODEC_ID_SMPTE_KLV,
        AV_CODEC_ID_TIMED_ID3};
    for (size_t i = 0; i < SH_COUNT(held); i++)
        if (held[i] == codec)
            return true;
    return false;
}

/* Matroska has forms for whatever AVI and WAV files may hold, which the query does not know. */
static bool riff_has(const AVCodecParameters *p)
{
    const struct AVCodecTag *const lists[2] = {
        p->codec_type == AVMEDIA_TYPE_AUDIO ? avformat_get_riff_audio_tags() : avformat_get_riff_video_tags(),
        NULL};
    unsigned tag;
    return av_codec_get_tag2(lists, p->codec_id, &tag) != 0;
}

static bool holds_codec(sh_container container, const AVCodecParameters *p)
{
    if (p->codec_id == AV_CODEC_ID_NONE)
        return false;
    if (container == SH_TRANSPORT)
        return transport_holds(p->codec_id);
    if (p->codec_id == AV_CODEC_ID_BIN_DATA && p->codec_tag != MKTAG('g', 'p', 'm', 'd'))
        return false;
    if (avformat_query_codec(muxer_of(container), p->codec_id, FF_COMPLIANCE_NORMAL) == 1)
        return true;
    return container == SH_MATROSKA &&
           (p->codec_type == AVMEDIA_TYPE_AUDIO || p->codec_type == AVMEDIA_TYPE_VIDEO) && riff_has(p);
}

enum AVCodecID sh_track_conversion(enum AVCodecID from, sh_container container)
{
    const AVCodecDescriptor *codec = avcodec_descriptor_get(from);
    const enum AVCodecID to = container == SH_MATROSKA    ? AV_CODEC_ID_SUBRIP
                              : container == SH_TRANSPORT ? AV_CODEC_ID_NONE
                                                          : AV_CODEC_ID_MOV_TEXT;
    if (!codec || !(codec->props & AV_CODEC_PROP_TEXT_SUB) || from == AV_CODEC_ID_EIA_608 ||
        to == AV_CODEC_ID_NONE || !avcodec_find_decoder(from) || !avcodec_find_encoder(to))
        return AV_CODEC_ID_NONE;
    return to;
}

/* Which other output would keep it. */
static const char *who_holds(const AVCodecParameters *p)
{
    static const sh_container wanted[] = {SH_MATROSKA, SH_MOV, SH_MP4, SH_TRANSPORT};
    static const char *const words[] = {"; MKV keeps it", "; MOV keeps it", "; MP4 keeps it",
                                        "; MPEG-TS keeps it"};
    for (size_t i = 0; i < SH_COUNT(wanted); i++)
        if (holds_codec(wanted[i], p))
            return words[i];
    return "; no output here keeps it";
}

/* ---- one track ---- */

static bool is_timecode(const AVStream *track)
{
    return track->codecpar->codec_tag == MKTAG('t', 'm', 'c', 'd');
}

/* MP4 and MOV have the titles of chapters as a track too. */
static bool is_chapter_text(const AVFormatContext *source, const AVStream *track)
{
    return source->nb_chapters > 0 && track->codecpar->codec_type == AVMEDIA_TYPE_DATA &&
           track->codecpar->codec_tag == MKTAG('t', 'e', 'x', 't');
}

static bool audio_is_known(const AVCodecParameters *p)
{
    return p->codec_id != AV_CODEC_ID_NONE && p->sample_rate > 0 && p->ch_layout.nb_channels > 0;
}

static bool holds_cover(sh_container container, enum AVCodecID codec)
{
    const bool plain = codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_PNG || codec == AV_CODEC_ID_BMP;
    return plain && (container == SH_MP4 || container == SH_MATROSKA);
}

static sh_track_fate decide_subtitle(const AVCodecParameters *p, sh_container container,
                                     char reason[SH_TRACK_REASON])
{
    if (holds_codec(container, p))
        return SH_TRACK_COPIED;
    const enum AVCodecID to = sh_track_conversion(p->codec_id, container);
    if (to == AV_CODEC_ID_NONE) {
        snprintf(reason, SH_TRACK_REASON, "cannot be held by %s%s", sh_container_name(container),
                 who_holds(p));
        return SH_TRACK_LOST;
    }
    snprintf(reason, SH_TRACK_REASON, "becomes %s", avcodec_get_name(to));
    return SH_TRACK_CONVERTED;
}

static sh_track_fate decide_timecode(const AVStream *track, sh_container container,
                                     char reason[SH_TRACK_REASON])
{
    const AVDictionaryEntry *code = av_dict_get(track->metadata, "timecode", NULL, 0);
    if (container == SH_TRANSPORT || !code) {
        snprintf(reason, SH_TRACK_REASON, "%s",
                 code ? "cannot be held by MPEG-TS; MP4, MOV and MKV keep the time code"
                      : "is a timecode track without a time code");
        return SH_TRACK_LOST;
    }
    return SH_TRACK_WRITTEN;
}

sh_track_fate sh_track_decide(const AVFormatContext *source, unsigned track, int video,
                              sh_container container, char reason[SH_TRACK_REASON])
{
    const AVStream *from = source->streams[track];
    const AVCodecParameters *p = from->codecpar;
    reason[0] = '\0';
    if ((int)track == video)
        return SH_TRACK_REPLACED;
    if (is_timecode(from))
        return decide_timecode(from, container, reason);
    if (is_chapter_text(source, from))
        return SH_TRACK_WRITTEN; /* what becomes of chapters is said of them */
    if (sh_track_is_cover(from)) {
        if (holds_cover(container, p->codec_id) && from->attached_pic.size > 0)
            return SH_TRACK_ATTACHED;
        snprintf(reason, SH_TRACK_REASON, "is a cover, which %s cannot hold%s", sh_container_name(container),
                 holds_cover(SH_MATROSKA, p->codec_id) ? "; MP4 and MKV keep it" : "");
        return SH_TRACK_LOST;
    }
    if (p->codec_type == AVMEDIA_TYPE_ATTACHMENT) {
        if (container == SH_MATROSKA)
            return SH_TRACK_ATTACHED;
        snprintf(reason, SH_TRACK_REASON, "is an attached file, which %s cannot hold; MKV keeps it",
                 sh_container_name(container));
        return SH_TRACK_LOST;
    }
    if (p->codec_type == AVMEDIA_TYPE_SUBTITLE)
        return decide_subtitle(p, container, reason);
    if (p->codec_type == AVMEDIA_TYPE_AUDIO && !audio_is_known(p)) {
        snprintf(reason, SH_TRACK_REASON,
                 "cannot be copied: its codec, sample rate or channels are not known, mostly because nothing "
                 "of it is near the start of the file");
        return SH_TRACK_LOST;
    }
    if (holds_codec(container, p))
        return SH_TRACK_COPIED;
    snprintf(reason, SH_TRACK_REASON, "cannot be held by %s%s", sh_container_name(container), who_holds(p));
    return SH_TRACK_LOST;
}

/* ---- tags ---- */

bool sh_tag_is_stale(const char *key, bool replaced)
{
    /* of a file's making */
    static const char *const always[] = {"major_brand", "minor_version", "compatible_brands", "encoder",
                                         "rotate"};
    /* of a track's content; with a language's ending too ("BPS-eng") */
    static const char *const of_content[] = {
        "BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS", "SOURCE_ID", "vendor_id"};
    for (size_t i = 0; i < SH_COUNT(always); i++)
        if (strcasecmp(key, always[i]) == 0)
            return true;
    for (size_t i = 0; replaced && i < SH_COUNT(of_content); i++) {
        const size_t length = strlen(of_content[i]);
        if (strncasecmp(key, of_content[i], length) == 0 &&
            (key[length] == '\0' || key[length] == '-' || key[length] == '_'))
            return true;
    }
    return false;
}

int sh_tags_copy(AVDictionary **to, const AVDictionary *from, bool replaced)
{
    const AVDictionaryEntry *tag = NULL;
    while ((tag = av_dict_get(from, "", tag, AV_DICT_IGNORE_SUFFIX)))
        if (!sh_tag_is_stale(tag->key, replaced)) {
            int error = av_dict_set(to, tag->key, tag->value, 0);
            if (error < 0)
                return error;
        }
    return 0;
}

/* Those that the plain lists of MP4 and of MOV have a place for. */
static bool tag_is_plain(const char *key, sh_container container)
{
    static const char *const both[] = {"title",     "artist", "album",         "comment",  "genre",
                                       "copyright", "date",   "creation_time", "language", "timecode"};
    static const char *const mp4[] = {
        "album_artist", "composer",          "grouping",      "lyrics",     "description",   "synopsis",
        "show",         "episode_id",        "network",       "keywords",   "track",         "disc",
        "compilation",  "gapless_playback",  "hd_video",      "media_type", "sort_name",     "sort_artist",
        "sort_album",   "sort_album_artist", "sort_composer", "sort_show",  "season_number", "episode_sort",
        "rating",       "purchase_date",     "account_id"};
    static const char *const mov[] = {"author", "edit_date", "location", "model", "make", "encoder"};
    const char *const *more = container == SH_MP4 ? mp4 : mov;
    const size_t count = container == SH_MP4 ? SH_COUNT(mp4) : SH_COUNT(mov);
    for (size_t i = 0; i < SH_COUNT(both); i++)
        if (strcasecmp(key, both[i]) == 0)
            return true;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(key, more[i]) == 0)
            return true;
    return false;
}

static bool has_cover(const AVFormatContext *source, int video, sh_container container)
{
    char reason[SH_TRACK_REASON];
    for (unsigned i = 0; i < source->nb_streams; i++)
        if (sh_track_is_cover(source->streams[i]) &&
            sh_track_decide(source, i, video, container, reason) == SH_TRACK_ATTACHED)
            return true;
    return false;
}

bool sh_tags_are_free(const AVFormatContext *source, int video, sh_container container)
{
    const AVDictionaryEntry *tag = NULL;
    if ((container != SH_MP4 && container != SH_MOV) || has_cover(source, video, container))
        return false;
    while ((tag = av_dict_get(source->metadata, "", tag, AV_DICT_IGNORE_SUFFIX)))
        if (!sh_tag_is_stale(tag->key, false) && !tag_is_plain(tag->key, container))
            return true;
    return false;
}

bool sh_timecode_fits(const char *timecode, AVRational rate)
{
    AVTimecode code;
    return av_timecode_init_from_string(&code, rate, timecode, NULL) >= 0;
}

/* ---- losses ---- */

typedef struct teller {
    sh_loss_fn say;
    void *opaque;
    sh_container container;
} teller;

static void tell(const teller *to, bool loss, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void tell(const teller *to, bool loss, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    to->say(to->opaque, loss, text);
}

static void tell_track(const teller *to, const AVFormatContext *source, unsigned track, int video)
{
    char reason[SH_TRACK_REASON], tag[AV_FOURCC_MAX_STRING_SIZE];
    const AVCodecParameters *p = source->streams[track]->codecpar;
    const char *kind = av_get_media_type_string(p->codec_type);
    const char *codec = p->codec_id == AV_CODEC_ID_NONE && p->codec_tag
                            ? av_fourcc_make_string(tag, p->codec_tag)
                            : avcodec_get_name(p->codec_id);
    const sh_track_fate fate = sh_track_decide(source, track, video, to->container, reason);
    if (fate == SH_TRACK_LOST)
        tell(to, true, "track %u (%s, %s) %s", track, kind ? kind : "unknown", codec, reason);
    if (fate != SH_TRACK_CONVERTED)
        return;
    const bool styled = p->codec_id == AV_CODEC_ID_ASS;
    tell(to, styled, "track %u (%s, %s) %s%s", track, kind, codec, reason,
         styled ? ": its styles and places are lost; MKV keeps them"
                : ": the text stays, with bold and italic");
}

static void tell_tags(const teller *to, const AVDictionary *tags, const char *whose, bool of_track,
                      bool replaced)
{
    char list[200] = "";
    const AVDictionaryEntry *tag = NULL;
    while ((tag = av_dict_get(tags, "", tag, AV_DICT_IGNORE_SUFFIX))) {
        const bool of_tracks = strcasecmp(tag->key, "title") == 0 || strcasecmp(tag->key, "language") == 0 ||
                               strcasecmp(tag->key, "handler_name") == 0 ||
                               strcasecmp(tag->key, "timecode") == 0 ||
                               strcasecmp(tag->key, "creation_time") == 0;
        const bool transport = to->container == SH_TRANSPORT;
        const bool kept = transport  ? strcasecmp(tag->key, "language") == 0 && of_track
                          : of_track ? of_tracks
                                     : tag_is_plain(tag->key, to->container);
        const size_t length = strlen(list);
        if (!kept && !sh_tag_is_stale(tag->key, true) && strcasecmp(tag->key, "handler_name") != 0 &&
            strcasecmp(tag->key, "creation_time") != 0)
            snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "", tag->key);
    }
    if (list[0])
        tell(to, true, "%s: tags that %s cannot hold: %s; MKV keeps them", whose,
             sh_container_name(to->container), list);
}

static void tell_side_data(const teller *to, const AVStream *video, bool keep_matrix)
{
    for (int i = 0; i < video->nb_side_data; i++) {
        const enum AVPacketSideDataType type = video->side_data[i].type;
        if (type == AV_PKT_DATA_DOVI_CONF)
            tell(to, true,
                 "Dolby Vision: its enhancement is made for the small picture; the base picture is kept, "
                 "HDR10 or "
                 "HLG as it is tagged");
        else if (type == AV_PKT_DATA_DISPLAYMATRIX && keep_matrix &&
                 (to->container == SH_MATROSKA || to->container == SH_TRANSPORT))
            tell(to, true, "rotation: %s cannot say how the picture is turned; turn it (--rotation apply)",
                 sh_container_name(to->container));
        else if ((type == AV_PKT_DATA_SPHERICAL || type == AV_PKT_DATA_STEREO3D) &&
                 to->container == SH_TRANSPORT)
            tell(to, true, "%s: MPEG-TS cannot say it; MP4, MOV and MKV keep it",
                 type == AV_PKT_DATA_SPHERICAL ? "spherical video" : "stereo video");
        else if (type == AV_PKT_DATA_ICC_PROFILE)
            tell(to, true, "colour profile (ICC): is made for the old coding; the colour tags stay");
    }
}

static void tell_dispositions(const teller *to, const AVFormatContext *source, unsigned track)
{
    enum {
        MP4 = AV_DISPOSITION_DEFAULT | AV_DISPOSITION_DUB | AV_DISPOSITION_COMMENT | AV_DISPOSITION_FORCED |
              AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_VISUAL_IMPAIRED | AV_DISPOSITION_CAPTIONS |
              AV_DISPOSITION_DESCRIPTIONS,
        MATROSKA = AV_DISPOSITION_DEFAULT | AV_DISPOSITION_DUB | AV_DISPOSITION_COMMENT |
                   AV_DISPOSITION_FORCED | AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_VISUAL_IMPAIRED |
                   AV_DISPOSITION_ORIGINAL,
        TRANSPORT = AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_VISUAL_IMPAIRED,
        /* not a statement about the track */
        NONE = AV_DISPOSITION_DEFAULT | AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS
    };
    static const int held[] = {MP4, AV_DISPOSITION_DEFAULT, MATROSKA, TRANSPORT};
    static const char *const other[] = {"; MKV keeps it", "; MP4 keeps it", "; MP4 keeps it",
                                        "; MP4 keeps it"};
    const AVStream *from = source->streams[track];
    const bool text = from->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE && to->container == SH_MATROSKA;
    const int lost =
        from->disposition & ~held[to->container] & ~NONE & ~(text ? AV_DISPOSITION_DESCRIPTIONS : 0);
    for (int bit = 0; bit < 31; bit++)
        if (lost & 1 << bit)
            tell(to, true, "track %u: that it is marked as \"%s\" cannot be held by %s%s", track,
                 av_disposition_to_string(1 << bit), sh_container_name(to->container),
                 (to->container == SH_MP4 ? MATROSKA : MP4) & 1 << bit ? other[to->container] : "");
}

static void tell_timecode(const teller *to, const AVFormatContext *source, const AVStream *video)
{
    const AVDictionaryEntry *code = av_dict_get(video->metadata, "timecode", NULL, 0);
    if (!code)
        code = av_dict_get(source->metadata, "timecode", NULL, 0);
    if (code && (to->container == SH_MP4 || to->container == SH_MOV) &&
        !sh_timecode_fits(code->value, video->avg_frame_rate))
        tell(to, true, "time code %s: at %d/%d frames a second %s cannot hold it; MKV keeps it", code->value,
             video->avg_frame_rate.num, video->avg_frame_rate.den, sh_container_name(to->container));
}

static void tell_clock(const teller *to, const AVStream *video)
{
    const AVRational base = video->time_base;
    const AVRational tick = to->container == SH_MATROSKA ? (AVRational){1, 1000} : (AVRational){1, 90000};
    if (to->container != SH_MATROSKA && to->container != SH_TRANSPORT)
        return;
    /* exact when a tick of the source is a whole number of ticks here */
    if (base.den > 0 && (int64_t)base.num * tick.den % ((int64_t)base.den * tick.num) != 0)
        tell(to, false,
             "%s counts time in 1/%d s and the source in %d/%d s: time stamps are rounded; MP4 keeps them",
             sh_container_name(to->container), tick.den, base.num, base.den);
}

void sh_mux_losses(const AVFormatContext *source, int video, const AVOutputFormat *format, bool keep_matrix,
                   sh_loss_fn say, void *opaque)
{
    char reason[SH_TRACK_REASON], whose[32];
    const teller to = {say, opaque, sh_container_of(format)};
    const AVStream *main_video = source->streams[video];
    for (unsigned i = 0; i < source->nb_streams; i++)
        tell_track(&to, source, i, video);
    tell_side_data(&to, main_video, keep_matrix);
    tell_timecode(&to, source, main_video);
    for (unsigned i = 0; i < source->nb_streams; i++) {
        const sh_track_fate fate = sh_track_decide(source, i, video, to.container, reason);
        if (fate > SH_TRACK_CONVERTED)
            continue;
        tell_dispositions(&to, source, i);
        snprintf(whose, sizeof(whose), "track %u", i);
        if (to.container != SH_MATROSKA)
            tell_tags(&to, source->streams[i]->metadata, whose, true, fate == SH_TRACK_REPLACED);
    }
    if (to.container != SH_MATROSKA && !sh_tags_are_free(source, video, to.container))
        tell_tags(&to, source->metadata, "the file", false, false);
    if (to.container == SH_TRANSPORT && source->nb_chapters > 0)
        tell(&to, true, "%u chapters: MPEG-TS cannot hold them; MP4, MOV and MKV keep them",
             source->nb_chapters);
    tell_clock(&to, main_video);
}
