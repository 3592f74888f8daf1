/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_retry.c - which copies are sent again after which end of a connection.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "send/retry.h"
#include "suite.h"

static mirror_settings_t settings;
static mirror_copy_t copy;
static mirror_result_t result;

static void setup(void)
{
    memset(&copy, 0, sizeof(copy));
    memset(&result, 0, sizeof(result));
    settings.timeout = 100;
    copy.settings = &settings;
}

/* Whether a copy is retried after a stale connection. */
static int retries(int idempotent, int wrote, int retried)
{
    copy.idempotent = idempotent != 0;
    copy.retried = retried != 0;
    result.wrote = wrote != 0;
    result.how = MIRROR_STALE;
    return mirror_retry_pending(&copy, &result);
}

START_TEST(once_if_a_repetition_does_no_harm)
{
    ck_assert(retries(1, 1, 0));
    ck_assert(retries(1, 0, 0));
    ck_assert(retries(0, 0, 0)); /* no byte was written */
    ck_assert(!retries(0, 1, 0));
    ck_assert(!retries(1, 1, 1));
    ck_assert(!retries(1, 0, 1));
    ck_assert(!retries(0, 0, 1));
}
END_TEST

START_TEST(only_after_a_stale_connection)
{
    static const mirror_connection_end_e ends[] = { MIRROR_RESPONDED, MIRROR_TIMED_OUT,
                                                    MIRROR_BROKEN, MIRROR_REFUSED, MIRROR_FOREIGN };
    unsigned i;

    copy.idempotent = 1;
    for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        result.how = ends[i];
        ck_assert(!mirror_retry_pending(&copy, &result));
    }
}
END_TEST

START_TEST(any_method_that_was_not_processed)
{
    result.how = MIRROR_UNPROCESSED;
    result.wrote = 1;
    ck_assert(mirror_retry_pending(&copy, &result));
    copy.retried = 1;
    ck_assert(!mirror_retry_pending(&copy, &result));
}
END_TEST

START_TEST(pipelined_copies_unless_the_time_is_over)
{
    ck_assert(mirror_retry_pipelined(MIRROR_STALE));
    ck_assert(mirror_retry_pipelined(MIRROR_BROKEN));
    ck_assert(mirror_retry_pipelined(MIRROR_RESPONDED)); /* and the mirror closed */
    ck_assert(!mirror_retry_pipelined(MIRROR_TIMED_OUT));
}
END_TEST

/* Each pipelined copy may have to be retried. */
START_TEST(only_copies_that_may_be_retried_are_pipelined)
{
    copy.idempotent = 1;
    ck_assert(mirror_retry_may_pipeline(&copy));
    copy.body_len = 1;
    ck_assert(!mirror_retry_may_pipeline(&copy));
    copy.body_len = 0;
    copy.retried = 1;
    ck_assert(!mirror_retry_may_pipeline(&copy));
    copy.retried = 0;
    copy.probe = 1;
    ck_assert(!mirror_retry_may_pipeline(&copy));
    copy.probe = 0;
    copy.idempotent = 0;
    ck_assert(!mirror_retry_may_pipeline(&copy));
}
END_TEST

START_TEST(the_timeout_begins_with_the_first_attempt)
{
    copy.started = 1000;
    ck_assert(mirror_retry_has_time(&copy, 1000));
    ck_assert(mirror_retry_has_time(&copy, 1099));
    ck_assert(!mirror_retry_has_time(&copy, 1100));
    ck_assert(!mirror_retry_has_time(&copy, 2000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry");
    TCase *tcase = tcase_create("retry");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, once_if_a_repetition_does_no_harm);
    tcase_add_test(tcase, only_after_a_stale_connection);
    tcase_add_test(tcase, any_method_that_was_not_processed);
    tcase_add_test(tcase, pipelined_copies_unless_the_time_is_over);
    tcase_add_test(tcase, only_copies_that_may_be_retried_are_pipelined);
    tcase_add_test(tcase, the_timeout_begins_with_the_first_attempt);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
