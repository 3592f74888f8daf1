/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/mirror.h - the vocabulary: mirror, settings, outcome, lane, child.
 *
 * A MIRROR is one ProxyMirror line. It is allocated in pconf, is the same in every child, and does
 * not change after startup. Its SETTINGS are its attributes. The mirror has those of the file; the
 * manager may override them. A LANE is one child's part of one mirror: the admission counts of its
 * copies, and its counters in shared memory. The CHILD is the state of one child process. A COPY
 * (copy/copy.h) is one request on its way to one mirror.
 *
 * Only the startup thread changes what is in pconf (mirror, settings, registry). Any thread changes
 * the atomic members of lane and child, through apr_atomic_*. Everything else is constant after the
 * start of the child.
 *
 * This header includes only APR, so that code without httpd can use it.
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
#error "APR: must be 1.7.0 or later (64 bit atomics)"
#endif

/* ---- outcomes: the list for counters, JSON, metrics and manual ---- */

#define MIRROR_OUTCOMES(X)                                                                         \
    X(MIRRORED, "mirrored")         /* the whole response was read */                              \
    X(DISABLED, "disabled")         /* enabled=false */                                            \
    X(FILTERED, "filtered")         /* method, expression, status */                               \
    X(SAMPLED_OUT, "sampled_out")   /* sample_ratio */                                             \
    X(LOOPED, "looped")             /* it carries our own id */                                    \
    X(UPGRADE, "upgrade")           /* websocket */                                                \
    X(LIMITED, "limited")           /* the limit is used up */                                     \
    X(TOO_LARGE, "too_large")       /* body over max_body */                                       \
    X(INCOMPLETE, "incomplete")     /* the client aborted the body */                              \
    X(QUEUE_FULL, "queue_full")     /* max_connections and max_queue */                            \
    X(MEMORY_FULL, "memory_full")   /* ProxyMirrorMemory, spool, descriptors */                    \
    X(UNREACHABLE, "unreachable")   /* name, connect, mirror is down */                            \
    X(TLS_FAILED, "tls_failed")     /* handshake, verification */                                  \
    X(TIMED_OUT, "timed_out")       /* timeout expired */                                          \
    X(BROKEN, "broken")             /* reset, or not HTTP */                                       \
    X(LIMIT_FAILED, "limit_failed") /* no Redis, and limit_fallback=drop */                        \
    X(SHUT_DOWN, "shut_down")       /* the child stopped */

typedef enum {
#define MIRROR_OUTCOME_ENUM(id, name) MIRROR_OUTCOME_##id,
    MIRROR_OUTCOMES(MIRROR_OUTCOME_ENUM)
#undef MIRROR_OUTCOME_ENUM
        MIRROR_OUTCOME_COUNT,
    MIRROR_OUTCOME_NONE = MIRROR_OUTCOME_COUNT /* undecided: the copy has not ended */
} mirror_outcome_e;

/* Return the name of an outcome in JSON, metrics and PROXY_MIRROR, such as "mirrored"; "captured"
 * for MIRROR_OUTCOME_NONE. */
const char *mirror_outcome_name(mirror_outcome_e outcome);

/* ---- settings ---- */

typedef enum { MIRROR_WHEN_RESPONSE, MIRROR_WHEN_REQUEST } mirror_when_e;

typedef enum { MIRROR_PATH_REPLACE, MIRROR_PATH_PREFIX } mirror_path_e;

/* Which addresses of a name are used: the first that connects, or all. */
typedef enum { MIRROR_RESOLVE_FIRST, MIRROR_RESOLVE_ALL } mirror_resolve_e;

typedef enum { MIRROR_ROLE_MIRROR, MIRROR_ROLE_REFERENCE } mirror_role_e;

typedef enum { MIRROR_URI_CLIENT, MIRROR_URI_BACKEND } mirror_uri_e;

typedef enum {
    MIRROR_FALLBACK_LOCAL,
    MIRROR_FALLBACK_MIRROR,
    MIRROR_FALLBACK_DROP
} mirror_fallback_e;

/* The layers of settings, each over the ones before it. */
typedef enum { MIRROR_LAYER_FILE, MIRROR_LAYER_FLEET, MIRROR_LAYER_NODE } mirror_layer_e;

/* The attribute host, parsed. */
typedef struct mirror_target_t {
    /* canonical: scheme and authority, after socket and '|'; NULL = no host */
    const char *url;
    const char *socket;   /* path of a Unix socket; NULL = TCP */
    const char *scheme;   /* "http", "https", "h2c", "h2", "grpc" or "grpcs" */
    int tls;              /* with TLS */
    int http2;            /* HTTP/2, without HTTP/1.1 */
    int grpc;             /* gRPC, over HTTP/2 */
    const char *hostname; /* a name, an IPv4 or an IPv6 address without brackets */
    int named;            /* hostname is a name that needs a lookup; 0 with a socket */
    apr_port_t port;      /* 1 to 65535 */
    /* as in a Host header: port only if not the scheme's default, IPv6 in brackets */
    const char *authority;
} mirror_target_t;

/* The maximum number of servers behind a mirror. */
#define MIRROR_SERVERS_MAX 16

/* One of the attribute servers, parsed. */
typedef struct mirror_server_t {
    const char *text;     /* canonical: host[:port][*weight] */
    const char *hostname; /* a name, an IPv4 or an IPv6 address without brackets */
    int named;            /* hostname is a name that needs a lookup */
    apr_port_t port;      /* 1 to 65535; 0 = the port of `host` */
    int weight;           /* 1 to 100 */
} mirror_server_t;

/* The attributes of one mirror: one member per row of attributes/attributes_table.c. Types
 * by the row's type: bool and choice: int; number and size: apr_int64_t; time: apr_interval_time_t;
 * string: const char *; list: apr_array_header_t * of const char *. */
typedef struct mirror_settings_t {
    apr_uint64_t set;       /* bit n: row n was given, not defaulted */
    mirror_target_t target; /* host */
    const char *name;
    int enabled;
    apr_time_t until; /* wall clock time after which nothing is copied; 0 = no end */
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
    apr_int64_t pipeline; /* maximum copies on one connection at a time */
    apr_int64_t streams;  /* the same with HTTP/2 */
    apr_int64_t max_queue;
    apr_interval_time_t retry;
    apr_interval_time_t ttl;
    int resolve;                 /* mirror_resolve_e */
    apr_array_header_t *servers; /* of mirror_server_t; NULL = host is the server */
    int enable_limit_count;
    apr_int64_t count;
    apr_int64_t time_window; /* seconds */
    int policy;              /* index of the provider; see limit/limit.h */
    int limit_fallback;      /* mirror_fallback_e */
    const char *redis_host;
    apr_int64_t redis_port;
    const char *redis_username;
    const char *redis_password; /* resolved, never "exec:..."; see config/secret.h */
    apr_int64_t redis_database;
    apr_int64_t redis_timeout; /* milliseconds */
    int redis_ssl;
    const char *redis_key_prefix;
    apr_array_header_t *redis_cluster_nodes;
    const char *redis_cluster_name;
    apr_array_header_t *redis_sentinels;
    const char *redis_master_name;
    const char *sentinel_username;
    const char *sentinel_password; /* as redis_password */
    int compare;                   /* bit n: mirror_part_e n is compared; 0 = off */
    apr_int64_t compare_ratio;     /* billionths */
    apr_int64_t compare_max_body;
    apr_interval_time_t compare_timeout;
    const char *compare_group;
    int compare_arrays; /* 1 = unordered */
    apr_int64_t compare_examples;
    int compare_values;                /* mirror_values_e */
    int role;                          /* mirror_role_e */
    const char *compare_reference;     /* name of a mirror; NULL = the reference of the scope */
    apr_array_header_t *compare_rules; /* of "FIELD ACTION VALUE"; NULL = none */
    /* no attribute: identity of the limit, set by mirror_limit_settings_identify() */
    apr_uint32_t limit_id;
    /* no attribute: compiled expressions and statuses, set by mirror_rules_compile() */
    const struct mirror_rules_t *rules;

    /* no attributes: see settings/settings.h; all 0 for settings of the file */
    apr_pool_t *pool;        /* pool of these settings; NULL = pconf */
    apr_uint32_t references; /* atomic */
    apr_uint64_t version;    /* version of the stored text; a higher one is newer */
    int overridden;          /* 1 if they differ from the file's */
    int layer;               /* mirror_layer_e: the uppermost layer that is set */
} mirror_settings_t;

/* ---- objects in pconf ---- */

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
    const char *server;       /* name and port of the server, "www.example.com:80" */
    struct server_rec *vhost; /* the server */
    const char *scope;        /* path of the section, "/limited"; "" for a whole server */
    /* directives of the section (settings/scope.h); NULL for a whole server */
    const struct mirror_scope_t *section;
    const char *file; /* configuration file of the line */
    int line;
    int index;                   /* index in the registry and in a child's lanes, from 0 */
    mirror_settings_t *settings; /* the file's; for those in force see mirror_settings_acquire() */
    mirror_settings_t *defaults; /* settings of a line without attributes */
    apr_uint64_t config; /* hash of the file's settings and of the defaults of enabled; never 0 */
    mirror_slot_t *slot; /* NULL until post_config */
} mirror_t;

/* The whole configuration, one per load. The module config of every server points to it. */
typedef struct mirror_registry_t {
    apr_array_header_t *mirrors; /* of mirror_t *, by index */
    apr_array_header_t *logs;    /* of mirror_log_t *, by index */
    apr_int64_t memory;          /* ProxyMirrorMemory, bytes */
    apr_int64_t compare_memory;  /* ProxyMirrorCompareMemory, bytes */
    /* ProxyMirrorSpool; NULL = the temporary folder, found by each child */
    const char *spool_dir;
    apr_int64_t spool_size; /* bytes */
    int threads;            /* ProxyMirrorThreads */
    int slots;              /* ProxyMirrorSlots */
    apr_interval_time_t drain_timeout;
    const char *id;               /* ProxyMirrorId */
    apr_array_header_t *allow;    /* ProxyMirrorAllowHost, see settings/allow.h; NULL = not given */
    const char *nonce;            /* nonce of the manager's forms; random, new with each load */
    const char *secret;           /* key of the manager's ETags; random, kept over reloads */
    struct mirror_fleet_t *fleet; /* ProxyMirrorFleet, see fleet/fleet.h; NULL = not given */
    mirror_table_t *table;        /* shared memory; NULL until post_config */
    /* this child, set in child_init; NULL in the parent, or without mirrors */
    mirror_child_t *child;
} mirror_registry_t;

/* ---- objects in a child ---- */

/* The expressions of a mirror. */
typedef enum {
    MIRROR_EXPR_EXPR,
    MIRROR_EXPR_SAMPLE_KEY,
    MIRROR_EXPR_HEADER,
    MIRROR_EXPR_COMPARE_GROUP,
    MIRROR_EXPR_COUNT
} mirror_expr_e;

/* A bounded resource of a child; copy/share.h divides it among the mirrors. */
typedef struct mirror_pot_t {
    apr_uint64_t size;    /* total units */
    apr_uint64_t reserve; /* units reserved for each mirror */
    apr_uint64_t common;  /* units left for all mirrors */
    apr_uint64_t used;    /* atomic: units in use by all mirrors */
    apr_uint64_t lent;    /* atomic: units in use beyond the mirrors' reserves */
} mirror_pot_t;

typedef struct mirror_lane_t {
    mirror_t *mirror;
    mirror_child_t *child;
    mirror_cell_t *cell;        /* NULL = no slot in shared memory; the mirror is off */
    struct mirror_lost_t *lost; /* ring of its last losses (shared/lost.h); NULL = none */
    /* its servers in shared memory (shared/servers.h), used if there are several; NULL = no slot */
    struct mirror_server_words_t *servers;
    struct mirror_server_counts_t *server_counts; /* this child's counters of them */
    apr_uint32_t pending;                         /* atomic: admitted copies that have not ended */
    apr_uint32_t refused;  /* atomic: copies rejected for lack of room since the last log message */
    apr_uint64_t memory;   /* atomic: bytes of its copies; private, unlike the cell's */
    apr_uint64_t spooled;  /* atomic: bytes in files of its copies */
    apr_uint64_t files;    /* atomic: number of these files */
    apr_uint64_t compared; /* atomic: bytes of responses that wait to be compared */
    /* atomic: 1 once a failing expression was logged */
    apr_uint32_t logged[MIRROR_EXPR_COUNT];
    apr_uint32_t logged_rules; /* atomic: 1 once it was logged that there are too many rules */
    /* Request threads only. Held to read or replace `current` and count a reference: */
    apr_thread_mutex_t *mutex;
    /* made at run time, the lane owns one reference; NULL = never made */
    mirror_settings_t *current;
} mirror_lane_t;

struct mirror_child_t {
    mirror_registry_t *registry;
    mirror_lane_t *lanes; /* by mirror index */
    struct mirror_queue_t *queue;
    mirror_sender_t *sender;
    /* atomic: 1 if the sender could not be started; waking `queue` retries */
    apr_uint32_t unstarted;
    mirror_spools_t *spools;
    struct mirror_logs_t *logs;         /* NULL = none configured */
    struct mirror_blocks_t *blocks;     /* blocks of long bodies; see copy/copy.c */
    struct mirror_comparer_t *comparer; /* compare/comparer.h */
    struct mirror_poller_t *poller;     /* fleet/poller.h; NULL = none */
    struct mirror_queue_t *pairs;       /* of pairs, to the comparer; compare/pair.h */
    apr_uint32_t pairs_pending;         /* atomic: complete pairs that are not compared yet */
    int worker_slot;                    /* index of its worker slot in shared memory */
    int graceful;                       /* main thread: 1 if the MPM announced a graceful end */
    mirror_pot_t memory;                /* bytes of ProxyMirrorMemory */
    mirror_pot_t compare_memory;        /* bytes of ProxyMirrorCompareMemory */
    /* atomic: copies rejected for lack of memory since the last log message */
    apr_uint32_t refused;
    /* atomic: descriptors of spools and of connections to mirrors and Redis */
    apr_uint32_t descriptors;
    apr_uint32_t descriptors_max; /* maximum of `descriptors` */
    apr_uint64_t sample;          /* atomic: state of mirror_sample_random() */
    /* atomic: 1 once the worker slot was released and counting has stopped */
    apr_uint32_t closed;
};

/* ---- functions of .c files without a header, called by mod_proxy_mirror.c ---- */

/* Register the handler, filter and log_transaction hooks of capture/capture.c. Startup. */
void mirror_capture_register_hooks(apr_pool_t *p);

/* Create the sender and the queue of `child` in `pool`, which the sender's threads may outlive.
 * Child start, main thread. The first copy starts the threads. `server` is used for the log.
 * Errors: those of apr_pollset_create(). */
apr_status_t mirror_sender_create(mirror_child_t *child, apr_pool_t *pool,
                                  struct server_rec *server);

/* Stop the sender. Child end, main thread, after the last request. The sender sends captured
 * copies for at most `patience` (microseconds) and ends the others as shut_down. Counting has
 * stopped on return. The function takes no lock, because prefork calls it in a signal handler.
 * Returns 1 if no thread is left, 0 if a thread is still blocked, such as by a name server that
 * does not respond. */
int mirror_sender_stop(mirror_child_t *child, apr_interval_time_t patience);

/* Look up and connect a chain of connections (send/connection.h) and return each to the sender.
 * Helper threads, as a task (base/helpers.h). `chain`: the first connection. */
void mirror_opener_run(void *chain);

/* ---- pools ---- */

/* Create a pool without a parent and with an allocator of its own. Any thread. The pool can move
 * between threads and outlive any other pool; the caller owns it. `tag` names the pool for
 * debuggers. Never returns NULL: if memory is exhausted the process ends, as with httpd's own
 * pools. */
apr_pool_t *mirror_memory_pool_create(const char *tag);

#endif
