/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_state.h - the inside of the room compare/tree: nodes, texts, and one comparison.
 *
 *     json.c         contexts, and the way of one comparison
 *     json_read.c    text -> nodes, by yajl's callbacks
 *     json_hash.c    hashes of nodes
 *     json_number.c  numbers by value
 *     json_descend.c nodes that differ -> rows
 *     json_array.c   the pairing of elements of arrays
 *     json_path.c    the text of a field
 *     tree_marks.c   which values differ, beside a reference
 *
 * Nodes are in the order of the text, a container before its children. The children of a container
 * are a list through `next`: the elements of an array in their order; the members of an object
 * sorted by the hash of their names, of each name the last. What differs is a stack of items, each
 * a pair of nodes. An item is popped, and the pairs of its children that differ are pushed; so the
 * steps from the root are always those of the item popped last.
 */
#ifndef MIRROR_COMPARE_TREE_STATE_H
#define MIRROR_COMPARE_TREE_STATE_H

#include "compare/tree.h"
#include "settings/compare_rule.h"

/* No node. */
#define MIRROR_NODE_NONE 0xffffffffu
/* Bytes of a text; lengths and offsets have 32 bits. */
#define MIRROR_TREE_TEXT_MAX (64 * 1024 * 1024)
/* Objects with more members are maps: all names of their members are '*' in rows. */
#define MIRROR_TREE_MEMBERS_NAMED 64
/* Regular expressions that may fail in one comparison; from then on none is applied. */
#define MIRROR_TREE_FAILED_MAX 16

typedef enum {
    MIRROR_NODE_NULL,
    MIRROR_NODE_BOOL,
    MIRROR_NODE_NUMBER,
    MIRROR_NODE_STRING,
    MIRROR_NODE_ARRAY,
    MIRROR_NODE_OBJECT
} mirror_node_kind_e;

/* What is hashed; each has a key of its own. */
typedef enum {
    MIRROR_HASH_NULL,
    MIRROR_HASH_BOOL,
    MIRROR_HASH_NUMBER,
    MIRROR_HASH_NUMBER_TEXT, /* as it is written: too long to compare by value */
    MIRROR_HASH_STRING,
    MIRROR_HASH_STRING_TEXT, /* as it is written: with a lone surrogate */
    MIRROR_HASH_NAME,
    MIRROR_HASH_NAME_TEXT,
    MIRROR_HASH_ARRAY,
    MIRROR_HASH_OBJECT,
    MIRROR_HASH_REPEATS,
    MIRROR_HASH_COUNT
} mirror_hash_e;

typedef struct mirror_node_t {
    unsigned char kind;         /* mirror_node_kind_e */
    unsigned char is_text;      /* STRING: `value` is as it is written */
    unsigned char name_is_text; /* the same of `name` */
    unsigned char is_repeated;  /* its name occurs again in its object */
    unsigned char names_secret; /* OBJECT: one of tree_descend.c; 0: not yet known */
    apr_uint32_t count;         /* elements, or members with different names */
    apr_uint32_t first, next;   /* child, sibling; MIRROR_NODE_NONE */
    apr_uint32_t end;           /* of the nodes in it */
    apr_uint32_t name_len, value_len;
    const char *name;  /* of a member, in the text or in `decoded`; NULL: it is none */
    const char *value; /* of all but containers */
    apr_uint64_t name_hash;
    apr_uint64_t hash;    /* equal: the values are equal */
    apr_uint64_t sum;     /* ARRAY: equal, with equal counts: the same elements in some order */
    apr_uint64_t repeats; /* which names are repeated in it and below; 0: none */
} mirror_node_t;

typedef struct mirror_tree_text_t {
    const char *text;
    apr_size_t len;
    mirror_node_t *nodes; /* the root is the first */
    unsigned count, room;
    char *decoded; /* strings with escapes; never more bytes than the text has */
    apr_size_t used, decoded_room;
} mirror_tree_text_t;

/* A child in a list that is sorted. */
typedef struct mirror_tree_entry_t {
    apr_uint64_t hash; /* what it is sorted by */
    const mirror_node_t *node;
    apr_uint32_t index; /* of an element */
} mirror_tree_entry_t;

/* Two nodes to look at; `b` or `a` MIRROR_NODE_NONE: missing, extra. */
typedef struct mirror_tree_item_t {
    apr_uint32_t a, b;
    apr_uint32_t index; /* of an element, in `a` if it is there */
    unsigned char depth;
    unsigned char is_starred; /* the name is '*' in rows */
} mirror_tree_item_t;

/* A byte for each node of the primary's text; 0: it does not differ. */
typedef struct mirror_tree_marks_t {
    unsigned char *list;
    unsigned room, count; /* count 0: unknown */
} mirror_tree_marks_t;

struct mirror_tree_context_t {
    unsigned char keys[MIRROR_HASH_COUNT][16];
    mirror_tree_text_t texts[2];
    /* memory of containers being hashed and arrays being paired, by side */
    mirror_tree_entry_t *entries[2];
    unsigned entries_room[2];
    apr_uint64_t *words; /* two for each child */
    unsigned words_room;
    mirror_tree_item_t *items; /* the stack */
    unsigned item_count, item_room;
    mirror_tree_marks_t marks[2]; /* of mirror, of reference */
};

/* How a step is shown in rows. */
typedef enum {
    MIRROR_SHOWN_UNKNOWN, /* not decided yet */
    MIRROR_SHOWN_STAR,
    MIRROR_SHOWN_NAME
} mirror_shown_e;

/* One comparison. */
typedef struct mirror_tree_run_t {
    mirror_tree_context_t *context;
    const mirror_tree_options_t *options;
    mirror_rows_t *rows;
    int failed;        /* regular expressions */
    apr_time_t begun;  /* mirror_clock_thread()'s */
    int out_of_memory; /* an item was lost */
    /* the nodes of the item at hand; NULL: missing, extra */
    const mirror_node_t *at[2];
    int depth; /* steps of the item at hand */
    mirror_step_t steps[MIRROR_TREE_DEPTH_MAX + 1];
    unsigned char shown[MIRROR_TREE_DEPTH_MAX + 1]; /* mirror_shown_e */
} mirror_tree_run_t;

/* ---- the context's thread: json.c ---- */

/* Make room for `needed` elements of `size` bytes in *list, which has *room. Returns 0 if there is no
 * memory; *list is as it was then. */
int mirror_tree_grow(void **list, unsigned *room, apr_size_t needed, apr_size_t size);

/* ---- json_read.c ---- */

/* Read `text->text` into its nodes. Returns MIRROR_TREE_DONE, or NONE if it is no JSON, or which
 * cap was hit. `unordered`: as in mirror_tree_options_t. */
mirror_tree_e mirror_tree_read(mirror_tree_text_t *text, mirror_tree_context_t *context,
                               int unordered);

/* ---- json_number.c ---- */

/* The longest form of a number: sign, exponent, 64 digits. */
#define MIRROR_NUMBER_MAX (1 + 8 + 64)

/* Write the form of a JSON number, which equal numbers have in common, to `form`
 * (MIRROR_NUMBER_MAX bytes). Returns its length; 0: it has over 64 significant digits or an
 * exponent beyond +-1,000,000, and is compared as text. */
apr_size_t mirror_tree_number_form(unsigned char *form, const char *text, apr_size_t len);

/* Whether a JSON number is written as an integer. */
int mirror_tree_number_is_integer(const char *text, apr_size_t len);

/* ---- json_hash.c ---- */

/* Derive the keys of a context. */
void mirror_tree_hash_seed(mirror_tree_context_t *context, const unsigned char seed[16]);

apr_uint64_t mirror_tree_hash_bytes(const mirror_tree_context_t *context, mirror_hash_e what,
                                    const void *bytes, apr_size_t len);

/* Set the hash of a value that is no container. */
void mirror_tree_hash_scalar(const mirror_tree_context_t *context, mirror_node_t *node);

/* Set the hashes of a container whose children are complete. The members of an object are sorted,
 * and linked anew without those that come again. Returns 0 if there is no memory. */
int mirror_tree_hash_array(mirror_tree_context_t *context, mirror_tree_text_t *text,
                           mirror_node_t *node, int unordered);
int mirror_tree_hash_object(mirror_tree_context_t *context, mirror_tree_text_t *text,
                            mirror_node_t *node);

/* Compare two members by the hashes of their names, then the names. Returns <0, 0, >0. */
int mirror_tree_hash_order(const mirror_node_t *a, const mirror_node_t *b);

/* ---- json_descend.c ---- */

/* Look at the roots and at all below that differs, and add rows. */
void mirror_tree_descend(mirror_tree_run_t *run);

/* Whether two nodes differ in value, or in names that are repeated. */
int mirror_tree_descend_differ(const mirror_node_t *a, const mirror_node_t *b);

/* Push a pair of children of the item at hand, one of which may be NULL. `is_starred`: as in
 * mirror_tree_item_t. */
void mirror_tree_descend_push(mirror_tree_run_t *run, const mirror_node_t *a,
                              const mirror_node_t *b, apr_uint32_t index, int is_starred);

/* Add a row of the item at hand. */
void mirror_tree_descend_add(mirror_tree_run_t *run, mirror_kind_e kind);

/* Count a difference of the item at hand that a rule forgives. */
void mirror_tree_descend_forgive(mirror_tree_run_t *run, mirror_kind_e kind,
                                 const mirror_compare_rule_t *rule);

/* The next rule for the item at hand; NULL: there is none. */
const mirror_compare_rule_t *mirror_tree_descend_rule(const mirror_tree_run_t *run,
                                                      unsigned actions,
                                                      const mirror_compare_rule_t *after);

/* ---- json_array.c ---- */

/* Look at two arrays with different hashes: add rows, or push pairs of elements. */
void mirror_tree_array(mirror_tree_run_t *run, const mirror_node_t *a, const mirror_node_t *b);

/* ---- json_path.c ---- */

/* Write the field of the item at hand to `field` (MIRROR_FIELD_MAX + 1 bytes): "body" and a pointer.
 * As a field of a rule, it matches the item. */
void mirror_tree_path(char *field, mirror_tree_run_t *run);

/* ---- tree_marks.c ---- */

/* Begin the marks of the comparison, if it is of a side. */
void mirror_tree_marks_begin(mirror_tree_run_t *run);

/* Mark the item at hand, which differs as `row` says; NULL: there was no room for its row. */
void mirror_tree_marks_add(mirror_tree_run_t *run, mirror_kind_e kind, const mirror_row_t *row);

#endif
