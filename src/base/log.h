/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_LOG_H
#define SH_BASE_LOG_H
/* One process-wide log callback. The default writes "level area: message" lines to stderr. Secrets are never
 * logged: that is the caller's duty. Thread-safe. */
#include <stdarg.h>

enum { SH_LOG_ERROR = 0, SH_LOG_WARNING = 1, SH_LOG_INFO = 2, SH_LOG_DEBUG = 3 };

typedef void (*sh_log_fn)(void *opaque, int level, const char *area, const char *message);

void sh_log_set(sh_log_fn fn, void *opaque); /* NULL: the default. Call before threads start */
void sh_log_level(int level);                /* default SH_LOG_INFO */
void sh_log(int level, const char *area, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
