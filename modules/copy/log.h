/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log.h - ProxyMirrorLog: a line of JSON for each copy, when it has ended.
 *
 * A LOG is a file or a program of the configuration, opened by the parent before it makes
 * children. A LINE (copy/log_line.h) is made with its copy on a request thread. When the copy
 * ends, wherever that is, the line is pushed to the sender, which prints it into the log's buffer
 * and writes that: no other thread ever writes. The buffer is written when a pipe's piece is full,
 * each second, and at the end of the child.
 *
 * Nothing waits for a log. A pipe is not waited for: while its reader takes nothing, lines stay in
 * the buffer, and what does not fit there is lost, counted, and told in the error log. Lines on
 * their way to the sender are bounded likewise.
 *
 * No line is made of a request that was chosen not to be copied: see mirror_log_tells(). Such a
 * decision stays as cheap as it is without a log.
 */
#ifndef MIRROR_COPY_LOG_H
#define MIRROR_COPY_LOG_H

#include "base/loop.h"
#include "base/mirror.h"
#include "copy/log_line.h"

typedef struct mirror_logs_t mirror_logs_t;

/* One ProxyMirrorLog; equal ones share it. In pconf. */
struct mirror_log_t {
    const char *name;    /* as it was given */
    const char *path;    /* of the file; NULL: a program */
    const char *program; /* NULL: a file */
    int index;           /* in the registry */
    int fd;              /* -1: it is not open, and nothing is logged there */
};

/* ---- startup: copy/log_open.c ---- */

/* The log of that name (a file, or '|' and a program), of the registry if it is already there.
 * Returns NULL, or what is wrong with the name. */
const char *mirror_log_make(mirror_log_t **log, mirror_registry_t *registry, const char *name,
                            apr_pool_t *pconf, apr_pool_t *ptemp);

/* Open all logs of the registry, until pconf is cleared. `server` is for the error
 * log. One that cannot be opened is an error there; returns 0 if there is one. */
int mirror_log_open(mirror_registry_t *registry, apr_pool_t *pconf, struct server_rec *server);

/* ---- child start, main thread ---- */

/* A child's logs. `wake(baton)` wakes the sender. NULL: none is configured. */
mirror_logs_t *mirror_log_create_all(mirror_child_t *child, int (*wake)(void *baton), void *baton,
                                     struct server_rec *server, apr_pool_t *pool);

/* ---- request threads ---- */

/* Return `log` if it is open; NULL if it is not, or if it is NULL. */
const mirror_log_t *mirror_log_if_open(const mirror_log_t *log);

/* Whether a copy with this outcome has a line: not if it was chosen not to be copied (disabled,
 * filtered, sampled_out, looped, upgrade). */
int mirror_log_tells(mirror_outcome_e outcome);

/* A line of a copy that is refused, if the outcome has one. */
void mirror_log_refused(mirror_lane_t *lane, const mirror_log_subject_t *subject,
                        mirror_outcome_e outcome);

/* ---- any thread ---- */

/* The copy of the line has ended: give it to the sender, or free it. */
void mirror_log_end(mirror_child_t *child, mirror_log_line_t *line, mirror_outcome_e outcome);

/* A line could not be made. */
void mirror_log_lost(mirror_child_t *child, const mirror_log_t *log);

/* ---- sender thread; `logs` may be NULL ---- */

/* Print what was pushed into the buffers; from the first line on a timer of `loop` sees to it that
 * it is written. */
void mirror_log_take(mirror_logs_t *logs, mirror_loop_t *loop);

/* Say that the sender is about to sleep; 0: it must not. While the timer runs nobody has to wake it
 * for a line, so a line wakes it at most once a second. */
int mirror_log_sleep(mirror_logs_t *logs);
void mirror_log_awake(mirror_logs_t *logs);

/* The end: take and write what there is, for at most `patience`. Also main thread, if the sender
 * was never started. */
void mirror_log_close(mirror_logs_t *logs, apr_interval_time_t patience);

#endif
