/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/comparer.c - the thread of a child that compares. See compare/comparer.h.
 *
 *     pairs (queue)  ──►  waits: a timer  ──►  expired: skipped
 *                    ──►  done: judged    ──►  findings in shared memory, the line of the log
 *
 * After each round the thread naps, and no thread wakes it meanwhile, so that a busy server wakes it
 * some hundred times a second at most.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <apr_atomic.h>
#include <apr_general.h>
#include <httpd.h>
#include <http_log.h>

#include "base/clock.h"
#include "base/loop.h"
#include "compare/budget.h"
#include "compare/comparer.h"
#include "compare/judge.h"
#include "compare/pair.h"
#include "compare/reference.h"
#include "copy/share.h"

APLOG_USE_MODULE(proxy_mirror);

/* After a round. */
#define NAP apr_time_from_msec(5)
/* Complete pairs that wait. If there are more, the thread looks into none, so that it catches up before
 * pairs are skipped for want of room: as its priority is low, it may have to wait for a processor. */
#define BACKLOG (MIRROR_PAIR_PENDING_MAX / 4)
/* The maximum time from a comparison to the line in the error log about another verdict. */
#define REPORT_AFTER apr_time_from_sec(1)
/* Memory is given back when there was nothing to do for so long. */
#define IDLE apr_time_from_sec(10)
/* How much lower the priority of the thread is. */
#define NICE 10
/* A start of the thread that failed is tried again with a pair that comes later than that. */
#define RETRY apr_time_from_sec(1)
/* At the end of the child: the time after the deadline when the thread is given up. */
#define GRACE apr_time_from_msec(300)

enum { STATE_NEW, STATE_STARTING, STATE_RUNNING, STATE_DONE };

typedef struct mirror_comparer_t {
    mirror_child_t *child;
    server_rec *server;
    mirror_loop_t *loop;
    pthread_t thread;
    apr_uint32_t state;    /* atomic */
    apr_uint32_t stopping; /* atomic */
    apr_uint64_t retry_at; /* atomic: mirror_clock_now()'s */
    apr_uint32_t failed;   /* atomic: the log knows that the thread could not be started */
    apr_time_t deadline;   /* set before `stopping` */

    /* the thread's */
    apr_pool_t *pool; /* cleared after each pair */
    mirror_tree_context_t *json;
    mirror_timer_t idle;
    mirror_timer_t report;
    int report_pending;   /* `report` is started */
    unsigned char *noted; /* by mirror index: something was found since the last `report` */
    mirror_budget_t *budget;
    mirror_reference_t three;
} mirror_comparer_t;

/* ---- the verdict on a mirror, in the error log ---- */

static void report_verdict(const mirror_comparer_t *comparer, const mirror_lane_t *lane)
{
    mirror_findings_view_t view;

    switch (mirror_findings_news(&view, mirror_pair_findings(lane), comparer->pool)) {
    case MIRROR_OVERALL_ALIKE:
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, comparer->server,
                     "PM0951: mirror %s responds like the primary; responses compared: "
                     "%" APR_UINT64_T_FMT,
                     lane->mirror->name, view.compared);
        break;
    case MIRROR_OVERALL_DIFFERS:
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, comparer->server,
                     "PM0952: mirror %s responds differently from the primary; responses compared: "
                     "%" APR_UINT64_T_FMT ", different: %" APR_UINT64_T_FMT,
                     lane->mirror->name, view.compared, view.verdicts[MIRROR_VERDICT_DIFFERENT]);
        break;
    default:
        break;
    }
}

/* Log which verdicts have changed. */
static void report(mirror_comparer_t *comparer)
{
    int i;

    comparer->report_pending = 0;
    for (i = 0; i < comparer->child->registry->mirrors->nelts; i++) {
        if (comparer->noted[i] && !apr_atomic_read32(&comparer->child->closed)) {
            comparer->noted[i] = 0;
            report_verdict(comparer, &comparer->child->lanes[i]);
            apr_pool_clear(comparer->pool);
        }
    }
}

static void on_report(void *baton)
{
    report(baton);
}

static void report_later(mirror_comparer_t *comparer, const mirror_lane_t *lane)
{
    comparer->noted[lane->mirror->index] = 1;
    if (!comparer->report_pending) {
        comparer->report_pending = 1;
        mirror_loop_timer_start(comparer->loop, &comparer->report, mirror_clock_now(),
                                REPORT_AFTER);
    }
}

/* ---- one pair ---- */

/* Why the halves cannot be compared; NONE: they can. */
static mirror_skip_e skip_of(const mirror_pair_t *pair)
{
    apr_interval_time_t late = pair->mirror.ended - pair->primary.ended;

    if (pair->mirror.skip == MIRROR_SKIP_NO_ANSWER || pair->mirror.skip == MIRROR_SKIP_SHUT_DOWN) {
        return pair->mirror.skip;
    }
    if (pair->primary.skip != MIRROR_SKIP_NONE) {
        return pair->primary.skip;
    }
    if (pair->mirror.skip != MIRROR_SKIP_NONE) {
        return pair->mirror.skip;
    }
    if (pair->has_reference && pair->reference.skip != MIRROR_SKIP_NONE) {
        return pair->reference.skip;
    }
    late = late < 0 ? -late : late;
    return late > pair->settings->compare_timeout ? MIRROR_SKIP_TIMEOUT : MIRROR_SKIP_NONE;
}

/* Judge the pair; with a reference, also where the mirror stands between the other two. Returns why
 * there is no verdict. */
static mirror_skip_e judge(mirror_comparer_t *comparer, const mirror_pair_t *pair,
                           mirror_note_t *note)
{
    mirror_judge_options_t options;

    options.parts = (unsigned)pair->settings->compare;
    options.rules = &pair->rules;
    options.unordered = pair->settings->compare_arrays;
    options.may_examine = mirror_budget_has(comparer->budget, pair->lane->mirror->index,
                                            mirror_clock_now(), mirror_clock_thread()) &&
                          comparer->json != NULL &&
                          apr_atomic_read32(&comparer->child->pairs_pending) < BACKLOG;
    options.now = mirror_clock_to_wall(mirror_clock_now());
    options.side = pair->has_reference ? MIRROR_TREE_SIDE_MIRROR : MIRROR_TREE_SIDE_NONE;
    options.json = comparer->json;
    options.pool = comparer->pool;
    options.values = NULL;
    if (pair->settings->compare_values != MIRROR_VALUES_MODE_OFF) {
        options.values = apr_palloc(comparer->pool, sizeof(*options.values));
        options.values->mode = (mirror_values_e)pair->settings->compare_values;
    }
    if (comparer->json) {
        mirror_tree_forget(comparer->json);
    }
    mirror_judge(&comparer->three.judgement, &options, &pair->primary, &pair->mirror);
    note->judgement = &comparer->three.judgement;
    return pair->has_reference ? mirror_reference_judge(note, &comparer->three, &options, pair)
                               : note->judgement->skip;
}

/* Whether trailers of all responses are known. The end of a primary's response that is too long was not
 * waited for, and those of HTTP/1 are not kept. */
static int knows_trailers(const mirror_pair_t *pair)
{
    return pair->primary.body_skip != MIRROR_SKIP_TOO_LARGE && pair->mirror.knows_trailers &&
           (!pair->has_reference || pair->reference.knows_trailers);
}

static void drop_trailers(mirror_pair_t *pair)
{
    if (!knows_trailers(pair)) {
        mirror_half_drop_trailers(&pair->primary);
        mirror_half_drop_trailers(&pair->mirror);
        mirror_half_drop_trailers(&pair->reference);
    }
}

static void compare(mirror_comparer_t *comparer, mirror_pair_t *pair)
{
    mirror_note_t note = { NULL, NULL, NULL, 0, 0, { 0, 0, { 0, 0 } } };
    mirror_skip_e skip = skip_of(pair);

    apr_atomic_dec32(&comparer->child->pairs_pending);
    mirror_loop_timer_stop(&pair->timer);
    if (skip == MIRROR_SKIP_NONE) {
        drop_trailers(pair);
        skip = judge(comparer, pair, &note);
        mirror_budget_charge(comparer->budget, pair->lane->mirror->index, mirror_clock_thread());
    }
    if (skip == MIRROR_SKIP_NONE && !mirror_note(pair, &note, comparer->pool)) {
        skip = MIRROR_SKIP_BUSY;
    }
    else if (skip != MIRROR_SKIP_NONE && note.drift) {
        mirror_note_reference(pair, &note, comparer->pool);
    }
    if (skip == MIRROR_SKIP_NONE) {
        report_later(comparer, pair->lane);
        mirror_pair_free(pair);
    }
    else {
        mirror_pair_skip(pair, skip);
    }
    apr_pool_clear(comparer->pool);
}

/* ---- waiting ---- */

static void on_timer(void *baton)
{
    mirror_pair_expire(baton);
}

static void wait_for(mirror_comparer_t *comparer, mirror_pair_t *pair)
{
    pair->timer.fire = on_timer;
    pair->timer.baton = pair;
    mirror_loop_timer_start(comparer->loop, &pair->timer, pair->mirror.ended,
                            pair->settings->compare_timeout);
}

/* ---- the thread ---- */

static int take(mirror_comparer_t *comparer)
{
    mirror_queue_item_t *item = mirror_queue_take(comparer->child->pairs), *next;
    int n = 0;

    for (; item; item = next, n++) {
        mirror_pair_event_t *event = (mirror_pair_event_t *)item;

        next = item->next;
        if (event == &event->pair->waits) {
            wait_for(comparer, event->pair);
        }
        else if (apr_atomic_read32(&comparer->stopping) &&
                 mirror_clock_now() >= comparer->deadline) {
            mirror_loop_timer_stop(&event->pair->timer);
            mirror_pair_skip(event->pair, MIRROR_SKIP_SHUT_DOWN);
        }
        else {
            compare(comparer, event->pair);
        }
    }
    return n;
}

static void on_idle(void *baton)
{
    mirror_comparer_t *comparer = baton;

    if (comparer->json) {
        mirror_tree_context_trim(comparer->json);
    }
}

static void run(mirror_comparer_t *comparer)
{
    apr_interval_time_t wait = 0;
    apr_status_t rv;

    while (!apr_atomic_read32(&comparer->stopping)) {
        mirror_loop_round(comparer->loop, wait, &rv);
        mirror_queue_awake(comparer->child->pairs);
        if (take(comparer) > 0) {
            mirror_loop_timer_start(comparer->loop, &comparer->idle, mirror_clock_now(), IDLE);
            if (!apr_atomic_read32(&comparer->stopping)) {
                apr_sleep(NAP);
            }
            wait = 0;
            continue;
        }
        wait = mirror_queue_sleep(comparer->child->pairs) ? -1 : 0;
    }
    take(comparer);
    report(comparer);
}

/* The priority of a thread is its own on Linux. */
static void lower_priority(void)
{
#ifdef __linux__
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    pthread_setname_np(pthread_self(), "mirror-comparer");
#endif
}

static void *comparer_main(void *baton)
{
    mirror_comparer_t *comparer = baton;
    unsigned char seed[16];

    lower_priority();
    apr_atomic_cas32(&comparer->state, STATE_RUNNING, STATE_STARTING);
    comparer->pool = mirror_memory_pool_create("mirror_comparer"); /* this thread's */
    if (apr_generate_random_bytes(seed, sizeof(seed)) == APR_SUCCESS) {
        comparer->json = mirror_tree_context_create(seed);
    }
    mirror_budget_start(comparer->budget, mirror_clock_now(), mirror_clock_thread());
    run(comparer);
    if (comparer->json) {
        mirror_tree_context_destroy(comparer->json);
    }
    apr_pool_destroy(comparer->pool);
    apr_atomic_xchg32(&comparer->state, STATE_DONE);
    return NULL;
}

/* Start the thread. The state is STARTING. Returns 0 if it could not be started; the state is then
 * NEW again. */
static int start_thread(mirror_comparer_t *comparer)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&comparer->thread, NULL, comparer_main, comparer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error) {
        return 1;
    }
    if (apr_atomic_xchg32(&comparer->failed, 1) == 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, error, comparer->server,
                     "PM0950: the comparer thread could not be started; responses wait until it "
                     "can be");
    }
    apr_atomic_set64(&comparer->retry_at, (apr_uint64_t)(mirror_clock_now() + RETRY));
    apr_atomic_xchg32(&comparer->state, STATE_NEW);
    return 0;
}

/* The queue's `wake`, on a request thread or the sender. */
static int wake(void *baton)
{
    mirror_comparer_t *comparer = baton;

    if (apr_atomic_read32(&comparer->state) == STATE_NEW &&
        mirror_clock_now() < (apr_time_t)apr_atomic_read64(&comparer->retry_at)) {
        return 0;
    }
    if (apr_atomic_cas32(&comparer->state, STATE_STARTING, STATE_NEW) == STATE_NEW) {
        return start_thread(comparer);
    }
    mirror_loop_wake(comparer->loop);
    return 1;
}

/* ---- start and end of the child ---- */

apr_status_t mirror_comparer_create(mirror_child_t *child, apr_pool_t *pool,
                                    struct server_rec *server)
{
    mirror_comparer_t *comparer = apr_pcalloc(pool, sizeof(*comparer));
    apr_pool_t *own = mirror_memory_pool_create("mirror_pairs"); /* main thread, then ours */
    apr_status_t rv = mirror_loop_create(&comparer->loop, own);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    comparer->child = child;
    comparer->server = server;
    comparer->idle.fire = on_idle;
    comparer->idle.baton = comparer;
    comparer->report.fire = on_report;
    comparer->report.baton = comparer;
    comparer->budget = mirror_budget_create(child->registry->mirrors->nelts, pool);
    comparer->noted = apr_pcalloc(pool, (apr_size_t)child->registry->mirrors->nelts + 1);
    mirror_share_init(&child->compare_memory, (apr_uint64_t)child->registry->compare_memory,
                      child->registry->mirrors->nelts);
    child->pairs = mirror_queue_create(pool, wake, comparer);
    child->comparer = comparer;
    return APR_SUCCESS;
}

int mirror_comparer_stop(mirror_child_t *child, apr_interval_time_t patience)
{
    mirror_comparer_t *comparer = child->comparer;

    if (apr_atomic_cas32(&comparer->state, STATE_DONE, STATE_NEW) == STATE_NEW) {
        return 1;
    }
    comparer->deadline = mirror_clock_now() + patience;
    apr_atomic_xchg32(&comparer->stopping, 1);
    mirror_loop_wake(comparer->loop);
    while (apr_atomic_read32(&comparer->state) != STATE_DONE) {
        if (mirror_clock_now() > comparer->deadline + GRACE) {
            return 0;
        }
        apr_sleep(NAP);
    }
    return pthread_join(comparer->thread, NULL) == 0;
}
