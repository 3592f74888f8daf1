/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/comparison.h - the vocabulary of comparing: verdicts, reasons to skip, parts and kinds of
 * differences. The one list of each drives counters, JSON, metrics and manual.
 */
#ifndef MIRROR_BASE_COMPARISON_H
#define MIRROR_BASE_COMPARISON_H

/* What became of a pair of responses that was compared. */
#define MIRROR_VERDICTS(X)                                                                         \
    X(SAME, "same")                 /* equal, but for what the built-in list forgives */           \
    X(SAME_DECODED, "same_decoded") /* the bytes of the bodies differ, their meaning does not */   \
    X(IGNORED, "ignored")           /* rules of the configuration forgive what differs */          \
    X(NOISE, "noise")               /* what differs is noise so far */                             \
    X(DIFFERENT, "different")                                                                      \
    X(UNEXAMINED, "unexamined") /* unequal, and there was no budget to look */

typedef enum {
#define MIRROR_VERDICT_ENUM(id, name) MIRROR_VERDICT_##id,
    MIRROR_VERDICTS(MIRROR_VERDICT_ENUM)
#undef MIRROR_VERDICT_ENUM
        MIRROR_VERDICT_COUNT
} mirror_verdict_e;

/* Why a pair that was chosen was not compared. */
#define MIRROR_SKIPS(X)                                                                            \
    X(NO_ANSWER, "no_answer")                   /* the copy was not mirrored */                    \
    X(PRIMARY_INCOMPLETE, "primary_incomplete") /* the client went away */                         \
    X(PRIMARY_BROKEN, "primary_broken")         /* the backend broke off */                        \
    X(PRIMARY_REPLACED, "primary_replaced")     /* an error page of httpd, ErrorDocument */        \
    X(CACHED, "cached")                         /* by mod_cache */                                 \
    X(RANGE, "range")                           /* httpd made a range of it */                     \
    X(CONDITIONAL, "conditional")               /* 304 beside 2xx */                               \
    X(STREAMED, "streamed")                     /* a body that cannot be read without waiting */   \
    X(TOO_LARGE, "too_large")                   /* over compare_max_body */                        \
    X(MEMORY, "memory")                         /* ProxyMirrorCompareMemory */                     \
    X(BUSY, "busy")                             /* the queue of the comparer is full */            \
    X(TIMEOUT, "timeout")                       /* compare_timeout */                              \
    X(UNDECODABLE, "undecodable")               /* neither body can be decoded */                  \
    X(DECODED_TOO_LARGE, "decoded_too_large")                                                      \
    X(TOO_DEEP, "too_deep")             /* JSON */                                                 \
    X(TOO_MANY_NODES, "too_many_nodes") /* JSON */                                                 \
    X(NO_REFERENCE, "no_reference")     /* the copy for the reference was lost */                  \
    X(SHUT_DOWN, "shut_down")           /* the child stopped, or was killed */

typedef enum {
#define MIRROR_SKIP_ENUM(id, name) MIRROR_SKIP_##id,
    MIRROR_SKIPS(MIRROR_SKIP_ENUM)
#undef MIRROR_SKIP_ENUM
        MIRROR_SKIP_COUNT,
    MIRROR_SKIP_NONE = MIRROR_SKIP_COUNT
} mirror_skip_e;

typedef enum {
    MIRROR_PART_STATUS,
    MIRROR_PART_HEADER,
    MIRROR_PART_BODY,
    MIRROR_PART_COUNT
} mirror_part_e;

/* Kinds of differences. */
#define MIRROR_KINDS(X)                                                                            \
    X(STATUS, "status")             /* another status */                                           \
    X(MISSING, "missing")           /* the primary has it, the mirror has not */                   \
    X(EXTRA, "extra")               /* the reverse */                                              \
    X(VALUE, "value")               /* same type, another value */                                 \
    X(TYPE, "type")                 /* another JSON type, none of them null */                     \
    X(NULL, "null")                 /* one side is null */                                         \
    X(LENGTH, "length")             /* arrays of different length, bodies */                       \
    X(ORDER, "order")               /* the same elements in another order */                       \
    X(DUPLICATE, "duplicate")       /* one side has a member name twice */                         \
    X(SYNTAX, "syntax")             /* one side is no JSON */                                      \
    X(ENCODING, "encoding")         /* one side cannot be decoded */                               \
    X(CONTENT_TYPE, "content_type") /* another media type */                                       \
    X(TEXT, "text")                 /* other text */                                               \
    X(BYTES, "bytes")               /* other bytes */

typedef enum {
#define MIRROR_KIND_ENUM(id, name) MIRROR_KIND_##id,
    MIRROR_KINDS(MIRROR_KIND_ENUM)
#undef MIRROR_KIND_ENUM
        MIRROR_KIND_COUNT
} mirror_kind_e;

/* What examples keep of values (compare_values), in the order of the attribute's words. */
typedef enum {
    MIRROR_VALUES_MODE_OFF,
    MIRROR_VALUES_MODE_MASKED,
    MIRROR_VALUES_MODE_FULL
} mirror_values_e;

/* ---- any thread ---- */

/* The name of a verdict, a reason, a part ("status", "header", "body"), a kind; "?": there is none.
 * Static. */
const char *mirror_verdict_name(mirror_verdict_e verdict);
const char *mirror_skip_name(mirror_skip_e skip);
const char *mirror_part_name(mirror_part_e part);
const char *mirror_kind_name(mirror_kind_e kind);

#endif
