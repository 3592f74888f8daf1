/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2.h - the protocol HTTP/2 (RFC 9113) and gRPC over it, with libnghttp2.
 *
 * A connection has one stream per copy, any method, with and without body. Until the mirror's
 * SETTINGS have come it takes one copy, afterwards as many as `streams` and the mirror's
 * SETTINGS_MAX_CONCURRENT_STREAMS allow. Nothing blocks, and nothing that a mirror sends grows
 * without a bound.
 */
#ifndef MIRROR_SEND_HTTP2_H
#define MIRROR_SEND_HTTP2_H

#include "send/protocol.h"

#if MIRROR_HAVE_NGHTTP2
extern const mirror_protocol_t mirror_http2_protocol;
#endif

#endif
