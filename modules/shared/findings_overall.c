/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_overall.c - the verdict on a mirror as a whole, and its changes. See
 * shared/findings.h.
 */
#include "shared/findings_state.h"

apr_uint64_t mirror_findings_examined(const mirror_findings_view_t *view)
{
    return view->compared - view->verdicts[MIRROR_VERDICT_UNEXAMINED];
}

/* Those of the same bytes need no look. */
int mirror_findings_is_sample(const mirror_findings_view_t *view)
{
    return view->verdicts[MIRROR_VERDICT_UNEXAMINED] == 0 ||
           mirror_findings_examined(view) - view->verdicts[MIRROR_VERDICT_SAME] >=
               MIRROR_FINDINGS_MIN;
}

static int has_difference(const mirror_findings_view_t *view)
{
    int i;

    for (i = 0; i < view->finding_count; i++) {
        if (!view->findings[i].noise) {
            return 1;
        }
    }
    return 0;
}

mirror_overall_e mirror_findings_overall(const mirror_findings_view_t *view)
{
    if (view->compared == 0) {
        return MIRROR_OVERALL_NOTHING;
    }
    if (mirror_findings_examined(view) < MIRROR_FINDINGS_MIN) {
        return MIRROR_OVERALL_COLLECTING;
    }
    if (has_difference(view)) {
        return MIRROR_OVERALL_DIFFERS;
    }
    return mirror_findings_is_sample(view) ? MIRROR_OVERALL_ALIKE : MIRROR_OVERALL_COLLECTING;
}

const char *mirror_overall_name(mirror_overall_e verdict)
{
    static const char *const names[] = { "nothing", "collecting", "alike", "differs" };

    return names[verdict];
}

mirror_overall_e mirror_findings_news(mirror_findings_view_t *view, mirror_findings_t *area,
                                      apr_pool_t *pool)
{
    apr_uint64_t logged = MIRROR_WORD_GET(area->logged);
    mirror_overall_e overall;

    mirror_findings_view(view, area, pool);
    overall = mirror_findings_overall(view);
    if (overall < MIRROR_OVERALL_ALIKE || logged == (apr_uint64_t)overall ||
        apr_atomic_cas64(&area->logged, (apr_uint64_t)overall, logged) != logged) {
        return MIRROR_OVERALL_NOTHING;
    }
    return overall;
}
