/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/budget.c - the processor time that the comparer may take. See compare/budget.h.
 */
#include "compare/budget.h"

/* The share of a processor that the thread may take, in percent, and that one of several mirrors may;
 * and for how long it may save. */
#define SHARE        10
#define SHARE_OF_ONE (SHARE / 2)
#define SAVED        apr_time_from_msec(100)
/* How long a mirror counts as one that compares after its last pair. */
#define RECENT apr_time_from_sec(3600)

typedef struct account_t {
    apr_time_t since; /* of `saved`: the last pair; 0: there was none */
    apr_interval_time_t saved;
} account_t;

struct mirror_budget_t {
    account_t all;
    apr_interval_time_t before; /* processor time that was taken at `all.since` */
    int count;
    account_t mirrors[1]; /* by index; `count` of them */
};

mirror_budget_t *mirror_budget_create(int mirrors, apr_pool_t *pool)
{
    mirror_budget_t *budget =
        apr_pcalloc(pool, sizeof(*budget) + (apr_size_t)mirrors * sizeof(budget->mirrors[0]));

    budget->count = mirrors;
    return budget;
}

void mirror_budget_start(mirror_budget_t *budget, apr_time_t now, apr_interval_time_t spent)
{
    budget->all.since = now;
    budget->all.saved = SAVED;
    budget->before = spent;
}

static void save(account_t *account, apr_time_t now, int share)
{
    account->saved += account->since ? (now - account->since) * share / 100 : SAVED;
    account->saved = account->saved < SAVED ? account->saved : SAVED;
    account->since = now;
}

/* Whether another mirror compares, too. */
static int has_others(const mirror_budget_t *budget, int mirror, apr_time_t now)
{
    int i;

    for (i = 0; i < budget->count; i++) {
        apr_time_t last = budget->mirrors[i].since;

        if (i != mirror && last && now - last < RECENT) {
            return 1;
        }
    }
    return 0;
}

int mirror_budget_has(mirror_budget_t *budget, int mirror, apr_time_t now,
                      apr_interval_time_t spent)
{
    account_t *own = &budget->mirrors[mirror];

    budget->all.saved -= spent - budget->before;
    save(&budget->all, now, SHARE);
    budget->before = spent;
    save(own, now, SHARE_OF_ONE);
    if (!has_others(budget, mirror, now)) {
        /* it may have taken more than its share; it need not save that when others come */
        own->saved = own->saved > -SAVED ? own->saved : -SAVED;
        return budget->all.saved > 0;
    }
    return budget->all.saved > 0 && own->saved > 0;
}

void mirror_budget_charge(mirror_budget_t *budget, int mirror, apr_interval_time_t spent)
{
    budget->mirrors[mirror].saved -= spent - budget->before;
}
