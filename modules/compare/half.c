/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/answer.c - one response as it is kept to be compared. See compare/answer.h.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/half.h"
#include "copy/share.h"

#define ROOM_MIN 1024

void mirror_answer_init(mirror_answer_t *answer, mirror_lane_t *lane, apr_size_t body_max)
{
    memset(answer, 0, sizeof(*answer));
    answer->lane = lane;
    answer->body_max = body_max;
    answer->skip = MIRROR_SKIP_NONE;
    answer->body_skip = MIRROR_SKIP_NONE;
}

static void free_bytes(mirror_answer_t *answer, mirror_bytes_t *bytes)
{
    if (bytes->room) {
        free(bytes->data);
        mirror_share_give(&answer->lane->child->compare_memory, &answer->lane->compared,
                          bytes->room);
    }
    memset(bytes, 0, sizeof(*bytes));
}

/* Have room for `len` more bytes, at most `max` in all. 0: there is no memory. */
static int grow(mirror_answer_t *answer, mirror_bytes_t *bytes, apr_size_t len, apr_size_t max)
{
    apr_size_t room = bytes->room ? bytes->room : ROOM_MIN;
    char *data;

    while (room - bytes->len < len) {
        room *= 2;
    }
    if (room > max && bytes->len + len <= max) {
        room = max;
    }
    if (!mirror_share_take(&answer->lane->child->compare_memory, &answer->lane->compared,
                           room - bytes->room)) {
        return 0;
    }
    data = realloc(bytes->data, room);
    if (!data) {
        mirror_share_give(&answer->lane->child->compare_memory, &answer->lane->compared,
                          room - bytes->room);
        return 0;
    }
    bytes->data = data;
    bytes->room = room;
    return 1;
}

/* Append. 0: there is no memory. */
static int append(mirror_answer_t *answer, mirror_bytes_t *bytes, const char *data, apr_size_t len,
                  apr_size_t max)
{
    if (len > bytes->room - bytes->len && !grow(answer, bytes, len, max)) {
        return 0;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return 1;
}

/* Nothing of it can be compared. */
static void give_up(mirror_answer_t *answer, mirror_skip_e why)
{
    answer->skip = why;
    free_bytes(answer, &answer->head);
    free_bytes(answer, &answer->body);
}

void mirror_answer_head(mirror_answer_t *answer, const char *data, apr_size_t len)
{
    if (answer->skip != MIRROR_SKIP_NONE || len == 0) {
        return;
    }
    if (len > MIRROR_ANSWER_HEAD_MAX - answer->head.len) {
        give_up(answer, MIRROR_SKIP_TOO_LARGE);
    }
    else if (!append(answer, &answer->head, data, len, MIRROR_ANSWER_HEAD_MAX)) {
        give_up(answer, MIRROR_SKIP_MEMORY);
    }
}

void mirror_answer_body(mirror_answer_t *answer, const char *data, apr_size_t len)
{
    if (answer->skip != MIRROR_SKIP_NONE || answer->body_skip != MIRROR_SKIP_NONE || len == 0) {
        return;
    }
    if (len > answer->body_max - answer->body.len) {
        mirror_answer_skip_body(answer, MIRROR_SKIP_TOO_LARGE);
    }
    else if (!append(answer, &answer->body, data, len, answer->body_max)) {
        mirror_answer_skip_body(answer, MIRROR_SKIP_MEMORY);
    }
}

void mirror_answer_skip_body(mirror_answer_t *answer, mirror_skip_e why)
{
    answer->body_skip = why;
    free_bytes(answer, &answer->body);
}

void mirror_answer_clear(mirror_answer_t *answer)
{
    answer->status = 0;
    answer->head.len = 0;
    answer->body.len = 0;
    answer->skip = MIRROR_SKIP_NONE;
    answer->body_skip = MIRROR_SKIP_NONE;
}

void mirror_answer_free(mirror_answer_t *answer)
{
    free_bytes(answer, &answer->head);
    free_bytes(answer, &answer->body);
}
