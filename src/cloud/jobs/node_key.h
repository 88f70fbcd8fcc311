/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_NODE_KEY_H
#define SH_JOBS_NODE_KEY_H
/* A node's private key, Ed25519, in a file of mode 0600 (PEM, PKCS #8). */
#include "base/err.h"
#include <openssl/evp.h>
#include <stdbool.h>

/* make: a new one where there is no file. EVP_PKEY_free */
int sh_node_key_load(EVP_PKEY **out, const char *path, bool make, sh_err *err);

#endif
