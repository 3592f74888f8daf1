/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_state.h - the layout of an area, for the files of findings alone.
 *
 * An area is made of atomic words, and each of them is read and written by itself. An entry of a
 * table is in use when its `hash` is not 0; a writer, which has the lock, fills an entry first and
 * sets its hash last, so a writer that is killed leaves a free entry. Readers copy an area to
 * private memory and look at nothing else; writers bound each number that they read.
 */
#ifndef MIRROR_SHARED_FINDINGS_STATE_H
#define MIRROR_SHARED_FINDINGS_STATE_H

#include <apr_atomic.h>

#include "shared/findings.h"
#include "shared/store.h"

#define MIRROR_FINDINGS_MORE       "(more)"
#define MIRROR_FINDINGS_MORE_GROUP (MIRROR_FINDINGS_GROUPS - 1)
#define MIRROR_FINDINGS_NOTED      192 /* rows of one response that are looked at */
#define MIRROR_FINDINGS_BITS       (MIRROR_FINDINGS_ROWS / 64)

/* Texts: bytes without NUL, and the words that hold them with a NUL. */
#define MIRROR_FINDINGS_METHOD       16
#define MIRROR_FINDINGS_ID           64
#define MIRROR_FINDINGS_WORDS(bytes) ((bytes) / 8 + 1)
#define MIRROR_FINDINGS_TEXT_WORDS   MIRROR_FINDINGS_WORDS(MIRROR_FINDINGS_TEXT)

#define MIRROR_WORD_GET(word)    apr_atomic_read64(&(word))
#define MIRROR_WORD_SET(word, n) apr_atomic_set64(&(word), (apr_uint64_t)(n))
#define MIRROR_WORD_ADD(word, n) apr_atomic_add64(&(word), (apr_uint64_t)(n))

/* ---- in shared memory: words alone ---- */

typedef struct mirror_findings_counters_t {
    apr_uint64_t verdicts[MIRROR_VERDICT_COUNT];
    apr_uint64_t skips[MIRROR_SKIP_COUNT];
    apr_uint64_t kinds[MIRROR_PART_COUNT][MIRROR_KIND_COUNT];
    apr_uint64_t primary[MIRROR_CELL_BUCKETS], mirror[MIRROR_CELL_BUCKETS];
    apr_uint64_t faster[MIRROR_CELL_BUCKETS], slower[MIRROR_CELL_BUCKETS];
    apr_uint64_t primary_us;
    apr_uint64_t truncated_fields, truncated_groups; /* responses */
} mirror_findings_counters_t;

typedef struct mirror_findings_group_t {
    apr_uint64_t hash; /* of the last one, "(more)": unused */
    apr_uint64_t compared, different;
    apr_uint64_t unexamined; /* of them, whose headers and bodies were not looked into */
    apr_uint64_t text[MIRROR_FINDINGS_TEXT_WORDS];
} mirror_findings_group_t;

typedef struct mirror_findings_pair_t {
    apr_uint64_t statuses; /* 0: free; of the last one, of all other pairs: unused */
    apr_uint64_t count;
} mirror_findings_pair_t;

typedef struct mirror_findings_row_t {
    apr_uint64_t hash;
    apr_uint64_t what;     /* group, part and kind, a byte each */
    apr_uint64_t count;    /* responses that have it, but for the following ones */
    apr_uint64_t built_in; /* responses in which the built-in list forgives it */
    apr_uint64_t by_rule;  /* responses in which a rule forgives it */
    apr_uint64_t sides[MIRROR_SIDE_COUNT];
    apr_uint64_t volatile_shapes, matters; /* of `count` */
    apr_uint64_t marks[2];    /* of the last values of primary and mirror; 0: none yet */
    apr_uint64_t changes[2];  /* how often they were others than before */
    apr_uint64_t first, last; /* apr_time_t */
    apr_uint64_t text[MIRROR_FINDINGS_TEXT_WORDS];
} mirror_findings_row_t;

typedef struct mirror_findings_example_t {
    apr_uint64_t time;   /* apr_time_t; 0: there is none */
    apr_uint64_t status; /* the primary's << 16, and the mirror's */
    apr_uint64_t method[MIRROR_FINDINGS_WORDS(MIRROR_FINDINGS_METHOD)];
    apr_uint64_t path[MIRROR_FINDINGS_TEXT_WORDS];
    apr_uint64_t request_id[MIRROR_FINDINGS_WORDS(MIRROR_FINDINGS_ID)];
} mirror_findings_example_t;

typedef struct mirror_findings_finding_t {
    apr_uint64_t hash; /* of the last one, of all other sets: 1 when it is in use */
    apr_uint64_t group;
    apr_uint64_t rows[MIRROR_FINDINGS_BITS]; /* the set: a bit for each row */
    apr_uint64_t more;                       /* 1: there were rows that have no entry */
    apr_uint64_t count, different;           /* responses; of them with this verdict */
    apr_uint64_t first, last;
    mirror_findings_example_t examples[MIRROR_FINDINGS_EXAMPLES];
} mirror_findings_finding_t;

typedef struct mirror_findings_rule_t {
    apr_uint64_t id; /* 0: free */
    apr_uint64_t compared, hits, failures;
    apr_uint64_t response; /* the last one that was counted: two rules may have one text */
} mirror_findings_rule_t;

typedef struct mirror_findings_tables_t {
    apr_uint64_t rows_used;
    apr_uint64_t responses; /* that have had rules */
    mirror_findings_group_t groups[MIRROR_FINDINGS_GROUPS];
    mirror_findings_pair_t pairs[MIRROR_FINDINGS_PAIRS];
    mirror_findings_row_t rows[MIRROR_FINDINGS_ROWS];
    mirror_findings_rule_t rules[MIRROR_FINDINGS_RULES];
    mirror_findings_finding_t findings[MIRROR_FINDINGS_FINDINGS];
} mirror_findings_tables_t;

typedef struct mirror_findings_value_t {
    apr_uint64_t row; /* its entry + 1; 0: free */
    apr_uint64_t text[2][MIRROR_FINDINGS_WORDS(MIRROR_FINDINGS_VALUE)];
} mirror_findings_value_t;

/* The values of one example of a finding. */
typedef struct mirror_findings_values_t {
    apr_uint64_t time;    /* the example's; 0: there are none */
    apr_uint64_t example; /* its number */
    mirror_findings_value_t list[MIRROR_FINDINGS_SET];
} mirror_findings_values_t;

struct mirror_findings_t {
    mirror_store_lock_t lock;            /* of those who write to tables, or reset */
    apr_uint64_t since;                  /* apr_time_t; 0: nothing was ever counted */
    apr_uint64_t logged;                 /* mirror_overall_e: what the error log says */
    apr_uint64_t resetting;              /* the time of a reset that is not complete; or 0 */
    mirror_findings_counters_t counters; /* never go back */
    mirror_findings_counters_t at_reset; /* what they were then */
    mirror_findings_tables_t tables;
    /* apart from the tables, as they are copied and cleared only if they were used: memory that is
     * not used is never touched */
    apr_uint64_t values_used;
    mirror_findings_values_t values[MIRROR_FINDINGS_FINDINGS];
};

/* ---- private ---- */

/* How often a row was seen: as a difference, or else as one that is forgiven. */
static inline apr_uint64_t mirror_findings_seen(const mirror_findings_row_t *row)
{
    return row->count != 0 ? row->count : row->built_in + row->by_rule;
}

/* The rows of one response, as the tables have them. */
typedef struct mirror_findings_set_t {
    int group;
    int more;                                /* there are rows without an entry */
    int noise;                               /* there are rows that are noise in this response */
    int truncated;                           /* there are rows without one of their own */
    apr_uint64_t rows[MIRROR_FINDINGS_BITS]; /* those that are differences */
    apr_uint64_t counted[MIRROR_FINDINGS_BITS];
    apr_uint64_t sides[MIRROR_SIDE_COUNT][MIRROR_FINDINGS_BITS]; /* that were counted */
    int finding, example; /* where the response is an example; -1: nowhere */
} mirror_findings_set_t;

/* ---- any thread; no lock ---- */

/* Copy words that others may write to meanwhile; `size` is in bytes. */
void mirror_findings_copy(void *to, void *from, apr_size_t size);

static inline int mirror_findings_has(const apr_uint64_t *rows, int row)
{
    return (int)(rows[row / 64] >> row % 64 & 1);
}

/* Note whether the values of primary and mirror, of volatile shapes, are others than in the last response,
 * by their marks. The lock is held. */
void mirror_findings_note_changes(mirror_findings_row_t *row, const apr_uint64_t marks[2]);

/* ---- any thread; no shared memory ---- */

/* Why the row is noise ("built_in", "rule", "reference", "guessed"), when its group has had `examined`
 * comparisons; NULL: it is not. */
const char *mirror_findings_noise(const mirror_findings_row_t *row, apr_uint64_t examined);

/* Fill `words`, which have room for `max` bytes and a NUL, with a text (NULL: an empty one) and
 * zeros. The middle of a longer one is cut, at borders of characters. */
void mirror_findings_text_fill(apr_uint64_t *words, apr_size_t max, const char *text);

/* The text of `words` in `pool`, as UTF-8: other bytes become '?', and control characters as well
 * if `printable`. */
const char *mirror_findings_text_read(const apr_uint64_t *words, apr_size_t max, int printable,
                                      apr_pool_t *pool);

/* ---- who has the lock ---- */

/* Enter group and rows of a response, and count the rows. index[i] is the entry of row i, or -1. */
void mirror_findings_rows_enter(mirror_findings_set_t *set, int index[MIRROR_FINDINGS_NOTED],
                                mirror_findings_tables_t *tables, const mirror_noted_t *noted);

/* Set the words of an entry to 0; `size` is in bytes. */
void mirror_findings_empty(void *entry, apr_size_t size);

/* Count the rules that were in force. */
void mirror_findings_rules_count(mirror_findings_tables_t *tables, const mirror_noted_t *noted);

/* Whether an entry is noise by now; the response is not yet counted in its group. */
int mirror_findings_rows_is_noise(mirror_findings_tables_t *tables, int row);

/* Count a response in its group, its pair of statuses and its finding. */
void mirror_findings_rows_count(mirror_findings_tables_t *tables, mirror_findings_set_t *set,
                                const mirror_noted_t *noted, mirror_verdict_e verdict);

/* Begin the finding of all other sets, which is not in use. */
void mirror_findings_rows_begin_others(mirror_findings_tables_t *tables, apr_time_t now);

/* Find a finding for a set of rows that none has, when all are in use: one that has the same rows but for
 * noise, or one that is made free. NULL: the set is one of all others. */
mirror_findings_finding_t *mirror_findings_room_find(mirror_findings_tables_t *tables,
                                                     const mirror_findings_set_t *set);

/* Keep the values of a response that is an example, and forget those of the former one. index[i]: as
 * above. */
void mirror_findings_values_put(mirror_findings_t *area, const mirror_findings_set_t *set,
                                const mirror_noted_t *noted,
                                const int index[MIRROR_FINDINGS_NOTED]);

/* Forget the values of all examples of before `time`; and of two days after it, which are of a clock that
 * was set back since. */
void mirror_findings_values_clear(mirror_findings_t *area, apr_time_t time);

#endif
