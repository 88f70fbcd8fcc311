/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes for Prometheus. */
#include "base/buf.h"
#include "cloud/api/agent_inner.h"

#include <string.h>

enum { NODES_MAX = 200 }; /* with lines of their own; the sums are of all */

typedef struct counting {
    int64_t now_ms, online, silent, shown;
    sh_buf lines;
} counting;

static int count_node(void *opaque, const sh_node_row *row)
{
    counting *c = opaque;
    bool online = sh_node_online(row, c->now_ms);
    c->online += online;
    c->silent += !online;
    if (c->shown++ < NODES_MAX)
        sh_buf_printf(&c->lines,
                      "spyhop_node_up{node=\"%s\"} %d\n"
                      "spyhop_node_workers{node=\"%s\"} %lld\n"
                      "spyhop_node_busy{node=\"%s\"} %lld\n"
                      "spyhop_node_refused{node=\"%s\"} %lld\n",
                      row->id, online, row->id, (long long)row->workers, row->id, (long long)row->busy,
                      row->id, (long long)row->refused);
    return 0;
}

int sh_agent_metrics(sh_cloud *cloud, sh_buf *out, sh_err *err)
{
    counting c = {.now_ms = sh_now_ms(cloud->clock)};
    sh_buf_init(&c.lines, 1 << 20);
    int status = sh_node_each(cloud->db, count_node, &c, err);
    if (status == 0) {
        sh_buf_printf(out,
                      "# HELP spyhop_nodes Registered nodes, by whether they are heard of.\n"
                      "# TYPE spyhop_nodes gauge\n"
                      "spyhop_nodes{state=\"online\"} %lld\n"
                      "spyhop_nodes{state=\"silent\"} %lld\n"
                      "# HELP spyhop_agent_refused_total Requests of agents that were refused.\n"
                      "# TYPE spyhop_agent_refused_total counter\n"
                      "spyhop_agent_refused_total %llu\n",
                      (long long)c.online, (long long)c.silent,
                      (unsigned long long)sh_agents_refused(cloud->agents, false));
        sh_buf_puts(out, sh_buf_cstr(&c.lines));
    }
    sh_buf_free(&c.lines);
    return status;
}
