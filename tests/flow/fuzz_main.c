/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: fuzz_TARGET CORPUS [RUNS]      runs the corpus, its prefixes, and RUNS random changes of each line
 *        fuzz_TARGET CORPUS --write DIR writes the corpus as one file an entry, for libFuzzer
 * CORPUS has one entry a line. */
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 4096 };

static char *lines[MAX_LINES];
static size_t line_count;

static int read_corpus(const char *name)
{
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    if (!file) {
        perror(name);
        return 1;
    }
    while (line_count < MAX_LINES && (length = getline(&line, &size, file)) > 0) {
        if (line[length - 1] == '\n')
            line[--length] = '\0';
        if (length)
            lines[line_count++] = strdup(line);
    }
    free(line);
    fclose(file);
    return line_count ? 0 : 1;
}

static int write_corpus(const char *folder)
{
    char name[4096];

    for (size_t i = 0; i < line_count; i++) {
        FILE *file;

        snprintf(name, sizeof(name), "%s/seed-%zu", folder, i);
        file = fopen(name, "w");
        if (!file || fputs(lines[i], file) < 0 || fclose(file)) {
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
static void run(const char *text, size_t length)
{
    uint8_t *exact = malloc(length ? length : 1);

    memcpy(exact, text, length);
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
}

static size_t change(char *text, size_t length, size_t room)
{
    static const char bytes[] = "{}[]\"',:$.@*?()!=<>&|\\0123456789-eE truefalsn\x80\xff";
    const char *other = lines[next_random() % line_count];
    size_t at = next_random() % (length + 1), from = next_random() % (strlen(other) + 1);
    size_t most = strlen(other) - from, count = most ? next_random() % most : 0;

    switch (next_random() % 4) {
    case 0:
        if (at < length)
            text[at] = bytes[next_random() % (sizeof(bytes) - 1)];
        return length;
    case 1: /* leaves some out */
        count = length - at ? next_random() % (length - at) % 8 : 0;
        memmove(text + at, text + at + count, length - at - count);
        return length - count;
    case 2: /* a piece of another one goes in */
        if (count > 40)
            count %= 40;
        if (length + count > room)
            return length;
        memmove(text + at + count, text + at, length - at);
        memcpy(text + at, other + from, count);
        return length + count;
    default: /* another one goes on from here */
        if (at + most > room)
            return length;
        memcpy(text + at, other + from, most);
        return at + most;
    }
}

int main(int argc, char **argv)
{
    static char text[65536];
    long runs = 0, wanted = argc > 2 ? strtol(argv[2], NULL, 10) : 200;

    if (argc < 2 || read_corpus(argv[1]))
        return 2;
    if (argc == 4 && !strcmp(argv[2], "--write"))
        return write_corpus(argv[3]);
    for (size_t i = 0; i < line_count; i++) {
        size_t length = strlen(lines[i]);

        for (size_t n = 0; n <= length; n++, runs++)
            run(lines[i], n);
        for (long n = 0; n < wanted && length < sizeof(text) / 2; n++, runs++) {
            size_t now = length;

            memcpy(text, lines[i], length);
            for (uint32_t k = 0; k <= next_random() % 4; k++)
                now = change(text, now, sizeof(text));
            run(text, now);
        }
    }
    for (size_t i = 0; i < line_count; i++)
        free(lines[i]);
    printf("%ld runs\n", runs);
    return 0;
}
