/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/entries.c - the copies of a request, and their outcomes. See capture/entries.h.
 */
#include <apr_atomic.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>

#include "attributes/expr.h"
#include "attributes/value.h"
#include "base/clock.h"
#include "capture/entries.h"
#include "copy/log.h"
#include "settings/rules.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

static void stop_waiting(mirror_entries_t *entries, mirror_entry_t *entry)
{
    entries->waiting -= entry->waits;
    entry->waits = 0;
}

/* Set the status of the response to the client in the log line, if it is known. */
static void log_primary(const mirror_entries_t *entries, mirror_copy_t *copy)
{
    if (copy->line && entries->response_begun) {
        copy->line->primary_status = entries->status;
        copy->line->primary_took = entries->took;
    }
}

/* Remove the copy from its entry. Under prefork a signal handler may end the child on top of this
 * thread. It destroys the request's pool, which abandons all copies in entries. So pushed or ended
 * copies must already be removed. */
static mirror_copy_t *take(mirror_entries_t *entries, mirror_entry_t *entry)
{
    mirror_copy_t *copy = apr_atomic_xchgptr((void *)&entry->copy, NULL);

    entries->live--;
    log_primary(entries, copy);
    return copy;
}

static void end_entry(mirror_entries_t *entries, mirror_entry_t *entry, mirror_outcome_e outcome)
{
    stop_waiting(entries, entry);
    entry->outcome = outcome;
    mirror_copy_end(take(entries, entry), outcome);
}

static void push_entry(mirror_entries_t *entries, mirror_entry_t *entry)
{
    mirror_copy_push(take(entries, entry));
}

/* Apply the attribute status. `status`: status of the response to the client; 0 = no response. */
static void status_known(mirror_entries_t *entries, int status)
{
    int i;

    for (i = 0; entries->live && i < entries->count; i++) {
        mirror_entry_t *entry = &entries->list[i];

        if (entry->copy && !mirror_rules_status(entry->copy->settings, status)) {
            end_entry(entries, entry, MIRROR_OUTCOME_FILTERED);
        }
    }
}

/* Push all copies that wait for nothing more; with `last_call` also without a response. */
static void push_ready(mirror_entries_t *entries, int last_call)
{
    int i;

    for (i = 0; entries->live && i < entries->count; i++) {
        mirror_entry_t *entry = &entries->list[i];

        if (entry->copy && !entry->waits &&
            (last_call || entries->response_begun ||
             (entry->copy->settings->when == MIRROR_WHEN_REQUEST && !entry->doubtful))) {
            push_entry(entries, entry);
        }
    }
}

/* ---- the body ---- */

void mirror_entries_body_broken(mirror_entries_t *entries)
{
    int i;

    for (i = 0; entries->waiting && i < entries->count; i++) {
        if (entries->list[i].waits) {
            end_entry(entries, &entries->list[i], MIRROR_OUTCOME_INCOMPLETE);
        }
    }
}

void mirror_entries_body_complete(mirror_entries_t *entries)
{
    int i;

    if (entries->waiting && entries->content) {
        mirror_content_complete(entries->content);
    }
    for (i = 0; entries->waiting && i < entries->count; i++) {
        mirror_entry_t *entry = &entries->list[i];

        if (!entry->waits) {
            continue;
        }
        if (entries->length >= 0 && entry->copy->body_len != entries->length) {
            end_entry(entries, entry, MIRROR_OUTCOME_INCOMPLETE);
            continue;
        }
        mirror_copy_complete(entry->copy, 1);
        stop_waiting(entries, entry);
        entry->doubtful = entries->doubtful;
    }
    if (!entries->doubtful) { /* else with the response, or at the last call */
        push_ready(entries, 0);
    }
}

void mirror_entries_reset(mirror_entries_t *entries)
{
    int i;

    for (i = 0; entries->live && i < entries->count; i++) {
        if (entries->list[i].copy && entries->list[i].doubtful) {
            end_entry(entries, &entries->list[i], MIRROR_OUTCOME_INCOMPLETE);
        }
    }
}

/* Complete entries that wait for a body of which no byte was received. */
static void complete_bodiless(mirror_entries_t *entries)
{
    int i;

    for (i = 0; entries->waiting && i < entries->count; i++) {
        mirror_entry_t *entry = &entries->list[i];

        if (entry->waits && entry->copy->body_len == 0) {
            mirror_copy_complete(entry->copy, 0);
            stop_waiting(entries, entry);
        }
    }
}

/* Create the content that the waiting copies share, for the rest of an announced body. */
static void share_content(mirror_entries_t *entries, mirror_child_t *child, apr_off_t stored)
{
    int i;

    entries->content =
        mirror_content_create(child, entries->length > stored ? entries->length - stored : 0);
    for (i = 0; entries->content && i < entries->count; i++) {
        const mirror_entry_t *entry = &entries->list[i];

        if (entry->waits) {
            mirror_content_join(entries->content, &entry->copy->rest, entry->copy->lane);
        }
    }
}

/* Append bytes that have no room in the copies, and end those that have no room for them. */
static void append_rest(mirror_entries_t *entries, const char *data, apr_size_t len)
{
    int i;

    if (entries->content) {
        mirror_content_append(entries->content, data, len);
    }
    for (i = 0; entries->waiting && i < entries->count; i++) {
        mirror_entry_t *entry = &entries->list[i];

        if (entry->waits && (!entries->content || entry->copy->rest.refused)) {
            end_entry(entries, entry, MIRROR_OUTCOME_MEMORY_FULL);
        }
    }
}

void mirror_entries_body_append(mirror_entries_t *entries, const char *data, apr_size_t len)
{
    mirror_child_t *child = NULL;
    apr_size_t stored = 0; /* the same for all: they have announced the same length */
    int i;

    for (i = 0; entries->waiting && i < entries->count; i++) {
        mirror_entry_t *entry = &entries->list[i];

        if (entry->waits) {
            mirror_outcome_e outcome = mirror_copy_accept(&stored, entry->copy, data, len);

            child = entry->copy->lane->child;
            if (outcome != MIRROR_OUTCOME_NONE) {
                end_entry(entries, entry, outcome);
            }
        }
    }
    if (entries->waiting && stored < len) {
        if (!entries->content) {
            share_content(entries, child, (apr_off_t)stored);
        }
        append_rest(entries, data + stored, len - stored);
    }
}

/* ---- the log ---- */

/* The id of mod_unique_id, as in the access log, or else the client's. NULL = none. */
static const char *request_id_of(const mirror_choice_t *choice)
{
    const char *id = apr_table_get(choice->r->subprocess_env, "UNIQUE_ID");

    return id ? id : apr_table_get(choice->r->headers_in, "X-Request-Id");
}

/* Return the log data of the request, read on demand. The id is mod_unique_id's, as in the access
 * log, or else the client's. */
static const mirror_log_subject_t *subject_of(mirror_choice_t *choice)
{
    mirror_log_subject_t *subject = &choice->subject;

    if (subject->log && !subject->uri) {
        subject->time = choice->first->request_time;
        subject->method = choice->method.name;
        subject->method_len = choice->method.len;
        subject->uri = choice->first->unparsed_uri ? choice->first->unparsed_uri : "";
        subject->request_id = request_id_of(choice);
    }
    return subject;
}

/* ---- pairs to compare ---- */

/* Log once for each mirror that there are more rules than are applied: sections are merged for each
 * request, so that no check of the configuration finds all such requests. */
static void log_left_out_rules(mirror_lane_t *lane, const request_rec *r, const mirror_pair_t *pair)
{
    if (pair->rules_left_out > 0 && apr_atomic_cas32(&lane->logged_rules, 1, 0) == 0) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "PM0953: mirror %s: more than %d rules of ProxyMirrorCompare and "
                      "compare_rules apply to %s; the last %d are ignored",
                      lane->mirror->name, MIRROR_PAIR_RULES_MAX,
                      mirror_value_quote(r->uri, r->pool), pair->rules_left_out);
    }
}

static void pair_up(mirror_entries_t *entries, mirror_entry_t *entry, mirror_choice_t *choice,
                    mirror_lane_t *lane, const mirror_settings_t *settings)
{
    const mirror_rules_t *rules = settings->rules;
    const request_rec *first = choice->first;
    mirror_pair_subject_t subject = { 0 };

    if (!mirror_choose_compares(choice, lane, settings)) {
        return;
    }
    if (rules && rules->compare_group) {
        subject.group = mirror_expr_string(choice->r, rules->compare_group, NULL, NULL, lane,
                                           MIRROR_EXPR_COMPARE_GROUP);
    }
    subject.method = choice->method.name;
    subject.method_len = choice->method.len;
    subject.path = first->parsed_uri.path ? first->parsed_uri.path : first->uri;
    subject.request_id = request_id_of(choice);
    subject.time = first->request_time;
    subject.rules = choice->rules;
    entry->pair = mirror_pair_create(lane, settings, &subject);
    if (entry->pair) {
        log_left_out_rules(lane, first, entry->pair);
        entry->copy->pair = entry->pair;
        entry->copy->half = &entry->pair->mirror;
        entry->copy->pair_end = mirror_pair_end_mirror;
        entries->pairs++;
        entries->primary_skip = MIRROR_SKIP_NONE;
        if (entries->primary_max < settings->compare_max_body) {
            entries->primary_max = settings->compare_max_body;
        }
    }
}

/* ---- losses ---- */

/* Note a copy that was rejected and counts as lost; `shape`: of the copy. */
static void note_loss(const mirror_choice_t *choice, const mirror_shape_t *shape,
                      mirror_lane_t *lane, mirror_outcome_e outcome)
{
    mirror_loss_t loss = { outcome, MIRROR_WHY_UNKNOWN, APR_SUCCESS, NULL, NULL, 0, 0 };

    if (!mirror_lost_is_loss(outcome)) {
        return;
    }
    loss.method = choice->method.name;
    loss.method_len = choice->method.len;
    loss.target = shape->target;
    loss.target_len = shape->target_len;
    if (shape->path_len > 0) {
        loss.target_len += shape->path_len;
        loss.target =
            apr_pstrcat(choice->r->pool, shape->path,
                        apr_pstrmemdup(choice->r->pool, shape->target, shape->target_len), NULL);
    }
    mirror_lost_add(lane->lost, &loss);
}

/* ---- the decision ---- */

/* Begin a copy for an entry that is chosen. */
static void begin(mirror_entries_t *entries, mirror_entry_t *entry, mirror_choice_t *choice,
                  const mirror_shape_t *shape, mirror_lane_t *lane,
                  const mirror_settings_t *settings)
{
    apr_off_t announced;

    entry->waits = settings->body && choice->body != MIRROR_BODY_NONE;
    announced = entry->waits && !choice->head->chunked ? choice->head->content_length : 0;
    entry->outcome = mirror_copy_create(&entry->copy, lane, settings,
                                        choice->head->size + shape->size, announced);
    if (entry->outcome != MIRROR_OUTCOME_NONE) {
        note_loss(choice, shape, lane, entry->outcome);
        mirror_log_refused(lane, subject_of(choice), entry->outcome);
        entry->waits = 0;
        return;
    }
    if (choice->subject.log) {
        mirror_copy_log(entry->copy, mirror_log_line_create(subject_of(choice), lane->mirror->name),
                        choice->subject.log);
    }
    if (settings->compare && !entry->further && settings->role == MIRROR_ROLE_MIRROR) {
        pair_up(entries, entry, choice, lane, settings);
    }
    mirror_head_write(entry->copy, choice->head, shape);
    entries->live++;
    entries->waiting += entry->waits;
    if (!entry->waits) {
        mirror_copy_complete(entry->copy, settings->body && choice->head->content_length == 0);
    }
}

/* Decide whether a mirror gets copies; make their shape if so, or if they count as lost. */
static mirror_outcome_e decide(mirror_shape_t *shape, mirror_choice_t *choice, mirror_lane_t *lane,
                               const mirror_settings_t *settings)
{
    mirror_outcome_e outcome = mirror_choose(choice, lane, settings);

    if (outcome == MIRROR_OUTCOME_NONE || mirror_lost_is_loss(outcome)) {
        mirror_shape_make(shape, &choice->targets, &choice->method, settings, choice->r,
                          choice->first);
    }
    return outcome;
}

/* Count and log a request that was rejected before a copy was created. */
static void reject(mirror_choice_t *choice, const mirror_shape_t *shape, mirror_lane_t *lane,
                   mirror_outcome_e outcome)
{
    apr_atomic_inc64(&lane->cell->outcomes[outcome]);
    note_loss(choice, shape, lane, outcome);
    if (choice->subject.log && mirror_log_has_line(outcome)) {
        mirror_log_refused(lane, subject_of(choice), outcome);
    }
}

/* Add one entry after the decision `outcome`, and begin its copy if it is chosen. `further`: see
 * mirror_entry_t. */
static mirror_entry_t *add_entry(mirror_entries_t *entries, int further, mirror_outcome_e outcome,
                                 mirror_choice_t *choice, const mirror_shape_t *shape,
                                 mirror_lane_t *lane, const mirror_settings_t *settings)
{
    mirror_entry_t *entry = &entries->list[entries->count++];

    apr_atomic_inc64(&lane->cell->seen);
    entry->further = further != 0;
    entry->outcome = outcome;
    if (outcome == MIRROR_OUTCOME_NONE) {
        begin(entries, entry, choice, shape, lane, settings);
    }
    else {
        reject(choice, shape, lane, outcome);
    }
    return entry;
}

void mirror_entries_see(mirror_entries_t *entries, mirror_choice_t *choice, mirror_lane_t *lane,
                        const mirror_settings_t *settings)
{
    mirror_shape_t shape;
    mirror_outcome_e outcome = decide(&shape, choice, lane, settings);
    apr_int64_t i;

    for (i = 0; i < settings->copies && entries->count < entries->room; i++) {
        add_entry(entries, i > 0, outcome, choice, &shape, lane, settings);
    }
}

void mirror_entries_refer(mirror_entries_t *entries, const mirror_entry_t *of,
                          mirror_choice_t *choice, mirror_lane_t *lane,
                          const mirror_settings_t *settings)
{
    mirror_shape_t shape;
    mirror_outcome_e outcome = decide(&shape, choice, lane, settings);
    mirror_entry_t *entry;

    mirror_pair_refer(of->pair);
    entry = add_entry(entries, 0, outcome, choice, &shape, lane, settings);
    if (entry->copy) {
        entry->copy->pair = of->pair;
        entry->copy->half = &of->pair->reference;
        entry->copy->pair_end = mirror_pair_end_reference;
    }
    else {
        mirror_pair_end_reference(of->pair, entry->outcome, NULL);
    }
}

/* ---- the end ---- */

const char *mirror_entries_outcomes(const mirror_entries_t *entries, apr_pool_t *pool)
{
    const char *outcomes = NULL;
    int i = 0;

    while (i < entries->count) {
        mirror_outcome_e outcome = entries->list[i++].outcome;

        for (; i < entries->count && entries->list[i].further; i++) {
            if (entries->list[i].outcome == MIRROR_OUTCOME_NONE) {
                outcome = MIRROR_OUTCOME_NONE;
            }
        }
        outcomes = outcomes ? apr_pstrcat(pool, outcomes, ",", mirror_outcome_name(outcome), NULL)
                            : mirror_outcome_name(outcome);
    }
    return outcomes;
}

void mirror_entries_ready(mirror_entries_t *entries)
{
    push_ready(entries, 0);
}

void mirror_entries_response_begun(mirror_entries_t *entries, int status)
{
    entries->response_begun = 1;
    entries->status = status;
    entries->took = entries->request_time ? mirror_clock_now() - entries->request_time : 0;
    status_known(entries, status);
    push_ready(entries, 0);
}

void mirror_entries_last_call(mirror_entries_t *entries)
{
    if (entries->bodiless) {
        complete_bodiless(entries);
    }
    mirror_entries_body_broken(entries);
    if (!entries->response_begun) {
        status_known(entries, 0);
    }
    push_ready(entries, 1);
}

void mirror_entries_abandon(mirror_entries_t *entries)
{
    int i;

    for (i = 0; entries->live && i < entries->count; i++) {
        if (entries->list[i].copy) {
            end_entry(entries, &entries->list[i], MIRROR_OUTCOME_INCOMPLETE);
        }
    }
}
