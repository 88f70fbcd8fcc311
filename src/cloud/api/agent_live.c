/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of nodes only while the server runs: whose polls come, and the nonces of the last minutes.
 * A nonce is kept as long as its date would be taken; dates before the server's start are not, so a restart
 * forgets nothing that could be sent again. */
#include "base/size.h"
#include "cloud/api/agent_inner.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_MAX = 40, NAME_MAX_BYTES = 80, NONCES_MAX = 16384, NONCES_FIRST = 64 };

typedef struct nonce {
    uint64_t high, low;
    int64_t date_ms;
} nonce;

typedef struct live {
    struct live *next;
    char id[ID_MAX], machine[NAME_MAX_BYTES], session[NAME_MAX_BYTES];
    char before[NAME_MAX_BYTES]; /* the session that this one followed */
    int64_t seen_us, turn;
    int64_t written_us[2]; /* of a sign of life, of trouble */
    nonce *nonces;
    size_t count, room;
} live;

struct sh_agents {
    pthread_mutex_t mutex;
    int64_t start_ms;
    uint64_t refused;
    live *first;
};

struct sh_agents *sh_agents_new(const sh_clock *clock)
{
    struct sh_agents *agents = calloc(1, sizeof(*agents));
    if (!agents)
        return NULL;
    pthread_mutex_init(&agents->mutex, NULL);
    agents->start_ms = sh_now_ms(clock);
    return agents;
}

static void free_live(live *one)
{
    free(one->nonces);
    free(one);
}

void sh_agents_free(struct sh_agents *agents)
{
    if (!agents)
        return;
    while (agents->first) {
        live *one = agents->first;
        agents->first = one->next;
        free_live(one);
    }
    pthread_mutex_destroy(&agents->mutex);
    free(agents);
}

int64_t sh_agents_start_ms(const struct sh_agents *agents)
{
    return agents->start_ms;
}

static void copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

/* NULL: no memory. */
static live *find(struct sh_agents *agents, const char *id)
{
    for (live *one = agents->first; one; one = one->next)
        if (strcmp(one->id, id) == 0)
            return one;
    live *one = strlen(id) < ID_MAX ? calloc(1, sizeof(*one)) : NULL;
    if (!one)
        return NULL;
    copy(one->id, sizeof(one->id), id);
    one->written_us[0] = one->written_us[1] = INT64_MIN / 2;
    one->next = agents->first;
    agents->first = one;
    return one;
}

static sh_agent_place enter(live *one, const char *session, const char *machine)
{
    int64_t now_us = sh_monotonic_us();
    bool same_machine = strcmp(one->machine, machine) == 0;
    bool alive = one->machine[0] && now_us - one->seen_us < (int64_t)SH_NODE_SILENT_MS * 1000;
    if (alive && !same_machine)
        return SH_AGENT_SECOND;
    if (same_machine && strcmp(one->before, session) == 0)
        return SH_AGENT_SUPERSEDED;
    if (strcmp(one->session, session) != 0) {
        copy(one->before, sizeof(one->before), same_machine ? one->session : "");
        copy(one->session, sizeof(one->session), session);
        copy(one->machine, sizeof(one->machine), machine);
    }
    one->seen_us = now_us;
    return SH_AGENT_FIRST;
}

sh_agent_place sh_agents_enter(struct sh_agents *agents, const sh_node_row *row, const char *session,
                               const char *machine, int64_t *turn)
{
    pthread_mutex_lock(&agents->mutex);
    live *one = find(agents, row->id);
    sh_agent_place place = one ? enter(one, session, machine) : SH_AGENT_LOST;
    if (place == SH_AGENT_FIRST)
        *turn = ++one->turn;
    pthread_mutex_unlock(&agents->mutex);
    return place;
}

bool sh_agents_current(struct sh_agents *agents, const char *node, int64_t turn)
{
    pthread_mutex_lock(&agents->mutex);
    live *one = find(agents, node);
    bool current = one && one->turn == turn;
    if (current)
        one->seen_us = sh_monotonic_us(); /* it waits here */
    pthread_mutex_unlock(&agents->mutex);
    return current;
}

static uint64_t half(const char *hex)
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++)
        value = value << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return value;
}

static int make_room(live *one, int64_t now_ms)
{
    size_t kept = 0;
    if (one->count < one->room)
        return 0;
    for (size_t i = 0; i < one->count; i++)
        if (one->nonces[i].date_ms >= now_ms - SH_AGENT_WINDOW_MS)
            one->nonces[kept++] = one->nonces[i];
    one->count = kept;
    if (kept < one->room / 2)
        return 0;
    if (one->room >= NONCES_MAX)
        return kept < one->room ? 0 : SH_E_LIMIT;
    size_t room = one->room ? 2 * one->room : NONCES_FIRST;
    nonce *grown = realloc(one->nonces, room * sizeof(*grown));
    if (!grown)
        return SH_E_MEMORY;
    one->nonces = grown;
    one->room = room;
    return 0;
}

static int add_nonce(live *one, const char *text, int64_t date_ms, int64_t now_ms)
{
    const nonce fresh = {half(text), half(text + 16), date_ms};
    for (size_t i = 0; i < one->count; i++)
        if (one->nonces[i].high == fresh.high && one->nonces[i].low == fresh.low)
            return SH_E_CONFLICT;
    int status = make_room(one, now_ms);
    if (status == 0)
        one->nonces[one->count++] = fresh;
    return status;
}

int sh_agents_nonce(struct sh_agents *agents, const char *node, const char *text, int64_t date_ms,
                    int64_t now_ms)
{
    pthread_mutex_lock(&agents->mutex);
    live *one = find(agents, node);
    int status = one ? add_nonce(one, text, date_ms, now_ms) : SH_E_MEMORY;
    pthread_mutex_unlock(&agents->mutex);
    return status;
}

bool sh_agents_due(struct sh_agents *agents, const char *node, bool trouble, int64_t ms)
{
    int64_t now_us = sh_monotonic_us();
    pthread_mutex_lock(&agents->mutex);
    live *one = find(agents, node);
    bool due = one && now_us - one->written_us[trouble] >= ms * 1000;
    if (due)
        one->written_us[trouble] = now_us;
    pthread_mutex_unlock(&agents->mutex);
    return due;
}

/* fn may not come back here. */
void sh_agents_each(struct sh_agents *agents, void (*fn)(void *opaque, const char *node), void *opaque)
{
    pthread_mutex_lock(&agents->mutex);
    for (live *one = agents->first; one; one = one->next)
        fn(opaque, one->id);
    pthread_mutex_unlock(&agents->mutex);
}

void sh_agents_forget(struct sh_agents *agents, const char *node)
{
    pthread_mutex_lock(&agents->mutex);
    for (live **link = &agents->first; *link; link = &(*link)->next) {
        live *one = *link;
        if (strcmp(one->id, node) == 0) {
            *link = one->next;
            free_live(one);
            break;
        }
    }
    pthread_mutex_unlock(&agents->mutex);
}

uint64_t sh_agents_refused(struct sh_agents *agents, bool add)
{
    pthread_mutex_lock(&agents->mutex);
    agents->refused += add;
    uint64_t refused = agents->refused;
    pthread_mutex_unlock(&agents->mutex);
    return refused;
}
