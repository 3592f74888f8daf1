/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/gate.c - the stage between queue and pools. See send/gate.h.
 *
 * Each mirror has a gate. A gate has at most one pending query to a remote strategy, at a minimum
 * interval. `queried` are the copies of that query, `waiting` those of the next one. The sender
 * thread owns everything, except that a helper owns the query_t and the state of the strategy during
 * a query.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/clock.h"
#include "base/window.h"
#include "copy/list.h"
#include "send/gate.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

/* The minimum interval of queries of a mirror, so that copies are batched. */
#define QUERY_INTERVAL apr_time_from_msec(5)
/* The minimum pause between a failure and the next try; it doubles with each failure. */
#define MIRROR_PAUSE_MIN apr_time_from_msec(100)
#define MIRROR_PAUSE_MAX apr_time_from_sec(1)
/* The time after the deadline when a helper is given up. Only a lookup can delay it that long. */
#define HELPER_GRACE apr_time_from_msec(50)

typedef struct gate_t gate_t;

typedef struct query_t {
    mirror_queue_item_t item; /* first member, so an item can be cast to its query */
    mirror_helpers_task_t task;
    gate_t *gate;
    const mirror_limit_provider_t *provider;
    void *state;
    apr_int64_t requested;
    apr_time_t deadline;
    mirror_queue_t *results;
    apr_status_t status;
    mirror_limit_result_t result;
} query_t;

struct gate_t {
    mirror_gates_t *limits;
    mirror_lane_t *lane;
    mirror_list_t waiting;
    mirror_list_t queried;

    const mirror_limit_provider_t *provider; /* NULL = not opened */
    void *state;
    apr_pool_t *memory; /* pool of the state; the helper owns it with the state */
    apr_uint32_t id;    /* limit_id of the settings of the state */

    query_t query;
    unsigned pending : 1;
    unsigned given_up : 1;     /* the result of the pending query is no longer needed */
    apr_interval_time_t pause; /* 0: it does not fail */
    apr_time_t retry_at;
    mirror_timer_t timer; /* timeout of the pending query, or of the wait for a helper */
    apr_time_t queried_at;
    mirror_timer_t pace; /* interval to the next query */
};

struct mirror_gates_t {
    mirror_send_t *send;
    mirror_queue_t *results;
    gate_t *gates; /* by mirror index */
    int copies;
    int next; /* the first gate of the next dispatch; rotates for fairness */
};

/* ---- copies ---- */

static void end_copies(gate_t *gate, mirror_list_t *copies, apr_int64_t n, mirror_outcome_e outcome)
{
    gate->limits->copies -= (int)n;
    while (n-- > 0) {
        mirror_copy_end(mirror_list_take(copies), outcome);
    }
}

/* Pass on `granted` of the first `n` copies, and end the others with `outcome`. */
static void decide(gate_t *gate, mirror_list_t *copies, apr_int64_t n, apr_int64_t granted,
                   mirror_outcome_e outcome)
{
    apr_int64_t i;

    for (i = 0; i < granted; i++) {
        gate->limits->copies--;
        mirror_pool_put(gate->limits->send, mirror_list_take(copies));
    }
    end_copies(gate, copies, n - granted, outcome);
}

/* Return the number of leading copies with the same limit. */
static apr_int64_t count_alike(const mirror_list_t *copies)
{
    const mirror_copy_t *copy;
    apr_int64_t n = 0;

    for (copy = copies->first;
         copy && copy->settings->limit_id == copies->first->settings->limit_id; copy = copy->next) {
        n++;
    }
    return n;
}

/* ---- results of queries ---- */

static int is_closed(const gate_t *gate, const mirror_settings_t *settings)
{
    return mirror_window_is_closed(&gate->lane->mirror->slot->limit_closed, settings->limit_id,
                                   apr_time_from_sec(settings->time_window));
}

/* Publish a result to all children, and pass on or end the first `n` copies accordingly. */
static void apply(gate_t *gate, mirror_list_t *copies, apr_int64_t n,
                  const mirror_limit_result_t *result)
{
    mirror_slot_t *slot = gate->lane->mirror->slot;
    const mirror_settings_t *settings = copies->first->settings;

    if (gate->provider->remote) {
        mirror_window_report(&slot->limit_shared, result->used, result->until);
    }
    if (result->used >= settings->count) {
        mirror_window_close(&slot->limit_closed, settings->limit_id, result->until);
    }
    decide(gate, copies, n, result->granted, MIRROR_OUTCOME_LIMITED);
}

/* Apply limit_fallback to the first `n` copies while the strategy does not respond. */
static void fall_back(gate_t *gate, mirror_list_t *copies, apr_int64_t n)
{
    mirror_slot_t *slot = gate->lane->mirror->slot;
    const mirror_settings_t *settings = copies->first->settings;
    mirror_limit_result_t result;

    if (is_closed(gate, settings)) { /* another child has received a response in the meantime */
        end_copies(gate, copies, n, MIRROR_OUTCOME_LIMITED);
        return;
    }
    switch (settings->limit_fallback) {
    case MIRROR_FALLBACK_MIRROR:
        decide(gate, copies, n, n, MIRROR_OUTCOME_NONE);
        return;
    case MIRROR_FALLBACK_DROP:
        decide(gate, copies, n, 0, MIRROR_OUTCOME_LIMIT_FAILED);
        return;
    default:
        result.granted = mirror_window_take(&slot->limit_local, n, settings->count,
                                            apr_time_from_sec(settings->time_window), &result.used,
                                            &result.until);
        if (result.used >= settings->count) {
            /* until the next try at most, when the strategy may respond */
            mirror_window_close(&slot->limit_closed, settings->limit_id,
                                result.until < gate->retry_at ? result.until : gate->retry_at);
        }
        decide(gate, copies, n, result.granted, MIRROR_OUTCOME_LIMITED);
    }
}

/* ---- failures ---- */

static void note_failure(gate_t *gate, const mirror_settings_t *settings, const char *fault)
{
    gate->pause = gate->pause ? 2 * gate->pause : MIRROR_PAUSE_MIN;
    gate->pause = gate->pause < MIRROR_PAUSE_MAX ? gate->pause : MIRROR_PAUSE_MAX;
    gate->retry_at = mirror_clock_now() + gate->pause;
    mirror_limit_silence_began(gate->lane->mirror, settings, fault, gate->limits->send->server);
}

static void note_success(gate_t *gate)
{
    gate->pause = 0;
    mirror_limit_silence_ended(gate->lane->mirror, gate->limits->send->server);
}

/* ---- queries ---- */

/* helper thread */
static void run_query(void *baton)
{
    query_t *query = baton;

    query->status =
        query->provider->query(&query->result, query->state, query->requested, query->deadline);
    /* The sender owns it from here. */
    mirror_queue_push(query->results, &query->item);
}

static void give_up(void *baton)
{
    gate_t *gate = baton;

    if (!gate->pending) {
        if (gate->waiting.count > 0) { /* they fall back in the next dispatch */
            note_failure(gate, gate->waiting.first->settings, "no helper thread was free in time");
        }
        return;
    }
    gate->given_up = 1;
    note_failure(gate, gate->queried.first->settings,
                 "the request timed out and its helper thread is still blocked");
    fall_back(gate, &gate->queried, gate->queried.count);
}

static void take_result(gate_t *gate)
{
    query_t *query = &gate->query;

    gate->pending = 0;
    mirror_helpers_done(gate->limits->send->helpers, MIRROR_HELPERS_QUERY);
    mirror_loop_timer_stop(&gate->timer);
    if (query->status == APR_SUCCESS) {
        note_success(gate);
    }
    if (gate->given_up) {
        gate->given_up = 0; /* the granted copies of that query are lost */
        return;
    }
    /* no copy waits for the result, so there are no settings to apply */
    if (gate->queried.count == 0) {
        return;
    }
    if (query->status == APR_SUCCESS) {
        apply(gate, &gate->queried, gate->queried.count, &query->result);
    }
    else {
        note_failure(gate, gate->queried.first->settings, query->result.fault);
        fall_back(gate, &gate->queried, gate->queried.count);
    }
}

/* Start the timer that gives up the pending query. */
static void start_timer(gate_t *gate, const mirror_settings_t *settings)
{
    mirror_loop_timer_start(gate->limits->send->loop, &gate->timer, mirror_clock_now(),
                            apr_time_from_msec(settings->redis_timeout) + HELPER_GRACE);
}

/* Return whether the budget allows a helper. If not, the timer ends the waiting copies at the
 * deadline. */
static int may_query(gate_t *gate)
{
    if (mirror_helpers_may(gate->limits->send->helpers, MIRROR_HELPERS_QUERY, 0)) {
        return 1;
    }
    if (!gate->timer.ring) {
        start_timer(gate, gate->waiting.first->settings);
    }
    return 0;
}

/* Return whether the next query must wait. If so, a timer wakes the loop for it. */
static int must_wait(gate_t *gate)
{
    apr_interval_time_t left = gate->queried_at + QUERY_INTERVAL - mirror_clock_now();

    if (left <= 0) {
        return !may_query(gate);
    }
    if (!gate->pace.ring) {
        mirror_loop_timer_start(gate->limits->send->loop, &gate->pace, gate->queried_at,
                                QUERY_INTERVAL);
    }
    return 1;
}

/* Wakes the loop for its next dispatch. */
static void pace_over(void *baton)
{
    (void)baton;
}

/* Query the strategy for `n` waiting copies. */
static void query_remote(gate_t *gate, apr_int64_t n)
{
    mirror_send_t *send = gate->limits->send;
    const mirror_settings_t *settings = gate->waiting.first->settings;
    query_t *query = &gate->query;
    apr_status_t rv;

    query->gate = gate;
    query->provider = gate->provider;
    query->state = gate->state;
    query->requested = n;
    gate->queried_at = mirror_clock_now();
    query->deadline = gate->queried_at + apr_time_from_msec(settings->redis_timeout);
    query->results = gate->limits->results;
    query->result.fault[0] = '\0';
    query->task.run = run_query;
    query->task.baton = query;
    rv = mirror_helpers_push(send->helpers, &query->task, MIRROR_HELPERS_QUERY);
    if (rv != APR_SUCCESS) {
        note_failure(gate, settings, "no helper thread is available");
        fall_back(gate, &gate->waiting, n);
        return;
    }
    gate->pending = 1;
    while (n-- > 0) {
        mirror_list_add(&gate->queried, mirror_list_take(&gate->waiting));
    }
    start_timer(gate, settings);
}

static void query_local(gate_t *gate, apr_int64_t n)
{
    mirror_limit_result_t result;

    gate->provider->query(&result, gate->state, n, 0);
    apply(gate, &gate->waiting, n, &result);
}

/* ---- gates ---- */

static void close_state(gate_t *gate)
{
    if (gate->provider) {
        if (gate->provider->close) {
            gate->provider->close(gate->state);
        }
        apr_atomic_sub32(&gate->limits->send->child->descriptors,
                         (apr_uint32_t)gate->provider->remote);
        apr_pool_destroy(gate->memory);
        gate->provider = NULL;
    }
}

/* Open the state for these settings, unless it is open. */
static void open_state(gate_t *gate, const mirror_settings_t *settings)
{
    if (gate->provider && gate->id == settings->limit_id) {
        return;
    }
    close_state(gate);
    gate->provider = mirror_limit_provider(settings);
    gate->memory = mirror_memory_pool_create("mirror_limit");
    gate->state = gate->provider->open(gate->lane->mirror, settings, gate->limits->send->given_up,
                                       gate->memory);
    gate->id = settings->limit_id;
    gate->pause = 0;
    if (gate->provider->remote) {
        apr_atomic_inc32(&gate->limits->send->child->descriptors);
    }
}

static void dispatch(gate_t *gate)
{
    mirror_list_t *waiting = &gate->waiting;

    while (waiting->count > 0) {
        const mirror_settings_t *settings = waiting->first->settings;
        apr_int64_t n = count_alike(waiting);

        if (is_closed(gate, settings)) {
            end_copies(gate, waiting, n, MIRROR_OUTCOME_LIMITED);
            continue;
        }
        if (gate->pending) {
            if (!gate->pause) {
                return;
            }
            fall_back(gate, waiting, n);
            continue;
        }
        open_state(gate, settings);
        if (!gate->provider->remote) {
            query_local(gate, n);
        }
        else if (gate->pause && mirror_clock_now() < gate->retry_at) {
            fall_back(gate, waiting, n);
        }
        else if (!must_wait(gate)) {
            query_remote(gate, gate->pause ? 1 : n);
        }
        else if (gate->pause) {
            fall_back(gate, waiting, n);
        }
        else {
            return;
        }
    }
}

void mirror_gate_put(mirror_gates_t *limits, mirror_copy_t *copy)
{
    if (!copy->settings->enable_limit_count) {
        mirror_pool_put(limits->send, copy);
        return;
    }
    limits->copies++;
    mirror_list_add(&limits->gates[copy->lane->mirror->index].waiting, copy);
}

void mirror_gate_dispatch_all(mirror_gates_t *limits)
{
    int i;

    for (i = 0; i < limits->send->count && limits->copies > 0; i++) {
        dispatch(&limits->gates[(limits->next + i) % limits->send->count]);
    }
    limits->next = limits->send->count ? (limits->next + 1) % limits->send->count : 0;
}

int mirror_gate_take_results(mirror_gates_t *limits)
{
    mirror_queue_item_t *item = mirror_queue_take(limits->results), *next;
    int n = 0;

    for (; item; item = next, n++) {
        next = item->next;
        take_result(((query_t *)item)->gate);
    }
    return n;
}

int mirror_gate_count(const mirror_gates_t *limits)
{
    return limits->copies;
}

int mirror_gate_sleep(mirror_gates_t *limits)
{
    return mirror_queue_sleep(limits->results);
}

void mirror_gate_awake(mirror_gates_t *limits)
{
    mirror_queue_awake(limits->results);
}

/* ---- start and end ---- */

mirror_gates_t *mirror_gate_create_all(mirror_send_t *send, int (*wake)(void *baton), void *baton,
                                       apr_pool_t *memory)
{
    mirror_gates_t *limits = apr_pcalloc(memory, sizeof(*limits));
    int i;

    limits->send = send;
    limits->results = mirror_queue_create(memory, wake, baton);
    limits->gates = apr_pcalloc(memory, (send->count + 1) * sizeof(gate_t));
    for (i = 0; i < send->count; i++) {
        gate_t *gate = &limits->gates[i];

        gate->limits = limits;
        gate->lane = &send->child->lanes[i];
        mirror_list_init(&gate->waiting);
        mirror_list_init(&gate->queried);
        gate->timer.fire = give_up;
        gate->timer.baton = gate;
        gate->pace.fire = pace_over;
    }
    return limits;
}

void mirror_gate_close_all(mirror_gates_t *limits)
{
    int i;

    for (i = 0; i < limits->send->count; i++) {
        gate_t *gate = &limits->gates[i];

        end_copies(gate, &gate->waiting, gate->waiting.count, MIRROR_OUTCOME_SHUT_DOWN);
        end_copies(gate, &gate->queried, gate->queried.count, MIRROR_OUTCOME_SHUT_DOWN);
        mirror_loop_timer_stop(&gate->timer);
        mirror_loop_timer_stop(&gate->pace);
        gate->given_up = 1;
        if (!gate->pending) {
            close_state(gate);
        }
    }
}
