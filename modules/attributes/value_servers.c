/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_servers.c - the type servers: items host[:port][*weight], separated by commas; in
 * JSON an array of strings.
 *
 * Hosts are those of the type target (attributes/value_target.c), in their canonical form.
 */
#include <apr_strings.h>
#include <apr_tables.h>
#include <string.h>

#include "attributes/value.h"
#include "base/ascii.h"
#include "base/authority.h"
#include "base/mirror.h"

#define REFUSED       "" /* see the rule's `allowed` */
#define WEIGHT_MAX    100
#define WEIGHT_DIGITS 3

static const char *read_weight(int *weight, const char *text)
{
    int value = 0, digits = 0;

    for (; mirror_ascii_is_digit(text[digits]) && digits < WEIGHT_DIGITS; digits++) {
        value = value * 10 + (text[digits] - '0');
    }
    if (digits == 0 || text[digits] || value < 1 || value > WEIGHT_MAX) {
        return "a weight is not an integer from 1 to 100";
    }
    *weight = value;
    return NULL;
}

static const char *print_one(const mirror_server_t *server, apr_pool_t *pool)
{
    int is_v6 = strchr(server->hostname, ':') != NULL;
    const char *text =
        apr_pstrcat(pool, is_v6 ? "[" : "", server->hostname, is_v6 ? "]" : "", NULL);

    if (server->port) {
        text = apr_psprintf(pool, "%s:%u", text, (unsigned)server->port);
    }
    return server->weight == 1 ? text : apr_psprintf(pool, "%s*%d", text, server->weight);
}

/* Append the server `item`. Returns NULL, or the reason of the rejection. */
static const char *add(apr_array_header_t *servers, const char *item)
{
    mirror_authority_t authority;
    mirror_target_t target = { 0 };
    mirror_server_t server = { 0 };
    const char *star = strrchr(item, '*'), *why;

    if (!*item) {
        return "an item is empty";
    }
    server.weight = 1;
    if (star && (why = read_weight(&server.weight, star + 1))) {
        return why;
    }
    item = star ? apr_pstrmemdup(servers->pool, item, (apr_size_t)(star - item)) : item;
    if ((why = mirror_authority_split(&authority, item)) ||
        (why = mirror_value_target_host(
             &target, apr_pstrmemdup(servers->pool, authority.host, authority.length),
             authority.is_bracketed, servers->pool))) {
        return why;
    }
    server.hostname = target.hostname;
    server.named = target.named;
    server.port = authority.port;
    server.text = print_one(&server, servers->pool);
    APR_ARRAY_PUSH(servers, mirror_server_t) = server;
    return NULL;
}

static const char *finish(void *variable, const mirror_value_rule_t *rule,
                          apr_array_header_t *servers)
{
    if (servers->nelts < rule->min || servers->nelts > rule->max) {
        return REFUSED;
    }
    *(apr_array_header_t **)variable = servers;
    return NULL;
}

static const char *servers_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                                apr_pool_t *pool)
{
    apr_array_header_t *servers = apr_array_make(pool, 4, sizeof(mirror_server_t));
    const char *why = NULL, *end;

    do {
        end = text + strcspn(text, ",");
        why = add(servers, apr_pstrmemdup(pool, text, (apr_size_t)(end - text)));
        text = end + 1;
    } while (!why && *end);
    return why ? why : finish(variable, rule, servers);
}

static const char *servers_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                     apr_pool_t *pool)
{
    apr_array_header_t *servers = apr_array_make(pool, 4, sizeof(mirror_server_t));
    const char *why = NULL;
    size_t i;

    if (!YAJL_IS_ARRAY(json)) {
        return REFUSED;
    }
    for (i = 0; !why && i < YAJL_GET_ARRAY(json)->len; i++) {
        const char *item = YAJL_GET_STRING(YAJL_GET_ARRAY(json)->values[i]);

        why = item ? add(servers, item) : REFUSED;
        if (item && why) {
            why = apr_pstrcat(pool, mirror_value_quote(item, pool), ": ", why, NULL);
        }
    }
    return why ? why : finish(variable, rule, servers);
}

static const char *servers_print(const void *variable, const mirror_value_rule_t *rule,
                                 apr_pool_t *pool)
{
    const apr_array_header_t *servers = *(apr_array_header_t *const *)variable;
    const char *text = NULL;
    int i;

    (void)rule;
    for (i = 0; servers && i < servers->nelts; i++) {
        text = apr_pstrcat(pool, text ? text : "", text ? "," : "",
                           APR_ARRAY_IDX(servers, i, mirror_server_t).text, NULL);
    }
    return text;
}

static void servers_print_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule)
{
    const apr_array_header_t *servers = *(apr_array_header_t *const *)variable;
    int i;

    (void)rule;
    yajl_gen_array_open(json);
    for (i = 0; i < servers->nelts; i++) {
        const char *text = APR_ARRAY_IDX(servers, i, mirror_server_t).text;

        yajl_gen_string(json, (const unsigned char *)text, strlen(text));
    }
    yajl_gen_array_close(json);
}

const mirror_value_type_t mirror_value_servers = {
    sizeof(apr_array_header_t *), 0,   servers_read, servers_read_json, servers_print,
    servers_print_json,           NULL
};
