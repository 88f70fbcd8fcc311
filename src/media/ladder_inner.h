/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_INNER_H
#define SH_MEDIA_LADDER_INNER_H
/* The work of a ladder's child. For the ladder_*.c of this folder alone.
 *
 * ladder_setup.c   models, facts, plan, choice; what is asked for checked
 * ladder_open.c    the renditions, outputs and what else is open while it works
 * ladder_run.c     the stages and their end
 * ladder_commit.c  segments put together, written, told
 * ladder_resume.c  the journal: adding a segment (ladder_record.h), and going on
 *
 * Threads: read, pictures (enlarging, tone mapping, captures), two a video (ladder_rung.h), and the commit,
 * which is the child's main thread. The commit alone writes files, reads audio, and sends anything but
 * progress and log lines to the parent. */
#include "media/enlarge.h"
#include "media/journal.h"
#include "media/ladder_audio.h"
#include "media/ladder_bundle.h"
#include "media/ladder_child.h"
#include "media/ladder_frames.h"
#include "media/ladder_record.h"
#include "media/ladder_rung.h"
#include "media/ladder_sink.h"
#include "media/ladder_text.h"
#include "media/ladder_time.h"
#include "media/ladder_tonemap.h"
#include "media/ladder_wire.h"
#include "media/media.h"
#include "media/reader.h"
#include "media/setup.h"

/* Tries of a segment that does not decode back. */
enum { SH_LADDER_TRIES = 2 };

typedef struct ladder ladder;

/* A file that was written in the segment at hand. */
typedef struct ladder_row {
    int output;
    sh_ladder_segment segment;
    sh_ladder_key *keys; /* owned */
} ladder_row;

typedef struct ladder_output {
    ladder *owner;
    const sh_ladder_output *asked;
    sh_ladder_track track; /* as told */
    sh_sink *sink;         /* CMAF, TS, MP4 */
    char name[24];         /* for messages */
} ladder_output;

typedef struct ladder_sound {
    size_t rendition;  /* of `sound` */
    int64_t before;    /* packets committed */
    sh_bundle *bundle; /* of the segment at hand */
} ladder_sound;

typedef struct ladder_capture {
    const sh_ladder_capture *asked;
    sh_scale_layout layout;
    sh_scale *scale;
    sh_jpeg *jpeg;
    sh_capture due;
    sh_thumbs *thumbs; /* of sprite sheets */
    int work;          /* descriptor, -1: none */
} ladder_capture;

struct ladder {
    const sh_ladder_child *child;
    sh_ladder_job job; /* the child's own: `choose` fills it */
    int channel, threads;
    char name[SH_SHOWN]; /* of the input */
    network model, restore;
    sh_facts facts;
    sh_plan plan;
    sh_timeline time;
    int64_t zero_us;  /* the presentation's zero on the file's clock */
    int64_t heard_us; /* first audio sample on it; AV_NOPTS_VALUE: none */
    bool hdr;         /* the pictures are */
    sh_journal *journal;
    /* of a run before */
    sh_record *known; /* rows alone */
    int64_t first_pts, known_sound[SH_LADDER_AUDIOS];
    /* of what is committed */
    int64_t known_taken[SH_LADDER_CAPTURES], known_tiles[SH_LADDER_CAPTURES];
    sh_buf known_config[SH_LADDER_VIDEOS];
    /* the front */
    sh_reader *reader;
    sh_work *first; /* read already */
    sh_enlarge *enlarge;
    sh_tonemap *tonemap;
    AVFrame *like, *like_sdr; /* pictures without samples, as the videos get them */
    bool noted;
    /* renditions and outputs */
    sh_rung rungs[SH_LADDER_VIDEOS];
    sh_sound *sound;
    ladder_sound sounds[SH_LADDER_AUDIOS];
    sh_text texts[SH_LADDER_TEXTS];
    sh_captions *captions; /* where a text is made of those in the pictures */
    struct {
        int64_t start, end;
    } * borders; /* of committed segments, for those texts */
    size_t border_count, border_capacity;
    ladder_capture captures[SH_LADDER_CAPTURES];
    ladder_output outputs[SH_LADDER_OUTPUTS];
    int output_count;
    bool outputs_open;
    /* where it is: the next segment, and what is committed */
    sh_reader_start next;
    sh_ledger ledger;         /* that next.from points to */
    int64_t start, last, end; /* ticks, of the segment committed last: its first and last picture, its end */
    bool finished, resumed;
    int64_t shown;    /* pictures that the videos have got */
    int64_t began;    /* ticks: the first picture of all */
    sh_stills stills; /* of the source, ticks */
    sh_report_sums sums;
    int64_t redone, checked, damages;
    int64_t made;     /* bytes of videos */
    ladder_row *rows; /* of the segment at hand */
    size_t row_count, row_capacity;
    /* a run */
    pthread_mutex_t lock;
    sh_line *prepared;
    sh_queue *pictures;
    sh_err failure;
    sh_fallback level; /* of its first piece */
    char reason[200];
    bool stopping, stopped;
    atomic_bool working;         /* the stages are */
    bool first_due;              /* the next picture that is shown is the first of its segment */
    int64_t run_piece, run_base; /* piece and picture that it began with */
    sh_fallback made_level;      /* of the piece at hand in the pictures' stage */
    char made_reason[240];
    bool again, mistaken; /* a piece is to be made again; since it did not decode back */
    int64_t again_piece;
    sh_fallback again_level;
    char again_reason[240];
    sh_still_finder finder; /* of the source, in the pictures' stage */
    sh_bundle *finder_bundle;
    int64_t began_us, position; /* of the piece at hand in the pictures' stage */
    int64_t piece_frames;       /* a guess, for stopping */
    /* progress */
    pthread_mutex_t meter;
    int64_t reported_us;
    _Atomic int64_t decoded, committed, pieces, bytes;
    _Atomic int phase;
    int64_t resumed_frames;
};

/* ladder_setup.c */
int ladder_models(ladder *l, sh_err *err);
int ladder_look(ladder *l, sh_err *err); /* facts, plan, choice */
int ladder_fingerprint(const ladder *l, sh_buf *print, sh_err *err);
int ladder_check(const ladder *l, sh_err *err); /* the job as chosen */

/* ladder_open.c */
int ladder_open_reader(ladder *l, sh_err *err); /* at l->next; reads the first frame */
int ladder_open_front(ladder *l, sh_err *err);
int ladder_open_rungs(ladder *l, sh_err *err);
int ladder_describe_outputs(ladder *l, sh_err *err); /* tells the tracks, as far as they are known */
int ladder_open_outputs(ladder *l, sh_err *err);     /* when the videos are settled */
void ladder_close(ladder *l);

/* ladder_run.c */
int ladder_run(ladder *l, sh_err *err);
void ladder_report(ladder *l); /* any thread; ten times a second at most */
/* Any thread. The first failure counts; everything stops. */
void ladder_fail(ladder *l, const sh_err *err);
/* Any thread. Everything before `piece` is to be finished; it itself is made again, by `level`. */
void ladder_again(ladder *l, int64_t piece, sh_fallback level, const char *reason, bool mistaken);

/* ladder_capture.c */
int ladder_open_captures(ladder *l, sh_err *err);
/* To where the committed segments end. */
int ladder_rewind_captures(ladder *l, sh_err *err);
/* The pictures' stage: takes it into the bundle where one of the captures wants it. */
int ladder_capture_frame(ladder *l, sh_bundle *bundle, const AVFrame *frame, int64_t time, sh_err *err);

/* Writes what was taken in the segment. */
int ladder_capture_commit(ladder *l, const sh_bundle *pictures, sh_err *err);
int ladder_capture_finish(ladder *l, sh_err *err); /* sprite sheets */

/* ladder_cues.c */
int ladder_open_captions(ladder *l, sh_err *err); /* before the journal */
int ladder_open_texts(ladder *l, sh_err *err);
/* The pictures' stage: closed captions of a picture go into the bundle. */
int ladder_caption_frame(const ladder *l, sh_bundle *bundle, const AVFrame *frame, int64_t time, sh_err *err);
/* What was in a segment that is committed. */
int ladder_caption_commit(ladder *l, const char *bytes, size_t size, int64_t start, int64_t end, sh_err *err);
int ladder_text_commit(ladder *l, int64_t start, int64_t end, int64_t number, sh_err *err);
int ladder_text_finish(ladder *l, sh_err *err);

/* ladder_commit.c */
/* 1: it was the last one. `pictures` and the rungs' bundles (by video) stay the caller's. */
int ladder_commit(ladder *l, sh_bundle *pictures, sh_bundle *const *videos, sh_err *err);
/* Adds those of the segment that begins at `start` to l->stills. */
int ladder_keep_stills(ladder *l, const sh_stills *stills, int64_t start, sh_err *err);
int ladder_finish(ladder *l, sh_err *err);
sh_sink_host ladder_host(ladder_output *output);
/* A file of `bytes`, on disk. With INIT and WHOLE the parent is told the size; else it becomes a row of the
 * segment at hand, start to start + duration. */
int ladder_put(ladder_output *output, int role, sh_ladder_segment *segment, const sh_buf *bytes, sh_err *err);
int ladder_tell_track(const ladder *l, int output, sh_err *err);
int ladder_tell_row(const ladder *l, const ladder_row *row, sh_err *err);
int ladder_tell_commit(const ladder *l, bool resumed, sh_err *err);
/* Up to `until`, in ticks; to NULL: dropped, and counted as committed. */
int ladder_sound_until(ladder *l, int index, int64_t until, sh_bundle *to, sh_err *err);
void ladder_sum(sh_report_sums *sums, const sh_ledger *ledger, int64_t frames, int level);

/* ladder_resume.c */
int ladder_journal_open(ladder *l, sh_err *err); /* takes what is there */
void ladder_journal_close(ladder *l);
int ladder_go_on(ladder *l, sh_err *err);      /* the videos are open: they and the audio as they were */
int ladder_tell_known(ladder *l, sh_err *err); /* the tracks are told: what there is of them */
/* What `pictures` and the rows say. Syncs names first. */
int ladder_journal_append(ladder *l, const sh_bundle *pictures, int64_t end, sh_err *err);

#endif
