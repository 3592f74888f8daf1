/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/comparer.h - the thread of a child that compares.
 *
 * It is started with the first pair, has a lower priority than all others of the child, and takes
 * at most a share of a processor to look into what is unequal. Neither a request thread nor the
 * sender ever compares, and none waits for it.
 */
#ifndef MIRROR_COMPARE_COMPARER_H
#define MIRROR_COMPARE_COMPARER_H

#include "base/mirror.h"

/* ---- child start, main thread ---- */

/* Make the comparer of `child`, in `pool`; its thread is started with the first pair. Errors:
 * apr_pollset_create's. */
apr_status_t mirror_comparer_create(mirror_child_t *child, apr_pool_t *pool,
                                    struct server_rec *server);

/* ---- child end, main thread, when the sender has stopped ---- */

/* Compare what is complete for at most `patience`, and count the rest as shut_down. Takes no lock,
 * as prefork calls it in a signal handler. Returns 1 if no thread is left. */
int mirror_comparer_stop(mirror_child_t *child, apr_interval_time_t patience);

#endif
