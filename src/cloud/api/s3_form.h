/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_FORM_H
#define SH_API_S3_FORM_H
/* PostObject: an upload by a browser's form. */
#include "cloud/api/s3.h"

struct sh_s3_form;
void sh_s3_form_end(struct sh_s3_form *form); /* NULL is fine */

#endif
