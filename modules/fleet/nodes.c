/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/nodes.c - the states of all nodes. See fleet/nodes.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "fleet/follow.h"
#include "fleet/nodes.h"

#define LISTED_MAX 100
#define FINE_MAX   20
#define NODES_MAX  20000
#define STATE_MAX  16384              /* bytes of a state */
#define BYTES_MAX  (16 * 1024 * 1024) /* of all states */
#define GONE_MAX   32                 /* states that one call removes */
#define SILENT     30                 /* seconds */
#define GONE       3600
#define NUMBER_MAX APR_INT64_C(1000000000000000) /* of a time or a revision; differences fit, too */
/* While a store is empty, live nodes write their states each second. */
#define REWRITTEN apr_time_from_msec(2500)

typedef struct reading_t {
    mirror_nodes_t *nodes;
    const mirror_remote_head_t *head;
    const char *mirror;
    const mirror_document_version_t *version;
    apr_int64_t now;  /* seconds, wall clock */
    apr_hash_t *seen; /* HSCAN may return a node twice */
    apr_array_header_t *gone;
    apr_size_t bytes; /* of names and states so far */
    apr_pool_t *pool;
    apr_pool_t *ptemp; /* cleared after each node */
} reading_t;

static yajl_val member(yajl_val json, const char *name, yajl_type type)
{
    const char *path[] = { name, NULL };

    return yajl_tree_get(json, path, type);
}

static apr_int64_t number(yajl_val json, const char *name)
{
    yajl_val value = member(json, name, yajl_t_number);

    if (!value || !YAJL_IS_INTEGER(value)) {
        return 0;
    }
    return YAJL_GET_INTEGER(value) > NUMBER_MAX    ? NUMBER_MAX
           : YAJL_GET_INTEGER(value) < -NUMBER_MAX ? -NUMBER_MAX
                                                   : (apr_int64_t)YAJL_GET_INTEGER(value);
}

static const char *text_of(yajl_val json, const char *name, apr_pool_t *pool)
{
    yajl_val value = member(json, name, yajl_t_string);

    return value ? apr_pstrndup(pool, value->u.string, 64) : "";
}

/* ---- one node ---- */

static int is_silent(const reading_t *reading, yajl_val json)
{
    apr_int64_t age = reading->now - number(json, "at");

    return age > SILENT || age < -GONE;
}

static mirror_node_state_e judge(const mirror_node_t *node, const reading_t *reading, yajl_val json)
{
    if (is_silent(reading, json)) {
        return MIRROR_NODE_SILENT;
    }
    if (node->refused) {
        return MIRROR_NODE_REFUSED;
    }
    return node->revision == reading->head->revision && node->id == reading->head->id
               ? MIRROR_NODE_IN_FORCE
               : MIRROR_NODE_BEHIND;
}

/* Whether the node has followed the store of this head up to the sought document. A store that was
 * emptied counts from 1 again; one that has gone back has other changes of the same numbers, and a node
 * that has not seen it yet has a higher one than the head. */
static int has_reached(const mirror_node_t *node, const reading_t *reading)
{
    const mirror_document_version_t *version = reading->version;

    return node->epoch == reading->head->epoch && node->revision <= reading->head->revision &&
           (node->revision > version->revision ||
            (node->revision == version->revision && node->id == version->id));
}

/* Return whether the node has the sought document, or refuses it. */
static int has_judged(const mirror_node_t *node, const reading_t *reading)
{
    yajl_val refused = node->refused && reading->mirror
                           ? member(node->refused, reading->mirror, yajl_t_object)
                           : NULL;

    if (refused && !strcmp(text_of(refused, "id", reading->pool),
                           mirror_document_print_version(reading->version, reading->pool))) {
        return 1;
    }
    return has_reached(node, reading);
}

static yajl_val parse(const mirror_redis_reply_t *value, apr_pool_t *pool)
{
    yajl_val json;

    if (!mirror_redis_reply_is_text(value) || value->length > STATE_MAX ||
        mirror_override_read_json(&json, value->text, value->length, pool)) {
        return NULL;
    }
    return json;
}

/* ---- what differs between nodes ---- */

/* Read "MAJOR.MINOR.PATCH" to one number; what follows is ignored. Returns -1 for anything else. */
static apr_int64_t number_of_version(const char *text)
{
    apr_int64_t number = 0;
    int part;

    for (part = 0; part < 3; part++) {
        apr_size_t digits = strspn(text, "0123456789");

        if (digits == 0 || digits > 4) {
            return -1;
        }
        number = number * 10000 + apr_atoi64(text);
        text += digits;
        if (part < 2 && *text++ != '.') {
            return -1;
        }
    }
    return number;
}

static void note_module(const reading_t *reading, const mirror_node_t *node)
{
    mirror_nodes_t *nodes = reading->nodes;
    apr_int64_t number = number_of_version(node->module);

    if (number < 0 || number >= number_of_version(PROXY_MIRROR_VERSION)) {
        return;
    }
    nodes->older++;
    if (!nodes->oldest || number < number_of_version(nodes->oldest)) {
        nodes->oldest = apr_pstrdup(reading->pool, node->module);
        nodes->older_name = apr_pstrdup(reading->pool, node->name);
    }
}

static void note_own(const reading_t *reading, const mirror_node_t *node)
{
    /* a list that is full may lack it: one warning too many is better than none */
    apr_size_t i, has = node->own && node->own->u.array.len >= MIRROR_FOLLOW_LISTED;

    for (i = 0; node->own && i < node->own->u.array.len && !has; i++) {
        yajl_val name = node->own->u.array.values[i];

        has =
            YAJL_IS_STRING(name) && (!reading->mirror || !strcmp(name->u.string, reading->mirror));
    }
    if (has) {
        reading->nodes->apart++;
        if (!reading->nodes->apart_name) {
            reading->nodes->apart_name = apr_pstrdup(reading->pool, node->name);
        }
    }
}

static void note_refusing(const reading_t *reading, const mirror_node_t *node)
{
    if (node->refused && (!reading->mirror || node->refused->u.object.len >= MIRROR_FOLLOW_LISTED ||
                          member(node->refused, reading->mirror, yajl_t_object))) {
        reading->nodes->refusing++;
        if (!reading->nodes->refusing_name) {
            reading->nodes->refusing_name = apr_pstrdup(reading->pool, node->name);
        }
    }
}

static void note_mirrors(const reading_t *reading, const mirror_node_t *node)
{
    mirror_nodes_t *nodes = reading->nodes;

    if (reading->mirror || !*node->mirrors || nodes->other_name) {
        return;
    }
    if (!nodes->first_name) {
        nodes->first_name = apr_pstrdup(reading->pool, node->name);
        nodes->first_mirrors = apr_pstrdup(reading->pool, node->mirrors);
    }
    else if (strcmp(nodes->first_mirrors, node->mirrors)) {
        nodes->other_name = apr_pstrdup(reading->pool, node->name);
    }
}

static apr_uint64_t hex_of(yajl_val json, const char *name, apr_pool_t *pool)
{
    return (apr_uint64_t)strtoull(text_of(json, name, pool), NULL, 16);
}

/* Fill in a node from its state. */
static void read_node(mirror_node_t *node, const reading_t *reading, const char *name,
                      yajl_val json, apr_pool_t *pool)
{
    node->name = apr_pstrdup(pool, name);
    node->revision = number(json, "revision");
    node->id = hex_of(json, "id", pool);
    node->epoch = hex_of(json, "epoch", pool);
    node->module = text_of(json, "module", pool);
    node->mirrors = text_of(json, "mirrors", pool);
    node->refused = member(json, "refused", yajl_t_object);
    node->refused = node->refused && node->refused->u.object.len ? node->refused : NULL;
    node->own = member(json, "own", yajl_t_array);
    node->own = node->own && node->own->u.array.len ? node->own : NULL;
    node->state = judge(node, reading, json);
}

/* Keep the node in the list of its state, if that has room. */
static void list(const reading_t *reading, const mirror_node_t *node,
                 const mirror_redis_reply_t *value)
{
    int is_fine = node->state == MIRROR_NODE_IN_FORCE;
    apr_array_header_t *listed = is_fine ? reading->nodes->fine : reading->nodes->others;
    yajl_val json;

    if (listed->nelts < (is_fine ? FINE_MAX : LISTED_MAX)) {
        json = parse(value, reading->pool);
        read_node(apr_array_push(listed), reading, node->name, json, reading->pool);
    }
}

static void note(const reading_t *reading, const mirror_node_t *node)
{
    mirror_nodes_t *nodes = reading->nodes;

    nodes->count[node->state]++;
    if (node->state != MIRROR_NODE_SILENT) {
        nodes->knowing += node->epoch != 0;
        nodes->waiting += reading->version && !has_judged(node, reading);
        note_module(reading, node);
        note_own(reading, node);
        note_refusing(reading, node);
        note_mirrors(reading, node);
    }
}

/* Keep the state of a node that seems silent, but may know the settings. */
static void note_doubtful(const reading_t *reading, const char *name, yajl_val json,
                          const mirror_redis_reply_t *value)
{
    if (hex_of(json, "epoch", reading->ptemp) &&
        apr_hash_count(reading->nodes->doubtful) < LISTED_MAX) {
        apr_hash_set(reading->nodes->doubtful, name, APR_HASH_KEY_STRING,
                     apr_pstrdup(reading->pool, value->text));
    }
}

/* Return whether the reading goes on after this state. */
static int is_bounded(reading_t *reading, const mirror_redis_reply_t *field,
                      const mirror_redis_reply_t *value)
{
    reading->bytes += field->length + value->length;
    return apr_hash_count(reading->seen) < NODES_MAX && reading->bytes < BYTES_MAX;
}

/* The `visit` of mirror_remote_scan(). */
static int visit(void *baton, const mirror_redis_reply_t *field, const mirror_redis_reply_t *value)
{
    reading_t *reading = baton;
    const char *name;
    mirror_node_t node;
    yajl_val json;

    if (!mirror_redis_reply_is_text(field) || field->length > 255) {
        return is_bounded(reading, field, value);
    }
    if (apr_hash_get(reading->seen, field->text, APR_HASH_KEY_STRING)) {
        return is_bounded(reading, field, value);
    }
    name = apr_pstrdup(reading->pool, field->text);
    apr_hash_set(reading->seen, name, APR_HASH_KEY_STRING, name);
    apr_pool_clear(reading->ptemp);
    json = parse(value, reading->ptemp);
    if (json && is_silent(reading, json)) {
        note_doubtful(reading, name, json, value);
    }
    if (!json || reading->now - number(json, "at") > GONE) {
        if (reading->gone->nelts < GONE_MAX) {
            APR_ARRAY_PUSH(reading->gone, const char *) = name;
        }
        return is_bounded(reading, field, value);
    }
    read_node(&node, reading, name, json, reading->ptemp);
    note(reading, &node);
    list(reading, &node, value);
    return is_bounded(reading, field, value);
}

/* ---- all ---- */

apr_status_t mirror_nodes_read(mirror_nodes_t *nodes, mirror_remote_t *remote,
                               const mirror_remote_head_t *head, const char *mirror,
                               const mirror_document_version_t *version, apr_pool_t *pool)
{
    reading_t reading = { nodes, head, mirror, version, 0, NULL, NULL, 0, pool, NULL };
    const mirror_redis_reply_t *reply;
    apr_uint64_t live;
    apr_status_t rv;
    int i;

    memset(nodes, 0, sizeof(*nodes));
    nodes->others = apr_array_make(pool, 8, sizeof(mirror_node_t));
    nodes->doubtful = apr_hash_make(pool);
    nodes->fine = apr_array_make(pool, 8, sizeof(mirror_node_t));
    reading.now = (apr_int64_t)apr_time_sec(mirror_clock_to_wall(mirror_clock_now()));
    reading.seen = apr_hash_make(pool);
    apr_pool_create(&reading.ptemp, pool);
    reading.gone = apr_array_make(pool, 4, sizeof(const char *));
    rv = mirror_remote_scan(remote, MIRROR_FLEET_NODES, visit, &reading);
    live = nodes->count[MIRROR_NODE_IN_FORCE] + nodes->count[MIRROR_NODE_BEHIND] +
           nodes->count[MIRROR_NODE_REFUSED];
    /* if no other node is live, the clock of this one is more likely wrong than all others are gone */
    for (i = 0; rv == APR_SUCCESS && live > 1 && i < reading.gone->nelts; i++) {
        const char *argv[] = { "HDEL", remote->fleet->keys[MIRROR_FLEET_NODES],
                               APR_ARRAY_IDX(reading.gone, i, const char *) };

        mirror_remote_command(&reply, remote, 3, argv);
    }
    return rv;
}

/* Return whether a state of `before` was written again, or there is a new one. */
static int was_written(const apr_hash_t *before, apr_hash_t *now, apr_pool_t *pool)
{
    apr_hash_index_t *i;

    for (i = apr_hash_first(pool, now); i; i = apr_hash_next(i)) {
        const char *text =
            apr_hash_get((apr_hash_t *)before, apr_hash_this_key(i), APR_HASH_KEY_STRING);

        if (!text || strcmp(text, apr_hash_this_val(i))) {
            return 1;
        }
    }
    return 0;
}

apr_status_t mirror_nodes_know_more(int *know, mirror_remote_t *remote, apr_pool_t *pool)
{
    mirror_remote_head_t head;
    mirror_nodes_t nodes, later;
    apr_status_t rv = mirror_remote_content(&head, remote);

    *know = 0;
    if (rv != APR_SUCCESS || head.epoch) {
        return rv;
    }
    rv = mirror_nodes_read(&nodes, remote, &head, NULL, NULL, pool);
    *know = rv == APR_SUCCESS && nodes.knowing > 0;
    if (rv != APR_SUCCESS || *know || !apr_hash_count(nodes.doubtful)) {
        return rv;
    }
    apr_sleep(REWRITTEN);
    rv = mirror_nodes_read(&later, remote, &head, NULL, NULL, pool);
    *know = rv == APR_SUCCESS &&
            (later.knowing > 0 || was_written(nodes.doubtful, later.doubtful, pool));
    return rv;
}
