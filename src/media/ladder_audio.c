/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets of the tracks wait as they come from the file, compressed; a track is decoded when a rendition of
 * it lacks samples for a packet that was asked for. So memory is small however the tracks lie in the file,
 * and what comes out does not depend on the order of questions.
 *
 * Place. `expected` is where the next decoded sample belongs, in samples of the source since the file's time
 * 0. At the beginning that is the presentation's zero; from there on it is counted, and compared with the
 * time stamps. */
#include "media/ladder_audio.h"
#include "base/log.h"
#include "media/ladder_audio_inner.h"
#include "media/sandbox.h"
#include "media/source.h"
#include "media/source_inner.h"
#include "stream/manifest.h"

#include <inttypes.h>
#include <libavutil/fifo.h>
#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

#define JUMP_MS 100       /* a time stamp this far from its place is a gap or an overlap; less is rounding */
#define SILENCE_MAX 3600  /* seconds; more is no gap but a broken clock */
#define LATE_MAX 86400    /* that a track may begin late */
#define PREROLL_US 500000 /* decoded in front of the presentation */
#define SAID_MAX 10       /* log lines of one kind */
#define SILENCE_STEP 8192
#define PLANES_MAX 64
#define WAITING_MAX (1 << 22)           /* packets */
#define EARLY_BYTES (INT64_C(32) << 20) /* for finding the first sample of each track */
#define PLACE_MAX (INT64_C(1) << 50)

typedef struct track {
    AVStream *stream; /* NULL: not used */
    AVCodecContext *decoder;
    AVFifo *waiting; /* AVPacket * */
    AVFrame *frame;  /* decoded; has_frame: its turn is still to come */
    bool has_frame;
    bool ended; /* and its voices have all of it */
    bool begun;
    bool cutting;     /* an overlap is not yet over */
    int64_t silent;   /* samples of silence that come before the frame */
    int64_t expected; /* source samples */
    int rate;         /* of them */
    int64_t shift;    /* samples by which a broken clock is off */
    int64_t read_us;  /* end of the last packet that was read, on the file's clock */
    sh_sound_facts facts;
} track;

struct sh_sound {
    sh_sound_settings settings;
    sh_source source;
    track *tracks; /* one for each stream of the file */
    unsigned track_count;
    sh_voice voices[SH_SOUND_RENDITIONS];
    size_t count;
    AVPacket *packet;
    int64_t zero_us;
    int64_t bytes; /* of packets that wait */
    bool at_end;   /* of the file */
};

/* ---- choosing ---- */

static bool same_language(const char *a, const char *b)
{
    char left[32] = "", right[32] = "";
    sh_language_tag(left, sizeof(left), a);
    sh_language_tag(right, sizeof(right), b);
    left[strcspn(left, "-_")] = '\0';
    right[strcspn(right, "-_")] = '\0';
    return left[0] && strcmp(left, right) == 0;
}

static const char *language_of(const AVStream *stream)
{
    const AVDictionaryEntry *entry = av_dict_get(stream->metadata, "language", NULL, 0);
    return entry ? entry->value : "";
}

static bool is_chosen(const AVFormatContext *format, unsigned i, int ordinal, const sh_sound_choice *choice)
{
    if (choice->track >= 0)
        return (int)i == choice->track;
    if (choice->ordinal > 0)
        return ordinal == choice->ordinal;
    return same_language(language_of(format->streams[i]), choice->language);
}

int sh_sound_find(const AVFormatContext *format, const sh_sound_choice *choice)
{
    int ordinal = 0;
    if (choice->track < 0 && choice->ordinal <= 0 && !choice->language[0])
        return av_find_best_stream((AVFormatContext *)format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type != AVMEDIA_TYPE_AUDIO)
            continue;
        if (is_chosen(format, i, ++ordinal, choice))
            return (int)i;
    }
    return -1;
}

/* ---- opening ---- */

static int open_track(sh_sound *sound, int number, sh_err *err)
{
    track *t = &sound->tracks[number];
    AVStream *stream = sound->source.format->streams[number];
    if (t->stream)
        return 0;
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!codec)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: there is no decoder for %s audio (track %d)",
                       sound->settings.name, avcodec_get_name(stream->codecpar->codec_id), number);
    t->stream = stream;
    t->frame = av_frame_alloc();
    t->waiting = av_fifo_alloc2(64, sizeof(AVPacket *), AV_FIFO_FLAG_AUTO_GROW);
    t->decoder = avcodec_alloc_context3(codec);
    if (!t->frame || !t->waiting || !t->decoder)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    av_fifo_auto_grow_limit(t->waiting, WAITING_MAX);
    int error = avcodec_parameters_to_context(t->decoder, stream->codecpar);
    t->decoder->pkt_timebase = stream->time_base;
    t->decoder->thread_count = 1;
    if (error >= 0)
        error = avcodec_open2(t->decoder, codec, NULL);
    return error < 0 ? sh_av_fail(err, error, NULL, "%s: decoder of %s", sound->settings.name, codec->name)
                     : 0;
}

static bool aac_has_rate(int rate)
{
    static const int rates[] = {96000, 88200, 64000, 48000, 44100, 32000,
                                24000, 22050, 16000, 12000, 11025, 8000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        if (rate == rates[i])
            return true;
    return false;
}

static bool aac_has_channels(int channels)
{
    return channels == 1 || channels == 2 || channels == 6 || channels == 8;
}

/* What was left open, by the source's track. */
static int settle(const sh_sound *sound, const sh_sound_rendition *asked, sh_sound_rendition *out,
                  sh_err *err)
{
    const AVFormatContext *format = sound->source.format;
    if (asked->track < 0 || (unsigned)asked->track >= format->nb_streams ||
        format->streams[asked->track]->codecpar->codec_type != AVMEDIA_TYPE_AUDIO)
        return sh_fail(err, SH_E_ARGUMENT, "%s: track %d is no audio", sound->settings.name, asked->track);
    const AVCodecParameters *p = format->streams[asked->track]->codecpar;
    *out = *asked;
    if (!out->channels)
        out->channels = p->ch_layout.nb_channels == 1 ? 1 : 2;
    if (!out->sample_rate)
        out->sample_rate = aac_has_rate(p->sample_rate) ? p->sample_rate : 48000;
    if (!out->bitrate)
        out->bitrate = out->channels == 1 ? 96000 : INT64_C(64000) * out->channels;
    if (!aac_has_rate(out->sample_rate) || !aac_has_channels(out->channels) || out->bitrate < 6000 ||
        out->bitrate > INT64_C(6144) * out->channels * out->sample_rate / 1024)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s: AAC of %d Hz, %d channels and %" PRId64 " bit/s does not exist",
                       sound->settings.name, out->sample_rate, out->channels, out->bitrate);
    return 0;
}

static int open_voices(sh_sound *sound, const sh_sound_settings *settings, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; i < settings->count && status == 0; i++) {
        sh_sound_rendition asked;
        status = settle(sound, &settings->renditions[i], &asked, err);
        if (status == 0)
            status = open_track(sound, asked.track, err);
        if (status == 0) {
            sound->count++;
            status = sh_voice_open(&sound->voices[i], &asked, err);
        }
    }
    return status;
}

/* What nobody wants is not even read where the container makes that possible. The video's packets are what
 * the clock of a transport stream is mended by. */
static void discard_others(sh_sound *sound)
{
    AVFormatContext *format = sound->source.format;
    const bool clock = format->iformat->flags & AVFMT_TS_DISCONT;
    for (unsigned i = 0; i < sound->track_count; i++)
        if (!sound->tracks[i].stream && !(clock && format->streams[i] == sound->source.video))
            format->streams[i]->discard = AVDISCARD_ALL;
}

int sh_sound_open(sh_sound **out, const sh_sound_settings *settings, sh_err *err)
{
    if (settings->count > SH_SOUND_RENDITIONS)
        return sh_fail(err, SH_E_LIMIT, "%zu audio renditions; at most %d are made", settings->count,
                       SH_SOUND_RENDITIONS);
    sh_sound *sound = calloc(1, sizeof(*sound));
    if (!sound)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sound->settings = *settings;
    sound->settings.renditions = NULL;
    sound->zero_us = settings->begin_us;
    sound->source.name = settings->name;
    sound->source.channel = settings->channel;
    sound->source.accept_damage = true;
    sound->packet = av_packet_alloc();
    int status = sound->packet ? sh_source_open(&sound->source, settings->fd, 1, err)
                               : sh_fail(err, SH_E_MEMORY, "memory is short");
    /* what is wrong with the file is told by who reads the video */
    sound->source.damages = sound->source.jumps = SH_SAID_MAX;
    if (status == 0) {
        sound->track_count = sound->source.format->nb_streams;
        sound->tracks = calloc(sound->track_count, sizeof(*sound->tracks));
        status =
            sound->tracks ? open_voices(sound, settings, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    if (status < 0) {
        sh_sound_close(&sound);
        return status;
    }
    discard_others(sound);
    *out = sound;
    return 0;
}

static void close_track(track *t)
{
    for (AVPacket *left; t->waiting && av_fifo_read(t->waiting, &left, 1) >= 0;)
        av_packet_free(&left);
    av_fifo_freep2(&t->waiting);
    avcodec_free_context(&t->decoder);
    av_frame_free(&t->frame);
}

void sh_sound_close(sh_sound **out)
{
    sh_sound *sound = *out;
    if (!sound)
        return;
    for (unsigned i = 0; sound->tracks && i < sound->track_count; i++)
        close_track(&sound->tracks[i]);
    for (size_t i = 0; i < sound->count; i++)
        sh_voice_close(&sound->voices[i]);
    free(sound->tracks);
    av_packet_free(&sound->packet);
    sh_source_close(&sound->source);
    free(sound);
    *out = NULL;
}

/* ---- reading ---- */

/* NULL: of no track that is wanted. */
static track *track_read(sh_sound *sound)
{
    const AVPacket *packet = sound->packet;
    const unsigned number = (unsigned)packet->stream_index;
    track *t = number < sound->track_count ? &sound->tracks[number] : NULL;
    if (!t || !t->stream)
        return NULL;
    if (packet->pts != AV_NOPTS_VALUE) {
        const int64_t end =
            av_rescale_q(packet->pts + packet->duration, t->stream->time_base, AV_TIME_BASE_Q);
        t->read_us = end > t->read_us ? end : t->read_us;
    }
    return t;
}

static int keep(sh_sound *sound, sh_err *err)
{
    track *t = track_read(sound);
    if (!t)
        return 0;
    AVPacket *own = av_packet_clone(sound->packet);
    if (!own || av_fifo_write(t->waiting, &own, 1) < 0) {
        av_packet_free(&own);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    sound->bytes += own->size + (int64_t)sizeof(*own);
    if (sound->bytes > SH_SOUND_HELD_MAX)
        return sh_fail(err, SH_E_LIMIT,
                       "%s: its audio tracks lie so far apart in the file that more than %lld MiB wait",
                       sound->settings.name, (long long)(SH_SOUND_HELD_MAX >> 20));
    return 0;
}

static int read_one(sh_sound *sound, sh_err *err)
{
    int status = sh_source_read(&sound->source, sound->packet, err);
    if (status == 1)
        status = keep(sound, err);
    sound->at_end |= sound->source.at_end;
    av_packet_unref(sound->packet);
    return status;
}

/* ---- decoding ---- */

static void note_damage(sh_sound *sound, track *t, const AVPacket *packet)
{
    if (t->facts.damages++ < SAID_MAX)
        sh_channel_log(sound->settings.channel, SH_LOG_WARNING,
                       "%s: audio at byte %" PRId64 " (track %d) cannot be decoded", sound->settings.name,
                       packet ? packet->pos : -1, t->stream->index);
}

/* 1: t->frame holds samples; 0: a packet is needed; 2: there are no more. */
static int receive(sh_sound *sound, track *t, sh_err *err)
{
    for (;;) {
        int error = avcodec_receive_frame(t->decoder, t->frame);
        if (error == AVERROR(EAGAIN))
            return 0;
        if (error == AVERROR_EOF)
            return 2;
        if (error == AVERROR(ENOMEM))
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        if (error < 0)
            note_damage(sound, t, NULL);
        else if (t->frame->nb_samples > 0 && t->frame->sample_rate > 0)
            return 1;
    }
}

/* Whether nothing of the packet is heard, nor of what follows it closely. */
static bool is_before(const sh_sound *sound, const track *t, const AVPacket *packet)
{
    if (t->begun || sound->zero_us == AV_NOPTS_VALUE || packet->pts == AV_NOPTS_VALUE ||
        packet->duration <= 0)
        return false;
    return av_rescale_q(packet->pts + packet->duration, t->stream->time_base, AV_TIME_BASE_Q) <
           sound->zero_us - PREROLL_US;
}

/* Decodes until t->frame holds samples (1), or there are no more (2). */
static int decode(sh_sound *sound, track *t, sh_err *err)
{
    for (;;) {
        AVPacket *packet = NULL;
        int status = receive(sound, t, err);
        if (status != 0)
            return status;
        while (status == 0 && av_fifo_can_read(t->waiting) == 0 && !sound->at_end)
            status = read_one(sound, err);
        if (status < 0)
            return status;
        if (av_fifo_read(t->waiting, &packet, 1) >= 0)
            sound->bytes -= packet->size + (int64_t)sizeof(*packet);
        if (packet && is_before(sound, t, packet)) {
            av_packet_free(&packet);
            continue;
        }
        int error = avcodec_send_packet(t->decoder, packet);
        if (error < 0 && error != AVERROR_EOF)
            note_damage(sound, t, packet);
        av_packet_free(&packet);
        if (error == AVERROR(ENOMEM))
            return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
}

/* ---- places ---- */

static int64_t place_of(const track *t)
{
    const AVFrame *frame = t->frame;
    if (frame->best_effort_timestamp == AV_NOPTS_VALUE)
        return AV_NOPTS_VALUE;
    const int64_t at =
        av_rescale_q(frame->best_effort_timestamp, t->stream->time_base, (AVRational){1, frame->sample_rate});
    return at < -PLACE_MAX || at > PLACE_MAX ? AV_NOPTS_VALUE : at + t->shift;
}

static int give(sh_sound *sound, track *t, const uint8_t *const *data, int count, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; i < sound->count && status == 0; i++)
        if (sound->voices[i].asked.track == t->stream->index)
            status = sh_voice_put(&sound->voices[i], data, count, err);
    if (status < 0)
        sh_err_prefix(err, "%s, track %d", sound->settings.name, t->stream->index);
    return status;
}

/* A part of the silence that is due: no more of it at once than somebody may want. */
static int be_silent(sh_sound *sound, track *t, sh_err *err)
{
    uint8_t *data[PLANES_MAX] = {NULL};
    const int channels = t->frame->ch_layout.nb_channels;
    const int count = t->silent < SILENCE_STEP ? (int)t->silent : SILENCE_STEP;
    if (av_samples_alloc(data, NULL, channels, SILENCE_STEP, t->frame->format, 0) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    av_samples_set_silence(data, 0, SILENCE_STEP, channels, t->frame->format);
    t->silent -= count;
    t->expected += count;
    int status = give(sound, t, (const uint8_t *const *)data, count, err);
    av_freep(&data[0]);
    return status;
}

static void note_gap(sh_sound *sound, track *t, int64_t samples)
{
    const double seconds = (double)samples / t->frame->sample_rate;
    const bool late = !t->begun;
    if (seconds > (late ? LATE_MAX : SILENCE_MAX)) {
        sh_channel_log(
            sound->settings.channel, SH_LOG_WARNING,
            "%s: the clock of its audio (track %d) jumps %.0f s ahead, which is taken for a mistake",
            sound->settings.name, t->stream->index, seconds);
        t->shift -= samples;
        return;
    }
    if (late && seconds >= JUMP_MS / 1000.0)
        sh_channel_log(sound->settings.channel, SH_LOG_INFO,
                       "%s: its audio (track %d) begins %.3f s late; it is silent until then",
                       sound->settings.name, t->stream->index, seconds);
    if (!late && t->facts.gaps++ < SAID_MAX)
        sh_channel_log(sound->settings.channel, SH_LOG_WARNING,
                       "%s: %.3f s of audio (track %d) are missing; silence stands for them",
                       sound->settings.name, seconds, t->stream->index);
    t->facts.silence += late ? 0 : seconds;
    t->silent = samples;
}

static void note_overlap(sh_sound *sound, track *t, int64_t samples)
{
    if (t->facts.overlaps++ < SAID_MAX)
        sh_channel_log(sound->settings.channel, SH_LOG_WARNING,
                       "%s: audio (track %d) overlaps by %.3f s, which are cut", sound->settings.name,
                       t->stream->index, (double)samples / t->frame->sample_rate);
}

/* Where the decoded samples belong against where they would land: silence before them, or a cut of the first
 * ones, whose number is returned. */
static int align(sh_sound *sound, track *t)
{
    const AVFrame *frame = t->frame;
    const int64_t at = place_of(t);
    const bool exact = !t->begun || t->cutting;
    const int64_t jump = exact ? 0 : (int64_t)frame->sample_rate * JUMP_MS / 1000;
    t->cutting = false;
    if (at == AV_NOPTS_VALUE)
        return 0;
    const int64_t off = at - t->expected;
    if (off > jump)
        note_gap(sound, t, off);
    if (off >= -jump)
        return 0;
    const int cut = -off < frame->nb_samples ? (int)-off : frame->nb_samples;
    if (!exact)
        note_overlap(sound, t, -off);
    t->cutting = cut == frame->nb_samples;
    return cut;
}

static void say_change(sh_sound *sound, const track *t, const sh_voice *voice)
{
    const AVFrame *frame = t->frame;
    if (voice->resampler &&
        (voice->rate != frame->sample_rate || voice->layout.nb_channels != frame->ch_layout.nb_channels))
        sh_channel_log(sound->settings.channel, SH_LOG_WARNING,
                       "%s: its audio (track %d) changes from %d channels at %d Hz to %d at %d Hz",
                       sound->settings.name, t->stream->index, voice->layout.nb_channels, voice->rate,
                       frame->ch_layout.nb_channels, frame->sample_rate);
}

/* A track may change its rate or channels on the way, as broadcasts do between films. */
static int prepare(sh_sound *sound, track *t, sh_err *err)
{
    AVFrame *frame = t->frame;
    int status = 0;
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&frame->ch_layout, frame->ch_layout.nb_channels);
    if (frame->ch_layout.nb_channels < 1 || frame->ch_layout.nb_channels > PLANES_MAX)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: %d channels of audio (track %d)", sound->settings.name,
                       frame->ch_layout.nb_channels, t->stream->index);
    if (t->rate == 0)
        t->expected = av_rescale_q(sound->zero_us, AV_TIME_BASE_Q, (AVRational){1, frame->sample_rate});
    else if (t->rate != frame->sample_rate) {
        t->expected = av_rescale(t->expected, frame->sample_rate, t->rate);
        t->shift = av_rescale(t->shift, frame->sample_rate, t->rate);
    }
    t->rate = frame->sample_rate;
    for (size_t i = 0; i < sound->count && status == 0; i++)
        if (sound->voices[i].asked.track == t->stream->index) {
            say_change(sound, t, &sound->voices[i]);
            status = sh_voice_kind(&sound->voices[i], frame, err);
        }
    return status < 0 ? sh_err_prefix(err, "%s, track %d", sound->settings.name, t->stream->index) : 0;
}

/* Gives the frame, or finds that silence comes before it: the frame then stays. */
static int take_frame(sh_sound *sound, track *t, sh_err *err)
{
    const AVFrame *frame = t->frame;
    const uint8_t *data[PLANES_MAX];
    int status = prepare(sound, t, err);
    if (status < 0)
        return status;
    const int cut = align(sound, t), count = frame->nb_samples - cut;
    t->has_frame = t->silent > 0;
    if (t->has_frame)
        return 0;
    const bool planar = av_sample_fmt_is_planar(frame->format);
    const int channels = frame->ch_layout.nb_channels, planes = planar ? channels : 1;
    const int step = av_get_bytes_per_sample(frame->format) * (planar ? 1 : channels);
    for (int i = 0; i < planes; i++)
        data[i] = frame->extended_data[i] + (ptrdiff_t)cut * step;
    t->begun |= count > 0;
    t->expected += count;
    status = count > 0 ? give(sound, t, data, count, err) : 0;
    av_frame_unref(t->frame);
    return status;
}

/* One step on with a track: the next samples go to its voices, or it ends. */
static int step(sh_sound *sound, track *t, sh_err *err)
{
    if (t->silent > 0)
        return be_silent(sound, t, err);
    int status = t->has_frame ? 1 : decode(sound, t, err);
    if (status == 1) {
        status = take_frame(sound, t, err);
    } else if (status == 2) {
        t->ended = true;
        status = give(sound, t, NULL, 0, err);
    }
    return status;
}

/* ---- for the caller ---- */

int sh_sound_first(sh_sound *sound, int64_t *first_us, sh_err *err)
{
    int64_t first = AV_NOPTS_VALUE;
    for (unsigned i = 0; i < sound->track_count; i++) {
        track *t = &sound->tracks[i];
        if (!t->stream)
            continue;
        int status = t->has_frame ? 1 : 0;
        while (status == 0 && av_fifo_can_read(t->waiting) == 0 && !sound->at_end &&
               sound->bytes < EARLY_BYTES)
            status = read_one(sound, err);
        if (status == 0 && av_fifo_can_read(t->waiting) > 0)
            status = decode(sound, t, err);
        if (status < 0)
            return status;
        t->has_frame = status == 1;
        const int64_t at = t->has_frame ? t->frame->best_effort_timestamp : AV_NOPTS_VALUE;
        if (at == AV_NOPTS_VALUE)
            continue;
        const int64_t us = av_rescale_q_rnd(at, t->stream->time_base, AV_TIME_BASE_Q, AV_ROUND_DOWN);
        if (first == AV_NOPTS_VALUE || us < first)
            first = us;
    }
    *first_us = first;
    return 0;
}

void sh_sound_begin(sh_sound *sound, int64_t zero_us)
{
    sound->zero_us = zero_us;
}

const AVCodecParameters *sh_sound_parameters(const sh_sound *sound, size_t rendition)
{
    return sound->voices[rendition].parameters;
}

int sh_sound_priming(const sh_sound *sound, size_t rendition)
{
    return sound->voices[rendition].encoder->initial_padding;
}

const char *sh_sound_language(const sh_sound *sound, size_t rendition)
{
    return language_of(sound->tracks[sound->voices[rendition].asked.track].stream);
}

/* Packets before the border nearest to `until`. Border n lies at n blocks less priming. */
static int64_t packets_until(const sh_voice *voice, int64_t until, AVRational base)
{
    const int64_t block = voice->encoder->frame_size, priming = voice->encoder->initial_padding;
    const int64_t last = voice->end == INT64_MAX ? INT64_MAX : (voice->end + priming + block - 1) / block;
    if (until == INT64_MAX)
        return last;
    const int64_t at = av_rescale_q(until, base, voice->encoder->time_base) + priming + block / 2;
    const int64_t count = at < 0 ? 0 : at / block;
    return count < last ? count : last;
}

int sh_sound_until(sh_sound *sound, size_t rendition, int64_t until, AVRational base, AVPacket *packet,
                   sh_err *err)
{
    sh_voice *voice = &sound->voices[rendition];
    track *t = &sound->tracks[voice->asked.track];
    if (until == INT64_MAX && voice->end == INT64_MAX)
        return sh_fail(err, SH_E_INTERNAL, "the audio's end was not told");
    if (voice->given >= packets_until(voice, until, base))
        return 0;
    for (int status = 0;;) {
        while (status == 0 && !t->ended && !sh_voice_ready(voice))
            status = step(sound, t, err);
        if (status == 0)
            status = sh_voice_make(voice, t->ended, packet, err);
        if (status != 0)
            return status;
    }
}

int sh_sound_end(sh_sound *sound, int64_t end, AVRational base, sh_err *err)
{
    for (size_t i = 0; i < sound->count; i++) {
        sh_voice *voice = &sound->voices[i];
        voice->end = av_rescale_q(end, base, voice->encoder->time_base);
        if (voice->end < 0)
            return sh_fail(err, SH_E_ARGUMENT, "a presentation that ends before it begins");
    }
    return 0;
}

int sh_sound_beyond(sh_sound *sound, int64_t time, AVRational base, int64_t limit_us, int64_t *beyond_us,
                    sh_err *err)
{
    int64_t most = 0;
    for (size_t i = 0; i < sound->count; i++) {
        sh_voice *voice = &sound->voices[i];
        track *t = &sound->tracks[voice->asked.track];
        const AVRational clock = voice->encoder->time_base;
        const int64_t from = av_rescale_q(time, base, clock);
        const int64_t to = from + av_rescale_q(limit_us, AV_TIME_BASE_Q, clock);
        int status = 0;
        while (status == 0 && !t->ended && voice->arrived < to)
            status = step(sound, t, err);
        if (status < 0)
            return status;
        const int64_t over =
            av_rescale_q((voice->arrived < to ? voice->arrived : to) - from, clock, AV_TIME_BASE_Q);
        most = over > most ? over : most;
    }
    *beyond_us = most;
    return 0;
}

int sh_sound_rest(sh_sound *sound, int64_t time, AVRational base, int64_t *rest_us, sh_err *err)
{
    const int64_t from = sound->zero_us + av_rescale_q(time, base, AV_TIME_BASE_Q);
    while (!sound->at_end) {
        const int status = sh_source_read(&sound->source, sound->packet, err);
        if (status == 1)
            track_read(sound);
        sound->at_end |= sound->source.at_end;
        av_packet_unref(sound->packet);
        if (status < 0)
            return status;
    }
    *rest_us = 0;
    for (unsigned i = 0; i < sound->track_count; i++)
        if (sound->tracks[i].stream && sound->tracks[i].read_us - from > *rest_us)
            *rest_us = sound->tracks[i].read_us - from;
    return 0;
}

void sh_sound_tell(const sh_sound *sound, size_t rendition, sh_sound_facts *facts)
{
    *facts = sound->tracks[sound->voices[rendition].asked.track].facts;
}
