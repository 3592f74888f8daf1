/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_servers.c - places of servers in shared memory: claiming them, recycling them, foreign data.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "shared/servers.h"
#include "suite.h"

#define SECOND apr_time_from_sec(1)
#define START  apr_time_from_sec(100000)

static mirror_server_words_t places[MIRROR_SERVERS_PLACES];
static int is_new;

static void setup(void)
{
    memset(places, 0, sizeof(places));
}

static int claim(apr_uint64_t key, apr_uint64_t group, apr_time_t now)
{
    return mirror_servers_claim(places, key, group, now, &is_new);
}

START_TEST(each_key_has_one_place)
{
    ck_assert_int_eq(claim(7, 1, START), 0);
    ck_assert(is_new);
    ck_assert_int_eq(claim(8, 1, START), 1);
    ck_assert_int_eq(claim(7, 1, START + SECOND), 0);
    ck_assert(!is_new);
    ck_assert_int_eq(mirror_servers_find(places, 8), 1);
    ck_assert_int_eq(mirror_servers_find(places, 9), -1);
    ck_assert(mirror_servers_is_listed(&places[0], 1) && !mirror_servers_is_listed(&places[0], 2));
}
END_TEST

/* The place of a server that is gone is claimed only if no place is free; its state is cleared. */
START_TEST(places_are_recycled)
{
    apr_uint64_t key;

    for (key = 1; key <= MIRROR_SERVERS_PLACES; key++) {
        ck_assert_int_eq(claim(key, 1, START), (int)key - 1);
    }
    ck_assert_int_eq(claim(99, 1, START + SECOND), -1);
    places[5].down_until = 1;
    places[5].failures = places[5].trial = places[5].logged = places[5].ejections = 3;
    for (key = 1; key <= MIRROR_SERVERS_PLACES; key++) {
        if (key != 6) {
            claim(key, 1, START + 2 * SECOND);
        }
    }
    mirror_servers_unlist(places, 1, START + SECOND);
    ck_assert(!mirror_servers_is_listed(&places[5], 1) && mirror_servers_is_listed(&places[4], 1));
    ck_assert_int_eq(claim(99, 2, START + 3 * SECOND), 5);
    ck_assert(is_new && places[5].key == 99 && places[5].down_until == 0);
    ck_assert(!places[5].failures && !places[5].trial && !places[5].logged && !places[5].ejections);
    ck_assert(mirror_servers_is_listed(&places[5], 2));
    /* nobody has found them for long */
    ck_assert_int_eq(claim(100, 1, START + apr_time_from_sec(3600)), 0);
}
END_TEST

START_TEST(unlisting_is_of_one_group)
{
    claim(1, 1, START);
    claim(2, 2, START);
    mirror_servers_unlist(places, 1, START + SECOND);
    ck_assert(!mirror_servers_is_listed(&places[0], 1) && mirror_servers_is_listed(&places[1], 2));
    claim(1, 1, START + 2 * SECOND);
    ck_assert(mirror_servers_is_listed(&places[0], 1));
}
END_TEST

START_TEST(other_groups_are_unlisted)
{
    claim(7, 1, START);
    claim(8, 2, START);
    claim(9, 3, START);
    mirror_servers_unlist_others(places, 2);
    ck_assert(!mirror_servers_is_listed(&places[0], 1) && mirror_servers_is_listed(&places[1], 2));
    ck_assert(!mirror_servers_is_listed(&places[2], 3));
    claim(7, 2, START + SECOND);
    ck_assert(mirror_servers_is_listed(&places[0], 2));
}
END_TEST

START_TEST(state_is_copied)
{
    mirror_server_words_t to = { .key = 5, .logged = 1, .listed = 6 };
    mirror_server_words_t from = { .key = 7,
                                   .listed = 8,
                                   .down_until = 9,
                                   .logged = 1,
                                   .failures = 2,
                                   .ejections = 3,
                                   .trial = 1 };

    mirror_servers_copy_state(&to, &from);
    ck_assert(to.down_until == 9 && to.failures == 2 && to.ejections == 3 && to.trial == 1);
    ck_assert(to.key == 5 && to.listed == 6 && to.logged == 0);
}
END_TEST

START_TEST(one_caller_gets_the_probe)
{
    mirror_server_words_t *words = &places[0];

    ck_assert(!mirror_servers_take_probe(words, START, SECOND)); /* it is up */
    words->down_until = (apr_uint64_t)(START + SECOND);
    ck_assert(mirror_servers_out_until(words, START) == START + SECOND);
    ck_assert(!mirror_servers_take_probe(words, START, SECOND));
    ck_assert(mirror_servers_take_probe(words, START + SECOND, SECOND));
    ck_assert(!mirror_servers_take_probe(words, START + SECOND, SECOND));
    ck_assert(mirror_servers_out_until(words, START + SECOND) > START + SECOND);
}
END_TEST

/* A time that no code of the module has written keeps no server down. */
START_TEST(time_longer_than_retry_is_over)
{
    mirror_server_words_t *words = &places[0];

    ck_assert(mirror_servers_due_since(words, START, SECOND) == 0);
    words->down_until = (apr_uint64_t)(START + SECOND) + 1;
    ck_assert(mirror_servers_due_since(words, START, SECOND) == 0);
    ck_assert(mirror_servers_due_since(words, START + 2 * SECOND, SECOND) == START + SECOND + 1);
    ck_assert(mirror_servers_due_since(words, START, SECOND / 2) == START);
    words->ejections = 1;
    ck_assert(mirror_servers_due_since(words, START, SECOND / 8) == 0);
    ck_assert(mirror_servers_due_since(words, START, SECOND / 16) == START);
    ck_assert(mirror_servers_take_probe(words, START, SECOND / 16));
    ck_assert(!mirror_servers_take_probe(words, START, SECOND / 16));
}
END_TEST

START_TEST(foreign_time)
{
    places[0].down_until = ~(apr_uint64_t)0;
    ck_assert(mirror_servers_out_until(&places[0], START) == 0);
}
END_TEST

/* Places with values that no code of the module has written are freed, once; no others are. */
START_TEST(foreign_data)
{
    int i;

    for (i = 0; i < MIRROR_SERVERS_PLACES - 1; i++) {
        claim((apr_uint64_t)i + 1, 1, START);
        places[i].down_until = (apr_uint64_t)(START + apr_time_from_sec(8 * 7 * 24 * 3600));
        places[i].trial = places[i].logged = 1;
        places[i].failures = places[i].ejections = 1000000;
        places[i].place = (i & 1 ? 4 : 6) << 16 | 65535;
    }
    for (i = 0; i < MIRROR_SERVERS_PLACES; i++) {
        ck_assert(!mirror_servers_is_foreign(&places[i], START));
    }
    ck_assert_int_eq(mirror_servers_free_foreign(places, START), 0);
    places[7].trial = 2;
    places[8].logged = ~(apr_uint64_t)0;
    places[9].down_until = (apr_uint64_t)1 << 63;
    places[10].failures = places[11].ejections = ~(apr_uint64_t)0;
    places[12].place = 5 << 16;
    places[3].listed = ~(apr_uint64_t)0;
    for (i = 0; i < MIRROR_SERVERS_PLACES; i++) {
        ck_assert_int_eq(mirror_servers_is_foreign(&places[i], START),
                         i == 3 || (i >= 7 && i <= 12));
    }
    ck_assert_int_eq(mirror_servers_free_foreign(places, START), 7);
    ck_assert_int_eq(mirror_servers_free_foreign(places, START), 0);
    ck_assert_int_eq(claim(99, 1, START), 3);
    ck_assert(is_new && !mirror_servers_is_foreign(&places[3], START));
    ck_assert_int_eq(mirror_servers_find(places, 3), 2);
}
END_TEST

START_TEST(addresses)
{
    static const struct {
        const char *ip, *printed;
    } cases[] = { { "127.0.0.1", "127.0.0.1:8080" }, { "::1", "[::1]:8080" } };
    apr_pool_t *pool;
    apr_sockaddr_t *address;
    apr_size_t i;

    apr_pool_create(&pool, NULL);
    ck_assert_ptr_eq(mirror_servers_address(&places[0], pool), NULL);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ck_assert_int_eq(apr_sockaddr_info_get(&address, cases[i].ip, APR_UNSPEC, 8080, 0, pool),
                         APR_SUCCESS);
        mirror_servers_pack(&places[0], address);
        ck_assert_str_eq(mirror_servers_address(&places[0], pool), cases[i].printed);
    }
    places[0].place = ~(apr_uint64_t)0;
    ck_assert_ptr_eq(mirror_servers_address(&places[0], pool), NULL);
    apr_pool_destroy(pool);
}
END_TEST

START_TEST(keys)
{
    ck_assert(mirror_servers_key("a", 1) == mirror_servers_key("a", 1));
    ck_assert(mirror_servers_key("a", 1) != mirror_servers_key("a", 2));
    ck_assert(mirror_servers_key("a", 1) != mirror_servers_key("b", 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("servers");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(test, setup, NULL);
    tcase_add_test(test, each_key_has_one_place);
    tcase_add_test(test, places_are_recycled);
    tcase_add_test(test, unlisting_is_of_one_group);
    tcase_add_test(test, other_groups_are_unlisted);
    tcase_add_test(test, state_is_copied);
    tcase_add_test(test, one_caller_gets_the_probe);
    tcase_add_test(test, time_longer_than_retry_is_over);
    tcase_add_test(test, foreign_time);
    tcase_add_test(test, foreign_data);
    tcase_add_test(test, addresses);
    tcase_add_test(test, keys);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
