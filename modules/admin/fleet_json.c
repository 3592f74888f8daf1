/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_json.c - documents and nodes of the fleet as JSON. See admin/fleet_json.h.
 */
#include <string.h>

#include "admin/fleet_json.h"
#include "admin/json.h"
#include "base/clock.h"

void mirror_fleet_json_value(yajl_gen gen, yajl_val value, apr_pool_t *pool)
{
    apr_size_t i;

    if (YAJL_IS_OBJECT(value)) {
        yajl_gen_map_open(gen);
        for (i = 0; i < value->u.object.len; i++) {
            mirror_json_put_text(gen, value->u.object.keys[i], pool);
            mirror_fleet_json_value(gen, value->u.object.values[i], pool);
        }
        yajl_gen_map_close(gen);
    }
    else if (YAJL_IS_ARRAY(value)) {
        yajl_gen_array_open(gen);
        for (i = 0; i < value->u.array.len; i++) {
            mirror_fleet_json_value(gen, value->u.array.values[i], pool);
        }
        yajl_gen_array_close(gen);
    }
    else if (YAJL_IS_STRING(value)) {
        mirror_json_put_text(gen, value->u.string, pool);
    }
    else if (YAJL_IS_NUMBER(value)) {
        yajl_gen_number(gen, value->u.number.r, strlen(value->u.number.r));
    }
    else if (YAJL_IS_NULL(value)) {
        yajl_gen_null(gen);
    }
    else {
        yajl_gen_bool(gen, value->type == yajl_t_true);
    }
}

void mirror_fleet_json_texts(yajl_gen gen, const char *key, const apr_array_header_t *texts,
                             apr_pool_t *pool)
{
    int i;

    mirror_json_put_key(gen, key);
    yajl_gen_array_open(gen);
    for (i = 0; i < texts->nelts; i++) {
        mirror_json_put_text(gen, APR_ARRAY_IDX(texts, i, const char *), pool);
    }
    yajl_gen_array_close(gen);
}

static void put_member(yajl_gen gen, const char *name, const char *text, apr_pool_t *pool)
{
    mirror_json_put_key(gen, name);
    mirror_json_put_text(gen, text, pool);
}

void mirror_fleet_json_document(yajl_gen gen, const mirror_document_t *document, apr_pool_t *pool)
{
    yajl_val json;

    mirror_json_put_key(gen, "attributes");
    if (mirror_override_read_json(&json, document->attributes, strlen(document->attributes),
                                  pool)) {
        yajl_gen_null(gen);
    }
    else {
        mirror_fleet_json_value(gen, json, pool);
    }
    mirror_json_put_count(gen, "revision", (apr_uint64_t)document->version.revision);
    put_member(gen, "by", document->by, pool);
    put_member(gen, "from", document->from, pool);
    put_member(gen, "node", document->node, pool);
    put_member(gen, "at", document->at, pool);
}

void mirror_fleet_json_nodes(yajl_gen gen, const mirror_nodes_t *nodes, apr_pool_t *pool)
{
    static const char *const names[MIRROR_NODE_STATES] = { "in_force", "behind", "refused",
                                                           "silent" };
    int i;

    mirror_json_put_key(gen, "nodes");
    yajl_gen_map_open(gen);
    for (i = 0; i < MIRROR_NODE_STATES; i++) {
        mirror_json_put_count(gen, names[i], nodes->count[i]);
    }
    yajl_gen_map_close(gen);
    mirror_json_put_key(gen, "not_in_force");
    yajl_gen_array_open(gen);
    for (i = 0; i < nodes->others->nelts; i++) {
        const mirror_node_t *node = &APR_ARRAY_IDX(nodes->others, i, mirror_node_t);

        yajl_gen_map_open(gen);
        put_member(gen, "node", node->name, pool);
        put_member(gen, "state", names[node->state], pool);
        mirror_json_put_count(gen, "revision", (apr_uint64_t)node->revision);
        put_member(gen, "module", node->module, pool);
        if (node->refused) {
            mirror_json_put_key(gen, "refused");
            mirror_fleet_json_value(gen, node->refused, pool);
        }
        if (node->own) {
            mirror_json_put_key(gen, "own");
            mirror_fleet_json_value(gen, node->own, pool);
        }
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
}

void mirror_fleet_json_store(yajl_gen gen, mirror_fleet_words_t *words, int responds)
{
    apr_uint64_t down = apr_atomic_read64(&words->down_since);
    apr_uint64_t since = down ? down : apr_atomic_read64(&words->up_since);

    mirror_json_put_key(gen, "store");
    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "up");
    yajl_gen_bool(gen, responds && !down && since);
    mirror_json_put_time(gen, "since", since ? mirror_clock_to_wall((apr_time_t)since) : 0);
    yajl_gen_map_close(gen);
}
