/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inline policies of users, groups and roles; the three differ by names and sizes only. And what every policy
 * document is checked for. */
#include "cloud/api/iam_inner.h"

#include <string.h>

int64_t sh_iam_document_size(const char *text)
{
    int64_t size = 0;
    for (; *text; text++)
        size += !strchr(" \t\r\n", *text) && ((unsigned char)*text & 0xc0) != 0x80;
    return size;
}

int sh_iam_check_document(sh_call *call, sh_policy_kind kind, const char *text)
{
    sh_err err = {0};
    sh_policy *policy = NULL;
    int status = sh_policy_parse(&policy, kind, text, strlen(text), &err);
    sh_policy_free(policy);
    if (status == SH_E_MEMORY)
        return sh_call_fail(call, 500, "ServiceFailure", "%s", err.message);
    return status < 0 ? sh_call_fail(call, 400, "MalformedPolicyDocument", "%s", err.message) : 0;
}

static int add_size(void *size, const char *name, const char *document)
{
    (void)name;
    *(int64_t *)size += sh_iam_document_size(document);
    return 0;
}

static int put(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    const sh_iam_kind_row *row = sh_iam_kind_of(kind);
    const char *document = sh_iam_text(call, "PolicyDocument");
    sh_iam_entity e;
    int64_t size = 0;
    int status = sh_iam_need(call, kind, &e, err);
    if (status == 0)
        status = sh_iam_check_document(call, SH_POLICY_IDENTITY, document);
    if (status == 0)
        status = sh_iam_inline_put(call->cloud->db, e.row, sh_iam_text(call, "PolicyName"), document, err);
    if (status == 0)
        status = sh_iam_inline_list(call->cloud->db, e.row, "", INT64_MAX, add_size, &size, err);
    if (status == 0 && size > row->inline_max)
        return sh_call_fail(call, 409, "LimitExceeded",
                            "Maximum policy size of %lld bytes exceeded for %s %s",
                            (long long)row->inline_max, row->word, e.name);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

static int no_policy(sh_call *call, sh_iam_kind kind)
{
    return sh_call_fail(call, 404, "NoSuchEntity", "The %s policy with name %s cannot be found.",
                        sh_iam_kind_of(kind)->word, sh_iam_text(call, "PolicyName"));
}

static int get(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_err local = {0};
    sh_iam_entity e;
    const char *document, *name = sh_iam_text(call, "PolicyName");
    int status = sh_iam_need(call, kind, &e, err);
    if (status < 0)
        return status;
    status = sh_iam_inline_get(call->cloud->db, call->arena, e.row, name, &document, &local);
    if (status == SH_E_NOT_FOUND)
        return no_policy(call, kind);
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    return sh_iam_give(call,
                       json_pack("{s:s, s:s, s:o}", sh_iam_kind_of(kind)->member, e.name, "PolicyName", name,
                                 "PolicyDocument", sh_iam_document(document)),
                       err);
}

static int delete_one(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_err local = {0};
    sh_iam_entity e;
    int status = sh_iam_need(call, kind, &e, err);
    if (status < 0)
        return status;
    status = sh_iam_inline_delete(call->cloud->db, e.row, sh_iam_text(call, "PolicyName"), &local);
    if (status == SH_E_NOT_FOUND)
        return no_policy(call, kind);
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    return sh_iam_give(call, json_object(), err);
}

static int add_name(void *page, const char *name, const char *document)
{
    (void)document;
    return !sh_iam_page_add(page, name, json_string(name));
}

static int list(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_iam_entity e;
    sh_iam_page page;
    int status = sh_iam_page_of(call, kind, &e, &page, err);
    if (status < 0)
        return status;
    status = sh_iam_inline_list(call->cloud->db, e.row, page.after, page.limit + 1, add_name, &page, err);
    return sh_iam_page_end(&page, status, "PolicyNames", err);
}

/* ---- put ---- */

int sh_iam_put_user_policy(sh_call *call, sh_err *err)
{
    return put(call, SH_IAM_USER, err);
}

int sh_iam_put_group_policy(sh_call *call, sh_err *err)
{
    return put(call, SH_IAM_GROUP, err);
}

int sh_iam_put_role_policy(sh_call *call, sh_err *err)
{
    return put(call, SH_IAM_ROLE, err);
}

/* ---- get ---- */

int sh_iam_get_user_policy(sh_call *call, sh_err *err)
{
    return get(call, SH_IAM_USER, err);
}

int sh_iam_get_group_policy(sh_call *call, sh_err *err)
{
    return get(call, SH_IAM_GROUP, err);
}

int sh_iam_get_role_policy(sh_call *call, sh_err *err)
{
    return get(call, SH_IAM_ROLE, err);
}

/* ---- delete ---- */

int sh_iam_delete_user_policy(sh_call *call, sh_err *err)
{
    return delete_one(call, SH_IAM_USER, err);
}

int sh_iam_delete_group_policy(sh_call *call, sh_err *err)
{
    return delete_one(call, SH_IAM_GROUP, err);
}

int sh_iam_delete_role_policy(sh_call *call, sh_err *err)
{
    return delete_one(call, SH_IAM_ROLE, err);
}

/* ---- list ---- */

int sh_iam_list_user_policies(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_USER, err);
}

int sh_iam_list_group_policies(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_GROUP, err);
}

int sh_iam_list_role_policies(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_ROLE, err);
}
