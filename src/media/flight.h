/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_FLIGHT_H
#define SH_MEDIA_FLIGHT_H
/* Packets that a decoder has been given and that gave no frame yet.
 *
 * Frames come out in the order of presentation, so a frame of time t says of a packet of an earlier time that
 * is still here that no frame will come of it. But time stamps may be wrong: equal, or going back. So a
 * packet is given up only when it failed, when a frame of a packet SH_FLIGHT_NEAR numbers later has come, or
 * when decoding that begins anew for the frame at hand (sh_flight_from) would not see it any more. (Where the
 * order of decoding goes back in time, by a second and more, in a file whose clock was set back, an epoch
 * ends, and times are compared within an epoch only.) A packet without a time stamp is given up once a frame
 * of a packet SH_FLIGHT_FAR numbers later has come. Besides it is remembered which packets were key packets,
 * to say where decoding has to begin for a frame. */
#include <stdbool.h>
#include <stdint.h>

#define SH_FLIGHT_MAX 512 /* more than decoders hold back: 64 threads, 16 of reordering, and room */
#define SH_FLIGHT_FAR 256
#define SH_FLIGHT_NEAR 32 /* more than two full buffers of reference pictures */

typedef struct sh_flight_packet {
    int64_t number, pts; /* pts: AV_NOPTS_VALUE where there is none */
    bool key, edit, failed;
    int epoch;
    int64_t from; /* of a frame: the packet that decoding would begin with for it; < 0: not known */
    int64_t
        before; /* of a frame: its number; of a packet: that of the first frame after its time, once passed */
    bool passed;
} sh_flight_packet;

typedef struct sh_flight {
    sh_flight_packet packets[SH_FLIGHT_MAX]; /* by number */
    int count;
    struct {
        int64_t number, pts;
    } keys[SH_FLIGHT_MAX]; /* a ring */
    int64_t key_count;
    int64_t furthest; /* packet that a frame came of */
    int64_t last_dts;
    int epoch;
} sh_flight;

/* The epoch of a packet: every packet of the track is to be shown here. dts: AV_NOPTS_VALUE: none. second: in
 * the same unit. */
int sh_flight_epoch(sh_flight *flight, int64_t dts, int64_t second);
void sh_flight_add(sh_flight *flight, const sh_flight_packet *packet); /* when full the oldest is forgotten */
void sh_flight_key(sh_flight *flight, int64_t number, int64_t pts);    /* also of packets not decoded */
void sh_flight_fail(sh_flight *flight, int64_t number);                /* the decoder said so */
/* A frame came of it; false: unknown. out may be NULL. */
bool sh_flight_take(sh_flight *flight, int64_t number, sh_flight_packet *out);
/* The same by the time stamp, for decoders that give a frame the number of a packet before its own. */
bool sh_flight_take_at(sh_flight *flight, int64_t pts, sh_flight_packet *out);
/* A frame of this packet has come. */
void sh_flight_come(sh_flight *flight, int64_t number);
/* Takes the earliest packet that a frame shows to be lost. false: none. */
bool sh_flight_lost(sh_flight *flight, const sh_flight_packet *frame, sh_flight_packet *out);
/* Whether a packet of an earlier time is not given up yet: nobody can begin with such a frame, since what was
 * told of that packet and what was not would not be known. */
bool sh_flight_doubts(sh_flight *flight, const sh_flight_packet *frame);
/* Decoding began anew for this frame: what is before it was told. */
void sh_flight_begin(sh_flight *flight, const sh_flight_packet *frame);
/* Takes the earliest of all. */
bool sh_flight_rest(sh_flight *flight, sh_flight_packet *out);

/* The key packet to decode from for a frame of packet `number` at `pts`: the last that is not after it in
 * either order (`back` 0), or the one before that (1). Where there is none before: the first packet, 0.
 * -1: it has been forgotten. */
int64_t sh_flight_from(const sh_flight *flight, int64_t number, int64_t pts, int back);

#endif
