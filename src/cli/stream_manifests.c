/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stream_manifests.h"
#include "cli/stream_tracks.h"
#include "stream/vtt.h"

#define PLAYLIST_MAX ((size_t)64 << 20)

static int make_book(sh_stream_book *book, const sh_ladder_result *result, const sh_stream_look *look,
                     const char *prefix, sh_err *err)
{
    int status = sh_stream_book_make(book, result, prefix, look->title, err);
    if (status < 0)
        return status;
    book->stream.growing = look->growing;
    book->stream.target = look->target;
    book->stream.epoch_ms = look->epoch_ms;
    book->stream.now_ms = look->now_ms;
    return 0;
}

int sh_stream_index(sh_buf *m3u8, sh_buf *mpd, const sh_ladder_result *result, const sh_stream_look *look,
                    sh_err *err)
{
    sh_stream_book book = {0};
    int status = make_book(&book, result, look, look->prefix, err);
    if (status == 0)
        status = sh_hls_master(m3u8, &book.stream, err);
    if (status == 0 && mpd)
        status = sh_dash_mpd(mpd, &book.stream, err);
    sh_stream_book_free(&book);
    return status;
}

typedef int writer(sh_buf *out, const sh_stream *stream, const sh_stream_track *track, sh_err *err);

static int write_thumbnails(sh_buf *out, const sh_stream *stream, const sh_stream_track *track, sh_err *err)
{
    int64_t end = sh_stream_end(track);
    for (size_t i = 0; i < stream->track_count; i++) {
        const sh_stream_track *video = &stream->tracks[i];
        if (video->kind == SH_STREAM_VIDEO) {
            const double seconds = (double)sh_stream_end(video) / (double)video->timescale;
            end = (int64_t)(seconds * (double)track->timescale + 0.5);
            break;
        }
    }
    return sh_vtt_sheets(out, track, end, err);
}

static int put(const sh_stream_files *files, const sh_stream *stream, const sh_stream_track *track,
               writer *write, const char *name, sh_err *err)
{
    sh_buf text;
    sh_buf_init(&text, PLAYLIST_MAX);
    int status = write(&text, stream, track, err);
    if (status == 0)
        status = sh_stream_files_put(files, track->folder, name, sh_buf_cstr(&text), text.length, err);
    sh_buf_free(&text);
    return status;
}

int sh_stream_playlists(const sh_stream_files *files, const sh_ladder_result *result,
                        const sh_stream_look *look, sh_err *err)
{
    sh_stream_book book = {0};
    int status = make_book(&book, result, look, "", err);
    for (size_t i = 0; status == 0 && i < book.count; i++) {
        const sh_stream_track *track = &book.tracks[i];
        if (track->kind == SH_STREAM_SHEETS)
            status = put(files, &book.stream, track, write_thumbnails, "thumbs.vtt", err);
        else
            status = put(files, &book.stream, track, sh_hls_media, "index.m3u8", err);
        if (status == 0 && track->iframes)
            status = put(files, &book.stream, track, sh_hls_iframes, track->iframes, err);
    }
    sh_stream_book_free(&book);
    return status;
}
