/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/poller.c - the thread that polls the store of the fleet. See fleet/poller.h.
 *
 * The child that leads polls each `interval`; the others look at the lease. Every child has the
 * thread: after kills or a graceful restart, only children with high worker slots may be left. Under
 * prefork there may be hundreds, so those look each four seconds, and a child has a follower only
 * once it leads. Only the loop's sleep and the socket waits of a command block, and both end with
 * the child.
 */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include <apr_atomic.h>

#include "base/clock.h"
#include "base/loop.h"
#include "fleet/follow.h"
#include "fleet/hold.h"
#include "fleet/lease.h"
#include "fleet/poller.h"
#include "fleet/presence.h"

APLOG_USE_MODULE(proxy_mirror);

#define WATCH     apr_time_from_sec(1)    /* interval of a child that does not lead */
#define WATCHERS  16                      /* children with a higher worker slot look less often: */
#define WATCH_MAX 4                       /* ... at most so many times the interval */
#define SPREAD    apr_time_from_msec(200) /* maximum delay before changed documents are read */
#define REPORT    apr_time_from_sec(10)   /* interval of lines about a store that fails again */
#define BURST     4                       /* lines that need no interval */
#define GRACE     apr_time_from_msec(10)  /* after the deadline of the end */
#define NAP       apr_time_from_msec(1)
#define STACK     (512 * 1024)

typedef struct mirror_poller_t {
    mirror_child_t *child;
    server_rec *server;
    mirror_loop_t *loop;
    mirror_fleet_words_t *words;
    apr_uint32_t load; /* number of the load of this child */
    pthread_t thread;
    apr_uint32_t stopping; /* atomic: 1 = the child ends */
    apr_uint32_t done;     /* atomic: 1 = the thread ends */
    int is_started;
    /* the thread's: */
    apr_pool_t *pool;
    mirror_follow_t *follow; /* NULL until this child first leads */
    mirror_presence_t *presence;
    int leads;
    int failures;            /* polls in a row that failed */
    apr_uint64_t unreported; /* since when the store is down, if that was not logged; 0 = it was */
    apr_time_t reported;     /* when the lines so far have had their intervals */
    apr_time_t next;         /* time of the next poll */
    apr_uint64_t random;
} mirror_poller_t;

static const mirror_fleet_t *fleet_of(const mirror_poller_t *poller)
{
    return poller->child->registry->fleet;
}

static int is_stopping(mirror_poller_t *poller)
{
    return apr_atomic_read32(&poller->stopping) != 0;
}

/* ---- pauses ---- */

/* Return a random number below `below` (xorshift; only spreads load). */
static apr_interval_time_t random_below(mirror_poller_t *poller, apr_interval_time_t below)
{
    poller->random ^= poller->random << 13;
    poller->random ^= poller->random >> 7;
    poller->random ^= poller->random << 17;
    return below > 0 ? (apr_interval_time_t)(poller->random % (apr_uint64_t)below) : 0;
}

/* Sleep, or until the child ends. A leader beats meanwhile, so that it keeps the lease while the
 * store does not respond, and with it the count of failures. */
static void sleep_for(mirror_poller_t *poller, apr_interval_time_t time)
{
    apr_time_t now = mirror_clock_now(), end = now + time;
    apr_status_t rv;

    while (!is_stopping(poller) && now < end) {
        if (poller->leads) {
            mirror_lease_beat(poller->words, poller->load, now);
        }
        mirror_loop_round(poller->loop, end - now < WATCH ? end - now : WATCH, &rv);
        now = mirror_clock_now();
    }
}

/* The `pause` of mirror_follow_poll(): a fleet of a thousand nodes does not read at once. Not at the
 * start, for which requests wait. */
static int spread(void *baton)
{
    mirror_poller_t *poller = baton;

    if (apr_atomic_read64(&poller->words->fetched)) {
        sleep_for(poller, random_below(poller, SPREAD));
    }
    return !is_stopping(poller);
}

/* While the store does not respond: 100 ms, doubled up to 5 s, a random part of it. */
static apr_interval_time_t until_next(mirror_poller_t *poller)
{
    apr_interval_time_t time = fleet_of(poller)->interval;

    if (!poller->leads) {
        int times = 1 + (poller->child->worker_slot - 1) / WATCHERS;

        time = WATCH * (times < WATCH_MAX ? times : WATCH_MAX);
    }
    else if (poller->failures) {
        time = apr_time_from_msec(100) << (poller->failures < 7 ? poller->failures - 1 : 6);
        time = time < MIRROR_HOLD_BACKOFF ? time : MIRROR_HOLD_BACKOFF;
        return time / 2 + random_below(poller, time / 2);
    }
    return time - time / 10 + random_below(poller, time / 5);
}

/* ---- polling ---- */

/* Whether another line may be logged now. */
static int may_report(mirror_poller_t *poller, apr_time_t now)
{
    apr_time_t next = (poller->reported > now ? poller->reported : now) + REPORT;

    if (next - now > BURST * REPORT) {
        return 0;
    }
    poller->reported = next;
    return 1;
}

static void note_failure(mirror_poller_t *poller, const char *fault)
{
    mirror_fleet_words_t *words = poller->words;
    apr_uint64_t now = (apr_uint64_t)mirror_clock_now();

    poller->failures++;
    if (apr_atomic_cas64(&words->down_since, now, 0) == 0) {
        poller->unreported = now;
    }
    if (poller->unreported && may_report(poller, (apr_time_t)now)) {
        poller->unreported = 0;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, poller->server,
                     "PM0930: the store of the fleet %s does not respond as it should: %s; the "
                     "settings in force remain",
                     fleet_of(poller)->name, fault);
    }
}

static void note_success(mirror_poller_t *poller)
{
    mirror_fleet_words_t *words = poller->words;
    apr_uint64_t since = apr_atomic_read64(&words->down_since);

    poller->failures = 0;
    apr_atomic_set64(&words->checked, (apr_uint64_t)mirror_clock_now());
    if (since != 0 || apr_atomic_read64(&words->up_since) == 0) {
        apr_atomic_set64(&words->up_since, (apr_uint64_t)mirror_clock_now());
    }
    if (since != 0) {
        mirror_hold_note(words, fleet_of(poller), mirror_clock_now());
    }
    if (since != 0 && apr_atomic_cas64(&words->down_since, 0, since) == since &&
        since != poller->unreported) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, poller->server,
                     "PM0931: the store of the fleet %s responds again, after %" APR_INT64_T_FMT
                     " s",
                     fleet_of(poller)->name,
                     (apr_int64_t)apr_time_sec(mirror_clock_now() - (apr_time_t)since));
    }
    poller->unreported = 0;
}

static void poll_once(mirror_poller_t *poller)
{
    const char *fault;
    apr_status_t rv = mirror_follow_poll(poller->follow, spread, poller, &fault);

    if (is_stopping(poller)) {
        return;
    }
    if (rv == APR_SUCCESS) {
        note_success(poller);
        mirror_presence_publish(poller->presence);
    }
    else {
        note_failure(poller, fault);
    }
    apr_atomic_set64(&poller->words->fetched, 1);
}

/* Begin to lead. */
static void begin(mirror_poller_t *poller)
{
    const mirror_registry_t *registry = poller->child->registry;

    if (!poller->follow) {
        poller->follow = mirror_follow_create(registry, &poller->stopping, poller->pool);
        poller->presence = mirror_presence_create(registry, poller->follow, poller->pool);
    }
    mirror_follow_begin(poller->follow);
}

/* How old the beat of a leader may be. */
static apr_interval_time_t patience_of(const mirror_fleet_t *fleet)
{
    return mirror_fleet_patience(fleet) + fleet->interval + WATCH;
}

/* Take the lease, if it is free and this child has the newest configuration. */
static void look(mirror_poller_t *poller)
{
    mirror_table_t *table = poller->child->registry->table;
    int leads = mirror_table_is_newest(table) &&
                mirror_lease_take(poller->words, poller->load, patience_of(fleet_of(poller)),
                                  mirror_clock_now());

    if (leads && !poller->leads) {
        poller->failures = 0;
        poller->unreported = 0;
        begin(poller);
    }
    if (!leads && poller->leads) {
        mirror_follow_close(poller->follow);
    }
    poller->leads = leads;
}

/* ---- the thread ---- */

/* Poll, if it is time. A node with a long interval reports its state meanwhile, as it is not silent. */
static void lead(mirror_poller_t *poller, int is_new)
{
    if (is_new || mirror_clock_now() >= poller->next) {
        poll_once(poller);
        poller->next = mirror_clock_now() + until_next(poller);
    }
    else if (!poller->failures) {
        mirror_presence_publish(poller->presence);
    }
}

/* Return the time until the thread has something to do. */
static apr_interval_time_t until_round(mirror_poller_t *poller)
{
    apr_interval_time_t rest = poller->next - mirror_clock_now();

    return !poller->leads ? until_next(poller) : rest < WATCH ? rest : WATCH;
}

static void *poller_main(void *baton)
{
    mirror_poller_t *poller = baton;
    int led;
#ifdef __linux__
    pthread_setname_np(pthread_self(), "mirror-fleet");
#endif
    poller->random = (apr_uint64_t)mirror_clock_now() << 16 ^ (apr_uint64_t)getpid() << 1 ^ 1;
    poller->pool = mirror_memory_pool_create("mirror_fleet"); /* this thread's */
    while (!is_stopping(poller)) {
        led = poller->leads;
        look(poller);
        if (poller->leads) {
            lead(poller, !led);
        }
        /* a thread that was left behind in a lookup must not read the configuration any more */
        if (!is_stopping(poller)) {
            sleep_for(poller, until_round(poller));
        }
    }
    if (poller->follow) {
        mirror_follow_close(poller->follow);
    }
    mirror_lease_give(poller->words, poller->load);
    apr_pool_destroy(poller->pool);
    apr_atomic_xchg32(&poller->done, 1);
    return NULL;
}

static int start_thread(mirror_poller_t *poller)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int error;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&poller->thread, &attributes, poller_main, poller);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error) {
        ap_log_error(APLOG_MARK, APLOG_ERR, error, poller->server,
                     "PM0937: the thread that polls the store of the fleet could not be started; "
                     "another child process does it");
    }
    return !error;
}

/* ---- start and end of the child ---- */

void mirror_poller_start(mirror_child_t *child, apr_pool_t *pool, struct server_rec *server)
{
    mirror_poller_t *poller;
    apr_time_t end;

    if (!child->registry->fleet) {
        return;
    }
    poller = apr_pcalloc(pool, sizeof(*poller));
    poller->child = child;
    poller->server = server;
    poller->words = mirror_table_fleet(child->registry->table);
    poller->load = mirror_table_load(child->registry->table);
    child->poller = poller;
    if (mirror_loop_create(&poller->loop, mirror_memory_pool_create("mirror_fleet_loop")) ==
        APR_SUCCESS) {
        poller->is_started = start_thread(poller);
    }
    end = mirror_clock_now() + mirror_fleet_patience(child->registry->fleet) + GRACE;
    while (!apr_atomic_read64(&poller->words->fetched) && mirror_clock_now() < end) {
        apr_sleep(NAP);
    }
}

int mirror_poller_stop(mirror_child_t *child, apr_interval_time_t patience)
{
    mirror_poller_t *poller = child->poller;
    apr_time_t end = mirror_clock_now() + patience;

    if (!poller) {
        return 1;
    }
    apr_atomic_xchg32(&poller->stopping, 1);
    if (!poller->is_started) {
        return 1;
    }
    mirror_loop_wake(poller->loop);
    while (!apr_atomic_read32(&poller->done)) {
        if (mirror_clock_now() > end + GRACE) {
            return 0;
        }
        apr_sleep(NAP);
    }
    return pthread_join(poller->thread, NULL) == 0;
}

apr_uint32_t *mirror_poller_given_up(const mirror_child_t *child)
{
    return &child->poller->stopping;
}

int mirror_poller_leads(const mirror_registry_t *registry)
{
    return mirror_lease_is_taken(mirror_table_fleet(registry->table), patience_of(registry->fleet),
                                 mirror_clock_now());
}
