/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/frames.h - which streams of a client's connection of HTTP/2 have ended, and with how many
 * bytes of a body.
 *
 * mod_http2 ends the body of a stream in the same way after END_STREAM and after any other end,
 * such as RST_STREAM. So the frames are read before mod_http2 reads them. Only the heads of frames
 * are parsed (RFC 9113 4.1), and the length of their padding; nothing is kept of their contents.
 *
 *     the thread of the connection   ── mirror_frames_read() ──► slots
 *     the thread of a request        ── mirror_frames_body() ──► slot of its stream
 *
 * The slots are atomic words. A stream has the slot of its number, until a later stream takes it:
 * then nothing is known of it. A stream begins with its HEADERS, and is never begun a second time.
 */
#ifndef MIRROR_CAPTURE_FRAMES_H
#define MIRROR_CAPTURE_FRAMES_H

#include <apr.h>

/* Consecutive streams that are known; a power of two. mod_http2 allows 100 at a time by default. */
#define MIRROR_FRAMES_SLOTS 256

typedef enum {
    MIRROR_FRAMES_UNKNOWN,
    MIRROR_FRAMES_CUT,  /* it has not ended, or was reset before */
    MIRROR_FRAMES_WHOLE /* END_STREAM was received */
} mirror_frames_body_e;

typedef struct mirror_frames_slot_t {
    apr_uint32_t id;    /* atomic; number of the stream; 0 = none */
    apr_uint64_t state; /* atomic; bytes of the body so far, and flags of its end */
} mirror_frames_slot_t;

typedef struct mirror_frames_t {
    mirror_frames_slot_t slots[MIRROR_FRAMES_SLOTS];
    /* the thread of the connection */
    unsigned char head[10]; /* the head of the current frame, and its length of padding */
    unsigned have;          /* bytes of `head` */
    unsigned preface;       /* bytes of the preface that were read */
    apr_uint32_t skip;      /* bytes of the frame that follow */
    apr_uint32_t last;      /* highest number of a stream so far */
    unsigned malformed : 1; /* the connection is not parsed any more */
} mirror_frames_t;

/* ---- the thread of the connection ---- */

/* Parse the next bytes of the connection, from the preface on (RFC 9113 3.4). `frames` is zeroed
 * before the first ones. */
void mirror_frames_read(mirror_frames_t *frames, const char *data, apr_size_t len);

/* Forget all streams, and parse nothing more: bytes of the connection were missed. */
void mirror_frames_lose(mirror_frames_t *frames);

/* Return whether `data` begins like the preface. */
int mirror_frames_are_there(const char *data, apr_size_t len);

/* ---- request threads ---- */

/* Return how the body of a stream has ended, whose end a reader has seen. *length: its bytes,
 * if it is whole. */
mirror_frames_body_e mirror_frames_body(mirror_frames_t *frames, apr_uint32_t id,
                                        apr_uint64_t *length);

#endif
