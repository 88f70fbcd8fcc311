/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/relay_link.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { DIGEST = 32, PIN_TEXT = 48, HANDSHAKE_S = 10 };

static SSL_CTX *context; /* of the process: made once, never freed */

static void make_context(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

/* base64url without padding of the SHA-256 of the public key. */
static bool pin_of(const X509 *certificate, char text[PIN_TEXT])
{
    unsigned char *der = NULL, digest[DIGEST];
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool done = length > 0 && EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (!done)
        return false;
    EVP_EncodeBlock((unsigned char *)text, digest, DIGEST);
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    return true;
}

static int check_key(const SSL *tls, const char *pin, sh_err *err)
{
    char text[PIN_TEXT] = "";
    X509 *certificate = SSL_get1_peer_certificate(tls);
    bool same = certificate && pin_of(certificate, text) && strcmp(text, pin) == 0;
    X509_free(certificate);
    return same ? 0
                : sh_fail(err, SH_E_DENIED,
                          "the server holds another key (%s) than the node was registered with", text);
}

static void set_limit(int fd, int seconds)
{
    const struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int shake_hands(sh_link *l, const char *host, const char *pin, sh_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_context);
    l->tls = context ? SSL_new(context) : NULL;
    if (!l->tls || SSL_set_fd(l->tls, l->fd) != 1 || SSL_set_tlsext_host_name(l->tls, host) != 1)
        return sh_fail(err, SH_E_MEMORY, "no memory for a connection with TLS");
    if (!*pin) {
        SSL_set_verify(l->tls, SSL_VERIFY_PEER, NULL);
        SSL_set1_host(l->tls, host);
    }
    set_limit(l->fd, HANDSHAKE_S);
    if (SSL_connect(l->tls) != 1)
        return sh_fail(err, SSL_get_verify_result(l->tls) != X509_V_OK && !*pin ? SH_E_DENIED : SH_E_IO,
                       "no TLS with %s", host);
    set_limit(l->fd, 0);
    return *pin ? check_key(l->tls, pin, err) : 0;
}

int sh_link_open(sh_link *out, int fd, const char *host, const char *pin, sh_err *err)
{
    sh_link l = {.fd = fd};
    int status = host ? shake_hands(&l, host, pin, err) : 0;
    if (status == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        status = sh_fail_errno(err, errno, "cannot prepare a connection");
    if (status < 0)
        sh_link_close(&l);
    else
        *out = l;
    return status;
}

static ssize_t plain(ssize_t got)
{
    if (got >= 0)
        return got;
    return errno == EAGAIN || errno == EINTR ? SH_LINK_LATER : SH_LINK_BROKEN;
}

ssize_t sh_link_read(sh_link *l, char *bytes, size_t size)
{
    if (!l->tls)
        return plain(read(l->fd, bytes, size));
    int got = SSL_read(l->tls, bytes, (int)size);
    int why = got > 0 ? SSL_ERROR_NONE : SSL_get_error(l->tls, got);
    l->read_writes = why == SSL_ERROR_WANT_WRITE;
    if (got > 0)
        return got;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return SH_LINK_LATER;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : SH_LINK_BROKEN;
}

ssize_t sh_link_write(sh_link *l, const char *bytes, size_t length)
{
    if (!l->tls)
        return plain(send(l->fd, bytes, length, MSG_NOSIGNAL));
    int put = SSL_write(l->tls, bytes, (int)length);
    int why = put > 0 ? SSL_ERROR_NONE : SSL_get_error(l->tls, put);
    l->write_reads = why == SSL_ERROR_WANT_READ;
    if (put > 0)
        return put;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? SH_LINK_LATER : SH_LINK_BROKEN;
}

short sh_link_events(const sh_link *l, short wanted)
{
    if (wanted == POLLIN && l->read_writes)
        return POLLIN | POLLOUT;
    if (wanted == POLLOUT && l->write_reads)
        return POLLIN;
    return wanted;
}

bool sh_link_pending(const sh_link *l)
{
    return l->tls && SSL_pending(l->tls) > 0;
}

void sh_link_finish(sh_link *l)
{
    if (l->tls)
        SSL_shutdown(l->tls);
    else
        shutdown(l->fd, SHUT_WR);
}

void sh_link_close(sh_link *l)
{
    SSL_free(l->tls);
    if (l->fd >= 0)
        close(l->fd);
    *l = (sh_link){.fd = -1};
}
