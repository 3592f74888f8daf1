/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log_line.h - what the log says of one copy: kept while the copy lives, printed when it has
 * ended.
 *
 * A line holds bytes, and nothing of a request or its pool. What a client chooses of it is capped
 * when it is made, and a line that is printed is never longer than what a pipe takes in one piece.
 */
#ifndef MIRROR_COPY_LOG_LINE_H
#define MIRROR_COPY_LOG_LINE_H

#include "base/mirror.h"
#include "base/queue.h"

/* The longest line, with its newline; POSIX's PIPE_BUF on Linux. */
#define MIRROR_LOG_LINE_MAX 4096

/* What is told of a request, the same for all its copies. The caller's; nothing of it is kept. */
typedef struct mirror_log_subject_t {
    const mirror_log_t *log; /* NULL: nothing is logged, and the rest is not set */
    apr_time_t time;         /* when the request came */
    const char *method;      /* not ended by a NUL */
    apr_size_t method_len;
    const char *uri;        /* as the client sent it */
    const char *request_id; /* NULL: none */
} mirror_log_subject_t;

struct mirror_log_line_t {
    mirror_queue_item_t item; /* first, so that an item is its line */
    const mirror_log_t *log;
    const char *mirror; /* its name, in pconf */
    apr_size_t size;    /* of this block */
    apr_time_t time;
    apr_interval_time_t primary_took; /* until the response to the client began */
    apr_interval_time_t took;         /* until the mirror's answer was read */
    apr_off_t bytes;                  /* head and body of the copy */
    /* what the client was answered; 0: not known when the copy left */
    int primary_status;
    int status; /* what the mirror answered; 0: nothing that is an answer */
    mirror_outcome_e outcome;
    /* one after the other in `text`; without an id the last is 0 */
    apr_size_t method_len, uri_len, request_id_len;
    char text[1];
};

/* request threads: a line for a copy to the mirror of that name. The caller's, to free(). NULL: no
 * memory. */
mirror_log_line_t *mirror_log_line_create(const mirror_log_subject_t *subject, const char *mirror);

/* any thread: print it as JSON, with a newline, into `buffer`, which has room for
 * MIRROR_LOG_LINE_MAX bytes. The URI is cut to what there is room for; bytes that are not UTF-8
 * (RFC 3629) become \\xHH, and control characters \uHHHH. Returns the length. */
apr_size_t mirror_log_line_print(char *buffer, const mirror_log_line_t *line);

#endif
