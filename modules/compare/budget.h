/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/budget.h - the processor time that the comparer may take.
 *
 * All mirrors together have a share of a processor. While several mirrors compare, each of them has
 * half of it at most, so that responses that are expensive to compare, which a mirror can send, leave
 * the rest to the others.
 */
#ifndef MIRROR_COMPARE_BUDGET_H
#define MIRROR_COMPARE_BUDGET_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct mirror_budget_t mirror_budget_t;

/* ---- main thread of a child ---- */

/* Create the budget of `mirrors` mirrors. `pool`: it lives as long. */
mirror_budget_t *mirror_budget_create(int mirrors, apr_pool_t *pool);

/* ---- comparer; `now`: mirror_clock_now(), `spent`: mirror_clock_thread() ---- */

/* Begin. All may be taken at once that can be saved. */
void mirror_budget_start(mirror_budget_t *budget, apr_time_t now, apr_interval_time_t spent);

/* Whether a pair of this mirror may be looked into: less than its share and that of all was taken. */
int mirror_budget_has(mirror_budget_t *budget, int mirror, apr_time_t now,
                      apr_interval_time_t spent);

/* Note that what was taken since mirror_budget_has() was for this mirror. */
void mirror_budget_charge(mirror_budget_t *budget, int mirror, apr_interval_time_t spent);

#endif
