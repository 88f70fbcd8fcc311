/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the file's messages to a checked graph: names are resolved through a hash table in the order of the
 * nodes, so that a name used before it is produced (a cycle, or a file that is not sorted as ONNX demands) is
 * found at its first use; each operator then checks its own attributes and shapes. */
#include "engine/onnx/build.h"
#include <spyhop/spyhop.h>
#include <stdlib.h>
#include <string.h>

static size_t hash_text(sh_text text)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < text.length; i++)
        h = (h ^ (uint8_t)text.data[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

/* The slot that holds the name, or the empty one where it would go. */
static sh_value *find_slot(const sh_builder *builder, sh_text name)
{
    size_t at = hash_text(name) % builder->value_slots;
    while (builder->values[at].name.data && !sh_text_same(builder->values[at].name, name))
        at = (at + 1) % builder->value_slots;
    return &builder->values[at];
}

int sh_builder_define(sh_builder *builder, sh_value value, sh_err *err)
{
    if (value.name.length == 0)
        return sh_fail(err, SH_E_FORMAT, "a tensor of the model has no name");
    sh_value *slot = find_slot(builder, value.name);
    if (slot->name.data)
        return sh_fail(err, SH_E_FORMAT, "the name '%s' is defined twice", sh_text_show(value.name).text);
    *slot = value;
    return SH_OK;
}

int sh_builder_define_constant(sh_builder *builder, const sh_draft *draft, const sh_onnx_tensor *constant,
                               sh_err *err)
{
    return sh_builder_define(
        builder, (sh_value){.name = draft->node->outputs[0], .tensor = -1, .constant = constant}, err);
}

static char *keep_text(sh_arena *arena, sh_text text)
{
    return sh_arena_strdup(arena, sh_text_show(text).text);
}

static int check_size(sh_text name, sh_size size, sh_err *err)
{
    if (size.channels < 1 || size.channels > SPYHOP_MAX_CHANNELS)
        return sh_fail(err, SH_E_LIMIT, "tensor '%s' has %d channels; 1 to %d are run",
                       sh_text_show(name).text, size.channels, SPYHOP_MAX_CHANNELS);
    if (size.scale < 1 || size.scale > SH_GRAPH_SCALE)
        return sh_fail(err, SH_E_LIMIT, "tensor '%s' is the input enlarged %d times; 1 to %d are run",
                       sh_text_show(name).text, size.scale, SH_GRAPH_SCALE);
    if (size.margin < 0)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "tensor '%s' is smaller than the picture, by %d to each side: pad before a convolution without "
            "pads, not after it",
            sh_text_show(name).text, -size.margin);
    if (size.margin > SH_GRAPH_MARGIN * size.scale)
        return sh_fail(err, SH_E_LIMIT,
                       "tensor '%s' reaches %d samples beyond the picture; at most %d are run",
                       sh_text_show(name).text, size.margin, SH_GRAPH_MARGIN * size.scale);
    return SH_OK;
}

/* A name that is empty is not defined. */
static int add_tensor(sh_builder *builder, sh_text name, const char *label, sh_size size, int *tensor,
                      sh_err *err)
{
    sh_graph *graph = builder->graph;
    int status = check_size(name, size, err);
    if (status < 0)
        return status;
    const char *kept = name.length ? keep_text(graph->arena, name) : label;
    if (!kept)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's graph");
    int index = graph->tensor_count;
    if (name.length)
        status = sh_builder_define(builder, (sh_value){.name = name, .tensor = index}, err);
    if (status < 0)
        return status;
    graph->tensors[graph->tensor_count++] = (sh_graph_tensor){kept, size.channels, size.scale, size.margin};
    *tensor = index;
    return SH_OK;
}

/* The computed tensors among the draft's inputs are the node's. */
static int *keep_inputs(sh_builder *builder, const sh_draft *draft, int *count)
{
    int *inputs = sh_arena_alloc(builder->graph->arena, (size_t)draft->input_count * sizeof(int));
    int n = 0;
    for (int i = 0; inputs && i < draft->input_count; i++)
        if (draft->inputs[i] && draft->inputs[i]->tensor >= 0)
            inputs[n++] = draft->inputs[i]->tensor;
    *count = n;
    return inputs;
}

static int add_node(sh_builder *builder, const sh_draft *draft, sh_graph_node node, sh_text name,
                    sh_size size, int *output, sh_err *err)
{
    node.name = draft->label;
    if (!node.inputs)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's graph");
    int status = add_tensor(builder, name, draft->label, size, &node.output, err);
    if (status < 0)
        return sh_err_prefix(err, "%s", draft->label);
    builder->graph->nodes[builder->graph->node_count++] = node;
    *output = node.output;
    return SH_OK;
}

int sh_builder_add(sh_builder *builder, const sh_draft *draft, sh_graph_node node, sh_size size, sh_err *err)
{
    int output;
    node.inputs = keep_inputs(builder, draft, &node.input_count);
    return add_node(builder, draft, node, draft->node->outputs[0], size, &output, err);
}

int sh_builder_add_to(sh_builder *builder, const sh_draft *draft, sh_graph_node node, const int *tensors,
                      int count, sh_text name, sh_size size, int *output, sh_err *err)
{
    node.inputs = sh_arena_alloc(builder->graph->arena, (size_t)count * sizeof(int));
    node.input_count = count;
    for (int i = 0; node.inputs && i < count; i++)
        node.inputs[i] = tensors[i];
    return add_node(builder, draft, node, name, size, output, err);
}

const sh_graph_node *sh_builder_producer(const sh_builder *builder, int tensor)
{
    for (int n = builder->graph->node_count - 1; n >= 0; n--)
        if (builder->graph->nodes[n].output == tensor)
            return &builder->graph->nodes[n];
    return NULL;
}

static int defined_later(const sh_onnx *onnx, int from, sh_text name)
{
    for (int i = from; i < onnx->node_count; i++)
        for (int o = 0; o < onnx->nodes[i].output_count; o++)
            if (sh_text_same(onnx->nodes[i].outputs[o], name))
                return 1;
    return 0;
}

static int resolve(sh_builder *builder, const sh_onnx_node *node, sh_draft *draft, sh_err *err)
{
    draft->input_count = node->input_count;
    draft->inputs = sh_arena_alloc(builder->scratch, (size_t)node->input_count * sizeof(*draft->inputs));
    if (!draft->inputs)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's graph");
    for (int i = 0; i < node->input_count; i++) {
        if (node->inputs[i].length == 0)
            continue;
        const sh_value *value = find_slot(builder, node->inputs[i]);
        if (!value->name.data &&
            defined_later(builder->onnx, (int)(node - builder->onnx->nodes), node->inputs[i]))
            return sh_fail(err, SH_E_FORMAT,
                           "%s uses '%s' before it is produced: the graph has a cycle or is not sorted",
                           draft->label, sh_text_show(node->inputs[i]).text);
        if (!value->name.data)
            return sh_fail(err, SH_E_FORMAT, "%s uses '%s', which nothing produces", draft->label,
                           sh_text_show(node->inputs[i]).text);
        draft->inputs[i] = value;
    }
    return SH_OK;
}

/* Whether the operator has nothing but whole numbers to work on, or asks for a tensor's shape. */
static int folds(const sh_operator *op, const sh_draft *draft)
{
    int tensors = 0;
    for (int i = 0; i < draft->input_count; i++)
        tensors |= draft->inputs[i] && draft->inputs[i]->tensor >= 0;
    return op->fold && (!tensors || !op->fn);
}

static int build_node(sh_builder *builder, const sh_onnx_node *node, sh_err *err)
{
    sh_draft draft = {.node = node};
    draft.label = sh_arena_printf(
        builder->graph->arena, "%s '%s'", sh_text_show(node->op).text,
        sh_text_show(node->name.length || !node->output_count ? node->name : node->outputs[0]).text);
    if (!draft.label)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's graph");
    const sh_operator *op = sh_operator_find(node->op);
    int standard = node->domain.length == 0 || sh_text_is(node->domain, "ai.onnx");
    if (!op || !standard)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "the model needs the operator %s%s%s (node '%s'), which is not run here",
                       standard ? "" : sh_text_show(node->domain).text, standard ? "" : ".",
                       sh_text_show(node->op).text, sh_text_show(node->name).text);
    if (node->output_count < 1 || (node->output_count > 1 && op->fn != sh_operator_split))
        return sh_fail(err, SH_E_FORMAT, "%s has %d outputs, not one", draft.label, node->output_count);
    if (node->input_count < op->min_inputs || node->input_count > op->max_inputs)
        return sh_fail(err, SH_E_FORMAT, "%s has %d inputs; %d to %d are allowed", draft.label,
                       node->input_count, op->min_inputs, op->max_inputs);
    int status = resolve(builder, node, &draft, err);
    if (status < 0)
        return status;
    return folds(op, &draft) ? op->fold(builder, &draft, err) : op->fn(builder, &draft, err);
}

static int check_port(const sh_onnx_port *port, const char *what, int64_t *channels, sh_err *err)
{
    if (port->type != 0 && port->type != SH_ONNX_FLOAT)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s '%s' has element type %d; only float32 is run", what,
                       sh_text_show(port->name).text, port->type);
    if (port->rank == -1) {
        *channels = -1;
        return SH_OK;
    }
    if (port->rank != 4)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s '%s' has %d dimensions; [N, channels, height, width] is run", what,
                       sh_text_show(port->name).text, port->rank);
    if (port->dims[0] > 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s '%s' is a batch of %lld pictures; one is run", what,
                       sh_text_show(port->name).text, (long long)port->dims[0]);
    *channels = port->dims[1];
    return SH_OK;
}

static int find_input(sh_builder *builder, sh_err *err)
{
    const sh_onnx *onnx = builder->onnx;
    const sh_onnx_port *input = NULL;
    int64_t channels = 0;
    for (int i = 0; i < onnx->input_count; i++) {
        const sh_onnx_port *port = &onnx->inputs[i];
        const sh_value *value = port->name.length ? find_slot(builder, port->name) : NULL;
        if (value && value->name.data && value->constant)
            continue; /* old files list their weights among the inputs */
        if (input)
            return sh_fail(err, SH_E_UNSUPPORTED, "the model has two inputs, '%s' and '%s'; one is run",
                           sh_text_show(input->name).text, sh_text_show(port->name).text);
        input = port;
    }
    if (!input)
        return sh_fail(err, SH_E_FORMAT, "the model has no input");
    int status = check_port(input, "input", &channels, err);
    if (status < 0)
        return status;
    if (channels != 1 && channels != 3)
        return sh_fail(err, SH_E_UNSUPPORTED, "input '%s' has %lld channels; 1 (luma) or 3 are run",
                       sh_text_show(input->name).text, (long long)channels);
    if (input->name.length == 0)
        return sh_fail(err, SH_E_FORMAT, "the model's input has no name");
    return add_tensor(builder, input->name, NULL, (sh_size){(int)channels, 1, 0}, &builder->graph->input,
                      err);
}

static int find_output(sh_builder *builder, sh_err *err)
{
    const sh_onnx *onnx = builder->onnx;
    sh_graph *graph = builder->graph;
    int64_t channels;
    if (onnx->output_count != 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "the model has %d outputs; one is run", onnx->output_count);
    int status = check_port(&onnx->outputs[0], "output", &channels, err);
    if (status < 0)
        return status;
    const sh_value *value = onnx->outputs[0].name.length ? find_slot(builder, onnx->outputs[0].name) : NULL;
    if (!value || !value->name.data || value->tensor < 0)
        return sh_fail(err, SH_E_FORMAT, "nothing computes the model's output '%s'",
                       sh_text_show(onnx->outputs[0].name).text);
    const sh_graph_tensor *tensor = &graph->tensors[value->tensor];
    if (value->pending)
        return sh_fail(err, SH_E_UNSUPPORTED, "the output is that of %s, which is half of something: %s",
                       value->pending->label, sh_pending_rest(value->pending));
    if (tensor->margin != 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "output '%s' is larger than the picture, by %d to each side",
                       tensor->name, tensor->margin);
    if (channels != -1 && channels != tensor->channels)
        return sh_fail(err, SH_E_FORMAT, "output '%s' says %lld channels; the graph gives %d", tensor->name,
                       (long long)channels, tensor->channels);
    if (tensor->channels != graph->tensors[graph->input].channels)
        return sh_fail(err, SH_E_UNSUPPORTED, "the model takes %d channels and gives %d; as many are run",
                       graph->tensors[graph->input].channels, tensor->channels);
    graph->output = value->tensor;
    return SH_OK;
}

/* An operator becomes at most three nodes, or one an output. */
static size_t most_nodes(const sh_onnx *onnx)
{
    size_t nodes = 0;
    for (int i = 0; i < onnx->node_count; i++)
        nodes += (size_t)onnx->nodes[i].output_count + 3;
    return nodes;
}

static int reserve(sh_builder *builder, sh_err *err)
{
    const sh_onnx *onnx = builder->onnx;
    sh_graph *graph = builder->graph;
    size_t nodes = most_nodes(onnx);
    /* twice as many slots as names, so that a search always ends at an empty one */
    builder->value_slots = 2 * (nodes + (size_t)onnx->tensor_count + (size_t)onnx->input_count) + 8;
    builder->values = sh_arena_alloc(builder->scratch, builder->value_slots * sizeof(sh_value));
    graph->nodes = sh_arena_alloc(graph->arena, nodes * sizeof(sh_graph_node));
    graph->tensors = sh_arena_alloc(graph->arena, (nodes + 1) * sizeof(sh_graph_tensor));
    graph->name = keep_text(graph->arena, onnx->name);
    if (!builder->values || !graph->nodes || !graph->tensors || !graph->name)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's graph");
    return SH_OK;
}

/* A small file may ask for any amount of work: each node may use the same weights again. */
static int check_work(const sh_graph *graph, sh_err *err)
{
    int64_t work = graph->macs;
    for (int t = 0; t < graph->tensor_count; t++)
        work += (int64_t)graph->tensors[t].channels * graph->tensors[t].scale * graph->tensors[t].scale;
    if (work > SPYHOP_MAX_MACS)
        return sh_fail(err, SH_E_LIMIT,
                       "the model takes %lld multiply-adds for each input pixel; %d are run at most",
                       (long long)work, SPYHOP_MAX_MACS);
    return SH_OK;
}

static int build(sh_builder *builder, sh_err *err)
{
    const sh_onnx *onnx = builder->onnx;
    int status = SH_OK;
    if (onnx->opset < 7 || onnx->opset > 21)
        return sh_fail(err, SH_E_UNSUPPORTED, "the model is of opset %lld; 7 to 21 are run",
                       (long long)onnx->opset);
    if (onnx->node_count == 0)
        return sh_fail(err, SH_E_FORMAT, "the model has no nodes");
    status = reserve(builder, err);
    for (int i = 0; status == SH_OK && i < onnx->tensor_count; i++)
        status = sh_builder_define(
            builder, (sh_value){.name = onnx->tensors[i].name, .tensor = -1, .constant = &onnx->tensors[i]},
            err);
    if (status == SH_OK)
        status = find_input(builder, err);
    for (int i = 0; status == SH_OK && i < onnx->node_count; i++)
        status = build_node(builder, &onnx->nodes[i], err);
    if (status == SH_OK)
        status = check_work(builder->graph, err);
    return status < 0 ? status : find_output(builder, err);
}

static size_t most_memory(size_t size)
{
    /* Weights may be float16 (2 bytes to 4) or integers (1 byte to 4 as an integer, 4 as a float and 1);
     * names and structures are a bounded multiple of their bytes in the file */
    return (size < SPYHOP_MAX_FILE_BYTES ? size : SPYHOP_MAX_FILE_BYTES) * 10 + ((size_t)64 << 20);
}

static int build_ends(sh_builder *builder, sh_size end, sh_err *err)
{
    sh_graph *graph = builder->graph;
    sh_size start = {end.channels, 1, 0};
    sh_text none = {"", 0};
    graph->tensors = sh_arena_alloc(graph->arena, 2 * sizeof(sh_graph_tensor));
    graph->name = keep_text(graph->arena, builder->onnx->name);
    if (!graph->tensors || !graph->name)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's graph");
    int status = add_tensor(builder, none, "input", start, &graph->input, err);
    return status < 0 ? status : add_tensor(builder, none, "output", end, &graph->output, err);
}

/* end: NULL to read the graph, else the size of the output of one that is not read. */
static int make(sh_graph **out, const void *data, size_t size, const sh_size *end, sh_err *err)
{
    size_t maximum = most_memory(size);
    sh_onnx onnx;
    sh_graph *graph = NULL;
    sh_arena *scratch = sh_arena_new(maximum), *arena = sh_arena_new(maximum);
    int status = SH_E_MEMORY;
    if (arena)
        graph = sh_arena_alloc(arena, sizeof(*graph));
    if (!scratch || !graph) {
        sh_fail(err, SH_E_MEMORY, "out of memory for the model");
        goto done;
    }
    graph->arena = arena;
    sh_builder builder = {.graph = graph, .onnx = &onnx, .scratch = scratch};
    status = sh_onnx_read(&onnx, data, size, scratch, err);
    if (status == SH_OK)
        status = end ? build_ends(&builder, *end, err) : build(&builder, err);
    if (status == SH_OK) {
        *out = graph;
        arena = NULL;
    }
done:
    sh_arena_free(arena);
    sh_arena_free(scratch);
    return status;
}

int sh_graph_read(sh_graph **out, const void *data, size_t size, sh_err *err)
{
    return make(out, data, size, NULL, err);
}

int sh_graph_of_ends(sh_graph **out, const void *data, size_t size, int channels, int scale, sh_err *err)
{
    sh_size end = {channels, scale, 0};
    return make(out, data, size, &end, err);
}

void sh_graph_free(sh_graph *graph)
{
    if (graph)
        sh_arena_free(graph->arena);
}
