/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/choose.h - whether a request is copied, asked once for each mirror, before anything is
 * cloned.
 *
 * The questions are asked in this order, and the first no is the outcome:
 *
 *     enabled      disabled
 *     methods      filtered; CONNECT and TRACE always
 *     expr         filtered
 *     sample       sampled_out
 *     Upgrade      upgrade      a websocket
 *     our id       looped
 *     body         incomplete, too_large
 *
 * Up to the sample nothing is allocated, but for what an expression does itself, and the client's
 * headers are not looked at. So a request that would be looped is counted as sampled_out if it is
 * not in the sample.
 *
 * What the client was answered with (the attribute status) is asked when that is known.
 */
#ifndef MIRROR_CAPTURE_CHOOSE_H
#define MIRROR_CAPTURE_CHOOSE_H

#include <httpd.h>

#include "capture/head.h"
#include "capture/shape.h"
#include "copy/log_line.h"

/* How a request's body can be had. */
typedef enum {
    MIRROR_BODY_NONE,
    MIRROR_BODY_COMES, /* from the client, when the handler reads it */
    /* it was read before the handler; some input filter may give it to the handler again */
    MIRROR_BODY_REPLAYED,
    MIRROR_BODY_LOST /* it was read before the handler, and may have changed */
} mirror_choose_body_e;

/* What is known of a request; shared by the choices for all its mirrors. */
typedef struct mirror_choice_t {
    request_rec *r; /* where it is handled */
    /* what the client sent: r, or what r was internally redirected from */
    const request_rec *first;
    const char *id;                  /* ours, of the loop guard */
    const apr_array_header_t *edits; /* of the copies' headers, capture/header_edit.h; NULL: none */
    mirror_method_t method;          /* the client's; not read until a choice needs it */
    mirror_shape_targets_t targets;  /* what mirror_shape_make() keeps */
    mirror_head_t *head;             /* NULL until a choice needs it */
    mirror_choose_body_e body;       /* known once head is */
    /* for the log; only its member log is set until a line needs it */
    mirror_log_subject_t subject;
} mirror_choice_t;

/* ---- request threads ---- */

/* Whether a client's request is seen where `r` is handled: not an error document, a page of our
 * own, an HTTP/2 push. */
int mirror_choose_sees(const request_rec *r);

/* Whether it is copied to the lane's mirror with these settings: NONE, with the head read, or why
 * not (not counted here). */
mirror_outcome_e mirror_choose(mirror_choice_t *choice, mirror_lane_t *lane,
                               const mirror_settings_t *settings);

#endif
