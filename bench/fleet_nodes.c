/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet_nodes.c - a fleet of many nodes on one machine: fleet_nodes PORT [NODES] [CHANGES].
 *
 * Each node is a process with the real poller, its lease and shared memory, and one mirror; httpd
 * is left out. The program writes changes to the Redis at 127.0.0.1:PORT, which should be empty,
 * and measures the time until each node has them in force; then it measures the idle fleet. It
 * prints the commands and the processor time of a node while idle, and percentiles of the time:
 * in each line a name, a tab and a figure.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ap_listen.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_log.h>
#include <httpd.h>

#include "../t/lab/override.h"

#include "attributes/attributes.h"
#include "attributes/limit_settings.h"
#include "base/clock.h"
#include "fleet/poller.h"
#include "fleet/write.h"
#include "shared/table.h"

#define NODES_MAX   1000
#define CHANGES_MAX 100
#define IDLE        10 /* seconds */

/* Shared with all nodes. All members are atomic. */
typedef struct board_t {
    apr_uint64_t changes;                      /* 1 = changes are measured, else the idle fleet */
    apr_uint64_t ready;                        /* nodes that have polled */
    apr_uint64_t seen[NODES_MAX][CHANGES_MAX]; /* when a node had a change in force */
    apr_uint64_t cpu[NODES_MAX];               /* microseconds of a node so far */
} board_t;

/* ---- httpd's part ---- */

module AP_MODULE_DECLARE_DATA proxy_mirror_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0
};
ap_listen_rec *ap_listeners;
const char *ap_server_root = "/";
server_rec *ap_server_conf;

static void *retained;

AP_DECLARE(apr_status_t) ap_mpm_query(int query, int *result)
{
    *result = query == AP_MPMQ_HARD_LIMIT_DAEMONS;
    return APR_SUCCESS;
}

AP_DECLARE(void *) ap_retained_data_get(const char *key)
{
    (void)key;
    return retained;
}

AP_DECLARE(void *) ap_retained_data_create(const char *key, apr_size_t size)
{
    (void)key;
    return retained = calloc(1, size);
}

AP_DECLARE(const char *) ap_get_server_banner(void)
{
    return "bench";
}

AP_DECLARE(void) ap_bin2hex(const void *source, apr_size_t length, char *to)
{
    apr_size_t i;

    for (i = 0; i < length; i++) {
        apr_snprintf(to + 2 * i, 3, "%02x", ((const unsigned char *)source)[i]);
    }
}

AP_DECLARE(void)
ap_log_error_(const char *file, int line, int module_index, int level, apr_status_t status,
              const server_rec *s, const char *format, ...)
{
    va_list args;

    (void)file, (void)line, (void)module_index, (void)status, (void)s;
    if ((level & APLOG_LEVELMASK) <= APLOG_WARNING) {
        va_start(args, format);
        fprintf(stderr, "%s\n", apr_pvsprintf(s->process->pool, format, args));
        va_end(args);
    }
}

/* ---- the configuration ---- */

static process_rec process;
static server_rec server;

static mirror_fleet_t *make_fleet(const char *port, int number, apr_pool_t *pool)
{
    mirror_fleet_t *fleet = apr_pcalloc(pool, sizeof(*fleet));

    process.pool = pool;
    server.process = &process;
    server.port = (apr_port_t)(1 + number);
    fleet->name = "bench";
    fleet->interval = apr_time_from_msec(500);
    fleet->server = &server;
    fleet->settings = apr_pcalloc(pool, sizeof(*fleet->settings));
    mirror_attributes_defaults(fleet->settings, pool);
    REQUIRE(!mirror_attributes_set_line(
        fleet->settings,
        apr_pstrcat(pool, "policy=redis redis_host=127.0.0.1 redis_port=", port, NULL), 0, pool));
    mirror_fleet_complete(fleet, pool);
    return fleet;
}

static mirror_registry_t *make_registry(const char *port, int number, apr_pool_t *pool)
{
    mirror_registry_t *registry = apr_pcalloc(pool, sizeof(*registry));
    mirror_t *mirror = make_mirror("", "", pool);

    registry->fleet = make_fleet(port, number, pool);
    registry->mirrors = apr_array_make(pool, 1, sizeof(mirror_t *));
    APR_ARRAY_PUSH(registry->mirrors, mirror_t *) = mirror;
    mirror->vhost = &server;
    mirror->config = 1;
    mirror_limit_settings_identify(mirror->settings); /* so that no provider of limits is sought */
    REQUIRE(!mirror_table_open(&registry->table, pool, &server, 1));
    REQUIRE(!mirror_table_slot(&mirror->slot, registry->table, mirror->name));
    apr_atomic_set64(&mirror->slot->config, 1);
    return registry;
}

/* ---- a node ---- */

static void node(board_t *board, const char *port, int number, apr_pool_t *pool)
{
    mirror_registry_t *registry = make_registry(port, number, pool);
    mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, 0, mirror_t *);
    mirror_child_t child = { 0 };
    apr_uint64_t version = 0, now;
    struct rusage used;
    int change = 0;

    child.registry = registry;
    REQUIRE(!mirror_table_claim(&child.worker_slot, registry->table));
    mirror_poller_start(&child, pool, &server);
    apr_atomic_inc64(&board->ready);
    for (;;) {
        now = apr_atomic_read64(&mirror->slot->fleet_version);
        if (now != version && change < CHANGES_MAX) {
            apr_atomic_set64(&board->seen[number][change++], (apr_uint64_t)mirror_clock_now());
            version = now;
        }
        getrusage(RUSAGE_SELF, &used);
        apr_atomic_set64(&board->cpu[number],
                         (apr_uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                             (apr_uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
        apr_sleep(apr_atomic_read64(&board->changes) ? 5000 : 500000);
    }
}

/* ---- measuring ---- */

static int by_size(const void *a, const void *b)
{
    const apr_uint64_t *one = a, *other = b;

    return *one < *other ? -1 : *one > *other;
}

static void put_change(mirror_remote_t *remote, mirror_document_version_t *before, int number,
                       apr_pool_t *pool)
{
    mirror_write_t write = { 0 };

    write.mirror = "m";
    write.document.by = write.document.from = write.document.node = write.document.at = "bench";
    write.document.attributes = apr_psprintf(pool, "{\"timeout\":\"%ds\"}", 1 + number);
    write.changes = "";
    write.expected = *before;
    REQUIRE(mirror_write_document(&write, remote, pool) == MIRROR_WRITE_DONE);
    *before = write.document.version;
}

/* Return the sum of calls of commands at the server, but INFO's. */
static apr_uint64_t commands(mirror_remote_t *remote)
{
    static const char *const argv[] = { "INFO", "commandstats" };
    const mirror_redis_reply_t *reply;
    const char *p;
    apr_uint64_t sum = 0;

    REQUIRE(!mirror_remote_command(&reply, remote, 2, argv));
    for (p = reply->text; (p = strstr(p, "cmdstat_")) != NULL; p++) {
        const char *calls = strstr(p, ":calls=");

        sum += calls && strncmp(p, "cmdstat_info", 12) ? strtoull(calls + 7, NULL, 10) : 0;
    }
    return sum;
}

static apr_uint64_t processor(const board_t *board, int nodes)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < nodes; i++) {
        sum += board->cpu[i];
    }
    return sum;
}

static void measure_idle(const board_t *board, mirror_remote_t *remote, int nodes)
{
    apr_uint64_t before = commands(remote), cpu = processor(board, nodes);

    apr_sleep(apr_time_from_sec(IDLE));
    printf("commands/s of an idle node\t%.2f\n",
           (double)(commands(remote) - before) / IDLE / nodes);
    printf("%% of a core of an idle node\t%.3f\n",
           (double)(processor(board, nodes) - cpu) / IDLE / nodes / 10000);
}

static void measure_changes(board_t *board, mirror_remote_t *remote, int nodes, int changes,
                            apr_pool_t *pool)
{
    apr_uint64_t *times = apr_pcalloc(pool, (apr_size_t)nodes * changes * sizeof(*times));
    mirror_document_version_t version = { 0, 0, 0 };
    int i, n, measured = 0;

    for (n = 0; n < changes; n++) {
        apr_uint64_t began = (apr_uint64_t)mirror_clock_now();

        put_change(remote, &version, n, pool);
        for (i = 0; i < nodes; i++) {
            while (!apr_atomic_read64(&board->seen[i][n])) {
                apr_sleep(5000);
            }
            times[measured++] = apr_atomic_read64(&board->seen[i][n]) - began;
        }
    }
    qsort(times, (size_t)measured, sizeof(*times), by_size);
    printf("ms until a change is in force, median\t%.0f\n", (double)times[measured / 2] / 1000);
    printf("ms until a change is in force, p99\t%.0f\n", (double)times[measured * 99 / 100] / 1000);
    printf("ms until a change is in force, at most\t%.0f\n", (double)times[measured - 1] / 1000);
}

int main(int argc, char **argv)
{
    int nodes = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 200;
    int changes = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 20, i;
    pid_t *pids = calloc(NODES_MAX, sizeof(*pids));
    apr_uint32_t given_up = 0;
    mirror_remote_t *remote;
    apr_pool_t *pool;
    board_t *board;

    if (argc < 2 || nodes < 1 || nodes > NODES_MAX || changes < 1 || changes > CHANGES_MAX) {
        fprintf(stderr, "usage: fleet_nodes PORT [NODES up to %d] [CHANGES up to %d]\n", NODES_MAX,
                CHANGES_MAX);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(board != MAP_FAILED);
    for (i = 0; i < nodes; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            node(board, argv[1], i, pool);
        }
    }
    while (apr_atomic_read64(&board->ready) < (apr_uint64_t)nodes) {
        apr_sleep(10000);
    }
    remote = mirror_remote_create(make_fleet(argv[1], nodes, pool), &given_up, pool);
    measure_idle(board, remote, nodes);
    apr_atomic_set64(&board->changes, 1);
    measure_changes(board, remote, nodes, changes, pool);
    for (i = 0; i < nodes; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    return 0;
}
