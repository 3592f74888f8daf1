/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings.h - what comparing has found about one mirror, in shared memory.
 *
 * A mirror's AREA has counters, which any thread adds to, and tables, which the comparers of all
 * children write to under a lock:
 *
 *     counters    verdicts, reasons to skip, kinds of differences, latencies
 *     pairs       of statuses that differ
 *     groups      of requests ("GET /items/" and '*')
 *     rows        a field and a kind, by group: in how many responses, and beside a reference in
 *                 which of the three
 *     findings    sets of rows that come together in one response (signatures)
 *     examples    requests of a finding
 *     values      of the newest example of each finding, if compare_values says so
 *     rules       how often each of the configuration's had an effect
 *
 * Every table is bounded; what does not fit is counted in a row or group "(more)". Counters never
 * go back (Prometheus); mirror_findings_reset() empties the tables and notes from where the counters
 * count anew.
 *
 * Code in a child may write anything there, at any time. Every index and length that is read is
 * bounded before it is used, and every text copied and ended. The parent, which is root, adds to
 * counters, frees the lock, and copies and clears areas as bytes. The lock is a word with a process id (shared/store.h), and falls to the next
 * process when its holder is gone.
 */
#ifndef MIRROR_SHARED_FINDINGS_H
#define MIRROR_SHARED_FINDINGS_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/comparison.h"
#include "shared/cell.h"

#define MIRROR_FINDINGS_PAIRS    32
#define MIRROR_FINDINGS_GROUPS   64  /* the last is "(more)" */
#define MIRROR_FINDINGS_ROWS     512 /* with one "(more)" for each group */
#define MIRROR_FINDINGS_FINDINGS 64  /* the last is of all other sets of rows */
#define MIRROR_FINDINGS_EXAMPLES 10  /* of a finding, at most (compare_examples) */
#define MIRROR_FINDINGS_SET      8   /* rows that a finding names */
#define MIRROR_FINDINGS_TEXT     120 /* bytes of a field or a group, without NUL */
#define MIRROR_FINDINGS_RULES    512 /* that are counted */
#define MIRROR_FINDINGS_VALUE    256 /* bytes of a value, without NUL */
/* How long values are kept. */
#define MIRROR_FINDINGS_VALUES_TIME apr_time_from_sec(86400)
/* Comparisons after which a rule without a hit is one that matches nothing. */
#define MIRROR_FINDINGS_RULE_MIN 1000
/* Comparisons that are needed before a verdict about the mirror is given. */
#define MIRROR_FINDINGS_MIN 30

typedef struct mirror_findings_t mirror_findings_t; /* an area */

/* What is known of one row of one response. */
typedef enum {
    MIRROR_SIDE_TWO_WAY,         /* there is no reference: primary and mirror differ */
    MIRROR_SIDE_MIRROR_ALONE,    /* primary and reference agree */
    MIRROR_SIDE_REFERENCE_ALONE, /* primary and mirror agree: no difference of the mirror */
    MIRROR_SIDE_PRIMARY_ALONE,   /* mirror and reference agree */
    MIRROR_SIDE_ALL_DIFFER,
    MIRROR_SIDE_COUNT
} mirror_side_e;

typedef struct mirror_noted_row_t {
    mirror_part_e part;
    mirror_kind_e kind;
    mirror_side_e side;
    int reference_too;     /* the reference stands alone, too, in another part of the field */
    int varies_too;        /* beside the mirror alone, all three differ in another part */
    int only_noise;        /* the mirror has nothing that the reference has not as well */
    int volatile_shape;    /* both values look like ids or times */
    apr_uint64_t marks[2]; /* if so, of the values of primary and mirror: whether they change */
    int built_in;          /* the built-in list forgives it */
    int by_rule;           /* a rule of the configuration forgives it */
    int matters;           /* a rule says that it is never guessed to be noise */
    const char *values[2]; /* of primary and mirror; NULL or "": not kept */
    const char *field;
} mirror_noted_row_t;

/* A rule that was in force. */
typedef struct mirror_noted_rule_t {
    apr_uint64_t id; /* never 0 */
    int has_hit;     /* it had an effect */
    int has_failed;
} mirror_noted_rule_t;

/* One comparison that has ended. */
typedef struct mirror_noted_t {
    const char *group;
    mirror_verdict_e verdict; /* DIFFERENT: it is NOISE if all its rows are noise so far */
    int status[2];            /* of primary and mirror */
    const mirror_noted_row_t *rows;
    int count;
    int more;                /* further rows, which are not listed */
    mirror_side_e more_side; /* of these */
    int more_reference_too, more_varies_too;
    const mirror_noted_rule_t *rules;
    int rule_count;
    int examples; /* compare_examples */
    int values;   /* values may be kept */
    apr_time_t time;
    const char *method, *path, *request_id; /* path without query; NULL: there is no id */
    const apr_interval_time_t *took;        /* of primary and mirror; NULL: unknown */
} mirror_noted_t;

/* ---- the same for readers: a copy in private memory ---- */

typedef struct mirror_found_row_t {
    mirror_part_e part;
    mirror_kind_e kind;
    const char *group, *field; /* UTF-8; may have control characters */
    apr_uint64_t count;        /* responses that have it; without those that the built-in list
                                * or rules forgive, unless they forgive all */
    apr_uint64_t sides[MIRROR_SIDE_COUNT];
    const char *noise; /* why it is noise: "built_in", "reference", "guessed", "rule"; NULL: not */
    apr_time_t first, last;
} mirror_found_row_t;

/* Values of a row in an example. */
typedef struct mirror_found_value_t {
    const mirror_found_row_t *row;
    const char *sides[2]; /* of primary and mirror, UTF-8 without controls; NULL: not kept */
} mirror_found_value_t;

typedef struct mirror_found_example_t {
    apr_time_t time;
    int status[2];
    const char *method, *path, *request_id; /* UTF-8 without controls; NULL: there is no id */
    const mirror_found_value_t *values;
    int value_count;
} mirror_found_example_t;

typedef struct mirror_found_t {
    const char *group;
    apr_uint64_t count;
    apr_time_t first, last;
    const mirror_found_row_t *rows[MIRROR_FINDINGS_SET]; /* differences first, then noise */
    int row_count;
    int more;  /* it has further rows */
    int noise; /* all its rows are noise */
    const mirror_found_example_t *examples;
    int example_count;
} mirror_found_t;

typedef struct mirror_found_group_t {
    const char *group;
    apr_uint64_t compared, different;
} mirror_found_group_t;

typedef struct mirror_found_pair_t {
    int primary, mirror; /* 0 and 0: of all other pairs */
    apr_uint64_t count;
} mirror_found_pair_t;

typedef struct mirror_found_rule_t {
    apr_uint64_t id;
    apr_uint64_t compared; /* responses that were looked into while it was in force */
    apr_uint64_t hits, failures;
} mirror_found_rule_t;

/* Histograms of latencies, in the buckets of shared/cell.h. */
typedef struct mirror_found_latency_t {
    apr_uint64_t primary[MIRROR_CELL_BUCKETS], mirror[MIRROR_CELL_BUCKETS];
    /* mirror less primary: of those that were faster, by how much; and slower */
    apr_uint64_t faster[MIRROR_CELL_BUCKETS], slower[MIRROR_CELL_BUCKETS];
} mirror_found_latency_t;

/* All of a mirror, since the last reset. */
typedef struct mirror_findings_view_t {
    apr_time_t since; /* 0: nothing was ever compared */
    apr_uint64_t compared;
    apr_uint64_t verdicts[MIRROR_VERDICT_COUNT];
    apr_uint64_t skips[MIRROR_SKIP_COUNT];
    mirror_found_latency_t latency;
    const mirror_found_pair_t *pairs; /* most frequent first, as all lists */
    int pair_count;
    const mirror_found_group_t *groups;
    int group_count;
    const mirror_found_row_t *rows;
    int row_count;
    /* responses in which the status of the reference was not that of the primary */
    apr_uint64_t reference_unlike;
    const mirror_found_t *findings;
    int finding_count;
    const mirror_found_rule_t *rules;
    int rule_count;
    /* responses with a row, or of a group, that had no room of its own */
    apr_uint64_t truncated_fields, truncated_groups;
} mirror_findings_view_t;

/* The verdict on a mirror. */
typedef enum {
    MIRROR_OVERALL_NOTHING,    /* no pair was compared */
    MIRROR_OVERALL_COLLECTING, /* fewer than MIRROR_FINDINGS_MIN were examined */
    MIRROR_OVERALL_ALIKE,
    MIRROR_OVERALL_DIFFERS /* there is a finding that is not noise */
} mirror_overall_e;

/* What Prometheus has: counters that no reset changes. */
typedef struct mirror_findings_counts_t {
    apr_uint64_t verdicts[MIRROR_VERDICT_COUNT];
    apr_uint64_t skips[MIRROR_SKIP_COUNT];
    apr_uint64_t kinds[MIRROR_PART_COUNT][MIRROR_KIND_COUNT];
    apr_uint64_t primary[MIRROR_CELL_BUCKETS];
    apr_uint64_t primary_us; /* sum */
} mirror_findings_counts_t;

/* ---- any process ---- */

/* Bytes of an area; new memory is zero, and that is an area without anything. It is aligned as a
 * cache line is (at least as an apr_uint64_t). */
apr_size_t mirror_findings_size(void);

/* Count a pair that was not compared: `n` times. Never waits, takes no lock. */
void mirror_findings_skip(mirror_findings_t *area, mirror_skip_e skip, apr_uint64_t n);

/* ---- parent ---- */

/* The process `pid` has ended: what it held is free. */
void mirror_findings_release(mirror_findings_t *area, apr_uint32_t pid);

/* The process that has the lock, as the area says; 0: none has. */
apr_uint32_t mirror_findings_holder(mirror_findings_t *area);

/* Copy an area to another one, which no other process has yet: its bytes, whatever they are, but
 * for the lock, which is free. */
void mirror_findings_move(mirror_findings_t *area, mirror_findings_t *former);

/* ---- a child: its comparer ---- */

/* Count a comparison, and note what it has found. Returns the verdict as it was counted;
 * MIRROR_VERDICT_COUNT: the lock could not be had within a second, and nothing was counted. */
mirror_verdict_e mirror_findings_add(mirror_findings_t *area, const mirror_noted_t *noted);

/* Note the rows of a reference that stands alone in all of them, of a pair that is not counted: what
 * `noted` has of a verdict is not read. Without the lock, as above, nothing is noted. */
void mirror_findings_note(mirror_findings_t *area, const mirror_noted_t *noted);

/* Count the times of a pair: how long primary and mirror took. */
void mirror_findings_time(mirror_findings_t *area, apr_interval_time_t primary,
                          apr_interval_time_t mirror);

/* Copy all to `pool`, and return the verdict if it is ALIKE or DIFFERS and no process has
 * logged it since it has changed; else NOTHING. */
mirror_overall_e mirror_findings_news(mirror_findings_view_t *view, mirror_findings_t *area,
                                      apr_pool_t *pool);

/* ---- a child: request threads ---- */

/* Empty all tables and begin to count anew. `now` is apr_time_now()'s. Returns APR_TIMEUP if the
 * lock could not be had: then nothing has changed. */
apr_status_t mirror_findings_reset(mirror_findings_t *area, apr_time_t now);

/* Forget the values of all examples. Nothing happens if there are none, or if the lock could not be had
 * within some milliseconds. */
void mirror_findings_forget_values(mirror_findings_t *area);

/* Copy all to `pool`, for people. Takes no lock; what is written meanwhile may be there in part.
 * `area` may be NULL: nothing was ever compared. The groups' `compared` add up to the view's. */
void mirror_findings_view(mirror_findings_view_t *view, mirror_findings_t *area, apr_pool_t *pool);

/* Copy the counters. Never waits. `area` may be NULL. */
void mirror_findings_counts(mirror_findings_counts_t *counts, mirror_findings_t *area);

/* ---- any thread; no shared memory ---- */

/* Return how many pairs were compared, without those that there was no time to look into. */
apr_uint64_t mirror_findings_examined(const mirror_findings_view_t *view);

/* Whether enough of the pairs whose bytes differ were examined to represent those that were not. */
int mirror_findings_is_sample(const mirror_findings_view_t *view);

/* The rule with this id; NULL: it was not counted. */
const mirror_found_rule_t *mirror_findings_rule(const mirror_findings_view_t *view,
                                                apr_uint64_t id);

/* Return what the findings say of the mirror as a whole, and its name in JSON. */
mirror_overall_e mirror_findings_overall(const mirror_findings_view_t *view);
const char *mirror_overall_name(mirror_overall_e overall);

/* Whether a + b responses in which mirror (a) or reference (b) stood alone are evidence that the mirror
 * differs: a + b > 0, (a - b) / sqrt(a + b) >= 3 and (a - b) / (a + b) > 0.2. In integers. */
int mirror_findings_is_evident(apr_uint64_t a, apr_uint64_t b);

#endif
