/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mutate [--mutations N] [--case K] FILE.onnx|FOLDER...: shipped networks, damaged. For each file every
 * truncation, every constant replaced by what is no number or no scale, and N (10,000) seeded mutations, of
 * which half change bytes and half change fields of the tree with all lengths right. Each case is given to
 * hostile_try; none may take more than a few seconds, whatever it says of itself.
 *
 * Cases are numbered, so that a failure names one that can be run alone: first the truncations (case K is the
 * first K bytes), then the constants, then the mutations. Threads take them from one counter. Each has its
 * own copy of the file; with ASan what lies past a truncation is poisoned, a byte at a time from the end,
 * which spares a copy a case. */
#include "hostile.h"
#include "netmodel.h"
#include "pbtree.h"
#include "base/buf.h"
#include "base/file.h"
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { THREADS = 2, SLOWEST = 10, BLOCK = 64, STALL = 60 };

/* What one constant is made of, all of it. */
static const uint32_t constants[] = {0,          0x80000000, 0xbf800000, 0x7f800000, 0xff800000,
                                     0x7fc00000, 0x00000001, 0x7f7fffff, 0x7f7f7f7f, 0x81818181};
enum { CONSTANTS = sizeof(constants) / sizeof(constants[0]) };

typedef struct subject {
    const char *path;
    const uint8_t *data;
    size_t size;
    pb_tree tree;
    const pb_field **raw; /* the numbers of each tensor */
    size_t raw_count;
    size_t cases;
    atomic_size_t next;
    atomic_size_t ends[3];
} subject;

typedef struct worker {
    subject *s;
    uint8_t *copy;
    size_t poisoned; /* from here on */
    sh_buf out;
    atomic_size_t at; /* the case it is at */
    double slowest;
    size_t slowest_case;
} worker;

static worker workers[THREADS];
static const char *current_path = "";

static void fail(const char *path, size_t number, const char *what)
{
    fprintf(stderr, "mutate: %s: case %zu: %s\n", path, number, what);
    abort();
}

/* Every STALL seconds: a case that is the same as before has hung. Also the last word of a case that crashed.
 */
static void show_cases(int signal)
{
    static size_t before[THREADS] = {SIZE_MAX, SIZE_MAX};
    int hung = signal != SIGALRM;
    for (int i = 0; i < THREADS; i++) {
        size_t at = atomic_load(&workers[i].at);
        hung = hung || (at == before[i] && at != SIZE_MAX);
        before[i] = at;
    }
    for (int i = 0; i < THREADS && hung; i++) {
        char line[512];
        int n =
            snprintf(line, sizeof(line), "mutate: %s: a thread is at case %zu\n", current_path, before[i]);
        if (before[i] != SIZE_MAX && write(2, line, (size_t)n) < 0)
            break;
    }
    if (hung)
        _exit(1);
    alarm(STALL);
}

static double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void end_case(worker *w, size_t number, double start, hostile_end end)
{
    double spent = thread_seconds() - start;
    atomic_fetch_add(&w->s->ends[end], 1);
    if (spent > SLOWEST)
        fail(w->s->path, number, "took too long");
    if (spent > w->slowest) {
        w->slowest = spent;
        w->slowest_case = number;
    }
}

static hostile_end truncation(worker *w, size_t length)
{
    if (length < w->poisoned)
        ASAN_POISON_MEMORY_REGION(w->copy + length, w->poisoned - length);
    else
        ASAN_UNPOISON_MEMORY_REGION(w->copy, length);
    w->poisoned = length;
    return hostile_try(w->copy, length, (uint32_t)length);
}

/* Bytes of exactly their length, so that a sanitizer sees a read past them. */
static hostile_end try_bytes(const char *data, size_t size, uint32_t seed)
{
    uint8_t *exact = malloc(size + !size);
    if (!exact)
        abort();
    memcpy(exact, size ? data : "", size);
    hostile_end end = hostile_try(exact, size, seed);
    free(exact);
    return end;
}

static pb_change change_constant(const subject *s, size_t number, sh_arena *scratch)
{
    const pb_field *field = s->raw[number / CONSTANTS];
    uint32_t word = constants[number % CONSTANTS];
    uint8_t *bytes = sh_arena_alloc(scratch, field->length);
    for (size_t i = 0; bytes && i < field->length; i++)
        bytes[i] = (uint8_t)(word >> 8 * (i % 4));
    return (pb_change){
        .field = field, .action = PB_BYTES, .bytes = bytes, .length = bytes ? field->length : 0};
}

static hostile_end constant(worker *w, size_t number, sh_arena *scratch)
{
    pb_change change = change_constant(w->s, number, scratch);
    pb_write(&w->s->tree, &change, 1, &w->out);
    return try_bytes(w->out.data, w->out.length, (uint32_t)number);
}

static void damage_bytes(sh_buf *out, const subject *s, uint32_t *seed)
{
    sh_buf_clear(out);
    sh_buf_append(out, s->data, s->size);
    for (uint32_t i = 1 + nm_next(seed) % 3; i > 0 && !out->failed; i--) {
        /* half of them close to a field's beginning, where the structure is */
        size_t at = nm_next(seed) % s->size;
        const pb_field *field = s->tree.all[nm_next(seed) % s->tree.count];
        if (nm_next(seed) % 2 && field->at)
            at = (size_t)(field->at - s->data) + nm_next(seed) % 16 - (size_t)8;
        if (at < s->size)
            out->data[at] =
                (char)(nm_next(seed) % 2 ? out->data[at] ^ 1 << nm_next(seed) % 8 : (int)nm_next(seed));
    }
}

static hostile_end mutation(worker *w, size_t number, sh_arena *scratch)
{
    const subject *s = w->s;
    uint32_t seed = (uint32_t)number * 2246822519u + 1;
    pb_change changes[PB_CHANGES];
    int count = 2;
    nm_next(&seed);
    if (number % 2)
        damage_bytes(&w->out, s, &seed);
    else if (number % 4 || !s->raw_count)
        count = pb_random_changes(&s->tree, changes, &seed, scratch);
    else
        for (count = 0; count < 2 + (int)(number / 4 % 3); count++)
            changes[count] = change_constant(s, nm_next(&seed) % (s->raw_count * CONSTANTS), scratch);
    if (number % 2 == 0)
        pb_write(&s->tree, changes, count, &w->out);
    return try_bytes(w->out.data, w->out.length, (uint32_t)number);
}

static void run_case(worker *w, size_t number)
{
    size_t sweeps = w->s->raw_count * CONSTANTS;
    double start = thread_seconds();
    hostile_end end;
    sh_arena *scratch = sh_arena_new((size_t)64 << 20);
    atomic_store(&w->at, number);
    if (!scratch)
        abort();
    if (number <= w->s->size)
        end = truncation(w, w->s->size - number);
    else if (number - w->s->size - 1 < sweeps)
        end = constant(w, number - w->s->size - 1, scratch);
    else
        end = mutation(w, number - w->s->size - 1 - sweeps, scratch);
    sh_arena_free(scratch);
    if (w->out.failed)
        fail(w->s->path, number, "the mutation does not fit");
    end_case(w, number, start, end);
}

static void *work(void *opaque)
{
    worker *w = opaque;
    for (;;) {
        size_t first = atomic_fetch_add(&w->s->next, BLOCK);
        for (size_t i = first; i < first + BLOCK && i < w->s->cases; i++)
            run_case(w, i);
        if (first >= w->s->cases)
            break;
    }
    atomic_store(&w->at, SIZE_MAX);
    return NULL;
}

static void find_raw(subject *s)
{
    const uint32_t raw_data = 9, initializer = 5;
    for (size_t i = 0; i < s->tree.count; i++)
        for (const pb_field *f = s->tree.all[i]->number == initializer ? s->tree.all[i]->first : NULL; f;
             f = f->next)
            if (f->number == raw_data && f->length)
                s->raw[s->raw_count++] = f;
}

static void open_worker(worker *w, subject *s)
{
    w->s = s;
    w->copy = malloc(s->size + 1);
    w->poisoned = s->size;
    w->slowest = 0;
    w->slowest_case = 0;
    sh_buf_init(&w->out, 4 * s->size + (1 << 20));
    if (!w->copy)
        abort();
    memcpy(w->copy, s->data, s->size);
}

static void close_worker(worker *w, const subject *s)
{
    ASAN_UNPOISON_MEMORY_REGION(w->copy, s->size);
    free(w->copy);
    sh_buf_free(&w->out);
}

static void run_threads(subject *s)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        open_worker(&workers[i], s);
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            abort();
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        close_worker(&workers[i], s);
    }
}

/* only: a case alone, or SIZE_MAX. */
static int run_file(const char *path, size_t mutations, size_t only)
{
    subject s = {.path = path};
    sh_buf file;
    sh_err err = {0};
    sh_buf_init(&file, (size_t)64 << 20);
    if (sh_file_read(path, &file, &err) < 0 || !pb_read(&s.tree, (const uint8_t *)file.data, file.length)) {
        fprintf(stderr, "mutate: %s: %s\n", path, err.message[0] ? err.message : "not an ONNX file");
        return 1;
    }
    current_path = path;
    s.data = (const uint8_t *)file.data;
    s.size = file.length;
    s.raw = sh_arena_alloc(s.tree.arena, s.tree.count * sizeof(*s.raw) + 1);
    if (!s.raw)
        abort();
    find_raw(&s);
    s.cases = s.size + 1 + s.raw_count * CONSTANTS + mutations;
    if (only != SIZE_MAX) {
        open_worker(&workers[0], &s);
        run_case(&workers[0], only);
        close_worker(&workers[0], &s);
    } else
        run_threads(&s);
    const worker *w = workers[0].slowest > workers[1].slowest ? &workers[0] : &workers[1];
    printf("mutate: %s: %zu truncations, %zu constants, %zu mutations: %zu refused, %zu loaded, %zu ran; "
           "the slowest, case %zu, took %.2f s\n",
           path, s.size + 1, s.raw_count * CONSTANTS, mutations, atomic_load(&s.ends[HOSTILE_REFUSED]),
           atomic_load(&s.ends[HOSTILE_LOADED]), atomic_load(&s.ends[HOSTILE_RAN]), w->slowest_case,
           w->slowest);
    int undamaged = hostile_try(s.data, s.size, 1) == HOSTILE_RAN;
    if (!undamaged)
        fprintf(stderr, "mutate: %s: it does not run as it is\n", path);
    pb_free(&s.tree);
    sh_buf_free(&file);
    return !undamaged;
}

static int run_folder(const char *path, size_t mutations, size_t only)
{
    DIR *folder = opendir(path);
    int failed = 0, files = 0;
    if (!folder)
        return run_file(path, mutations, only);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char name[4096];
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".onnx") != 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        failed |= run_file(name, mutations, only);
        files++;
    }
    closedir(folder);
    if (!files)
        fprintf(stderr, "mutate: %s: no .onnx file in it\n", path);
    return failed || !files;
}

int main(int argc, char **argv)
{
    size_t mutations = 10000, only = SIZE_MAX;
    int failed = 0, i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        size_t *number = strcmp(argv[i], "--case") == 0 ? &only : &mutations;
        *number = (size_t)strtoull(argv[i + 1], NULL, 10);
    }
    if (i == argc) {
        fprintf(stderr, "usage: mutate [--mutations N] [--case K] FILE.onnx|FOLDER...\n");
        return 2;
    }
    setenv("SPYHOP_ORT", "", 1); /* what the engine lacks is refused, and not run elsewhere */
    for (int w = 0; w < THREADS; w++)
        atomic_store(&workers[w].at, SIZE_MAX);
    signal(SIGALRM, show_cases);
    signal(SIGABRT, show_cases);
    alarm(STALL);
    for (; i < argc; i++)
        failed |= run_folder(argv[i], mutations, only);
    return failed;
}
