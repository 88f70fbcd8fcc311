/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a document and the values of its parameters to the steps of a command. The same walk, without values,
 * checks a document when it is made. */
#include "base/buf.h"
#include "base/size.h"
#include "cloud/api/regular.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_document.h"

#include <string.h>

enum {
    SCRIPT_MAX = 1 << 20,
    STEPS_MAX = 20,
    NAME_MAX_LENGTH = 128,
    EXECUTION_MAX = 172800,
    PATTERN_MAX = 1024
};

typedef struct making {
    const json_t *declared, *given; /* given NULL: only looking */
    const char *step;
    sh_err *err;
} making;

static int unknown_member(const json_t *object, const char *const *known, const char *where, sh_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (!known[i])
            return sh_fail(err, SH_E_UNSUPPORTED, "%s: '%.100s' is not supported", where, name);
    }
    return 0;
}

/* The values of a parameter: given, or its default as a list. Borrowed through *hold. */
static int values_of(const making *m, const char *name, json_t **hold, bool *list)
{
    const json_t *declared = json_object_get(m->declared, name);
    const char *type = json_string_value(json_object_get(declared, "type"));
    json_t *value = json_object_get(m->given, name);
    if (!declared)
        return sh_fail(m->err, SH_E_FORMAT, "step %s: {{ %.100s }} is not a parameter of the document",
                       m->step, name);
    *list = type && strcmp(type, "StringList") == 0;
    if (!value)
        value = json_object_get(declared, "default");
    *hold = json_is_array(value) ? json_incref(value) : value ? json_pack("[O]", value) : json_array();
    return *hold ? 0 : sh_fail(m->err, SH_E_MEMORY, "no memory for a parameter");
}

static int put_value(const making *m, const char *name, bool alone, sh_buf *out)
{
    json_t *values = NULL;
    size_t index;
    const json_t *item;
    bool list = false;
    int status = values_of(m, name, &values, &list);
    if (status < 0)
        return status;
    if (list && !alone)
        status = sh_fail(m->err, SH_E_UNSUPPORTED, "step %s: the StringList {{ %s }} must stand alone",
                         m->step, name);
    json_array_foreach(values, index, item)
    {
        if (index > 0)
            sh_buf_putc(out, '\n');
        sh_buf_append(out, json_string_value(item), json_string_length(item));
    }
    json_decref(values);
    return status;
}

/* Puts the values of {{ name }} into a text, which is the author's; values are not looked at again. */
static int expand(const making *m, const char *text, sh_buf *out)
{
    for (const char *at; (at = strstr(text, "{{"));) {
        char name[NAME_MAX_LENGTH + 1];
        const char *from = at + 2 + strspn(at + 2, " ");
        size_t length = strcspn(from, " }");
        const char *end = from + length + strspn(from + length, " ");
        if (length == 0 || length > NAME_MAX_LENGTH || strncmp(end, "}}", 2) != 0)
            return sh_fail(m->err, SH_E_FORMAT, "step %s: '%.40s' is not {{ parameter }}", m->step, at);
        memcpy(name, from, length);
        name[length] = '\0';
        sh_buf_append(out, text, (size_t)(at - text));
        int status = put_value(m, name, at == text && end[2] == '\0', out);
        if (status < 0)
            return status;
        text = end + 2;
    }
    sh_buf_puts(out, text);
    return 0;
}

static int expand_member(const making *m, const json_t *inputs, const char *name, sh_buf *out)
{
    const json_t *value = json_object_get(inputs, name), *item;
    size_t index;
    if (!value)
        return 0;
    if (json_is_string(value))
        return expand(m, json_string_value(value), out);
    if (!json_is_array(value))
        return sh_fail(m->err, SH_E_FORMAT, "step %s: %s is neither a text nor a list", m->step, name);
    json_array_foreach(value, index, item)
    {
        if (!json_is_string(item))
            return sh_fail(m->err, SH_E_FORMAT, "step %s: line %zu of %s is not a text", m->step, index + 1,
                           name);
        int status = expand(m, json_string_value(item), out);
        if (status < 0)
            return status;
        sh_buf_putc(out, '\n');
    }
    return 0;
}

static int read_folder(const making *m, const json_t *inputs, sh_buf *folder)
{
    int status = expand_member(m, inputs, "workingDirectory", folder);
    if (status < 0 || !m->given || folder->length == 0 || folder->data[0] == '/')
        return status;
    return sh_fail(m->err, SH_E_FORMAT, "step %s: workingDirectory is '%.200s'; it must be absolute", m->step,
                   sh_buf_cstr(folder));
}

static int read_timeout(const making *m, const json_t *inputs, int64_t *seconds)
{
    sh_buf text;
    const json_t *value = json_object_get(inputs, "timeoutSeconds");
    *seconds = json_is_integer(value) ? json_integer_value(value) : 3600;
    if (json_is_integer(value) || !value)
        return *seconds >= 1 && *seconds <= EXECUTION_MAX
                   ? 0
                   : sh_fail(m->err, SH_E_FORMAT, "step %s: timeoutSeconds is not 1 to %d", m->step,
                             EXECUTION_MAX);
    sh_buf_init(&text, SCRIPT_MAX);
    int status = expand_member(m, inputs, "timeoutSeconds", &text);
    if (status == 0 && m->given && !sh_parse_i64(sh_buf_cstr(&text), text.length, 1, EXECUTION_MAX, seconds))
        status = sh_fail(m->err, SH_E_FORMAT, "step %s: timeoutSeconds is '%.40s', not 1 to %d", m->step,
                         sh_buf_cstr(&text), EXECUTION_MAX);
    sh_buf_free(&text);
    return status;
}

/* Only {"StringEquals": ["platformType", "..."]}, in either order; *skip: why the step is not run. */
static int read_precondition(const making *m, const json_t *step, const char **skip)
{
    const json_t *all = json_object_get(step, "precondition");
    const json_t *pair = json_object_get(all, "StringEquals");
    const char *one = json_string_value(json_array_get(pair, 0));
    const char *two = json_string_value(json_array_get(pair, 1));
    *skip = "";
    if (!all)
        return 0;
    if (json_object_size(all) != 1 || json_array_size(pair) != 2 || !one || !two ||
        (strcmp(one, "platformType") == 0) == (strcmp(two, "platformType") == 0))
        return sh_fail(m->err, SH_E_UNSUPPORTED,
                       "step %s: a precondition is {\"StringEquals\": [\"platformType\", NAME]}", m->step);
    const char *platform = strcmp(one, "platformType") == 0 ? two : one;
    if (strcmp(platform, "Linux") != 0)
        *skip = "Step execution skipped due to unsatisfied preconditions: the platform is Linux";
    return 0;
}

static int check_step(making *m, const json_t *step, const json_t *done)
{
    static const char *const known[] = {"action", "name", "inputs", "precondition", NULL};
    static const char *const inputs[] = {"runCommand", "timeoutSeconds", "workingDirectory", "onFailure",
                                         NULL};
    const char *action = json_string_value(json_object_get(step, "action"));
    const char *name = json_string_value(json_object_get(step, "name"));
    const json_t *in = json_object_get(step, "inputs"), *on = json_object_get(in, "onFailure"), *other;
    size_t index, length = name ? strlen(name) : 0;
    if (length < 1 || length > NAME_MAX_LENGTH || name[0] == '.' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != length)
        return sh_fail(m->err, SH_E_FORMAT, "step %zu has no name of letters, digits, _ - .",
                       json_array_size(done) + 1);
    m->step = name;
    json_array_foreach(done, index, other)
    {
        if (strcmp(json_string_value(json_object_get(other, "name")), name) == 0)
            return sh_fail(m->err, SH_E_FORMAT, "two steps have the name %s", name);
    }
    if (!action || strcmp(action, SH_SSM_PLUGIN) != 0)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "step %s: the action '%.100s' is not supported: use %s",
                       name, action ? action : "", SH_SSM_PLUGIN);
    if (!json_object_get(in, "runCommand"))
        return sh_fail(m->err, SH_E_FORMAT, "step %s has no inputs.runCommand", name);
    if (on && (!json_is_string(on) || strcmp(json_string_value(on), "exit") != 0))
        return sh_fail(m->err, SH_E_UNSUPPORTED, "step %s: onFailure may only be 'exit'", name);
    int status = unknown_member(step, known, name, m->err);
    return status < 0 ? status : unknown_member(in, inputs, name, m->err);
}

static int add_step(making *m, const json_t *step, json_t *steps, int64_t *seconds)
{
    const json_t *in = json_object_get(step, "inputs");
    const char *skip;
    int64_t timeout_s = 0;
    sh_buf script, folder;
    sh_buf_init(&script, SCRIPT_MAX);
    sh_buf_init(&folder, 4096);
    int status = check_step(m, step, steps);
    if (status == 0 && (status = expand_member(m, in, "runCommand", &script)) == 0 &&
        (status = read_folder(m, in, &folder)) == 0 && (status = read_timeout(m, in, &timeout_s)) == 0)
        status = read_precondition(m, step, &skip);
    if (status == 0 && (script.failed || folder.failed))
        status =
            sh_fail(m->err, SH_E_LIMIT, "step %s: its script has more than %d bytes", m->step, SCRIPT_MAX);
    if (status == 0) {
        json_t *made = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "name", m->step, "plugin",
                                 SH_SSM_PLUGIN, "script", sh_buf_cstr(&script), "folder",
                                 sh_buf_cstr(&folder), "timeout_s", (json_int_t)timeout_s, "on_failure",
                                 json_object_get(in, "onFailure") ? "exit" : "continue", "on_success",
                                 "continue", "skip", skip);
        if (json_array_append_new(steps, made) < 0)
            status = sh_fail(m->err, SH_E_MEMORY, "no memory for a step");
    }
    *seconds += timeout_s;
    sh_buf_free(&script);
    sh_buf_free(&folder);
    return status;
}

static bool is_value(const json_t *value, bool list)
{
    size_t index;
    const json_t *item;
    if (!list || !json_is_array(value))
        return !list && json_is_string(value);
    json_array_foreach(value, index, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return true;
}

/* An extended regular expression, and whole numbers. */
static int check_bounds(const json_t *one, const char *name, sh_err *err)
{
    static const char *const bounds[] = {"minChars", "maxChars", "minItems", "maxItems"};
    const json_t *pattern = json_object_get(one, "allowedPattern");
    regex_t regex;
    for (size_t i = 0; i < SH_COUNT(bounds); i++) {
        const json_t *bound = json_object_get(one, bounds[i]);
        if (bound && (!json_is_integer(bound) || json_integer_value(bound) < 0))
            return sh_fail(err, SH_E_FORMAT, "the parameter %.100s: %s is no whole number", name, bounds[i]);
    }
    if (!pattern)
        return 0;
    if (json_string_length(pattern) > PATTERN_MAX || !json_is_string(pattern) ||
        !sh_regex_compile(&regex, json_string_value(pattern)))
        return sh_fail(err, SH_E_FORMAT,
                       "the parameter %.100s: allowedPattern is no extended regular expression of at most %d "
                       "bytes",
                       name, PATTERN_MAX);
    regfree(&regex);
    return 0;
}

static int check_declared(const json_t *declared, sh_err *err)
{
    static const char *const known[] = {"type",           "description", "default",  "allowedValues",
                                        "allowedPattern", "minChars",    "maxChars", "minItems",
                                        "maxItems",       "displayType", NULL};
    const char *name;
    json_t *one;
    json_object_foreach((json_t *)declared, name, one)
    {
        const char *type = json_string_value(json_object_get(one, "type"));
        bool list = type && strcmp(type, "StringList") == 0;
        const json_t *fallback = json_object_get(one, "default"),
                     *allowed = json_object_get(one, "allowedValues");
        if (!list && !(type && strcmp(type, "String") == 0))
            return sh_fail(err, SH_E_UNSUPPORTED,
                           "the parameter %.100s: its type must be String or StringList", name);
        if ((fallback && !is_value(fallback, list)) || (allowed && !is_value(allowed, true)))
            return sh_fail(err, SH_E_FORMAT,
                           "the parameter %.100s: default or allowedValues is not of its type", name);
        int status = unknown_member(one, known, name, err);
        if (status < 0 || (status = check_bounds(one, name, err)) < 0)
            return status;
    }
    return 0;
}

static bool is_allowed(const json_t *allowed, const json_t *value)
{
    size_t index;
    const json_t *item;
    json_array_foreach(allowed, index, item)
    {
        if (json_equal(item, value))
            return true;
    }
    return allowed == NULL;
}

/* Of UTF-8, which jansson has checked. */
static size_t letters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static bool within(const json_t *declared, const char *least, const char *most, size_t count)
{
    const json_t *low = json_object_get(declared, least), *high = json_object_get(declared, most);
    return (!low || (json_int_t)count >= json_integer_value(low)) &&
           (!high || (json_int_t)count <= json_integer_value(high));
}

/* The pattern has to fit the whole value only where it says so (^ and $), as AWS has it. */
static bool fits(const json_t *declared, const json_t *value)
{
    const char *pattern = json_string_value(json_object_get(declared, "allowedPattern"));
    regex_t regex;
    if (!pattern)
        return true;
    if (strlen(json_string_value(value)) != json_string_length(value) || !sh_regex_compile(&regex, pattern))
        return false;
    bool found = regexec(&regex, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static int check_value(const making *m, const json_t *declared, const char *name, const json_t *item)
{
    if (!is_allowed(json_object_get(declared, "allowedValues"), item) || !fits(declared, item))
        return sh_fail(m->err, SH_E_FORMAT, "'%.100s' is not a value allowed for the parameter %.100s",
                       json_string_value(item), name);
    if (!within(declared, "minChars", "maxChars", letters(json_string_value(item))))
        return sh_fail(m->err, SH_E_FORMAT, "the value of the parameter '%.100s' is too short or too long",
                       name);
    return 0;
}

static int check_given(const making *m)
{
    const char *name;
    json_t *one;
    size_t index;
    const json_t *item;
    json_object_foreach((json_t *)m->given, name, one)
    {
        const json_t *declared = json_object_get(m->declared, name);
        const char *type = json_string_value(json_object_get(declared, "type"));
        if (!declared)
            return sh_fail(m->err, SH_E_FORMAT, "the document has no parameter '%.100s'", name);
        if (!is_value(one, true) || (strcmp(type, "String") == 0 && json_array_size(one) != 1))
            return sh_fail(m->err, SH_E_FORMAT, "the parameter '%.100s' is not a %s", name, type);
        if (!within(declared, "minItems", "maxItems", json_array_size(one)))
            return sh_fail(m->err, SH_E_FORMAT, "the parameter '%.100s' has too few or too many values",
                           name);
        json_array_foreach(one, index, item)
        {
            int status = check_value(m, declared, name, item);
            if (status < 0)
                return status;
        }
    }
    json_object_foreach((json_t *)m->declared, name, one)
    {
        if (!json_object_get(m->given, name) && !json_object_get(one, "default"))
            return sh_fail(m->err, SH_E_FORMAT, "the parameter '%.100s' has no value and no default", name);
    }
    return 0;
}

int sh_ssm_steps(const json_t *content, const json_t *parameters, json_t **steps, int64_t *seconds,
                 sh_err *err)
{
    static const char *const known[] = {"schemaVersion", "description", "parameters", "mainSteps", NULL};
    making m = {json_object_get(content, "parameters"), parameters, "", err};
    const char *schema = json_string_value(json_object_get(content, "schemaVersion"));
    const json_t *list = json_object_get(content, "mainSteps"), *step;
    size_t index;
    int status;
    if (!schema || strcmp(schema, "2.2") != 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "schemaVersion must be \"2.2\"");
    if (json_array_size(list) < 1 || json_array_size(list) > STEPS_MAX)
        return sh_fail(err, SH_E_FORMAT, "mainSteps is not a list of 1 to %d steps", STEPS_MAX);
    if ((status = unknown_member(content, known, "the document", err)) < 0 ||
        (status = check_declared(m.declared, err)) < 0 || (parameters && (status = check_given(&m)) < 0))
        return status;
    json_t *made = json_array();
    if (!made)
        return sh_fail(err, SH_E_MEMORY, "no memory for the steps");
    *seconds = 0;
    json_array_foreach(list, index, step)
    {
        if (status == 0)
            status = add_step(&m, step, made, seconds);
    }
    if (status < 0) {
        json_decref(made);
        return status;
    }
    *steps = made;
    return 0;
}
