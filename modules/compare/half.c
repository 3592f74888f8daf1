/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/half.c - one response as it is kept to be compared. See compare/half.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_cstr.h>

#include "compare/half.h"
#include "copy/share.h"

#define ROOM_MIN 1024

void mirror_half_init(mirror_half_t *half, mirror_lane_t *lane, apr_size_t body_max)
{
    memset(half, 0, sizeof(*half));
    half->lane = lane;
    half->body_max = body_max;
    half->skip = MIRROR_SKIP_NONE;
    half->body_skip = MIRROR_SKIP_NONE;
}

static void free_bytes(mirror_half_t *half, mirror_bytes_t *bytes)
{
    if (bytes->room) {
        free(bytes->data);
        mirror_share_give(&half->lane->child->compare_memory, &half->lane->compared, bytes->room);
    }
    memset(bytes, 0, sizeof(*bytes));
}

/* Have room for `len` more bytes, at most `max` in all. 0: there is no memory. */
static int grow(mirror_half_t *half, mirror_bytes_t *bytes, apr_size_t len, apr_size_t max)
{
    apr_size_t room = bytes->room ? bytes->room : ROOM_MIN;
    char *data;

    while (room - bytes->len < len) {
        room *= 2;
    }
    if (room > max && bytes->len + len <= max) {
        room = max;
    }
    if (!mirror_share_take(&half->lane->child->compare_memory, &half->lane->compared,
                           room - bytes->room)) {
        return 0;
    }
    data = realloc(bytes->data, room);
    if (!data) {
        mirror_share_give(&half->lane->child->compare_memory, &half->lane->compared,
                          room - bytes->room);
        return 0;
    }
    bytes->data = data;
    bytes->room = room;
    return 1;
}

/* Append. 0: there is no memory. */
static int append(mirror_half_t *half, mirror_bytes_t *bytes, const char *data, apr_size_t len,
                  apr_size_t max)
{
    if (len > bytes->room - bytes->len && !grow(half, bytes, len, max)) {
        return 0;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return 1;
}

/* Nothing of it can be compared. */
static void give_up(mirror_half_t *half, mirror_skip_e why)
{
    half->skip = why;
    half->trailers = 0;
    free_bytes(half, &half->head);
    free_bytes(half, &half->body);
}

void mirror_half_head(mirror_half_t *half, const char *data, apr_size_t len)
{
    if (half->skip != MIRROR_SKIP_NONE || len == 0) {
        return;
    }
    if (len > MIRROR_HALF_HEAD_MAX - half->head.len) {
        give_up(half, MIRROR_SKIP_TOO_LARGE);
    }
    else if (!append(half, &half->head, data, len, MIRROR_HALF_HEAD_MAX)) {
        give_up(half, MIRROR_SKIP_MEMORY);
    }
}

int mirror_half_wants_trailer(const char *name, apr_size_t len)
{
    return len > 5 && !apr_cstr_casecmpn(name, "grpc-", 5);
}

void mirror_half_trailer(mirror_half_t *half, const char *data, apr_size_t len)
{
    apr_size_t before = half->head.len;

    mirror_half_head(half, data, len);
    if (half->head.len > before) {
        half->trailers += len;
    }
}

void mirror_half_drop_trailers(mirror_half_t *half)
{
    half->head.len -= half->trailers;
    half->trailers = 0;
}

void mirror_half_body(mirror_half_t *half, const char *data, apr_size_t len)
{
    if (half->skip != MIRROR_SKIP_NONE || half->body_skip != MIRROR_SKIP_NONE || len == 0) {
        return;
    }
    if (len > half->body_max - half->body.len) {
        mirror_half_skip_body(half, MIRROR_SKIP_TOO_LARGE);
    }
    else if (!append(half, &half->body, data, len, half->body_max)) {
        mirror_half_skip_body(half, MIRROR_SKIP_MEMORY);
    }
}

void mirror_half_skip_body(mirror_half_t *half, mirror_skip_e why)
{
    half->body_skip = why;
    free_bytes(half, &half->body);
}

void mirror_half_clear(mirror_half_t *half)
{
    half->status = 0;
    half->head.len = 0;
    half->trailers = 0;
    half->body.len = 0;
    half->skip = MIRROR_SKIP_NONE;
    half->body_skip = MIRROR_SKIP_NONE;
}

void mirror_half_free(mirror_half_t *half)
{
    free_bytes(half, &half->head);
    free_bytes(half, &half->body);
}
