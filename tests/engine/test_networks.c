/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test_networks FOLDER: the engine against pictures that ONNX Runtime made of the same networks, written down
 * beside them. With 16 bits a sample even small faults show: a quarter of a code value of 8 bits is 64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "networks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

static planes expected(const char *name, int count, int scale)
{
    char path[4096];
    planes p = planes_new(count, NETWORK_WIDTH * scale, NETWORK_HEIGHT * scale, 16);
    assert_in_range(snprintf(path, sizeof(path), "%s/%s.u16", folder, name), 1, sizeof(path) - 1);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is missing", path);
    for (int i = 0; i < count; i++)
        assert_int_equal(fread(p.planes[i].memory, 1, p.planes[i].size, file), p.planes[i].size);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    return p;
}

static void check_network(const char *name)
{
    spyhop_model *model = network_load(folder, name);
    spyhop_model_info info = {.size = sizeof(info)};
    assert_int_equal(spyhop_model_describe(model, &info), SPYHOP_OK);
    if (strcmp(info.backend, "spyhop") != 0)
        fail_msg("%s is not run by the engine", name);
    planes in = network_input(info.channels), wanted = expected(name, info.channels, info.scale);
    for (int cpu = SPYHOP_CPU_C; cpu <= spyhop_cpu_detect(); cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        spyhop_context *context = picture_open(model, cpu, 2, 5, 1);
        planes out = planes_run(context, &in, info.scale);
        int distance = planes_distance(&out, &wanted);
        if (distance > (strncmp(name, "quantised", 9) == 0 ? 257 : 64))
            fail_msg("%s, %s: a sample is %d off", name, spyhop_cpu_name(cpu), distance);
        planes_free(&out);
        spyhop_close(&context);
    }
    planes_free(&in);
    planes_free(&wanted);
    spyhop_model_free(&model);
}

/* All but the one that no engine of tiles can run. */
static void networks_of_other_projects(void **state)
{
    int count = 0, checked = 0;
    char **names = network_names(folder, &count);
    (void)state;
    for (int i = 0; i < count; i++)
        if (strncmp(names[i], "attention", 9) != 0) {
            check_network(names[i]);
            checked++;
        }
    network_free_names(names, count);
    assert_true(checked >= 15);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks_of_other_projects)};
    if (argc != 2)
        return 2;
    folder = argv[1];
    setenv("SPYHOP_ORT", "", 1);
    return cmocka_run_group_tests_name("engine/networks", tests, NULL, NULL);
}
