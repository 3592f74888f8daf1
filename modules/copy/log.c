/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log.c - lines on their way from the end of a copy to the log. See copy/log.h.
 *
 * The queue of lines wakes the sender only if no timer of the logs runs. If lines are fast, the one
 * that exceeds half of the bound on pending bytes also wakes the sender.
 */
#include <httpd.h>
#include <http_log.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "copy/log.h"
#include "copy/log_writer.h"

APLOG_USE_MODULE(proxy_mirror);

/* The maximum of bytes in pushed lines that were not yet taken, per child. */
#define WAITING_MAX (1024 * 1024)
/* The interval of writes; and the number of intervals without a lost line that end an episode. */
#define TICK        apr_time_from_sec(1)
#define QUIET_TICKS 10
#define NAP         apr_time_from_msec(1)

typedef struct child_log_t {
    const mirror_log_t *log;
    apr_uint32_t lost; /* atomic: lines lost before they reached the writer */

    /* the sender's */
    mirror_log_writer_t writer;
    apr_uint64_t dropped; /* lines lost in this episode */
    int quiet;            /* ticks */
    int on;               /* lines are being dropped, and the error log reported it */
} child_log_t;

struct mirror_logs_t {
    server_rec *server;
    mirror_queue_t *queue;
    int (*wake)(void *baton);
    void *baton;
    apr_uint64_t waiting; /* atomic: bytes of lines in the queue */
    int count;
    child_log_t *logs; /* indexed by log */

    /* the sender's */
    mirror_loop_t *loop;
    mirror_timer_t timer;
    char text[MIRROR_LOG_LINE_MAX];
};

/* ---- any thread ---- */

const mirror_log_t *mirror_log_if_open(const mirror_log_t *log)
{
    return log && log->fd >= 0 ? log : NULL;
}

int mirror_log_has_line(mirror_outcome_e outcome)
{
    return outcome != MIRROR_OUTCOME_DISABLED && outcome != MIRROR_OUTCOME_FILTERED &&
           outcome != MIRROR_OUTCOME_SAMPLED_OUT && outcome != MIRROR_OUTCOME_LOOPED &&
           outcome != MIRROR_OUTCOME_UPGRADE;
}

void mirror_log_lost(mirror_child_t *child, const mirror_log_t *log)
{
    apr_atomic_inc32(&child->logs->logs[log->index].lost);
}

static int is_full(mirror_logs_t *logs)
{
    return apr_atomic_read64(&logs->waiting) >= WAITING_MAX;
}

void mirror_log_end(mirror_child_t *child, mirror_log_line_t *line, mirror_outcome_e outcome)
{
    mirror_logs_t *logs = child->logs;
    apr_size_t size = line->size;
    apr_uint64_t before;

    if (!mirror_log_has_line(outcome) || apr_atomic_read32(&child->closed)) {
        mirror_log_line_free(line);
        return;
    }
    if (is_full(logs)) {
        mirror_log_lost(child, line->log);
        mirror_log_line_free(line);
        return;
    }
    line->outcome = outcome;
    before = apr_atomic_add64(&logs->waiting, size);
    mirror_queue_push(logs->queue, &line->item);
    if (before < WAITING_MAX / 2 && before + size >= WAITING_MAX / 2) {
        logs->wake(logs->baton);
    }
}

void mirror_log_refused(mirror_lane_t *lane, const mirror_log_subject_t *subject,
                        mirror_outcome_e outcome)
{
    mirror_log_line_t *line;

    if (!subject->log || !mirror_log_has_line(outcome)) {
        return;
    }
    line = is_full(lane->child->logs) ? NULL : mirror_log_line_create(subject, lane->mirror->name);
    if (!line) {
        mirror_log_lost(lane->child, subject->log);
        return;
    }
    mirror_log_end(lane->child, line, outcome);
}

/* ---- sender thread ---- */

/* Log the start and the end of an episode of dropped lines. */
static void watch_losses(mirror_logs_t *logs, child_log_t *log)
{
    apr_uint64_t lost = log->writer.lost + apr_atomic_xchg32(&log->lost, 0);

    log->writer.lost = 0;
    log->dropped += lost;
    if (lost > 0) {
        if (!log->on) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, log->writer.rv, logs->server,
                         "PM0800: ProxyMirrorLog %s cannot be written to; lines are dropped",
                         log->log->name);
        }
        log->on = 1;
        log->quiet = 0;
    }
    else if (log->on && ++log->quiet >= QUIET_TICKS) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, logs->server,
                     "PM0801: ProxyMirrorLog %s can be written to again; %" APR_UINT64_T_FMT
                     " lines were dropped",
                     log->log->name, log->dropped);
        log->on = 0;
        log->dropped = 0;
        log->writer.rv = APR_SUCCESS;
    }
}

/* Print all queued lines into the buffers. Returns their number. */
static int take_lines(mirror_logs_t *logs)
{
    mirror_queue_item_t *item = mirror_queue_take(logs->queue), *next;
    int n = 0;

    for (; item; item = next, n++) {
        mirror_log_line_t *line = (mirror_log_line_t *)item;
        apr_size_t len = mirror_log_line_print(logs->text, line);

        next = item->next;
        mirror_log_writer_put(&logs->logs[line->log->index].writer, logs->text, len);
        apr_atomic_sub64(&logs->waiting, line->size);
        mirror_log_line_free(line);
    }
    return n;
}

static void on_timer(void *baton)
{
    mirror_logs_t *logs = baton;
    int busy = take_lines(logs);
    int i;

    for (i = 0; i < logs->count; i++) {
        busy |= !mirror_log_writer_flush(&logs->logs[i].writer);
        watch_losses(logs, &logs->logs[i]);
        busy |= logs->logs[i].on;
    }
    if (busy) {
        mirror_loop_timer_start(logs->loop, &logs->timer, mirror_loop_now(logs->loop), TICK);
    }
}

void mirror_log_take(mirror_logs_t *logs, mirror_loop_t *loop)
{
    if (logs && take_lines(logs) > 0 && !logs->timer.ring) {
        logs->loop = loop;
        mirror_loop_timer_start(loop, &logs->timer, mirror_loop_now(loop), TICK);
    }
}

int mirror_log_sleep(mirror_logs_t *logs)
{
    return !logs || logs->timer.ring || mirror_queue_sleep(logs->queue);
}

void mirror_log_awake(mirror_logs_t *logs)
{
    if (logs) {
        mirror_queue_awake(logs->queue);
    }
}

/* ---- the end of the child ---- */

void mirror_log_close(mirror_logs_t *logs, apr_interval_time_t patience)
{
    apr_time_t end = mirror_clock_now() + patience;
    int i;

    if (!logs) {
        return;
    }
    mirror_loop_timer_stop(&logs->timer);
    take_lines(logs);
    for (i = 0; i < logs->count; i++) {
        child_log_t *log = &logs->logs[i];

        while (!mirror_log_writer_flush(&log->writer) && mirror_clock_now() < end) {
            apr_sleep(NAP);
        }
        mirror_log_writer_close(&log->writer);
        watch_losses(logs, log);
        if (log->on) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, logs->server,
                         "PM0802: ProxyMirrorLog %s: the child process exits; %" APR_UINT64_T_FMT
                         " lines were dropped",
                         log->log->name, log->dropped);
        }
    }
}

/* ---- child start ---- */

mirror_logs_t *mirror_log_create_all(mirror_child_t *child, int (*wake)(void *baton), void *baton,
                                     struct server_rec *server, apr_pool_t *pool)
{
    const apr_array_header_t *configured = child->registry->logs;
    mirror_logs_t *logs;
    int i;

    if (configured->nelts == 0) {
        return NULL;
    }
    logs = apr_pcalloc(pool, sizeof(*logs));
    logs->server = server;
    logs->queue = mirror_queue_create(pool, wake, baton);
    logs->wake = wake;
    logs->baton = baton;
    logs->count = configured->nelts;
    logs->logs = apr_pcalloc(pool, (apr_size_t)logs->count * sizeof(*logs->logs));
    for (i = 0; i < logs->count; i++) {
        logs->logs[i].log = APR_ARRAY_IDX(configured, i, const mirror_log_t *);
        logs->logs[i].writer.fd = logs->logs[i].log->fd;
    }
    logs->timer.fire = on_timer;
    logs->timer.baton = logs;
    return logs;
}
