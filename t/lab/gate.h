/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * gate.h - the stage of limits of one mirror, and a strategy that responds when the test lets it.
 */
#ifndef GATE_H
#define GATE_H

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <httpd.h>
#include <ap_provider.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/tls.h"
#include "base/window.h"
#include "send/gate.h"
#include "shared/table.h"

/* No connection is made here; with this one the linker leaves out the one that needs all of httpd.
 * */
const mirror_transport_t mirror_tls_transport;

enum { HELPERS = 4 };

static apr_pool_t *pool;
static mirror_slot_t slot;
static mirror_cell_t cell;
static mirror_settings_t settings;
static mirror_t mirror;
static mirror_t *mirrors[1] = { &mirror };
static apr_array_header_t list;
static mirror_registry_t registry;
static mirror_child_t child;
static mirror_lane_t lane;
static mirror_send_t context;
static mirror_gates_t *limits;
static int passed; /* copies that the stage has passed on */

/* In place of the pool. */
void mirror_pool_put(mirror_send_t *p, mirror_copy_t *copy)
{
    (void)p;
    passed++;
    mirror_copy_end(copy, MIRROR_OUTCOME_MIRRORED);
}

/* ---- the strategy ---- */

static struct {
    apr_thread_mutex_t *mutex; /* of the rest */
    apr_thread_cond_t *changed;
    int gate_open;
    int queried; /* number of queries */
    apr_int64_t requested;
    apr_status_t status;
    mirror_limit_result_t result;
    int opened, closed;
} server;

static void *fake_open(const mirror_t *m, const mirror_settings_t *t, apr_uint32_t *g,
                       apr_pool_t *p)
{
    (void)m;
    (void)t;
    (void)g;
    (void)p;
    server.opened++;
    return &server;
}

static apr_status_t fake_query(mirror_limit_result_t *result, void *state, apr_int64_t requested,
                               apr_time_t deadline)
{
    apr_status_t rv;

    (void)state;
    (void)deadline;
    apr_thread_mutex_lock(server.mutex);
    server.queried++;
    server.requested = requested;
    apr_thread_cond_broadcast(server.changed);
    while (!server.gate_open) {
        apr_thread_cond_wait(server.changed, server.mutex);
    }
    *result = server.result;
    rv = server.status;
    apr_thread_mutex_unlock(server.mutex);
    return rv;
}

static void fake_close(void *state)
{
    (void)state;
    server.closed++;
}

static const mirror_limit_provider_t provider = { 1, NULL, fake_open, fake_query, fake_close };

AP_DECLARE(void *) ap_lookup_provider(const char *group, const char *name, const char *version)
{
    ck_assert_str_eq(group, MIRROR_LIMIT_PROVIDERS);
    ck_assert_str_eq(name, "redis");
    (void)version;
    return (void *)&provider;
}

static void open_gate(int open)
{
    apr_thread_mutex_lock(server.mutex);
    server.gate_open = open;
    apr_thread_cond_broadcast(server.changed);
    apr_thread_mutex_unlock(server.mutex);
}

/* ---- the stage ---- */

static int no_wake(void *baton)
{
    (void)baton;
    return 1;
}

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    memset(&server, 0, sizeof(server));
    apr_thread_mutex_create(&server.mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    apr_thread_cond_create(&server.changed, pool);
    memset(&slot, 0, sizeof(slot));
    memset(&cell, 0, sizeof(cell));
    memset(&settings, 0, sizeof(settings));
    settings.enable_limit_count = 1;
    settings.count = 11;
    settings.time_window = 60;
    settings.policy = 1;
    settings.redis_timeout = 60000;
    settings.limit_fallback = MIRROR_FALLBACK_DROP;
    settings.limit_id = 7;
    settings.max_connections = 100;
    mirror.name = "m";
    mirror.settings = &settings;
    mirror.slot = &slot;
    list.elts = (char *)mirrors;
    list.nelts = 1;
    registry.mirrors = &list;
    registry.threads = HELPERS;
    memset(&child, 0, sizeof(child));
    child.registry = &registry;
    registry.memory = 1 << 20;
    mirror_copy_start(&child, pool);
    child.lanes = &lane;
    memset(&lane, 0, sizeof(lane));
    lane.mirror = &mirror;
    lane.child = &child;
    lane.cell = &cell;
    memset(&context, 0, sizeof(context));
    context.child = &child;
    ck_assert_int_eq(mirror_loop_create(&context.loop, pool), APR_SUCCESS);
    context.count = 1;
    passed = 0;
    ck_assert_int_eq(mirror_helpers_create(&context.helpers, HELPERS, pool), APR_SUCCESS);
    limits = mirror_gate_create_all(&context, no_wake, NULL, pool);
}

/* Everything has an outcome. */
static void teardown(void)
{
    open_gate(1);
    mirror_gate_close_all(limits);
    ck_assert_int_eq(mirror_gate_count(limits), 0);
    ck_assert_uint_eq(lane.pending, 0);
    ck_assert_uint_eq(child.memory.used, 0);
    while (mirror_helpers_pending(context.helpers) > 0) {
        mirror_gate_take_results(limits);
        apr_thread_yield();
    }
    mirror_gate_close_all(limits);
    ck_assert_int_eq(mirror_helpers_end(context.helpers), 0);
    apr_pool_destroy(pool);
}

/* Put `n` copies in, and dispatch. Returns how many of them were refused before they were made. */
static int put(int n)
{
    mirror_copy_t *copy;
    int refused = 0;

    while (n-- > 0) {
        if (mirror_copy_create(&copy, &lane, &settings, 10, 0) == MIRROR_OUTCOME_NONE) {
            mirror_gate_put(limits, copy);
        }
        else {
            refused++;
        }
    }
    mirror_gate_dispatch_all(limits);
    return refused;
}

/* Wait for this number of queries. Returns the number of copies that the last one requested. */
static int wait_queried(int times)
{
    int queried, requested;

    do {
        mirror_gate_dispatch_all(limits); /* a query may have had to wait */
        apr_thread_yield();
        apr_thread_mutex_lock(server.mutex);
        queried = server.queried;
        requested = (int)server.requested;
        apr_thread_mutex_unlock(server.mutex);
    } while (queried < times);
    return requested;
}

/* Let the strategy respond to the pending query, and take the result. The waiting copies then share
 * the next query. */
static void respond(apr_status_t status, apr_int64_t granted, apr_int64_t used)
{
    apr_thread_mutex_lock(server.mutex);
    server.status = status;
    server.result.granted = granted;
    server.result.used = used;
    server.result.until = mirror_clock_now() + apr_time_from_sec(60);
    apr_cpystrn(server.result.fault, "failed by the test", sizeof(server.result.fault));
    apr_thread_mutex_unlock(server.mutex);
    open_gate(1);
    while (mirror_gate_take_results(limits) == 0) {
        mirror_gate_dispatch_all(limits); /* a query may have had to wait */
        apr_thread_yield();
    }
    open_gate(0);
    mirror_gate_dispatch_all(limits);
}

static int count_of(mirror_outcome_e outcome)
{
    return (int)apr_atomic_read64(&cell.outcomes[outcome]);
}

#endif
