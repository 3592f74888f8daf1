/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/entries.h - what has become of a request for each of its mirrors: a copy, or an outcome.
 *
 * There is an entry for each copy that a mirror is to get (copies). One that is chosen has a copy,
 * which waits for the body, then for the response (when=response), and is then handed over. What
 * happens to the request is told here by whoever sees it; only one thread at a time works on a
 * request, so nothing is locked.
 */
#ifndef MIRROR_CAPTURE_ENTRIES_H
#define MIRROR_CAPTURE_ENTRIES_H

#include "capture/choose.h"
#include "copy/copy.h"

/* One request on its way to one mirror. */
typedef struct mirror_entry_t {
    mirror_copy_t *copy;      /* atomic: NULL from before it is pushed or ended */
    mirror_outcome_e outcome; /* NONE: captured */
    unsigned waits : 1;       /* for (more of) its body */
    unsigned further : 1;     /* one more for the mirror of the entry before (copies) */
} mirror_entry_t;

/* All of a request's. */
typedef struct mirror_entries_t {
    apr_off_t length;      /* of the body, as the client announced it; -1: unknown */
    unsigned bodiless : 1; /* on HTTP/2, by its method; only the end of the stream tells */
    int response_begun;
    int status;               /* of the response, once it has begun */
    apr_interval_time_t took; /* until then, if it is logged */
    apr_time_t request_time;  /* mirror_clock_now()'s; 0: nothing is logged */
    int live;                 /* entries that have a copy */
    int waiting;              /* entries that wait for the body */
    int count;
    int room; /* in the list */
    mirror_entry_t *list;
} mirror_entries_t;

/* ---- request threads ---- */

/* See a request for one mirror with these settings: choose once, then each copy is one of its own.
 * The lane has a cell. */
void mirror_entries_see(mirror_entries_t *entries, mirror_choice_t *choice, mirror_lane_t *lane,
                        const mirror_settings_t *settings);

/* The next bytes of the body, its end, or the news that it will never be complete. */
void mirror_entries_body_append(mirror_entries_t *entries, const char *data, apr_size_t len);
void mirror_entries_body_complete(mirror_entries_t *entries);
void mirror_entries_body_broken(mirror_entries_t *entries);

/* The response begins, with this status. */
void mirror_entries_answered(mirror_entries_t *entries, int status);

/* Hand over what has all that it waited for. */
void mirror_entries_ready(mirror_entries_t *entries);

/* The request is over: hand over what is complete, end the rest. If it is bodiless and no byte
 * of a body was seen, it is complete. */
void mirror_entries_last_call(mirror_entries_t *entries);

/* The request is gone before it was over: end what is left. */
void mirror_entries_abandon(mirror_entries_t *entries);

/* One word for each mirror, with commas between them: the outcome of its first copy, or "captured"
 * if any of its copies was. NULL if there are no entries. */
const char *mirror_entries_outcomes(const mirror_entries_t *entries, apr_pool_t *pool);

#endif
