/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/copy.c - the life of a copy. See copy/copy.h.
 *
 * The block of a copy:
 *
 *     | mirror_copy_t | head | room for the last lines of the head | start of the body |
 */
#include <apr_atomic.h>
#include <apr_strings.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "copy/admit.h"
#include "copy/copy.h"
#include "copy/log.h"
#include "copy/share.h"
#include "settings/settings.h"
#include "shared/breaker.h"
#include "shared/table.h"

/* The maximum of bytes that mirror_copy_complete() appends: a Content-Length of 19 digits, and the
 * empty line. */
#define MIRROR_HEAD_TAIL 48
/* The maximum size of an announced body in the copy's own block, bytes. */
#define MIRROR_START_MAX 8192

void mirror_copy_start(mirror_child_t *child, apr_pool_t *pool)
{
    mirror_share_init(&child->memory, (apr_uint64_t)child->registry->memory,
                      child->registry->mirrors->nelts);
    mirror_content_start(child, pool);
}

mirror_outcome_e mirror_copy_create(mirror_copy_t **out, mirror_lane_t *lane,
                                    const mirror_settings_t *settings, apr_size_t head_size,
                                    apr_off_t announced)
{
    apr_size_t start_size =
        announced > 0 && announced <= MIRROR_START_MAX ? (apr_size_t)announced : 0;
    apr_size_t size = sizeof(mirror_copy_t) + head_size + MIRROR_HEAD_TAIL + start_size;
    mirror_admit_t admitted;
    mirror_outcome_e outcome =
        mirror_admit(&admitted, lane, settings, size + MIRROR_ADMIT_MALLOC, announced);
    mirror_copy_t *copy;

    *out = NULL;
    if (outcome != MIRROR_OUTCOME_NONE) {
        return outcome;
    }
    copy = malloc(size);
    if (!copy) {
        return mirror_admit_cancel(&admitted, lane, MIRROR_OUTCOME_MEMORY_FULL);
    }
    memset(copy, 0, sizeof(*copy));
    copy->lane = lane;
    mirror_settings_keep(settings);
    copy->settings = settings;
    copy->head = (char *)(copy + 1);
    copy->head_size = head_size;
    copy->start = copy->head + head_size + MIRROR_HEAD_TAIL;
    copy->start_size = start_size;
    copy->charged = admitted.charged;
    copy->probe = admitted.probe;
    *out = copy;
    return MIRROR_OUTCOME_NONE;
}

void mirror_copy_log(mirror_copy_t *copy, mirror_log_line_t *line, const mirror_log_t *log)
{
    if (line &&
        !mirror_admit_charge_if(copy->lane, &copy->charged, line->size + MIRROR_ADMIT_MALLOC)) {
        mirror_log_line_free(line);
        line = NULL;
    }
    if (!line) {
        mirror_log_lost(copy->lane->child, log);
    }
    copy->line = line;
}

/* ---- the body ---- */

mirror_outcome_e mirror_copy_accept(apr_size_t *stored, mirror_copy_t *copy, const char *data,
                                    apr_size_t len)
{
    apr_size_t room = copy->start_size - copy->start_len;

    *stored = room < len ? room : len;
    if ((apr_int64_t)len > copy->settings->max_body - copy->body_len) {
        return MIRROR_OUTCOME_TOO_LARGE;
    }
    copy->body_len += (apr_off_t)len;
    memcpy(copy->start + copy->start_len, data, *stored);
    copy->start_len += *stored;
    return MIRROR_OUTCOME_NONE;
}

void mirror_copy_complete(mirror_copy_t *copy, int with_length)
{
    copy->head_len += apr_snprintf(
        copy->head + copy->head_len, MIRROR_HEAD_TAIL,
        with_length ? "Content-Length: %" APR_OFF_T_FMT "\r\n\r\n" : "\r\n", copy->body_len);
}

mirror_spool_t *mirror_copy_spool(const mirror_copy_t *copy)
{
    return copy->rest.content ? copy->rest.content->spool : NULL;
}

const mirror_block_t *mirror_copy_first_block(const mirror_copy_t *copy)
{
    return copy->rest.content ? copy->rest.content->first : NULL;
}

void mirror_copy_push(mirror_copy_t *copy)
{
    copy->rest.pushed = 1;
    mirror_queue_push(copy->lane->child->queue, &copy->item);
}

/* ---- the end ---- */

/* Note a copy that did not arrive: its method and path are in its request line (RFC 9112 3). */
static void note_loss(const mirror_copy_t *copy, mirror_outcome_e outcome)
{
    const char *end = copy->head + copy->head_len;
    const char *space = memchr(copy->head, ' ', copy->head_len);
    const char *target = space ? space + 1 : end;
    const char *last = memchr(target, ' ', (apr_size_t)(end - target));
    mirror_loss_t loss = {
        outcome, (mirror_why_e)copy->why, copy->why_rv, copy->head, target, 0, 0
    };

    loss.method_len = space ? (apr_size_t)(space - copy->head) : 0;
    loss.target_len = last ? (apr_size_t)(last - target) : 0;
    mirror_lost_add(copy->lane->lost, &loss);
}

void mirror_copy_end(mirror_copy_t *copy, mirror_outcome_e outcome)
{
    mirror_lane_t *lane = copy->lane;

    mirror_content_leave(&copy->rest);
    if (!apr_atomic_read32(&lane->child->closed)) {
        if (copy->in_flight) {
            apr_atomic_dec64(&lane->cell->in_flight);
        }
        apr_atomic_sub64(&lane->cell->bytes, copy->charged);
        apr_atomic_inc64(&lane->cell->outcomes[outcome]);
        note_loss(copy, outcome);
        if (copy->probe && !copy->in_pool) {
            mirror_breaker_forgo(lane);
        }
    }
    mirror_share_give(&lane->child->memory, &lane->memory, copy->charged);
    apr_atomic_dec32(&lane->pending);
    if (copy->line) {
        copy->line->bytes = (apr_off_t)copy->head_len + copy->body_len;
    }
    if (copy->pair) {
        copy->pair_end(copy->pair, outcome, copy->line);
    }
    else if (copy->line) {
        mirror_log_end(lane->child, copy->line, outcome);
    }
    mirror_settings_drop(copy->settings);
    free(copy);
}
