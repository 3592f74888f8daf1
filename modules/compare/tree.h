/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree.h - two JSON texts by value (RFC 8259): what differs, as rows.
 *
 * A text is read once, by yajl's callbacks, into a flat array of nodes with hashes; then only what
 * hashes distinguish is descended to. Nothing recurses. Key order, white space and escapes do not
 * count; numbers are compared by value on their digits (1, 1.0 and 1e0 are equal), exactly; "1" and
 * 1 are not equal, null and absent neither. Of two members of one name the last counts. Strings with
 * a lone surrogate are compared as they are written. Every length and count is capped. Hashes are
 * seeded (SipHash-2-4), so that no server can make them collide.
 *
 * A context is used by one thread at a time, again and again; it keeps its memory, bounded by the
 * caps below, until mirror_tree_context_trim().
 */
#ifndef MIRROR_COMPARE_TREE_H
#define MIRROR_COMPARE_TREE_H

#include <apr_tables.h>
#include <apr_time.h>

#include "compare/rows.h"

#define MIRROR_TREE_DEPTH_MAX 128
#define MIRROR_TREE_NODES_MAX 32768 /* of one text */

typedef struct mirror_tree_context_t mirror_tree_context_t;

typedef enum {
    MIRROR_TREE_DONE,     /* compared: the rows have what differs */
    MIRROR_TREE_NONE,     /* neither is JSON: compare them as texts */
    MIRROR_TREE_TOO_DEEP, /* one is deeper than MIRROR_TREE_DEPTH_MAX */
    MIRROR_TREE_TOO_MANY, /* one has more nodes than MIRROR_TREE_NODES_MAX */
    MIRROR_TREE_NO_MEMORY
} mirror_tree_e;

/* Which comparison with the primary it is, if there is a reference. */
typedef enum {
    MIRROR_TREE_SIDE_NONE,
    MIRROR_TREE_SIDE_MIRROR,
    MIRROR_TREE_SIDE_REFERENCE
} mirror_tree_side_e;

typedef struct mirror_tree_options_t {
    const apr_array_header_t *rules; /* of mirror_compare_rule_t *; NULL: none */
    int unordered;                   /* compare_arrays=unordered */
    apr_time_t now;                  /* apr_time_now()'s, for shapes of times */
    mirror_tree_side_e side;         /* the context notes which values differ in it */
} mirror_tree_options_t;

/* ---- any thread ---- */

/* Make a context; `seed` are 16 random bytes. NULL: there is no memory. The caller destroys it. */
mirror_tree_context_t *mirror_tree_context_create(const unsigned char seed[16]);
void mirror_tree_context_destroy(mirror_tree_context_t *context);

/* Free the memory that is kept for the next comparison. */
void mirror_tree_context_trim(mirror_tree_context_t *context);

/* ---- the context's thread ---- */

/* Compare the texts of primary `a` and mirror `b`. Rows have the part MIRROR_PART_BODY and the field
 * "body/POINTER" ("body" at the root). If one text alone is no JSON, there is one row `syntax` at
 * "body". rows->ignored counts differences that rules forgive. `*same` is 1 if, without rules, nothing
 * differs (the rows may still have `duplicate`); NULL = not needed. Tests compare it with the rows. */
mirror_tree_e mirror_tree_compare(mirror_rows_t *rows, int *same, mirror_tree_context_t *context,
                                  const mirror_tree_options_t *options, const char *a,
                                  apr_size_t a_len, const char *b, apr_size_t b_len);

/* Forget which values differ. */
void mirror_tree_forget(mirror_tree_context_t *context);

/* Set `alone` in the rows of both comparisons, which were made with `side`, of the same text of the
 * primary. Returns 0 if it is unknown, as one of them has not come to that. What is in no value of the
 * primary (MIRROR_KIND_EXTRA) is never set. */
int mirror_tree_stand_alone(mirror_tree_context_t *context, mirror_rows_t *mirror,
                            mirror_rows_t *reference);

#endif
