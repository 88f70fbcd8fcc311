/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_H
#define SH_API_S3_H
/* One S3 request, shared by the files s3*.c. front.c has authenticated it; s3.c finds its row in the table of
 * operations by method, level (service, bucket, object) and subresource. An operation whose body is an object
 * has a begin() before it (s3_receive.c takes the body into a staged file); every operation ends in its
 * run(). */
#include "base/buf.h"
#include "cloud/api/caller.h"
#include "cloud/api/front.h"
#include "cloud/api/s3_target.h"
#include "cloud/http/server.h"
#include "cloud/http/sigv4.h"
#include "cloud/http/xml.h"
#include "cloud/store/multipart.h"
#include "cloud/store/objects.h"

enum { SH_S3_BODY_MAX = 8 << 20, SH_S3_ANSWER_MAX = 32 << 20 };
#define SH_S3_OBJECT_MAX ((int64_t)5 << 30) /* of one PUT or part */
#define SH_S3_MALFORMED                                                                                      \
    "The XML you provided was not well-formed or did not validate against our published schema"
#define SH_S3_XMLNS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

typedef struct sh_s3 sh_s3;

typedef struct sh_s3_operation {
    const char *method;
    char level;               /* 's' service, 'b' bucket, 'o' object */
    const char *subresource;  /* query parameter that selects it, or NULL */
    const char *name;         /* as in IAM: "PutObject" */
    void (*run)(sh_s3 *s3);   /* body complete; must answer */
    void (*begin)(sh_s3 *s3); /* head complete; may answer. NULL: the body is kept for run() */
} sh_s3_operation;

/* Which checksum of a body is kept with it, and which ones its sender may or must bring (SH_DIGEST_*). */
typedef struct sh_s3_checksum_rule {
    unsigned keep; /* 0: the one the request brings, CRC64NVME when it brings none */
    bool only;     /* the request may bring no other than `keep` */
    bool demanded; /* and has to bring it */
} sh_s3_checksum_rule;

/* A body on its way into a staged file, or into memory when it is short. */
typedef struct sh_s3_receiver {
    int fd; /* -1: none */
    char *path;
    char *bytes;          /* `expected` bytes in the arena; NULL: it goes into the file */
    int64_t size;         /* received */
    int64_t expected;     /* announced */
    const char *etag;     /* MD5 in hex, once complete */
    const char *checksum; /* "crc32=…": the one that is kept */
    const char *brought;  /* the same of the one that the request brought; NULL: none */
    unsigned algorithm;   /* SH_DIGEST_* of `checksum` */
    unsigned claimed;     /* SH_DIGEST_* of `brought`, 0: none */
    struct sh_digest *digest;
    struct sh_chunked *chunked;
    struct sh_hasher *hasher; /* of a long body; NULL: none */
    bool alone;               /* there was none to be had */
    int64_t flowing;          /* bytes on their way to the disk */
} sh_s3_receiver;

enum { SH_S3_DETAILS_MAX = 6 };
typedef struct sh_s3_detail {
    const char *name;
    const char *value;
} sh_s3_detail;

struct sh_s3 {
    sh_cloud *cloud;
    sh_objects objects;
    sh_http_request *http;
    const sh_http_head *head;
    sh_arena *arena;
    const sh_sigv4 *claim;               /* checked; version 0: nobody signed */
    const sh_caller *caller;             /* arn NULL: anonymous */
    const struct sh_bucket_rules *rules; /* s3_rules.h: looked up once, by sh_s3_rules */
    const sh_s3_operation *operation;    /* NULL: answered already */
    const char *bucket;                  /* decoded; NULL: service level */
    const char *key;                     /* decoded; NULL: bucket level */
    const char *body;                    /* of operations that do not stream */
    size_t body_length;
    sh_s3_receiver receiver;
    struct sh_s3_form *form;                 /* of PostObject */
    sh_s3_detail details[SH_S3_DETAILS_MAX]; /* of the error that is to be answered: sh_s3_about */
    size_t detail_count;
};

/* Called by front.c. *out is in the request's arena and valid until sh_s3_end. */
void sh_s3_begin(sh_s3 **out, sh_cloud *cloud, sh_http_request *http, const sh_s3_target *target,
                 const sh_sigv4 *claim, const sh_caller *caller);
void sh_s3_finish(sh_s3 *s3);
void sh_s3_end(sh_s3 *s3);
/* An S3 error before there is an sh_s3: signature faults. */
void sh_s3_refuse(sh_http_request *http, int status, const char *code, const char *message,
                  const char *extra_name, const char *extra_value);
/* The same with any number of elements beside code and message; those whose value is NULL are left out. */
void sh_s3_refuse_with(sh_http_request *http, int status, const char *code, const char *message,
                       const sh_s3_detail *details, size_t count);
/* As sh_s3_fail, with elements of its own. */
void sh_s3_fail_with(sh_s3 *s3, int status, const char *code, const sh_s3_detail *details, size_t count,
                     const char *format, ...) __attribute__((format(printf, 6, 7)));

/* ---- s3_answer.c ---- */
/* Error with code, printf-style message, and what it is about (bucket, key). */
void sh_s3_fail(sh_s3 *s3, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A field of the error that is answered next, as <ArgumentName>; the strings are borrowed until then. */
void sh_s3_about(sh_s3 *s3, const char *name, const char *value);
/* 400 InvalidArgument with <ArgumentName> and <ArgumentValue>. */
void sh_s3_fail_argument(sh_s3 *s3, const char *name, const char *value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* 501 NotImplemented with the name of the header that asks for it. */
void sh_s3_fail_header(sh_s3 *s3, const char *name);
/* The answer to a failure of the store: NoSuchBucket, NoSuchKey, a full disk, else InternalError. */
void sh_s3_fail_store(sh_s3 *s3, const sh_err *err);
void sh_s3_fail_not_found(sh_s3 *s3); /* NoSuchBucket or NoSuchKey, whichever it is */
/* Answers 200 with a document made in `out` (freed here); a failed buffer is an InternalError. */
void sh_s3_answer_xml(sh_s3 *s3, sh_buf *out);
void sh_s3_answer_empty(sh_s3 *s3, int status);
/* Content-Type is the caller's. */
void sh_s3_answer_bytes(sh_s3 *s3, int status, const void *bytes, size_t length);
void sh_s3_begin_xml(sh_buf *out, const char *root);                     /* declaration, <root xmlns=…> */
void sh_s3_field_quoted(sh_s3 *s3, const char *name, const char *value); /* name: "value" */
void sh_s3_put_time(sh_buf *out, const char *name, int64_t ms);
void sh_s3_put_etag(sh_buf *out, const char *etag);
void sh_s3_put_owner(sh_buf *out, const sh_s3 *s3, const char *name);

/* True when the bucket is there; else answers. */
bool sh_s3_need_bucket(sh_s3 *s3, sh_bucket *bucket);
/* Parses the body; NULL after having answered MalformedXML. root: name the document must have. */
const sh_xml *sh_s3_need_xml(sh_s3 *s3, const char *root);
/* A decimal query parameter; false after having answered InvalidArgument. Absent: `otherwise`. */
bool sh_s3_int_param(sh_s3 *s3, const char *name, int64_t min, int64_t max, int64_t otherwise, int64_t *out);

/* ---- s3_receive.c ---- */
/* Takes the request's body: stages a file and sets the sink, or answers. */
void sh_s3_receive_begin(sh_s3 *s3, sh_s3_checksum_rule rule);
/* For bytes that are a part of the body (the file of a form): stages a file for at most `most` bytes, takes a
 * piece. False after having answered. The end of it sets receiver.expected to what came. */
bool sh_s3_receive_open(sh_s3 *s3, int64_t most);
bool sh_s3_receive_bytes(sh_s3 *s3, const void *bytes, size_t length);
/* The body is complete: checks length, signature, MD5 and checksums. False after having answered. */
bool sh_s3_receive_finish(sh_s3 *s3);
/* Takes bytes offset..offset+length of fd instead of a body. False after having answered. */
bool sh_s3_receive_copy(sh_s3 *s3, int fd, int64_t offset, int64_t length, unsigned wanted);
void sh_s3_receive_end(sh_s3 *s3); /* removes what was not published */

/* ---- s3_checksum.c ---- */
/* Checks a body in memory against the request's hash, MD5 and checksum fields. False after having answered.
 */
bool sh_s3_check_body(sh_s3 *s3);
/* "crc32=<base64>" as the field x-amz-checksum-crc32, with its type. NULL is fine. */
void sh_s3_checksum_field(sh_s3 *s3, const char *checksum);
void sh_s3_checksum_value(sh_s3 *s3, const char *checksum); /* without the type */
void sh_s3_put_checksum(sh_buf *out, const char *checksum); /* as <ChecksumCRC32> */
void sh_s3_put_checksum_typed(sh_buf *out, const char *checksum);
unsigned sh_s3_digest_of(const char *algorithm);         /* "crc32", any case; 0: unknown */
unsigned sh_s3_digest_of_checksum(const char *checksum); /* of "crc32=…" or "crc32 composite"; 0: none */
const char *sh_s3_digest_name(unsigned one);             /* "crc32" */
const char *sh_s3_digest_said(unsigned one);             /* "CRC32" */
/* x-amz-checksum-algorithm, 0 without it. False after having answered. */
bool sh_s3_asked_algorithm(sh_s3 *s3, unsigned *out);

/* ---- s3_hoist.c ---- */
/* The head with the fields that a presigned query carries; NULL: no memory. */
const sh_http_head *sh_s3_hoist(const sh_http_head *head, const sh_sigv4 *claim, sh_arena *arena);

/* ---- s3_read.c ---- */
/* Answers GetObject or HeadObject with the object that was found. `bytes`, or fd: its file, closed here;
 * neither: HEAD. */
void sh_s3_answer_object(sh_s3 *s3, const sh_object *object, int fd, const void *bytes);

/* ---- s3_meta.c ---- */
/* JSON object of the fields that belong to the object (Cache-Control, x-amz-meta-* …), in the arena; NULL
 * after having answered. */
const char *sh_s3_meta_json(sh_s3 *s3);
/* Fields that ask for what is not there (encryption keys, locks …) are refused by name. False after having
 * answered. */
bool sh_s3_meta_supported(sh_s3 *s3);
/* What the head says of a new object besides its bytes: type, headers, storage class, tags; and its
 * condition, which sh_s3_write_conditions has checked. False after having answered. */
bool sh_s3_draft(sh_s3 *s3, sh_object_new *out);
/* x-amz-server-side-encryption of an object with these headers, where its writer asked for it. */
void sh_s3_encryption_field(sh_s3 *s3, const char *headers);
/* Headers of a copy: the source's, with those that are not copied as asked. NULL after having answered. */
const char *sh_s3_meta_copied(sh_s3 *s3, const char *source, const char *asked);
/* Fields of the answer for an object; `overrides`: response-content-type and the like apply. */
void sh_s3_meta_fields(sh_s3 *s3, const sh_object *object, bool overrides);

/* ---- s3_multipart.c ---- */
/* The checksum of the whole upload is one of its bytes, not of its parts' digests. */
bool sh_s3_upload_full(const sh_upload *upload);
void sh_s3_no_such_upload(sh_s3 *s3);
/* The upload that the request names, or false after having answered. */
bool sh_s3_need_upload(sh_s3 *s3, sh_upload *upload);
/* Part number and upload of the request, or false after having answered. */
bool sh_s3_need_part(sh_s3 *s3, int64_t *number, sh_upload *upload);
/* Stores the received file as that part; the answer is left to the caller. False after having answered. */
bool sh_s3_store_part(sh_s3 *s3, int64_t number, const sh_upload *upload);

/* ---- s3_write.c ---- */
/* If-Match and If-None-Match of a request that writes its key: what they ask of the transaction of the write;
 * looked at now, too. False after having answered. */
bool sh_s3_write_conditions(sh_s3 *s3, sh_object_if *out);
/* Publishes the received file as the request's key. `more`: type, headers, condition, tags, acl, parts,
 * storage; the rest is taken from the request. On success the field x-amz-version-id is there. False after
 * having answered. */
bool sh_s3_write(sh_s3 *s3, const char *reason, const sh_object_new *more);
/* For who publishes by himself: the answer to a failure, and the field of the version that was made ("":
 * none). */
void sh_s3_fail_write(sh_s3 *s3, const sh_object_if *condition, const sh_err *err);
void sh_s3_wrote_version(sh_s3 *s3, const char *version);

/* ---- s3_version.c ---- */
const char *sh_s3_version(const sh_s3 *s3); /* versionId of the request, checked to be one; NULL: none */
/* False after having answered InvalidArgument about the parameter `name`. version: NULL is good. */
bool sh_s3_version_good(sh_s3 *s3, const char *name, const char *version);
/* The object or version that the request names; fd not NULL: opened as sh_object_read_version does. False
 * after having answered: NoSuchKey, NoSuchVersion, or what a delete marker is told by (404; 405 when it was
 * named by its id). */
bool sh_s3_find(sh_s3 *s3, sh_object *out, int *fd, const void **bytes);
void sh_s3_fail_marker(sh_s3 *s3, const sh_object *marker, bool named);
void sh_s3_fail_version(sh_s3 *s3, const char *version);
void sh_s3_version_field(sh_s3 *s3, const sh_object *object); /* x-amz-version-id */

/* ---- s3_list.c: what all lists write ---- */
/* A name, percent-encoded with encoding-type=url. */
void sh_s3_put_name(sh_s3 *s3, bool url, sh_buf *out, const char *name, const char *text);
/* max-keys, at most a page of 1,000. False after having answered. */
bool sh_s3_max_keys(sh_s3 *s3, int64_t *max);
/* <ChecksumAlgorithm> and <ChecksumType> of a checksum, which may be NULL. */
void sh_s3_put_checksum_kind(sh_buf *out, const char *checksum);

/* ---- s3_tagging.c ---- */
/* Tags of x-amz-tagging as the store keeps them; NULL: none. False after having answered. */
bool sh_s3_tags_asked(sh_s3 *s3, const char **tags);
void sh_s3_tagging_count(sh_s3 *s3, const sh_object *object); /* x-amz-tagging-count */

sh_object_cause sh_s3_cause(const sh_s3 *s3, const char *reason);

/* ---- operations ---- */
void sh_s3_list_buckets(sh_s3 *s3); /* s3_bucket.c */
void sh_s3_create_bucket(sh_s3 *s3);
void sh_s3_head_bucket(sh_s3 *s3);
void sh_s3_delete_bucket(sh_s3 *s3);
void sh_s3_get_location(sh_s3 *s3);
void sh_s3_get_versioning(sh_s3 *s3); /* s3_version.c */
void sh_s3_put_versioning(sh_s3 *s3);
void sh_s3_list_versions(sh_s3 *s3);
void sh_s3_get_tagging(sh_s3 *s3); /* s3_tagging.c */
void sh_s3_put_tagging(sh_s3 *s3);
void sh_s3_delete_tagging(sh_s3 *s3);
void sh_s3_get_notification(sh_s3 *s3);
void sh_s3_put_notification(sh_s3 *s3);
void sh_s3_post_object_begin(sh_s3 *s3); /* s3_form.c */
void sh_s3_post_object(sh_s3 *s3);
void sh_s3_list_v1(sh_s3 *s3);          /* s3_list.c; also ListObjectsV2 by list-type=2 */
void sh_s3_put_object_begin(sh_s3 *s3); /* s3_object.c */
void sh_s3_put_object(sh_s3 *s3);
void sh_s3_get_object(sh_s3 *s3);    /* GetObject and HeadObject */
void sh_s3_delete_object(sh_s3 *s3); /* s3_delete.c */
void sh_s3_delete_objects(sh_s3 *s3);
void sh_s3_copy_object(sh_s3 *s3);    /* s3_copy.c */
void sh_s3_get_attributes(sh_s3 *s3); /* s3_attributes.c */
void sh_s3_create_upload(sh_s3 *s3);  /* s3_multipart.c */
void sh_s3_upload_part_begin(sh_s3 *s3);
void sh_s3_upload_part(sh_s3 *s3);
void sh_s3_upload_part_copy(sh_s3 *s3); /* s3_copy.c */
void sh_s3_abort_upload(sh_s3 *s3);
void sh_s3_complete_upload(sh_s3 *s3); /* s3_complete.c */
void sh_s3_list_parts(sh_s3 *s3);      /* s3_uploads.c */
void sh_s3_list_uploads(sh_s3 *s3);

#endif
