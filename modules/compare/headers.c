/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/headers.c - two blocks of header fields. See compare/headers.h.
 *
 * Both blocks are read into fields that are sorted by name; then the fields of each name are
 * compared. Two values are equal if their bytes are, or their meaning (compare/header_list.h). If
 * they are not, but what is steady of them is, the difference is noise. Rules come last: they
 * forgive what is left.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/ascii.h"
#include "compare/header_list.h"
#include "compare/headers.h"
#include "compare/headers_state.h"
#include "compare/name.h"
#include "compare/secret_name.h"
#include "settings/compare_rule.h"

/* Expires relative to Date. */
#define EXPIRES_WITHIN apr_time_from_sec(2)
/* Values of one name that a rule sees one by one; each may take the time that a rule may take. */
#define PAIRS_MAX 32
/* Actions that may forgive a difference. */
#define FORGIVING                                                                                  \
    (MIRROR_RULE_IGNORE | MIRROR_RULE_PRESENCE | MIRROR_RULE_MATCH | MIRROR_RULE_MASK |            \
     MIRROR_RULE_WITHIN)

typedef struct compare_t {
    mirror_rows_t *rows;
    const mirror_headers_options_t *options;
    mirror_headers_fields_t a, b;
    apr_pool_t *pool;
} compare_t;

/* As the bodies were decoded, Accept-Encoding does not count in Vary. A field that has nothing else
 * is as good as none. */
static void drop_accept_encoding(mirror_headers_fields_t *fields, apr_pool_t *pool)
{
    int i, count = 0;

    for (i = 0; i < fields->count; i++) {
        mirror_headers_field_t field = fields->list[i];

        if (!strcmp(mirror_headers_read_name(&field), "vary")) {
            field.value = mirror_header_form_without(&field.value, "accept-encoding", pool);
            if (field.value.len == 0) {
                continue;
            }
        }
        fields->list[count++] = field;
    }
    fields->count = count;
}

/* ---- the value of a name ---- */

/* The forms of the values of a name, in the order in which they are compared; `form` may be NULL. */
static apr_array_header_t *forms_of(const mirror_headers_fields_t *fields,
                                    const mirror_header_list_row_t *type,
                                    mirror_header_form_fn *form, apr_pool_t *pool)
{
    apr_array_header_t *forms = apr_array_make(pool, fields->count, sizeof(mirror_header_form_t));
    int i;

    for (i = 0; i < fields->count; i++) {
        const mirror_header_form_t *value = &fields->list[i].value;

        APR_ARRAY_PUSH(forms, mirror_header_form_t) = form ? form(value, pool) : *value;
    }
    if (type->flags & MIRROR_HEADER_LIST_EACH) {
        qsort(forms->elts, forms->nelts, sizeof(mirror_header_form_t), mirror_header_form_order);
    }
    return forms;
}

/* Join all values of a name. Those that are no list (RFC 9110 5.3) are parted by what no value contains:
 * one cookie "a=1, b=2" is not the two cookies a and b. */
static mirror_header_form_t join(const mirror_header_list_row_t *type, apr_array_header_t *forms,
                                 apr_pool_t *pool)
{
    return mirror_header_form_join(forms, type->flags & MIRROR_HEADER_LIST_EACH ? '\n' : ',', pool);
}

/* All values of a name, in one form. */
static mirror_header_form_t form_of(const mirror_headers_fields_t *fields,
                                    const mirror_header_list_row_t *type,
                                    mirror_header_form_fn *form, apr_pool_t *pool)
{
    int each = type->flags & MIRROR_HEADER_LIST_EACH;
    mirror_header_form_t all = join(type, forms_of(fields, type, each ? form : NULL, pool), pool);

    return each || !form ? all : form(&all, pool);
}

static int is_same(const compare_t *c, const mirror_header_list_row_t *type,
                   mirror_header_form_fn *form, const mirror_headers_fields_t *a,
                   const mirror_headers_fields_t *b)
{
    mirror_header_form_t fa = form_of(a, type, form, c->pool), fb = form_of(b, type, form, c->pool);

    return !mirror_header_form_order(&fa, &fb);
}

static apr_time_t date_of(const mirror_headers_fields_t *fields)
{
    mirror_headers_fields_t date = mirror_headers_read_named(fields, "date");

    return date.count ? mirror_header_form_time(&date.list->value) : 0;
}

/* Whether two dates are equal relative to the Date of their side; without it, as they are. */
static int is_same_relative(const compare_t *c, const mirror_headers_fields_t *a,
                            const mirror_headers_fields_t *b)
{
    apr_time_t ta = mirror_header_form_time(&a->list->value);
    apr_time_t tb = mirror_header_form_time(&b->list->value);
    apr_time_t da = date_of(&c->a), db = date_of(&c->b), difference;

    if (!ta || !tb || a->count > 1 || b->count > 1) {
        return 0;
    }
    difference = da && db ? (ta - da) - (tb - db) : ta - tb;
    return difference >= -EXPIRES_WITHIN && difference <= EXPIRES_WITHIN;
}

static int is_noise(const compare_t *c, const mirror_header_list_row_t *type,
                    const mirror_headers_fields_t *a, const mirror_headers_fields_t *b)
{
    return (type->flags & MIRROR_HEADER_LIST_RELATIVE && is_same_relative(c, a, b)) ||
           (type->steady && is_same(c, type, type->steady, a, b));
}

static int are_volatile(apr_uint64_t marks[2], const compare_t *c,
                        const mirror_header_list_row_t *type, const mirror_headers_fields_t *a,
                        const mirror_headers_fields_t *b)
{
    mirror_header_form_t va = form_of(a, type, NULL, c->pool);
    mirror_header_form_t vb = form_of(b, type, NULL, c->pool);

    return mirror_name_are_volatile(marks, va.data, va.len, vb.data, vb.len, c->options->now);
}

/* ---- rules ---- */

static const mirror_compare_rule_t *next_rule(const compare_t *c, unsigned actions,
                                              const char *name, const mirror_compare_rule_t *after)
{
    return mirror_compare_rule_header(c->options->rules, actions, name, strlen(name), after);
}

/* A test of two values: a rule, or all rules `mask` of the name. */
typedef struct test_t {
    const mirror_compare_rule_t *rule; /* NULL: `masks` */
    mirror_rule_masks_t masks;
    const mirror_compare_rule_t *failed; /* one of them that has failed; NULL: none */
} test_t;

static int is_passed(test_t *test, const mirror_header_form_t *a, const mirror_header_form_t *b)
{
    int failed = 0, equal;

    if (!test->rule) {
        return mirror_compare_rule_masked(&test->failed, &test->masks, a->data, a->len, b->data,
                                          b->len);
    }
    equal = mirror_compare_rule_equal(&failed, test->rule, a->data, a->len, b->data, b->len);
    test->failed = failed ? test->rule : test->failed;
    return equal;
}

/* Whether the test makes two values equal, as they are or in their forms. */
static int is_pair_equal_by(test_t *test, const mirror_header_form_t *va,
                            const mirror_header_form_t *vb, const mirror_header_form_t *fa,
                            const mirror_header_form_t *fb)
{
    if (!mirror_header_form_order(fa, fb) || is_passed(test, va, vb)) {
        return 1;
    }
    return !test->failed && (va->data != fa->data || vb->data != fb->data) &&
           is_passed(test, fa, fb);
}

static int are_equal_by(test_t *test, const apr_array_header_t *values[2],
                        const apr_array_header_t *forms[2])
{
    int i;

    for (i = 0; i < values[0]->nelts; i++) {
        if (!is_pair_equal_by(test, &APR_ARRAY_IDX(values[0], i, mirror_header_form_t),
                              &APR_ARRAY_IDX(values[1], i, mirror_header_form_t),
                              &APR_ARRAY_IDX(forms[0], i, mirror_header_form_t),
                              &APR_ARRAY_IDX(forms[1], i, mirror_header_form_t))) {
            return 0;
        }
    }
    return 1;
}

/* Let the test see the values of a name one by one; joined, if their numbers differ or are large. */
static int is_equal_by(const compare_t *c, test_t *test, const mirror_header_list_row_t *type,
                       mirror_header_form_fn *form, const mirror_headers_fields_t *const sides[2])
{
    const apr_array_header_t *values[2], *forms[2];
    int i, equal;

    for (i = 0; i < 2; i++) {
        apr_array_header_t *raw = forms_of(sides[i], type, NULL, c->pool);
        apr_array_header_t *formed = forms_of(sides[i], type, form, c->pool);

        if (sides[0]->count != sides[1]->count || sides[0]->count > PAIRS_MAX) {
            mirror_header_form_t all = join(type, raw, c->pool),
                                 all_formed = join(type, formed, c->pool);

            raw->nelts = formed->nelts = 1;
            APR_ARRAY_IDX(raw, 0, mirror_header_form_t) = all;
            APR_ARRAY_IDX(formed, 0, mirror_header_form_t) = all_formed;
        }
        values[i] = raw;
        forms[i] = formed;
    }
    equal = are_equal_by(test, values, forms);
    if (test->failed) {
        mirror_rows_fail(c->rows, test->failed);
    }
    return equal;
}

static const mirror_compare_rule_t *first_mask(const compare_t *c, const mirror_rule_masks_t *masks)
{
    int i;

    for (i = 1; i < masks->count; i++) {
        mirror_rows_hit(c->rows, masks->list[i]);
    }
    return masks->list[0];
}

/* The rule that forgives a difference; NULL: there is none. If a side has no field of the name, only
 * `ignore` does. */
static const mirror_compare_rule_t *rule_for(const compare_t *c,
                                             const mirror_header_list_row_t *type,
                                             mirror_header_form_fn *form,
                                             const mirror_headers_fields_t *a,
                                             const mirror_headers_fields_t *b)
{
    const mirror_headers_fields_t *const sides[2] = { a, b };
    const char *name = mirror_headers_read_name(a->count ? a->list : b->list);
    const mirror_compare_rule_t *rule = NULL;
    test_t masks = { NULL, { { NULL }, 0 }, NULL };

    while ((rule = next_rule(c, FORGIVING, name, rule)) != NULL) {
        mirror_rule_action_e action = mirror_compare_rule_action(rule);
        test_t test = { rule, { { NULL }, 0 }, NULL };

        if (action == MIRROR_RULE_IGNORE) {
            return rule;
        }
        if (!a->count || !b->count || mirror_compare_rule_add_mask(&masks.masks, rule)) {
            continue;
        }
        if (action == MIRROR_RULE_PRESENCE || is_equal_by(c, &test, type, form, sides)) {
            return rule;
        }
    }
    return masks.masks.count > 0 && is_equal_by(c, &masks, type, form, sides)
               ? first_mask(c, &masks.masks)
               : NULL;
}

/* ---- compare ---- */

/* Keep the values of a name for a row; -1: none are wanted. */
static void keep_values(const compare_t *c, int row, const mirror_header_list_row_t *type,
                        const mirror_headers_fields_t *a, const mirror_headers_fields_t *b)
{
    const mirror_headers_fields_t *const sides[2] = { a, b };
    const char *name = mirror_headers_read_name(a->count ? a->list : b->list);
    const mirror_compare_rule_t *rule =
        row < 0 ? NULL : next_rule(c, MIRROR_RULE_SECRET, name, NULL);
    int side;

    if (rule) {
        mirror_rows_hit(c->rows, rule);
    }
    for (side = 0; row >= 0 && side < 2; side++) {
        if (sides[side]->count == 0) {
            continue;
        }
        if (rule || mirror_secret_name_is(name, strlen(name))) {
            mirror_values_hide(c->rows->values, row, side);
        }
        else {
            mirror_header_form_t all = form_of(sides[side], type, NULL, c->pool);

            mirror_values_keep(c->rows->values, row, side, all.data, all.len, 0);
        }
    }
}

/* Compare the fields of one name; one of the sides may have none. */
static void compare_name(const compare_t *c, const mirror_headers_fields_t *a,
                         const mirror_headers_fields_t *b)
{
    const mirror_headers_field_t *first = a->count ? a->list : b->list;
    const mirror_header_list_row_t *type = mirror_header_list_find(mirror_headers_read_name(first));
    mirror_kind_e kind = !a->count   ? MIRROR_KIND_EXTRA
                         : !b->count ? MIRROR_KIND_MISSING
                                     : MIRROR_KIND_VALUE;
    const mirror_compare_rule_t *matters, *rule;
    mirror_header_form_fn *form;
    int built_in, is_listed;
    apr_uint64_t marks[2];

    if (kind == MIRROR_KIND_VALUE && is_same(c, type, type->meaning, a, b)) {
        return;
    }
    matters = next_rule(c, MIRROR_RULE_COMPARE, mirror_headers_read_name(first), NULL);
    is_listed = matters == NULL;
    if (is_listed && (type->flags & MIRROR_HEADER_LIST_SKIP ||
                      (type->flags & MIRROR_HEADER_LIST_CODING && c->options->decoded))) {
        return;
    }
    built_in = kind == MIRROR_KIND_VALUE && is_listed && is_noise(c, type, a, b);
    form = is_listed && type->steady && !built_in ? type->steady : type->meaning;
    rule = rule_for(c, type, form, a, b);
    if (rule && !built_in) {
        mirror_rows_forgive(c->rows, MIRROR_PART_HEADER, kind, first->text, rule);
    }
    if (rule) { /* if built_in is set, the list forgives the difference already */
        mirror_rows_hit(c->rows, rule);
        return;
    }
    keep_values(c,
                mirror_rows_add(
                    c->rows, MIRROR_PART_HEADER, kind, first->text,
                    kind == MIRROR_KIND_VALUE && are_volatile(marks, c, type, a, b) ? marks : NULL,
                    built_in),
                type, a, b);
    if (matters) {
        mirror_rows_matter(c->rows, kind, first->text);
        mirror_rows_hit(c->rows, matters);
    }
}

void mirror_headers_compare(mirror_rows_t *rows, const mirror_headers_options_t *options,
                            const char *a, apr_size_t a_len, const char *b, apr_size_t b_len,
                            apr_pool_t *pool)
{
    compare_t c = { rows, options, { NULL, 0 }, { NULL, 0 }, pool };
    int i = 0, j = 0;

    c.a = mirror_headers_read_block(a, a_len, pool);
    c.b = mirror_headers_read_block(b, b_len, pool);
    if (options->decoded) {
        drop_accept_encoding(&c.a, pool);
        drop_accept_encoding(&c.b, pool);
    }
    while (i < c.a.count || j < c.b.count) {
        int order = i == c.a.count   ? 1
                    : j == c.b.count ? -1
                                     : strcmp(c.a.list[i].text, c.b.list[j].text);
        mirror_headers_fields_t none = { NULL, 0 };
        mirror_headers_fields_t of_a = order <= 0 ? mirror_headers_read_at(&c.a, i) : none;
        mirror_headers_fields_t of_b = order >= 0 ? mirror_headers_read_at(&c.b, j) : none;

        compare_name(&c, &of_a, &of_b);
        i += of_a.count;
        j += of_b.count;
    }
}

const char *mirror_headers_find(const char *block, apr_size_t len, const char *name,
                                apr_pool_t *pool)
{
    static const mirror_header_list_row_t plain = { "", 0, NULL, NULL };
    mirror_headers_fields_t fields = mirror_headers_read_block(block, len, pool), found;
    char *lower = apr_pstrdup(pool, name), *c;

    for (c = lower; *c; c++) {
        *c = mirror_ascii_lower(*c);
    }
    found = mirror_headers_read_named(&fields, lower);
    return found.count ? form_of(&found, &plain, NULL, pool).data : NULL;
}
