/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_state.h - the state of a pool; only for send/pool*.c. Sender thread, except the
 * creation of the first pools.
 */
#ifndef MIRROR_SEND_POOL_STATE_H
#define MIRROR_SEND_POOL_STATE_H

#include "copy/list.h"
#include "send/lifespan.h"
#include "send/send.h"
#include "send/turns.h"
#include "shared/lost.h"
#include "shared/servers.h"

/* The rings of open connections. A connection without copies is idle, also if it has no room now;
 * the idle ones with room come first, most recently used first. */
typedef enum {
    MIRROR_RING_IDLE,
    MIRROR_RING_PARTIAL, /* has copies and room for more */
    MIRROR_RING_FULL,
    MIRROR_RINGS
} mirror_ring_e;

/* What is known of a server by its connections. */
typedef struct mirror_health_t {
    apr_time_t failed;        /* time when a connection last failed; 0 = it responds since */
    int refusals;             /* consecutive TLS connections without a response */
    mirror_outcome_e down_as; /* outcome of the last failure */
    mirror_lifespan_t lifespan;
    /* it responded over TLS since it last failed, so it accepts our certificate */
    unsigned proven : 1;
} mirror_health_t;

/* The members of a pool are the servers of a mirror that has several:
 *
 *     pool_members         which servers there are; joining, leaving
 *     pool_members_use     which one gets the next copy; the share of each
 *     pool_members_open    which one gets the next connection; lookups, probes
 *     pool_members_health  which are down or ejected
 *
 * A pool has members if its mirror has several servers, otherwise `pool->members` is NULL and the
 * pool uses none of this. Copies wait in the pool, and are bound to a member only when one of its
 * connections takes them. So a member that fails holds no copy but those it has received.
 *
 * Whether a member is out is in shared memory, for all children (shared/servers.h). A member
 * without a place there has words of its own. */
struct mirror_member_t {
    mirror_member_t *next; /* of those that leave */
    const char *hostname;  /* in this block, as is `address` */
    const char *address;   /* with the port, for messages */
    int named;             /* hostname needs a lookup */
    apr_port_t port;
    apr_uint64_t key;
    mirror_addresses_t *addresses; /* NULL = lookup required */
    struct mirror_connection_ring_t rings[MIRROR_RINGS];
    mirror_health_t health;
    int open, opening, yields, tasks; /* as those of the pool */
    int in_flight;                    /* copies on its connections */
    mirror_turn_t turn;               /* for copies */
    mirror_turn_t opens;              /* for connections */
    apr_time_t opening_since;         /* begin of its task */
    apr_time_t spare_until; /* no connection is opened before: it responds, but accepts none */
    unsigned leaving : 1;   /* it is no server of the mirror any more */
    unsigned missed : 1;    /* its turn came, and it had no room: a connection is missing */
    unsigned looks_up : 1;  /* its last task began with a lookup */
    unsigned found : 1;     /* in the middle of an update: it stays */
    mirror_server_words_t *words;   /* its place in shared memory, or `own_words` */
    mirror_server_counts_t *counts; /* the same */
    mirror_server_words_t own_words;
    mirror_server_counts_t own_counts;
    char text[1];
};

typedef struct mirror_members_t {
    mirror_member_t *list[MIRROR_SERVERS_MAX];
    int count;
    mirror_member_t *leaving; /* those with connections; linked by `next` */
    apr_uint64_t group;
    apr_time_t look_up_at;             /* resolve=all: time of the next lookup */
    apr_time_t looked_up;              /* time of the last one */
    apr_time_t awaited;                /* when the pending one began, if copies wait for it; or 0 */
    int lookups;                       /* pending lookups */
    int looking_up;                    /* one of them is of the mirror's name */
    int too_many;                      /* a line said that the name has too many addresses */
    int repaired;                      /* a line said that the places had foreign data */
    apr_time_t probed;                 /* time when the mirror's probe came */
    mirror_timer_t stalled;            /* runs while a connection takes long to open */
    mirror_helpers_kind_e hungers_for; /* the task that waits for a helper */
} mirror_members_t;

struct mirror_pool_t {
    mirror_send_t *send;
    mirror_lane_t *lane;
    const mirror_settings_t *settings; /* the newest settings of a copy; a reference */
    mirror_pool_t *next;
    mirror_pool_t *next_touched;
    mirror_list_t waiting;
    /* copies whose connection was stale; they need a fresh one */
    mirror_list_t again;
    struct mirror_connection_ring_t rings[MIRROR_RINGS]; /* open connections */
    mirror_addresses_t *addresses;                       /* NULL = lookup required */
    mirror_members_t *members; /* several servers, which have the open connections; NULL = one */
    /* runs after a lack of resources; no connection is opened meanwhile */
    mirror_timer_t pause;
    /* runs while the mirror responds but accepts no further connections */
    mirror_timer_t spare;
    /* runs while copies wait and a server has a lifespan: idle connections may take a copy later */
    mirror_timer_t rest;
    apr_time_t stale; /* time when the last copy was added to `again` */
    /* of the mirror as a whole; `down_as`: outcome of waiting copies while it is down */
    mirror_health_t health;
    /* reason of the last failed connection, for the list of losses, and the system's error */
    mirror_why_e why;
    apr_status_t why_rv;
    int open;    /* open connections */
    int opening; /* connections owned by helpers */
    int testing; /* of these, those that test a server; they do not count towards max_connections */
    /* open connections that get no copies, and do not count towards max_connections: a busy one that
     * yields to another one, and those that test a server */
    int yields;
    /* other open connections whose protocol the mirror has not confirmed; they take one copy */
    int unconfirmed;
    /* when a copy timed out on an unconfirmed connection (mirror_loop_now()), and since then none was
     * confirmed; 0 = no such time */
    apr_time_t silent;
    int tasks; /* tasks of helpers */
    /* turn number while the pool waits for a helper, lowest first; 0 = does not wait */
    apr_uint64_t wants_helper;
    unsigned touched : 1;
    unsigned first : 1;   /* allocated in the sender's pool, not by malloc */
    unsigned ends : 1;    /* another pool is in force for the mirror */
    unsigned probing : 1; /* opens connections although the mirror is down */
};

/* A connection does not yield to another one before this time. */
#define MIRROR_TENURE apr_time_from_msec(100)

/* The time for which a connection without keepalive is kept for waiting copies. */
#define MIRROR_NO_KEEPALIVE apr_time_from_sec(1)

/* The maximum of connections per task. */
#define MIRROR_CHAIN_MAX 32

/* ---- send/pool_state.c ---- */

const mirror_settings_t *mirror_pool_settings_of(const mirror_pool_t *pool);

/* Mark the pool dirty. The next dispatch processes it. */
void mirror_pool_touch(mirror_pool_t *pool);

/* Add `more` open connections; may be negative. */
void mirror_pool_count_open(mirror_pool_t *pool, int more);

/* Insert a connection that is in no ring into the ring of its state. */
void mirror_pool_insert(mirror_pool_t *pool, mirror_connection_t *connection);

/* Move an open connection to the ring of its state, if that has changed. */
void mirror_pool_move(mirror_pool_t *pool, mirror_connection_t *connection);

/* Return whether the connection takes another copy now. */
int mirror_pool_has_room(const mirror_pool_t *pool, const mirror_connection_t *connection);

/* Return whether the connection takes copies that are retried: it had no response yet, or it takes
 * several at a time and is younger than the last of these copies. */
int mirror_pool_is_fresh(const mirror_pool_t *pool, const mirror_connection_t *connection);

/* Return what is known of the server of a connection. */
mirror_health_t *mirror_pool_health_of(mirror_pool_t *pool, mirror_member_t *member);

/* Return the maximum of copies that a new connection takes at a time, for protocols that allow
 * several: streams, or less if a server has a lower lifespan. */
apr_int64_t mirror_pool_most(const mirror_pool_t *pool);

/* Return whether a server has a lifespan. */
int mirror_pool_has_lifespan(const mirror_pool_t *pool);

/* Return whether the lifespan of a connection, if there is one, allows the next copy now. */
int mirror_pool_lives(const mirror_pool_t *pool, const mirror_connection_t *connection);

/* Return the open connection that takes the next waiting copy: one with copies first, so that
 * others become idle. NULL = none has room. If only copies wait that need a fresh connection, a used
 * one is returned only if no other connection has room. */
mirror_connection_t *mirror_pool_find_room(mirror_pool_t *pool);

/* Return the connections that count towards max_connections: those that are open or being opened, and
 * neither yield nor test a server. */
int mirror_pool_count_connections(const mirror_pool_t *pool);

/* The connection gets no copies from now on, and does not count. */
void mirror_pool_yield(mirror_pool_t *pool, mirror_connection_t *connection);

/* A confirmed connection that yields gets copies again, and counts. */
void mirror_pool_resume(mirror_pool_t *pool, mirror_connection_t *connection);

/* Close an open connection of the pool. */
void mirror_pool_close_connection(mirror_pool_t *pool, mirror_connection_t *connection);

/* Free a connection that the loop does not watch. */
void mirror_pool_destroy_connection(mirror_connection_t *connection);

/* Return the number of idle connections that the mirror lets take no copy now. */
int mirror_pool_count_waiting_idle(const mirror_pool_t *pool);

/* Close the connection with the longest idle time. Returns 0 if none is idle. */
int mirror_pool_close_idle(mirror_pool_t *pool);

/* Return whether the connection is one too many, as after max_connections was lowered, and has to be
 * closed when it is idle. */
int mirror_pool_has_surplus(const mirror_pool_t *pool, const mirror_connection_t *connection);

/* Return the time since when that connection has been idle (mirror_clock_now()); 0 if none is
 * idle. */
apr_time_t mirror_pool_idle_since(const mirror_pool_t *pool);

/* Drop the addresses, so the next connection repeats the lookup. */
void mirror_pool_drop_addresses(mirror_pool_t *pool);

/* ---- send/pool_events.c ---- */

/* Set the callbacks of all connections of the sender. Child start, main thread. */
void mirror_pool_init_events(mirror_send_t *send);

/* A connection failed, to `member` or to the only server: set it down, and the mirror if all its
 * servers are. If the pool's settings are not current, its waiting copies end instead. `what`: the
 * failed step, for the log. */
void mirror_pool_set_down(mirror_pool_t *pool, mirror_member_t *member, mirror_outcome_e outcome,
                          const char *what, apr_status_t rv);

/* A connection to `member` or to the only server shows that it is up. */
void mirror_pool_set_up(mirror_pool_t *pool, mirror_member_t *member);

/* ---- send/pool_copies.c ---- */

/* Initialize the lists of copies. */
void mirror_pool_init_copies(mirror_pool_t *pool);

/* Append `copy` to the waiting copies, or prepend it if it is a probe. The pool owns it from
 * here. */
void mirror_pool_add(mirror_pool_t *pool, mirror_copy_t *copy);

/* Retry `copy`, whose connection ended before its response, on a fresh connection. The pool owns it
 * from here. */
void mirror_pool_add_again(mirror_pool_t *pool, mirror_copy_t *copy);

/* Retry `copy`, which the mirror has not processed, on any connection, before others. The pool owns
 * it from here. */
void mirror_pool_add_unprocessed(mirror_pool_t *pool, mirror_copy_t *copy);

/* Return the number of copies without a connection. */
int mirror_pool_count_waiting(const mirror_pool_t *pool);

/* Return the number of fresh connections that the copies to retry need. */
apr_int64_t mirror_pool_count_again(const mirror_pool_t *pool);

/* Remove the next batch for `connection`, which the caller then owns: one or more copies linked by
 * `next`, as many as `pipeline` and the protocol allow. On a connection without a previous response the batch is
 * one copy, because the mirror may close after the first response. A retried copy without remaining
 * time ends as timed_out. NULL = no copy waits for this connection. */
mirror_copy_t *mirror_pool_take_batch(mirror_pool_t *pool, const mirror_connection_t *connection);

/* End `copy`, which has no connection and was removed from the lists. */
void mirror_pool_end_copy(mirror_pool_t *pool, mirror_copy_t *copy, mirror_outcome_e outcome);

/* End all copies of `batch` with `outcome`. `batch`: copies linked by `next`, or NULL. */
void mirror_pool_end_batch(mirror_pool_t *pool, mirror_copy_t *batch, mirror_outcome_e outcome);

/* Handle `batch`, or NULL: copies sent after the last copy of a connection, which ended as `how`.
 * They have used the same time as that copy, and the mirror may have processed them. They end with
 * it or are retried. The pool owns them from here. */
void mirror_pool_strand(mirror_pool_t *pool, mirror_copy_t *batch, mirror_connection_end_e how);

/* End all copies without a connection. */
void mirror_pool_end_waiting(mirror_pool_t *pool, mirror_outcome_e outcome);

/* ---- send/pool_set.c ---- */

/* Create a pool for each lane, with the file's settings. Errors: APR_ENOMEM. */
apr_status_t mirror_pool_create_first(mirror_send_t *send, apr_pool_t *memory);

/* Return the pool of the copy. If the copy's settings are newer and have another host, a new pool
 * is created. NULL = out of memory. */
mirror_pool_t *mirror_pool_for(mirror_send_t *send, const mirror_copy_t *copy);

/* End a replaced pool: close idle connections, and free the pool if it is empty. */
void mirror_pool_end(mirror_pool_t *pool);

/* ---- send/pool_open.c ---- */

/* Start tasks for missing connections, within the bounds. If no connection is possible, the copies
 * end as memory_full. */
void mirror_pool_open_missing(mirror_pool_t *pool);

/* Return the next pool that waits for a helper and may have one; it no longer waits. Pools whose
 * mirror was reached last time come first, because they release the helper soon. The pool with the
 * longest wait comes first at times, so that none starves. NULL = none. */
mirror_pool_t *mirror_pool_take_waiting(mirror_send_t *send);

/* Return the number of missing connections that may be opened, if `coming` ones are expected. */
int mirror_pool_count_missing(mirror_pool_t *pool, apr_int64_t coming);

/* Return whether one connection more may be opened that no copy waits for. */
int mirror_pool_may_open_one(const mirror_pool_t *pool);

/* A connection is required, and all that may be open have copies: with HTTP/2, let the oldest one
 * yield, which gets no more copies, if it is old enough and none yields yet. Returns whether it
 * does. */
int mirror_pool_let_yield(mirror_pool_t *pool);

/* Follow max_connections if it was lowered: close idle connections; others are closed when they are idle
 * (mirror_pool_has_surplus()). Those of HTTP/2 may never be, so they yield. If there may be more,
 * those that yield resume instead of others being opened beside them. */
void mirror_pool_fit(mirror_pool_t *pool);

/* Return whether a connection may be opened that tests a server, whatever max_connections is. If
 * descriptors are exhausted, an idle connection of any mirror is closed for it. */
int mirror_pool_may_test(mirror_pool_t *pool);

/* Return whether the descriptors for connections are not exhausted. */
int mirror_pool_has_descriptors(const mirror_pool_t *pool);

/* Give a helper `n` connections to `member` to open; is_probe: they test whether it is up. If that
 * fails, the waiting copies end as memory_full. Returns 0 then. */
int mirror_pool_start_task(mirror_pool_t *pool, mirror_member_t *member, int n, int is_probe);

/* Give a helper the name of the mirror to look up; mirror_pool_members_resolved() gets the result. */
void mirror_pool_start_lookup(mirror_pool_t *pool);

/* Wait for a helper (mirror_pool_take_waiting()). */
void mirror_pool_begin_hunger(mirror_pool_t *pool);

/* Pause opening connections after a lack of resources. Returns 0 if the pool was already paused. */
int mirror_pool_pause(mirror_pool_t *pool);

/* This host lacks what `connection` needs, which failed: pause. If the pool has no connection to
 * wait for, its copies end as memory_full. */
void mirror_pool_note_lack(mirror_pool_t *pool, const mirror_connection_t *connection);

/* ---- send/pool_members.c ---- */

/* Create the members of a new pool. Returns APR_SUCCESS, also if the mirror has one server, or
 * APR_ENOMEM. */
apr_status_t mirror_pool_members_create(mirror_pool_t *pool);

/* Apply the pool's new settings. */
void mirror_pool_members_update(mirror_pool_t *pool);

/* Take back the lookup of the mirror's name, with its addresses or an error. */
void mirror_pool_members_resolved(mirror_pool_t *pool, mirror_connection_t *lookup);

/* A connection to the member failed: it may have moved, so look it up again soon. */
void mirror_pool_members_look_up_soon(mirror_pool_t *pool, mirror_member_t *member);

/* Close the idle connections of the member, except one that tests it. Not in a callback of a
 * connection. */
void mirror_pool_member_close_idle(mirror_pool_t *pool, mirror_member_t *member);

/* Close the idle connections of members that leave, and free those without any. Not in a callback of
 * a connection. */
void mirror_pool_members_reap(mirror_pool_t *pool);

/* Free all members, which have no connections. */
void mirror_pool_members_destroy(mirror_pool_t *pool);

/* Call `visit` for all members, also those that leave. */
void mirror_pool_members_each(mirror_pool_t *pool,
                              void (*visit)(mirror_pool_t *, mirror_member_t *));

/* Claim the member's place in shared memory again if another process has taken it. */
void mirror_pool_member_check_place(mirror_pool_t *pool, mirror_member_t *member);

/* The settings of the pool are not current: note from now on only in this pool which members are
 * down, until new settings come. */
void mirror_pool_members_detach(mirror_pool_t *pool);

/* Count connections and copies in flight. `more` may be negative. */
void mirror_pool_member_count_open(mirror_member_t *member, int more);
void mirror_pool_member_count_in_flight(mirror_member_t *member, int more);

/* ---- send/pool_members_health.c ---- */

/* Return the time for which a member is left out: `retry`, at least 10 ms. */
apr_interval_time_t mirror_pool_members_pause(const mirror_pool_t *pool);

/* Return whether an open connection tests the member: HTTP/2, which the server has not confirmed. */
int mirror_pool_member_is_tested(const mirror_member_t *member);

/* Return whether the member gets copies. */
int mirror_pool_member_is_up(const mirror_member_t *member);

/* Return how many members are up. */
int mirror_pool_members_count_up(const mirror_pool_t *pool);

/* A connection to the member failed. Returns 1 if all members are down now, and so the mirror. */
int mirror_pool_member_down(mirror_pool_t *pool, mirror_member_t *member, mirror_outcome_e outcome,
                            const char *what, apr_status_t rv);

/* A connection to the member was established. */
void mirror_pool_member_connected(mirror_pool_t *pool, mirror_member_t *member, int is_probe);

/* A copy had a response, or ended without one: as timed_out or broken. */
void mirror_pool_member_responded(mirror_pool_t *pool, mirror_member_t *member);
void mirror_pool_member_failed(mirror_pool_t *pool, mirror_member_t *member);

/* ---- send/pool_members_use.c ---- */

/* Return the connection that takes the next waiting copy; NULL = none has room. */
mirror_connection_t *mirror_pool_members_find_room(mirror_pool_t *pool);

/* As mirror_pool_has_surplus(), for the connections of a server. */
int mirror_pool_member_has_surplus(const mirror_pool_t *pool, const mirror_member_t *member);

/* Return whether a copy that the server `avoid` has failed may go to `member`. */
int mirror_pool_members_may_retry(const mirror_pool_t *pool, const mirror_member_t *member,
                                  apr_uint64_t avoid);

/* Return the number of connections that the member may have. */
apr_int64_t mirror_pool_members_share(const mirror_pool_t *pool, const mirror_member_t *member);

/* Return whether a task for the member may be started, apart from the budget. */
int mirror_pool_member_is_openable(const mirror_pool_t *pool, const mirror_member_t *member);

/* Return whether a connection without copies has to be closed because a member has none, and no
 * further one may be opened. */
int mirror_pool_members_must_yield(const mirror_pool_t *pool,
                                   const mirror_connection_t *connection);

/* Return whether a connection to any member but `without` (NULL = none) may be opened now, or will
 * probably be there soon. */
int mirror_pool_members_may_come(const mirror_pool_t *pool, const mirror_member_t *without);

/* As mirror_pool_close_idle() and mirror_pool_idle_since(). */
int mirror_pool_members_close_idle(mirror_pool_t *pool);
apr_time_t mirror_pool_members_idle_since(const mirror_pool_t *pool);

/* ---- send/pool_members_open.c ---- */

/* Return whether the next task of the member includes a lookup. */
int mirror_pool_member_needs_lookup(const mirror_member_t *member);

/* Return whether the budget allows the task that has begun to wait for a helper. */
int mirror_pool_members_may_start(const mirror_pool_t *pool);

/* Return whether a connection to the member is being opened that does not hang yet. */
int mirror_pool_member_comes_soon(const mirror_pool_t *pool, const mirror_member_t *member);

/* As mirror_pool_open_missing(). */
void mirror_pool_members_open_missing(mirror_pool_t *pool);

/* Look the name up again when it is time. At the beginning of each dispatch. */
void mirror_pool_members_look_up(mirror_pool_t *pool);

/* Return whether copies wait for the lookup, because it is long overdue: servers may be gone. */
int mirror_pool_members_await_lookup(mirror_pool_t *pool);

/* Probe members that were down, open connections to those that missed their turn. At the end of each
 * dispatch. */
void mirror_pool_members_tend(mirror_pool_t *pool);

#endif
