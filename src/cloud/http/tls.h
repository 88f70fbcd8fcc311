/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_TLS_H
#define SH_HTTP_TLS_H
/* The certificate chain and key that TLS connections are made with. There is one pair a process, because
 * libmicrohttpd asks for it without saying for which server; it can be replaced at any time, and connections
 * that stand are not touched. */
#include "base/err.h"
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#define SH_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Reads both PEM files and makes them the pair of all handshakes from now on. The chain begins with the
 * server's own certificate. On failure (a file that cannot be read, that is no PEM, a key of another
 * certificate) the pair of before stays. */
int sh_tls_load(const char *certificate_path, const char *key_path, sh_err *err);
/* base64url (43 characters, no padding) of the SHA-256 of the public key of the pair in use, as clients pin
 * it;
 * "" when there is none. */
#define SH_TLS_PIN_TEXT 44
void sh_tls_pin(char *text);
void sh_tls_unload(void); /* once no server uses it */

/* For libmicrohttpd: a gnutls_certificate_retrieve_function2. */
int sh_tls_pair_for(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                    unsigned *chain_length, gnutls_privkey_t *key);

#endif
