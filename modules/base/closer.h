/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/closer.h - a thread that does what takes long and that no one waits for: closing long
 * files.
 *
 * The system frees the pages and blocks of a file without a name when it is closed, which takes
 * some 50 ms for each GiB. The sender would send nothing meanwhile, and a request thread would hold
 * up its client. The thread is started when there is something to close, and ends when there is
 * nothing more. It holds no lock.
 */
#ifndef MIRROR_BASE_CLOSER_H
#define MIRROR_BASE_CLOSER_H

#include "base/queue.h"

typedef struct mirror_closer_t mirror_closer_t;

/* child start, main thread: `close` is called with each item that is pushed, on the thread of the
 * closer. */
mirror_closer_t *mirror_closer_create(apr_pool_t *pool, void (*close)(mirror_queue_item_t *item));

/* any thread: own `item` from here. Never waits, but if no thread can be started: then `close` has
 * been called here. */
void mirror_closer_push(mirror_closer_t *closer, mirror_queue_item_t *item);

/* any thread: whether a thread was ever started. It may still be about to end, so the code must
 * stay in memory. */
int mirror_closer_has_run(mirror_closer_t *closer);

#endif
