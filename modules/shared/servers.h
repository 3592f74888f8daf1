/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/servers.h - the servers behind a mirror, in shared memory: which are down, for all
 * children, and one child's counters of them.
 *
 * A mirror with one server uses none of it, and then its memory is never touched (mirror_slot_t's
 * `serves`). The places of a slot are of a fixed number. A child finds or claims the place of a
 * server by its key. There are more places than a mirror has servers, because a server that is gone
 * keeps its place until its last connection is closed.
 *
 * Any process may write anything here. The functions bound what they read; the parent only clears.
 */
#ifndef MIRROR_SHARED_SERVERS_H
#define MIRROR_SHARED_SERVERS_H

#include <apr_network_io.h>

#include "base/mirror.h"

#define MIRROR_SERVERS_PLACES (2 * MIRROR_SERVERS_MAX)

/* The pause of a server that is ejected again is doubled at most this many times: eight times. */
#define MIRROR_SERVERS_DOUBLINGS 3

/* One server, shared by all children. All members are atomic; times are of mirror_clock_now(). */
typedef struct mirror_server_words_t {
    apr_uint64_t key;        /* hash of host and port (mirror_servers_key()); 0 = a free place */
    apr_uint64_t group;      /* hash of the settings that it is a server of */
    apr_uint64_t listed;     /* when a child last found it among the servers; 0 = it is gone */
    apr_uint64_t address[2]; /* resolve=all: its IP address, IPv4 in the first four bytes */
    apr_uint64_t place; /* resolve=all: 4 or 6, then the port (mirror_servers_pack()); else 0 */
    apr_uint64_t down_until; /* down or ejected until then; 0 = up */
    apr_uint64_t logged;     /* 1 if a line said that it is down */
    apr_uint64_t failures;   /* copies in a row that have failed */
    apr_uint64_t ejections;  /* how often it was ejected since its last response */
    apr_uint64_t trial;      /* 1: it gets one copy at a time until it responds */
} mirror_server_words_t;

/* One child's counters of one server. All members are atomic. */
typedef struct mirror_server_counts_t {
    apr_uint64_t connections; /* gauge */
    apr_uint64_t in_flight;   /* gauge */
    apr_uint64_t mirrored;
    apr_uint64_t failed;
} mirror_server_counts_t;

/* ---- any thread ---- */

/* Return the key of a server, never 0. */
apr_uint64_t mirror_servers_key(const char *hostname, apr_port_t port);

/* Return the hash of the settings that have the same set of servers: the URL, and resolve or
 * servers. Never 0. */
apr_uint64_t mirror_servers_group(const mirror_settings_t *settings);

/* Return whether the mirror has several servers: servers=, or resolve=all with a name. */
int mirror_servers_are_several(const mirror_settings_t *settings);

/* Store an address for mirror_servers_address(). */
void mirror_servers_pack(mirror_server_words_t *words, const apr_sockaddr_t *address);

/* Print the address of mirror_servers_pack() with its port, as in a URL. NULL = there is none. */
const char *mirror_servers_address(const mirror_server_words_t *words, apr_pool_t *pool);

/* Return the index of the server's place; -1 = it has none. */
int mirror_servers_find(const mirror_server_words_t *places, apr_uint64_t key);

/* Return whether the place has a server of the group that is not gone. */
int mirror_servers_is_listed(const mirror_server_words_t *words, apr_uint64_t group);

/* Return the time until which the server is out at `now`; 0 = it is up. */
apr_time_t mirror_servers_out_until(const mirror_server_words_t *words, apr_time_t now);

/* ---- sender thread ---- */

/* Return the index of the server's place among MIRROR_SERVERS_PLACES, which is claimed if it has
 * none; -1 = all places are in use. *is_new: 1 if this call has claimed it, so that its counters are
 * those of another server. */
int mirror_servers_claim(mirror_server_words_t *places, apr_uint64_t key, apr_uint64_t group,
                         apr_time_t now, int *is_new);

/* Mark all places of the group as gone that were not found since `since`. */
void mirror_servers_unlist(mirror_server_words_t *places, apr_uint64_t group, apr_time_t since);

/* Mark all places of other groups as gone, because the mirror has other settings now. */
void mirror_servers_unlist_others(mirror_server_words_t *places, apr_uint64_t group);

/* Copy whether a server is down or on trial, but not whether a line said so. */
void mirror_servers_copy_state(mirror_server_words_t *to, const mirror_server_words_t *from);

/* Return whether the place has a value that this module never writes. */
int mirror_servers_is_foreign(const mirror_server_words_t *words, apr_time_t now);

/* Free all places that have such values. Returns the number of those that this call has freed; of
 * several callers one frees a place. */
int mirror_servers_free_foreign(mirror_server_words_t *places, apr_time_t now);

/* Return the time since when a test of the server is due; 0 = it is up, or its time is not over. A
 * time that is longer than `retry` allows is over: `retry` was shortened, or other code wrote it. */
apr_time_t mirror_servers_due_since(mirror_server_words_t *words, apr_time_t now,
                                    apr_interval_time_t retry);

/* Take on the test of a server for which it is due, for `retry`. Returns 1 for one caller of all
 * processes. */
int mirror_servers_take_probe(mirror_server_words_t *words, apr_time_t now,
                              apr_interval_time_t retry);

#endif
