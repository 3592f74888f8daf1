/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/pair.c - the responses to one request, until both are there. See compare/pair.h.
 *
 * `state` has a bit for each half that has ended. The one that sets the last bit gives the pair to
 * the comparer, or frees it if it has expired.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>

#include "base/clock.h"
#include "compare/name.h"
#include "compare/pair.h"
#include "copy/log.h"
#include "copy/share.h"
#include "settings/rules.h"
#include "settings/settings.h"
#include "shared/table.h"

#define PRIMARY   1
#define MIRROR    2
#define REFERENCE 16 /* from the beginning if there is none */
#define ALL       (PRIMARY | MIRROR | REFERENCE)
/* The comparer is freeing the mirror's half; the pair is still its own. Then it has done so, and the
 * pair is of the one that ends the other half. */
#define EXPIRING 4
#define EXPIRED  8

#define KEPT_METHOD 16
#define KEPT_PATH   120
#define KEPT_ID     64

mirror_findings_t *mirror_pair_findings(const mirror_lane_t *lane)
{
    mirror_table_note_findings(lane->mirror->slot);
    return mirror_table_findings(lane->child->registry->table, lane->mirror->slot);
}

static int is_closed(const mirror_pair_t *pair)
{
    return apr_atomic_read32(&pair->lane->child->closed) != 0;
}

static void count_skip(mirror_lane_t *lane, mirror_skip_e skip)
{
    mirror_findings_skip(mirror_pair_findings(lane), skip, 1);
    apr_atomic_inc64(&lane->cell->decided);
}

/* ---- making ---- */

static int count_rules(const mirror_settings_t *settings, const mirror_pair_subject_t *subject)
{
    const apr_array_header_t *own = settings->rules ? settings->rules->compare : NULL;

    return (subject->rules ? subject->rules->nelts : 0) + (own ? own->nelts : 0);
}

static void add_rules(apr_array_header_t *rules, const apr_array_header_t *more)
{
    int i;

    for (i = 0; more && i < more->nelts && rules->nelts < rules->nalloc; i++) {
        ((void **)rules->elts)[rules->nelts++] = APR_ARRAY_IDX(more, i, void *);
    }
}

/* Copy `len` bytes of text to where there is room for them. Returns the copy. */
static const char *keep(char **room, const char *text, apr_size_t len)
{
    char *copy = *room;

    memcpy(copy, text, len);
    copy[len] = '\0';
    *room += len + 1;
    return copy;
}

static apr_size_t capped(apr_size_t len, apr_size_t max)
{
    return len < max ? len : max;
}

/* The block of a pair:   | mirror_pair_t | rules | group | method | path | request id | */
static void fill(mirror_pair_t *pair, const mirror_pair_subject_t *subject, int rules)
{
    apr_size_t path = strcspn(subject->path, "?");
    char *text = (char *)((void **)(pair + 1) + rules);

    pair->rules.elts = (char *)(pair + 1);
    pair->rules.elt_size = sizeof(void *);
    pair->rules.nalloc = rules;
    add_rules(&pair->rules, subject->rules);
    add_rules(&pair->rules, pair->settings->rules ? pair->settings->rules->compare : NULL);
    pair->group = text;
    if (subject->group) {
        mirror_name_cut(text, subject->group, strlen(subject->group));
    }
    else {
        mirror_name_group(text, subject->method, subject->method_len, subject->path, path);
    }
    text += MIRROR_GROUP_MAX + 1;
    pair->method = keep(&text, subject->method, capped(subject->method_len, KEPT_METHOD));
    pair->path = text;
    mirror_name_path(text, KEPT_PATH, subject->path, path);
    text += KEPT_PATH + 1;
    if (subject->request_id) {
        pair->request_id =
            keep(&text, subject->request_id, capped(strlen(subject->request_id), KEPT_ID));
    }
}

mirror_pair_t *mirror_pair_create(mirror_lane_t *lane, const mirror_settings_t *settings,
                                  const mirror_pair_subject_t *subject)
{
    int given = count_rules(settings, subject);
    int rules = given < MIRROR_PAIR_RULES_MAX ? given : MIRROR_PAIR_RULES_MAX;
    apr_size_t size = sizeof(mirror_pair_t) + (apr_size_t)rules * sizeof(void *) +
                      MIRROR_GROUP_MAX + KEPT_METHOD + KEPT_PATH + KEPT_ID + 4;
    mirror_pair_t *pair = NULL;

    apr_atomic_inc64(&lane->cell->chosen);
    if (mirror_share_take(&lane->child->compare_memory, &lane->compared, size)) {
        pair = malloc(size);
        if (!pair) {
            mirror_share_give(&lane->child->compare_memory, &lane->compared, size);
        }
    }
    if (!pair) {
        count_skip(lane, MIRROR_SKIP_MEMORY);
        return NULL;
    }
    memset(pair, 0, sizeof(*pair));
    pair->waits.pair = pair->done.pair = pair;
    pair->lane = lane;
    mirror_settings_keep(settings);
    pair->settings = settings;
    pair->charged = size;
    pair->skip = MIRROR_SKIP_NONE;
    pair->started = mirror_clock_now();
    pair->time = subject->time;
    fill(pair, subject, rules);
    pair->rules_left_out = given - rules;
    mirror_half_init(&pair->primary, lane, (apr_size_t)settings->compare_max_body);
    mirror_half_init(&pair->mirror, lane, (apr_size_t)settings->compare_max_body);
    mirror_half_init(&pair->reference, lane, (apr_size_t)settings->compare_max_body);
    pair->state = REFERENCE;
    return pair;
}

/* ---- the end ---- */

static void push_line(mirror_pair_t *pair, mirror_skip_e skip)
{
    mirror_log_line_t *line = pair->line;

    pair->line = NULL;
    if (line) {
        line->skip = skip;
        mirror_log_end(pair->lane->child, line, pair->outcome);
    }
}

void mirror_pair_free(mirror_pair_t *pair)
{
    mirror_lane_t *lane = pair->lane;

    mirror_half_free(&pair->primary);
    mirror_half_free(&pair->mirror);
    mirror_half_free(&pair->reference);
    mirror_share_give(&lane->child->compare_memory, &lane->compared, pair->charged);
    mirror_settings_drop(pair->settings);
    push_line(pair, pair->skip);
    free(pair);
}

void mirror_pair_skip(mirror_pair_t *pair, mirror_skip_e skip)
{
    if (!is_closed(pair)) {
        count_skip(pair->lane, skip);
    }
    pair->skip = skip;
    mirror_pair_free(pair);
}

/* All halves have ended. A pair that the comparer knows of is not freed here. */
static void give(mirror_pair_t *pair)
{
    mirror_child_t *child = pair->lane->child;

    if (is_closed(pair) || !child->pairs) {
        mirror_pair_skip(pair, MIRROR_SKIP_SHUT_DOWN);
        return;
    }
    if (apr_atomic_inc32(&child->pairs_pending) >= MIRROR_PAIR_PENDING_MAX && !pair->queued) {
        apr_atomic_dec32(&child->pairs_pending);
        mirror_pair_skip(pair, MIRROR_SKIP_BUSY);
        return;
    }
    mirror_queue_push(child->pairs, &pair->done.item);
}

/* A half has ended. */
static void end_half(mirror_pair_t *pair, apr_uint32_t half)
{
    apr_uint32_t state = apr_atomic_add32(&pair->state, half) | half;

    if ((state & ALL) != ALL || state & EXPIRING) {
        return;
    }
    if (state & EXPIRED) {
        mirror_pair_free(pair);
    }
    else {
        give(pair);
    }
}

void mirror_pair_refer(mirror_pair_t *pair)
{
    pair->has_reference = 1;
    apr_atomic_set32(&pair->state, 0);
}

void mirror_pair_end_primary(mirror_pair_t *pair, mirror_skip_e skip)
{
    if (skip != MIRROR_SKIP_NONE) {
        pair->primary.skip = skip;
        mirror_half_free(&pair->primary);
    }
    pair->primary.ended = mirror_clock_now();
    if (!pair->primary.took) {
        pair->primary.took = pair->primary.ended - pair->started;
    }
    end_half(pair, PRIMARY);
}

/* The response of a mirror or reference is complete, or there is none. */
static void end_response(mirror_half_t *half, mirror_outcome_e outcome, mirror_skip_e lost)
{
    half->ended = mirror_clock_now();
    if (outcome != MIRROR_OUTCOME_MIRRORED) {
        half->skip = outcome == MIRROR_OUTCOME_SHUT_DOWN ? MIRROR_SKIP_SHUT_DOWN : lost;
        mirror_half_free(half);
    }
}

void mirror_pair_end_mirror(mirror_pair_t *pair, mirror_outcome_e outcome, mirror_log_line_t *line)
{
    mirror_child_t *child = pair->lane->child;

    pair->outcome = outcome;
    pair->line = line;
    end_response(&pair->mirror, outcome, MIRROR_SKIP_NO_ANSWER);
    /* The event is in the queue before another half can see that this one has ended. */
    if (!(apr_atomic_read32(&pair->state) & PRIMARY) && child->pairs && !is_closed(pair)) {
        pair->queued = 1;
        mirror_queue_push(child->pairs, &pair->waits.item);
    }
    end_half(pair, MIRROR);
}

void mirror_pair_end_reference(mirror_pair_t *pair, mirror_outcome_e outcome,
                               mirror_log_line_t *line)
{
    end_response(&pair->reference, outcome, MIRROR_SKIP_NO_REFERENCE);
    if (line) {
        mirror_log_end(pair->lane->child, line, outcome);
    }
    end_half(pair, REFERENCE);
}

/* Free the halves that have ended. No other thread uses these: the pair is expiring. */
static void free_ended(mirror_pair_t *pair, apr_uint32_t state)
{
    if (state & MIRROR) {
        mirror_half_free(&pair->mirror);
    }
    if (state & REFERENCE) {
        mirror_half_free(&pair->reference);
    }
    if (state & PRIMARY) {
        mirror_half_free(&pair->primary);
    }
}

int mirror_pair_expire(mirror_pair_t *pair)
{
    apr_uint32_t state = apr_atomic_read32(&pair->state), seen;

    do {
        seen = state;
        if ((seen & ALL) == ALL) {
            return 0;
        }
        state = apr_atomic_cas32(&pair->state, seen | EXPIRING, seen);
    } while (state != seen);
    if (!is_closed(pair)) {
        count_skip(pair->lane, MIRROR_SKIP_TIMEOUT);
    }
    push_line(pair, MIRROR_SKIP_TIMEOUT);
    free_ended(pair, seen);
    state = seen | EXPIRING;
    do {
        seen = state;
        if ((seen & ALL) == ALL) { /* the other halves have ended meanwhile */
            mirror_pair_free(pair);
            return 1;
        }
        state = apr_atomic_cas32(&pair->state, (seen & ALL) | EXPIRED, seen);
    } while (state != seen);
    return 1;
}
