/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/sender.c - the sender thread of a child: takes copies from the queue and puts them through
 * the gate into their mirror's pool.
 *
 * The first copy starts the thread. The thread blocks all signals, so that no handler of httpd runs
 * in it. It blocks only in its poll and in short naps: under load, copies do not wake it; it takes
 * all pending copies every two milliseconds. This saves request threads a system call, at the cost
 * of latency of the copies.
 *
 * At the end of the child the thread continues until all copies are sent or the deadline is over.
 * The main thread waits without a lock.
 *
 *     state     NEW -> STARTING (by the first push) -> RUNNING -> DONE
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <apr_strings.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/helpers.h"
#include "copy/log.h"
#include "copy/spool.h"
#include "send/gate.h"
#include "send/pool.h"

APLOG_USE_MODULE(proxy_mirror);

/* The maximum delay of copies, and of reading their responses. A shorter nap costs more CPU time
 * per copy. */
#define MIRROR_NAP apr_time_from_msec(2)
/* The load: number of copies taken, less two for each round without a copy. From MIRROR_BUSY on the
 * thread naps; the second value is the maximum. */
#define MIRROR_BUSY     3
#define MIRROR_BUSY_MAX 8
/* The number of ticks without a rejected copy that end an episode. */
#define MIRROR_TICK        apr_time_from_sec(1)
#define MIRROR_QUIET_TICKS 10
/* The maximum wait for the thread at the end of the child, beyond the drain timeout. */
#define DRAIN_GRACE apr_time_from_msec(500)

enum { STATE_NEW, STATE_STARTING, STATE_RUNNING, STATE_DONE };

/* An episode of copies rejected for lack of room: one log line at its start, one at its end. */
typedef struct mirror_episode_t {
    apr_uint64_t refused;
    int quiet; /* ticks */
    int on;
} mirror_episode_t;

struct mirror_sender_t {
    mirror_child_t *child;
    server_rec *server;
    apr_uint32_t state;    /* atomic */
    apr_uint32_t stopping; /* atomic: send pending copies until the deadline */
    apr_uint32_t given_up; /* atomic: the deadline is over, or no copy is left */
    apr_uint32_t failed;   /* atomic: 1 if the thread could not be started, and that was logged */
    apr_uint64_t retry_at; /* atomic: time of the next try (mirror_clock_now()) */
    apr_time_t deadline;   /* deadline of the drain; written before `stopping` */
    /* pending tasks of helpers at the end of the thread; written before DONE */
    int left_behind;
    pthread_t thread; /* written before the thread runs */

    /* the sender thread's */
    mirror_send_t send;
    mirror_gates_t *limits;
    mirror_timer_t tick;
    mirror_episode_t memory;
    mirror_episode_t spool;
    mirror_episode_t *full; /* by mirror index */
};

/* ---- log messages about rejected copies ---- */

/* Process one tick, in which `refused` more copies were rejected. Returns whether an episode is in
 * progress. */
static int episode_tick(mirror_episode_t *episode, apr_uint32_t refused, server_rec *server,
                        const char *what)
{
    if (refused > 0) {
        if (!episode->on) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server, "PM0420: %s; copies are dropped",
                         what);
        }
        episode->on = 1;
        episode->quiet = 0;
        episode->refused += refused;
    }
    else if (episode->on && ++episode->quiet >= MIRROR_QUIET_TICKS) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server,
                     "PM0421: space is available again after: %s; %" APR_UINT64_T_FMT
                     " copies were dropped",
                     what, episode->refused);
        episode->on = 0;
        episode->refused = 0;
    }
    return episode->on;
}

static void on_tick(void *baton)
{
    mirror_sender_t *sender = baton;
    mirror_child_t *child = sender->child;
    char what[512];
    apr_uint32_t refused;
    int i, on;

    apr_snprintf(what, sizeof(what),
                 "copies use all %" APR_INT64_T_FMT
                 " bytes of ProxyMirrorMemory%s, or no descriptors or ports are left",
                 child->registry->memory,
                 child->memory.common > 0 ? ", or the copies of one mirror use its share" : "");
    on = episode_tick(&sender->memory, apr_atomic_xchg32(&child->refused, 0), sender->server, what);
    refused = mirror_spool_take_refused(child, what, sizeof(what));
    on |= episode_tick(&sender->spool, refused, sender->server, what);
    for (i = 0; i < sender->send.count; i++) {
        mirror_lane_t *lane = &child->lanes[i];
        const mirror_settings_t *settings = mirror_pool_settings(&sender->send, i);

        apr_snprintf(what, sizeof(what),
                     "mirror %s: max_connections=%" APR_INT64_T_FMT
                     " and max_queue=%" APR_INT64_T_FMT " are full",
                     lane->mirror->name, settings->max_connections, settings->max_queue);
        on |= episode_tick(&sender->full[i], apr_atomic_xchg32(&lane->refused, 0), sender->server,
                           what);
    }
    on |= mirror_content_trim(child);
    mirror_helpers_retry(sender->send.helpers);
    if (on || sender->send.copies > 0 || mirror_gate_count(sender->limits) > 0 ||
        mirror_helpers_pending(sender->send.helpers) > 0) {
        mirror_loop_timer_start(sender->send.loop, &sender->tick,
                                mirror_loop_now(sender->send.loop), MIRROR_TICK);
    }
}

/* ---- the thread ---- */

static void take_reports(mirror_sender_t *sender)
{
    mirror_queue_item_t *item = mirror_queue_take(sender->send.reports), *next;

    for (; item; item = next) {
        next = item->next;
        mirror_pool_report(&sender->send, (mirror_connection_t *)item);
    }
}

static int take_copies(mirror_sender_t *sender)
{
    mirror_queue_item_t *item = mirror_queue_take(sender->child->queue), *next;
    int n = 0;

    for (; item; item = next, n++) {
        next = item->next;
        mirror_gate_put(sender->limits, (mirror_copy_t *)item);
    }
    if ((n > 0 || mirror_spool_has_refused(sender->child)) && !sender->tick.ring) {
        mirror_loop_timer_start(sender->send.loop, &sender->tick,
                                mirror_loop_now(sender->send.loop), MIRROR_TICK);
    }
    return n;
}

/* Return the maximum duration of the next poll. A busy thread naps first, or polls for the same
 * time if responses are pending; copies do not wake it. A thread that is not busy sleeps until it
 * is woken, because a nap for each copy would cause more wakeups. */
static apr_interval_time_t next_wait(mirror_sender_t *sender, int busy)
{
    apr_interval_time_t longest = -1;

    if (apr_atomic_read32(&sender->stopping)) {
        longest = sender->deadline - mirror_clock_now();
        longest = longest > 0 ? longest : 0;
    }
    if (busy < MIRROR_BUSY) {
        return mirror_queue_sleep(sender->send.reports) && mirror_gate_sleep(sender->limits) &&
                       mirror_log_sleep(sender->child->logs) &&
                       mirror_queue_sleep(sender->child->queue)
                   ? longest
                   : 0;
    }
    if (sender->send.waiting > 0) {
        return mirror_queue_sleep(sender->send.reports) ? MIRROR_NAP : 0;
    }
    apr_sleep(MIRROR_NAP);
    return 0;
}

static int is_over(mirror_sender_t *sender)
{
    return apr_atomic_read32(&sender->stopping) &&
           ((sender->send.copies == 0 && mirror_gate_count(sender->limits) == 0 &&
             mirror_queue_is_empty(sender->child->queue)) ||
            mirror_clock_now() >= sender->deadline);
}

static void run(mirror_sender_t *sender)
{
    apr_interval_time_t wait = 0;
    int busy = 0;

    while (!is_over(sender)) {
        apr_status_t rv;
        int taken;

        mirror_loop_round(sender->send.loop, wait, &rv);
        mirror_queue_awake(sender->send.reports);
        mirror_gate_awake(sender->limits);
        mirror_log_awake(sender->child->logs);
        mirror_queue_awake(sender->child->queue);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, sender->server,
                         "PM0422: polling the connections to mirrors failed");
            apr_sleep(MIRROR_TICK);
        }
        take_reports(sender);
        mirror_gate_take_results(sender->limits);
        taken = take_copies(sender);
        mirror_gate_dispatch_all(sender->limits);
        mirror_pool_dispatch_all(&sender->send);
        mirror_log_take(sender->child->logs, sender->send.loop);
        busy += taken > 0 ? taken : -2;
        busy = busy < 0 ? 0 : busy > MIRROR_BUSY_MAX ? MIRROR_BUSY_MAX : busy;
        wait = next_wait(sender, busy);
    }
}

/* Wait for helpers. Those that connect or query Redis give up soon; they must not be in mod_ssl
 * when httpd unloads it. A helper in a lookup may block longer and is left behind. */
static void wait_for_helpers(mirror_sender_t *sender)
{
    apr_time_t end = mirror_clock_now() + DRAIN_GRACE / 2;

    for (;;) {
        take_reports(sender);
        mirror_gate_take_results(sender->limits);
        if (mirror_helpers_pending(sender->send.helpers) == 0 || mirror_clock_now() >= end) {
            return;
        }
        apr_sleep(MIRROR_NAP);
    }
}

static void finish(mirror_sender_t *sender)
{
    apr_status_t rv;

    apr_atomic_xchg32(&sender->given_up, 1);
    take_copies(sender);
    mirror_gate_take_results(sender->limits);
    mirror_gate_close_all(sender->limits);
    mirror_pool_close_all(&sender->send);
    wait_for_helpers(sender);
    mirror_gate_close_all(sender->limits);
    mirror_pool_close_all(&sender->send);
    mirror_loop_round(sender->send.loop, 0, &rv); /* frees closed connections */
    mirror_log_close(sender->child->logs, DRAIN_GRACE / 4);
    sender->left_behind = mirror_helpers_end(sender->send.helpers);
}

static void *sender_main(void *baton)
{
    mirror_sender_t *sender = baton;

#ifdef __linux__
    pthread_setname_np(pthread_self(), "mirror-sender");
#endif
    apr_atomic_cas32(&sender->state, STATE_RUNNING, STATE_STARTING);
    run(sender);
    finish(sender);
    apr_atomic_xchg32(&sender->state, STATE_DONE);
    return NULL;
}

/* Start the thread. The state is STARTING. Return 0 if it could not be started; the state is then
 * NEW again. Plain pthread_create(), as apr_thread_create() loses memory when it fails. */
static int start_thread(mirror_sender_t *sender)
{
    sigset_t all, before;
    apr_status_t rv;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = pthread_create(&sender->thread, NULL, sender_main, sender);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    apr_atomic_set32(&sender->child->unstarted, rv != APR_SUCCESS);
    if (rv == APR_SUCCESS) {
        return 1;
    }
    if (apr_atomic_xchg32(&sender->failed, 1) == 0) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, rv, sender->server,
            "PM0424: the sender thread cannot be started; copies remain pending until it can");
    }
    apr_atomic_set64(&sender->retry_at, (apr_uint64_t)(mirror_clock_now() + MIRROR_TICK));
    apr_atomic_xchg32(&sender->state, STATE_NEW);
    return 0;
}

/* The `wake` of the queues, on a request thread or a helper. If the thread could not be started,
 * the first push after a tick retries, or the first copy that is created or rejected. */
static int wake(void *baton)
{
    mirror_sender_t *sender = baton;

    if (apr_atomic_read32(&sender->state) == STATE_NEW &&
        mirror_clock_now() < (apr_time_t)apr_atomic_read64(&sender->retry_at)) {
        return 0;
    }
    if (apr_atomic_cas32(&sender->state, STATE_STARTING, STATE_NEW) == STATE_NEW) {
        return start_thread(sender);
    }
    mirror_loop_wake(sender->send.loop);
    return 1;
}

/* ---- start and end of the child ---- */

static apr_uint32_t descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur > 262144) {
        return 65536;
    }
    return limit.rlim_cur >= 8 ? (apr_uint32_t)(limit.rlim_cur / 4) : 2;
}

apr_status_t mirror_sender_create(mirror_child_t *child, apr_pool_t *pool,
                                  struct server_rec *server)
{
    mirror_sender_t *sender = apr_pcalloc(pool, sizeof(*sender));
    apr_pool_t *own = mirror_memory_pool_create("mirror_sender"); /* main thread, then the sender */
    apr_status_t rv;

    sender->child = child;
    sender->server = server;
    rv = mirror_loop_create(&sender->send.loop, own);
    if (rv == APR_SUCCESS) {
        rv = mirror_helpers_create(&sender->send.helpers, child->registry->threads, own);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    child->queue = mirror_queue_create(pool, wake, sender);
    sender->send.child = child;
    sender->send.server = server;
    sender->send.reports = mirror_queue_create(pool, wake, sender);
    sender->send.stopping = &sender->stopping;
    sender->send.given_up = &sender->given_up;
    child->descriptors_max = descriptor_limit();
    rv = mirror_pool_create_all(&sender->send, own);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    child->logs = mirror_log_create_all(child, wake, sender, server, pool);
    sender->limits = mirror_gate_create_all(&sender->send, wake, sender, own);
    sender->full = apr_pcalloc(pool, (sender->send.count + 1) * sizeof(*sender->full));
    sender->tick.fire = on_tick;
    sender->tick.baton = sender;
    child->sender = sender;
    return APR_SUCCESS;
}

int mirror_sender_stop(mirror_child_t *child, apr_interval_time_t patience)
{
    mirror_sender_t *sender = child->sender;
    mirror_queue_item_t *item, *next;

    if (apr_atomic_cas32(&sender->state, STATE_DONE, STATE_NEW) == STATE_NEW) {
        for (item = mirror_queue_take(child->queue); item; item = next) {
            next = item->next;
            mirror_copy_end((mirror_copy_t *)item, MIRROR_OUTCOME_SHUT_DOWN);
        }
        mirror_log_close(child->logs, 0);
        return 1;
    }
    sender->deadline = mirror_clock_now() + patience;
    apr_atomic_xchg32(&sender->stopping, 1);
    mirror_loop_wake(sender->send.loop);
    while (apr_atomic_read32(&sender->state) != STATE_DONE) {
        if (mirror_clock_now() > sender->deadline + DRAIN_GRACE) {
            return 0;
        }
        apr_sleep(MIRROR_NAP);
    }
    return pthread_join(sender->thread, NULL) == 0 && sender->left_behind == 0;
}
