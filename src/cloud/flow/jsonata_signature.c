/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of functions, "<s-nn?:s>": the types of parameters and how often each may be there. Arguments
 * are matched as a regular expression would over their types, greedy and with backtracking. */
#include "cloud/flow/jsonata_eval.h"
#include <string.h>

enum { MAX_PARAMS = 24 };

typedef struct param {
    char type[12];    /* the letters that fit */
    bool array;       /* 'a': a value that is no array becomes one */
    char subtype[12]; /* of an array's items, "" : any */
    bool optional, many, context;
} param;

struct jn_signature {
    param params[MAX_PARAMS];
    size_t count;
};

/* ---- reading ---- */

typedef struct reader {
    const char *p, *end;
    jn_signature *signature;
    const char *code;
} reader;

static param *add(reader *r, const char *letters, size_t length)
{
    param *made;

    if (r->signature->count == MAX_PARAMS || length + 2 > sizeof(made->type)) {
        r->code = "S0402";
        return NULL;
    }
    made = &r->signature->params[r->signature->count++];
    memcpy(made->type, letters, length);
    return made;
}

static void read_choice(reader *r)
{
    const char *close = memchr(r->p, ')', (size_t)(r->end - r->p));
    param *made;

    if (!close) {
        r->p = r->end;
        return;
    }
    if (memchr(r->p, '<', (size_t)(close - r->p))) {
        r->code = "S0402";
        return;
    }
    made = add(r, r->p + 1, (size_t)(close - r->p - 1));
    if (made)
        made->type[close - r->p - 1] = 'm';
    r->p = close;
}

static void read_subtype(reader *r, param *last)
{
    const char *from = r->p + 1;
    int depth = 1;
    size_t length;

    if (!last || (last->type[0] != 'f' && !last->array)) {
        r->code = "S0401";
        return;
    }
    for (r->p++; r->p < r->end && depth; r->p++)
        depth += (*r->p == '<') - (*r->p == '>');
    length = (size_t)(r->p - from - (depth == 0));
    r->p--;
    if (last->array && length && length < sizeof(last->subtype))
        memcpy(last->subtype, from, length);
}

static void read_param(reader *r)
{
    size_t count = r->signature->count;
    param *last = count ? &r->signature->params[count - 1] : NULL, *made;

    switch (*r->p) {
    case 's':
    case 'n':
    case 'b':
    case 'l':
    case 'o':
        made = add(r, r->p, 1);
        if (made)
            made->type[1] = 'm';
        break;
    case 'a':
        made = add(r, "asnblfom", 8);
        if (made)
            made->array = true;
        break;
    case 'f':
        add(r, "f", 1);
        break;
    case 'j':
        add(r, "asnblom", 7);
        break;
    case 'x':
        add(r, "asnblfom", 8);
        break;
    case '-':
        if (last)
            last->context = last->optional = true;
        break;
    case '?':
        if (last)
            last->optional = true;
        break;
    case '+':
        if (last)
            last->many = true;
        break;
    case '(':
        read_choice(r);
        break;
    case '<':
        read_subtype(r, last);
        break;
    default:
        break;
    }
}

const jn_signature *jn_signature_parse(sh_arena *arena, const char *text, size_t length, const char **code)
{
    reader r = {
        .p = text + 1, .end = text + length, .signature = sh_arena_alloc(arena, sizeof(jn_signature))};

    for (; r.signature && !r.code && r.p < r.end && *r.p != ':'; r.p++)
        read_param(&r);
    *code = r.code;
    return r.code ? NULL : r.signature;
}

const jn_signature *jv_builtin_signature(jv_eval *e, const jv_builtin *row)
{
    jv_known_signature *known;
    const char *code;

    for (known = e->signatures; known; known = known->next)
        if (known->row == row)
            return known->signature;
    known = jv_alloc(e, sizeof(*known));
    known->row = row;
    known->signature = jn_signature_parse(e->arena, row->signature, strlen(row->signature), &code);
    if (!known->signature)
        jv_stop(e, SH_E_MEMORY);
    known->next = e->signatures;
    return (e->signatures = known)->signature;
}

/* ---- checking ---- */

static char letter(const jv *value)
{
    static const char letters[] = {
        [JV_NULL] = 'l',  [JV_BOOL] = 'b',   [JV_NUMBER] = 'n',   [JV_STRING] = 's',
        [JV_ARRAY] = 'a', [JV_OBJECT] = 'o', [JV_FUNCTION] = 'f', [JV_TUPLE] = 'o'};

    return value ? letters[value->kind] : 'm';
}

/* taken[i]: how many of the letters parameter i takes. `far`: the furthest letter that could not be placed.
 */
typedef struct match {
    const jn_signature *signature;
    const char *letters;
    size_t count;
    size_t taken[MAX_PARAMS];
    size_t far;
    size_t tries;
} match;

static bool place(match *m, size_t index, size_t at)
{
    const param *p = &m->signature->params[index];
    size_t most = 0, least;

    if (at > m->far)
        m->far = at;
    if (index == m->signature->count)
        return at == m->count;
    while (at + most < m->count && strchr(p->type, m->letters[at + most]) && (p->many || !most))
        most++;
    least = p->optional ? 0 : 1;
    for (size_t n = most + 1; n-- > least && m->tries++ < 10000;) {
        m->taken[index] = n;
        if (place(m, index + 1, at + n))
            return true;
    }
    return false;
}

typedef struct checked {
    jv_eval *e;
    const char *name;
    size_t position;
    jv *context;
    jv_arguments in, out;
    size_t at;
} checked;

static _Noreturn void fail(const checked *c, const char *code, size_t index, const char *type)
{
    jv_error_parts parts = {.token = c->name, .index = index, .type = type};

    jv_fail_parts(c->e, code, c->position, &parts);
}

static void put(checked *c, jv *value)
{
    c->out.items[c->out.count++] = value;
}

static void put_missing(checked *c, const param *p)
{
    if (!p->context) {
        put(c, c->at < c->in.count ? c->in.items[c->at] : NULL);
        c->at++;
        return;
    }
    if (!strchr(p->type, letter(c->context)))
        fail(c, "T0411", c->at + 1, NULL);
    put(c, c->context);
}

static bool items_fit(checked *c, jv *array, char subtype)
{
    size_t count = jv_count(c->e, array);

    jv_work(c->e, count / 16);
    for (size_t i = 0; i < count; i++)
        if (letter(jv_item(c->e, array, i)) != subtype)
            return false;
    return true;
}

static const char *type_name(char subtype)
{
    switch (subtype) {
    case 'a':
        return "arrays";
    case 'b':
        return "booleans";
    case 'f':
        return "functions";
    case 'n':
        return "numbers";
    case 'o':
        return "objects";
    default:
        return "strings";
    }
}

static void put_array(checked *c, const param *p)
{
    jv *value = c->in.items[c->at], *array = value;
    bool fits = true;

    if (value && value->kind != JV_ARRAY) {
        fits = !p->subtype[0] || (letter(value) == p->subtype[0] && !p->subtype[1]);
        array = NULL;
    } else if (value && p->subtype[0]) {
        fits = items_fit(c, value, p->subtype[0]);
    }
    if (!fits)
        fail(c, "T0412", c->at + 1, type_name(p->subtype[0]));
    if (value && !array) {
        array = jv_array(c->e);
        jv_push(c->e, array, value);
    }
    put(c, array);
    c->at++;
}

static size_t first_bad(const match *m)
{
    return m->far + 1;
}

jv_arguments jv_signature_check(jv_eval *e, const jn_signature *signature, const char *name, size_t position,
                                jv_arguments args, jv *context)
{
    char *letters = jv_alloc(e, args.count + 1);
    match m = {.signature = signature, .letters = letters, .count = args.count};
    checked c = {.e = e, .name = name, .position = position, .context = context, .in = args};

    for (size_t i = 0; i < args.count; i++)
        letters[i] = letter(args.items[i]);
    if (!place(&m, 0, 0))
        fail(&c, "T0410", first_bad(&m), NULL);
    c.out.items = jv_alloc_items(e, args.count + signature->count + 1, sizeof(jv *));
    for (size_t i = 0; i < signature->count; i++) {
        const param *p = &signature->params[i];

        if (!m.taken[i])
            put_missing(&c, p);
        for (size_t n = 0; n < m.taken[i]; n++) {
            if (p->array)
                put_array(&c, p);
            else
                put(&c, c.in.items[c.at++]);
        }
    }
    return c.out;
}
