/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/retry.c - the decision whether a copy is sent again. See send/retry.h.
 */
#include "send/retry.h"

int mirror_retry_pending(const mirror_copy_t *copy, const mirror_result_t *result)
{
    if (copy->retried) {
        return 0;
    }
    return result->how == MIRROR_UNPROCESSED ||
           (result->how == MIRROR_STALE && (copy->idempotent || !result->wrote));
}

int mirror_retry_pipelined(mirror_connection_end_e how)
{
    return how != MIRROR_TIMED_OUT;
}

int mirror_retry_may_pipeline(const mirror_copy_t *copy)
{
    return copy->idempotent && copy->body_len == 0 && !copy->retried && !copy->probe;
}

int mirror_retry_has_time(const mirror_copy_t *copy, apr_time_t now)
{
    return now - copy->started < copy->settings->timeout;
}
