/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/pieces.c - three texts, piece by piece. See compare/pieces.h.
 */
#include <string.h>

#include "compare/pieces.h"

enum { PRIMARY, MIRROR, REFERENCE, SIDES };

typedef struct piece_t {
    const char *at, *end; /* the same at the end of the text */
} piece_t;

/* The piece that begins at `at`. */
static piece_t piece_at(const char *at, const char *end)
{
    piece_t piece = { at, at };

    while (piece.end < end && (piece.end == at || (*piece.end != '<' && piece.end[-1] != '\n'))) {
        piece.end++;
    }
    return piece;
}

static apr_size_t count(const char *text, apr_size_t len)
{
    const char *end = text + len;
    apr_size_t n = 0;

    for (; text < end && n <= MIRROR_PIECES_MAX; n++) {
        text = piece_at(text, end).end;
    }
    return n;
}

static int are_equal(const piece_t *a, const piece_t *b)
{
    return a->end - a->at == b->end - b->at && !memcmp(a->at, b->at, (apr_size_t)(a->end - a->at));
}

/* Compare pieces with the same number as long as the mirror does not stand alone. */
static void compare_pieces(mirror_pieces_t *pieces, const char *const texts[SIDES],
                           const apr_size_t lens[SIDES], int are_as_many)
{
    piece_t piece[SIDES];
    int side, has_mirror = 0;

    for (side = 0; side < SIDES; side++) {
        piece[side] = piece_at(texts[side], texts[side] + lens[side]);
    }
    while (piece[PRIMARY].at < piece[PRIMARY].end) {
        int is_mirror_equal = are_equal(&piece[PRIMARY], &piece[MIRROR]);
        int is_reference_equal = are_equal(&piece[PRIMARY], &piece[REFERENCE]);

        if (!has_mirror) {
            pieces->at[0] = (apr_size_t)(piece[PRIMARY].at - texts[PRIMARY]);
            pieces->at[1] = (apr_size_t)(piece[MIRROR].at - texts[MIRROR]);
        }
        has_mirror |= !is_mirror_equal && is_reference_equal;
        pieces->reference_alone |= are_as_many && is_mirror_equal && !is_reference_equal;
        for (side = 0; side < SIDES; side++) {
            piece[side] = piece_at(piece[side].end, texts[side] + lens[side]);
        }
    }
    if (!has_mirror) {
        pieces->at[0] = lens[PRIMARY];
        pieces->at[1] = (apr_size_t)(piece[MIRROR].at - texts[MIRROR]); /* it may have more */
    }
    pieces->mirror_alone |= are_as_many && has_mirror;
}

int mirror_pieces_compare(mirror_pieces_t *pieces, const char *const texts[3],
                          const apr_size_t lens[3])
{
    apr_size_t n[SIDES];
    int side;

    for (side = 0; side < SIDES; side++) {
        n[side] = count(texts[side], lens[side]);
    }
    if (n[PRIMARY] > MIRROR_PIECES_MAX ||
        (n[MIRROR] > MIRROR_PIECES_MAX && n[REFERENCE] > MIRROR_PIECES_MAX)) {
        return 0;
    }
    pieces->mirror_alone = n[PRIMARY] == n[REFERENCE] && n[PRIMARY] != n[MIRROR];
    pieces->reference_alone = n[PRIMARY] == n[MIRROR] && n[PRIMARY] != n[REFERENCE];
    compare_pieces(pieces, texts, lens, n[PRIMARY] == n[MIRROR] && n[PRIMARY] == n[REFERENCE]);
    return 1;
}
