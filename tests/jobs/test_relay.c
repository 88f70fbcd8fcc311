/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/relay.h"
#include "cloud/jobs/netns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 100, SECONDS = 60, BODY = 3 << 20, PIN = 64 };

/* ---- a server: reads to the end, sends back what came ---- */

static unsigned char body_at(size_t i)
{
    return (unsigned char)(i * 31 + (i >> 9));
}

static void serve_plain(int fd)
{
    static char bytes[BODY];
    size_t length = 0;
    ssize_t got;
    while (length < BODY && (got = read(fd, bytes + length, BODY - length)) > 0)
        length += (size_t)got;
    if (read(fd, bytes, 1) != 0) /* not only its bytes pass, its end does too */
        _exit(1);
    for (size_t sent = 0; sent < length; sent += (size_t)got)
        if ((got = write(fd, bytes + sent, length - sent)) <= 0)
            _exit(1);
}

static void serve_tls(int fd, EVP_PKEY *key, X509 *certificate)
{
    static char bytes[BODY + 1];
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *tls = SSL_new(context);
    SSL_use_PrivateKey(tls, key);
    SSL_use_certificate(tls, certificate);
    SSL_set_fd(tls, fd);
    size_t length = 0, got = 0;
    if (SSL_accept(tls) == 1)
        while (SSL_read_ex(tls, bytes + length, BODY + 1 - length, &got) == 1)
            length += got;
    if (length == BODY)
        SSL_write_ex(tls, bytes, length, &got);
    SSL_shutdown(tls);
    SSL_free(tls);
    SSL_CTX_free(context);
}

/* One connection, in a child. certificate: NULL: plain. */
static pid_t start_server(int listener, EVP_PKEY *key, X509 *certificate)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(SECONDS);
        int fd = accept(listener, NULL, NULL);
        if (certificate)
            serve_tls(fd, key, certificate);
        else
            serve_plain(fd);
        close(fd);
        _exit(0);
    }
    return pid;
}

static void make_certificate(EVP_PKEY **key, X509 **certificate, char pin[PIN])
{
    unsigned char *der = NULL, digest[32];
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *c = X509_new();
    assert_non_null(k);
    assert_non_null(c);
    ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
    X509_gmtime_adj(X509_getm_notBefore(c), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600);
    X509_set_pubkey(c, k);
    assert_true(X509_sign(c, k, EVP_sha256()) > 0);
    int length = i2d_PUBKEY(k, &der);
    assert_true(length > 0);
    assert_int_equal(EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
    EVP_EncodeBlock((unsigned char *)pin, digest, sizeof(digest));
    for (char *at = pin; *at; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    pin[strcspn(pin, "=")] = '\0';
    *key = k;
    *certificate = c;
}

/* ---- a relay and a client of it ---- */

typedef struct way_there {
    char folder[64], identity[96];
    sh_child relay;
    int port; /* where the relay's clients connect */
} way_there;

static void write_identity(const way_there *w, const char *scheme, int port, const char *pin)
{
    char next[112];
    snprintf(next, sizeof(next), "%s.next", w->identity);
    FILE *file = fopen(next, "w");
    assert_non_null(file);
    fprintf(file, "{\"server\": \"%s://127.0.0.1:%d\", \"pin\": \"%s\"}", scheme, port, pin);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(next, w->identity), 0);
}

static void begin(way_there *w)
{
    sh_err err = {0};
    int channel = -1, listener = -1;
    snprintf(w->folder, sizeof(w->folder), "/tmp/spyhop-relay-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->identity, sizeof(w->identity), "%s/identity.json", w->folder);
    assert_int_equal(sh_loopback_listen(&listener, &w->port, &err), 0);
    assert_int_equal(sh_relay_start(&w->relay, w->identity, &channel, &err), 0);
    assert_int_equal(sh_relay_listen(channel, listener, &err), 0);
    alarm(SECONDS);
}

static void finish(way_there *w)
{
    alarm(0);
    sh_child_destroy(&w->relay);
    unlink(w->identity);
    assert_int_equal(rmdir(w->folder), 0);
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Bytes that come back of those sent. */
static size_t there_and_back(int port)
{
    static unsigned char bytes[BODY];
    int fd = connect_to(port);
    for (size_t i = 0; i < BODY; i++)
        bytes[i] = body_at(i);
    signal(SIGPIPE, SIG_IGN);
    ssize_t got = 1;
    for (size_t sent = 0; sent < BODY && got > 0; sent += (size_t)(got > 0 ? got : 0))
        got = write(fd, bytes + sent, BODY - sent);
    shutdown(fd, SHUT_WR);
    size_t length = 0;
    memset(bytes, 0, sizeof(bytes));
    while (length < BODY && (got = read(fd, bytes + length, BODY - length)) > 0)
        length += (size_t)got;
    for (size_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], body_at(i));
    close(fd);
    return length;
}

static int ended(pid_t server)
{
    int status = -1;
    assert_int_equal(waitpid(server, &status, 0), server);
    return status;
}

static void carries_both_ways(void **state)
{
    way_there w;
    sh_err err = {0};
    int listener = -1, port = 0;
    (void)state;
    begin(&w);
    assert_int_equal(sh_loopback_listen(&listener, &port, &err), 0);
    write_identity(&w, "http", port, "");
    for (int i = 0; i < 3; i++) {
        pid_t server = start_server(listener, NULL, NULL);
        assert_int_equal(there_and_back(w.port), BODY);
        assert_int_equal(ended(server), 0);
    }
    close(listener);
    finish(&w);
}

/* A server that starts again, at another address: who has connected meanwhile waits for it. */
static void waits_for_a_server(void **state)
{
    way_there w;
    sh_err err = {0};
    int listener = -1, port = 0, gone = 0;
    (void)state;
    begin(&w);
    assert_int_equal(sh_loopback_listen(&listener, &gone, &err), 0);
    close(listener);
    write_identity(&w, "http", gone, "");
    int early = connect_to(w.port);
    assert_int_equal(write(early, "early", 5), 5);
    assert_int_equal(sh_loopback_listen(&listener, &port, &err), 0);
    write_identity(&w, "http", port, "");
    int server = accept(listener, NULL, NULL);
    char answer[6] = "";
    assert_int_equal(read(server, answer, 5), 5);
    assert_string_equal(answer, "early");
    close(server);
    assert_int_equal(read(early, answer, 5), 0);
    close(early);
    close(listener);
    finish(&w);
}

static void only_to_the_pinned_key(void **state)
{
    way_there w;
    sh_err err = {0};
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    char pin[PIN], wrong[PIN];
    int listener = -1, port = 0;
    (void)state;
    begin(&w);
    make_certificate(&key, &certificate, pin);
    snprintf(wrong, sizeof(wrong), "%s", pin);
    wrong[10] = wrong[10] == 'A' ? 'B' : 'A';
    assert_int_equal(sh_loopback_listen(&listener, &port, &err), 0);
    const struct {
        const char *pin;
        size_t back;
    } rows[] = {{pin, BODY}, {wrong, 0}, {"", 0}}; /* no pin: no authority certifies it */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_identity(&w, "https", port, rows[i].pin);
        pid_t server = start_server(listener, key, certificate);
        assert_int_equal(there_and_back(w.port), rows[i].back);
        assert_int_equal(ended(server), 0);
    }
    close(listener);
    X509_free(certificate);
    EVP_PKEY_free(key);
    finish(&w);
}

/* Whoever ends a relay waits for its end: it may not be missed because it has hardly begun. */
static void ended_at_once(void **state)
{
    sh_err err = {0};
    (void)state;
    alarm(SECONDS);
    for (int i = 0; i < TIMES; i++) {
        sh_child relay = SH_CHILD_NONE;
        int channel = -1;
        assert_int_equal(sh_relay_start(&relay, "/nowhere", &channel, &err), 0);
        pid_t pid = relay.pid;
        sh_child_destroy(&relay);
        assert_int_equal(kill(pid, 0), -1);
        close(channel);
    }
    alarm(0);
}

static void addresses(void **state)
{
    static const struct {
        const char *url, *host, *port;
        bool tls;
    } good[] = {
        {"http://127.0.0.1:9000", "127.0.0.1", "9000", false},
        {"https://spyhop.lan", "spyhop.lan", "443", true},
        {"http://spyhop.lan/", "spyhop.lan", "80", false},
        {"https://[::1]:8443/", "::1", "8443", true},
        {"http://[fe80::1]", "fe80::1", "80", false},
    };
    static const char *const bad[] = {"",           "spyhop.lan",    "ftp://a",      "http://",
                                      "http://:80", "http://a:",     "http://a:80x", "http://a:123456",
                                      "http://a/b", "https://[::1]x"};
    sh_server_address address;
    sh_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(sh_server_address_read(&address, good[i].url, &err), 0);
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
        assert_int_equal(address.tls, good[i].tls);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(sh_server_address_read(&address, bad[i], &err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ended_at_once),          cmocka_unit_test(addresses),
        cmocka_unit_test(carries_both_ways),      cmocka_unit_test(waits_for_a_server),
        cmocka_unit_test(only_to_the_pinned_key),
    };
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
