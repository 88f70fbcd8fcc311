/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LAMBDA_BOOTSTRAP_H
#define SH_API_LAMBDA_BOOTSTRAP_H
/* The files of lambda/, as the build puts them into the program (script/bytes). */
#include <stddef.h>

extern const unsigned char sh_lambda_bootstrap_mjs[], sh_lambda_bootstrap_py[];
extern const size_t sh_lambda_bootstrap_mjs_size, sh_lambda_bootstrap_py_size;

#endif
