/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * override.h - a mirror to set things of, and what has to hold whatever a client sends. For the
 * unit tests and the fuzz target of JSON.
 */
#ifndef OVERRIDE_H
#define OVERRIDE_H

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "settings/override.h"
#include "base/utf8.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* What ProxyMirrorDefaults and the line of the mirror say. */
static inline mirror_t *make_mirror(const char *defaults, const char *line, apr_pool_t *pool)
{
    mirror_t *mirror = apr_pcalloc(pool, sizeof(*mirror));

    mirror->name = "m";
    mirror->defaults = apr_pcalloc(pool, sizeof(*mirror->defaults));
    mirror_attributes_defaults(mirror->defaults, pool);
    REQUIRE(!mirror_attributes_set_line(mirror->defaults, defaults, 0, pool));
    mirror->settings = apr_pmemdup(pool, mirror->defaults, sizeof(*mirror->defaults));
    mirror->settings->set = 0;
    REQUIRE(!mirror_attributes_set_url(mirror->settings, "http://mirror.example.com", pool));
    REQUIRE(!mirror_attributes_set_line(mirror->settings, line, 0, pool));
    return mirror;
}

static inline int same_settings(const mirror_settings_t *a, const mirror_settings_t *b,
                                apr_pool_t *pool)
{
    const mirror_attribute_t *row;

    for (row = mirror_attributes; row->name; row++) {
        if (!mirror_attributes_same(a, b, row, pool)) {
            return 0;
        }
    }
    return 1;
}

/* Put or patch over `stored`. What cannot be is refused with words for people; what can be is
 * stored as a text that is read back as the same settings, and that GET would show. Returns the
 * text, with *wrong NULL; or NULL and what is wrong. */
static inline const char *change(const char **wrong, const mirror_t *mirror, const char *stored,
                                 int put, const char *body, apr_size_t size, apr_pool_t *pool)
{
    mirror_override_t override, again;
    mirror_settings_t before, after, read_back;
    const char *text, *printed;
    yajl_val json;

    REQUIRE(!mirror_override_parse(&override, stored, pool));
    mirror_override_apply(&before, &override, mirror);
    *wrong = mirror_override_read_json(&json, body, size, pool);
    if (!*wrong) {
        *wrong = put ? mirror_override_put(&override, json, mirror, pool)
                     : mirror_override_patch(&override, json, mirror, pool);
    }
    if (!*wrong) {
        mirror_override_tidy(&override, mirror, pool);
        *wrong = mirror_override_refuse_password(&override, &before, mirror, pool);
    }
    if (*wrong) {
        for (text = *wrong; *text; text++) {
            REQUIRE(*text >= 0x20 && *text < 0x7f);
        }
        REQUIRE(strchr(*wrong, ':') != NULL);
        return NULL;
    }
    text = mirror_override_print(&override, pool);
    mirror_override_apply(&after, &override, mirror);
    REQUIRE(!text || mirror_utf8_is_valid(text));
    REQUIRE(!mirror_override_parse(&again, text, pool));
    printed = mirror_override_print(&again, pool);
    REQUIRE(text ? printed && !strcmp(text, printed) : !printed);
    mirror_override_apply(&read_back, &again, mirror);
    REQUIRE(same_settings(&after, &read_back, pool));
    REQUIRE(text || same_settings(&after, mirror->settings, pool));
    REQUIRE(!after.target.socket &&
            (!after.redis_password || strncmp(after.redis_password, "exec:", 5)));
    return text;
}

#endif
