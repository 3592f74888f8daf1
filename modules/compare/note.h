/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/note.h - put what was found about a pair where people read it.
 */
#ifndef MIRROR_COMPARE_NOTE_H
#define MIRROR_COMPARE_NOTE_H

#include "compare/judge.h"
#include "compare/pair.h"

/* What was found about a pair. */
typedef struct mirror_note_t {
    const mirror_judgement_t *judgement; /* primary and mirror */
    const mirror_judgement_t *drift;     /* primary and reference; NULL = no reference */
    const mirror_judgement_t *agreement; /* mirror and reference; with `drift` */
    int has_values;        /* the rows of both know in which values who stands alone */
    int has_texts;         /* all three are texts that differ */
    mirror_pieces_t texts; /* with `has_texts` */
} mirror_note_t;

/* ---- comparer ---- */

/* Count a pair that was compared, note its rows in shared memory, and fill in the line of its copy.
 * What is needed meanwhile is in `pool`. Returns 0 if the shared memory is in use by others; then
 * nothing was counted. */
int mirror_note(mirror_pair_t *pair, const mirror_note_t *note, apr_pool_t *pool);

/* Note in what the reference of a pair that is skipped stands alone. Memory as above. If the shared memory
 * is in use by others, nothing is noted. */
void mirror_note_reference(const mirror_pair_t *pair, const mirror_note_t *note, apr_pool_t *pool);

#endif
