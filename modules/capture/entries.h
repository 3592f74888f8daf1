/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/entries.h - the copies of a request, and their outcomes.
 *
 * There is one entry per copy and mirror (attribute copies). The copy of a chosen entry waits for
 * the body, then for the response (when=response), and is then pushed. The hooks and filters report
 * the events of the request to these functions. One thread at a time works on a request, so there
 * is no lock.
 */
#ifndef MIRROR_CAPTURE_ENTRIES_H
#define MIRROR_CAPTURE_ENTRIES_H

#include "capture/choose.h"
#include "compare/pair.h"
#include "copy/copy.h"

/* One copy of a request to one mirror. */
typedef struct mirror_entry_t {
    mirror_copy_t *copy;      /* atomic; set to NULL before the copy is pushed or ended */
    mirror_outcome_e outcome; /* MIRROR_OUTCOME_NONE = captured */
    mirror_pair_t *pair;      /* atomic; set to NULL before the primary's half is ended */
    unsigned waits : 1;       /* waits for (more of) the body */
    unsigned further : 1;     /* a further copy for the mirror of the previous entry */
    unsigned doubtful : 1;    /* its body has ended, perhaps by a reset of the stream */
} mirror_entry_t;

/* All entries of a request. */
typedef struct mirror_entries_t {
    apr_off_t length;      /* announced length of the body, bytes; -1 = unknown */
    unsigned bodiless : 1; /* HTTP/2: a method without body; the end of the stream decides */
    /* HTTP/2, length unknown: a reset of the stream may end the body. 0 once its frames are known:
     * `length` is theirs. */
    unsigned doubtful : 1;
    int response_begun;
    int status;               /* status of the response, once it has begun */
    apr_interval_time_t took; /* time until the response began, if it is logged */
    apr_time_t request_time;  /* mirror_clock_now() of the request; 0 = no log */
    int live;                 /* entries with a copy */
    /* the primary's response, for pairs; see capture/primary.c */
    int pairs;          /* entries whose pair waits for it */
    int primary_status; /* status from the handler; 0 = nothing was received */
    int primary_over;   /* 1 if no more of it is needed */
    mirror_skip_e primary_skip;
    apr_off_t primary_bytes; /* received bytes of its body */
    apr_off_t primary_max;   /* largest compare_max_body of the pairs, bytes */
    int waiting;             /* entries that wait for the body */
    /* the part of the body that has no room in the copies; NULL = none. Valid while entries wait. */
    mirror_content_t *content;
    int count;
    int room; /* capacity of `list` */
    mirror_entry_t *list;
} mirror_entries_t;

/* ---- request threads ---- */

/* Add the entries of one mirror with these settings. The decision is made once; each copy is
 * admitted separately. The lane has a cell. */
void mirror_entries_see(mirror_entries_t *entries, mirror_choice_t *choice, mirror_lane_t *lane,
                        const mirror_settings_t *settings);

/* Add an entry for a copy to a reference, for the pair of `entry`, which then has a third half. */
void mirror_entries_refer(mirror_entries_t *entries, const mirror_entry_t *entry,
                          mirror_choice_t *choice, mirror_lane_t *lane,
                          const mirror_settings_t *settings);

/* Append bytes of the body; complete it; or mark it as broken, so that it will never be
 * complete. */
void mirror_entries_body_append(mirror_entries_t *entries, const char *data, apr_size_t len);
void mirror_entries_body_complete(mirror_entries_t *entries);
void mirror_entries_body_broken(mirror_entries_t *entries);

/* Mark a body as broken that has ended, if it is doubtful and not pushed yet: the stream was reset.
 * mod_http2 ends the body first, and marks the connection as aborted next (close_input() and
 * h2_stream_rst() of h2_stream.c), so a reader may see the end alone. A body is doubtful only if
 * nothing is known of its frames (capture/stream.h). */
void mirror_entries_reset(mirror_entries_t *entries);

/* Record that the response begins with `status`. */
void mirror_entries_response_begun(mirror_entries_t *entries, int status);

/* Push all copies that wait for nothing more. */
void mirror_entries_ready(mirror_entries_t *entries);

/* Push complete copies at the end of the request, and end the others. A bodiless request without
 * any byte of a body is complete. */
void mirror_entries_last_call(mirror_entries_t *entries);

/* End the remaining copies of a request that was destroyed early. */
void mirror_entries_abandon(mirror_entries_t *entries);

/* Return one word per mirror, separated by commas: the outcome of its first copy, or "captured" if
 * any of its copies was captured. NULL if there are no entries. */
const char *mirror_entries_outcomes(const mirror_entries_t *entries, apr_pool_t *pool);

#endif
