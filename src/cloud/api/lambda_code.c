/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The code of functions: DATA/functions/NAME/SHA256, unpacked and never written again. It appears there by a
 * rename, so that a folder of that name is whole. What no version names any more goes at the next start, when
 * no worker can be reading it. */
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/front.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda_inner.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/http/digest.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNZIP_FAILED "Could not unzip uploaded file. Please check your file, then try to upload again. (%s)"

typedef struct archive_bytes {
    void *bytes; /* owned */
    size_t length;
} archive_bytes;

const char *sh_fn_folder(const sh_cloud *cloud, sh_arena *arena, const char *name, const char *folder)
{
    return sh_arena_printf(arena, "%s/functions/%s/%s", cloud->settings.data, name, folder ? folder : "");
}

/* ---- where it comes from ---- */

static int take_inline(sh_call *call, const json_t *zip, archive_bytes *out)
{
    size_t length = json_string_length(zip);
    if (length / 4 * 3 > SH_FN_ZIPPED_MAX)
        return sh_call_fail(call, 413, "RequestEntityTooLargeException",
                            "Request must be smaller than 70167211 bytes for the CreateFunction operation");
    out->bytes = malloc(length / 4 * 3 + 3);
    int got =
        out->bytes ? sh_base64_decode(json_string_value(zip), length, out->bytes, length / 4 * 3 + 3) : -1;
    if (got < 0)
        return sh_call_fail(call, 400, "SerializationException", "ZipFile is not base64");
    out->length = (size_t)got;
    return 0;
}

static int read_whole(int fd, archive_bytes *out)
{
    size_t done = 0;
    while (done < out->length) {
        ssize_t got = pread(fd, (char *)out->bytes + done, out->length - done, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return SH_E_IO;
        done += (size_t)got;
    }
    return 0;
}

static int read_object(sh_call *call, const char *bucket, const char *key, const char *version,
                       archive_bytes *out)
{
    int fd;
    sh_object object;
    sh_err err = {0};
    sh_objects objects = sh_cloud_objects(call->cloud);
    int status = sh_object_open_version(&objects, bucket, key, version, call->arena, &object, &fd, &err);
    if (status == SH_E_NOT_FOUND || (status == 0 && fd < 0))
        return sh_fn_bad(call,
                         "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The "
                         "specified key does not exist.");
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (object.size > SH_FN_UNZIPPED_MAX) {
        close(fd);
        return sh_fn_bad(call, "Zipped size must be smaller than %d bytes", SH_FN_UNZIPPED_MAX);
    }
    out->length = (size_t)object.size;
    out->bytes = malloc(out->length + 1);
    status = out->bytes ? read_whole(fd, out) : SH_E_MEMORY;
    close(fd);
    return status < 0 ? sh_call_fail(call, 500, "ServiceException", "the archive cannot be read") : 0;
}

/* Under the caller's own permissions, as on AWS. */
static int take_object(sh_call *call, const json_t *code, archive_bytes *out)
{
    sh_err err = {0};
    const char *sentence = "", *bucket = json_string_value(json_object_get(code, "S3Bucket"));
    const char *key = json_string_value(json_object_get(code, "S3Key"));
    const char *version = json_string_value(json_object_get(code, "S3ObjectVersion"));
    if (!bucket || !key)
        return sh_fn_bad(call, "Please provide a source for function code.");
    int status = sh_s3_permit(call->cloud, call->caller, version ? "s3:GetObjectVersion" : "s3:GetObject",
                              bucket, key, call->arena, &sentence, &err);
    if (status == SH_E_DENIED)
        return sh_call_fail(call, 403, "AccessDeniedException",
                            "Your access has been denied by S3, please make sure your request credentials "
                            "have permission to GetObject for %s/%s. S3 Error Code: AccessDenied. S3 Error "
                            "Message: %s",
                            bucket, key, sentence);
    if (status == SH_E_NOT_FOUND)
        return sh_fn_bad(call,
                         "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The "
                         "specified bucket does not exist");
    return status < 0 ? sh_call_fail_internal(call, &err) : read_object(call, bucket, key, version, out);
}

/* ---- into its folder ---- */

static int place(sh_call *call, const char *name, const char *folder, const archive_bytes *zip, sh_err *err)
{
    char id[SH_UUID_TEXT];
    struct stat there;
    int64_t total;
    sh_uuid(id);
    const char *final = sh_fn_folder(call->cloud, call->arena, name, folder);
    const char *tmp =
        sh_arena_printf(call->arena, "%s/functions/%s/.%s", call->cloud->settings.data, name, id);
    if (!final || !tmp)
        return sh_fail(err, SH_E_MEMORY, "no memory for a name");
    if (stat(final, &there) == 0)
        return 0;
    int status = sh_fn_unpack(zip->bytes, zip->length, tmp, &total, err);
    if (status == 0 && rename(tmp, final) != 0 && errno != ENOTEMPTY && errno != EEXIST)
        status = sh_fail_errno(err, errno, "cannot rename %s", tmp);
    if (status == 0)
        status = sh_dir_sync(sh_fn_folder(call->cloud, call->arena, name, ""), err);
    sh_err ignored = {0};
    sh_dir_remove(tmp, &ignored);
    return status;
}

static int keep_code(sh_call *call, const char *name, const archive_bytes *zip, json_t *body, bool keep)
{
    unsigned char hash[SH_DIGEST_BYTES];
    char folder[65], text[48];
    sh_err err = {0};
    if (sh_digest_once(SH_DIGEST_SHA256, zip->bytes, zip->length, hash) != 32)
        return sh_call_fail(call, 500, "ServiceException", "no memory for a digest");
    sh_hex(hash, 32, folder);
    sh_base64(hash, 32, text);
    int status = keep ? place(call, name, folder, zip, &err) : 0;
    if (status == SH_E_FORMAT)
        return sh_fn_bad(call, UNZIP_FAILED, err.message);
    if (status == SH_E_LIMIT)
        return sh_fn_bad(call, "%s", err.message);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    json_object_set_new(body, "Folder", json_string(folder));
    json_object_set_new(body, "CodeSha256", json_string(text));
    json_object_set_new(body, "CodeSize", json_integer((json_int_t)zip->length));
    return 0;
}

int sh_fn_read_code(sh_call *call, const json_t *code, const char *name, json_t *body, bool keep)
{
    archive_bytes zip = {0};
    const json_t *bytes = json_object_get(code, "ZipFile");
    if (json_object_get(code, "ImageUri"))
        return sh_fn_bad(call, "Images are not supported by this server: give a zip archive");
    int status = json_is_string(bytes) ? take_inline(call, bytes, &zip) : take_object(call, code, &zip);
    if (status == 0)
        status = keep_code(call, name, &zip, body, keep);
    free(zip.bytes);
    return status;
}

/* ---- what is not needed ---- */

typedef struct sweep {
    const char *folder;
    bool named;
} sweep;

static int look(void *opaque, const sh_fn_part *part)
{
    sweep *s = opaque;
    s->named |= strstr(part->body, s->folder) != NULL;
    return s->named;
}

static void sweep_function(sh_cloud *cloud, const char *path, const char *name)
{
    struct dirent *entry;
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        char inner[PATH_MAX];
        sh_err err = {0};
        sweep s = {.folder = entry->d_name};
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (size_t)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >= sizeof(inner))
            continue;
        if (sh_fn_parts(cloud->db, SH_FN_VERSION, name, -1, "", INT64_MAX, look, &s, &err) == 0 && !s.named)
            sh_dir_remove(inner, &err);
    }
    if (folder)
        closedir(folder);
    rmdir(path); /* when it is empty */
}

void sh_fn_sweep(sh_cloud *cloud)
{
    char path[PATH_MAX], inner[PATH_MAX];
    struct dirent *entry;
    snprintf(path, sizeof(path), "%s/functions", cloud->settings.data);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.' &&
            (size_t)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) < sizeof(inner))
            sweep_function(cloud, inner, entry->d_name);
    }
    if (folder)
        closedir(folder);
}
