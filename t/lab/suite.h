/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * suite.h - the end of each unit test's main().
 */
#ifndef LAB_SUITE_H
#define LAB_SUITE_H

#include <stdlib.h>

#include <check.h>

/* Run the suite, as the environment says (CK_RUN_CASE and the like). Returns the exit status; the
 * suite is freed. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
