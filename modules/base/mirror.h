/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/mirror.h - the vocabulary: what a mirror, its settings, an outcome, a lane and a child are.
 *
 * A MIRROR is one ProxyMirror line. It lives in pconf, the same in every child, and is never
 * changed after startup. Its SETTINGS are its attributes; the file's are the mirror's, and the
 * manager may put others in their place. A LANE is what one child has of one mirror: the gate that
 * copies pass on their way in and the counters in shared memory. The CHILD is what one child
 * process has of everything. A COPY (copy/copy.h) is one request on its way to one mirror.
 *
 * Who may change what: pconf things (mirror, settings, registry) only the startup thread; a lane's
 * and child's atomic members any thread, through apr_atomic_*; nothing else changes after the
 * child has started.
 *
 * Only APR is included here, so that rooms without httpd can use it.
 */
#ifndef MIRROR_BASE_MIRROR_H
#define MIRROR_BASE_MIRROR_H

#include <apr.h>
#include <apr_atomic.h>
#include <apr_errno.h>
#include <apr_network_io.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <apr_time.h>
#include <apr_version.h>

#if !APR_VERSION_AT_LEAST(1, 7, 0)
#error "APR 1.7.0 or later is needed (64 bit atomics)"
#endif

/* ---- outcomes: the one list that drives counters, JSON, metrics and manual ---- */

#define MIRROR_OUTCOMES(X)                                                                         \
    X(MIRRORED, "mirrored")         /* the whole answer was read */                                \
    X(DISABLED, "disabled")         /* enabled=false */                                            \
    X(FILTERED, "filtered")         /* method, expression, status */                               \
    X(SAMPLED_OUT, "sampled_out")   /* sample_ratio */                                             \
    X(LOOPED, "looped")             /* it carries our own id */                                    \
    X(UPGRADE, "upgrade")           /* websocket */                                                \
    X(LIMITED, "limited")           /* the window is used up */                                    \
    X(TOO_LARGE, "too_large")       /* body over max_body */                                       \
    X(INCOMPLETE, "incomplete")     /* the client broke the body off */                            \
    X(QUEUE_FULL, "queue_full")     /* max_connections and max_queue */                            \
    X(MEMORY_FULL, "memory_full")   /* ProxyMirrorMemory, spool, descriptors */                    \
    X(UNREACHABLE, "unreachable")   /* name, connect, counts as down */                            \
    X(TLS_FAILED, "tls_failed")     /* handshake, verification */                                  \
    X(TIMED_OUT, "timed_out")       /* timeout ran out */                                          \
    X(BROKEN, "broken")             /* reset, or not HTTP */                                       \
    X(LIMIT_FAILED, "limit_failed") /* no Redis, and limit_fallback=drop */                        \
    X(SHUT_DOWN, "shut_down")       /* the child stopped */

typedef enum {
#define MIRROR_OUTCOME_ENUM(id, name) MIRROR_OUTCOME_##id,
    MIRROR_OUTCOMES(MIRROR_OUTCOME_ENUM)
#undef MIRROR_OUTCOME_ENUM
        MIRROR_OUTCOME_COUNT,
    MIRROR_OUTCOME_NONE = MIRROR_OUTCOME_COUNT /* not decided yet: the copy lives */
} mirror_outcome_e;

/* The name of an outcome as JSON, metrics and PROXY_MIRROR have it ("mirrored"); "captured" for
 * MIRROR_OUTCOME_NONE. */
const char *mirror_outcome_name(mirror_outcome_e outcome);

/* ---- settings ---- */

typedef enum { MIRROR_WHEN_RESPONSE, MIRROR_WHEN_REQUEST } mirror_when_e;

typedef enum { MIRROR_PATH_REPLACE, MIRROR_PATH_PREFIX } mirror_path_e;

typedef enum { MIRROR_URI_CLIENT, MIRROR_URI_BACKEND } mirror_uri_e;

typedef enum {
    MIRROR_FALLBACK_LOCAL,
    MIRROR_FALLBACK_MIRROR,
    MIRROR_FALLBACK_DROP
} mirror_fallback_e;

/* The attribute host, taken apart. */
typedef struct mirror_target_t {
    /* canonical: scheme and authority, behind socket and '|'; NULL: there is none */
    const char *url;
    const char *socket;   /* the path of a Unix socket; NULL: it is reached by TCP */
    const char *scheme;   /* "http" or "https" */
    const char *hostname; /* a name, an IPv4 or an IPv6 address without brackets */
    int named;            /* it is a name, which somebody has to be asked for; not with a socket */
    apr_port_t port;      /* never 0 */
    /* as in a Host header: port only if it is not the scheme's, IPv6 in brackets */
    const char *authority;
} mirror_target_t;

/* One mirror's attributes as attributes/attributes.c's table describes them: one member per row, of
 * the row's type (bool and choice: int; number and size: apr_int64_t; time: apr_interval_time_t;
 * string: const char *; list: apr_array_header_t * of const char *). */
typedef struct mirror_settings_t {
    apr_uint64_t set;       /* bit n: row n was given, not defaulted */
    mirror_target_t target; /* host */
    const char *name;
    int enabled;
    const char *expr;
    apr_int64_t sample_ratio; /* billionths */
    const char *sample_key;
    apr_array_header_t *methods;
    int body;
    apr_int64_t max_body;
    const char *path;
    int path_concat_mode;    /* mirror_path_e */
    const char *host_header; /* "preserve", "target", or a literal */
    int uri;                 /* mirror_uri_e */
    int when;                /* mirror_when_e */
    apr_array_header_t *status;
    apr_int64_t copies;
    apr_interval_time_t connect_timeout;
    apr_interval_time_t timeout;
    apr_interval_time_t keepalive;
    apr_int64_t max_connections;
    apr_int64_t pipeline; /* copies on one connection at a time */
    apr_int64_t max_queue;
    apr_interval_time_t retry;
    apr_interval_time_t ttl;
    int enable_limit_count;
    apr_int64_t count;
    apr_int64_t time_window; /* seconds */
    int policy;              /* limit/limit.h finds the provider by its word */
    int limit_fallback;      /* mirror_fallback_e */
    const char *redis_host;
    apr_int64_t redis_port;
    const char *redis_username;
    const char *redis_password; /* config/secret.h: once resolved, never "exec:..." */
    apr_int64_t redis_database;
    apr_int64_t redis_timeout; /* milliseconds */
    int redis_ssl;
    const char *redis_key_prefix;
    apr_array_header_t *redis_cluster_nodes;
    const char *redis_cluster_name;
    /* no attribute: tells limits that differ apart; mirror_limit_settings_identify() sets it */
    apr_uint32_t limit_id;
    /* no attribute: what follows from some; mirror_rules_compile() sets it */
    const struct mirror_rules_t *rules;

    /* no attributes: what settings/settings.h says of settings that were made at run time; all 0
     * for the file's */
    apr_pool_t *pool;        /* theirs; NULL: they live as long as the configuration */
    apr_uint32_t references; /* atomic */
    apr_uint64_t version;    /* of the text they were made of; a higher one came later */
    int overridden;          /* they differ from the file's */
} mirror_settings_t;

/* ---- what lives in pconf ---- */

typedef struct mirror_slot_t mirror_slot_t; /* shared/table.h: a mirror in shared memory */
typedef struct mirror_cell_t mirror_cell_t; /* shared/table.h: one child's counters of one mirror */
typedef struct mirror_table_t mirror_table_t;
typedef struct mirror_child_t mirror_child_t;
typedef struct mirror_sender_t mirror_sender_t;     /* send/sender.c */
typedef struct mirror_spools_t mirror_spools_t;     /* copy/spool.c */
typedef struct mirror_log_t mirror_log_t;           /* copy/log.h: a ProxyMirrorLog */
typedef struct mirror_log_line_t mirror_log_line_t; /* copy/log_line.h */
typedef struct mirror_spool_t mirror_spool_t;       /* copy/spool.h */

typedef struct mirror_t {
    const char *name;
    const char *server;       /* "www.example.com:80" */
    struct server_rec *vhost; /* that server */
    const char *scope;        /* "/limited", "" for a whole server */
    const char *file;         /* where its line is */
    int line;
    int index;                   /* in the registry and in a child's lanes, from 0 */
    mirror_settings_t *settings; /* as the file says; those in force: mirror_settings_acquire() */
    mirror_settings_t *defaults; /* what they would be if the line gave nothing */
    apr_uint64_t config;         /* a hash of what the file says; never 0 */
    mirror_slot_t *slot;         /* NULL until post_config */
} mirror_t;

/* The configuration as a whole; one per load, found through any server's module config. */
typedef struct mirror_registry_t {
    apr_array_header_t *mirrors; /* of mirror_t *, by index */
    apr_array_header_t *logs;    /* of mirror_log_t *, by index */
    apr_int64_t memory;          /* ProxyMirrorMemory, bytes */
    /* ProxyMirrorSpool; NULL: the temporary folder, as each child finds it */
    const char *spool_dir;
    apr_int64_t spool_size; /* bytes */
    int threads;            /* ProxyMirrorThreads */
    int slots;              /* ProxyMirrorSlots */
    apr_interval_time_t drain_timeout;
    const char *id;            /* ProxyMirrorId */
    apr_array_header_t *allow; /* ProxyMirrorAllowHost: settings/allow.h; NULL: not given */
    const char *nonce;         /* of the manager's forms; random, another one with each load */
    const char *secret;        /* of the manager's ETags; random, kept over reloads */
    mirror_table_t *table;     /* shared memory; NULL until post_config */
    /* set in child_init: this child; NULL in the parent, or if no mirror is configured */
    mirror_child_t *child;
} mirror_registry_t;

/* ---- what lives in a child ---- */

/* The expressions of a mirror. */
typedef enum {
    MIRROR_EXPR_EXPR,
    MIRROR_EXPR_SAMPLE_KEY,
    MIRROR_EXPR_HEADER,
    MIRROR_EXPR_COUNT
} mirror_expr_e;

/* Something that a child has a bounded amount of; copy/share.h divides it among mirrors. */
typedef struct mirror_pot_t {
    apr_uint64_t size;    /* units */
    apr_uint64_t reserve; /* of these, for each mirror alone */
    apr_uint64_t common;  /* and what is left for any */
    apr_uint64_t used;    /* atomic: units that all mirrors have */
    apr_uint64_t lent;    /* atomic: of these, those beyond the mirrors' reserves */
} mirror_pot_t;

typedef struct mirror_lane_t {
    mirror_t *mirror;
    mirror_child_t *child;
    mirror_cell_t *cell;  /* NULL: shared memory has no slot for the mirror; it is off */
    apr_uint32_t pending; /* atomic: copies admitted that have not ended */
    apr_uint32_t refused; /* atomic: copies refused for want of room since the log was last told */
    apr_uint64_t memory;  /* atomic: bytes that its copies take; private, other than the cell's */
    apr_uint64_t spooled; /* atomic: bytes in files of its copies */
    apr_uint64_t files;   /* atomic: how many these are */
    /* atomic: 1 once the log was told that an expression fails */
    apr_uint32_t told[MIRROR_EXPR_COUNT];
    /* request threads alone, for no longer than it takes to count a reference to: */
    apr_thread_mutex_t *mutex;
    mirror_settings_t *current; /* made at run time, a reference of the lane's; NULL: none were */
} mirror_lane_t;

struct mirror_child_t {
    mirror_registry_t *registry;
    mirror_lane_t *lanes; /* by mirror index */
    struct mirror_queue_t *queue;
    mirror_sender_t *sender;
    /* atomic: the sender could not be started; waking `queue` tries again */
    apr_uint32_t unstarted;
    mirror_spools_t *spools;
    struct mirror_logs_t *logs;     /* NULL: none is configured */
    struct mirror_blocks_t *blocks; /* of long bodies; copy/copy.c */
    int worker_slot;                /* in shared memory */
    int graceful;        /* main thread: the MPM said that the child may take its time to end */
    mirror_pot_t memory; /* bytes of ProxyMirrorMemory that copies take */
    /* atomic: copies refused for want of memory since the log was last told */
    apr_uint32_t refused;
    /* atomic: of connections to mirrors and Redis, open and being opened, and of spools */
    apr_uint32_t descriptors;
    apr_uint32_t descriptors_max; /* how many of these there are to be */
    apr_uint64_t sample;          /* atomic: the state of mirror_sample_random() */
    /* atomic: 1 once nothing is counted any more, as the child's worker slot was given back */
    apr_uint32_t closed;
};

/* ---- the front door's entries into rooms that have no header, as nobody else may call in ---- */

/* startup: capture/capture.c's handler, filters and log_transaction hooks. */
void mirror_capture_register_hooks(apr_pool_t *p);

/* child start, main thread: the sender and the queue of `child`; its threads are started with the
 * first copy. `server` is for the log. Everything is in `pool`, which the threads
 * may outlive. Errors: those of apr_pollset_create. */
apr_status_t mirror_sender_create(mirror_child_t *child, apr_pool_t *pool,
                                  struct server_rec *server);

/* child end, main thread, after the last request: send what was captured for at most `patience`,
 * end the rest as shut_down, and return when nothing is counted any more. Takes no lock, as
 * prefork calls it in a signal handler. Returns 1 if no thread is left, 0 if one is, which is held
 * up (a name server that does not answer). */
int mirror_sender_stop(mirror_child_t *child, apr_interval_time_t patience);

/* helper threads, as a task (base/helpers.h): look up and connect the chain of connections
 * (send/connection.h) that begins with `chain`, and hand each over to the sender. */
void mirror_opener_run(void *chain);

/* ---- pools ---- */

/* any thread: a pool without a parent, with an allocator of its own, so that it can be handed from
 * thread to thread and outlive any other; the caller owns it. `tag` names it for debuggers. Never
 * NULL: without memory the process ends, as it does in httpd's own pools. */
apr_pool_t *mirror_memory_pool_create(const char *tag);

#endif
