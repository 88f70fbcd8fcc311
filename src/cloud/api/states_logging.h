/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_LOGGING_H
#define SH_API_STATES_LOGGING_H
#include "cloud/api/cloud.h"

typedef enum sh_logging_level {
    SH_LOGGING_OFF,
    SH_LOGGING_FATAL,
    SH_LOGGING_ERROR,
    SH_LOGGING_ALL
} sh_logging_level;

/* A loggingConfiguration, read. */
typedef struct sh_logging {
    sh_logging_level level;
    bool data;         /* includeExecutionData */
    const char *group; /* NULL: OFF */
} sh_logging;

/* text: the configuration as it is kept, NULL: none. Strings go into the arena. */
int sh_logging_read(sh_logging *out, const char *text, sh_arena *arena, sh_err *err);

/* Whose events are written. */
typedef struct sh_logged {
    const sh_logging *logging;
    const char *machine; /* name */
    const char *arn;     /* of the execution */
    int64_t started_ms, redrives;
} sh_logged;

/* Writes the events of `history` (an array as flow.h gives it) that the level asks for. In the caller's
 * transaction. */
int sh_states_log(sh_cloud *cloud, const sh_logged *logged, const json_t *history, sh_err *err);

#endif
