/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/frames.c - which streams of a client's connection have ended. See capture/frames.h.
 */
#include <string.h>

#include <apr_atomic.h>

#include "capture/frames.h"

/* RFC 9113 6 */
#define DATA       0x0
#define HEADERS    0x1
#define RST_STREAM 0x3
#define END_STREAM 0x1
#define PADDED     0x8
#define HEAD_LEN   9

/* Flags of a slot's state. The other bits are a length: a connection cannot carry 2^62 bytes. */
#define ENDED ((apr_uint64_t)1 << 63)
#define RESET ((apr_uint64_t)1 << 62)

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

/* ---- slots ---- */

static mirror_frames_slot_t *slot_of(mirror_frames_t *frames, apr_uint32_t id)
{
    return &frames->slots[(id >> 1) & (MIRROR_FRAMES_SLOTS - 1)];
}

/* Return whether the slot has the stream, and it is open. Only this thread writes the slot. */
static int is_open(const mirror_frames_slot_t *slot, apr_uint32_t id)
{
    return slot->id == id && !(slot->state & (ENDED | RESET));
}

/* Begin a stream. A reader of the former one sees that the number has changed. */
static void begin(mirror_frames_t *frames, apr_uint32_t id)
{
    mirror_frames_slot_t *slot = slot_of(frames, id);

    frames->last = id;
    apr_atomic_set32(&slot->id, 0);
    apr_atomic_set64(&slot->state, 0);
    apr_atomic_set32(&slot->id, id);
}

mirror_frames_body_e mirror_frames_body(mirror_frames_t *frames, apr_uint32_t id,
                                        apr_uint64_t *length)
{
    mirror_frames_slot_t *slot = slot_of(frames, id);
    apr_uint64_t state;

    if (id == 0 || apr_atomic_read32(&slot->id) != id) {
        return MIRROR_FRAMES_UNKNOWN;
    }
    state = apr_atomic_read64(&slot->state);
    if (apr_atomic_read32(&slot->id) != id) {
        return MIRROR_FRAMES_UNKNOWN;
    }
    *length = state & ~ENDED;
    return state & ENDED ? MIRROR_FRAMES_WHOLE : MIRROR_FRAMES_CUT;
}

/* ---- frames ---- */

/* Handle the head of a frame; `padding`: bytes of a DATA frame that are not data. */
static void take_frame(mirror_frames_t *frames, apr_uint32_t length, apr_uint32_t padding)
{
    const unsigned char *head = frames->head;
    apr_uint32_t id = (apr_uint32_t)(head[5] & 0x7f) << 24 | (apr_uint32_t)head[6] << 16 |
                      (apr_uint32_t)head[7] << 8 | head[8];
    mirror_frames_slot_t *slot = slot_of(frames, id);

    if (head[3] == HEADERS && id % 2 == 1 && id > frames->last) {
        begin(frames, id);
    }
    if (!is_open(slot, id)) {
        return;
    }
    if (head[3] == RST_STREAM) {
        apr_atomic_set64(&slot->state, slot->state | RESET);
    }
    else if (head[3] == DATA || head[3] == HEADERS) {
        apr_uint64_t state = slot->state + (head[3] == DATA ? length - padding : 0);

        apr_atomic_set64(&slot->state, head[4] & END_STREAM ? state | ENDED : state);
    }
}

/* Handle what there is of the head of a frame, if it is enough. */
static void take_head(mirror_frames_t *frames)
{
    const unsigned char *head = frames->head;
    apr_uint32_t length =
        (apr_uint32_t)head[0] << 16 | (apr_uint32_t)head[1] << 8 | (apr_uint32_t)head[2];
    int padded = head[3] == DATA && (head[4] & PADDED) != 0;

    if (frames->have < HEAD_LEN || (padded && length > 0 && frames->have == HEAD_LEN)) {
        return;
    }
    if (padded && (length == 0 || head[HEAD_LEN] >= length)) {
        frames->malformed = 1; /* an error of the connection (RFC 9113 6.1) */
        return;
    }
    take_frame(frames, length, padded ? (apr_uint32_t)head[HEAD_LEN] + 1 : 0);
    frames->skip = padded ? length - 1 : length;
    frames->have = 0;
}

static apr_size_t least(apr_size_t a, apr_size_t b)
{
    return a < b ? a : b;
}

/* Compare with the rest of the preface. Returns the number of its bytes. */
static apr_size_t take_preface(mirror_frames_t *frames, const char *data, apr_size_t len)
{
    apr_size_t n = least(len, PREFACE_LEN - frames->preface);

    if (memcmp(data, preface + frames->preface, n) != 0) {
        frames->malformed = 1;
    }
    frames->preface += (unsigned)n;
    return n;
}

void mirror_frames_read(mirror_frames_t *frames, const char *data, apr_size_t len)
{
    apr_size_t at = 0;

    if (!frames->malformed && frames->preface < PREFACE_LEN) {
        at = take_preface(frames, data, len);
    }
    while (at < len && !frames->malformed) {
        apr_size_t n = least(len - at, frames->skip);

        at += n;
        frames->skip -= (apr_uint32_t)n;
        if (at < len) {
            frames->head[frames->have++] = (unsigned char)data[at++];
            take_head(frames);
        }
    }
}

void mirror_frames_lose(mirror_frames_t *frames)
{
    int i;

    frames->malformed = 1;
    for (i = 0; i < MIRROR_FRAMES_SLOTS; i++) {
        apr_atomic_set32(&frames->slots[i].id, 0);
    }
}

int mirror_frames_are_there(const char *data, apr_size_t len)
{
    return len > 0 && memcmp(data, preface, least(len, PREFACE_LEN)) == 0;
}
