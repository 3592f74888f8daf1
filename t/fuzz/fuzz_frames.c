/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_frames.c - the frames of a client's connection of HTTP/2.
 *
 * The first byte says into which pieces the rest is cut. Whatever it is: the pieces do not matter, a
 * stream that has ended stays so, and no body is longer than what was read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static mirror_frames_t whole, pieces;

/* Every stream that has a slot. */
static void look(mirror_frames_t *frames, apr_uint64_t most)
{
    int i;

    for (i = 0; i < MIRROR_FRAMES_SLOTS; i++) {
        apr_uint32_t id = frames->slots[i].id;
        apr_uint64_t length = 0;

        REQUIRE(id == 0 || (id % 2 == 1 && id <= frames->last));
        REQUIRE((mirror_frames_body(frames, id, &length) == MIRROR_FRAMES_UNKNOWN) == (id == 0));
        REQUIRE(mirror_frames_body(frames, id, &length) != MIRROR_FRAMES_WHOLE || length <= most);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const char *rest = (const char *)data + 1;
    size_t at = 0, piece;

    if (size == 0) {
        return 0;
    }
    size--;
    piece = (size_t)(data[0] & 0x7f) + 1;
    memset(&whole, 0, sizeof(whole));
    memset(&pieces, 0, sizeof(pieces));
    if (!(data[0] & 0x80)) {
        mirror_frames_read(&whole, preface, sizeof(preface) - 1);
        mirror_frames_read(&pieces, preface, sizeof(preface) - 1);
    }
    mirror_frames_read(&whole, rest, size);
    for (; at < size; at += piece) {
        char *copy;

        piece = piece < size - at ? piece : size - at;
        copy = malloc(piece);
        REQUIRE(copy);
        memcpy(copy, rest + at, piece);
        mirror_frames_read(&pieces, copy, piece);
        free(copy);
    }
    REQUIRE(memcmp(whole.slots, pieces.slots, sizeof(whole.slots)) == 0);
    REQUIRE(whole.malformed == pieces.malformed);
    /* a frame is counted with its head, so one may be beyond the end */
    look(&whole, (apr_uint64_t)size + (1 << 24));
    mirror_frames_lose(&whole);
    look(&whole, 0);
    return 0;
}
