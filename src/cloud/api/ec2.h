/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_EC2_H
#define SH_API_EC2_H
/* Nodes as instances of EC2 (its API of 2016-11-15), and their tags, which Targets of Run Command select by.
 * Only nodes whose id begins with i- are instances: what an activation registers (mi-) is none on AWS either.
 * Nothing here starts or stops a machine. */
#include "cloud/api/cloud.h"
#include "cloud/store/nodes.h"

extern const sh_service sh_service_ec2;

/* ec2_filter.c: Filters, with * and ? in their values. */
typedef const char *(*sh_ec2_value_fn)(void *opaque, const char *name); /* NULL: no such filter */
/* names: the filters there are, NULL-terminated; tags: also tag:KEY and tag-key. Refuses others. */
int sh_ec2_check_filters(sh_call *call, const char *const *names, bool tags);
/* The value of each filter that is no tag's is asked of fn. node: whose tags; NULL: tags are not looked at.
 */
bool sh_ec2_wanted(sh_call *call, const char *node, sh_ec2_value_fn fn, void *opaque);

/* MaxResults (0 when it is not there) and NextToken. */
int sh_ec2_page(sh_call *call, int64_t least, int64_t *skip, int64_t *limit);
bool sh_ec2_is_instance(const char *id);
int sh_ec2_malformed(sh_call *call, const char *id);
/* The instance of that name is there: 0, or InvalidInstanceID.NotFound. */
int sh_ec2_need(sh_call *call, const char *id);

/* [{"Key", "Value"}] of a node, owned by the caller; NULL: no memory. */
json_t *sh_ec2_tags_of(sh_call *call, const char *node);

/* The actions: ec2_instances.c, ec2_tags.c. */
int sh_ec2_describe_instances(sh_call *call);
int sh_ec2_describe_status(sh_call *call);
int sh_ec2_describe_tags(sh_call *call);
int sh_ec2_create_tags(sh_call *call);
int sh_ec2_delete_tags(sh_call *call);

#endif
