/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_CONFIG_H
#define SH_API_S3_CONFIG_H
/* What the files of bucket configurations share. A configuration is kept as the XML of the client, written
 * anew without attributes and blanks once it was checked, so what is given back is what was understood. */
#include "cloud/api/s3.h"
#include "cloud/api/s3_rules.h"

/* The tree as text, in the arena; NULL: no memory, or it is larger than an answer may be. */
const char *sh_s3_xml_text(const sh_xml *root, sh_arena *arena);
/* Answers 200 with a kept text, its root in S3's namespace. */
void sh_s3_answer_kept(sh_s3 *s3, const char *text);
/* The same; when nothing was kept (NULL), 404. */
void sh_s3_answer_kept_or(sh_s3 *s3, const char *text, const char *code, const char *message);
/* Keeps `value` (NULL: takes the kind away) and answers with `status`. */
void sh_s3_keep(sh_s3 *s3, const char *kind, const char *value, int status);
/* The same with the body's tree. */
void sh_s3_keep_xml(sh_s3 *s3, const char *kind, const sh_xml *root, int status);
/* MalformedXML; the reason is about the schema. */
void sh_s3_malformed(sh_s3 *s3, const char *reason);
/* InvalidArgument with ArgumentName and ArgumentValue. */
void sh_s3_bad_argument(sh_s3 *s3, const char *name, const char *value, const char *message);
/* True when every child of the node is named in `names` (NULL-terminated); else answers MalformedXML. */
bool sh_s3_only_children(sh_s3 *s3, const sh_xml *node, const char *const *names);
/* Content-MD5 or a checksum field must be there; false after having answered. */
bool sh_s3_need_digest(sh_s3 *s3);
/* <TagSet> of `parent`: at most `most` tags. False after having answered InvalidTag. */
bool sh_s3_tag_set_good(sh_s3 *s3, const sh_xml *set, size_t most);

bool sh_s3_ownership_known(const char *value); /* of the three words */

/* ---- s3_list.c ---- */
/* A continuation token: where to go on, as text. NULL: not one of ours. */
const char *sh_s3_token_read(sh_s3 *s3, const char *token);
void sh_s3_put_token(sh_s3 *s3, sh_buf *out, const char *name, const char *text);

/* ---- s3_policy.c ---- */
/* Parses a bucket's policy as it is kept. */
int sh_s3_policy_load(const char *text, sh_policy **out, bool *is_public, sh_err *err);

/* ---- s3_acl.c ---- */
/* The canned ACL of that name; false: there is none. *acl NULL: private. owner: canonical id. */
bool sh_acl_canned(const char *name, const char *owner, bool bucket, sh_arena *arena, const char **acl);

/* ---- operations ---- */
void sh_s3_get_bucket_acl(sh_s3 *s3); /* s3_acl_ops.c */
void sh_s3_put_bucket_acl(sh_s3 *s3);
void sh_s3_get_object_acl(sh_s3 *s3);
void sh_s3_put_object_acl(sh_s3 *s3);
void sh_s3_get_cors(sh_s3 *s3); /* s3_cors.c */
void sh_s3_put_cors(sh_s3 *s3);
void sh_s3_delete_cors(sh_s3 *s3);
void sh_s3_get_policy(sh_s3 *s3); /* s3_policy.c */
void sh_s3_put_policy(sh_s3 *s3);
void sh_s3_delete_policy(sh_s3 *s3);
void sh_s3_get_policy_status(sh_s3 *s3);
void sh_s3_get_lifecycle(sh_s3 *s3); /* s3_lifecycle.c */
void sh_s3_put_lifecycle(sh_s3 *s3);
void sh_s3_delete_lifecycle(sh_s3 *s3);
void sh_s3_get_public_block(sh_s3 *s3); /* s3_config.c */
void sh_s3_put_public_block(sh_s3 *s3);
void sh_s3_delete_public_block(sh_s3 *s3);
void sh_s3_get_ownership(sh_s3 *s3);
void sh_s3_put_ownership(sh_s3 *s3);
void sh_s3_delete_ownership(sh_s3 *s3);
void sh_s3_get_bucket_tagging(sh_s3 *s3);
void sh_s3_put_bucket_tagging(sh_s3 *s3);
void sh_s3_delete_bucket_tagging(sh_s3 *s3);
void sh_s3_get_encryption(sh_s3 *s3);
void sh_s3_put_encryption(sh_s3 *s3);
void sh_s3_delete_encryption(sh_s3 *s3);
void sh_s3_get_absent(sh_s3 *s3); /* website, logging ...: what no bucket here has */
void sh_s3_put_absent(sh_s3 *s3);
void sh_s3_delete_absent(sh_s3 *s3);

#endif
