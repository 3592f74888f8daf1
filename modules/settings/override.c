/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/override.c - the override of a mirror. See settings/override.h.
 */
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "settings/override.h"

#define DEPTH_MAX  16
#define FAULT_SIZE 256
#define KEPT       "***" /* replaces a password in output, and keeps it in input */

/* ---- text ---- */

const char *mirror_override_parse(mirror_override_t *override, const char *text, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const char *wrong = NULL;
    yajl_val json;
    apr_size_t i;

    memset(override, 0, sizeof(*override));
    if (!text) {
        return NULL;
    }
    wrong = mirror_override_read_json(&json, text, strlen(text), pool);
    for (i = 0; !wrong && i < json->u.object.len; i++) {
        yajl_val value = json->u.object.values[i];

        wrong = mirror_attributes_find_json(&row, json->u.object.keys[i], pool);
        if (!wrong && YAJL_IS_NULL(value)) {
            override->reset |= mirror_attributes_bit(row);
        }
        else if (!wrong) {
            wrong = mirror_attributes_set_json(&override->given, row->name, value, pool);
        }
    }
    return wrong;
}

/* Whether the mirror ends at `until`, 0 = never, and earlier than by the file. */
static int ends_earlier(apr_time_t until, const mirror_t *mirror)
{
    return until != 0 && (mirror->settings->until == 0 || until < mirror->settings->until);
}

/* Take `value` of a row to `rest` if it stops the mirror, or ends it earlier than the file does. */
static void keep_stop(mirror_override_t *rest, const char *name, yajl_val value,
                      const mirror_t *mirror, apr_pool_t *pool)
{
    const mirror_attribute_t *row = mirror_attributes_find(name);
    int is_reset = YAJL_IS_NULL(value);
    mirror_settings_t given;

    memset(&given, 0, sizeof(given));
    if (is_reset) {
        mirror_attributes_take(&given, mirror->defaults, row);
    }
    else if (mirror_attributes_set_json(&given, name, value, pool)) {
        return;
    }
    if (strcmp(name, "enabled") ? !ends_earlier(given.until, mirror) : given.enabled) {
        return;
    }
    if (is_reset) {
        rest->reset |= mirror_attributes_bit(row);
    }
    else {
        mirror_attributes_set_json(&rest->given, name, value, pool);
    }
}

const char *mirror_override_rest(const char *text, const mirror_t *mirror, apr_pool_t *pool)
{
    static const char *const names[] = { "enabled", "until" };
    mirror_override_t rest;
    yajl_val json, value;
    size_t i;

    memset(&rest, 0, sizeof(rest));
    if (mirror_override_read_json(&json, text, strlen(text), pool)) {
        return NULL;
    }
    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *path[] = { names[i], NULL };

        value = yajl_tree_get(json, path, yajl_t_any);
        if (value) {
            keep_stop(&rest, names[i], value, mirror, pool);
        }
    }
    return mirror_override_print(&rest, pool);
}

int mirror_override_is_stop(const char *rest)
{
    return strstr(rest, "enabled") != NULL;
}

const char *mirror_override_print(const mirror_override_t *override, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const unsigned char *text;
    const char *printed;
    size_t len;
    yajl_gen gen;

    if (!override->given.set && !override->reset) {
        return NULL;
    }
    gen = yajl_gen_alloc(NULL);
    yajl_gen_map_open(gen);
    for (row = mirror_attributes; row->name; row++) {
        if (mirror_attributes_is_set(&override->given, row)) {
            mirror_attributes_print_row(gen, &override->given, row, 1, pool);
        }
        else if (override->reset & mirror_attributes_bit(row)) {
            yajl_gen_string(gen, (const unsigned char *)row->name, strlen(row->name));
            yajl_gen_null(gen);
        }
    }
    yajl_gen_map_close(gen);
    yajl_gen_get_buf(gen, &text, &len);
    printed = apr_pstrmemdup(pool, (const char *)text, len);
    yajl_gen_free(gen);
    return printed;
}

/* ---- JSON ---- */

/* Reject texts that yajl handles wrongly: deep nesting; a NUL, which ends strings; comments, which
 * it accepts and which may contain quotes. */
static const char *refuse_text(const char *text, apr_size_t size)
{
    int depth = 0, quoted = 0;
    apr_size_t i;

    for (i = 0; i < size; i++) {
        if (text[i] == '\0' || (quoted && size - i > 5 && !memcmp(text + i, "\\u0000", 6))) {
            return "body: must be a JSON object of attributes, got a NUL in it";
        }
        if (text[i] == '"') {
            quoted = !quoted;
        }
        else if (quoted) {
            i += text[i] == '\\';
        }
        else if (text[i] == '/') {
            return "body: must be a JSON object of attributes, got invalid JSON (a / outside of a "
                   "string)";
        }
        else if (text[i] == '}' || text[i] == ']') {
            depth--;
        }
        else if ((text[i] == '{' || text[i] == '[') && ++depth > DEPTH_MAX) {
            return "body: must be a JSON object of attributes, nested at most 16 deep, got a "
                   "deeper one";
        }
    }
    return NULL;
}

static apr_status_t free_json(void *json)
{
    yajl_tree_free(json);
    return APR_SUCCESS;
}

static const char *refuse_twice(yajl_val json, apr_pool_t *pool)
{
    apr_hash_t *names = apr_hash_make(pool);
    apr_size_t i;

    for (i = 0; i < json->u.object.len; i++) {
        const char *name = json->u.object.keys[i];

        if (apr_hash_get(names, name, APR_HASH_KEY_STRING)) {
            return apr_pstrcat(pool, "attributes: must be set once each, got ",
                               mirror_value_quote(name, pool), " twice", NULL);
        }
        apr_hash_set(names, name, APR_HASH_KEY_STRING, name);
    }
    return NULL;
}

/* Return the first line of a yajl error, without the excerpt of the text below it. */
static const char *first_line(char *fault)
{
    fault[strcspn(fault, "\r\n")] = '\0';
    return fault;
}

const char *mirror_override_read_json(yajl_val *json, const char *text, apr_size_t size,
                                      apr_pool_t *pool)
{
    char fault[FAULT_SIZE];
    const char *wrong = refuse_text(text, size);

    if (wrong) {
        return wrong;
    }
    *json = yajl_tree_parse(apr_pstrmemdup(pool, text, size), fault, sizeof(fault));
    if (!*json) {
        return apr_psprintf(pool,
                            "body: must be a JSON object of attributes, got invalid JSON (%s)",
                            *fault ? first_line(fault) : "it is empty");
    }
    apr_pool_cleanup_register(pool, *json, free_json, apr_pool_cleanup_null);
    if (!YAJL_IS_OBJECT(*json)) {
        return "body: must be a JSON object of attributes, got JSON that is not an object";
    }
    return refuse_twice(*json, pool);
}

/* ---- changes ---- */

/* Remove the row from the override: the layer beneath applies. */
static void leave_beneath(mirror_override_t *override, const mirror_attribute_t *row)
{
    mirror_attributes_unset(&override->given, row);
    override->reset &= ~mirror_attributes_bit(row);
}

static const char *reset(mirror_override_t *override, const mirror_attribute_t *row,
                         apr_pool_t *pool)
{
    if (row->flags & MIRROR_ATTRIBUTE_NO_DEFAULT) {
        return apr_psprintf(pool, "%s: %s, got nothing", row->name, row->rule.allowed);
    }
    mirror_attributes_unset(&override->given, row);
    override->reset |= mirror_attributes_bit(row);
    return NULL;
}

/* Return whether `text` is the displayed form of a value that the manager cannot set. The value is
 * then kept. */
static int is_kept(mirror_override_t *override, const mirror_attribute_t *row, const char *text,
                   const mirror_t *mirror, apr_pool_t *pool)
{
    if (row->rule.type == &mirror_value_secret) {
        override->new_secrets |= strcmp(text, KEPT) ? mirror_attributes_bit(row) : 0;
        return !strcmp(text, KEPT);
    }
    if (row->rule.type == &mirror_value_file_choice &&
        !strcmp(text, mirror_value_to_text((const char *)mirror->settings + row->offset, &row->rule,
                                           pool))) {
        leave_beneath(override, row);
        return 1;
    }
    if (row->rule.type == &mirror_value_target && mirror->settings->target.socket &&
        !strcmp(text, mirror->settings->target.url)) {
        leave_beneath(override, row);
        return 1;
    }
    return 0;
}

static const char *set(mirror_override_t *override, const mirror_attribute_t *row, yajl_val value,
                       const mirror_t *mirror, apr_pool_t *pool)
{
    if (YAJL_IS_NULL(value)) {
        return reset(override, row, pool);
    }
    if (YAJL_IS_STRING(value) && is_kept(override, row, YAJL_GET_STRING(value), mirror, pool)) {
        return NULL;
    }
    override->reset &= ~mirror_attributes_bit(row);
    return mirror_attributes_set_json(&override->given, row->name, value, pool);
}

const char *mirror_override_patch(mirror_override_t *override, yajl_val json,
                                  const mirror_t *mirror, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const char *wrong = NULL;
    apr_size_t i;

    for (i = 0; !wrong && i < json->u.object.len; i++) {
        wrong = mirror_attributes_find_json(&row, json->u.object.keys[i], pool);
        if (!wrong) {
            wrong = set(override, row, json->u.object.values[i], mirror, pool);
        }
    }
    return wrong;
}

const char *mirror_override_put(mirror_override_t *override, yajl_val json, const mirror_t *mirror,
                                apr_pool_t *pool)
{
    const char *wrong = mirror_override_patch(override, json, mirror, pool);
    const mirror_attribute_t *row;

    for (row = mirror_attributes; !wrong && row->name; row++) {
        const char *path[] = { row->name, NULL };

        if (!(row->flags & MIRROR_ATTRIBUTE_NO_JSON) && !yajl_tree_get(json, path, yajl_t_any)) {
            wrong = reset(override, row, pool);
        }
    }
    return wrong;
}

const char *mirror_override_form(mirror_override_t *override, const char *name, const char *text,
                                 const mirror_t *mirror, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const char *wrong = mirror_attributes_find_json(&row, name, pool);

    if (wrong || !*text) {
        return wrong ? wrong : reset(override, row, pool);
    }
    if (is_kept(override, row, text, mirror, pool)) {
        return NULL;
    }
    override->reset &= ~mirror_attributes_bit(row);
    return mirror_attributes_set_form(&override->given, name, text, pool);
}

static void settings_beneath(mirror_settings_t *settings, const mirror_override_t *override,
                             const mirror_t *mirror)
{
    if (override->beneath) {
        mirror_override_apply(settings, override->beneath, mirror);
    }
    else {
        *settings = *mirror->settings;
    }
}

/* A given password stays in the override, because a reload may change the file's password. */
void mirror_override_tidy(mirror_override_t *override, const mirror_t *mirror, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    mirror_settings_t beneath;

    settings_beneath(&beneath, override, mirror);

    for (row = mirror_attributes; row->name; row++) {
        int given = mirror_attributes_is_set(&override->given, row);

        if ((given || override->reset & mirror_attributes_bit(row)) &&
            !(given && row->rule.type == &mirror_value_secret) &&
            mirror_attributes_same(given ? &override->given : mirror->defaults, &beneath, row,
                                   pool)) {
            leave_beneath(override, row);
        }
    }
}

void mirror_override_apply(mirror_settings_t *settings, const mirror_override_t *override,
                           const mirror_t *mirror)
{
    const mirror_attribute_t *row;

    settings_beneath(settings, override, mirror);
    for (row = mirror_attributes; row->name; row++) {
        if (override->reset & mirror_attributes_bit(row)) {
            mirror_attributes_take(settings, mirror->defaults, row);
            mirror_attributes_unset(settings, row);
        }
    }
    mirror_attributes_merge(settings, &override->given);
}

/* ---- passwords ---- */

/* A password, and the attributes that say where it is sent, and how. */
typedef struct destination_t {
    const char *secret;
    const char *way[9]; /* NULL-terminated */
} destination_t;

static const destination_t destinations[] = {
    { "redis_password",
      { "redis_password", "redis_host", "redis_port", "redis_cluster_nodes", "redis_sentinels",
        "redis_master_name", "redis_username", "redis_ssl", NULL } },
    { "sentinel_password",
      { "sentinel_password", "redis_sentinels", "sentinel_username", "redis_ssl", NULL } },
};

/* Return the first attribute that directs the two passwords to different servers or transports;
 * NULL if the passwords are equal and go to the same server in the same way. */
static const char *other_way(const mirror_settings_t *a, const mirror_settings_t *b,
                             const destination_t *destination, apr_pool_t *pool)
{
    int i;

    for (i = 0; destination->way[i]; i++) {
        const mirror_attribute_t *row = mirror_attributes_find(destination->way[i]);

        if (row && !mirror_attributes_same(a, b, row, pool)) {
            return destination->way[i];
        }
    }
    return NULL;
}

static const char *refuse_secret(const mirror_override_t *override,
                                 const mirror_settings_t *settings, const mirror_settings_t *before,
                                 const mirror_t *mirror, const destination_t *destination,
                                 apr_pool_t *pool)
{
    const mirror_attribute_t *row = mirror_attributes_find(destination->secret);
    const char *way;

    if (!row || !*(const char *const *)((const char *)settings + row->offset) ||
        override->new_secrets & mirror_attributes_bit(row) ||
        !other_way(settings, mirror->settings, destination, pool) ||
        !other_way(settings, mirror->defaults, destination, pool)) {
        return NULL;
    }
    way = other_way(settings, before, destination, pool);
    return way ? apr_psprintf(pool, "%s: must be set again in a change of %s, got no new password",
                              destination->secret, way)
               : NULL;
}

const char *mirror_override_refuse_password(const mirror_override_t *override,
                                            const mirror_settings_t *before, const mirror_t *mirror,
                                            apr_pool_t *pool)
{
    mirror_settings_t settings;
    const char *wrong = NULL;
    apr_size_t i;

    mirror_override_apply(&settings, override, mirror);
    for (i = 0; !wrong && i < sizeof(destinations) / sizeof(*destinations); i++) {
        wrong = refuse_secret(override, &settings, before, mirror, &destinations[i], pool);
    }
    return wrong;
}
