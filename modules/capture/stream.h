/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/stream.h - whether the body of a request of HTTP/2 is whole.
 *
 * A filter of the client's connection reads the frames (capture/frames.h) that mod_http2 is about
 * to read. It is below mod_http2 and above TLS, passes each brigade on as it is, and never reads on
 * its own. mod_http2 ends the body of a stream only after the frame that ends it has passed the
 * filter. So the reader of that end finds the frame there.
 */
#ifndef MIRROR_CAPTURE_STREAM_H
#define MIRROR_CAPTURE_STREAM_H

#include <httpd.h>

#include "capture/frames.h"

/* ---- startup ---- */

/* Register hooks and the filter. */
void mirror_stream_register(apr_pool_t *p);

/* ---- request threads ---- */

/* Return how the body of a request has ended, whose end was read. *length: its bytes, if it is
 * whole. MIRROR_FRAMES_UNKNOWN also if it is not a request of HTTP/2. */
mirror_frames_body_e mirror_stream_body(const request_rec *r, apr_off_t *length);

#endif
