/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/choose.h - the decision whether a request is copied, once per mirror, before the body is
 * cloned.
 *
 * The checks run in this order. The first failed check determines the outcome:
 *
 *     enabled      disabled
 *     methods      filtered; CONNECT and TRACE always
 *     expr         filtered
 *     sample       sampled_out
 *     Upgrade      upgrade      a websocket
 *     our id       looped
 *     body         incomplete, too_large
 *
 * Up to the sample nothing is allocated, except by an expression, and the client's headers are not
 * parsed. So a looped request that is not in the sample counts as sampled_out.
 *
 * The attribute status is checked later, when the status of the response is known.
 */
#ifndef MIRROR_CAPTURE_CHOOSE_H
#define MIRROR_CAPTURE_CHOOSE_H

#include <httpd.h>

#include "capture/head.h"
#include "capture/shape.h"
#include "copy/log_line.h"

/* The availability of a request's body. */
typedef enum {
    MIRROR_BODY_NONE,
    MIRROR_BODY_PENDING, /* from the client, when the handler reads it */
    /* read before the handler; an input filter may replay it to the handler */
    MIRROR_BODY_REPLAYED,
    MIRROR_BODY_LOST /* read before the handler, and perhaps changed */
} mirror_choose_body_e;

/* The data of a request, shared by the choices of all its mirrors. */
typedef struct mirror_choice_t {
    request_rec *r; /* the request that the handler gets */
    /* the client's request: r, or the request that was internally redirected to r */
    const request_rec *first;
    const char *id; /* id of this server, for loop detection */
    /* of mirror_compare_rule_t *, settings/compare_rule.h; NULL = none */
    const apr_array_header_t *rules;
    /* of mirror_header_edit_t *, capture/header_edit.h; NULL = none */
    const apr_array_header_t *edits;
    mirror_method_t method;         /* the client's; read on demand */
    mirror_shape_targets_t targets; /* cache of mirror_shape_make() */
    mirror_head_t *head;            /* read on demand; NULL = not read */
    mirror_choose_body_e body;      /* valid once `head` is read */
    /* for the log; only `log` is set until a line is created */
    mirror_log_subject_t subject;
} mirror_choice_t;

/* ---- request threads ---- */

/* Return whether the request of `r` is considered. Error documents, this module's own pages and
 * HTTP/2 pushes are not. */
int mirror_choose_sees(const request_rec *r);

/* Whether the method of the request is one of these; NULL: any that may be copied. */
int mirror_choose_has_method(mirror_choice_t *choice, const apr_array_header_t *methods);

/* Decide whether the request is copied to the lane's mirror. Returns MIRROR_OUTCOME_NONE, with
 * choice->head read, or the outcome, which is not counted here. */
mirror_outcome_e mirror_choose(mirror_choice_t *choice, mirror_lane_t *lane,
                               const mirror_settings_t *settings);

/* Return whether the response to this copied request is compared: compare_ratio of the sample, by
 * the same key. */
int mirror_choose_compares(mirror_choice_t *choice, mirror_lane_t *lane,
                           const mirror_settings_t *settings);

#endif
