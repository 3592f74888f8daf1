/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/follow.c - following the store of the fleet. See fleet/follow.h.
 *
 * A state is identified by epoch, revision and id, not by a greater number: after a failover or a
 * restore the store may have gone back, and what it says then holds. The head that was read before
 * the index counts as known, so a change meanwhile is found by the next poll.
 */
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "fleet/follow.h"
#include "fleet/stored.h"
#include "settings/change.h"

APLOG_USE_MODULE(proxy_mirror);

#define POLL_MAX    apr_time_from_sec(30) /* of all commands of a poll */
#define REREAD      100                   /* intervals; after them the index is read in any case */
#define UNKNOWN_MAX 65536
#define WHY_MAX     160 /* bytes of a reason */

/* A mirror, as the leader sees it. */
typedef struct subject_t {
    int is_listed;                     /* in the index of this poll */
    mirror_document_version_t listed;  /* there */
    mirror_document_version_t refused; /* revision 0 = nothing is refused */
    mirror_document_version_t odd;     /* listed when the document was of another version */
    char why[WHY_MAX];
    apr_uint64_t own;    /* version of the node's own settings with which it was judged last */
    apr_uint64_t before; /* version of what was stored here when the index of this poll was read */
} subject_t;

struct mirror_follow_t {
    const mirror_registry_t *registry;
    mirror_fleet_words_t *words;
    mirror_remote_t *remote;
    subject_t *subjects; /* by index of the mirror */
    apr_pool_t *pool;    /* cleared after each poll */
    int is_due;          /* 1 if the index must be read although the head is known */
    int judges_anew;     /* 1 until all documents were judged with this configuration */
    int has_entries;     /* 1 if the index of this poll has any */
    int malformed;       /* entries of the index of this poll that are malformed */
    int again;           /* 1 if a change was stored meanwhile: the next poll looks again */
    int changes;         /* counts reads of the index, after which the node's state may differ */
    int unknown;         /* names in it that are no mirrors here */
    apr_time_t read;     /* when the index was last read */
    apr_uint64_t known;  /* epoch that the node knew when this poll began; 0 = none */
};

static server_rec *log_of(const mirror_follow_t *follow)
{
    return follow->registry->fleet->server;
}

static const mirror_t *mirror_at(const mirror_follow_t *follow, int i)
{
    return APR_ARRAY_IDX(follow->registry->mirrors, i, const mirror_t *);
}

/* ---- judging ---- */

/* Whether no child of this load has logged that the listed document is refused. */
static int is_news(const mirror_follow_t *follow, int i)
{
    apr_uint64_t *word = &mirror_at(follow, i)->slot->fleet_refused;
    apr_uint64_t mark = follow->subjects[i].listed.id ^
                        (mirror_table_load(follow->registry->table) + APR_UINT64_C(1)) << 32;

    return apr_atomic_xchg64(word, mark) != mark;
}

static void refuse(mirror_follow_t *follow, int i, const mirror_stored_t *stored, const char *why)
{
    subject_t *subject = &follow->subjects[i];
    const mirror_t *mirror = mirror_at(follow, i);
    const char *rest = mirror_stored_rest(follow->registry, mirror, stored, follow->pool);

    if (is_news(follow, i)) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, log_of(follow),
            "PM0932: mirror %s: revision %" APR_INT64_T_FMT " of the fleet %s is refused; %s: %s",
            mirror->name, subject->listed.revision, follow->registry->fleet->name, rest, why);
    }
    subject->refused = subject->listed;
    apr_cpystrn(subject->why, why, sizeof(subject->why));
}

static void announce(mirror_follow_t *follow, int i, const mirror_document_t *document)
{
    subject_t *subject = &follow->subjects[i];

    subject->refused.revision = 0;
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, log_of(follow),
                 "PM0934: mirror %s: revision %" APR_INT64_T_FMT
                 " of the fleet %s, by %s on %s, is in force",
                 mirror_at(follow, i)->name, document->version.revision,
                 follow->registry->fleet->name, *document->by ? document->by : "nobody",
                 document->node);
}

/* Judge the document of a mirror in the store. Returns NULL or why it is refused. */
static const char *judge(mirror_follow_t *follow, int i, mirror_document_t *document,
                         const char *text, const mirror_stored_t *stored)
{
    subject_t *subject = &follow->subjects[i];
    const char *why;
    int again = 0;

    why = text ? mirror_document_parse(document, text, follow->pool) : NULL;
    if (why) {
        return why;
    }
    if (!text || !mirror_document_is_same(&document->version, &subject->listed) ||
        document->version.is_deleted) {
        /* perhaps it has changed meanwhile; the next poll finds out */
        if (mirror_document_is_same(&subject->odd, &subject->listed)) {
            return "document: must be of the version that the index has, got another";
        }
        subject->odd = subject->listed;
        follow->again = 1;
        return NULL;
    }
    why = mirror_stored_apply(&again, follow->registry, mirror_at(follow, i), document, stored,
                              follow->pool);
    follow->again |= again;
    if (!why && !again) {
        announce(follow, i, document);
    }
    return why;
}

/* Judge a document again that is stored here, as the configuration may be another one. A slow store must
 * not be asked for it: the next poll would begin with the first document again, and never reach the last
 * one. */
static void judge_stored(mirror_follow_t *follow, int i, const mirror_stored_t *stored)
{
    const char *why = mirror_settings_change_refuse_fleet(follow->registry, mirror_at(follow, i),
                                                          stored->text, follow->pool);

    follow->subjects[i].own = apr_atomic_read64(&mirror_at(follow, i)->slot->version);
    if (why) {
        refuse(follow, i, stored, why);
    }
    else {
        follow->subjects[i].refused.revision = 0;
    }
}

/* The document of a mirror was deleted; or the index has lost it, which is the same. */
static void leave(mirror_follow_t *follow, int i, const mirror_stored_t *stored)
{
    subject_t *subject = &follow->subjects[i];
    const mirror_t *mirror = mirror_at(follow, i);
    const char *why = NULL;
    int again = 0;

    subject->own = apr_atomic_read64(&mirror->slot->version);
    if (subject->is_listed) {
        why = mirror_stored_refuse_leave(follow->registry, mirror, stored, follow->pool);
    }
    if (why) {
        refuse(follow, i, stored, why);
        return;
    }
    subject->refused.revision = 0;
    if (stored->text) {
        mirror_stored_leave(&again, follow->registry, mirror, stored, follow->pool);
        follow->again |= again;
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, log_of(follow),
                     "PM0935: mirror %s: the fleet %s has no settings any more; the configuration "
                     "file is in force",
                     mirror->name, follow->registry->fleet->name);
    }
}

/* Whether a document is refused; not if the node's own settings, which may be why, have changed since. */
static int is_refused(const mirror_follow_t *follow, int i)
{
    return follow->subjects[i].refused.revision &&
           follow->subjects[i].own == apr_atomic_read64(&mirror_at(follow, i)->slot->version);
}

/* Bring one mirror to the version that the index lists. */
static apr_status_t settle(mirror_follow_t *follow, int i)
{
    subject_t *subject = &follow->subjects[i];
    mirror_document_t document;
    mirror_stored_t stored;
    const char *text, *why;
    apr_status_t rv;

    mirror_stored_read(&stored, follow->registry, mirror_at(follow, i), follow->pool);
    if (stored.version != subject->before) {
        follow->again = 1; /* this node has made a change meanwhile, which the index may lack */
        return APR_SUCCESS;
    }
    if (!subject->is_listed || subject->listed.is_deleted) {
        leave(follow, i, &stored);
        return APR_SUCCESS;
    }
    if (mirror_stored_is(&stored, &subject->listed)) {
        judge_stored(follow, i, &stored);
        return APR_SUCCESS;
    }
    if (is_refused(follow, i) && mirror_document_is_same(&subject->refused, &subject->listed)) {
        return APR_SUCCESS; /* with this configuration: see mirror_follow_begin() */
    }
    subject->own = apr_atomic_read64(&mirror_at(follow, i)->slot->version);
    rv = mirror_remote_get(&text, follow->remote, MIRROR_FLEET_DOCS, mirror_at(follow, i)->name,
                           follow->pool);
    why = rv == APR_SUCCESS ? judge(follow, i, &document, text, &stored) : NULL;
    if (why) {
        refuse(follow, i, &stored, why);
    }
    return rv;
}

/* ---- the index ---- */

/* The `visit` of mirror_remote_scan(). */
static int list(void *baton, const mirror_redis_reply_t *field, const mirror_redis_reply_t *value)
{
    mirror_follow_t *follow = baton;
    int i;

    follow->has_entries = 1;
    for (i = 0; i < follow->registry->mirrors->nelts; i++) {
        subject_t *subject = &follow->subjects[i];

        if (!mirror_redis_reply_is_text(field) || strcmp(mirror_at(follow, i)->name, field->text)) {
            continue;
        }
        subject->is_listed = mirror_redis_reply_is_text(value) &&
                             mirror_document_read_version(&subject->listed, value->text);
        follow->malformed += !subject->is_listed;
        return 1;
    }
    return ++follow->unknown <= UNKNOWN_MAX;
}

/* The store has no head, or no index. That is not the same as no settings: deletions are written. If
 * the node knew none when the poll began either, a change may have written the first one since. */
static void note_none(mirror_follow_t *follow)
{
    if (follow->known != 0 && apr_atomic_read64(&follow->words->epoch) != 0 &&
        apr_atomic_cas64(&follow->words->emptied, 1, 0) == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, log_of(follow),
                     "PM0936: the store of the fleet %s was emptied; its settings remain in force; "
                     "POST LOCATION/fleet/restore writes them again",
                     follow->registry->fleet->name);
    }
}

/* Read the index and settle all mirrors. `head`: as read before. */
static apr_status_t read_index(mirror_follow_t *follow, const mirror_remote_head_t *head)
{
    mirror_remote_head_t now;
    apr_status_t rv;
    int i;

    for (i = 0; i < follow->registry->mirrors->nelts; i++) {
        mirror_slot_t *slot = mirror_at(follow, i)->slot;

        follow->subjects[i].is_listed = 0;
        follow->subjects[i].before = slot ? apr_atomic_read64(&slot->fleet_version) : 0;
    }
    follow->has_entries = follow->malformed = follow->unknown = follow->again = 0;
    rv = mirror_remote_scan(follow->remote, MIRROR_FLEET_INDEX, list, follow);
    if (rv == APR_SUCCESS && (follow->malformed || follow->unknown > UNKNOWN_MAX)) {
        apr_cpystrn(follow->remote->fault, "the index is malformed or too long",
                    sizeof(follow->remote->fault));
        rv = APR_EGENERAL;
    }
    if (rv == APR_SUCCESS) {
        rv = mirror_remote_head(&now, follow->remote);
    }
    if (rv == APR_SUCCESS && (now.epoch != head->epoch || !follow->has_entries)) {
        follow->again = 1; /* emptied meanwhile, or the index was lost: nothing was deleted */
        if (now.epoch == head->epoch) {
            note_none(follow);
        }
        return rv;
    }
    for (i = 0; rv == APR_SUCCESS && i < follow->registry->mirrors->nelts; i++) {
        if (mirror_at(follow, i)->slot) {
            rv = settle(follow, i);
        }
    }
    return rv;
}

/* ---- a poll ---- */

static int is_known(mirror_fleet_words_t *words, const mirror_remote_head_t *head)
{
    return apr_atomic_read64(&words->epoch) == head->epoch &&
           apr_atomic_read64(&words->revision) == (apr_uint64_t)head->revision &&
           apr_atomic_read64(&words->id) == head->id;
}

/* Whether a document was refused, and the node's own settings have changed since. */
static int is_worth_a_try(const mirror_follow_t *follow)
{
    int i;

    for (i = 0; i < follow->registry->mirrors->nelts; i++) {
        if (follow->subjects[i].refused.revision && !is_refused(follow, i)) {
            return 1;
        }
    }
    return 0;
}

static void note_refused(mirror_follow_t *follow)
{
    apr_uint64_t refused = 0;
    int i;

    for (i = 0; i < follow->registry->mirrors->nelts; i++) {
        refused += follow->subjects[i].refused.revision != 0;
    }
    apr_atomic_set64(&follow->words->refused, refused);
}

static void note_head(mirror_follow_t *follow, const mirror_remote_head_t *head)
{
    apr_uint64_t epoch = apr_atomic_read64(&follow->words->epoch);

    if (apr_atomic_read64(&follow->words->name) != follow->registry->fleet->hash) {
        return; /* a reload has set another fleet, which a younger child follows */
    }
    if (epoch != 0 && (epoch != head->epoch || (apr_uint64_t)head->revision <
                                                   apr_atomic_read64(&follow->words->revision))) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, log_of(follow),
                     "PM0933: the store of the fleet %s has gone back, or is another one: its "
                     "settings are in force, revision %" APR_INT64_T_FMT,
                     follow->registry->fleet->name, head->revision);
    }
    apr_atomic_set64(&follow->words->epoch, head->epoch);
    apr_atomic_set64(&follow->words->revision, (apr_uint64_t)head->revision);
    apr_atomic_set64(&follow->words->id, head->id);
}

/* Whether the index is read although the head is known. A store whose keys were written one by one, as
 * by an incomplete restore, may have an index that does not belong to its head. */
static int is_due(const mirror_follow_t *follow)
{
    return follow->is_due || is_worth_a_try(follow) ||
           mirror_clock_now() - follow->read >= REREAD * follow->registry->fleet->interval;
}

apr_status_t mirror_follow_poll(mirror_follow_t *follow, int (*pause)(void *baton), void *baton,
                                const char **fault)
{
    mirror_remote_head_t head;
    apr_status_t rv;
    int touched = apr_atomic_cas64(&follow->words->touched, 0, 1) == 1;

    follow->remote->deadline = mirror_clock_now() + POLL_MAX;
    follow->known = apr_atomic_read64(&follow->words->epoch);
    follow->is_due |= touched;
    rv = mirror_remote_head(&head, follow->remote);
    *fault = follow->remote->fault;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (head.epoch == 0) {
        note_none(follow);
    }
    else if (follow->judges_anew || !is_known(follow->words, &head) || is_due(follow) ||
             apr_atomic_read64(&follow->words->emptied)) {
        if (!pause(baton)) {
            return APR_SUCCESS;
        }
        follow->read = mirror_clock_now();
        rv = read_index(follow, &head);
        if (rv == APR_SUCCESS && follow->has_entries) {
            note_refused(follow);
            follow->changes++;
            apr_atomic_set64(&follow->words->emptied, 0);
        }
        if (rv == APR_SUCCESS && !follow->again) {
            note_head(follow, &head);
            follow->judges_anew = follow->is_due = 0;
            apr_atomic_set64(&follow->words->load, mirror_table_load(follow->registry->table));
        }
    }
    apr_pool_clear(follow->pool);
    return rv;
}

/* ---- the node's state ---- */

void mirror_follow_print(yajl_gen gen, const mirror_follow_t *follow, apr_pool_t *pool)
{
    int i, listed = 0;

    mirror_document_put(gen, "refused");
    yajl_gen_map_open(gen);
    for (i = 0; i < follow->registry->mirrors->nelts && listed < MIRROR_FOLLOW_LISTED; i++) {
        const subject_t *subject = &follow->subjects[i];

        if (subject->refused.revision) {
            mirror_document_put(gen, mirror_at(follow, i)->name);
            yajl_gen_map_open(gen);
            mirror_document_put(gen, "id");
            mirror_document_put(gen, mirror_document_print_version(&subject->refused, pool));
            mirror_document_put(gen, "why");
            mirror_document_put(gen, subject->why);
            yajl_gen_map_close(gen);
            listed++;
        }
    }
    yajl_gen_map_close(gen);
    mirror_document_put(gen, "unknown");
    yajl_gen_integer(gen, follow->unknown);
}

int mirror_follow_changes(const mirror_follow_t *follow)
{
    return follow->changes;
}

/* ---- life ---- */

mirror_follow_t *mirror_follow_create(const mirror_registry_t *registry, apr_uint32_t *given_up,
                                      apr_pool_t *pool)
{
    mirror_follow_t *follow = apr_pcalloc(pool, sizeof(*follow));

    follow->registry = registry;
    follow->words = mirror_table_fleet(registry->table);
    follow->subjects =
        apr_pcalloc(pool, ((apr_size_t)registry->mirrors->nelts + 1) * sizeof(*follow->subjects));
    follow->remote = mirror_remote_create(registry->fleet, given_up, pool);
    follow->remote->beat = &follow->words->beat;
    apr_pool_create(&follow->pool, pool);
    apr_pool_tag(follow->pool, "mirror_fleet_poll"); /* the poller's thread */
    return follow;
}

/* Forget another fleet, whose documents do not apply any more. */
static void forget_other(mirror_follow_t *follow)
{
    int i;

    for (i = 0; i < follow->registry->mirrors->nelts; i++) {
        const mirror_t *mirror = mirror_at(follow, i);
        apr_uint64_t version = mirror->slot ? apr_atomic_read64(&mirror->slot->fleet_version) : 0;

        if (version != 0 && (version & 1) == 0) {
            mirror_store_drop(&mirror->slot->fleet_version, version);
        }
    }
    apr_atomic_set64(&follow->words->epoch, 0);
    apr_atomic_set64(&follow->words->revision, 0);
    apr_atomic_set64(&follow->words->id, 0);
    apr_atomic_set64(&follow->words->emptied, 0);
    apr_atomic_set64(&follow->words->refused, 0);
    apr_atomic_set64(&follow->words->held_until, 0);
    apr_atomic_set64(&follow->words->down_since, 0);
    apr_atomic_set64(&follow->words->up_since, 0);
    apr_atomic_set64(&follow->words->checked, 0);
    apr_atomic_set64(&follow->words->name, follow->registry->fleet->hash);
}

void mirror_follow_begin(mirror_follow_t *follow)
{
    if (apr_atomic_read64(&follow->words->name) != follow->registry->fleet->hash) {
        forget_other(follow);
    }
    memset(follow->subjects, 0,
           (apr_size_t)follow->registry->mirrors->nelts * sizeof(*follow->subjects));
    follow->judges_anew =
        apr_atomic_read64(&follow->words->load) != mirror_table_load(follow->registry->table) ||
        apr_atomic_read64(&follow->words->refused) != 0;
}

void mirror_follow_close(mirror_follow_t *follow)
{
    mirror_remote_close(follow->remote);
}

mirror_remote_t *mirror_follow_remote(mirror_follow_t *follow)
{
    return follow->remote;
}
