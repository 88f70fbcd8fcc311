/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the interpreter asks of the world: randomness and digests. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/states.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

void sh_world_random(void *opaque, void *bytes, size_t length)
{
    if (RAND_bytes(bytes, (int)length) != 1) {
        sh_log(SH_LOG_ERROR, "states", "the system gives no randomness");
        abort();
    }
}

size_t sh_world_hash(void *opaque, const char *algorithm, const void *bytes, size_t length,
                     unsigned char digest[64])
{
    static const char *const known[] = {"MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"};
    static const char *const names[] = {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"};
    unsigned size = 0;
    for (size_t i = 0; i < SH_COUNT(known); i++) {
        if (strcmp(algorithm, known[i]) == 0 &&
            EVP_Digest(bytes, length, digest, &size, EVP_get_digestbyname(names[i]), NULL) == 1)
            return size;
    }
    return 0;
}
