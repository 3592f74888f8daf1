/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_report.c - the nodes in the response to a change. See admin/fleet_report.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>

#include "admin/fleet_json.h"
#include "admin/fleet_report.h"
#include "admin/json.h"
#include "base/clock.h"

#define WAIT_MAX 10 /* seconds */
#define WAIT_NAP apr_time_from_msec(100)

/* Return the value of a preference "wait" (RFC 7240 2), seconds; -1 if it is another one. */
static apr_int64_t read_wait(const char *preference)
{
    apr_size_t length = strcspn(preference, "= \t");

    if (length != 4 || ap_cstr_casecmpn(preference, "wait", 4)) {
        return -1;
    }
    preference += length + strspn(preference + length, " \t");
    preference += *preference == '=';
    return apr_atoi64(preference + strspn(preference, " \t\""));
}

/* Return the seconds that the client waits; 0 = it does not. The first preference counts. What follows
 * a semicolon is a parameter of one. */
static int seconds_to_wait(const request_rec *r)
{
    const char *rest = apr_table_get(r->headers_in, "Prefer");
    apr_int64_t seconds = -1;
    char separator = ',';

    while (rest && *rest && seconds < 0) {
        const char *part = ap_get_token(r->pool, &rest, 1);

        seconds = separator == ',' ? read_wait(part) : -1;
        separator = *rest;
        rest += separator != '\0';
    }
    return seconds < 0 ? 0 : seconds > WAIT_MAX ? WAIT_MAX : (int)seconds;
}

int mirror_fleet_report_waits(const request_rec *r)
{
    return seconds_to_wait(r) > 0;
}

/* Whether all live nodes have the document or refuse it. This node is live, so there is one. */
static int have_all_judged(const mirror_nodes_t *nodes)
{
    return !nodes->waiting && nodes->count[MIRROR_NODE_IN_FORCE] +
                                  nodes->count[MIRROR_NODE_BEHIND] +
                                  nodes->count[MIRROR_NODE_REFUSED];
}

/* Read the nodes until all live ones have the document or refuse it, or the time is over. Returns 0
 * if the store does not respond. */
static int wait_for_nodes(mirror_nodes_t *nodes, mirror_remote_t *remote, const char *mirror,
                          const mirror_document_version_t *version, int seconds, apr_pool_t *pool)
{
    apr_time_t end = mirror_clock_now() + apr_time_from_sec(seconds);
    mirror_remote_head_t head;

    for (;;) {
        apr_pool_clear(pool);
        if (mirror_remote_head(&head, remote) != APR_SUCCESS ||
            mirror_nodes_read(nodes, remote, &head, mirror, version, pool) != APR_SUCCESS) {
            return 0;
        }
        if (have_all_judged(nodes) || mirror_clock_now() >= end) {
            return 1;
        }
        apr_sleep(WAIT_NAP);
    }
}

apr_array_header_t *mirror_fleet_report_warnings(const mirror_nodes_t *nodes, apr_pool_t *pool)
{
    apr_array_header_t *texts = apr_array_make(pool, 2, sizeof(const char *));

    if (nodes->older) {
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(
            pool,
            "%s an older module, such as %s with %s; a node refuses a document with an attribute "
            "that its module does not have",
            nodes->older == 1 ? "1 node runs"
                              : apr_psprintf(pool, "%" APR_UINT64_T_FMT " nodes run", nodes->older),
            nodes->older_name, nodes->oldest);
    }
    if (nodes->apart) {
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(
            pool, "%s settings of its own over those of the fleet, such as %s",
            nodes->apart == 1
                ? "1 node has"
                : apr_psprintf(pool, "each of %" APR_UINT64_T_FMT " nodes has", nodes->apart),
            nodes->apart_name);
    }
    if (nodes->other_name) {
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(
            pool,
            "the nodes do not have the same mirrors, such as %s and %s; a change of all mirrors "
            "changes those of the node that is asked",
            nodes->first_name, nodes->other_name);
    }
    return texts;
}

static void put_warnings(yajl_gen gen, const apr_array_header_t *texts, apr_pool_t *pool)
{
    if (texts->nelts) {
        mirror_fleet_json_texts(gen, "warnings", texts, pool);
    }
}

void mirror_fleet_report_put_warnings(yajl_gen gen, const mirror_nodes_t *nodes, apr_pool_t *pool)
{
    put_warnings(gen, mirror_fleet_report_warnings(nodes, pool), pool);
}

/* Append the warnings of a change. A node that has refused the document before may still have to
 * judge the new one. */
static void put_warnings_of_change(yajl_gen gen, const mirror_nodes_t *nodes, apr_pool_t *pool)
{
    apr_array_header_t *texts = mirror_fleet_report_warnings(nodes, pool);

    if (nodes->refusing) {
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(
            pool,
            "%s the last document that it has read, such as %s; if it refuses this change, too, "
            "its former settings remain (GET LOCATION/fleet has the reason)",
            nodes->refusing == 1 ? "1 node refuses"
                                 : apr_psprintf(pool, "each of %" APR_UINT64_T_FMT " nodes refuses",
                                                nodes->refusing),
            nodes->refusing_name);
    }
    put_warnings(gen, texts, pool);
}

void mirror_fleet_report_put(yajl_gen gen, const mirror_fleet_edit_t *requested,
                             const mirror_t *mirror, const mirror_document_version_t *version)
{
    request_rec *r = requested->r;
    int seconds = seconds_to_wait(r);
    int replicas = mirror_write_replicas(requested->remote, r->pool);
    mirror_nodes_t nodes;
    apr_pool_t *pool;

    if (replicas >= 0) {
        mirror_json_put_count(gen, "replicas", (apr_uint64_t)replicas);
    }
    apr_pool_create(&pool, r->pool);
    if (seconds) {
        apr_table_setn(r->headers_out, "Preference-Applied", "wait");
    }
    if (wait_for_nodes(&nodes, requested->remote, mirror ? mirror->name : NULL, version, seconds,
                       pool)) {
        put_warnings_of_change(gen, &nodes, pool);
        if (seconds) {
            mirror_fleet_json_nodes(gen, &nodes, pool);
        }
    }
}
