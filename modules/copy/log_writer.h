/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log_writer.h - a buffer of lines before a descriptor that may take nothing just now.
 *
 * Whole lines are written, in pieces that a pipe takes as a whole or not at all (POSIX write(),
 * PIPE_BUF), as children share the pipe. Sender thread only.
 */
#ifndef MIRROR_COPY_LOG_WRITER_H
#define MIRROR_COPY_LOG_WRITER_H

#include "base/mirror.h"

/* How much a log that takes nothing is ahead of its reader, per child. */
#define MIRROR_LOG_BUFFER (256 * 1024)

typedef struct mirror_log_writer_t {
    int fd;                /* must not block */
    char *buffer;          /* NULL until the first line */
    apr_size_t begin, end; /* of what is in it, whole lines */
    apr_uint64_t lost;     /* lines for which there was no room, or that could not be written */
    /* why the last one could not be written; APR_SUCCESS or APR_EAGAIN: there was no room */
    apr_status_t rv;
} mirror_log_writer_t;

/* Add one line, which ends with a newline and is at most 4096 bytes long; write if a piece is full.
 * */
void mirror_log_writer_put(mirror_log_writer_t *writer, const char *line, apr_size_t len);

/* Write what there is. Returns 1 if nothing is left, 0 if the descriptor takes no more now. */
int mirror_log_writer_flush(mirror_log_writer_t *writer);

/* Forget what is left, as lost, and free the buffer. */
void mirror_log_writer_close(mirror_log_writer_t *writer);

#endif
