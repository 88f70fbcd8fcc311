/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_ERR_H
#define SH_BASE_ERR_H
/* Errors as values. A function that can fail returns 0 or a negative SH_E_* code and, where its caller gave a
 * non-NULL sh_err, leaves there a message that says what is wrong, where, and what to do. The codes have the
 * same values as spyhop_status, so a code passes through the public interface unchanged. */

enum {
    SH_OK = 0,
    SH_E_ARGUMENT = -1,    /* the caller's own mistake: a value out of its documented range */
    SH_E_MEMORY = -2,      /* an allocation failed or a declared maximum was reached */
    SH_E_IO = -3,          /* the operating system refused: message ends with strerror */
    SH_E_FORMAT = -4,      /* bytes from outside do not follow their format */
    SH_E_UNSUPPORTED = -5, /* well formed, but not something this version does */
    SH_E_LIMIT = -6,       /* well formed, but larger than a documented limit */
    SH_E_INTERNAL = -7,    /* a bug here */
    SH_E_NOT_FOUND = -8,
    SH_E_CONFLICT = -9, /* exists already, or changed in between */
    SH_E_FULL = -10,    /* no space left on the device */
    SH_E_CANCELLED = -11,
    SH_E_DENIED = -12, /* the caller may not do this */
};

typedef struct sh_err {
    int status;        /* SH_E_*, 0 when unset */
    char message[512]; /* one line, UTF-8, no trailing newline or full stop */
} sh_err;

/* Sets *err (err may be NULL) and returns `status`, so that `return sh_fail(err, SH_E_FORMAT, "…", …)` works.
 */
int sh_fail(sh_err *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* As sh_fail, status and suffix from errno value `error`: ENOSPC/EDQUOT -> SH_E_FULL, ENOENT ->
 * SH_E_NOT_FOUND, ENOMEM -> SH_E_MEMORY, else SH_E_IO. The message is "<text>: <strerror>". */
int sh_fail_errno(sh_err *err, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Puts "<text>: " before the message that is already in *err. Returns err->status (SH_E_INTERNAL if err is
 * NULL). */
int sh_err_prefix(sh_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Makes `text` UTF-8 where it stands: a byte that is not becomes '?', and a character cut short by the end of
 * the text goes. The functions above do so with their messages, which may quote anything. */
void sh_text_mend(char *text);
/* A short English name of a status ("no space left"). Never NULL. */
const char *sh_status_name(int status);

#endif
