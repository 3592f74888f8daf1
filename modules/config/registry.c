/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/registry.c - values for the whole server. See config/registry.h.
 *
 * Each directive with one value is a row of the table: the member and its rule.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>

#include <apr_strings.h>
#include <stddef.h>

#include "attributes/value.h"
#include "config/console.h"
#include "config/registry.h"
#include "copy/log.h"
#include "copy/spool.h"
#include "settings/allow.h"
#include "settings/scope.h"

#define ID_KEY     "mod_proxy_mirror:id"
#define SECRET_KEY "mod_proxy_mirror:secret"
#define ID_BYTES   16

/* ---- directives ---- */

static const char *refuse_id(const char *text)
{
    return text[strspn(text, "!#$%&'*+-.^_`|~0123456789"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")]
               ? ""
               : NULL;
}

#define FIELD(member) offsetof(mirror_registry_t, member)
#define MEGABYTE      (1024 * (apr_int64_t)1024)
#define HOUR          (3600 * (apr_int64_t)APR_USEC_PER_SEC)

static const struct {
    const char *directive;
    apr_size_t offset; /* offset in mirror_registry_t */
    int is_int;        /* 1 if the member is an int, not the rule's type */
    mirror_value_rule_t rule;
} values[] = {
    { "ProxyMirrorMemory",
      FIELD(memory),
      0,
      { &mirror_value_size, MEGABYTE, 1024 * 1024 * MEGABYTE,
        "must be a size such as 64M, from 1M to 1024G", NULL, NULL } },
    { "ProxyMirrorCompareMemory",
      FIELD(compare_memory),
      0,
      { &mirror_value_size, MEGABYTE, 1024 * 1024 * MEGABYTE,
        "must be a size such as 32M, from 1M to 1024G", NULL, NULL } },
    { "ProxyMirrorThreads",
      FIELD(threads),
      1,
      { &mirror_value_number, 4, 256, "must be an integer from 4 to 256", NULL, NULL } },
    { "ProxyMirrorSlots",
      FIELD(slots),
      1,
      { &mirror_value_number, 1, 65536, "must be an integer from 1 to 65536", NULL, NULL } },
    { "ProxyMirrorDrainTimeout",
      FIELD(drain_timeout),
      0,
      { &mirror_value_time, 0, HOUR, "must be a time such as 500ms or 5s, from 0 to 1h", NULL,
        NULL } },
    { "ProxyMirrorId",
      FIELD(id),
      0,
      { &mirror_value_string, 1, 64, "must be 1 to 64 letters, digits or !#$%&'*+-.^_`|~", NULL,
        refuse_id } },
};

const char *mirror_registry_set(cmd_parms *cmd, void *unused, const char *text)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char *registry = (char *)mirror_scope_get_registry(cmd->pool);
    apr_int64_t number = 0;
    apr_size_t i = 0;

    (void)unused;
    if (wrong) {
        return wrong;
    }
    while (strcmp(values[i].directive, cmd->cmd->name)) {
        i++;
    }
    wrong = mirror_value_from_text(values[i].is_int ? (void *)&number : registry + values[i].offset,
                                   &values[i].rule, cmd->cmd->name, text, cmd->pool);
    if (!wrong && values[i].is_int) {
        *(int *)(registry + values[i].offset) = (int)number;
    }
    return wrong;
}

const char *mirror_registry_spool(cmd_parms *cmd, void *unused, const char *dir, const char *size)
{
    static const mirror_value_rule_t rule = { &mirror_value_size,
                                              MEGABYTE,
                                              1024 * 1024 * MEGABYTE,
                                              "must be a size such as 256M, from 1M to 1024G",
                                              NULL,
                                              NULL };
    mirror_registry_t *registry = mirror_scope_get_registry(cmd->pool);
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY), *why;
    apr_int64_t most = MIRROR_SCOPE_SPOOL_SIZE;

    (void)unused;
    if (!wrong && size) {
        wrong = mirror_value_from_text(&most, &rule, cmd->cmd->name, size, cmd->pool);
    }
    if (!wrong && (*dir != '/' || !mirror_console_is_reload()) && /* children try it again */
        (why = mirror_spool_refuse(dir, cmd->pool))) {
        wrong = apr_psprintf(cmd->pool,
                             "%s: must be the absolute path of a writable folder, got %s (%s)",
                             cmd->cmd->name, mirror_value_quote(dir, cmd->pool), why);
    }
    if (!wrong) {
        registry->spool_dir = apr_pstrdup(cmd->pool, dir);
        registry->spool_size = most;
    }
    return wrong;
}

const char *mirror_registry_allow(cmd_parms *cmd, void *unused, const char *pattern)
{
    mirror_registry_t *registry = mirror_scope_get_registry(cmd->pool);
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)unused;
    return wrong ? wrong : mirror_allow_add(&registry->allow, pattern, cmd->cmd->name, cmd->pool);
}

/* ---- random values ---- */

static char *random_hex(apr_pool_t *pconf)
{
    unsigned char random[ID_BYTES];
    char *hex = apr_palloc(pconf, 2 * ID_BYTES + 1);

    if (apr_generate_random_bytes(random, sizeof(random)) != APR_SUCCESS) {
        ap_random_insecure_bytes(random, sizeof(random));
    }
    ap_bin2hex(random, sizeof(random), hex);
    return hex;
}

/* Return a random text that is generated once for the life of the parent process. */
static const char *kept_hex(const char *key, apr_pool_t *pconf)
{
    char *kept = ap_retained_data_get(key);

    if (!kept) {
        kept = ap_retained_data_create(key, 2 * ID_BYTES + 1);
        apr_cpystrn(kept, random_hex(pconf), 2 * ID_BYTES + 1);
    }
    return apr_pstrdup(pconf, kept);
}

void mirror_registry_complete(mirror_registry_t *registry, apr_pool_t *pconf)
{
    if (!registry->id) {
        registry->id = kept_hex(ID_KEY, pconf);
    }
    registry->secret = kept_hex(SECRET_KEY, pconf);
    registry->nonce = random_hex(pconf);
}
