/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Step Functions adds to JSONata. $random with a seed is the generator of the Java platform, number for
 * number. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_picture.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RANGE_MAX = 100000 };

static jv *run_partition(jv_call *c)
{
    jv *list = c->args[0], *parts;
    double size;
    size_t count;

    if (!list || !c->args[1])
        return NULL;
    size = sh_jv_round(c->args[1]->number, 0);
    if (!(size >= 1))
        jv_bound(c->e, "The second argument of $partition must be a positive integer");
    count = jv_count(c->e, list);
    parts = jv_array(c->e);
    for (size_t i = 0; i < count; i += size < (double)count ? (size_t)size : count) {
        jv *part = jv_array(c->e);

        for (size_t k = i; k < count && (double)(k - i) < size; k++)
            jv_push(c->e, part, jv_item(c->e, list, k));
        jv_push(c->e, parts, part);
    }
    return parts;
}

static jv *run_range(jv_call *c)
{
    double from, to, step;
    jv *numbers;

    if (!c->args[0] || !c->args[1] || !c->args[2])
        return NULL;
    from = sh_jv_round(c->args[0]->number, 0);
    to = sh_jv_round(c->args[1]->number, 0);
    step = sh_jv_round(c->args[2]->number, 0);
    if (step == 0 || isnan(step))
        jv_bound(c->e, "The third argument of $range must not be zero");
    if ((to - from) / step > RANGE_MAX)
        jv_bound(c->e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
    numbers = jv_array(c->e);
    for (double n = from; step > 0 ? n <= to : n >= to; n += step)
        jv_push(c->e, numbers, jv_number(c->e, n));
    return numbers;
}

static jv *run_hash(jv_call *c)
{
    static const char hex[] = "0123456789abcdef";
    const sh_flow_env *env = c->e->env ? c->e->env->env : NULL;
    const jv *algorithm = c->args[1];
    unsigned char digest[64];
    jv *text;
    size_t length = 0;
    char *out;

    if (!c->args[0] || !algorithm)
        return NULL;
    text = jv_to_string(c->e, c->args[0], false);
    if (env && env->hash)
        length = env->hash(env->opaque, jv_copy(c->e, algorithm->string.text, algorithm->string.length),
                           text->string.text, text->string.length, digest);
    if (!length)
        jv_bound(c->e, "The second argument of $hash must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512");
    out = jv_alloc(c->e, length * 2 + 1);
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    return jv_string(c->e, out, length * 2);
}

static void random_bytes(jv_call *c, void *bytes, size_t length)
{
    const sh_flow_env *env = c->e->env ? c->e->env->env : NULL;

    if (!env || !env->random)
        jv_bound(c->e, "no source of random numbers");
    env->random(env->opaque, bytes, length);
}

static uint32_t java_next(uint64_t *state, int bits)
{
    *state = (*state * 0x5deece66dull + 11) & ((1ull << 48) - 1);
    return (uint32_t)(*state >> (48 - bits));
}

static jv *run_random(jv_call *c)
{
    uint64_t bits, state;

    if (!c->args[0]) {
        random_bytes(c, &bits, sizeof(bits));
        return jv_number(c->e, (double)(bits >> 11) * 0x1p-53);
    }
    if (!(fabs(c->args[0]->number) < 9e18))
        jv_bound(c->e, "The argument of $random must be an integer");
    state = ((uint64_t)(int64_t)c->args[0]->number ^ 0x5deece66dull) & ((1ull << 48) - 1);
    bits = (uint64_t)java_next(&state, 26) << 27;
    bits += java_next(&state, 27);
    return jv_number(c->e, (double)bits * 0x1p-53);
}

static jv *run_uuid(jv_call *c)
{
    unsigned char b[16];
    char text[40];

    random_bytes(c, b, sizeof(b));
    b[6] = (b[6] & 15) | 0x40;
    b[8] = (b[8] & 63) | 0x80;
    snprintf(text, sizeof(text), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return jv_string(c->e, jv_copy(c->e, text, 36), 36);
}

/* JSON borrowed by the evaluation has to live as long; so what was parsed is kept with it. */
static jv *run_parse(jv_call *c)
{
    const jv *text = c->args[0];
    json_error_t error;
    json_t *value = NULL;
    int status;

    if (!text)
        return NULL;
    status = sh_value_load(text->string.text, text->string.length, 0, &value, &error);
    if (status == SH_E_MEMORY || (!status && (!c->e->parsed || json_array_append_new(c->e->parsed, value))))
        jv_stop(c->e, SH_E_MEMORY);
    jv_work(c->e, text->string.length / 8);
    if (status || sh_value_deeper(value, SH_FLOW_DEPTH_MAX)) {
        char message[256];

        snprintf(message, sizeof(message), "$parse: the argument is not valid JSON: %s (line %d, column %d)",
                 status ? error.text : "nested too deeply", error.line, error.column);
        jv_bound(c->e, message);
    }
    return jv_from_json(c->e, value);
}

const jv_builtin jv_builtins_states[] = {
    {"partition", "<an:a>", 2, run_partition},
    {"range", "<nnn:a>", 3, run_range},
    {"hash", "<xs:s>", 2, run_hash},
    {"random", "<n?:n>", 0, run_random},
    {"uuid", "<:s>", 0, run_uuid},
    {"parse", "<s-:x>", 1, run_parse},
    {0},
};
