/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log_line.h - the log line of one copy: its data during the copy's life, and its text
 * afterwards.
 *
 * A line contains bytes, and no references to a request or its pool. Values from the client are
 * truncated at creation. A printed line is never longer than one atomic write to a pipe.
 */
#ifndef MIRROR_COPY_LOG_LINE_H
#define MIRROR_COPY_LOG_LINE_H

#include "base/comparison.h"
#include "base/mirror.h"
#include "base/queue.h"

/* The maximum length of a line with its newline, bytes: POSIX's PIPE_BUF on Linux. */
#define MIRROR_LOG_LINE_MAX 4096

/* The data of a request that all its copies share. The caller owns it; lines copy what they
 * need. */
typedef struct mirror_log_subject_t {
    const mirror_log_t *log; /* NULL = no log; the other members are then not set */
    apr_time_t time;         /* arrival of the request */
    const char *method;      /* not NUL-terminated */
    apr_size_t method_len;
    const char *uri;        /* as sent by the client */
    const char *request_id; /* NULL = none */
} mirror_log_subject_t;

struct mirror_log_line_t {
    mirror_queue_item_t item; /* first member, so an item can be cast to its line */
    const mirror_log_t *log;
    const char *mirror; /* name of the mirror, in pconf */
    apr_size_t size;    /* size of this block, bytes */
    apr_time_t time;
    apr_interval_time_t primary_took; /* time until the response to the client began */
    apr_interval_time_t took;         /* time until the mirror's response was read */
    apr_off_t bytes;                  /* bytes of the copy, head and body */
    /* status of the response to the client; 0 = unknown when the copy was sent */
    int primary_status;
    int status;      /* status of the mirror's response; 0 = no valid response */
    int grpc_status; /* status of a gRPC call, 0 to 16; -1 = none */
    mirror_outcome_e outcome;
    /* result of the comparison, or the reason to skip it; both NONE = not compared */
    mirror_verdict_e verdict;
    mirror_skip_e skip;
    char *server; /* address of the server, if the mirror has several; from malloc(); NULL = one */
    char *fields; /* texts of the differences, each with its NUL; from malloc(); NULL = none */
    apr_size_t fields_len;
    /* consecutive in `text`; request_id_len is 0 without an id */
    apr_size_t method_len, uri_len, request_id_len;
    char text[1];
};

/* Create the line of a copy to the mirror `mirror`. Request threads. The caller owns it. NULL = out of memory. */
mirror_log_line_t *mirror_log_line_create(const mirror_log_subject_t *subject, const char *mirror);

/* Set the server that gets the copy, in place of an earlier one. Sender thread. */
void mirror_log_line_set_server(mirror_log_line_t *line, const char *address);

/* Free the line. Any thread. */
void mirror_log_line_free(mirror_log_line_t *line);

/* Print the line as JSON, with a newline, into `buffer` of MIRROR_LOG_LINE_MAX bytes. Any thread.
 * The URI is truncated to the available room. Bytes that are not UTF-8 (RFC 3629) are printed as
 * \\xHH, control characters as \uHHHH. Returns the length. */
apr_size_t mirror_log_line_print(char *buffer, const mirror_log_line_t *line);

#endif
