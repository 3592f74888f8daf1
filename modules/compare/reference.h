/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/reference.h - judge where a mirror stands between the primary and a reference.
 */
#ifndef MIRROR_COMPARE_REFERENCE_H
#define MIRROR_COMPARE_REFERENCE_H

#include "compare/note.h"

/* What was found about the three responses. */
typedef struct mirror_reference_t {
    mirror_judgement_t judgement; /* primary and mirror */
    mirror_judgement_t drift;     /* primary and reference */
    mirror_judgement_t agreement; /* mirror and reference */
} mirror_reference_t;

/* ---- comparer ---- */

/* Judge the reference of a pair whose `judgement` has been made with these options, which are changed, and
 * fill in `note`, which refers to `three`. Returns why there is no verdict on the mirror. If `note` has
 * `drift` even then, that is known of the reference alone (mirror_note_reference()). */
mirror_skip_e mirror_reference_judge(mirror_note_t *note, mirror_reference_t *three,
                                     mirror_judge_options_t *options, const mirror_pair_t *pair);

#endif
