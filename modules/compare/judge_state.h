/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/judge_state.h - the work of a comparison, for compare/judge.c and compare/judge_texts.c.
 *
 * The thread that compares uses it.
 */
#ifndef MIRROR_COMPARE_JUDGE_STATE_H
#define MIRROR_COMPARE_JUDGE_STATE_H

#include "compare/decode.h"
#include "compare/judge.h"

#define MIRROR_FIELD_BODY "body"

/* One body, decoded if that was possible. */
typedef struct mirror_side_t {
    const char *coding; /* Content-Encoding; NULL: none */
    const char *type;   /* Content-Type; NULL: none */
    const char *data;
    apr_size_t len;
    mirror_decoded_t decoded;
    mirror_decode_e result;
} mirror_side_t;

typedef struct mirror_work_t {
    mirror_judgement_t *out;
    const mirror_judge_options_t *options;
    mirror_side_t a, b;
    int same_bytes; /* the bodies, as they were sent */
    int decoded;    /* both were decoded, or have no coding */
} mirror_work_t;

/* Begin with the body of a response as it was received. */
void mirror_judge_prepare(mirror_side_t *side, const mirror_half_t *half, apr_pool_t *pool);

/* Decode the body. side->decoded.data is to be freed. */
void mirror_judge_decode(mirror_side_t *side);

/* Keep where the texts differ for a row, from these places on; -1: no values are wanted. */
void mirror_judge_keep_texts(mirror_work_t *work, int row, const apr_size_t from[2]);

#endif
