/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/dsp.h"
#include "base/clock.h"
#include "base/pool.h"

/* Twelve chains of single multiply-adds: scalar units have a latency of at most a few. */
static int64_t peak_c(int64_t rounds, float *sink)
{
    enum { CHAINS = 12 };
    float chain[CHAINS], factor = 0.999f, term = sink[0] + 0.001f, sum = 0;
    for (int i = 0; i < CHAINS; i++)
        chain[i] = (float)i;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++)
            chain[i] = chain[i] * factor + term;
    for (int i = 0; i < CHAINS; i++)
        sum += chain[i];
    sink[0] = sum;
    return rounds * CHAINS;
}

void sh_peak_init_c(sh_dsp *dsp)
{
    dsp->peak = peak_c;
}

typedef struct measure {
    sh_peak_fn fn;
    sh_q8_peak_fn q8; /* instead, or NULL */
    int64_t rounds;
    int64_t macs[256];
} measure;

static void work(void *opaque, int item, int worker)
{
    measure *m = opaque;
    float sink[16] = {0};
    int32_t whole[16] = {0};
    m->macs[item] = m->q8 ? m->q8(m->rounds, whole) : m->fn(m->rounds, sink);
    if (sink[0] != sink[0])
        m->macs[item] = 0;
}

/* Best of several short runs: what the machine can do, not what it did while something else ran. */
int sh_peak_measure(int cpu, sh_peak_kind kind, int threads, double seconds, double *gmac_per_s, sh_err *err)
{
    sh_pool *pool = NULL;
    sh_dsp dsp;
    double best = 0, spent = 0;
    int status = sh_pool_new(&pool, threads, err);
    if (status < 0)
        return status;
    sh_dsp_select(&dsp, cpu);
    measure m = {.fn = kind == SH_PEAK_HALF ? dsp.half_peak : dsp.peak,
                 .q8 = kind == SH_PEAK_WHOLE ? dsp.q8_peak : NULL,
                 .rounds = 1 << 12};
    threads = sh_pool_threads(pool);
    for (int runs = 0; spent < seconds || runs < 3;) {
        int64_t start = sh_monotonic_us(), macs = 0, us;
        sh_pool_run(pool, work, &m, threads);
        us = sh_monotonic_us() - start;
        us = us > 0 ? us : 1;
        for (int i = 0; i < threads; i++)
            macs += m.macs[i];
        spent += (double)us * 1e-6;
        if ((double)us * 1e-6 < seconds / 40)
            m.rounds *= 2;
        else if (++runs && (double)macs / (double)us * 1e-3 > best)
            best = (double)macs / (double)us * 1e-3;
    }
    sh_pool_free(pool);
    *gmac_per_s = best;
    return SH_OK;
}
