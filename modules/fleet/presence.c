/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/presence.c - the state of this node. See fleet/presence.h.
 */
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/hash.h"
#include "fleet/presence.h"
#include "settings/layers.h"

APLOG_USE_MODULE(proxy_mirror);

#define INTERVAL apr_time_from_sec(10)
/* How much the clocks of two nodes with one name may differ, seconds. An older state is no other node's:
 * it came back with an older store. */
#define SKEW 60
/* While the store has no settings, and so no states. */
#define INTERVAL_EMPTIED apr_time_from_sec(1)

/* What a state is of. */
typedef struct content_t {
    apr_uint64_t revision;
    apr_uint64_t id;
    apr_uint64_t own;     /* sum of the versions of the mirrors' own settings */
    apr_uint64_t emptied; /* whether the store was emptied */
    int changes;          /* of the refused documents */
    unsigned opened;      /* number of the connection */
} content_t;

struct mirror_presence_t {
    const mirror_registry_t *registry;
    mirror_follow_t *follow;
    apr_pool_t *pool;     /* cleared after each use */
    apr_time_t published; /* when, or when that was last tried; 0 = never */
    apr_int64_t at;       /* seconds, wall clock: of the state that was last written; 0 = none */
    int is_rejected;      /* 1 if the store has rejected the state, which was logged */
    content_t content;    /* of the state that was published, or tried */
};

mirror_presence_t *mirror_presence_create(const mirror_registry_t *registry,
                                          mirror_follow_t *follow, apr_pool_t *pool)
{
    mirror_presence_t *presence = apr_pcalloc(pool, sizeof(*presence));

    presence->registry = registry;
    presence->follow = follow;
    apr_pool_create(&presence->pool, pool);
    apr_pool_tag(presence->pool, "mirror_fleet_presence"); /* the poller's thread */
    return presence;
}

static const char *hex_of(apr_uint64_t number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT, number);
}

/* Return a number that grows with each change of the node's own settings. */
static apr_uint64_t own_version(const mirror_registry_t *registry)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        sum += mirror->slot ? apr_atomic_read64(&mirror->slot->version) : 0;
    }
    return sum;
}

static void put_own(yajl_gen gen, const mirror_presence_t *presence)
{
    const mirror_registry_t *registry = presence->registry;
    mirror_layers_t layers;
    int i, listed = 0;

    mirror_document_put(gen, "own");
    yajl_gen_array_open(gen);
    for (i = 0; i < registry->mirrors->nelts && listed < MIRROR_FOLLOW_LISTED; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        if (!mirror->slot || !apr_atomic_read64(&mirror->slot->version)) {
            continue;
        }
        mirror_layers_read(&layers, registry, mirror, presence->pool);
        if (layers.node) {
            mirror_document_put(gen, mirror->name);
            listed++;
        }
    }
    yajl_gen_array_close(gen);
}

/* Return a hash of the names of all mirrors, in any order (a sum of FNV-1a). */
static apr_uint64_t hash_of_mirrors(const mirror_registry_t *registry)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const char *name = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *)->name;

        sum += mirror_hash_bytes(MIRROR_HASH_START, name, strlen(name));
    }
    return sum;
}

/* Return a number that only this start of httpd has, the same in all children; 0 = none. */
static apr_uint64_t number_of_start(mirror_fleet_words_t *words)
{
    apr_uint64_t start = 0, former;

    apr_generate_random_bytes((unsigned char *)&start, sizeof(start));
    former = apr_atomic_cas64(&words->start, start, 0);
    return former ? former : start;
}

/* Report another node that writes to the state of this one: both have one name. A state that this
 * presence has not yet replaced may be that of an earlier start. */
static void look_for_twin(const mirror_presence_t *presence, apr_uint64_t start)
{
    const mirror_fleet_t *fleet = presence->registry->fleet;
    mirror_fleet_words_t *words = mirror_table_fleet(presence->registry->table);
    const char *path[] = { "start", NULL }, *path_of_at[] = { "at", NULL }, *text;
    yajl_val json, found, at;

    if (!presence->at || apr_atomic_read64(&words->twin) ||
        mirror_remote_get(&text, mirror_follow_remote(presence->follow), MIRROR_FLEET_NODES,
                          fleet->node, presence->pool) != APR_SUCCESS ||
        !text || mirror_override_read_json(&json, text, strlen(text), presence->pool)) {
        return;
    }
    found = yajl_tree_get(json, path, yajl_t_string);
    at = yajl_tree_get(json, path_of_at, yajl_t_number);
    if (found && strcmp(found->u.string, hex_of(start, presence->pool)) && YAJL_IS_INTEGER(at) &&
        YAJL_GET_INTEGER(at) >= presence->at - SKEW && apr_atomic_cas64(&words->twin, 1, 0) == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, fleet->server,
                     "PM0939: another node of the fleet %s has the name of this one, %s; both are "
                     "counted as one: give each a host name, port or ServerRoot of its own",
                     fleet->name, fleet->node);
    }
}

static const char *print(const mirror_presence_t *presence, apr_uint64_t start)
{
    const unsigned char *text;
    yajl_gen gen = yajl_gen_alloc(NULL);
    const char *copy;
    size_t len;

    yajl_gen_map_open(gen);
    mirror_document_put(gen, "at");
    yajl_gen_integer(gen, (long long)apr_time_sec(mirror_clock_to_wall(mirror_clock_now())));
    mirror_document_put(gen, "revision");
    yajl_gen_integer(gen, (long long)presence->content.revision);
    mirror_document_put(gen, "id");
    mirror_document_put(gen, hex_of(presence->content.id, presence->pool));
    mirror_document_put(gen, "epoch");
    mirror_document_put(
        gen, hex_of(apr_atomic_read64(&mirror_table_fleet(presence->registry->table)->epoch),
                    presence->pool));
    mirror_document_put(gen, "start");
    mirror_document_put(gen, hex_of(start, presence->pool));
    mirror_document_put(gen, "module");
    mirror_document_put(gen, PROXY_MIRROR_VERSION);
    mirror_document_put(gen, "httpd");
    mirror_document_put(gen, ap_get_server_banner());
    mirror_follow_print(gen, presence->follow, presence->pool);
    put_own(gen, presence);
    mirror_document_put(gen, "mirrors");
    mirror_document_put(gen, hex_of(hash_of_mirrors(presence->registry), presence->pool));
    yajl_gen_map_close(gen);
    yajl_gen_get_buf(gen, &text, &len);
    copy = apr_pstrmemdup(presence->pool, (const char *)text, len);
    yajl_gen_free(gen);
    return copy;
}

/* Keep the text for this node's own manager. */
static void store(const mirror_presence_t *presence, const char *text)
{
    mirror_table_t *table = presence->registry->table;
    mirror_fleet_words_t *words = mirror_table_fleet(table);

    mirror_store_write(&words->state, mirror_table_fleet_state(table),
                       mirror_table_store_lock(table), apr_atomic_read64(&words->state), 0, text);
}

/* ---- publishing ---- */

static void look(content_t *content, const mirror_presence_t *presence)
{
    mirror_fleet_words_t *words = mirror_table_fleet(presence->registry->table);

    content->revision = apr_atomic_read64(&words->revision);
    content->id = apr_atomic_read64(&words->id);
    content->own = own_version(presence->registry);
    content->emptied = apr_atomic_read64(&words->emptied);
    content->changes = mirror_follow_changes(presence->follow);
    content->opened = mirror_redis_route_opened(mirror_follow_remote(presence->follow)->route);
}

/* Whether the state must be published. A store that rejects it also closes the connection, so a
 * new connection is then no reason to try again. */
static int is_due(const mirror_presence_t *presence, const content_t *content)
{
    const content_t *before = &presence->content;
    apr_interval_time_t age = mirror_clock_now() - presence->published;

    if (!presence->published || age >= (content->emptied ? INTERVAL_EMPTIED : INTERVAL)) {
        return 1;
    }
    return !presence->is_rejected &&
           (content->opened != before->opened || content->revision != before->revision ||
            content->id != before->id || content->changes != before->changes ||
            content->own != before->own || content->emptied != before->emptied);
}

/* Note whether the store has taken the state. A connection that was lost is a matter of the next poll. */
static void note_result(mirror_presence_t *presence, apr_status_t rv)
{
    const mirror_fleet_t *fleet = presence->registry->fleet;

    if (rv == APR_SUCCESS) {
        presence->is_rejected = 0;
        presence->at = (apr_int64_t)apr_time_sec(mirror_clock_to_wall(presence->published));
    }
    if (rv == APR_EACCES && !presence->is_rejected) {
        presence->is_rejected = 1;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, fleet->server,
                     "PM0940: the store of the fleet %s rejects the state of this node, %s, which "
                     "the other nodes will see as silent: %s",
                     fleet->name, fleet->node, mirror_follow_remote(presence->follow)->fault);
    }
}

void mirror_presence_publish(mirror_presence_t *presence)
{
    const mirror_fleet_t *fleet = presence->registry->fleet;
    const char *argv[] = { "HSET", fleet->keys[MIRROR_FLEET_NODES], fleet->node, NULL };
    const mirror_redis_reply_t *reply;
    apr_uint64_t start;
    content_t content;

    look(&content, presence);
    if (!is_due(presence, &content)) {
        return;
    }
    start = number_of_start(mirror_table_fleet(presence->registry->table));
    look_for_twin(presence, start);
    presence->published = mirror_clock_now();
    presence->content = content;
    argv[3] = print(presence, start);
    store(presence, argv[3]);
    mirror_follow_remote(presence->follow)->deadline = 0;
    note_result(presence,
                mirror_remote_command(&reply, mirror_follow_remote(presence->follow), 4, argv));
    apr_pool_clear(presence->pool);
}
