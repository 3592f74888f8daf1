/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/pieces.h - which of three texts stands alone, but for what differs in all of them.
 *
 * A page with a token differs as a whole from any other one. So texts are split into pieces, at line ends
 * and before each '<', and pieces are compared by their number. The mirror stands alone if there is a piece
 * that primary and reference have in common and the mirror has not; or if these two have one number of
 * pieces, and the mirror has another. With mirror and reference exchanged, so does the reference: each stands
 * alone as often as the other if both run the same version.
 */
#ifndef MIRROR_COMPARE_PIECES_H
#define MIRROR_COMPARE_PIECES_H

#include <apr.h>

typedef struct mirror_pieces_t {
    int mirror_alone;
    int reference_alone;
    /* where the first piece begins in which the mirror stands alone, in primary and mirror; the primary's
     * length if there is none, and how far the mirror's text has as many pieces */
    apr_size_t at[2];
} mirror_pieces_t;

/* Pieces of a text, at most. */
#define MIRROR_PIECES_MAX 65536

/* Compare the texts of primary, mirror and reference. The time is linear. Returns 0 if the primary, or
 * both others, have too many pieces; then nothing is known. Any thread. */
int mirror_pieces_compare(mirror_pieces_t *pieces, const char *const texts[3],
                          const apr_size_t lens[3]);

#endif
