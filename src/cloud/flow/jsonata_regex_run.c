/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine that runs compiled regular expressions. It tries one way and keeps, on a stack of its own,
 * where to go on should it fail and what to undo before; every instruction counts as work, so a pattern that
 * backtracks without end is stopped by the bound of the evaluation. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_regex.h"
#include "cloud/flow/jsonata_text.h"
#include <string.h>

enum { LOOK_MAX = 50 };

typedef struct entry { /* slot == SIZE_MAX: go on at pc, at; else slots[slot] = at */
    size_t slot;
    ptrdiff_t at;
    uint32_t pc;
} entry;

typedef struct machine {
    jv_eval *e;
    const jv_regex *regex;
    const char *text;
    size_t length;
    ptrdiff_t *slots;
    entry *stack;
    size_t count, capacity;
    int looks;
} machine;

bool rx_is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool in_ranges(const rx_class *class, uint32_t c)
{
    for (size_t i = 0; i < class->count; i++)
        if (c >= class->ranges[i].from && c <= class->ranges[i].to)
            return true;
    return false;
}

bool rx_class_has(const rx_class *class, uint32_t c, bool ignore_case)
{
    bool in = in_ranges(class, c) ||
              (ignore_case && (in_ranges(class, sh_jv_lower(c)) || in_ranges(class, sh_jv_upper(c))));

    return in != class->negated;
}

static bool is_line_end(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029;
}

static void push(machine *m, size_t slot, ptrdiff_t at, uint32_t pc)
{
    if (m->count == m->capacity) {
        size_t capacity = m->capacity ? m->capacity * 2 : 32;
        entry *stack = jv_alloc_items(m->e, capacity, sizeof(*stack));

        if (m->count)
            memcpy(stack, m->stack, m->count * sizeof(*stack));
        m->stack = stack;
        m->capacity = capacity;
    }
    m->stack[m->count++] = (entry){slot, at, pc};
}

static void set_slot(machine *m, size_t slot, ptrdiff_t value)
{
    push(m, slot, m->slots[slot], 0);
    m->slots[slot] = value;
}

/* Back to the last other way; false: there is none above `floor`. */
static bool backtrack(machine *m, size_t floor, uint32_t *pc, size_t *at)
{
    while (m->count > floor) {
        entry last = m->stack[--m->count];

        if (last.slot == SIZE_MAX) {
            *pc = last.pc;
            *at = (size_t)last.at;
            return true;
        }
        m->slots[last.slot] = last.at;
    }
    return false;
}

static uint32_t before(const machine *m, size_t at)
{
    size_t from = at - 1;

    while (from && at - from < 4 && ((unsigned char)m->text[from] & 0xc0) == 0x80)
        from--;
    return sh_jv_next(m->text, at, &from);
}

static bool at_word_edge(const machine *m, size_t at)
{
    size_t next = at;
    bool left = at && rx_is_word(before(m, at));
    bool right = at < m->length && rx_is_word(sh_jv_next(m->text, m->length, &next));

    return left != right;
}

static bool at_assertion(const machine *m, rx_op op, size_t at)
{
    size_t next = at;

    switch (op) {
    case RX_START:
        return !at || (m->regex->multiline && is_line_end(before(m, at)));
    case RX_END:
        return at == m->length || (m->regex->multiline && is_line_end(sh_jv_next(m->text, m->length, &next)));
    case RX_WORD:
        return at_word_edge(m, at);
    default:
        return !at_word_edge(m, at);
    }
}

static bool fits(const machine *m, const rx_code *code, uint32_t c)
{
    if (code->op == RX_ANY)
        return !is_line_end(c);
    if (code->op == RX_CLASS)
        return rx_class_has(code->class, c, m->regex->ignore_case);
    return c == code->x || (m->regex->ignore_case && sh_jv_upper(c) == sh_jv_upper(code->x));
}

static bool take_character(const machine *m, const rx_code *code, size_t *at)
{
    return *at < m->length && fits(m, code, sh_jv_next(m->text, m->length, at));
}

static bool take_back(const machine *m, uint32_t group, size_t *at)
{
    ptrdiff_t from = m->slots[group * 2], to = m->slots[group * 2 + 1];
    size_t i, end;

    if (from < 0 || to < from)
        return true;
    for (i = (size_t)from, end = (size_t)to; i < end;) {
        uint32_t wanted = sh_jv_next(m->text, end, &i), found;

        if (*at >= m->length)
            return false;
        found = sh_jv_next(m->text, m->length, at);
        if (found != wanted && !(m->regex->ignore_case && sh_jv_upper(found) == sh_jv_upper(wanted)))
            return false;
    }
    return true;
}

static bool run(machine *m, uint32_t pc, size_t *at, ptrdiff_t wanted_end);

/* Whether the code at pc matches from `from`; with `end` >= 0 up to exactly there. Slots stay as they were
 * unless it does. */
static bool look(machine *m, uint32_t pc, size_t from, ptrdiff_t end)
{
    size_t at = from, floor = m->count;
    bool found = run(m, pc, &at, end);
    size_t kept = floor;

    /* the other ways inside are given up, what has to be undone is kept */
    for (size_t i = floor; found && i < m->count; i++)
        if (m->stack[i].slot != SIZE_MAX)
            m->stack[kept++] = m->stack[i];
    m->count = kept;
    return found;
}

static bool look_around(machine *m, const rx_code *code, uint32_t pc, size_t at)
{
    bool found = false;

    if (++m->looks > LOOK_MAX)
        jv_bound(m->e, "regular expression looks around too deeply");
    if (code->op == RX_AHEAD)
        found = look(m, pc + 1, at, -1);
    for (size_t from = at + 1; code->op == RX_BEHIND && !found && from-- > 0;)
        if (from == m->length || ((unsigned char)m->text[from] & 0xc0) != 0x80)
            found = look(m, pc + 1, from, (ptrdiff_t)at);
    m->looks--;
    if (found && code->y) { /* a negative look leaves no captures */
        return false;
    }
    return found != (code->y != 0);
}

/* One instruction; *pc and *at move. False: this way fails. */
static bool step(machine *m, const rx_code *code, uint32_t *pc, size_t *at)
{
    switch (code->op) {
    case RX_CHAR:
    case RX_ANY:
    case RX_CLASS:
        ++*pc;
        return take_character(m, code, at);
    case RX_SPLIT:
        push(m, SIZE_MAX, (ptrdiff_t)*at, code->y);
        *pc = code->x;
        return true;
    case RX_JUMP:
        *pc = code->x;
        return true;
    case RX_SAVE:
        set_slot(m, code->x, (ptrdiff_t)*at);
        ++*pc;
        return true;
    case RX_CLEAR:
        for (uint32_t i = code->x; i < code->y; i++)
            if (m->slots[i] >= 0)
                set_slot(m, i, -1);
        ++*pc;
        return true;
    case RX_PROGRESS:
        ++*pc;
        return m->slots[code->x] != (ptrdiff_t)*at;
    case RX_BACK:
        ++*pc;
        return take_back(m, code->x, at);
    case RX_AHEAD:
    case RX_BEHIND: {
        bool found = look_around(m, code, *pc, *at);

        *pc = code->x;
        return found;
    }
    default:
        ++*pc;
        return at_assertion(m, code->op, *at);
    }
}

static bool run(machine *m, uint32_t pc, size_t *at, ptrdiff_t wanted_end)
{
    size_t floor = m->count;

    for (;;) {
        const rx_code *code = &m->regex->code[pc];
        bool good;

        jv_work(m->e, 1);
        if (code->op == RX_MATCH) {
            good = wanted_end < 0 || (size_t)wanted_end == *at;
            if (good)
                return true;
        } else {
            good = step(m, code, &pc, at);
        }
        if (!good && !backtrack(m, floor, &pc, at))
            return false;
    }
}

static void fill_match(const machine *m, size_t from, size_t to, jv_match *match)
{
    size_t groups = m->regex->groups;

    *match = (jv_match){.from = from, .to = to, .groups = groups};
    match->starts = jv_alloc_items(m->e, groups + 1, sizeof(ptrdiff_t));
    match->ends = jv_alloc_items(m->e, groups + 1, sizeof(ptrdiff_t));
    for (size_t i = 0; i < groups; i++) {
        bool whole = m->slots[2 * i + 2] >= 0 && m->slots[2 * i + 3] >= m->slots[2 * i + 2];

        match->starts[i] = whole ? m->slots[2 * i + 2] : -1;
        match->ends[i] = whole ? m->slots[2 * i + 3] : -1;
    }
}

bool jv_regex_search(jv_eval *e, const jv_regex *regex, const char *text, size_t length, size_t from,
                     jv_match *match)
{
    machine m = {.e = e, .regex = regex, .text = text, .length = length};

    m.slots = jv_alloc_items(e, regex->slots, sizeof(*m.slots));
    for (; from <= length; from++) {
        size_t at = from;

        if (from < length && ((unsigned char)text[from] & 0xc0) == 0x80)
            continue;
        for (size_t i = 0; i < regex->slots; i++)
            m.slots[i] = -1;
        jv_work(e, regex->slots / 8);
        m.count = 0;
        if (run(&m, 0, &at, -1)) {
            fill_match(&m, from, at, match);
            return true;
        }
    }
    return false;
}
