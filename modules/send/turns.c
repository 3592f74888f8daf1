/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/turns.c - see send/turns.h.
 */
#include "send/turns.h"

static int is_in(unsigned set, int i)
{
    return (set >> i & 1) != 0;
}

static int bounded(int credit, int sum)
{
    return credit > sum ? sum : credit < -sum ? -sum : credit;
}

/* Return the index in `set` with the most credit after this turn; -1 = the set is empty. */
static int richest(mirror_turn_t *const turns[], int count, unsigned set)
{
    int i, found = -1;

    for (i = 0; i < count; i++) {
        if (is_in(set, i) && (found < 0 || turns[i]->credit + turns[i]->weight >
                                               turns[found]->credit + turns[found]->weight)) {
            found = i;
        }
    }
    return found;
}

/* Return those in `set` whose turn comes before that of `taken`. */
static unsigned before(mirror_turn_t *const turns[], int count, unsigned set, int taken)
{
    int i, credit = turns[taken]->credit + turns[taken]->weight;
    unsigned found = 0;

    for (i = 0; i < count; i++) {
        int other = turns[i]->credit + turns[i]->weight;

        if (is_in(set, i) && (other > credit || (other == credit && i < taken))) {
            found |= 1u << i;
        }
    }
    return found;
}

int mirror_turns_take(mirror_turn_t *const turns[], int count, unsigned eligible, unsigned able,
                      unsigned *ahead)
{
    int i, taken = richest(turns, count, able & eligible), sum = 0;

    *ahead = 0;
    if (taken < 0) {
        return -1;
    }
    *ahead = before(turns, count, eligible, taken);
    for (i = 0; i < count; i++) {
        sum += is_in(eligible, i) ? turns[i]->weight : 0;
    }
    for (i = 0; i < count; i++) {
        if (is_in(eligible, i)) {
            turns[i]->credit =
                bounded(turns[i]->credit + turns[i]->weight - (i == taken ? sum : 0), sum);
        }
    }
    return taken;
}

apr_int64_t mirror_turns_share(apr_int64_t all, int weight, int sum)
{
    apr_int64_t share = sum > 0 ? (all * weight + sum - 1) / sum : all;

    return share > 1 ? share : 1;
}
