/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ladderwork.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS 200
#define LINE 4000
#define OUTPUT (8 << 20)

extern char **environ;

static char folder[] = "/tmp/spyhop-ladder-XXXXXX";

int ladderwork_start(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

int ladderwork_stop(void **state)
{
    sh_err err = {0};
    return sh_dir_remove(folder, &err);
}

const char *ladderwork_path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* Splits into words, "@name" made a path. */
static void split(char *text, char *pool, size_t size, char **words)
{
    size_t count = 0, used = 0;
    for (char *word; (word = strsep(&text, " "));) {
        if (!*word)
            continue;
        assert_true(count < WORDS);
        words[count] = word;
        if (word[0] == '@') {
            words[count] = pool + used;
            used += (size_t)snprintf(pool + used, size - used, "%s/%s", folder, word + 1) + 1;
            assert_true(used < size);
        }
        count++;
    }
    words[count] = NULL;
}

static pid_t start(const char *program, const char *line, int output)
{
    char text[LINE], pool[LINE], *words[WORDS + 1];
    pid_t child;
    posix_spawn_file_actions_t actions;
    snprintf(text, sizeof(text), "%s %s", program, line);
    split(text, pool, sizeof(pool), words);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (output >= 0)
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, output, 1), 0);
    assert_int_equal(posix_spawnp(&child, program, &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static void finish(pid_t child, const char *program, const char *line)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s %s", program, line);
}

void ladderwork_ffmpeg(const char *line)
{
    char text[LINE];
    snprintf(text, sizeof(text), "-nostdin -v error -y %s", line);
    finish(start("ffmpeg", text, -1), "ffmpeg", text);
}

char *ladderwork_output(const char *program, const char *line)
{
    int ends[2];
    char *text = calloc(1, OUTPUT);
    size_t used = 0;
    assert_non_null(text);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = start(program, line, ends[1]);
    close(ends[1]);
    for (ssize_t got; used < OUTPUT - 1 && (got = read(ends[0], text + used, OUTPUT - 1 - used)) > 0;)
        used += (size_t)got;
    close(ends[0]);
    finish(child, program, line);
    return text;
}

int ladderwork_open(const char *name)
{
    int fd = open(ladderwork_path(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}
