/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory MODEL.onnx|FOLDER...: the most memory that the engine has at once, for 640x480 and 1920x1080
 * pictures on two threads, in MiB of resident pages. Each case runs in a process of its own: the caller's
 * pictures are made and touched first, then the model is loaded, opened and run three times; what the process
 * had at most beyond what it had before is the engine's. Fails when a case is over what the engine is held
 * to. */
#include <spyhop/spyhop.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct bound {
    int width, height;
    double mib;
} bound;

static const bound bounds[] = {{640, 480, 40}, {1920, 1080, 160}};

/* A line of /proc/self/status, in MiB; -1 where there is none. */
static double status_mib(const char *name)
{
    char line[256];
    double mib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && mib < 0 && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            mib = strtod(line + strlen(name), NULL) / 1024;
    if (file)
        fclose(file);
    return mib;
}

/* The peak so far is forgotten: what fork copied does not count. */
static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

static int make_planes(spyhop_plane *in, spyhop_plane *out, const spyhop_model_info *info, const bound *b)
{
    int scale = info->scale;
    for (int c = 0; c < info->channels; c++) {
        size_t samples = (size_t)b->width * (size_t)b->height, larger = samples * (size_t)(scale * scale);
        uint8_t *from = malloc(samples), *to = malloc(larger);
        if (!from || !to)
            return 0;
        for (size_t i = 0; i < samples; i++)
            from[i] = (uint8_t)(i * 31 % 251);
        memset(to, 1, larger);
        in[c] = (spyhop_plane){from, b->width, b->width, b->height, 8};
        out[c] = (spyhop_plane){to, (ptrdiff_t)b->width * scale, b->width * scale, b->height * scale, 8};
    }
    return 1;
}

/* The exit code of a case. */
static int run_case(const char *path, const bound *b)
{
    spyhop_model *model = NULL;
    spyhop_context *context = NULL;
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_settings settings;
    spyhop_plane in[3], out[3];
    spyhop_error error = {.status = 0};
    if (spyhop_model_load(&model, path, &error) < 0) {
        fprintf(stderr, "memory: %s\n", error.message);
        return 1;
    }
    spyhop_model_describe(model, &info);
    spyhop_model_free(&model);
    if (!make_planes(in, out, &info, b))
        return 1;
    forget_peak();
    double before = status_mib("VmRSS:");
    spyhop_settings_default(&settings);
    settings.threads = 2;
    int status = spyhop_model_load(&model, path, &error);
    if (status == SPYHOP_OK)
        status = spyhop_open(&context, model, &settings, &error);
    for (int i = 0; i < 3 && status == SPYHOP_OK; i++)
        status = spyhop_run_planes(context, in, out, info.channels, &error);
    double used = status_mib("VmHWM:") - before;
    if (status < 0)
        fprintf(stderr, "memory: %s: %s\n", path, error.message);
    else
        printf("%-32s %4d x %-4d %7.1f MiB, at most %3.0f%s\n", info.name, b->width, b->height, used, b->mib,
               used > b->mib ? ": TOO MUCH" : "");
    spyhop_close(&context);
    spyhop_model_free(&model);
    return status < 0 || used > b->mib || fflush(stdout) != 0;
}

/* Whether the engine keeps within its bounds with that model. */
static int check_model(const char *path)
{
    int kept = 1;
    for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
        int code = 0;
        pid_t child = fork();
        if (child == 0)
            _exit(run_case(path, &bounds[b]));
        if (child < 0 || waitpid(child, &code, 0) < 0 || code != 0)
            kept = 0;
    }
    return kept;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: memory MODEL.onnx|FOLDER...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        glob_t files = {0};
        char pattern[4096];
        snprintf(pattern, sizeof(pattern), "%s/*.onnx", argv[i]);
        if (glob(pattern, 0, NULL, &files) != 0)
            failed |= !check_model(argv[i]);
        for (size_t f = 0; f < files.gl_pathc; f++)
            failed |= !check_model(files.gl_pathv[f]);
        globfree(&files);
    }
    return failed;
}
