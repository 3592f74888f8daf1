/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/judge_state.h - two bodies, for the files of judge alone.
 */
#ifndef MIRROR_COMPARE_JUDGE_STATE_H
#define MIRROR_COMPARE_JUDGE_STATE_H

#include "compare/decode.h"
#include "compare/judge.h"

/* One body, decoded if that was possible. */
typedef struct mirror_judge_side_t {
    const char *coding; /* Content-Encoding; NULL: none */
    const char *type;   /* Content-Type; NULL: none */
    const char *data;
    apr_size_t len;
    mirror_decoded_t decoded;
    mirror_decode_e result;
} mirror_judge_side_t;

typedef struct mirror_judge_work_t {
    mirror_judgement_t *out;
    const mirror_judge_options_t *options;
    mirror_judge_side_t a, b;
    int same_bytes; /* the bodies, as they were sent */
    int decoded;    /* both were decoded, or have no coding */
} mirror_judge_work_t;

/* ---- any thread ---- */

/* Whether a Content-Type, which may be NULL, is that of JSON. */
int mirror_judge_is_json(const char *type);

/* Set `side` to the body of a half, as it was sent. */
void mirror_judge_prepare(mirror_judge_side_t *side, const mirror_half_t *half, apr_pool_t *pool);

/* Decode the body; free() what it is decoded to. side->result says whether that was possible. */
void mirror_judge_decode(mirror_judge_side_t *side);

/* Whether one body is too long to be compared, as it was transferred or as it was decoded, and the other one
 * is so short that it cannot be the same: then there is a row. Not if a rule may accept it. work->a of the
 * first is not needed otherwise. */
int mirror_judge_transferred(mirror_judge_work_t *work, const mirror_half_t *a,
                             const mirror_half_t *b);
int mirror_judge_decoded(mirror_judge_work_t *work);

/* The same for bodies that are there, but of which one is too deep or has too many values. */
int mirror_judge_lengths(mirror_judge_work_t *work);

/* Keep where the texts differ for a row, from these places on; -1: no values are wanted. */
void mirror_judge_keep_texts(mirror_judge_work_t *work, int row, const apr_size_t from[2]);

#endif
