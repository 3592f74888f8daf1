/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/remote.h - the store of the fleet: its commands, and bounded replies.
 *
 * A remote is a route to the store (redis/redis_route.h). One thread at a time uses it, which
 * blocks: each command at most redis_timeout. On error `fault` says why; a reply of a wrong type, or
 * one that is too long, is an error. A store that responds to each command just in time, or whose lists
 * never end, is given up at the deadline of all commands. APR_EACCES: the store has rejected the command.
 */
#ifndef MIRROR_FLEET_REMOTE_H
#define MIRROR_FLEET_REMOTE_H

#include "fleet/document.h"
#include "fleet/fleet.h"
#include "redis/redis_route.h"

/* The head of the store. */
typedef struct mirror_remote_head_t {
    apr_uint64_t epoch; /* 0 = the store has no head */
    apr_int64_t revision;
    apr_uint64_t id;
} mirror_remote_head_t;

typedef struct mirror_remote_t {
    const mirror_fleet_t *fleet;
    mirror_redis_route_t *route;
    apr_time_t deadline;            /* of all commands together, mirror_clock_now(); 0 = none */
    apr_uint64_t *beat;             /* atomic: set to the time before each command; NULL = none */
    unsigned wrote;                 /* number of the connection of the last write; 0 = none */
    int is_long;                    /* 1 if the last reply was too long */
    int is_late;                    /* 1 if the last command was sent, and may yet be executed */
    int is_lost;                    /* 1 if a reply to it was lost: it may have been executed */
    char fault[MIRROR_REDIS_FAULT]; /* of the last error */
} mirror_remote_t;

/* ---- any thread ---- */

/* Create a remote, not connected, in `pool`, which only the user of the remote may use. */
mirror_remote_t *mirror_remote_create(const mirror_fleet_t *fleet, apr_uint32_t *given_up,
                                      apr_pool_t *pool);
void mirror_remote_close(mirror_remote_t *remote);

/* ---- threads that may block ---- */

/* Send one command of at most MIRROR_REDIS_ARGUMENTS words. *reply is valid until the next one, and
 * no error reply. */
apr_status_t mirror_remote_command(const mirror_redis_reply_t **reply, mirror_remote_t *remote,
                                   int argc, const char *const *argv);

apr_status_t mirror_remote_head(mirror_remote_head_t *head, mirror_remote_t *remote);

/* The same, but a store that has lost its index counts as one without a head: each change writes both. */
apr_status_t mirror_remote_content(mirror_remote_head_t *head, mirror_remote_t *remote);

/* Call `visit` for each field of a hash, perhaps more than once; stops if it returns 0. APR_EAGAIN:
 * the connection was lost meanwhile, so fields may be missing. */
apr_status_t mirror_remote_scan(mirror_remote_t *remote, mirror_fleet_key_e key,
                                int (*visit)(void *baton, const mirror_redis_reply_t *field,
                                             const mirror_redis_reply_t *value),
                                void *baton);

/* Read one field of a hash; *text is in `pool`, NULL if there is none, "" if it is too long. */
apr_status_t mirror_remote_get(const char **text, mirror_remote_t *remote, mirror_fleet_key_e key,
                               const char *field, apr_pool_t *pool);

/* Write to `fault` that a reply is unusable, and close the connection. Returns APR_EGENERAL. */
apr_status_t mirror_remote_refuse(mirror_remote_t *remote, const mirror_redis_reply_t *reply);

/* Read a number of 16 hex digits; 0 = it is not one. */
apr_uint64_t mirror_remote_hex(const mirror_redis_reply_t *reply);

#endif
