/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log_writer.h - a buffer of lines for a non-blocking descriptor.
 *
 * Only whole lines are written, in pieces of at most PIPE_BUF (POSIX write()), because all children
 * share the pipe. Sender thread only.
 */
#ifndef MIRROR_COPY_LOG_WRITER_H
#define MIRROR_COPY_LOG_WRITER_H

#include "base/mirror.h"

/* The size of a buffer per log and child, bytes. */
#define MIRROR_LOG_BUFFER (256 * 1024)

typedef struct mirror_log_writer_t {
    int fd;                /* non-blocking descriptor */
    char *buffer;          /* NULL before the first line */
    apr_size_t begin, end; /* bounds of the buffered lines */
    apr_uint64_t lost;     /* lines dropped for lack of room or after write errors */
    /* error of the last dropped line; APR_SUCCESS or APR_EAGAIN = lack of room */
    apr_status_t rv;
} mirror_log_writer_t;

/* Append one line, which ends with a newline and has at most 4096 bytes. Writes if a piece is
 * full. */
void mirror_log_writer_put(mirror_log_writer_t *writer, const char *line, apr_size_t len);

/* Write the buffer. Returns 1 if it is empty, 0 if the descriptor is full. */
int mirror_log_writer_flush(mirror_log_writer_t *writer);

/* Count the remaining lines as lost, and free the buffer. */
void mirror_log_writer_close(mirror_log_writer_t *writer);

#endif
