/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_redis_cluster.c - the way into a Redis Cluster when there is no time, or no node: what it says
 * why.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/tls.h"
#include "redis/redis_route.h"
#include "suite.h"

/* No TLS here; with these the linker leaves out the room that needs all of httpd. */
const mirror_transport_t mirror_tls_transport;

const char *mirror_tls_missing(const char *what, struct server_rec *server, const char *url,
                               apr_pool_t *p)
{
    (void)what;
    (void)server;
    (void)url;
    (void)p;
    return NULL;
}

static apr_pool_t *pool;
static mirror_settings_t settings;
static apr_uint32_t given_up;
static char fault[MIRROR_REDIS_FAULT];
static mirror_redis_route_t *route;

static const mirror_redis_bounds_t bounds = { 16, 512, 65536 };

/* No node is reached, so no exchange is made. */
static apr_status_t exchange(const mirror_redis_reply_t **reply, mirror_redis_connection_t *redis,
                             int once, apr_time_t deadline, void *baton,
                             char why[MIRROR_REDIS_FAULT])
{
    (void)reply;
    (void)redis;
    (void)once;
    (void)deadline;
    (void)baton;
    (void)why;
    ck_abort_msg("an exchange without a node");
    return APR_EGENERAL;
}

static apr_status_t request(apr_interval_time_t patience)
{
    const mirror_redis_reply_t *reply;

    return mirror_redis_route_query(&reply, route, exchange, NULL, mirror_clock_now() + patience,
                                    fault);
}

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    memset(fault, 0, sizeof(fault));
    settings.policy = 2; /* redis-cluster */
    settings.redis_key_prefix = "";
    settings.redis_cluster_name = "c";
    settings.redis_cluster_nodes = apr_array_make(pool, 1, sizeof(const char *));
    /* a port that nobody listens at but root's own programs, which do not */
    APR_ARRAY_PUSH(settings.redis_cluster_nodes, const char *) = "127.0.0.1:1";
    route = mirror_redis_route_create(NULL, &settings, &bounds, &given_up, pool);
}

static void teardown(void)
{
    mirror_redis_route_close(route);
    apr_pool_destroy(pool);
}

START_TEST(keys_have_the_prefixes_of_their_policy)
{
    settings.redis_key_prefix = "p:";
    ck_assert_str_eq(mirror_redis_route_key(&settings, "m", pool), "p:c:m");
    settings.policy = 1; /* redis */
    ck_assert_str_eq(mirror_redis_route_key(&settings, "m", pool), "p:m");
}
END_TEST

START_TEST(without_time_the_fault_is_the_timeout)
{
    ck_assert_int_ne(request(-1), APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(fault, "redis_timeout"));
}
END_TEST

START_TEST(the_fault_of_a_node_is_kept)
{
    ck_assert_int_ne(request(apr_time_from_sec(10)), APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(fault, "127.0.0.1:1: connect: "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_cluster");
    TCase *tcase = tcase_create("redis_cluster");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, keys_have_the_prefixes_of_their_policy);
    tcase_add_test(tcase, without_time_the_fault_is_the_timeout);
    tcase_add_test(tcase, the_fault_of_a_node_is_kept);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
