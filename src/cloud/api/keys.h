/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_KEYS_H
#define SH_API_KEYS_H
/* The root key pair and other randomness of the server. */
#include "cloud/api/cloud.h"

/* Sets cloud->access_key and secret_key: from SPYHOP_ACCESS_KEY_ID and SPYHOP_SECRET_ACCESS_KEY (both or
 * neither), else from DATA/credentials, an AWS credentials file, which is made with new keys, mode 0600, when
 * there is none. */
int sh_keys_load(sh_cloud *cloud, sh_err *err);

#define SH_UUID_TEXT 37
/* A random (version 4) UUID in small letters, NUL-terminated. Ends the process if the system has no
 * randomness: an id that is not unique would corrupt the rows. */
void sh_uuid(char text[SH_UUID_TEXT]);
/* The same form, made of the first 16 bytes given. */
void sh_uuid_from(const unsigned char bytes[16], char text[SH_UUID_TEXT]);

#endif
