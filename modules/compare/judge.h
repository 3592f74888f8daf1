/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/judge.h - compare the two responses of a pair: verdict and rows. Sans I/O.
 */
#ifndef MIRROR_COMPARE_JUDGE_H
#define MIRROR_COMPARE_JUDGE_H

#include <apr_tables.h>

#include "compare/half.h"
#include "compare/pieces.h"
#include "compare/tree.h"
#include "compare/rows.h"

typedef struct mirror_judge_options_t {
    unsigned parts;                  /* bit n: mirror_part_e n is compared */
    const apr_array_header_t *rules; /* of mirror_compare_rule_t *; NULL: none */
    int unordered;                   /* compare_arrays=unordered */
    int may_examine;                 /* 0: there is no budget to look into what is unequal */
    apr_time_t now;                  /* apr_time_now()'s */
    mirror_tree_side_e side;         /* as in mirror_tree_options_t */
    mirror_values_t *values;         /* where values are kept; NULL: nowhere */
    mirror_tree_context_t *json;     /* the thread's own */
    apr_pool_t *pool;                /* for what is needed meanwhile */
} mirror_judge_options_t;

typedef struct mirror_judgement_t {
    mirror_skip_e skip; /* NONE: there is a verdict */
    mirror_verdict_e verdict;
    mirror_rows_t rows;
} mirror_judgement_t;

/* ---- any thread ---- */

/* Compare `primary` and `mirror`; neither has a reason to be skipped as a whole. A status that
 * differs ends it: one cause is one row. */
void mirror_judge(mirror_judgement_t *judgement, const mirror_judge_options_t *options,
                  const mirror_half_t *primary, const mirror_half_t *mirror);

/* Compare three texts piece by piece, without what rules `mask` cut. `judgement` is that of primary and
 * mirror, which has the row "body" `text`; without such rules, it gets the values of the first piece in
 * which the mirror stands alone. Returns 0 if nothing is known: a body cannot be decoded, or they
 * have too many pieces. */
int mirror_judge_texts(mirror_pieces_t *pieces, mirror_judgement_t *judgement,
                       const mirror_judge_options_t *options, const mirror_half_t *primary,
                       const mirror_half_t *mirror, const mirror_half_t *reference);

/* Return the row "body" `text`; NULL: there is none. */
const mirror_row_t *mirror_judge_text_row(const mirror_judgement_t *judgement);

#endif
