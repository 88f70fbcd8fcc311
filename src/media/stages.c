/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/stages.h"

#include <pthread.h>
#include <stdlib.h>

sh_work *sh_work_new(sh_work_kind kind)
{
    sh_work *work = calloc(1, sizeof(*work));
    if (work)
        work->kind = kind;
    return work;
}

void sh_work_free(sh_work *work)
{
    if (!work)
        return;
    av_frame_free(&work->frame);
    av_packet_free(&work->packet);
    if (work->ledger)
        sh_ledger_free(work->ledger);
    free(work->ledger);
    free(work);
}

struct sh_line {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
    int capacity, first, count;
    sh_work *items[];
};

sh_line *sh_line_new(int capacity)
{
    sh_line *line = calloc(1, sizeof(*line) + (size_t)capacity * sizeof(line->items[0]));
    if (!line)
        return NULL;
    line->capacity = capacity;
    pthread_mutex_init(&line->lock, NULL);
    pthread_cond_init(&line->changed, NULL);
    return line;
}

void sh_line_free(sh_line *line)
{
    if (!line)
        return;
    for (int i = 0; i < line->count; i++)
        sh_work_free(line->items[(line->first + i) % line->capacity]);
    pthread_cond_destroy(&line->changed);
    pthread_mutex_destroy(&line->lock);
    free(line);
}

bool sh_line_push(sh_line *line, sh_work *work)
{
    if (!work)
        return false;
    pthread_mutex_lock(&line->lock);
    while (!line->closed && line->count == line->capacity)
        pthread_cond_wait(&line->changed, &line->lock);
    const bool open = !line->closed;
    if (open) {
        line->items[(line->first + line->count++) % line->capacity] = work;
        pthread_cond_broadcast(&line->changed);
    }
    pthread_mutex_unlock(&line->lock);
    if (!open)
        sh_work_free(work);
    return open;
}

sh_work *sh_line_pop(sh_line *line)
{
    sh_work *work = NULL;
    pthread_mutex_lock(&line->lock);
    while (!line->closed && line->count == 0)
        pthread_cond_wait(&line->changed, &line->lock);
    if (!line->closed) {
        work = line->items[line->first];
        line->first = (line->first + 1) % line->capacity;
        line->count--;
        pthread_cond_broadcast(&line->changed);
    }
    pthread_mutex_unlock(&line->lock);
    return work;
}

void sh_line_close(sh_line *line)
{
    pthread_mutex_lock(&line->lock);
    line->closed = true;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

int sh_line_encoded(sh_line *line, sh_encoder *encoder, sh_err *err)
{
    for (;;) {
        sh_work *work = sh_work_new(SH_WORK_PACKET);
        if (work)
            work->packet = av_packet_alloc();
        int status = work && work->packet ? sh_encoder_receive(encoder, work->packet, err)
                                          : sh_fail(err, SH_E_MEMORY, "memory is short");
        if (status != SH_ENCODER_PACKET) {
            sh_work_free(work);
            return status < 0 ? status : 0;
        }
        if (!sh_line_push(line, work))
            return SH_E_CANCELLED;
    }
}
