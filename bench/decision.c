/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * decision.c - what a decision not to copy costs the thread that serves the client:
 * bench/cases/decision.py runs it.
 *
 * It does what capture/capture.c does for one mirror of a request with twelve headers: take the
 * settings, choose, and count, with settings of the file's and with some that the manager has set;
 * with a log, also make the line of what was refused and hand it over. What the sender then does
 * with lines is not counted. For each case a line is printed: its name, and nanoseconds of
 * processor time for each decision, the fastest of several rounds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "request.h"

#include <ap_mpm.h>

#include "attributes/attributes.h"
#include "attributes/limit_settings.h"
#include "base/clock.h"
#include "base/window.h"
#include "capture/choose.h"
#include "capture/entries.h"
#include "copy/log.h"
#include "copy/share.h"
#include "settings/rules.h"
#include "settings/settings.h"
#include "shared/table.h"

#define ROUNDS    60
#define DECISIONS 20000
#define BATCH     100 /* after which the pool is cleared, as it is for each request */

static const struct {
    const char *name, *line;
    mirror_outcome_e outcome;
    int logged;
} cases[] = {
    { "disabled", "enabled=false", MIRROR_OUTCOME_DISABLED, 0 },
    { "filtered, by methods=POST,PUT", "methods=POST,PUT", MIRROR_OUTCOME_FILTERED, 0 },
    { "sampled_out, sample_ratio=0", "sample_ratio=0", MIRROR_OUTCOME_SAMPLED_OUT, 0 },
    { "sampled_out, sample_ratio=0.000000001", "sample_ratio=0.000000001",
      MIRROR_OUTCOME_SAMPLED_OUT, 0 },
    { "sampled_out, sample_ratio=0.000000001, with ProxyMirrorLog", "sample_ratio=0.000000001",
      MIRROR_OUTCOME_SAMPLED_OUT, 1 },
    { "limited", "enable_limit_count=true time_window=3600", MIRROR_OUTCOME_LIMITED, 0 },
    { "limited, with ProxyMirrorLog", "enable_limit_count=true time_window=3600",
      MIRROR_OUTCOME_LIMITED, 1 },
};

static mirror_settings_t settings;
static mirror_settings_t counted; /* the same, as if they had been set in the manager */
static mirror_registry_t registry;
static mirror_child_t child;
static mirror_slot_t slot;
static mirror_cell_t cell;
static mirror_t mirror;
static mirror_lane_t lane;
static mirror_log_t a_log;
static mirror_loop_t *loop;

static int no_wake(void *baton)
{
    (void)baton;
    return 1;
}

static void make_log(void)
{
    a_log.name = "/dev/null";
    a_log.fd = open(a_log.name, O_WRONLY);
    registry.logs = apr_array_make(pool, 1, sizeof(mirror_log_t *));
    APR_ARRAY_PUSH(registry.logs, mirror_log_t *) = &a_log;
    child.logs = mirror_log_create_all(&child, no_wake, NULL, &server, pool);
    mirror_loop_create(&loop, pool);
}

/* Functions of httpd that shared memory needs; they are never called. */
AP_DECLARE(apr_status_t) ap_mpm_query(int query, int *result)
{
    *result = query;
    return APR_ENOTIMPL;
}

AP_DECLARE(void *) ap_retained_data_get(const char *key)
{
    return (void *)key;
}

AP_DECLARE(void *) ap_retained_data_create(const char *key, apr_size_t size)
{
    return size ? (void *)key : NULL;
}

static void make_request(void)
{
    static const char *const headers[][2] = {
        { "Host", "www.example.com" },
        { "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0" },
        { "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" },
        { "Accept-Language", "en-GB,en;q=0.5" },
        { "Accept-Encoding", "gzip, deflate, br" },
        { "Referer", "https://www.example.com/index.html" },
        { "Cookie", "session=0123456789abcdef0123456789abcdef; theme=dark" },
        { "Connection", "keep-alive" },
        { "Sec-Fetch-Dest", "document" },
        { "Sec-Fetch-Mode", "navigate" },
        { "Sec-Fetch-Site", "same-origin" },
        { "Cache-Control", "max-age=0" },
    };
    unsigned i;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        apr_table_setn(request.headers_in, headers[i][0], headers[i][1]);
    }
    request.method = "GET";
    request.unparsed_uri = (char *)"/some/where?q=1";
    request.the_request = (char *)"GET /some/where?q=1 HTTP/1.1";
    proxy_conf.add_forwarded_headers = 1;
}

static mirror_outcome_e decide(int logged)
{
    mirror_choice_t choice = { 0 };
    mirror_entry_t entry = { 0 };
    mirror_entries_t entries = { 0 };
    const mirror_settings_t *now;

    choice.r = &request;
    choice.first = &request;
    choice.id = "0123456789abcdef0123456789abcdef";
    choice.subject.log = logged ? &a_log : NULL;
    entries.list = &entry;
    entries.room = 1;
    now = mirror_settings_acquire(&lane);
    mirror_entries_see(&entries, &choice, &lane, now);
    mirror_settings_drop(now);
    return entry.outcome;
}

static apr_int64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (apr_int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Nanoseconds for each decision; -1: one had another outcome. */
static double measure(mirror_outcome_e expected, int logged)
{
    double best = 0;
    int round, i;

    for (round = 0; round < ROUNDS; round++) {
        apr_int64_t begun = cpu_ns(), senders = 0, lent;
        double took;

        for (i = 0; i < DECISIONS; i++) {
            if (i % BATCH == 0) {
                apr_pool_clear(request.pool);
            }
            if (i % BATCH == 0 && logged) {
                lent = cpu_ns();
                mirror_log_take(child.logs, loop);
                senders += cpu_ns() - lent;
            }
            if (decide(logged) != expected) {
                return -1;
            }
        }
        took = (double)(cpu_ns() - begun - senders) / DECISIONS;
        best = round == 0 || took < best ? took : best;
    }
    return best;
}

int main(void)
{
    unsigned i;
    int failed = 0;

    apr_initialize();
    setup();
    make_request();
    apr_pool_create(&request.pool, NULL);
    mirror_share_init(&child.memory, 64 << 20, 1);
    child.registry = &registry;
    make_log();
    mirror.slot = &slot;
    mirror.settings = &settings;
    lane.mirror = &mirror;
    lane.child = &child;
    lane.cell = &cell;
    mirror_settings_init(&lane, pool);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *wrong;
        double ns;

        mirror_attributes_defaults(&settings, pool);
        wrong = mirror_attributes_set_line(&settings, cases[i].line, 0, pool);
        if (!wrong) {
            wrong = mirror_rules_compile(&settings, NULL, pool, pool);
        }
        mirror_limit_settings_identify(&settings);
        mirror_window_close(&slot.limit_closed, settings.limit_id,
                            mirror_clock_now() + apr_time_from_sec(3600));
        ns = wrong ? -1 : measure(cases[i].outcome, cases[i].logged);
        failed |= ns < 0;
        printf("%s\t%.1f\n", cases[i].name, ns);
        lane.current = &counted;
        counted = settings;
        counted.pool = pool;
        counted.references = 1;
        counted.version = slot.version = 1;
        ns = wrong ? -1 : measure(cases[i].outcome, cases[i].logged);
        failed |= ns < 0;
        printf("%s, set in the manager\t%.1f\n", cases[i].name, ns);
        slot.version = 0;
    }
    teardown();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
