/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/servers.c - see shared/servers.h.
 */
#include <arpa/inet.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>

#include "base/hash.h"
#include "shared/servers.h"

/* `retry` is at most a week, and doubled MIRROR_SERVERS_DOUBLINGS times. */
#define LONGEST apr_time_from_sec((1 << MIRROR_SERVERS_DOUBLINGS) * 7 * 24 * 3600 + 60)

/* A place whose server was not found for this long may be claimed for another one. */
#define UNUSED apr_time_from_sec(600)

static apr_uint64_t hash_more(apr_uint64_t hash, const char *text)
{
    return mirror_hash_add(mirror_hash_bytes(hash, text, strlen(text)), 0x100);
}

apr_uint64_t mirror_servers_key(const char *hostname, apr_port_t port)
{
    apr_uint64_t hash = hash_more(MIRROR_HASH_START, hostname);

    hash = mirror_hash_add(hash, port);
    return hash ? hash : 1;
}

int mirror_servers_are_several(const mirror_settings_t *settings)
{
    return settings->servers || (settings->resolve == MIRROR_RESOLVE_ALL && settings->target.named);
}

apr_uint64_t mirror_servers_group(const mirror_settings_t *settings)
{
    apr_uint64_t hash = hash_more(MIRROR_HASH_START, settings->target.url);

    hash = hash_more(hash, settings->servers ? "servers" : "resolve");
    return hash ? hash : 1;
}

/* ---- addresses, for display ---- */

void mirror_servers_pack(mirror_server_words_t *words, const apr_sockaddr_t *address)
{
    apr_uint64_t bytes[2] = { 0, 0 };
    apr_uint64_t family = address->family == APR_INET ? 4 : 6;

    if ((apr_size_t)address->ipaddr_len <= sizeof(bytes)) {
        memcpy(bytes, address->ipaddr_ptr, (apr_size_t)address->ipaddr_len);
    }
    apr_atomic_set64(&words->address[0], bytes[0]);
    apr_atomic_set64(&words->address[1], bytes[1]);
    apr_atomic_set64(&words->place, family << 16 | address->port);
}

const char *mirror_servers_address(const mirror_server_words_t *words, apr_pool_t *pool)
{
    mirror_server_words_t *w = (mirror_server_words_t *)words;
    apr_uint64_t place = apr_atomic_read64(&w->place), bytes[2];
    unsigned port = (unsigned)(place & 0xffff);
    char text[INET6_ADDRSTRLEN];
    int family = place >> 16 == 4 ? AF_INET : AF_INET6;

    bytes[0] = apr_atomic_read64(&w->address[0]);
    bytes[1] = apr_atomic_read64(&w->address[1]);
    if ((place >> 16 != 4 && place >> 16 != 6) ||
        !inet_ntop(family, bytes, text, (socklen_t)sizeof(text))) {
        return NULL;
    }
    return apr_psprintf(pool, family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
}

/* ---- places ---- */

int mirror_servers_find(const mirror_server_words_t *places, apr_uint64_t key)
{
    int i;

    for (i = 0; i < MIRROR_SERVERS_PLACES; i++) {
        if (apr_atomic_read64((apr_uint64_t *)&places[i].key) == key) {
            return i;
        }
    }
    return -1;
}

int mirror_servers_is_listed(const mirror_server_words_t *words, apr_uint64_t group)
{
    mirror_server_words_t *w = (mirror_server_words_t *)words;

    return apr_atomic_read64(&w->key) != 0 && apr_atomic_read64(&w->group) == group &&
           apr_atomic_read64(&w->listed) != 0;
}

/* Return whether the place may be claimed: it is free, or its server is gone. */
static int is_free(mirror_server_words_t *words, apr_time_t now, int old)
{
    apr_uint64_t listed = apr_atomic_read64(&words->listed);

    if (apr_atomic_read64(&words->key) == 0) {
        return 1;
    }
    return old && (listed == 0 || listed > (apr_uint64_t)now ||
                   (apr_uint64_t)now - listed > (apr_uint64_t)UNUSED);
}

static void clear(mirror_server_words_t *words, apr_uint64_t group, apr_time_t now)
{
    apr_atomic_set64(&words->place, 0);
    apr_atomic_set64(&words->down_until, 0);
    apr_atomic_set64(&words->logged, 0);
    apr_atomic_set64(&words->failures, 0);
    apr_atomic_set64(&words->ejections, 0);
    apr_atomic_set64(&words->trial, 0);
    apr_atomic_set64(&words->group, group);
    apr_atomic_set64(&words->listed, (apr_uint64_t)now);
}

static int claim(mirror_server_words_t *places, apr_uint64_t key, apr_uint64_t group,
                 apr_time_t now, int old)
{
    int i, first;

    for (i = 0; i < MIRROR_SERVERS_PLACES; i++) {
        apr_uint64_t was = apr_atomic_read64(&places[i].key);

        if (is_free(&places[i], now, old) && apr_atomic_cas64(&places[i].key, key, was) == was) {
            /* Of two children that claim at once, the later one finds both places. */
            first = mirror_servers_find(places, key);
            if (first != i && first >= 0) {
                apr_atomic_cas64(&places[i].key, 0, key);
                return first;
            }
            clear(&places[i], group, now);
            return i;
        }
    }
    return -1;
}

int mirror_servers_claim(mirror_server_words_t *places, apr_uint64_t key, apr_uint64_t group,
                         apr_time_t now, int *is_new)
{
    int i = mirror_servers_find(places, key);

    *is_new = 0;
    if (i >= 0) {
        apr_atomic_set64(&places[i].group, group);
        apr_atomic_set64(&places[i].listed, (apr_uint64_t)now);
        return i;
    }
    *is_new = 1;
    i = claim(places, key, group, now, 0);
    return i >= 0 ? i : claim(places, key, group, now, 1);
}

void mirror_servers_unlist(mirror_server_words_t *places, apr_uint64_t group, apr_time_t since)
{
    int i;

    for (i = 0; i < MIRROR_SERVERS_PLACES; i++) {
        apr_uint64_t listed = apr_atomic_read64(&places[i].listed);

        if (apr_atomic_read64(&places[i].group) == group && listed < (apr_uint64_t)since) {
            /* if this fails, another child has found it just now */
            apr_atomic_cas64(&places[i].listed, 0, listed);
        }
    }
}

void mirror_servers_unlist_others(mirror_server_words_t *places, apr_uint64_t group)
{
    int i;

    for (i = 0; i < MIRROR_SERVERS_PLACES; i++) {
        if (apr_atomic_read64(&places[i].group) != group) {
            apr_atomic_set64(&places[i].listed, 0);
        }
    }
}

void mirror_servers_copy_state(mirror_server_words_t *to, const mirror_server_words_t *from)
{
    mirror_server_words_t *f = (mirror_server_words_t *)from;

    apr_atomic_set64(&to->down_until, apr_atomic_read64(&f->down_until));
    apr_atomic_set64(&to->failures, apr_atomic_read64(&f->failures));
    apr_atomic_set64(&to->ejections, apr_atomic_read64(&f->ejections));
    apr_atomic_set64(&to->trial, apr_atomic_read64(&f->trial));
    apr_atomic_set64(&to->logged, 0);
}

/* ---- foreign data ---- */

static int is_below(const apr_uint64_t *word, apr_uint64_t bound)
{
    return apr_atomic_read64((apr_uint64_t *)word) < bound;
}

int mirror_servers_is_foreign(const mirror_server_words_t *words, apr_time_t now)
{
    apr_uint64_t latest = (apr_uint64_t)(now + LONGEST), counted = (apr_uint64_t)1 << 48;
    apr_uint64_t family = apr_atomic_read64((apr_uint64_t *)&words->place) >> 16;

    return (family != 0 && family != 4 && family != 6) || !is_below(&words->trial, 2) ||
           !is_below(&words->logged, 2) || !is_below(&words->down_until, latest + 1) ||
           !is_below(&words->listed, latest) || !is_below(&words->failures, counted) ||
           !is_below(&words->ejections, counted);
}

int mirror_servers_free_foreign(mirror_server_words_t *places, apr_time_t now)
{
    int i, freed = 0;

    for (i = 0; i < MIRROR_SERVERS_PLACES; i++) {
        apr_uint64_t key = apr_atomic_read64(&places[i].key);

        if (mirror_servers_is_foreign(&places[i], now)) {
            freed += key != 0 && apr_atomic_cas64(&places[i].key, 0, key) == key;
        }
    }
    return freed;
}

/* ---- down and up ---- */

apr_time_t mirror_servers_out_until(const mirror_server_words_t *words, apr_time_t now)
{
    apr_uint64_t until = apr_atomic_read64((apr_uint64_t *)&words->down_until);

    /* a time that is later was not written by this code */
    return until != 0 && until <= (apr_uint64_t)now + (apr_uint64_t)LONGEST ? (apr_time_t)until : 0;
}

/* Return the longest time that a server may be out, with the `retry` in force. */
static apr_uint64_t longest_of(mirror_server_words_t *words, apr_interval_time_t retry)
{
    apr_uint64_t ejected = apr_atomic_read64(&words->ejections) != 0;

    return (apr_uint64_t)(ejected ? retry << MIRROR_SERVERS_DOUBLINGS : retry) + 1;
}

static apr_time_t due_since(mirror_server_words_t *words, apr_uint64_t until, apr_time_t now,
                            apr_interval_time_t retry)
{
    if (until == 0 || until <= (apr_uint64_t)now) {
        return (apr_time_t)until;
    }
    return until - (apr_uint64_t)now > longest_of(words, retry) ? now : 0;
}

apr_time_t mirror_servers_due_since(mirror_server_words_t *words, apr_time_t now,
                                    apr_interval_time_t retry)
{
    return due_since(words, apr_atomic_read64(&words->down_until), now, retry);
}

int mirror_servers_take_probe(mirror_server_words_t *words, apr_time_t now,
                              apr_interval_time_t retry)
{
    apr_uint64_t until = apr_atomic_read64(&words->down_until);

    return due_since(words, until, now, retry) != 0 &&
           apr_atomic_cas64(&words->down_until, (apr_uint64_t)(now + retry) + 1, until) == until;
}
