/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log_writer.c - a buffer of lines for a descriptor. See copy/log_writer.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy/log_writer.h"

#define PIECE 4096 /* PIPE_BUF on Linux */

/* Return the length of the whole lines that one write may have. If a line was partly written, that
 * is all of its rest. */
static apr_size_t next_piece(const mirror_log_writer_t *writer)
{
    const char *data = writer->buffer + writer->begin;
    apr_size_t len = writer->end - writer->begin;
    const char *last;

    if (len <= PIECE) {
        return len;
    }
    last = memrchr(data, '\n', PIECE);
    return last ? (apr_size_t)(last - data) + 1 : PIECE;
}

/* Drop the buffer, because it cannot be written. If a line was partly written, the next line is
 * preceded by a newline. */
static void give_up(mirror_log_writer_t *writer, apr_status_t rv)
{
    const char *c = writer->buffer + writer->begin, *end = writer->buffer + writer->end;
    int torn = writer->begin > 0 && c[-1] != '\n';

    for (; c < end && (c = memchr(c, '\n', (apr_size_t)(end - c))); c++) {
        writer->lost++;
    }
    writer->begin = writer->end = 0;
    if (torn) {
        writer->buffer[writer->end++] = '\n';
    }
    writer->rv = rv;
}

int mirror_log_writer_flush(mirror_log_writer_t *writer)
{
    while (writer->begin < writer->end) {
        ssize_t n = write(writer->fd, writer->buffer + writer->begin, next_piece(writer));

        if (n >= 0) {
            writer->begin += (apr_size_t)n;
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return 0;
        }
        if (errno != EINTR) {
            give_up(writer, errno);
            return 1;
        }
    }
    writer->begin = writer->end = 0;
    return 1;
}

static int has_room(mirror_log_writer_t *writer, apr_size_t len)
{
    if (!writer->buffer && !(writer->buffer = malloc(MIRROR_LOG_BUFFER))) {
        return 0;
    }
    if (writer->end - writer->begin + len > PIECE) {
        mirror_log_writer_flush(writer);
    }
    if (writer->end + len > MIRROR_LOG_BUFFER && writer->begin > 0) {
        memmove(writer->buffer, writer->buffer + writer->begin, writer->end - writer->begin);
        writer->end -= writer->begin;
        writer->begin = 0;
    }
    return writer->end + len <= MIRROR_LOG_BUFFER;
}

void mirror_log_writer_put(mirror_log_writer_t *writer, const char *line, apr_size_t len)
{
    if (!has_room(writer, len)) {
        writer->lost++;
        writer->rv = APR_EAGAIN;
        return;
    }
    memcpy(writer->buffer + writer->end, line, len);
    writer->end += len;
}

void mirror_log_writer_close(mirror_log_writer_t *writer)
{
    if (writer->buffer && writer->end > writer->begin) {
        give_up(writer, APR_EAGAIN);
    }
    free(writer->buffer);
    writer->buffer = NULL;
}
