/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/lost.c - the last copies of a mirror that did not arrive. See shared/lost.h.
 */
#include <apr_atomic.h>
#include <apr_errno.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "shared/findings_state.h"
#include "shared/lost.h"

#define METHOD_WORDS (MIRROR_LOST_METHOD / 8)
#define PATH_WORDS   (MIRROR_LOST_PATH / 8)
#define CUT          "..."

/* The words of an entry; those of a shorter text are not written. */
enum { NUMBER, TIME, WHAT, METHOD, PATH = METHOD + METHOD_WORDS, WORDS = PATH + PATH_WORDS };

typedef struct entry_t {
    apr_uint64_t words[WORDS]; /* atomic */
    apr_uint64_t check;        /* atomic; written last: checksum of the words in use */
} entry_t;

struct mirror_lost_t {
    apr_uint64_t count; /* atomic: losses ever written */
    entry_t entries[MIRROR_LOST_MAX];
};

/* the word WHAT: outcome, reason, number of words in use, error of the system */
#define WHAT_OF(outcome, why, used, rv)                                                            \
    ((apr_uint64_t)(outcome) | (apr_uint64_t)(why) << 8 | (apr_uint64_t)(used) << 16 |             \
     (apr_uint64_t)(apr_uint32_t)(rv) << 32)
#define OUTCOME_OF(what) ((int)((what)&0xff))
#define WHY_OF(what)     ((int)((what) >> 8 & 0xff))
#define USED_OF(what)    ((int)((what) >> 16 & 0xff))
#define RV_OF(what)      ((apr_status_t)(apr_int32_t)(apr_uint32_t)((what) >> 32))

apr_size_t mirror_lost_size(void)
{
    return sizeof(mirror_lost_t);
}

/* Return the reason of a loss of which only the outcome is known; UNKNOWN = no loss. */
static mirror_why_e why_of(mirror_outcome_e outcome)
{
    switch (outcome) {
    case MIRROR_OUTCOME_TOO_LARGE:
        return MIRROR_WHY_MAX_BODY;
    case MIRROR_OUTCOME_INCOMPLETE:
        return MIRROR_WHY_BODY;
    case MIRROR_OUTCOME_QUEUE_FULL:
        return MIRROR_WHY_QUEUE;
    case MIRROR_OUTCOME_MEMORY_FULL:
        return MIRROR_WHY_MEMORY;
    case MIRROR_OUTCOME_UNREACHABLE:
        return MIRROR_WHY_DOWN;
    case MIRROR_OUTCOME_TLS_FAILED:
        return MIRROR_WHY_HANDSHAKE;
    case MIRROR_OUTCOME_TIMED_OUT:
        return MIRROR_WHY_TIMEOUT;
    case MIRROR_OUTCOME_BROKEN:
        return MIRROR_WHY_CLOSED;
    case MIRROR_OUTCOME_LIMIT_FAILED:
        return MIRROR_WHY_REDIS;
    case MIRROR_OUTCOME_SHUT_DOWN:
        return MIRROR_WHY_STOPPED;
    default:
        return MIRROR_WHY_UNKNOWN;
    }
}

int mirror_lost_is_loss(mirror_outcome_e outcome)
{
    return why_of(outcome) != MIRROR_WHY_UNKNOWN;
}

/* FNV-1a over words, each spread over all bits. */
static apr_uint64_t checksum(const apr_uint64_t *words, int used)
{
    apr_uint64_t sum = MIRROR_HASH_START;
    int i;

    for (i = 0; i < used; i++) {
        sum = mirror_hash_add(sum, words[i]);
        sum ^= sum >> 29;
    }
    return sum;
}

/* ---- writing ---- */

/* Fill words with a text of at most 8 * `max` bytes. Returns the number of words in use. */
static int fill(apr_uint64_t *words, int max, const char *text, apr_size_t len)
{
    apr_size_t size = (apr_size_t)max * 8, cut = sizeof(CUT) - 1;

    memset(words, 0, size);
    if (len <= size) {
        memcpy(words, text, len);
        return (int)((len + 7) / 8);
    }
    memcpy(words, text, size - cut);
    memcpy((char *)words + size - cut, CUT, cut);
    return max;
}

static apr_size_t length_of_path(const mirror_loss_t *loss)
{
    const char *query = memchr(loss->target, '?', loss->target_len);

    return query ? (apr_size_t)(query - loss->target) : loss->target_len;
}

void mirror_lost_add(mirror_lost_t *lost, const mirror_loss_t *loss)
{
    mirror_why_e why = why_of(loss->outcome);
    apr_uint64_t words[WORDS];
    entry_t *entry;
    int used, i;

    if (!lost || why == MIRROR_WHY_UNKNOWN) {
        return;
    }
    why = loss->why != MIRROR_WHY_UNKNOWN ? loss->why : why;
    fill(words + METHOD, METHOD_WORDS, loss->method, loss->method_len);
    used = PATH + fill(words + PATH, PATH_WORDS, loss->target, length_of_path(loss));
    words[NUMBER] = apr_atomic_inc64(&lost->count) + 1;
    words[TIME] = (apr_uint64_t)mirror_clock_now();
    words[WHAT] = WHAT_OF(loss->outcome, why, used, loss->rv);
    entry = &lost->entries[words[NUMBER] % MIRROR_LOST_MAX];
    for (i = 0; i < used; i++) {
        apr_atomic_set64(&entry->words[i], words[i]);
    }
    apr_atomic_set64(&entry->check, checksum(words, used));
}

/* ---- reading ---- */

/* Copy an entry. Returns 0 if it was never written, or is torn. */
static int copy(apr_uint64_t *words, entry_t *entry, int index)
{
    apr_uint64_t check = apr_atomic_read64(&entry->check);
    int used, i;

    memset(words, 0, WORDS * sizeof(*words));
    for (i = 0; i < PATH; i++) {
        words[i] = apr_atomic_read64(&entry->words[i]);
    }
    used = USED_OF(words[WHAT]);
    if (words[NUMBER] == 0 || words[NUMBER] % MIRROR_LOST_MAX != (apr_uint64_t)index ||
        used < PATH || used > WORDS) {
        return 0;
    }
    for (i = PATH; i < used; i++) {
        words[i] = apr_atomic_read64(&entry->words[i]);
    }
    return checksum(words, used) == check && OUTCOME_OF(words[WHAT]) < MIRROR_OUTCOME_COUNT &&
           WHY_OF(words[WHAT]) < MIRROR_WHY_COUNT;
}

static const char *text_of(apr_uint64_t what, apr_pool_t *pool)
{
    static const char *const texts[] = {
#define MIRROR_WHY_TEXT(id, text) text,
        MIRROR_WHYS(MIRROR_WHY_TEXT)
#undef MIRROR_WHY_TEXT
    };
    apr_status_t rv = RV_OF(what);
    char error[128];

    /* APR_EGENERAL has no text that says anything */
    return rv == APR_SUCCESS || rv == APR_EGENERAL
               ? texts[WHY_OF(what)]
               : apr_pstrcat(pool, texts[WHY_OF(what)], ": ",
                             apr_strerror(rv, error, sizeof(error)), NULL);
}

static void make_view(mirror_loss_view_t *view, const apr_uint64_t *words, apr_pool_t *pool)
{
    apr_time_t now = mirror_clock_now(), then = (apr_time_t)words[TIME];

    view->number = words[NUMBER];
    view->time = mirror_clock_to_wall(then > 0 && then < now ? then : now);
    view->outcome = (mirror_outcome_e)OUTCOME_OF(words[WHAT]);
    view->why = text_of(words[WHAT], pool);
    view->method = mirror_findings_text_read(words + METHOD, MIRROR_LOST_METHOD, 1, pool);
    view->path = mirror_findings_text_read(words + PATH, MIRROR_LOST_PATH, 1, pool);
}

static int later_first(const void *a, const void *b)
{
    const mirror_loss_view_t *one = a, *other = b;

    return one->number < other->number ? 1 : one->number > other->number ? -1 : 0;
}

int mirror_lost_read(mirror_loss_view_t *views, mirror_lost_t *lost, apr_pool_t *pool)
{
    apr_uint64_t words[WORDS];
    int i, count = 0;

    for (i = 0; lost && i < MIRROR_LOST_MAX; i++) {
        if (copy(words, &lost->entries[i], i)) {
            make_view(&views[count++], words, pool);
        }
    }
    qsort(views, (size_t)count, sizeof(*views), later_first);
    return count;
}
