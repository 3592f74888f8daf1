/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/pair.h - the responses of primary and mirror to one request, until both are there.
 *
 * A pair is made with its copy on a request thread. The request thread owns the half of the
 * primary, and the owner of the copy that of the mirror. Each ends its half once; the second one
 * gives the pair to the comparer (compare/comparer.h), which owns it from then on. If the mirror's
 * half ends first, the comparer gets the pair, so that it can free that half after compare_timeout; the
 * pair is then freed by the one that ends the other half. No thread waits for the other half.
 *
 * A pair may have a third half, that of the reference: the response of another mirror, to a copy of its
 * own, of the same request.
 *
 * Each pair that was made is counted as chosen, and once as compared or skipped.
 */
#ifndef MIRROR_COMPARE_PAIR_H
#define MIRROR_COMPARE_PAIR_H

#include "base/loop.h"
#include "base/queue.h"
#include "compare/half.h"
#include "compare/rows.h"
#include "copy/copy.h"
#include "shared/table.h"

/* Rules of one pair. */
#define MIRROR_PAIR_RULES_MAX MIRROR_ROWS_RULES
/* Pairs that are complete and wait for the comparer of a child. */
#define MIRROR_PAIR_PENDING_MAX 1024

typedef struct mirror_pair_t mirror_pair_t;

/* An event of a pair, in the queue to the comparer. */
typedef struct mirror_pair_event_t {
    mirror_queue_item_t item; /* first */
    mirror_pair_t *pair;
} mirror_pair_event_t;

/* What is known of the request; nothing of it is kept. */
typedef struct mirror_pair_subject_t {
    const char *group; /* NULL: the method and the path decide */
    const char *method;
    apr_size_t method_len;
    const char *path;                /* may have a query */
    const char *request_id;          /* NULL: there is none */
    apr_time_t time;                 /* when the request came; wall clock */
    const apr_array_header_t *rules; /* of the scope; NULL: none */
} mirror_pair_subject_t;

struct mirror_pair_t {
    mirror_pair_event_t waits; /* the mirror's half waits for the primary's */
    mirror_pair_event_t done;  /* both are there */
    mirror_timer_t timer;      /* the comparer's, until the pair is done */
    mirror_lane_t *lane;
    const mirror_settings_t *settings; /* a reference */
    apr_uint32_t state;                /* atomic */
    int queued;                        /* `waits` was queued to the comparer */
    mirror_half_t primary, mirror;
    mirror_half_t reference; /* with has_reference */
    int has_reference;
    mirror_log_line_t *line;  /* of the copy, once that has ended; NULL: nothing is logged */
    mirror_outcome_e outcome; /* of the copy */
    mirror_skip_e skip;       /* for the line; MIRROR_SKIP_NONE: it was compared */
    apr_time_t started;       /* mirror_clock_now()'s, when it was made */
    apr_time_t time;
    apr_array_header_t rules; /* of mirror_compare_rule_t *, scope's and settings' */
    int rules_left_out;       /* those beyond MIRROR_PAIR_RULES_MAX, the last ones */
    const char *group, *method, *path, *request_id; /* NULL: there is no id */
    apr_size_t charged;
};

/* ---- request threads ---- */

/* Make a pair for a copy, and count it as chosen. NULL: there is no memory; it is then counted as
 * skipped. */
mirror_pair_t *mirror_pair_create(mirror_lane_t *lane, const mirror_settings_t *settings,
                                  const mirror_pair_subject_t *subject);

/* The primary's half is over: what is in pair->primary is all of it, or `skip` says why it is
 * none. The caller must not use the pair any more. */
void mirror_pair_end_primary(mirror_pair_t *pair, mirror_skip_e skip);

/* Let the pair, whose copies are not pushed yet, have a reference. */
void mirror_pair_refer(mirror_pair_t *pair);

/* ---- the owner of the copy ---- */

/* The same as mirror_pair_end_mirror() for the copy to the reference. */
void mirror_pair_end_reference(mirror_pair_t *pair, mirror_outcome_e outcome,
                               mirror_log_line_t *line);

/* The mirror's half is over, as the copy has ended with `outcome`; `line` is the pair's from here.
 * The caller must not use the pair any more. */
void mirror_pair_end_mirror(mirror_pair_t *pair, mirror_outcome_e outcome, mirror_log_line_t *line);

/* ---- comparer ---- */

/* The pair, whose mirror's half waits, has waited for too long. Returns 1 if that half was freed
 * and the pair counted as skipped; then the comparer must not use it any more. 0: the other half
 * has just ended, and the comparer will get the pair. */
int mirror_pair_expire(mirror_pair_t *pair);

/* ---- any thread of the child ---- */

/* Return the findings of the lane's mirror, and note that they are in use. The lane has a cell. */
mirror_findings_t *mirror_pair_findings(const mirror_lane_t *lane);

/* ---- the owner of a pair ---- */

/* Count the pair as skipped, and free it. */
void mirror_pair_skip(mirror_pair_t *pair, mirror_skip_e skip);

/* Free the pair, which was counted, and push the line of its copy. */
void mirror_pair_free(mirror_pair_t *pair);

#endif
