/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/chunked.h"
#include "base/buf.h"
#include "cloud/http/digest.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 1024, TRAILERS_MAX = 16 };

typedef enum place { IN_SIZE, IN_DATA, IN_DATA_CR, IN_DATA_LF, IN_TRAILER, IN_END } place;

typedef struct trailer {
    char *name;
    char *value;
} trailer;

struct sh_chunked {
    sh_chunk_fn fn;
    void *opaque;
    bool is_signed;
    bool trailer_due; /* a signed trailer must come */
    unsigned char key[32];
    char previous[65]; /* signature before this chunk's */
    char claimed[65];  /* of this chunk */
    char stamp[17];
    char *scope;
    place place;
    sh_buf line;
    uint64_t left; /* bytes of this chunk still to come */
    bool last;     /* this chunk is the one of size 0 */
    int64_t total;
    sh_digest *digest; /* of this chunk's bytes */
    trailer trailers[TRAILERS_MAX];
    size_t trailer_count;
};

static int new_digest(sh_chunked *c, sh_err *err)
{
    sh_digest_free(c->digest);
    c->digest = NULL;
    return sh_digest_new(&c->digest, SH_DIGEST_SHA256, err);
}

int sh_chunked_new(sh_chunked **out, const sh_sigv4 *claim, sh_chunk_fn fn, void *opaque, sh_err *err)
{
    sh_chunked *c = calloc(1, sizeof(*c));
    if (!c)
        return sh_fail(err, SH_E_MEMORY, "no memory for a chunked body");
    c->fn = fn;
    c->opaque = opaque;
    c->is_signed = claim->payload_kind != SH_PAYLOAD_UNSIGNED_TRAILER;
    c->trailer_due = claim->payload_kind == SH_PAYLOAD_CHUNKS_TRAILER;
    memcpy(c->key, claim->key, sizeof(c->key));
    snprintf(c->previous, sizeof(c->previous), "%s", claim->signature);
    snprintf(c->stamp, sizeof(c->stamp), "%s", claim->stamp);
    sh_buf_init(&c->line, LINE_MAX_BYTES);
    if (asprintf(&c->scope, "%s/%s/%s/aws4_request", claim->date, claim->region, claim->service) < 0) {
        c->scope = NULL;
        sh_chunked_free(c);
        return sh_fail(err, SH_E_MEMORY, "no memory for a chunked body");
    }
    *out = c;
    return 0;
}

void sh_chunked_free(sh_chunked *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->trailer_count; i++) {
        free(c->trailers[i].name);
        free(c->trailers[i].value);
    }
    sh_digest_free(c->digest);
    sh_buf_free(&c->line);
    free(c->scope);
    OPENSSL_cleanse(c->key, sizeof(c->key));
    free(c);
}

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Compares `claimed` with the next signature of the chain and moves on. hashes: the last line or lines of the
 * string to sign. */
static int check_link(sh_chunked *c, const char *kind, const char *hashes, const char *claimed, sh_err *err)
{
    char expected[65];
    char *text = NULL;
    int length =
        asprintf(&text, "AWS4-HMAC-SHA256-%s\n%s\n%s\n%s\n%s", kind, c->stamp, c->scope, c->previous, hashes);
    if (length < 0)
        return sh_fail(err, SH_E_MEMORY, "no memory for a signature");
    bool made = sh_sigv4_sign(c->key, text, (size_t)length, expected);
    free(text);
    if (!made)
        return sh_fail(err, SH_E_MEMORY, "no memory for a signature");
    if (strlen(claimed) != 64 || CRYPTO_memcmp(expected, claimed, 64) != 0)
        return sh_fail(err, SH_E_CONFLICT, "the signature of a %s does not match",
                       strcmp(kind, "PAYLOAD") == 0 ? "chunk" : "trailer");
    memcpy(c->previous, expected, sizeof(expected));
    return 0;
}

static int end_chunk(sh_chunked *c, sh_err *err)
{
    unsigned char hash[SH_DIGEST_BYTES];
    char hex[65], hashes[160];
    if (!c->is_signed)
        return 0;
    if (sh_digest_final(c->digest, SH_DIGEST_SHA256, hash) != 32)
        return sh_fail(err, SH_E_MEMORY, "no memory for a digest");
    sh_hex(hash, 32, hex);
    snprintf(hashes, sizeof(hashes), EMPTY_SHA256 "\n%s", hex);
    return check_link(c, "PAYLOAD", hashes, c->claimed, err);
}

static int read_size(sh_chunked *c, sh_err *err)
{
    static const char mark[] = ";chunk-signature=";
    const char *line = sh_buf_cstr(&c->line);
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 15)
        return sh_fail(err, SH_E_FORMAT, "aws-chunked: a chunk does not begin with its size in hex");
    c->left = strtoull(line, NULL, 16);
    c->last = c->left == 0;
    c->claimed[0] = '\0';
    if (strncmp(line + digits, mark, sizeof(mark) - 1) == 0)
        snprintf(c->claimed, sizeof(c->claimed), "%s", line + digits + sizeof(mark) - 1);
    else if (c->is_signed || (line[digits] && line[digits] != ';'))
        return sh_fail(err, SH_E_FORMAT, "aws-chunked: a chunk has no chunk-signature");
    int status = c->is_signed ? new_digest(c, err) : 0;
    if (status == 0 && c->last)
        status = end_chunk(c, err);
    c->place = c->last ? IN_TRAILER : IN_DATA;
    return status;
}

static int check_trailer(sh_chunked *c, const char *claimed, sh_err *err)
{
    sh_buf text;
    unsigned char hash[SH_DIGEST_BYTES];
    char hex[65];
    sh_buf_init(&text, 64 * 1024);
    for (size_t i = 0; i < c->trailer_count; i++)
        sh_buf_printf(&text, "%s:%s\n", c->trailers[i].name, c->trailers[i].value);
    size_t got = sh_digest_once(SH_DIGEST_SHA256, sh_buf_cstr(&text), text.length, hash);
    sh_buf_free(&text);
    if (got != 32)
        return sh_fail(err, SH_E_MEMORY, "no memory for a digest");
    sh_hex(hash, 32, hex);
    return check_link(c, "TRAILER", hex, claimed, err);
}

static int read_trailer(sh_chunked *c, sh_err *err)
{
    char *line = c->line.data;
    if (c->line.length == 0) {
        c->place = IN_END;
        return 0;
    }
    char *colon = strchr(line, ':');
    if (!colon || c->trailer_count == TRAILERS_MAX)
        return sh_fail(err, SH_E_FORMAT,
                       "aws-chunked: a trailer line is not name:value, or there are too many");
    *colon++ = '\0';
    colon += strspn(colon, " \t");
    if (strcasecmp(line, "x-amz-trailer-signature") == 0) {
        c->trailer_due = false;
        return c->is_signed ? check_trailer(c, colon, err) : 0;
    }
    trailer *t = &c->trailers[c->trailer_count];
    t->name = strdup(line);
    t->value = strdup(colon);
    c->trailer_count++;
    return t->name && t->value ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a trailer");
}

/* Takes bytes up to and with "\n" into the line; true when the line is complete (without its "\r\n"). */
static bool take_line(sh_chunked *c, const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    sh_buf_append(&c->line, *at, (size_t)((newline ? newline : end) - *at));
    *at = newline ? newline + 1 : end;
    if (newline && c->line.length > 0 && c->line.data[c->line.length - 1] == '\r')
        c->line.data[--c->line.length] = '\0';
    return newline != NULL;
}

static int push_line(sh_chunked *c, const char **at, const char *end, sh_err *err)
{
    int status = 0;
    bool complete = take_line(c, at, end);
    if (c->line.failed || (c->line.data && strlen(c->line.data) != c->line.length))
        return sh_fail(err, SH_E_FORMAT, "aws-chunked: a line is longer than %d bytes or has a NUL",
                       LINE_MAX_BYTES);
    if (!complete)
        return 0;
    if (sh_buf_reserve(&c->line, 1) < 0)
        return sh_fail(err, SH_E_MEMORY, "no memory for a chunked body");
    status = c->place == IN_SIZE ? read_size(c, err) : read_trailer(c, err);
    sh_buf_clear(&c->line);
    return status;
}

static int push_data(sh_chunked *c, const char **at, const char *end, sh_err *err)
{
    size_t length = (size_t)(end - *at);
    if (length > c->left)
        length = (size_t)c->left;
    if (c->is_signed)
        sh_digest_update(c->digest, *at, length);
    int status = c->fn(c->opaque, *at, length);
    if (status < 0)
        return status;
    c->total += (int64_t)length;
    *at += length;
    c->left -= length;
    if (c->left > 0)
        return 0;
    c->place = IN_DATA_CR;
    return end_chunk(c, err);
}

int sh_chunked_push(sh_chunked *c, const void *bytes, size_t length, sh_err *err)
{
    const char *at = bytes, *end = at + length;
    int status = 0;
    while (status == 0 && at < end) {
        if (c->place == IN_SIZE || c->place == IN_TRAILER) {
            status = push_line(c, &at, end, err);
        } else if (c->place == IN_DATA) {
            status = push_data(c, &at, end, err);
        } else if (c->place == IN_END) {
            status = sh_fail(err, SH_E_FORMAT, "aws-chunked: bytes after the last chunk");
        } else {
            bool cr = c->place == IN_DATA_CR;
            if (*at++ != (cr ? '\r' : '\n'))
                status = sh_fail(err, SH_E_FORMAT, "aws-chunked: no line end after a chunk");
            c->place = cr ? IN_DATA_LF : IN_SIZE;
        }
    }
    return status;
}

int sh_chunked_finish(const sh_chunked *c, sh_err *err)
{
    if (c->trailer_due)
        return sh_fail(err, SH_E_FORMAT, "aws-chunked: x-amz-trailer-signature is missing");
    /* Some clients leave out the empty line after the last chunk when there are no trailers. */
    if (c->place == IN_END || (c->place == IN_TRAILER && c->line.length == 0))
        return 0;
    return sh_fail(err, SH_E_FORMAT, "aws-chunked: the body ends before its last chunk");
}

const char *sh_chunked_trailer(const sh_chunked *c, const char *name)
{
    for (size_t i = 0; i < c->trailer_count; i++)
        if (strcasecmp(c->trailers[i].name, name) == 0)
            return c->trailers[i].value;
    return NULL;
}

int64_t sh_chunked_total(const sh_chunked *c)
{
    return c->total;
}
