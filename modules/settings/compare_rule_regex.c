/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/compare_rule_regex.c - the actions `match` and `mask`: regular expressions on any bytes, in
 * bounded time. See settings/compare_rule.h.
 *
 * PCRE2 counts its steps anew at each place where a match may begin, and does not count what it does
 * not go back over. So `[a-z]+[0-9]` takes half a minute for 256 KiB of letters, whatever the limit.
 * Two things make the limit hold for a whole search: the expression is anchored, behind a `.*?` that
 * moves on to where the match begins; and no repeat is made possessive by optimization. What is
 * found is the same.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/ascii.h"
#include "base/utf8.h"
#include "settings/compare_rule_state.h"

/* PCRE and PCRE2 know these, and of several limits the lowest counts. A step takes some 12 ns; PCRE
 * takes some 500 bytes of stack for a recursion. */
#define LIMITS                                                                                     \
    "(*LIMIT_MATCH=500000)"                                                                        \
    "(*LIMIT_RECURSION=1000)"                                                                      \
    "(*NO_AUTO_POSSESS)"
#define SEARCH_BEGIN "\\A(?s:.*?)\\K(?:"
#define SEARCH_END   ")"

#define SUBJECT_MAX     (256 * 1024)           /* bytes that an expression runs on */
#define SUBJECT_MAX_LOW (8 * 1024)             /* if not all steps are counted */
#define COUNT_MAX       200                    /* of bytes that {n} repeats without a step */
#define MATCHES_MAX     1000                   /* that are cut out of a value */
#define MASK_TIME       apr_time_from_msec(50) /* of this thread; then no match is looked for */

/* ---- reading ---- */

/* Bytes of the options at the start, such as "(*UTF)(*UCP)". */
static apr_size_t options_length(const char *text)
{
    apr_size_t len = 0, end;

    while (!strncmp(text + len, "(*", 2)) {
        end = len + 2 + strspn(text + len + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=");
        if (text[end] != ')') {
            break;
        }
        len = end + 1;
    }
    return len;
}

/* Whether the parenthesis at `text` begins a recursion into the whole expression. */
static int is_recursion(const char *text)
{
    return !strncmp(text, "(?R", 3) || !strncmp(text, "(?0", 3) || !strncmp(text, "\\g<0", 4) ||
           !strncmp(text, "\\g'0", 4);
}

/* Whether what begins at `text`, in an expression, takes steps that are not counted. */
static int is_uncounted(const char *text)
{
    switch (*text) {
    case '\\':
        return (text[1] >= '1' && text[1] <= '9') || text[1] == 'g' || text[1] == 'k';
    case '(':
        if (text[1] == '?') {
            text += 2 + strspn(text + 2, "imsx-");
            return *text != ':' && *text != ')';
        }
        return text[1] == '*';
    case '+':
    case '*':
    case '?':
    case '}':
        return text[1] == '+';
    default:
        return 0;
    }
}

/* The larger number of "{2,5}"; up to COUNT_MAX + 1. */
static int read_count(const char *text)
{
    int count = 1, value = 0;

    for (text++; mirror_ascii_is_digit(*text) || *text == ','; text++) {
        value = *text == ',' ? 0 : value > COUNT_MAX ? value : value * 10 + (*text - '0');
        count = value > count ? value : count;
    }
    return count > COUNT_MAX ? COUNT_MAX + 1 : count;
}

/* How long a subject may be. Sets *recurses if the expression has a recursion into all of it. */
static apr_size_t subject_max(int *recurses, const char *text)
{
    int sum = 1, product = 1, uncounted = 0;
    const char *p;

    *recurses = 0;
    for (p = text; *p; p++) {
        *recurses |= is_recursion(p);
        uncounted |= is_uncounted(p);
        if (*p == '{' && p > text && p[-1] == ')') {
            product *= read_count(p);
        }
        else if (*p == '{') {
            sum += read_count(p);
        }
        uncounted |= sum > COUNT_MAX || product > COUNT_MAX || sum * product > COUNT_MAX;
        product = product > COUNT_MAX ? COUNT_MAX : product;
        sum = sum > COUNT_MAX ? COUNT_MAX : sum;
        p += *p == '\\' && p[1];
    }
    return uncounted ? SUBJECT_MAX_LOW : SUBJECT_MAX;
}

static apr_status_t free_regex(void *regex)
{
    ap_regfree(regex);
    return APR_SUCCESS;
}

/* Whether it compiles as it is, so that it cannot close the parenthesis that is put around it. */
static int is_complete(const char *text)
{
    ap_regex_t regex;

    if (ap_regcomp(&regex, text, 0)) {
        return 0;
    }
    ap_regfree(&regex);
    return 1;
}

const char *mirror_compare_rule_regex_read(mirror_regex_t *regex, const char *text,
                                           apr_pool_t *pool)
{
    apr_size_t options = options_length(text);
    const char *search = apr_pstrcat(pool, LIMITS, apr_pstrmemdup(pool, text, options),
                                     SEARCH_BEGIN, text + options, SEARCH_END, NULL);
    int recurses;

    regex->max = subject_max(&recurses, text + options);
    if (recurses) {
        return "be a regular expression without recursion into all of it";
    }
    if (!is_complete(text)) {
        return "be a regular expression (PCRE)";
    }
    if (ap_regcomp(&regex->compiled, search, 0)) {
        return "be a regular expression that can be in parentheses";
    }
    apr_pool_cleanup_register(pool, &regex->compiled, free_regex, apr_pool_cleanup_null);
    return NULL;
}

/* ---- running ---- */

/* Whether the expression matches; where, too, if `match` is not NULL. */
static int is_match(int *failed, ap_regmatch_t *match, const mirror_regex_t *regex,
                    const char *text, apr_size_t len, int flags)
{
    int rv = len > regex->max
                 ? AP_REG_ESPACE
                 : ap_regexec_len(&regex->compiled, text, len, match ? 1 : 0, match, flags);

    if (rv && rv != AP_REG_NOMATCH) {
        *failed = 1;
    }
    return rv == 0;
}

int mirror_compare_rule_regex_matches(int *failed, const mirror_regex_t *regex, const char *text,
                                      apr_size_t len)
{
    return is_match(failed, NULL, regex, text, len, 0);
}

/* Bytes of the character at `text`, of which `len` bytes are there; 1 if it is no UTF-8. */
static apr_size_t character_length(const char *text, apr_size_t len)
{
    apr_size_t n = len > 0 ? mirror_utf8_length((const unsigned char *)text, len) : 0;

    return n > 0 ? n : len > 0;
}

/* Copy `text` without its matches to `cut`, which has room for `len` bytes and may be `text`. What is
 * behind a match is searched as a text of its own, though '^' is not there. Returns the new length. */
static apr_size_t cut_matches(int *failed, char *cut, const mirror_regex_t *regex, const char *text,
                              apr_size_t len, apr_time_t end)
{
    apr_size_t at = 0, n = 0, keep, skip;
    ap_regmatch_t match;
    int count = 0;

    while (at < len &&
           is_match(failed, &match, regex, text + at, len - at, at > 0 ? AP_REG_NOTBOL : 0)) {
        if (count == MATCHES_MAX || mirror_clock_thread() > end) {
            *failed = 1;
            break;
        }
        keep = (apr_size_t)match.rm_so;
        skip = match.rm_eo > match.rm_so ? (apr_size_t)(match.rm_eo - match.rm_so) : 0;
        if (skip == 0) { /* nothing is cut; go on one character later */
            keep += character_length(text + at + keep, len - at - keep);
        }
        count += skip > 0;
        memmove(cut + n, text + at, keep);
        n += keep;
        at += keep + skip;
    }
    memmove(cut + n, text + at, len - at);
    return n + len - at;
}

/* Cut both texts, which are in `sides`, by one expression. Returns 0 if that has failed. */
static int cut_both(const mirror_regex_t *regex, char *sides[2], apr_size_t lens[2], apr_time_t end)
{
    int failed = lens[0] > regex->max || lens[1] > regex->max, i;

    for (i = 0; i < 2 && !failed; i++) {
        lens[i] = cut_matches(&failed, sides[i], regex, sides[i], lens[i], end);
    }
    return !failed;
}

char *mirror_compare_rule_regex_cut(const mirror_regex_t *const *list, int count, const char *text,
                                    apr_size_t *len)
{
    apr_time_t end = mirror_clock_thread() + MASK_TIME;
    char *cut = *len > SUBJECT_MAX ? NULL : malloc(*len + 1);
    int failed = 0, i;

    if (!cut) {
        return NULL;
    }
    memcpy(cut, text, *len);
    for (i = 0; i < count && !failed; i++) {
        failed = *len > list[i]->max;
        *len = failed ? *len : cut_matches(&failed, cut, list[i], cut, *len, end);
    }
    if (failed) {
        free(cut);
        return NULL;
    }
    return cut;
}

int mirror_compare_rule_regex_masks(int *failed, const mirror_regex_t *const *list, int count,
                                    const char *a, apr_size_t a_len, const char *b,
                                    apr_size_t b_len)
{
    apr_time_t end = mirror_clock_thread() + MASK_TIME;
    apr_size_t lens[2] = { a_len, b_len };
    char *sides[2], *texts;
    int i, equal = 0;

    texts = a_len > SUBJECT_MAX || b_len > SUBJECT_MAX ? NULL : malloc(a_len + b_len + 1);
    if (!texts) {
        *failed = 1;
        return 0;
    }
    sides[0] = texts;
    sides[1] = texts + a_len;
    memcpy(sides[0], a, a_len);
    memcpy(sides[1], b, b_len);
    for (i = 0; i < count && cut_both(list[i], sides, lens, end); i++) {
    }
    if (i < count) {
        *failed = i + 1;
    }
    else {
        equal = lens[0] == lens[1] && !memcmp(sides[0], sides[1], lens[0]);
    }
    free(texts);
    return equal;
}
