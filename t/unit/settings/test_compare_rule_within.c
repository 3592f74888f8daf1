/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_compare_rule_within.c - the action within: numbers and times.
 */
#include "compare_rules.h"

static const value_row_t values[] = {
    { "body within 0", "1", "1.0", 1 },
    { "body within 0", "1", "2", 0 },
    { "body within 1", "1", "2", 1 },
    { "body within 1", "1", "2.000000000000000000000000000001", 0 },
    { "body within 0.1", "0.3", "0.2", 1 },
    { "body within 0.1", "0.3", "0.4", 1 },
    { "body within 0.1", "0.30000000000000001", "0.2", 0 },
    { "body within 1", "9007199254740993", "9007199254740992", 1 },
    { "body within 0", "9007199254740993", "9007199254740992", 0 },
    { "body within 1", "18446744073709551616", "18446744073709551617", 1 },
    { "body within 2", "-1", "1", 1 },
    { "body within 1.9", "-1", "1", 0 },
    { "body within 1", "-3", "-4", 1 },
    { "body within 0", "-0", "0", 1 },
    { "body within 0", "1e2", "100", 1 },
    { "body within 0", "1E+2", "100.00", 1 },
    { "body within 0", "12e-1", "1.2", 1 },
    { "body within 0", "0e999999999999", "0", 1 },
    { "body within 0", "1e63", "1e63", 1 },
    { "body within 0", "1e64", "1e64", 0 }, /* no room */
    { "body within 0", "1e-64", "1e-64", 1 },
    { "body within 0", "1e-65", "1e-65", 0 },
    { "body within 9999999999999999999999999999999999999999999999999999999999999999", "9e63",
      "-9e63", 0 },
    { "body within 1", "1", "x", 0 },
    { "body within 1", "", "", 0 },
    { "body within 1", "1", "1x", 0 },
    { "body within 1", "1", "1.", 0 },
    { "body within 1", "1", ".1", 0 },
    { "body within 1", "1", "+1", 0 },
    { "body within 1", "1", "1e", 0 },
    { "body within 1", "1", "1e+", 0 },
    { "body within 1", "1", "-", 0 },
    { "body within 1", "2026-11-27T12:00:00Z", "2026-11-27T12:00:00Z", 0 },

    { "body within 2s", "2026-11-27T12:00:00Z", "2026-11-27T12:00:02Z", 1 },
    { "body within 2s", "2026-11-27T12:00:00Z", "2026-11-27T12:00:02.000001Z", 0 },
    { "body within 2s", "2026-11-27T12:00:00Z", "2026-11-27T13:00:01+01:00", 1 },
    { "body within 2s", "2026-11-27T12:00:00Z", "2026-11-27T12:00:01", 0 },
    { "body within 2s", "2026-12-31T23:59:59Z", "2027-01-01 00:00:01z", 1 },
    { "body within 2s", "2028-02-29T00:00:00Z", "2028-02-29T00:00:00-00:00", 1 },
    { "body within 2s", "2026-02-29T00:00:00Z", "2026-02-29T00:00:00Z", 0 },
    { "body within 2s", "2026-11-27T12:00:00.Z", "2026-11-27T12:00:00Z", 0 },
    { "body within 2s", "2026-11-27T24:00:00Z", "2026-11-27T24:00:00Z", 0 },
    { "body within 2s", "2026-13-27T12:00:00Z", "2026-13-27T12:00:00Z", 0 },
    { "body within 2s", "2026-00-27T12:00:00Z", "2026-00-27T12:00:00Z", 0 },
    { "body within 2s", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", 0 },
    { "header/date within 2s", "Fri, 27 Nov 2026 12:00:30 GMT", "Fri, 27 Nov 2026 12:00:32 GMT",
      1 },
    { "header/date within 2s", "Fri, 27 Nov 2026 12:00:30 GMT", "Fri, 27 Nov 2026 12:00:33 GMT",
      0 },
    { "header/date within 2s", "Fri, 27 Nov 2026 12:00:30 GMT", "2026-11-27T12:00:30Z", 1 },
    { "body within 500ms", "1795780800000", "1795780800500", 1 },
    { "body within 500ms", "1795780800000", "1795780800501", 0 },
    { "body within 500ms", "1795780800", "1795780801", 0 },
    { "body within 1s", "1795780800", "1795780801", 1 },
    { "body within 1.5min", "1795780800", "1795780890", 1 },
    { "body within 1.5min", "1795780800", "1795780891", 0 },
    { "body within 1h", "1795780800", "1795780800000", 0 }, /* one has milliseconds */
    { "body within 1s", "1795780800.25", "1795780801.25", 1 },
    { "body within 1s", "1795780800", "2026-11-27T12:00:00Z", 0 },
    { "body within 1s", "x", "y", 0 },
};

START_TEST(near_values_are_equal)
{
    check_values(&values[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compare_rule_within");
    TCase *tcase = tcase_create("compare_rule_within");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    ADD(near_values_are_equal, values);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
