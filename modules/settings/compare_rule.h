/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/compare_rule.h - the rules of ProxyMirrorCompare and compare_rules: FIELD ACTION [VALUE].
 *
 * FIELD is "status", "header/NAME" (any case), "body", or "body/" and an RFC 6901 pointer: '*' is
 * one segment, '**' any number of them, none included; ~0 is '~', ~1 is '/', ~2 is a literal '*'. It
 * is the text that rows have. Rules are made at startup or with settings, and only read then. What
 * the rules are applied to comes from clients and mirrors: any bytes.
 */
#ifndef MIRROR_SETTINGS_COMPARE_RULE_H
#define MIRROR_SETTINGS_COMPARE_RULE_H

#include <apr_pools.h>
#include <apr_tables.h>

typedef enum {
    MIRROR_RULE_IGNORE = 1,   /* the field is not compared, nor what is below it */
    MIRROR_RULE_PRESENCE = 2, /* only whether it is there */
    MIRROR_RULE_MATCH = 4,    /* REGEX: equal if both values match */
    MIRROR_RULE_MASK = 8,     /* REGEX: cut out of both values first */
    MIRROR_RULE_WITHIN =
        16, /* N, or a time such as 2s or 500ms: numbers, or times, may differ by it */
    MIRROR_RULE_UNORDERED = 32, /* an array: the order does not count */
    MIRROR_RULE_KEY = 64,       /* an array: "/id" pairs its elements by that member */
    MIRROR_RULE_COMPARE =
        128, /* takes a header off the built-in list; a body field is never guessed noise */
    MIRROR_RULE_SECRET = 256 /* its values are never kept */
} mirror_rule_action_e;

typedef struct mirror_compare_rule_t mirror_compare_rule_t;

/* Rules `mask` for one field; further ones are not applied. */
#define MIRROR_RULE_MASKS_MAX 16

typedef struct mirror_rule_masks_t {
    const mirror_compare_rule_t *list[MIRROR_RULE_MASKS_MAX];
    int count;
} mirror_rule_masks_t;

/* One step from the root of a JSON text. */
typedef struct mirror_step_t {
    const char *name; /* of a member, unescaped, not ended by a NUL; NULL: an array element */
    apr_size_t len;
    unsigned index; /* of the element */
} mirror_step_t;

/* ---- startup, or a thread that makes settings ---- */

/* Read one rule; it is in `pool`. FIELD may be in double quotes, as it must be if it has a blank, and
 * VALUE, which is the rest of the line; in quotes \" is a quote, any other backslash is itself.
 * Returns NULL, or what is wrong in the form "FIELD: must be status, header/NAME, body or
 * body/POINTER, got ..." (each part names what is allowed and what came): a header name that is no
 * token (RFC 9110 5.6.2), a pointer with a lone '~', with '*' inside a segment, or with over 128
 * segments, an action that is not for this field (unordered and key are for bodies, only ignore and
 * presence for the status), a missing or a surplus value, a regular expression that does not compile or
 * recurses into all of itself, a FIELD over 256 or a VALUE over 1024 bytes, control characters. */
const char *mirror_compare_rule_parse(mirror_compare_rule_t **rule, const char *text,
                                      apr_pool_t *pool);

/* The text again, in its canonical form; a hash of it, which is never 0. */
const char *mirror_compare_rule_text(const mirror_compare_rule_t *rule);
apr_uint64_t mirror_compare_rule_id(const mirror_compare_rule_t *rule);

/* ---- any thread; `rules` is an array of mirror_compare_rule_t *, NULL: there are none ---- */

/* Find the next rule behind `after` (NULL: the first) that is for this field and whose action is in
 * the set `actions`. NULL: there is none. */
const mirror_compare_rule_t *mirror_compare_rule_status(const apr_array_header_t *rules,
                                                        unsigned actions,
                                                        const mirror_compare_rule_t *after);
const mirror_compare_rule_t *mirror_compare_rule_header(const apr_array_header_t *rules,
                                                        unsigned actions, const char *name,
                                                        apr_size_t len,
                                                        const mirror_compare_rule_t *after);
/* `depth` 0 is the body itself. */
const mirror_compare_rule_t *mirror_compare_rule_body(const apr_array_header_t *rules,
                                                      unsigned actions, const mirror_step_t *steps,
                                                      int depth,
                                                      const mirror_compare_rule_t *after);

/* Find a rule for any field of bodies. NULL: there is none. */
const mirror_compare_rule_t *mirror_compare_rule_any_body(const apr_array_header_t *rules,
                                                          unsigned actions);

mirror_rule_action_e mirror_compare_rule_action(const mirror_compare_rule_t *rule);

/* Whether the rule makes two values equal: PRESENCE always; MATCH, MASK on the bytes of strings (or
 * the text of numbers, headers, and whole texts); WITHIN on the text of numbers, of RFC 3339 times
 * and HTTP dates.
 *
 * A regular expression runs under a limit of 500,000 steps of PCRE for one search, some
 * milliseconds, and on at most 256 KiB: 8 KiB if it has parts whose steps PCRE does not count
 * (lookarounds, atomic and possessive ones, backreferences, large counts). MASK cuts at most 1,000
 * matches, and takes at most 50 ms of a processor. Beyond any of these the rule has failed: *failed
 * is set to 1, and the values are not equal. Else *failed is unchanged.
 *
 * WITHIN compares numbers exactly, as decimal digits; a number with more than 64 digits on a side of
 * the point is near to none. If the limit is a time, two numbers are both seconds since 1970, or,
 * from 10^11 on, both milliseconds. */
int mirror_compare_rule_equal(int *failed, const mirror_compare_rule_t *rule, const char *a,
                              apr_size_t a_len, const char *b, apr_size_t b_len);

/* Whether the rule is a MASK; if so, it is added to `masks`. */
int mirror_compare_rule_add_mask(mirror_rule_masks_t *masks, const mirror_compare_rule_t *rule);

/* Whether two values are equal when what all the masks match is cut out of them, in their order. The
 * limits are those of one rule for all together. *failed is set to the rule that has failed. */
int mirror_compare_rule_masked(const mirror_compare_rule_t **failed,
                               const mirror_rule_masks_t *masks, const char *a, apr_size_t a_len,
                               const char *b, apr_size_t b_len);

/* A copy of a text without what all the masks match, in their order; free() it. *len is that of the text, and
 * then of the copy. NULL: a limit was exceeded, or there is no memory. */
char *mirror_compare_rule_cut(const mirror_rule_masks_t *masks, const char *text, apr_size_t *len);

/* KEY: the name of the member, unescaped. */
const char *mirror_compare_rule_key(apr_size_t *len, const mirror_compare_rule_t *rule);

#endif
