/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/compare_rule.c - rules: parsing them, and applying them to two values. See
 * settings/compare_rule.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "base/ascii.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "attributes/value.h"
#include "settings/compare_rule_state.h"

/* ---- reading ---- */

typedef const char *read_value_fn(mirror_compare_rule_t *rule, const char *value, apr_pool_t *pool);

static read_value_fn read_regex, read_within, read_key;

typedef struct action_t {
    const char *name;
    mirror_rule_action_e action;
    unsigned parts;            /* a set of 1 << mirror_part_e */
    read_value_fn *read_value; /* NULL: there is no value */
} action_t;

#define HEADER   (1u << MIRROR_PART_HEADER)
#define BODY     (1u << MIRROR_PART_BODY)
#define ANY_PART (1u << MIRROR_PART_STATUS | HEADER | BODY)

static const action_t actions[] = {
    { "ignore", MIRROR_RULE_IGNORE, ANY_PART, NULL },
    { "presence", MIRROR_RULE_PRESENCE, ANY_PART, NULL },
    { "match", MIRROR_RULE_MATCH, HEADER | BODY, read_regex },
    { "mask", MIRROR_RULE_MASK, HEADER | BODY, read_regex },
    { "within", MIRROR_RULE_WITHIN, HEADER | BODY, read_within },
    { "unordered", MIRROR_RULE_UNORDERED, BODY, NULL },
    { "key", MIRROR_RULE_KEY, BODY, read_key },
    { "compare", MIRROR_RULE_COMPARE, HEADER | BODY, NULL },
    { "secret", MIRROR_RULE_SECRET, HEADER | BODY, NULL },
};

#define ACTIONS (sizeof(actions) / sizeof(*actions))

static const char *skip_blanks(const char *text)
{
    while (mirror_ascii_is_blank(*text)) {
        text++;
    }
    return text;
}

static const char *wrong(const char *what, const char *must, const char *got, apr_pool_t *pool)
{
    return apr_pstrcat(pool, what, ": must ", must, ", got ", mirror_value_quote(got, pool), NULL);
}

/* What is wrong with `text` whatever it is: it is printed in logs and JSON. */
static const char *check_text(const char *what, const char *text, apr_size_t max, apr_pool_t *pool)
{
    const char *p;

    if (strlen(text) > max) {
        return apr_psprintf(pool,
                            "%s: must have at most %" APR_SIZE_T_FMT " bytes, got %" APR_SIZE_T_FMT,
                            what, max, strlen(text));
    }
    for (p = text; *p && (unsigned char)*p >= 0x20 && *p != 0x7f; p++) {
    }
    return *p || !mirror_utf8_is_valid(text)
               ? wrong(what, "be UTF-8 without control characters", text, pool)
               : NULL;
}

/* Read what is in double quotes, \" for each one in it and \\ for each backslash, as httpd does, and
 * move behind. Returns NULL if the closing one is missing. */
static char *read_quoted(const char **text, apr_pool_t *pool)
{
    char *word = apr_pstrdup(pool, *text + 1), *end = word;
    const char *p;

    for (p = *text + 1; *p && *p != '"'; p++) {
        p += *p == '\\' && (p[1] == '"' || p[1] == '\\');
        *end++ = *p;
    }
    *end = '\0';
    *text = p + 1;
    return *p ? word : NULL;
}

/* Read a word, or what is in quotes, and move behind it and its blanks. NULL: a quote is missing. */
static char *read_word(const char **text, apr_pool_t *pool)
{
    const char *start = *text;
    char *word;

    if (*start == '"') {
        word = read_quoted(text, pool);
        if (!word || (**text && !mirror_ascii_is_blank(**text))) {
            return NULL;
        }
    }
    else {
        while (**text && !mirror_ascii_is_blank(**text)) {
            (*text)++;
        }
        word = apr_pstrmemdup(pool, start, (apr_size_t)(*text - start));
    }
    *text = skip_blanks(*text);
    return word;
}

/* Read the rest without blanks at its end, or what is in quotes. NULL: a quote is missing, or is not
 * the end. */
static char *read_rest(const char *text, apr_pool_t *pool)
{
    apr_size_t len = strlen(text);
    char *value;

    if (*text == '"') {
        value = read_quoted(&text, pool);
        return value && !*skip_blanks(text) ? value : NULL;
    }
    while (len > 0 && mirror_ascii_is_blank(text[len - 1])) {
        len--;
    }
    return apr_pstrmemdup(pool, text, len);
}

static const char *read_regex(mirror_compare_rule_t *rule, const char *value, apr_pool_t *pool)
{
    return mirror_compare_rule_regex_read(&rule->regex, value, pool);
}

static const char *read_within(mirror_compare_rule_t *rule, const char *value, apr_pool_t *pool)
{
    (void)pool;
    return mirror_compare_rule_within_read(&rule->within, value)
               ? NULL
               : "be a number such as 0.5, or a time with ms, s, min or h";
}

static const char *read_key(mirror_compare_rule_t *rule, const char *value, apr_pool_t *pool)
{
    return mirror_compare_rule_field_read_key(&rule->key, value, pool)
               ? NULL
               : "be a slash and the name of a member";
}

/* The names of the actions for this part, with "or" before the last. */
static const char *action_names(mirror_part_e part, apr_pool_t *pool)
{
    const char *names = NULL, *last = NULL;
    apr_size_t i;

    for (i = 0; i < ACTIONS; i++) {
        if (actions[i].parts & 1u << part) {
            names = names ? apr_pstrcat(pool, names, ", ", last, NULL) : last;
            last = actions[i].name;
        }
    }
    return apr_pstrcat(pool, names, " or ", last, NULL);
}

static const action_t *find_action(const char *name, mirror_part_e part)
{
    apr_size_t i;

    for (i = 0; i < ACTIONS; i++) {
        if (!strcmp(actions[i].name, name) && (actions[i].parts & 1u << part)) {
            return &actions[i];
        }
    }
    return NULL;
}

static const char *read_value(mirror_compare_rule_t *rule, const action_t *action,
                              const char *value, apr_pool_t *pool)
{
    const char *must;

    if (!action->read_value) {
        must = *value ? apr_pstrcat(pool, "not be given with ", action->name, NULL) : NULL;
    }
    else if (!*value) {
        must = apr_pstrcat(pool, "be given with ", action->name, NULL);
    }
    else {
        must = check_text("VALUE", value, MIRROR_RULE_VALUE_MAX, pool);
        if (must) {
            return must;
        }
        must = action->read_value(rule, value, pool);
    }
    return must ? wrong("VALUE", must, value, pool) : NULL;
}

/* `text` in quotes, if it needs them. */
static const char *quote(const char *text, int is_needed, apr_pool_t *pool)
{
    char *quoted, *to;

    if (!is_needed) {
        return text;
    }
    quoted = to = apr_palloc(pool, 2 * strlen(text) + 3);
    *to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to++ = '"';
    *to = '\0';
    return quoted;
}

/* A value needs quotes if it begins with one, or a blank is at an end. */
static int is_quoted_value(const char *value)
{
    return *value && (*value == '"' || mirror_ascii_is_blank(*value) ||
                      mirror_ascii_is_blank(value[strlen(value) - 1]));
}

/* A header's name in lower case, anything else as it came. */
static const char *field_text(const mirror_compare_rule_t *rule, const char *text, apr_pool_t *pool)
{
    if (rule->field.part == MIRROR_PART_HEADER) {
        return apr_pstrcat(pool, "header/", rule->field.name, NULL);
    }
    return quote(text, strpbrk(text, " \t\"") != NULL, pool);
}

static const char *read_field(mirror_compare_rule_t *rule, const char *field, apr_pool_t *pool)
{
    const char *must = check_text("FIELD", field, MIRROR_RULE_FIELD_MAX, pool);

    if (must) {
        return must;
    }
    must = mirror_compare_rule_field_read(&rule->field, field, pool);
    return must ? wrong("FIELD", must, field, pool) : NULL;
}

/* FNV-1a, never 0. */
static apr_uint64_t hash_of(const char *text)
{
    apr_uint64_t hash = mirror_hash_bytes(MIRROR_HASH_START, text, strlen(text));

    return hash ? hash : 1;
}

const char *mirror_compare_rule_parse(mirror_compare_rule_t **rule, const char *text,
                                      apr_pool_t *pool)
{
    mirror_compare_rule_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *p = skip_blanks(text), *error, *field, *name, *value;
    const action_t *action;

    field = read_word(&p, pool);
    if (!field) {
        return wrong("FIELD", "end with its closing quote", text, pool);
    }
    error = read_field(made, field, pool);
    if (error) {
        return error;
    }
    name = apr_pstrmemdup(pool, p, strcspn(p, " \t"));
    action = find_action(name, made->field.part);
    if (!action) {
        return wrong("ACTION",
                     apr_pstrcat(pool, "be one of ", action_names(made->field.part, pool), " for ",
                                 mirror_part_name(made->field.part), NULL),
                     name, pool);
    }
    p = skip_blanks(p + strlen(name));
    value = read_rest(p, pool);
    if (!value) {
        return wrong("VALUE", "end with its closing quote", p, pool);
    }
    error = read_value(made, action, value, pool);
    if (error) {
        return error;
    }
    made->action = action->action;
    made->text = apr_pstrcat(pool, field_text(made, field, pool), " ", name, *value ? " " : "",
                             quote(value, is_quoted_value(value), pool), NULL);
    made->id = hash_of(made->text);
    *rule = made;
    return NULL;
}

const char *mirror_compare_rule_text(const mirror_compare_rule_t *rule)
{
    return rule->text;
}

apr_uint64_t mirror_compare_rule_id(const mirror_compare_rule_t *rule)
{
    return rule->id;
}

/* ---- applying ---- */

mirror_rule_action_e mirror_compare_rule_action(const mirror_compare_rule_t *rule)
{
    return rule->action;
}

const char *mirror_compare_rule_key(apr_size_t *len, const mirror_compare_rule_t *rule)
{
    *len = rule->key.len;
    return rule->key.name;
}

int mirror_compare_rule_add_mask(mirror_rule_masks_t *masks, const mirror_compare_rule_t *rule)
{
    if (rule->action != MIRROR_RULE_MASK) {
        return 0;
    }
    if (masks->count < MIRROR_RULE_MASKS_MAX) {
        masks->list[masks->count++] = rule;
    }
    return 1;
}

static void list_regexes(const mirror_regex_t *list[MIRROR_RULE_MASKS_MAX],
                         const mirror_rule_masks_t *masks)
{
    int i;

    for (i = 0; i < masks->count; i++) {
        list[i] = &masks->list[i]->regex;
    }
}

char *mirror_compare_rule_cut(const mirror_rule_masks_t *masks, const char *text, apr_size_t *len)
{
    const mirror_regex_t *list[MIRROR_RULE_MASKS_MAX];

    list_regexes(list, masks);
    return mirror_compare_rule_regex_cut(list, masks->count, text, len);
}

int mirror_compare_rule_masked(const mirror_compare_rule_t **failed,
                               const mirror_rule_masks_t *masks, const char *a, apr_size_t a_len,
                               const char *b, apr_size_t b_len)
{
    const mirror_regex_t *list[MIRROR_RULE_MASKS_MAX];
    int number = 0, equal;

    list_regexes(list, masks);
    equal = masks->count > 0 &&
            mirror_compare_rule_regex_masks(&number, list, masks->count, a, a_len, b, b_len);
    if (number > 0) {
        *failed = masks->list[number - 1];
    }
    return equal;
}

int mirror_compare_rule_equal(int *failed, const mirror_compare_rule_t *rule, const char *a,
                              apr_size_t a_len, const char *b, apr_size_t b_len)
{
    mirror_rule_masks_t mask = { { rule }, 1 };
    const mirror_compare_rule_t *culprit = NULL;
    int equal;

    switch (rule->action) {
    case MIRROR_RULE_IGNORE:
    case MIRROR_RULE_PRESENCE:
        return 1;
    case MIRROR_RULE_MATCH:
        return mirror_compare_rule_regex_matches(failed, &rule->regex, a, a_len) &&
               mirror_compare_rule_regex_matches(failed, &rule->regex, b, b_len);
    case MIRROR_RULE_MASK:
        equal = mirror_compare_rule_masked(&culprit, &mask, a, a_len, b, b_len);
        *failed = culprit ? 1 : *failed;
        return equal;
    case MIRROR_RULE_WITHIN:
        return mirror_compare_rule_within_matches(&rule->within, a, a_len, b, b_len);
    default:
        return 0;
    }
}
