/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/file.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/test-file-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    return sh_dir_remove(folder, NULL);
}

static void replaces_the_whole_with_the_mode_asked(void **state)
{
    char path[96];
    struct stat st;
    sh_buf buf;
    snprintf(path, sizeof(path), "%s/keys", folder);
    sh_buf_init(&buf, 100);
    assert_int_equal(sh_file_replace(path, "first", 5, 0600, NULL), 0);
    assert_int_equal(sh_file_replace(path, "second one", 10, 0600, NULL), 0);
    assert_int_equal(sh_file_read(path, &buf, NULL), 0);
    assert_string_equal(sh_buf_cstr(&buf), "second one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    sh_buf_free(&buf);
}

static void bounds_and_errors_are_said(void **state)
{
    sh_err err = {0};
    char path[96];
    sh_buf buf;
    sh_buf_init(&buf, 3);
    snprintf(path, sizeof(path), "%s/four", folder);
    sh_file_replace(path, "four", 4, 0644, NULL);
    assert_int_equal(sh_file_read(path, &buf, &err), SH_E_LIMIT);
    assert_non_null(strstr(err.message, "larger than 3 bytes"));
    assert_int_equal(sh_file_read("/nowhere/at/all", &buf, &err), SH_E_NOT_FOUND);
    assert_int_equal(sh_file_replace("/nowhere/at/all", "", 0, 0600, &err), SH_E_NOT_FOUND);
    assert_int_equal(sh_dir_make(path, 0755, &err), SH_E_IO);
    assert_int_equal(sh_dir_make("", 0755, &err), SH_E_ARGUMENT);
    sh_buf_free(&buf);
}

static void folders_are_made_and_removed_whole(void **state)
{
    char deep[128], path[160];
    snprintf(deep, sizeof(deep), "%s/a/b/c", folder);
    snprintf(path, sizeof(path), "%s/link", deep);
    assert_int_equal(sh_dir_make(deep, 0755, NULL), 0);
    assert_int_equal(sh_dir_make(deep, 0755, NULL), 0);
    assert_int_equal(symlink("/", path), 0); /* must not be followed */
    snprintf(deep, sizeof(deep), "%s/a", folder);
    assert_int_equal(sh_dir_remove(deep, NULL), 0);
    assert_int_equal(access(deep, F_OK), -1);
    assert_int_equal(access("/tmp", F_OK), 0);
    assert_int_equal(sh_dir_remove(deep, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_the_whole_with_the_mode_asked),
        cmocka_unit_test(bounds_and_errors_are_said),
        cmocka_unit_test(folders_are_made_and_removed_whole),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
