/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mod_proxy_mirror.c - module record, hooks, start and stop of a child.
 *
 * modules/capture/capture.c handles requests; modules/README.md describes the structure.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <http_protocol.h>
#include <ap_mpm.h>
#include <mpm_common.h>

#include "admin/access_file.h"
#include "admin/guard.h"
#include "admin/manager.h"
#include "admin/status.h"
#include "base/tls.h"
#include "compare/comparer.h"
#include "config/console.h"
#include "config/directives.h"
#include "copy/copy.h"
#include "copy/log.h"
#include "copy/spool.h"
#include "fleet/poller.h"
#include "limit/limit.h"
#include "settings/scope.h"
#include "settings/settings.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

/* ---- startup ---- */

/* Check that each log file can be opened. Existing paths that are not regular files are skipped. */
static int can_open_logs(const mirror_registry_t *registry, apr_pool_t *ptemp, server_rec *s)
{
    int ok = 1, i;

    for (i = 0; i < registry->logs->nelts; i++) {
        const mirror_log_t *log = APR_ARRAY_IDX(registry->logs, i, const mirror_log_t *);
        apr_finfo_t info;
        apr_file_t *file;
        apr_status_t rv;

        if (!log->path || (apr_stat(&info, log->path, APR_FINFO_TYPE, ptemp) == APR_SUCCESS &&
                           info.filetype != APR_REG)) {
            continue;
        }
        rv = apr_file_open(&file, log->path, APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE,
                           APR_FPROT_OS_DEFAULT, ptemp);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                         "PM0005: ProxyMirrorLog %s cannot be opened; httpd does not start",
                         log->name);
            ok = 0;
            continue;
        }
        apr_file_close(file);
    }
    return ok;
}

/* Open the logs. An error stops the first start, already in the first pass. On a reload it would
 * end a running server, so it only disables that log. */
static int open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    mirror_registry_t *registry = mirror_scope_registry(s);

    (void)plog;
    if (mirror_console_is_first_pass() ? can_open_logs(registry, ptemp, s)
                                       : mirror_log_open(registry, pconf, s)) {
        return OK;
    }
    return mirror_console_is_reload() ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

/* Give a mirror its slot in shared memory. Returns 0 after a line in the log: without what it needs
 * of httpd or a slot, a mirror is off after a reload, and httpd does not start. Main thread of the
 * parent. */
static int prepare_mirror(mirror_t *mirror, const mirror_registry_t *registry, int reload,
                          apr_pool_t *ptemp, server_rec *s)
{
    const char *missing = mirror_settings_missing(mirror, mirror->settings, ptemp);
    apr_status_t rv;

    if (missing) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "PM0700: mirror %s (%s:%d): %s; %s", mirror->name,
                     mirror->file, mirror->line, missing,
                     reload ? "the mirror is off" : "httpd does not start");
        return 0;
    }
    rv = mirror_table_slot(&mirror->slot, registry->table, mirror->name);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "PM0002: mirror %s (%s:%d): all %d slots in shared memory "
                     "(ProxyMirrorSlots) are in use; %s",
                     mirror->name, mirror->file, mirror->line, registry->slots,
                     reload ? "the mirror is off until a reload finds a free slot"
                            : "httpd does not start");
        mirror->slot = NULL;
        return 0;
    }
    return 1;
}

/* Create shared memory and a slot for each mirror. An error stops the first start, already in the
 * first pass: the memory belongs to the process, and the second pass finds it as a reload does. On
 * a reload an error would end a running server, so it only disables the affected mirrors. */
static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    mirror_registry_t *registry = mirror_scope_registry(s);
    apr_status_t rv;
    int reload = mirror_console_is_reload(), i;

    (void)plog;
    if (registry->mirrors->nelts == 0) {
        return OK;
    }
    rv = mirror_table_open(&registry->table, pconf, s, registry->slots);
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_EMERG, rv, s,
            "PM0001: shared memory for %d mirrors (ProxyMirrorSlots) cannot be created; %s",
            registry->slots, reload ? "no requests are copied" : "httpd does not start");
        registry->table = NULL;
        return reload ? OK : HTTP_INTERNAL_SERVER_ERROR;
    }
    for (i = 0; i < registry->mirrors->nelts; i++) {
        mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, mirror_t *);

        if (prepare_mirror(mirror, registry, reload, ptemp, s)) {
            if (!mirror_console_is_first_pass()) {
                mirror_settings_reload(mirror, registry, s);
            }
        }
        else if (!reload) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    if (!mirror_console_is_first_pass()) {
        mirror_settings_report_gone(registry, s);
    }
    mirror_table_complete(registry->table);
    return OK;
}

/* Parent: a child was started, or has ended by itself or by a signal. */
static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                         mpm_child_status status)
{
    mirror_registry_t *registry = mirror_scope_registry(s);

    (void)generation;
    (void)slot;
    if (!registry || !registry->table) {
        return;
    }
    if (status == MPM_CHILD_STARTED) {
        mirror_table_child_started(registry->table, pid);
    }
    else if (status == MPM_CHILD_EXITED) {
        mirror_table_child_ended(registry->table, pid);
    }
}

/* ---- a child ---- */

/* Keep the module's code loaded: a helper in a lookup, or a thread that closes a file, still runs
 * it. */
static void keep_code_loaded(void)
{
    Dl_info info;

    if (dladdr(&proxy_mirror_module, &info) != 0 && info.dli_fname) {
        dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

/* The maximum delay of an abrupt end by copies: at a stop or a restart httpd serves no requests
 * until all its children have ended. */
#define ABRUPT_DRAIN apr_time_from_msec(200)

/* How long the poller of the fleet may take; it gives up waits at once. */
#define FLEET_STOP apr_time_from_msec(200)

/* How much longer the comparer may take. */
#define COMPARE_DRAIN apr_time_from_msec(200)

#if AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
/* Main thread of a child of event or worker, while it may still serve requests; or of prefork,
 * which never reports a graceful end. */
static void child_stopping(apr_pool_t *pchild, int graceful)
{
    mirror_registry_t *registry = mirror_scope_registry(ap_server_conf);

    (void)pchild;
    if (registry && registry->child) {
        registry->child->graceful = graceful;
    }
}
#endif

static int may_take_its_time(const mirror_child_t *child)
{
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
    int threaded = 0;
    sigset_t blocked;

    if (ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS &&
        threaded == AP_MPMQ_NOT_SUPPORTED) {
        /* A signal handler ends a child of prefork, with the signal blocked, unless the end is
         * graceful. */
        return pthread_sigmask(SIG_BLOCK, NULL, &blocked) != 0 ||
               (!sigismember(&blocked, SIGTERM) && !sigismember(&blocked, SIGHUP));
    }
    return child->graceful;
#else
    (void)child;
    return 1;
#endif
}

/* Pre-cleanup of the child's pool, after the last request. */
static apr_status_t child_end(void *baton)
{
    mirror_child_t *child = baton;
    apr_interval_time_t patience = child->registry->drain_timeout;
    int left_behind;

    if (patience > ABRUPT_DRAIN && !may_take_its_time(child)) {
        patience = ABRUPT_DRAIN;
    }
    left_behind = !mirror_poller_stop(child, FLEET_STOP);
    left_behind |= !mirror_sender_stop(child, patience);
    left_behind |= !mirror_comparer_stop(child, COMPARE_DRAIN);
    child->registry->child = NULL;
    apr_atomic_set32(&child->closed, 1);
    if (left_behind || mirror_spool_may_be_closing(child)) {
        keep_code_loaded();
    }
    mirror_table_release(child->registry->table, child->worker_slot);
    return APR_SUCCESS;
}

/* Create what a child has of each mirror. Main thread of the child. */
static apr_status_t init_lanes(mirror_child_t *child, apr_pool_t *pool)
{
    const mirror_registry_t *registry = child->registry;
    apr_status_t rv = APR_SUCCESS;
    int i;

    child->lanes = apr_pcalloc(pool, registry->mirrors->nelts * sizeof(mirror_lane_t));
    for (i = 0; i < registry->mirrors->nelts && rv == APR_SUCCESS; i++) {
        mirror_lane_t *lane = &child->lanes[i];

        lane->mirror = APR_ARRAY_IDX(registry->mirrors, i, mirror_t *);
        lane->child = child;
        if (lane->mirror->slot) {
            lane->cell = mirror_table_cell(registry->table, child->worker_slot, lane->mirror->slot);
            lane->lost = mirror_table_lost(registry->table, lane->mirror->slot);
            lane->servers = mirror_table_servers(registry->table, lane->mirror->slot);
            lane->server_counts =
                mirror_table_server_counts(registry->table, child->worker_slot, lane->mirror->slot);
        }
        rv = mirror_settings_init(lane, pool);
    }
    return rv;
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    mirror_registry_t *registry = mirror_scope_registry(s);
    apr_pool_t *pool;
    mirror_child_t *child;
    apr_status_t rv;

    if (!registry->table) {
        return;
    }
    pool = mirror_memory_pool_create("mirror_child"); /* main thread; later read-only */
    child = apr_pcalloc(pool, sizeof(*child));
    child->registry = registry;
    mirror_copy_start(child, pool);
    if (apr_generate_random_bytes((unsigned char *)&child->sample, sizeof(child->sample)) !=
        APR_SUCCESS) {
        ap_random_insecure_bytes(&child->sample, sizeof(child->sample));
    }
    mirror_table_claim(&child->worker_slot, registry->table);
    rv = init_lanes(child, pool);
    if (rv == APR_SUCCESS) {
        rv = mirror_sender_create(child, pool, s);
    }
    if (rv == APR_SUCCESS) {
        rv = mirror_comparer_create(child, pool, s);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "PM0004: a pollset or a mutex cannot be created; this child process copies no "
                     "requests");
        mirror_table_release(registry->table, child->worker_slot);
        return;
    }
    mirror_spool_start(child, pool, s);
    mirror_poller_start(child, pool, s);
    apr_pool_pre_cleanup_register(pchild, child, child_end);
    registry->child = child;
}

static void register_hooks(apr_pool_t *p)
{
    static const char *const after_tls[] = { "mod_ssl.c", "mod_proxy.c", NULL };

    mirror_console_register_hooks();
    ap_hook_check_config(mirror_directives_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_open_logs(open_logs, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, after_tls, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, after_tls, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
#endif
    mirror_access_file_register_hooks();
    mirror_guard_register_hooks();
    ap_hook_handler(mirror_manager_handler, NULL, NULL, APR_HOOK_MIDDLE);
    mirror_limit_local_register(p);
    mirror_limit_redis_register(p);
    mirror_status_register_hooks();
    mirror_tls_register(p);
    mirror_capture_register_hooks(p);
}

module AP_MODULE_DECLARE_DATA proxy_mirror_module = { STANDARD20_MODULE_STUFF,
                                                      mirror_scope_create,
                                                      mirror_scope_merge,
                                                      mirror_scope_create_server,
                                                      mirror_scope_merge_server,
                                                      mirror_directives_commands,
                                                      register_hooks,
#if defined(AP_MODULE_FLAG_NONE)
                                                      AP_MODULE_FLAG_NONE
#endif
};
