/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/retry.h - the decision whether a copy is sent again.
 *
 * A mirror may close an idle connection while a copy is written to it (RFC 9112 9.3.1). The copy
 * was then probably not processed, although the mirror works. So it is retried:
 *
 *     if its connection had a response before, and ended before this one began   (MIRROR_STALE)
 *     and if the mirror cannot have processed it, or a repetition does no harm   (RFC 9110 9.2.2)
 *     once, on a connection without a previous response, as another used one may be stale, too
 *     within the timeout, which began with the first attempt
 *
 * With HTTP/2 a mirror may say that it did not process a copy (MIRROR_UNPROCESSED, RFC 9113 8.7). Then
 * it is retried whatever its method, once, on any connection.
 *
 * A server that ends connections early gets a retried copy among the first copies of a connection
 * (send/lifespan.h), so that the second attempt is not lost with another end.
 *
 * Copies that were pipelined behind one whose connection ended are retried as well (RFC 9112 9.3.2):
 * only copies that may be repeated are pipelined. A copy that timed out is not retried, nor are those
 * behind it: they have used the same time.
 *
 * The functions decide only; send/pool_copies.c has the list of copies to retry. Sender thread.
 */
#ifndef MIRROR_SEND_RETRY_H
#define MIRROR_SEND_RETRY_H

#include "send/protocol.h"

/* Return whether `copy` is retried, which ended with `result`. */
int mirror_retry_pending(const mirror_copy_t *copy, const mirror_result_t *result);

/* Return whether the copies that were sent after the pending one are retried, if the connection
 * ended as `how`. */
int mirror_retry_pipelined(mirror_connection_end_e how);

/* Return whether `copy` may be sent while the response to another one is pending, so that it may
 * have to be retried: idempotent, without a body, neither a probe nor a retry. */
int mirror_retry_may_pipeline(const mirror_copy_t *copy);

/* Return whether `copy`, which was sent before, has time left. If not, the mirror has received it
 * and did not respond in time. `now`: mirror_loop_now(). */
int mirror_retry_has_time(const mirror_copy_t *copy, apr_time_t now);

#endif
