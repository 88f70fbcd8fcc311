/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_SETTINGS_H
#define SH_STORE_SETTINGS_H
/* Named values that belong to the data folder as a whole. */
#include "base/buf.h"
#include "cloud/store/db.h"

int sh_settings_set(sh_db *db, const char *name, const char *value, sh_err *err);
/* Appends the value to *value. SH_E_NOT_FOUND when there is none. */
int sh_settings_get(sh_db *db, const char *name, sh_buf *value, sh_err *err);

#endif
