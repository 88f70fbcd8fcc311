/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The index of MP4 and MOV ("moov"). libavformat can reserve room for it, but writes over finished data
 * before it notices that the room was too small. So it is told at the end that there is no room: it then
 * writes the index behind everything, into memory (replay.h). Offsets in an index are absolute and no data
 * moves, so the same bytes are right at any place: they go into the room, the rest of which becomes a "free"
 * box, or to the end.
 *
 *   ftyp | room: free, later moov + free | mdat: packets | (moov, where the room is too small) */
#include "base/log.h"
#include "media/mux_inner.h"
#include "media/sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_LEAST (8 << 10)
#define ROOM_MOST (INT64_C(1) << 28)
#define BOX_HEAD 8

static int64_t tags_size(const AVDictionary *tags)
{
    const AVDictionaryEntry *tag = NULL;
    int64_t size = 0;
    while ((tag = av_dict_get(tags, "", tag, AV_DICT_IGNORE_SUFFIX)))
        size += 64 + (int64_t)strlen(tag->key) * 2 + (int64_t)strlen(tag->value);
    return size;
}

static double packets_a_second(const AVCodecParameters *p)
{
    if (p->codec_type == AVMEDIA_TYPE_AUDIO)
        return p->sample_rate > 0 ? (double)p->sample_rate / (p->frame_size > 0 ? p->frame_size : 512) : 100;
    return p->codec_type == AVMEDIA_TYPE_VIDEO ? 60 : 2;
}

/* A video packet takes at most 4 bytes in the table of sizes, 8 each in those of durations, offsets of times
 * and places, 12 in that of chunks, 4 in that of key packets. One of another track has a size and a duration,
 * and its chunks end at each video packet. */
int64_t sh_muxer_room(const sh_muxer *muxer)
{
    const sh_muxer_settings *s = &muxer->settings;
    const double rate = s->frame_rate.num > 0 ? av_q2d(s->frame_rate) : 30;
    const double frames = s->frames > 0 ? (double)s->frames : s->duration * rate;
    const double duration = s->duration > 0 ? s->duration : frames / rate;
    double room = (double)(ROOM_LEAST + tags_size(muxer->format->metadata)) + frames * 44;
    for (unsigned i = 0; i < muxer->format->nb_streams; i++) {
        const AVStream *track = muxer->format->streams[i];
        room += (double)(1200 + track->codecpar->extradata_size + tags_size(track->metadata));
        for (int k = 0; k < track->nb_side_data; k++)
            room += (double)track->side_data[k].size;
        if (track != muxer->video && !(track->disposition & AV_DISPOSITION_ATTACHED_PIC))
            room += duration * packets_a_second(track->codecpar) * 12 + frames * 20;
    }
    for (unsigned i = 0; i < muxer->tracks; i++)
        if (sh_feed_fate(muxer->feed, i) == SH_TRACK_ATTACHED)
            room += 64 + sh_feed_format(muxer->feed)->streams[i]->attached_pic.size;
    for (unsigned i = 0; i < muxer->format->nb_chapters; i++)
        room += (double)(64 + tags_size(muxer->format->chapters[i]->metadata));
    return room < (double)ROOM_MOST ? (int64_t)room : ROOM_MOST;
}

static int write_zeros(sh_muxer *muxer, int64_t size, int64_t offset, sh_err *err)
{
    static const uint8_t zeros[1 << 14];
    int status = 0;
    for (int64_t done = 0; done < size && status == 0; done += (int64_t)sizeof(zeros)) {
        const int64_t left = size - done, most = (int64_t)sizeof(zeros);
        status = sh_replay_write(&muxer->io, zeros, left < most ? left : most, offset + done, err);
    }
    return status;
}

static int write_free(sh_muxer *muxer, int64_t size, int64_t offset, sh_err *err)
{
    uint8_t head[BOX_HEAD];
    if (size < BOX_HEAD)
        return 0;
    AV_WB32(head, (uint32_t)size);
    memcpy(head + 4, "free", 4);
    int status = sh_replay_write(&muxer->io, head, BOX_HEAD, offset, err);
    return status < 0 ? status : write_zeros(muxer, size - BOX_HEAD, offset + BOX_HEAD, err);
}

int sh_muxer_keep_room(sh_muxer *muxer, sh_err *err)
{
    uint8_t head[BOX_HEAD];
    if (muxer->room == 0)
        return 0;
    /* the file type comes first; the room was skipped behind it */
    if (pread(muxer->settings.part, head, BOX_HEAD, 0) != BOX_HEAD || memcmp(head + 4, "ftyp", 4) != 0 ||
        AV_RB32(head) + muxer->room > muxer->io.header)
        return sh_fail(err, SH_E_INTERNAL, "%s: the header of the file is not as expected",
                       muxer->settings.name);
    muxer->room_at = AV_RB32(head);
    return write_free(muxer, muxer->room, muxer->room_at, err);
}

static int place_index(sh_muxer *muxer, sh_err *err)
{
    sh_replay *io = &muxer->io;
    const int64_t at = io->index_at, size = (int64_t)io->index_size - at, end = io->end;
    const uint8_t *index = io->index + at;
    if (size < BOX_HEAD || memcmp(index + 4, "moov", 4) != 0 || AV_RB32(index) != size)
        return sh_fail(err, SH_E_INTERNAL, "%s: the index of the file is not as expected",
                       muxer->settings.name);
    /* packets that only the trailer wrote */
    int status = sh_replay_write(io, io->index, at, end, err);
    io->size = end + at;
    if (status < 0)
        return status;
    if (size == muxer->room || size + BOX_HEAD <= muxer->room) {
        status = sh_replay_write(io, index, size, muxer->room_at, err);
        return status < 0 ? status : write_free(muxer, muxer->room - size, muxer->room_at + size, err);
    }
    sh_channel_log(
        muxer->settings.channel, SH_LOG_INFO,
        "%s: the index has %" PRId64 " bytes and the room kept for it %" PRId64
        ": it is at the file's end (ffmpeg -i IN -map 0 -c copy -movflags +faststart OUT moves it)",
        muxer->settings.name, size, muxer->room);
    status = sh_replay_write(io, index, size, io->size, err);
    io->size += size;
    return status;
}

int sh_muxer_trailer(sh_muxer *muxer, sh_err *err)
{
    if (muxer->room > 0) {
        if (av_opt_set_int(muxer->format->priv_data, "moov_size", 0, 0) < 0)
            return sh_fail(err, SH_E_INTERNAL, "%s: the muxer does not take back its room",
                           muxer->settings.name);
        int status = sh_replay_flush(&muxer->io, err);
        if (status < 0)
            return status;
        sh_replay_hold(&muxer->io);
    }
    int error = av_write_trailer(muxer->format);
    int status = sh_replay_flush(&muxer->io, err);
    if (status == 0 && error < 0)
        status = sh_av_fail(err, error, NULL, "%s: the end of the file", muxer->settings.name);
    if (status == 0 && muxer->room > 0)
        status = place_index(muxer, err);
    if (status == 0 && ftruncate(muxer->settings.part, muxer->io.size) < 0)
        status = sh_fail_errno(err, errno, "%s", muxer->settings.name);
    return status;
}
