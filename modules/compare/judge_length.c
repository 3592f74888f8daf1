/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/judge_length.c - a body that is too long to be compared, beside a short one. See compare/judge_state.h.
 *
 * A list that has lost its limit is too long, and would be skipped each time. That it is another body than
 * the short one is known without it.
 */
#include <stdlib.h>

#include "base/ascii.h"
#include "compare/judge_state.h"
#include "settings/compare_rule.h"

/* What white space and escapes in JSON, or a coding, may make of one byte. */
#define EXPANSION 16
/* The most blanks of a level of JSON that is indented. */
#define INDENT 8
/* Bytes of an escaped character. */
#define ESCAPED 6
/* These may accept what nobody has seen. */
#define RULES (MIRROR_RULE_IGNORE | MIRROR_RULE_PRESENCE | MIRROR_RULE_MATCH | MIRROR_RULE_MASK)

/* `other`: the length of the short body. */
static int add_row(mirror_judge_work_t *work, int is_primary, apr_size_t other)
{
    mirror_kind_e kind = other > 0    ? MIRROR_KIND_LENGTH
                         : is_primary ? MIRROR_KIND_MISSING
                                      : MIRROR_KIND_EXTRA;

    mirror_rows_add(&work->out->rows, MIRROR_PART_BODY, kind, "body", NULL, 0);
    return 1;
}

static int may_be_forgiven(const mirror_judge_work_t *work, apr_size_t other)
{
    unsigned actions = other > 0 ? RULES : RULES & ~(unsigned)MIRROR_RULE_PRESENCE;

    return mirror_compare_rule_any_body(work->options->rules, actions) != NULL;
}

/* Whether JSON may be longer than `max` if each value has a line of its own, is indented, and all of its
 * strings are escaped. White space that it has does not count. */
static int may_spread(const char *data, apr_size_t len, apr_size_t max)
{
    apr_size_t size = 0, depth = 0, i;
    int in_string = 0;

    for (i = 0; i < len && size <= max; i++) {
        char c = data[i];

        if (in_string) {
            size += ESCAPED;
            i += c == '\\';
            in_string = c != '"';
        }
        else if (c == '"') {
            size++;
            in_string = 1;
        }
        else if (c == '[' || c == '{' || c == ']' || c == '}' || c == ',') {
            depth += c == '[' || c == '{';
            depth -= depth > 0 && (c == ']' || c == '}');
            size += 3 + INDENT * depth; /* with a line end */
        }
        else if (!mirror_ascii_is_blank(c) && c != '\r' && c != '\n') {
            size += c == ':' ? 3 : 1;
        }
    }
    return size > max;
}

/* Whether no body that is longer than `max` is the same. */
static int is_short(const mirror_judge_side_t *side, apr_size_t max)
{
    return side->len <= max / EXPANSION &&
           (!mirror_judge_is_json(side->type) || !may_spread(side->data, side->len, max));
}

/* Whether the body, which is there, is another one than any that is longer than `max`. */
static int is_shorter(mirror_judge_work_t *work, const mirror_half_t *half, apr_size_t max)
{
    mirror_judge_side_t *side = &work->a;
    int is_other;

    mirror_judge_prepare(side, half, work->options->pool);
    mirror_judge_decode(side);
    is_other = side->result <= MIRROR_DECODE_IDENTITY && is_short(side, max);
    free(side->decoded.data);
    side->decoded.data = NULL;
    return is_other;
}

int mirror_judge_transferred(mirror_judge_work_t *work, const mirror_half_t *a,
                             const mirror_half_t *b)
{
    int is_primary = a->body_skip == MIRROR_SKIP_TOO_LARGE;
    const mirror_half_t *longer = is_primary ? a : b, *other = is_primary ? b : a;

    return longer->body_skip == MIRROR_SKIP_TOO_LARGE && other->body_skip == MIRROR_SKIP_NONE &&
           is_shorter(work, other, longer->body_max) && !may_be_forgiven(work, work->a.len) &&
           add_row(work, is_primary, work->a.len);
}

int mirror_judge_decoded(mirror_judge_work_t *work)
{
    int is_primary = work->a.result == MIRROR_DECODE_TOO_LARGE;
    const mirror_judge_side_t *longer = is_primary ? &work->a : &work->b;
    const mirror_judge_side_t *other = is_primary ? &work->b : &work->a;

    return longer->result == MIRROR_DECODE_TOO_LARGE && other->result <= MIRROR_DECODE_IDENTITY &&
           is_short(other, mirror_decode_limit(longer->len)) &&
           !may_be_forgiven(work, other->len) && add_row(work, is_primary, other->len);
}

int mirror_judge_lengths(mirror_judge_work_t *work)
{
    int is_primary = work->a.len > work->b.len;
    const mirror_judge_side_t *longer = is_primary ? &work->a : &work->b;
    const mirror_judge_side_t *other = is_primary ? &work->b : &work->a;

    return is_short(other, longer->len) && !may_be_forgiven(work, other->len) &&
           add_row(work, is_primary, other->len);
}
