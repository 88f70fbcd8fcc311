/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regular expressions in JavaScript's syntax (without the flag u): parser and compiler. A pattern becomes a
 * tree, the tree becomes code for a backtracking machine. Counted repetitions are written out, so the code
 * has a maximum. */
#include "cloud/flow/jsonata_node.h"
#include "cloud/flow/jsonata_regex.h"
#include "cloud/flow/jsonata_text.h"
#include <string.h>

enum { CODE_MAX = 20000, NEST_MAX = 100, COUNT_MAX = 2000, NONE = UINT32_MAX };

typedef enum tree_type { T_EMPTY, T_LEAF, T_CAT, T_ALT, T_GROUP, T_REPEAT, T_LOOK } tree_type;

typedef struct tree {
    tree_type type;
    rx_code leaf;         /* T_LEAF; T_LOOK: op and y */
    struct tree *a, *b;   /* parts */
    uint32_t group;       /* T_GROUP: number, NONE: captures nothing */
    uint32_t least, most; /* T_REPEAT; NONE: no end */
    bool lazy;
    uint32_t first, last; /* captures inside: first … last - 1 */
} tree;

typedef struct compiler {
    sh_arena *arena;
    const char *p, *end, *start;
    jv_regex *regex;
    uint32_t groups, total; /* opened so far; in the whole pattern */
    int depth;
    const char *names[64]; /* of named groups; lengths beside */
    size_t name_lengths[64];
    const char *why;
    jmp_buf failed;
} compiler;

static _Noreturn void fail(compiler *c, const char *why)
{
    c->why = why;
    longjmp(c->failed, 1);
}

static void *take(compiler *c, size_t size)
{
    void *memory = sh_arena_alloc(c->arena, size);

    if (!memory)
        fail(c, NULL);
    return memory;
}

static tree *new_tree(compiler *c, tree_type type)
{
    tree *t = take(c, sizeof(*t));

    t->type = type;
    t->group = NONE;
    return t;
}

static tree *leaf(compiler *c, rx_op op, uint32_t x)
{
    tree *t = new_tree(c, T_LEAF);

    t->leaf.op = op;
    t->leaf.x = x;
    return t;
}

/* ---- classes ---- */

static const rx_range digits[] = {{'0', '9'}}, words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                      spaces[] = {{9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680},
                                  {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
                                  {0x3000, 0x3000}, {0xfeff, 0xfeff}};

static void add_range(compiler *c, rx_class *class, uint32_t from, uint32_t to)
{
    if (class->count == class->capacity) {
        size_t capacity = class->capacity ? class->capacity * 2 : 4;
        rx_range *ranges = take(c, capacity * sizeof(*ranges));

        if (class->count)
            memcpy(ranges, class->ranges, class->count * sizeof(*ranges));
        class->ranges = ranges;
        class->capacity = capacity;
    }
    class->ranges[class->count++] = (rx_range){from, to};
}

/* The sorted ranges, or all between them. */
static void add_ranges(compiler *c, rx_class *class, const rx_range *ranges, size_t count, bool negated)
{
    uint32_t next = 0;

    for (size_t i = 0; i < count; i++) {
        if (!negated)
            add_range(c, class, ranges[i].from, ranges[i].to);
        else if (ranges[i].from > next)
            add_range(c, class, next, ranges[i].from - 1);
        next = ranges[i].to + 1;
    }
    if (negated)
        add_range(c, class, next, 0x10ffff);
}

/* \d \D \w \W \s \S. */
static bool add_letter_class(compiler *c, rx_class *class, char letter)
{
    switch (letter) {
    case 'd':
    case 'D':
        add_ranges(c, class, digits, 1, letter == 'D');
        return true;
    case 'w':
    case 'W':
        add_ranges(c, class, words, 4, letter == 'W');
        return true;
    case 's':
    case 'S':
        add_ranges(c, class, spaces, sizeof(spaces) / sizeof(*spaces), letter == 'S');
        return true;
    default:
        return false;
    }
}

/* ---- characters ---- */

static uint32_t next_character(compiler *c)
{
    size_t at = 0;
    uint32_t found = sh_jv_next(c->p, (size_t)(c->end - c->p), &at);

    c->p += at;
    return found;
}

static bool hex(compiler *c, size_t count, uint32_t *value)
{
    *value = 0;
    if ((size_t)(c->end - c->p) < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        char h = c->p[i];
        uint32_t digit = h >= '0' && h <= '9'   ? (uint32_t)(h - '0')
                         : h >= 'a' && h <= 'f' ? (uint32_t)(h - 'a') + 10
                         : h >= 'A' && h <= 'F' ? (uint32_t)(h - 'A') + 10
                                                : 16;
        if (digit == 16)
            return false;
        *value = *value * 16 + digit;
    }
    c->p += count;
    return true;
}

/* Behind the backslash, a letter that stands for one character. */
static uint32_t escaped_character(compiler *c)
{
    static const char letters[] = "nrtvf0", meaning[] = "\n\r\t\v\f";
    uint32_t value;
    const char *found;
    char letter = *c->p;

    if (letter == 'x' || letter == 'u') {
        c->p++;
        return hex(c, letter == 'x' ? 2 : 4, &value) ? value : (uint32_t)letter;
    }
    if (letter == 'c' && c->end - c->p > 1 && ((c->p[1] | 32) >= 'a' && (c->p[1] | 32) <= 'z')) {
        c->p += 2;
        return (uint32_t)c->p[-1] & 31;
    }
    found = letter ? strchr(letters, letter) : NULL;
    if (!found)
        return next_character(c);
    c->p++;
    return letter == '0' ? 0 : (uint32_t)meaning[found - letters];
}

/* One member of [...]; false: it was a class of its own and is added already. */
static bool class_atom(compiler *c, rx_class *class, uint32_t *out)
{
    if (*c->p != '\\') {
        *out = next_character(c);
        return true;
    }
    if (++c->p == c->end)
        fail(c, "\\ at end of pattern");
    if (add_letter_class(c, class, *c->p)) {
        c->p++;
        return false;
    }
    if (*c->p == 'b') {
        c->p++;
        *out = '\b';
        return true;
    }
    *out = escaped_character(c);
    return true;
}

static void class_member(compiler *c, rx_class *class)
{
    uint32_t from, to;

    if (!class_atom(c, class, &from))
        return;
    if (c->end - c->p < 2 || *c->p != '-' || c->p[1] == ']') {
        add_range(c, class, from, from);
        return;
    }
    c->p++;
    if (!class_atom(c, class, &to)) {
        add_range(c, class, from, from);
        add_range(c, class, '-', '-');
        return;
    }
    if (to < from)
        fail(c, "Range out of order in character class");
    add_range(c, class, from, to);
}

static tree *parse_class(compiler *c)
{
    rx_class *class = take(c, sizeof(*class));
    tree *t = leaf(c, RX_CLASS, 0);

    if (c->p < c->end && *c->p == '^') {
        class->negated = true;
        c->p++;
    }
    while (c->p < c->end && *c->p != ']')
        class_member(c, class);
    if (c->p == c->end)
        fail(c, "Unterminated character class");
    c->p++;
    t->leaf.class = class;
    return t;
}

/* ---- terms ---- */

static tree *parse_choice(compiler *c);

static tree *parse_named_reference(compiler *c)
{
    const char *name = c->p + 2, *close;

    if (c->end - c->p < 3 || c->p[1] != '<' || !(close = memchr(name, '>', (size_t)(c->end - name))))
        return leaf(c, RX_CHAR, next_character(c));
    for (uint32_t i = 0; i < c->groups && i < 64; i++)
        if (c->names[i] && c->name_lengths[i] == (size_t)(close - name) &&
            !memcmp(c->names[i], name, (size_t)(close - name))) {
            c->p = close + 1;
            return leaf(c, RX_BACK, i + 1);
        }
    fail(c, "Invalid named capture referenced");
}

static tree *parse_escape(compiler *c)
{
    rx_class *class;
    tree *t;

    if (c->p == c->end)
        fail(c, "\\ at end of pattern");
    if (*c->p == 'b' || *c->p == 'B')
        return leaf(c, *c->p++ == 'b' ? RX_WORD : RX_NOT_WORD, 0);
    if (*c->p == 'k')
        return parse_named_reference(c);
    if (*c->p >= '1' && *c->p <= '9') {
        uint32_t number = (uint32_t)(*c->p - '0');
        const char *q = c->p + 1;

        while (q < c->end && *q >= '0' && *q <= '9' && number * 10 + (uint32_t)(*q - '0') <= c->total)
            number = number * 10 + (uint32_t)(*q++ - '0');
        if (number <= c->total) {
            c->p = q;
            return leaf(c, RX_BACK, number);
        }
    }
    class = take(c, sizeof(*class));
    if (add_letter_class(c, class, *c->p)) {
        c->p++;
        t = leaf(c, RX_CLASS, 0);
        t->leaf.class = class;
        return t;
    }
    return leaf(c, RX_CHAR, escaped_character(c));
}

static bool starts(const compiler *c, const char *text)
{
    return (size_t)(c->end - c->p) >= strlen(text) && !memcmp(c->p, text, strlen(text));
}

static tree *parse_look(compiler *c, size_t skip, rx_op op, bool negated)
{
    tree *t = new_tree(c, T_LOOK);

    c->p += skip;
    t->leaf.op = op;
    t->leaf.y = negated;
    t->a = parse_choice(c);
    return t;
}

static tree *parse_capture(compiler *c)
{
    tree *t = new_tree(c, T_GROUP);

    t->group = ++c->groups;
    if (starts(c, "?<")) {
        const char *name = c->p + 2, *close = memchr(name, '>', (size_t)(c->end - name));

        if (!close || close == name)
            fail(c, "Invalid capture group name");
        if (t->group <= 64) {
            c->names[t->group - 1] = name;
            c->name_lengths[t->group - 1] = (size_t)(close - name);
        }
        c->p = close + 1;
    }
    t->a = parse_choice(c);
    return t;
}

static tree *parse_group(compiler *c)
{
    uint32_t first = c->groups;
    tree *t;

    if (++c->depth > NEST_MAX)
        fail(c, "nested too deeply");
    if (starts(c, "?:")) {
        c->p += 2;
        t = new_tree(c, T_GROUP);
        t->a = parse_choice(c);
    } else if (starts(c, "?=") || starts(c, "?!")) {
        t = parse_look(c, 2, RX_AHEAD, c->p[1] == '!');
    } else if (starts(c, "?<=") || starts(c, "?<!")) {
        t = parse_look(c, 3, RX_BEHIND, c->p[2] == '!');
    } else if (starts(c, "?") && !starts(c, "?<")) {
        fail(c, "Invalid group");
    } else {
        t = parse_capture(c);
    }
    if (c->p == c->end)
        fail(c, "Unterminated group");
    c->p++;
    c->depth--;
    t->first = first + 1;
    t->last = c->groups + 1;
    return t;
}

static tree *parse_atom(compiler *c)
{
    char letter = *c->p;

    switch (letter) {
    case '(':
        c->p++;
        return parse_group(c);
    case '[':
        c->p++;
        return parse_class(c);
    case '\\':
        c->p++;
        return parse_escape(c);
    case '.':
    case '^':
    case '$':
        c->p++;
        return leaf(c, letter == '.' ? RX_ANY : letter == '^' ? RX_START : RX_END, 0);
    case '*':
    case '+':
    case '?':
        fail(c, "Nothing to repeat");
    default:
        return leaf(c, RX_CHAR, next_character(c));
    }
}

static const char *read_count(const char *p, const char *end, uint32_t *value)
{
    const char *from = p;

    for (*value = 0; p < end && *p >= '0' && *p <= '9'; p++)
        if (*value < 1000000)
            *value = *value * 10 + (uint32_t)(*p - '0');
    return p == from ? NULL : p;
}

/* {n}, {n,}, {n,m}; anything else is plain text. */
static bool read_braces(compiler *c, uint32_t *least, uint32_t *most)
{
    const char *p = read_count(c->p + 1, c->end, least), *q;

    if (!p || p == c->end)
        return false;
    *most = *least;
    if (*p == ',') {
        p++;
        q = read_count(p, c->end, most);
        if (!q)
            *most = NONE;
        else
            p = q;
    }
    if (p == c->end || *p != '}')
        return false;
    c->p = p + 1;
    return true;
}

static tree *parse_repeat(compiler *c, tree *atom)
{
    uint32_t least = 0, most = NONE;
    tree *t;

    if (c->p == c->end)
        return atom;
    if (*c->p == '*' || *c->p == '+' || *c->p == '?') {
        least = *c->p == '+';
        most = *c->p == '?' ? 1 : NONE;
        c->p++;
    } else if (*c->p != '{' || !read_braces(c, &least, &most)) {
        return atom;
    }
    if (most < least)
        fail(c, "numbers out of order in {} quantifier");
    if (least > COUNT_MAX || (most != NONE && most > COUNT_MAX))
        fail(c, "count of a quantifier too large");
    t = new_tree(c, T_REPEAT);
    t->a = atom;
    t->least = least;
    t->most = most;
    t->first = atom->first;
    t->last = atom->last;
    if (c->p < c->end && *c->p == '?') {
        t->lazy = true;
        c->p++;
    }
    return t;
}

static tree *parse_sequence(compiler *c)
{
    tree *whole = new_tree(c, T_EMPTY);

    while (c->p < c->end && *c->p != '|' && *c->p != ')') {
        tree *cat = new_tree(c, T_CAT);

        cat->a = whole;
        cat->b = parse_repeat(c, parse_atom(c));
        whole = cat;
    }
    return whole;
}

static tree *parse_choice(compiler *c)
{
    tree *whole = parse_sequence(c);

    while (c->p < c->end && *c->p == '|') {
        tree *alt = new_tree(c, T_ALT);

        c->p++;
        alt->a = whole;
        alt->b = parse_sequence(c);
        whole = alt;
    }
    return whole;
}

/* ---- code ---- */

static uint32_t emit(compiler *c, rx_op op, uint32_t x, uint32_t y)
{
    jv_regex *r = c->regex;

    if (r->count == CODE_MAX)
        fail(c, "too large");
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 32;
        rx_code *code = take(c, capacity * sizeof(*code));

        if (r->count)
            memcpy(code, r->code, r->count * sizeof(*code));
        r->code = code;
        r->capacity = capacity;
    }
    r->code[r->count] = (rx_code){.op = op, .x = x, .y = y};
    return (uint32_t)r->count++;
}

static void generate(compiler *c, const tree *t);

static uint32_t here(const compiler *c)
{
    return (uint32_t)c->regex->count;
}

/* Two ways on from a split: into the body, or past it. */
static void aim_split(compiler *c, uint32_t split, uint32_t body, uint32_t past, bool lazy)
{
    c->regex->code[split].x = lazy ? past : body;
    c->regex->code[split].y = lazy ? body : past;
}

static void generate_body(compiler *c, const tree *t)
{
    if (t->last > t->first)
        emit(c, RX_CLEAR, t->first * 2, t->last * 2);
    generate(c, t->a);
}

static void generate_loop(compiler *c, const tree *t)
{
    uint32_t slot = (uint32_t)c->regex->slots++, split = emit(c, RX_SPLIT, 0, 0);

    emit(c, RX_SAVE, slot, 0);
    generate_body(c, t);
    emit(c, RX_PROGRESS, slot, 0);
    emit(c, RX_JUMP, split, 0);
    aim_split(c, split, split + 1, here(c), t->lazy);
}

static void generate_repeat(compiler *c, const tree *t)
{
    uint32_t *splits = take(c, COUNT_MAX * sizeof(*splits)), count = 0;

    for (uint32_t i = 0; i < t->least; i++)
        generate_body(c, t);
    if (t->most == NONE) {
        generate_loop(c, t);
        return;
    }
    for (uint32_t i = t->least; i < t->most; i++) {
        uint32_t slot = (uint32_t)c->regex->slots++;

        splits[count++] = emit(c, RX_SPLIT, 0, 0);
        emit(c, RX_SAVE, slot, 0);
        generate_body(c, t);
        emit(c, RX_PROGRESS, slot, 0);
    }
    while (count--)
        aim_split(c, splits[count], splits[count] + 1, here(c), t->lazy);
}

static void generate_choice(compiler *c, const tree *t)
{
    uint32_t split = emit(c, RX_SPLIT, 0, 0), jump;

    generate(c, t->a);
    jump = emit(c, RX_JUMP, 0, 0);
    aim_split(c, split, split + 1, here(c), false);
    generate(c, t->b);
    c->regex->code[jump].x = here(c);
}

static void generate_look(compiler *c, const tree *t)
{
    uint32_t look = emit(c, t->leaf.op, 0, t->leaf.y);

    generate(c, t->a);
    emit(c, RX_MATCH, 0, 0);
    c->regex->code[look].x = here(c);
}

static void generate_group(compiler *c, const tree *t)
{
    if (t->group != NONE)
        emit(c, RX_SAVE, t->group * 2, 0);
    generate(c, t->a);
    if (t->group != NONE)
        emit(c, RX_SAVE, t->group * 2 + 1, 0);
}

/* Sequences lean to the left, and may be long: they are walked, not descended. */
static void generate_sequence(compiler *c, const tree *t)
{
    size_t count = 0;
    const tree **parts, *p;

    for (p = t; p->type == T_CAT; p = p->a)
        count++;
    parts = take(c, count * sizeof(*parts));
    for (p = t; p->type == T_CAT; p = p->a)
        parts[--count] = p->b;
    for (p = t; p->type == T_CAT; p = p->a)
        generate(c, parts[count++]);
}

static void generate(compiler *c, const tree *t)
{
    if (++c->depth > CODE_MAX / 20)
        fail(c, "nested too deeply");
    switch (t->type) {
    case T_EMPTY:
        break;
    case T_LEAF:
        emit(c, t->leaf.op, t->leaf.x, 0);
        c->regex->code[here(c) - 1].class = t->leaf.class;
        break;
    case T_CAT:
        generate_sequence(c, t);
        break;
    case T_ALT:
        generate_choice(c, t);
        break;
    case T_GROUP:
        generate_group(c, t);
        break;
    case T_REPEAT:
        generate_repeat(c, t);
        break;
    case T_LOOK:
        generate_look(c, t);
        break;
    }
    c->depth--;
}

static uint32_t count_groups(const compiler *c)
{
    uint32_t count = 0;
    bool in_class = false;

    for (const char *p = c->start; p < c->end; p++) {
        if (*p == '\\')
            p++;
        else if (*p == '[')
            in_class = true;
        else if (*p == ']')
            in_class = false;
        else if (*p == '(' && !in_class)
            count += p + 1 == c->end || p[1] != '?' ||
                     (c->end - p > 3 && p[2] == '<' && p[3] != '=' && p[3] != '!');
    }
    return count;
}

static void compile(compiler *c)
{
    tree *t;

    c->total = count_groups(c);
    t = parse_choice(c);
    if (c->p < c->end)
        fail(c, "Unmatched ')'");
    c->regex->groups = c->groups;
    c->regex->slots = 2 * (c->groups + 1);
    generate(c, t);
    emit(c, RX_MATCH, 0, 0);
}

const jv_regex *jv_regex_compile(sh_arena *arena, const char *pattern, size_t length, bool ignore_case,
                                 bool multiline, const char **why)
{
    compiler c = {.arena = arena, .p = pattern, .start = pattern, .end = pattern + length};

    *why = NULL;
    c.regex = sh_arena_alloc(arena, sizeof(*c.regex));
    if (!c.regex)
        return NULL;
    c.regex->ignore_case = ignore_case;
    c.regex->multiline = multiline;
    if (setjmp(c.failed)) {
        *why = c.why;
        return NULL;
    }
    compile(&c);
    return c.regex;
}
