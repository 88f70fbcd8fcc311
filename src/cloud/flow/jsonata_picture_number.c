/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures of numbers and dates: refused for now. */
#include "cloud/flow/jsonata_picture.h"
static _Noreturn void no(jv_eval *e)
{
    jv_bound(e, "pictures of numbers and dates are not supported yet");
}
jv *sh_jv_format_number(jv_call *c)
{
    no(c->e);
}
jv *sh_jv_format_integer(jv_call *c)
{
    no(c->e);
}
jv *sh_jv_parse_integer(jv_call *c)
{
    no(c->e);
}
jv *sh_jv_format_date(jv_eval *e, double millis, const jv *picture, const jv *zone)
{
    (void)millis, (void)picture, (void)zone;
    no(e);
}
jv *sh_jv_parse_date(jv_eval *e, const jv *text, const jv *picture)
{
    (void)text, (void)picture;
    no(e);
}
