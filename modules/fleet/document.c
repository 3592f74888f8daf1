/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/document.c - the document of a mirror. See fleet/document.h.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/document.h"

#define FORMAT   1
#define TEXT_MAX 256 /* bytes of by, from, node and at */

/* ---- versions ---- */

int mirror_document_read_version(mirror_document_version_t *version, const char *text)
{
    apr_size_t digits = strspn(text, "0123456789");
    const char *id = text + digits + 1;
    char *end;

    if (digits < 1 || digits > 15 || text[digits] != '-' || strspn(id, "0123456789abcdef") != 16 ||
        (id[16] && strcmp(id + 16, "!"))) {
        return 0;
    }
    version->revision = apr_strtoi64(text, NULL, 10);
    version->id = (apr_uint64_t)strtoull(id, &end, 16);
    version->is_deleted = id[16] == '!';
    return version->revision > 0;
}

const char *mirror_document_print_version(const mirror_document_version_t *version,
                                          apr_pool_t *pool)
{
    return version->revision ? apr_psprintf(pool, "%" APR_INT64_T_FMT "-%016" APR_UINT64_T_HEX_FMT,
                                            version->revision, version->id)
                             : "";
}

int mirror_document_is_same(const mirror_document_version_t *a, const mirror_document_version_t *b)
{
    return a->revision == b->revision && a->id == b->id;
}

/* ---- parsing ---- */

static int begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

const char *mirror_document_refuse_name(const char *name, apr_pool_t *pool)
{
    if (begins_with(name, "redis_") || begins_with(name, "sentinel_")) {
        return apr_psprintf(pool,
                            "%.64s: must be in the configuration file of each node, got it for "
                            "the fleet",
                            name);
    }
    return NULL;
}

const char *mirror_document_refuse(yajl_val attributes, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < attributes->u.object.len; i++) {
        const char *name = attributes->u.object.keys[i];
        yajl_val value = attributes->u.object.values[i];
        const char *wrong = mirror_document_refuse_name(name, pool);

        if (wrong) {
            return wrong;
        }
        if (!strcmp(name, "host") && YAJL_IS_STRING(value) &&
            begins_with(YAJL_GET_STRING(value), "unix:")) {
            return "host: must be a URL for the fleet, got a Unix socket";
        }
    }
    return NULL;
}

/* Return why a document of the store has attributes that this module does not have. */
static const char *refuse_unknown(yajl_val attributes, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < attributes->u.object.len; i++) {
        const char *name = attributes->u.object.keys[i];

        if (!mirror_attributes_find(name)) {
            return apr_psprintf(pool, "attributes: must be those of version %s, got %s",
                                PROXY_MIRROR_VERSION,
                                mirror_value_quote(apr_pstrndup(pool, name, 64), pool));
        }
    }
    return NULL;
}

static void print_value(yajl_gen gen, yajl_val value)
{
    apr_size_t i;

    switch (value->type) {
    case yajl_t_object:
        yajl_gen_map_open(gen);
        for (i = 0; i < value->u.object.len; i++) {
            const char *key = value->u.object.keys[i];

            yajl_gen_string(gen, (const unsigned char *)key, strlen(key));
            print_value(gen, value->u.object.values[i]);
        }
        yajl_gen_map_close(gen);
        break;
    case yajl_t_array:
        yajl_gen_array_open(gen);
        for (i = 0; i < value->u.array.len; i++) {
            print_value(gen, value->u.array.values[i]);
        }
        yajl_gen_array_close(gen);
        break;
    case yajl_t_string:
        yajl_gen_string(gen, (const unsigned char *)value->u.string, strlen(value->u.string));
        break;
    case yajl_t_number:
        yajl_gen_number(gen, value->u.number.r, strlen(value->u.number.r));
        break;
    case yajl_t_null:
        yajl_gen_null(gen);
        break;
    default:
        yajl_gen_bool(gen, value->type == yajl_t_true);
    }
}

static const char *end_text(yajl_gen gen, apr_pool_t *pool)
{
    const unsigned char *text;
    const char *copy;
    size_t len;

    yajl_gen_get_buf(gen, &text, &len);
    copy = apr_pstrmemdup(pool, (const char *)text, len);
    yajl_gen_free(gen);
    return copy;
}

/* Return the member `name` of an object, NULL if there is none. */
static yajl_val member(yajl_val json, const char *name)
{
    const char *path[] = { name, NULL };

    return yajl_tree_get(json, path, yajl_t_any);
}

static int read_text(const char **text, yajl_val json, const char *name, apr_pool_t *pool)
{
    yajl_val value = member(json, name);

    *text = "";
    if (!value || YAJL_IS_NULL(value)) {
        return 1;
    }
    if (!YAJL_IS_STRING(value)) {
        return 0;
    }
    *text = apr_pstrdup(pool, value->u.string);
    return strlen(*text) <= TEXT_MAX;
}

static const char *read_origin(mirror_document_t *document, yajl_val json, apr_pool_t *pool)
{
    yajl_val revision = member(json, "rev"), id = member(json, "id");
    const char *version;

    if (!revision || !YAJL_IS_INTEGER(revision) || !id || !YAJL_IS_STRING(id)) {
        return "document: must have a number rev and a text id, got others or none";
    }
    version = apr_psprintf(pool, "%" APR_INT64_T_FMT "-%.32s",
                           (apr_int64_t)YAJL_GET_INTEGER(revision), YAJL_GET_STRING(id));
    if (!mirror_document_read_version(&document->version, version)) {
        return "document: must have a rev and an id of 16 hex digits, got others";
    }
    if (!read_text(&document->by, json, "by", pool) ||
        !read_text(&document->from, json, "from", pool) ||
        !read_text(&document->node, json, "node", pool) ||
        !read_text(&document->at, json, "at", pool)) {
        return "document: by, from, node and at must be texts of at most 256 bytes, got others";
    }
    return NULL;
}

const char *mirror_document_parse(mirror_document_t *document, const char *text, apr_pool_t *pool)
{
    yajl_val json, format, attributes;
    const char *wrong = mirror_override_read_json(&json, text, strlen(text), pool);
    yajl_gen gen;

    memset(document, 0, sizeof(*document));
    if (wrong) {
        return apr_pstrcat(pool, "document: must be a JSON object, got another text (", wrong, ")",
                           NULL);
    }
    format = member(json, "format");
    if (!format || !YAJL_IS_INTEGER(format) || YAJL_GET_INTEGER(format) != FORMAT) {
        return "document: must be of format 1, got another one (of a newer version?)";
    }
    wrong = read_origin(document, json, pool);
    attributes = member(json, "attributes");
    if (wrong) {
        return wrong;
    }
    if (!attributes || !(YAJL_IS_OBJECT(attributes) || YAJL_IS_NULL(attributes))) {
        return "document: attributes must be an object or null, got another value";
    }
    document->version.is_deleted = YAJL_IS_NULL(attributes);
    if (YAJL_IS_NULL(attributes)) {
        return NULL;
    }
    gen = yajl_gen_alloc(NULL);
    print_value(gen, attributes);
    document->attributes = end_text(gen, pool);
    wrong = mirror_document_refuse(attributes, pool);
    return wrong ? wrong : refuse_unknown(attributes, pool);
}

/* ---- printing ---- */

void mirror_document_put(yajl_gen gen, const char *text)
{
    yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

/* Print `,"id":...,"at":...`: the members that follow the revision, from the comma on. */
static const char *print_origin(const mirror_document_t *document, apr_pool_t *pool)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    const char *text;

    yajl_gen_map_open(gen);
    mirror_document_put(gen, "id");
    mirror_document_put(gen, apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT, document->version.id));
    mirror_document_put(gen, "by");
    mirror_document_put(gen, document->by);
    mirror_document_put(gen, "from");
    mirror_document_put(gen, document->from);
    mirror_document_put(gen, "node");
    mirror_document_put(gen, document->node);
    mirror_document_put(gen, "at");
    mirror_document_put(gen, document->at);
    yajl_gen_map_close(gen);
    text = end_text(gen, pool); /* {...} */
    return apr_pstrcat(pool, ",", apr_pstrmemdup(pool, text + 1, strlen(text) - 2), NULL);
}

void mirror_document_print(const char **before, const char **after,
                           const mirror_document_t *document, apr_pool_t *pool)
{
    *before = apr_psprintf(pool, "{\"format\":%d,\"rev\":", FORMAT);
    *after = apr_pstrcat(pool, print_origin(document, pool),
                         ",\"attributes\":", document->attributes ? document->attributes : "null",
                         "}", NULL);
}

/* The first line is a document without attributes. */
const char *mirror_document_to_store(const mirror_document_t *document, apr_pool_t *pool)
{
    if (!document->attributes) {
        return NULL;
    }
    return apr_pstrcat(pool,
                       apr_psprintf(pool, "{\"format\":%d,\"rev\":%" APR_INT64_T_FMT, FORMAT,
                                    document->version.revision),
                       print_origin(document, pool), ",\"attributes\":null}\n",
                       document->attributes, NULL);
}

int mirror_document_of_store(mirror_document_t *document, const char *text, apr_pool_t *pool)
{
    const char *end = text ? strchr(text, '\n') : NULL;

    if (!end || mirror_document_parse(document,
                                      apr_pstrmemdup(pool, text, (apr_size_t)(end - text)), pool)) {
        memset(document, 0, sizeof(*document));
        return 0;
    }
    document->attributes = end + 1;
    document->version.is_deleted = 0;
    return 1;
}
