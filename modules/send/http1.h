/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http1.h - the protocol HTTP/1.1 (RFC 9112): batches of copies, responses in the same order.
 *
 * A connection takes a batch while it is idle. If the batch has several copies, none has a body.
 */
#ifndef MIRROR_SEND_HTTP1_H
#define MIRROR_SEND_HTTP1_H

#include "send/protocol.h"

extern const mirror_protocol_t mirror_http1_protocol;

#endif
