/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log.h - ProxyMirrorLog: one line of JSON per ended copy.
 *
 * A LOG is a file or a program of the configuration. The parent opens it before it forks children.
 * A LINE (copy/log_line.h) is created with its copy on a request thread. When the copy ends, on any
 * thread, the line is pushed to the sender. The sender prints it into the log's buffer and writes
 * the buffer; no other thread writes. The buffer is written when a pipe's piece is full, each
 * second, and at the end of the child.
 *
 * No thread waits for a log. While a pipe's reader is blocked, lines stay in the buffer. Lines that
 * do not fit are dropped and counted, and the error log reports them. Pending lines on their way to
 * the sender are bounded likewise.
 *
 * A request that was deliberately not copied has no line; see mirror_log_has_line(). Such decisions
 * cost the same with and without a log.
 */
#ifndef MIRROR_COPY_LOG_H
#define MIRROR_COPY_LOG_H

#include "base/loop.h"
#include "base/mirror.h"
#include "copy/log_line.h"

typedef struct mirror_logs_t mirror_logs_t;

/* One ProxyMirrorLog. Equal ones share it. In pconf. */
struct mirror_log_t {
    const char *name;    /* as in the directive */
    const char *path;    /* path of the file; NULL = a program */
    const char *program; /* NULL = a file */
    int index;           /* index in the registry */
    int fd;              /* -1 = not open; lines are dropped */
};

/* ---- startup: copy/log_open.c ---- */

/* Find the log `name` (a file, or '|' and a program) in the registry, or add it. Returns NULL, or
 * an error message about the name. An error would end a server that reloads (`reload`), so its folder
 * is not checked then: the opening reports that. */
const char *mirror_log_make(mirror_log_t **log, mirror_registry_t *registry, const char *name,
                            int reload, apr_pool_t *pconf, apr_pool_t *ptemp);

/* Open all logs of the registry until pconf is cleared. `server` provides the error log, which
 * reports each failure. Returns 0 if a log cannot be opened. */
int mirror_log_open(mirror_registry_t *registry, apr_pool_t *pconf, struct server_rec *server);

/* ---- child start, main thread ---- */

/* Create a child's logs in `pool`. `wake(baton)` wakes the sender. Returns NULL if none is
 * configured. */
mirror_logs_t *mirror_log_create_all(mirror_child_t *child, int (*wake)(void *baton), void *baton,
                                     struct server_rec *server, apr_pool_t *pool);

/* ---- request threads ---- */

/* Return `log` if it is open; NULL otherwise, also for NULL. */
const mirror_log_t *mirror_log_if_open(const mirror_log_t *log);

/* Return whether copies with this outcome have a line. Requests that were deliberately not copied
 * have none: disabled, filtered, sampled_out, looped, upgrade. */
int mirror_log_has_line(mirror_outcome_e outcome);

/* Log a rejected copy, if its outcome has a line. */
void mirror_log_refused(mirror_lane_t *lane, const mirror_log_subject_t *subject,
                        mirror_outcome_e outcome);

/* ---- any thread ---- */

/* Push the line of an ended copy to the sender, or free it. Owns `line`. */
void mirror_log_end(mirror_child_t *child, mirror_log_line_t *line, mirror_outcome_e outcome);

/* Count a line that could not be created. */
void mirror_log_lost(mirror_child_t *child, const mirror_log_t *log);

/* ---- sender thread; `logs` may be NULL ---- */

/* Print pushed lines into the buffers. The first line starts a timer of `loop` that writes them. */
void mirror_log_take(mirror_logs_t *logs, mirror_loop_t *loop);

/* Announce that the sender is about to sleep. Returns 0 if it must not. While the timer runs, lines
 * do not wake the sender, so they wake it at most once a second. */
int mirror_log_sleep(mirror_logs_t *logs);
void mirror_log_awake(mirror_logs_t *logs);

/* Take and write all lines, for at most `patience` (microseconds). Also main thread, if the sender
 * was never started. */
void mirror_log_close(mirror_logs_t *logs, apr_interval_time_t patience);

#endif
