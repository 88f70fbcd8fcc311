/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: fuzz_TARGET CORPUS [RUNS]      runs the corpus, its prefixes, and RUNS random changes of each entry
 *        fuzz_TARGET CORPUS --write DIR writes the corpus as one file an entry, for libFuzzer
 * CORPUS has one entry a line, in which \r \n \t \\ and \xHH stand for bytes; with FUZZ_PLAIN, lines stand as
 * they are and what goes in is of JSON. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ENTRIES_MAX = 4096, ENTRY_MAX = 65536, PREFIXES_MAX = 1500 };

typedef struct entry {
    char *bytes;
    size_t length;
} entry;

static entry entries[ENTRIES_MAX];
static size_t count;

#ifdef FUZZ_PLAIN
static const char often[] = "{}[]\"',:$.@*?()!=<>&|\\0123456789-eE truefalsn\x80\xff";
static const bool escapes = false;
#else
static const char often[] = "\r\n\r\n\t ;:,=&%\"'<>/[]{}-+.*?$\\0123456789abcdefABZ_\x01\x7f\x80\xff";
static const bool escapes = true;
#endif

static int hex(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static void add(const char *line)
{
    char *bytes = malloc(strlen(line) + 1);
    size_t length = 0;
    CHECK(bytes && count < ENTRIES_MAX);
    for (; *line; line++) {
        char c = *line;
        if (escapes && c == '\\') {
            c = *++line;
            CHECK(c);
            if (c == 'x') {
                c = (char)(hex(line[1]) * 16 + hex(line[2]));
                line += 2;
            } else {
                c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c;
            }
        }
        bytes[length++] = c;
    }
    entries[count++] = (entry){bytes, length};
}

static int read_corpus(const char *name)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    FILE *file = fopen(name, "r");
    if (!file) {
        perror(name);
        return 1;
    }
    while ((length = getline(&line, &size, file)) > 0) {
        if (line[length - 1] == '\n')
            line[--length] = '\0';
        if (length)
            add(line);
    }
    free(line);
    fclose(file);
    return count ? 0 : 1;
}

static int write_corpus(const char *folder)
{
    char name[4096];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s/seed-%zu", folder, i);
        FILE *file = fopen(name, "w");
        if (!file || fwrite(entries[i].bytes, 1, entries[i].length, file) != entries[i].length ||
            fclose(file)) {
            perror(name);
            return 1;
        }
    }
    return 0;
}

static uint32_t next_random(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* In a copy of exactly its length, so that a read past the end is seen. */
static void run(const char *bytes, size_t length)
{
    uint8_t *exact = malloc(length ? length : 1);
    CHECK(exact);
    memcpy(exact, bytes, length);
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
}

static size_t change(char *bytes, size_t length, size_t room)
{
    const entry *other = &entries[next_random() % count];
    size_t at = next_random() % (length + 1), from = next_random() % (other->length + 1);
    size_t most = other->length - from, piece = most ? next_random() % most % 40 : 0;
    switch (next_random() % 4) {
    case 0:
        if (at < length)
            bytes[at] = often[next_random() % (sizeof(often) - 1)];
        return length;
    case 1: /* leaves some out */
        piece = length - at ? next_random() % (length - at) % 8 : 0;
        memmove(bytes + at, bytes + at + piece, length - at - piece);
        return length - piece;
    case 2: /* a piece of another one goes in */
        if (length + piece > room)
            return length;
        memmove(bytes + at + piece, bytes + at, length - at);
        memcpy(bytes + at, other->bytes + from, piece);
        return length + piece;
    default: /* another one goes on from here */
        if (at + most > room)
            return length;
        memcpy(bytes + at, other->bytes + from, most);
        return at + most;
    }
}

int main(int argc, char **argv)
{
    static char bytes[ENTRY_MAX];
    long runs = 0, wanted = argc > 2 ? strtol(argv[2], NULL, 10) : 200;
    if (argc < 2 || read_corpus(argv[1]))
        return 2;
    if (argc == 4 && strcmp(argv[2], "--write") == 0)
        return write_corpus(argv[3]);
    for (size_t i = 0; i < count; i++) {
        const entry *e = &entries[i];
        size_t prefixes = e->length < PREFIXES_MAX ? e->length : PREFIXES_MAX;
        run(e->bytes, e->length);
        for (size_t n = 0; n <= prefixes; n++, runs++)
            run(e->bytes, n);
        for (long n = 0; n < wanted && e->length < sizeof(bytes) / 2; n++, runs++) {
            size_t now = e->length;
            memcpy(bytes, e->bytes, now);
            for (uint32_t k = 0; k <= next_random() % 4; k++)
                now = change(bytes, now, sizeof(bytes));
            run(bytes, now);
        }
    }
    for (size_t i = 0; i < count; i++)
        free(entries[i].bytes);
    printf("%ld runs\n", runs);
    return 0;
}
