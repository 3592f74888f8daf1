/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/closer.h - a thread for slow work that no other thread waits for: closing large files.
 *
 * Closing an unlinked file frees its pages and blocks, which takes about 50 ms per GiB. On the
 * sender that delays all copies; on a request thread it delays the client. The closer thread starts
 * with the first pushed item and ends when no item is left. The closer takes no lock.
 */
#ifndef MIRROR_BASE_CLOSER_H
#define MIRROR_BASE_CLOSER_H

#include "base/queue.h"

typedef struct mirror_closer_t mirror_closer_t;

/* Create a closer in `pool`. Child start, main thread. The closer thread calls `close` with each
 * pushed item. */
mirror_closer_t *mirror_closer_create(apr_pool_t *pool, void (*close)(mirror_queue_item_t *item));

/* Push `item` and transfer its ownership to the closer. Any thread. Does not block, with one
 * exception: if no thread can be started, `close` runs in this call. */
void mirror_closer_push(mirror_closer_t *closer, mirror_queue_item_t *item);

/* Return whether a closer thread was ever started. Any thread. Such a thread may still be ending,
 * so the module's code must stay loaded. */
int mirror_closer_has_run(mirror_closer_t *closer);

#endif
