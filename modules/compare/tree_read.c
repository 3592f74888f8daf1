/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_read.c - a JSON text into nodes, by yajl's callbacks. See compare/tree_state.h.
 *
 * yajl gets the whole text at once, so a string without escapes is a part of the text. The others
 * are in a buffer of yajl's, and copied. yajl makes '?' of a lone surrogate, and joins a high one
 * with any escape behind it; such a string is taken as it is written.
 *
 * A text that is no UTF-8, or has a byte order mark, is no JSON (RFC 8259 8.1). yajl takes overlong
 * forms and encoded surrogates, so its own check is off.
 */
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "compare/tree_state.h"

typedef struct open_t {
    apr_uint32_t node;
    apr_uint32_t last; /* child */
} open_t;

typedef struct reader_t {
    mirror_tree_text_t *text;
    mirror_tree_context_t *context;
    yajl_handle handle;
    int unordered;
    mirror_tree_e result; /* why a callback has ended it */
    int depth;
    open_t open[MIRROR_TREE_DEPTH_MAX];
    /* the name of the next member */
    const char *name;
    apr_uint32_t name_len;
    unsigned char name_is_text;
} reader_t;

static int fail(reader_t *reader, mirror_tree_e result)
{
    reader->result = result;
    return 0;
}

/* ---- strings ---- */

/* Four hexadecimal digits, which yajl has checked. */
static unsigned hex4(const char *c)
{
    unsigned n = 0;
    int i;

    for (i = 0; i < 4; i++) {
        n = 16 * n + (unsigned)mirror_ascii_hex_digit(c[i]);
    }
    return n;
}

/* Whether a string as it is written, without its quotes, has a surrogate outside of a pair. */
static int has_lone_surrogate(const char *c, const char *end)
{
    while ((c = memchr(c, '\\', (size_t)(end - c))) != NULL && end - c >= 6) {
        unsigned unit = c[1] == 'u' ? hex4(c + 2) : 0;

        c += c[1] == 'u' ? 6 : 2;
        if ((unit & 0xfc00) == 0xd800) {
            if (end - c < 6 || c[0] != '\\' || c[1] != 'u' || (hex4(c + 2) & 0xfc00) != 0xdc00) {
                return 1;
            }
            c += 6;
        }
        else if ((unit & 0xfc00) == 0xdc00) {
            return 1;
        }
    }
    return 0;
}

static int is_part_of(const mirror_tree_text_t *text, const char *s, size_t len)
{
    apr_uintptr_t from = (apr_uintptr_t)text->text, at = (apr_uintptr_t)s;

    return at >= from && at + len <= from + text->len;
}

/* Copy what is in a buffer of yajl's. All copies of a text are never longer than it. */
static const char *keep(mirror_tree_text_t *text, const char *s, size_t len)
{
    char *kept;

    if (text->decoded_room < text->len) {
        if (text->used > 0) {
            return NULL;
        }
        free(text->decoded);
        text->decoded = malloc(text->len);
        text->decoded_room = text->decoded ? text->len : 0;
    }
    if (!text->decoded || len > text->decoded_room - text->used) {
        return NULL;
    }
    kept = text->decoded + text->used;
    memcpy(kept, s, len);
    text->used += len;
    return kept;
}

/* The string that yajl has just read, as it is written: it ends with the quote that was consumed
 * last, and begins behind the last quote before that without a backslash. */
static const char *as_written(const reader_t *reader, const char **end)
{
    const char *text = reader->text->text, *c;

    *end = c = text + yajl_get_bytes_consumed(reader->handle) - 1;
    do {
        const char *quote, *slash;

        for (quote = c - 1; *quote != '"'; quote--) {
        }
        for (slash = quote; slash > text && slash[-1] == '\\'; slash--) {
        }
        c = quote;
        if ((quote - slash) % 2 == 0) {
            return quote + 1;
        }
    } while (1);
}

/* Take a string of a callback. Returns NULL if there is no memory. */
static const char *take_string(reader_t *reader, apr_uint32_t *len, unsigned char *is_text,
                               const char *s, size_t s_len)
{
    const char *start, *end;

    *is_text = 0;
    *len = (apr_uint32_t)s_len;
    if (is_part_of(reader->text, s, s_len)) {
        return s;
    }
    start = as_written(reader, &end);
    if (has_lone_surrogate(start, end)) {
        *is_text = 1;
        *len = (apr_uint32_t)(end - start);
        return start;
    }
    return keep(reader->text, s, s_len);
}

/* ---- nodes ---- */

static void append_child(reader_t *reader, apr_uint32_t index)
{
    mirror_node_t *nodes = reader->text->nodes;
    open_t *open = &reader->open[reader->depth - 1];

    if (open->last == MIRROR_NODE_NONE) {
        nodes[open->node].first = index;
    }
    else {
        nodes[open->last].next = index;
    }
    open->last = index;
    nodes[open->node].count++;
}

/* Add a node below the open container. Returns NULL, and has set the result, if there is none. */
static mirror_node_t *add_node(reader_t *reader, mirror_node_kind_e kind)
{
    mirror_tree_text_t *text = reader->text;
    mirror_node_t *node;

    if (text->count == MIRROR_TREE_NODES_MAX) {
        fail(reader, MIRROR_TREE_TOO_MANY);
        return NULL;
    }
    if (!mirror_tree_grow((void **)&text->nodes, &text->room, text->count + 1, sizeof(*node))) {
        fail(reader, MIRROR_TREE_NO_MEMORY);
        return NULL;
    }
    node = &text->nodes[text->count++];
    memset(node, 0, sizeof(*node));
    node->kind = (unsigned char)kind;
    node->end = text->count;
    node->first = node->next = MIRROR_NODE_NONE;
    if (reader->depth > 0) {
        append_child(reader, text->count - 1);
    }
    if (reader->name) {
        mirror_hash_e what = reader->name_is_text ? MIRROR_HASH_NAME_TEXT : MIRROR_HASH_NAME;

        node->name = reader->name;
        node->name_len = reader->name_len;
        node->name_is_text = reader->name_is_text;
        node->name_hash = mirror_tree_hash_bytes(reader->context, what, node->name, node->name_len);
        reader->name = NULL;
    }
    return node;
}

static int add_scalar(reader_t *reader, mirror_node_kind_e kind, const char *value,
                      apr_uint32_t len, unsigned char is_text)
{
    mirror_node_t *node = add_node(reader, kind);

    if (!node) {
        return 0;
    }
    node->value = value;
    node->value_len = len;
    node->is_text = is_text;
    mirror_tree_hash_scalar(reader->context, node);
    return 1;
}

static int open_container(reader_t *reader, mirror_node_kind_e kind)
{
    open_t *open;

    if (reader->depth == MIRROR_TREE_DEPTH_MAX) {
        return fail(reader, MIRROR_TREE_TOO_DEEP);
    }
    if (!add_node(reader, kind)) {
        return 0;
    }
    open = &reader->open[reader->depth++];
    open->node = reader->text->count - 1;
    open->last = MIRROR_NODE_NONE;
    return 1;
}

/* ---- callbacks ---- */

static int on_null(void *ctx)
{
    return add_scalar(ctx, MIRROR_NODE_NULL, "null", 4, 0);
}

static int on_boolean(void *ctx, int value)
{
    return add_scalar(ctx, MIRROR_NODE_BOOL, value ? "true" : "false", value ? 4 : 5, 0);
}

static int on_number(void *ctx, const char *s, size_t len)
{
    reader_t *reader = ctx;

    /* one that ends the text is in a buffer of yajl's */
    if (!is_part_of(reader->text, s, len) && !(s = keep(reader->text, s, len))) {
        return fail(reader, MIRROR_TREE_NO_MEMORY);
    }
    return add_scalar(reader, MIRROR_NODE_NUMBER, s, (apr_uint32_t)len, 0);
}

static int on_string(void *ctx, const unsigned char *s, size_t s_len)
{
    reader_t *reader = ctx;
    unsigned char is_text;
    apr_uint32_t len;
    const char *value = take_string(reader, &len, &is_text, (const char *)s, s_len);

    return value ? add_scalar(reader, MIRROR_NODE_STRING, value, len, is_text)
                 : fail(reader, MIRROR_TREE_NO_MEMORY);
}

static int on_name(void *ctx, const unsigned char *s, size_t s_len)
{
    reader_t *reader = ctx;

    reader->name =
        take_string(reader, &reader->name_len, &reader->name_is_text, (const char *)s, s_len);
    return reader->name ? 1 : fail(reader, MIRROR_TREE_NO_MEMORY);
}

static int on_start_object(void *ctx)
{
    return open_container(ctx, MIRROR_NODE_OBJECT);
}

static int on_start_array(void *ctx)
{
    return open_container(ctx, MIRROR_NODE_ARRAY);
}

static int on_end(void *ctx)
{
    reader_t *reader = ctx;
    mirror_tree_text_t *text = reader->text;
    mirror_node_t *node = &text->nodes[reader->open[--reader->depth].node];
    int is_hashed;

    node->end = text->count;
    is_hashed = node->kind == MIRROR_NODE_OBJECT
                    ? mirror_tree_hash_object(reader->context, text, node)
                    : mirror_tree_hash_array(reader->context, text, node, reader->unordered);

    return is_hashed ? 1 : fail(reader, MIRROR_TREE_NO_MEMORY);
}

/* ---- text ---- */

/* Whether it is UTF-8, and has no white space but that of JSON (RFC 8259 2): yajl takes these two, too. */
static int may_be_json(const char *text, apr_size_t len)
{
    apr_size_t i = 0, n;

    while (i < len) {
        if (text[i] == '\v' || text[i] == '\f') {
            return 0;
        }
        if ((unsigned char)text[i] < 0x80) {
            i++;
            continue;
        }
        n = mirror_utf8_length((const unsigned char *)text + i, len - i);
        if (n == 0) {
            return 0;
        }
        i += n;
    }
    return 1;
}

static mirror_tree_e parse(reader_t *reader)
{
    const mirror_tree_text_t *text = reader->text;
    yajl_status status = yajl_parse(reader->handle, (const unsigned char *)text->text, text->len);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(reader->handle);
    }
    if (status == yajl_status_client_canceled) {
        return reader->result;
    }
    return status == yajl_status_ok && text->count > 0 ? MIRROR_TREE_DONE : MIRROR_TREE_NONE;
}

mirror_tree_e mirror_tree_read(mirror_tree_text_t *text, mirror_tree_context_t *context,
                               int unordered)
{
    static const yajl_callbacks callbacks = {
        on_null,         on_boolean, NULL,   NULL,           on_number, on_string,
        on_start_object, on_name,    on_end, on_start_array, on_end
    };
    reader_t reader;
    mirror_tree_e result;

    text->count = 0;
    text->used = 0;
    if (text->len > MIRROR_TREE_TEXT_MAX) {
        return MIRROR_TREE_TOO_MANY;
    }
    if (text->len == 0 || !may_be_json(text->text, text->len) ||
        (text->len >= 3 && !memcmp(text->text, "\xef\xbb\xbf", 3))) {
        return MIRROR_TREE_NONE;
    }
    memset(&reader, 0, sizeof(reader));
    reader.text = text;
    reader.context = context;
    reader.unordered = unordered;
    reader.handle = yajl_alloc(&callbacks, NULL, &reader);
    if (!reader.handle) {
        return MIRROR_TREE_NO_MEMORY;
    }
    yajl_config(reader.handle, yajl_dont_validate_strings, 1);
    result = parse(&reader);
    yajl_free(reader.handle);
    return result;
}
