/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_cluster.c - the strategy redis-cluster when there is no time: what it says why.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <httpd.h>
#include <ap_provider.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/tls.h"
#include "limit/limit.h"
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

static const mirror_limit_provider_t *provider;

AP_DECLARE(apr_status_t)
ap_register_provider(apr_pool_t *p, const char *group, const char *name, const char *version,
                     const void *registered)
{
    (void)p;
    (void)version;
    ck_assert_str_eq(group, MIRROR_LIMIT_PROVIDERS);
    ck_assert_str_eq(name, "redis-cluster");
    provider = registered;
    return APR_SUCCESS;
}

static apr_pool_t *pool;
static mirror_t mirror;
static mirror_settings_t settings;
static apr_uint32_t given_up;
static mirror_limit_result_t result;
static void *state;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    memset(&result, 0, sizeof(result));
    mirror.name = settings.name = "m";
    settings.count = 1;
    settings.time_window = 60;
    settings.redis_key_prefix = "";
    settings.redis_cluster_name = "c";
    settings.redis_cluster_nodes = apr_array_make(pool, 1, sizeof(const char *));
    /* a port that nobody listens at but root's own programs, which do not */
    APR_ARRAY_PUSH(settings.redis_cluster_nodes, const char *) = "127.0.0.1:1";
    mirror_limit_redis_cluster_register(pool);
    state = provider->open(&mirror, &settings, &given_up, pool);
}

static void teardown(void)
{
    provider->close(state);
    apr_pool_destroy(pool);
}

START_TEST(without_time_the_fault_is_the_timeout)
{
    ck_assert_int_ne(provider->query(&result, state, 1, mirror_clock_now() - 1), APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(result.fault, "redis_timeout"));
}
END_TEST

START_TEST(the_fault_of_a_node_is_kept)
{
    ck_assert_int_ne(provider->query(&result, state, 1, mirror_clock_now() + apr_time_from_sec(10)),
                     APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(result.fault, "127.0.0.1:1: connect: "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limit_cluster");
    TCase *tcase = tcase_create("limit_cluster");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, without_time_the_fault_is_the_timeout);
    tcase_add_test(tcase, the_fault_of_a_node_is_kept);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
