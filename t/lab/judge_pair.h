/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * judge_pair.h - a pair of responses to compare, for the unit tests of compare/judge.
 */
#ifndef LAB_JUDGE_PAIR_H
#define LAB_JUDGE_PAIR_H

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <apr_strings.h>
#include <check.h>

#include "compare/judge.h"
#include "json_pair.h"

#define JSON "Content-Type: application/json\n"
#define GZIP "Content-Encoding: gzip\n"

static mirror_judgement_t judgement;
static mirror_judge_options_t how;
static mirror_half_t a, b;

static inline apr_status_t free_data(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* Copies of the very length, so that a tool sees each byte read beyond. Freed with the pool. */
static inline void fill_bytes(mirror_bytes_t *bytes, const char *data, apr_size_t len)
{
    bytes->data = len > 0 ? memcpy(malloc(len), data, len) : NULL;
    bytes->len = bytes->room = len;
    if (len > 0) {
        apr_pool_cleanup_register(pool, bytes->data, free_data, apr_pool_cleanup_null);
    }
}

/* A response. */
static inline void fill(mirror_half_t *half, int status, const char *head, const char *body)
{
    memset(half, 0, sizeof(*half));
    half->status = status;
    half->skip = half->body_skip = MIRROR_SKIP_NONE;
    fill_bytes(&half->head, head, strlen(head));
    fill_bytes(&half->body, body, strlen(body));
}

/* Two empty responses, of which these parts are compared. */
static inline void prepare_parts(unsigned parts)
{
    setup();
    memset(&how, 0, sizeof(how));
    how.parts = parts;
    how.may_examine = 1;
    how.now = options.now;
    how.json = context;
    how.pool = pool;
    fill(&a, 200, "", "");
    fill(&b, 200, "", "");
}

/* The verdict, or the reason to skip it, and all rows. */
static inline const char *judged(void)
{
    const char *text;
    int i;

    memset(&judgement, 0xaa, sizeof(judgement));
    how.rules = options.rules;
    mirror_judge(&judgement, &how, &a, &b);
    text = judgement.skip != MIRROR_SKIP_NONE ? mirror_skip_name(judgement.skip)
                                              : mirror_verdict_name(judgement.verdict);
    for (i = 0; i < judgement.rows.count; i++) {
        const mirror_row_t *row = &judgement.rows.list[i];

        text = apr_pstrcat(pool, text, i ? ", " : ": ", row->field, " ",
                           mirror_kind_name((mirror_kind_e)row->kind),
                           row->built_in ? " (built in)" : "", NULL);
    }
    return text;
}

/* The body is these bytes, compressed. */
static inline void gzip_body(mirror_half_t *half, const void *data, apr_size_t len)
{
    z_stream z;
    apr_size_t room;
    char *out;

    memset(&z, 0, sizeof(z));
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    room = deflateBound(&z, len);
    out = apr_palloc(pool, room);
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    fill_bytes(&half->body, out, z.total_out);
    deflateEnd(&z);
}

#endif
